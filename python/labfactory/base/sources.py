"""Anything Arrow in, out comes one stream of record batches."""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

from labfactory.base.columns import check_columns, check_names, is_text, value_type
from labfactory.base.errors import LabfactoryError, SourceError
from labfactory.base.files import CsvFile, ParquetFile, check_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["batches", "schema_of"]

# Strings stay views, as Polars holds them: nothing is copied on the way in.
_NEWEST = pl.CompatLevel.newest()

# How Polars tells of a value of a file that is not of its column's type.
_POLARS_VALUE = re.compile(r"could not parse `(.*?)` as dtype `([^`]+)` at column '(.*?)' \(", re.DOTALL)

# Readers that were handed out once, by identity; an entry leaves when its reader dies.
_consumed: dict[int, weakref.ref[Any]] = {}


def schema_of(data: Any) -> pa.Schema:
    """The Arrow schema of a frame, table, batch, reader or dataset, or of a schema itself; no row is read.

    Args:
        data: A Polars DataFrame, LazyFrame or Schema; a pyarrow Schema, Table, RecordBatch, RecordBatchReader
            or Dataset; an object with ``__arrow_c_schema__`` or with a ``schema``; a frame with
            ``__arrow_c_stream__``.

    Returns:
        Names and types of the columns.

    Raises:
        SourceError: ``source_unreadable``, when a LazyFrame does not resolve or the object has no schema. A
            stream that can be read once is never opened.

    Example:
        >>> import polars as pl
        >>> schema_of(pl.DataFrame({"points": [1, 2]})).names
        ['points']
    """
    if isinstance(data, pa.Schema):
        return data
    if isinstance(data, pl.Schema):
        return pl.DataFrame(schema=data).to_arrow(compat_level=_NEWEST).schema
    if isinstance(data, pl.DataFrame):
        return _polars_table(data.head(0)).schema
    if isinstance(data, pl.LazyFrame):
        return schema_of(_lazy_schema(data))
    if isinstance(getattr(data, "schema", None), pa.Schema):
        return data.schema
    # A lone column or type speaks Arrow, too, and has no names.
    with contextlib.suppress(pa.ArrowInvalid, TypeError):
        if hasattr(data, "__arrow_c_schema__"):
            return pa.schema(data)
        if hasattr(data, "__arrow_c_stream__") and hasattr(data, "__len__"):
            return pa.RecordBatchReader.from_stream(data).schema
    message = f"expected a frame or a schema, found {_type_name(data)}"
    raise SourceError(
        message,
        code="source_unreadable",
        hint="Of a Parquet file pass pyarrow.parquet.read_schema(path), of a one-shot stream its schema.",
    )


def batches(
    data: Any,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    fields: Sequence[str] = (),
    max_rows: int = 65536,
) -> Iterator[pa.RecordBatch]:
    """The rows of any source as record batches, in order, without a copy where the source allows it.

    Args:
        data: A Polars DataFrame or LazyFrame; a pyarrow Table, RecordBatch, RecordBatchReader or Dataset; an
            object with ``__arrow_c_stream__`` or ``__arrow_c_array__``; the path of a .parquet or .csv file.
        columns: Names of the columns to read, in this order; all of ``schema``, or of the source, when None.
        schema: Columns that the source must have, by ``check_columns``; a CSV file is read as these types.
        fields: Paths of struct fields, such as ``order.total``: of a struct in a Parquet file that has some,
            no others are read.
        max_rows: No batch has more rows. Smaller batches of the source stay as they are.

    Returns:
        Batches with at least one row. A source without rows gives one empty batch: its schema is seen.

    Raises:
        SourceError: ``source_unreadable``; ``source_consumed`` when a reader was read here before;
            ``source_empty`` when a stream that can be read once has no row, since it may have been read
            elsewhere; ``missing_column``, ``duplicate_column``, ``column_type``.

    Example:
        >>> import polars as pl
        >>> [batch.num_rows for batch in batches(pl.DataFrame({"points": [1, 2, 3]}), max_rows=2)]
        [2, 1]
    """
    if max_rows < 1:
        message = f"max_rows == {max_rows}, must be > 0"
        raise SourceError(message, code="source_unreadable")
    source = _open(data, schema, fields)
    if schema is not None:
        check_columns(source.schema, schema, name=source.name)
    names = list(columns) if columns is not None else list((schema or source.schema).names)
    check_names(source.schema, names, name=source.name)
    if source.one_shot is not None:
        _claim(source.one_shot)
    return _stream(source, names, max_rows)


@dataclass(frozen=True)
class _Source:
    """An opened source: its schema, how to read it, its name, and the reader that reading uses up."""

    name: str
    schema: pa.Schema
    read: Callable[[list[str], int], Iterator[pa.RecordBatch]]
    explain: Callable[[Exception], SourceError]
    is_repeatable: bool = True
    one_shot: object = None


def _open(data: Any, schema: pa.Schema | None, fields: Sequence[str]) -> _Source:
    if isinstance(data, (str, os.PathLike)):
        return _open_file(Path(data), schema, fields)
    if isinstance(data, pl.DataFrame):
        return _open_frame(data)
    if isinstance(data, pl.LazyFrame):
        return _open_lazy(data)
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return _open_table(data)
    if isinstance(data, ds.Dataset):
        return _open_dataset(data)
    if isinstance(data, pa.RecordBatchReader):
        return _open_reader(data, name="the reader", one_shot=data)
    if hasattr(data, "__arrow_c_stream__"):
        return _open_stream(data)
    if hasattr(data, "__arrow_c_array__"):
        return _open_array(data)
    message = f"expected something that speaks Arrow or the path of a file, found {_type_name(data)}"
    raise SourceError(
        message,
        code="source_unreadable",
        hint="Pass a Polars or pyarrow frame; of rows as dicts make one by polars.DataFrame(rows).",
    )


def _open_file(path: Path, schema: pa.Schema | None, fields: Sequence[str]) -> _Source:
    check_path(path)
    is_csv = path.suffix.lower() == ".csv"
    file: CsvFile | ParquetFile
    file = CsvFile(path, _csv_types(path, schema)) if is_csv else ParquetFile(path, fields)
    return _Source(repr(path.name), file.schema, file.read, file.explain)


def _open_frame(frame: pl.DataFrame) -> _Source:
    def read(columns: list[str], max_rows: int) -> Iterator[pa.RecordBatch]:
        yield from _polars_table(frame.select(columns)).to_batches(max_chunksize=max_rows)

    name = "the DataFrame"
    return _Source(name, schema_of(frame), read, _explainer(name))


def _open_lazy(frame: pl.LazyFrame) -> _Source:
    def read(columns: list[str], max_rows: int) -> Iterator[pa.RecordBatch]:
        for piece in frame.select(columns).collect_batches(
            chunk_size=max_rows, maintain_order=True, lazy=True
        ):
            yield from _polars_table(piece).to_batches(max_chunksize=max_rows)

    name = "the LazyFrame"
    return _Source(name, schema_of(frame), read, _explainer(name))


def _open_table(table: pa.Table) -> _Source:
    def read(columns: list[str], max_rows: int) -> Iterator[pa.RecordBatch]:
        yield from table.select(columns).to_batches(max_chunksize=max_rows)

    name = "the table"
    return _Source(name, table.schema, read, _explainer(name))


def _open_dataset(dataset: ds.Dataset) -> _Source:
    def read(columns: list[str], max_rows: int) -> Iterator[pa.RecordBatch]:
        # Little is read ahead, so that memory stays constant.
        scanner = dataset.scanner(
            columns=columns, batch_size=max_rows, batch_readahead=2, fragment_readahead=1
        )
        yield from scanner.to_batches()

    name = "the dataset"
    return _Source(name, dataset.schema, read, _explainer(name))


def _open_reader(
    reader: pa.RecordBatchReader, *, name: str, one_shot: object, is_repeatable: bool = False
) -> _Source:
    def read(columns: list[str], max_rows: int) -> Iterator[pa.RecordBatch]:
        del max_rows  # the caller cuts batches
        for batch in reader:
            yield batch.select(columns)

    return _Source(name, reader.schema, read, _explainer(name), is_repeatable, one_shot)


def _open_stream(data: Any) -> _Source:
    name = f"the {_type_name(data)}"
    # What knows its length is a frame and can be exported again; anything else may be used up by opening.
    is_repeatable = hasattr(data, "__len__")
    if not is_repeatable:
        _claim(data)
    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except Exception as problem:
        raise _explainer(name)(problem) from problem
    return _open_reader(reader, name=name, one_shot=None, is_repeatable=is_repeatable)


def _open_array(data: Any) -> _Source:
    name = f"the {_type_name(data)}"
    try:
        batch = pa.record_batch(data)
    except Exception as problem:
        raise _explainer(name)(problem) from problem
    return _open_table(pa.Table.from_batches([batch]))


def _stream(source: _Source, names: list[str], max_rows: int) -> Iterator[pa.RecordBatch]:
    has_rows = False
    for batch in _guarded(source, names, max_rows):
        for start in range(0, batch.num_rows, max_rows):
            has_rows = True
            yield batch.slice(start, max_rows)
    if has_rows:
        return
    if not source.is_repeatable:
        message = f"{source.name} has no rows"
        raise SourceError(
            message,
            code="source_empty",
            hint="A stream can be read once: it may have been read before.",
        )
    schema = pa.schema([source.schema.field(name) for name in names])
    # Arrow makes no dictionary of dates from Python's values, even of none.
    yield pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def _guarded(source: _Source, names: list[str], max_rows: int) -> Iterator[pa.RecordBatch]:
    """The source's batches; only what the source itself raises becomes a SourceError."""
    reading = source.read(names, max_rows)
    while True:
        try:
            batch = next(reading)
        except StopIteration:
            return
        except LabfactoryError:
            raise
        except Exception as problem:
            raise source.explain(problem) from problem
        yield batch


def _claim(reader: object) -> None:
    """Remember that a reader is used up; refuse it the second time."""
    key = id(reader)
    known = _consumed.get(key)
    if known is not None and known() is reader:
        message = f"the {_type_name(reader)} was read before"
        raise SourceError(
            message,
            code="source_consumed",
            hint="A stream can be read once: make it again, or pass a table.",
        )
    try:
        _consumed[key] = weakref.ref(reader, lambda _: _consumed.pop(key, None))
    except TypeError:
        # No weak reference, no memory of it: source_empty tells of the second reading.
        return


def _explainer(name: str) -> Callable[[Exception], SourceError]:
    def explain(problem: Exception) -> SourceError:
        found = _POLARS_VALUE.search(str(problem))
        if found is not None:
            value, kind, column = found.groups()
            message = f"expected {kind} in column {column!r}, found {value!r}"
            return SourceError(
                message, code="column_type", hint="Mend the value, or read the column as text."
            )
        # Polars appends its query plan after a blank line.
        message = " ".join(str(problem).split("\n\n")[0].split()) or type(problem).__name__
        return SourceError(f"cannot read {name}: {message}", code="source_unreadable")

    return explain


def _lazy_schema(frame: pl.LazyFrame) -> pl.Schema:
    try:
        return frame.collect_schema()
    except Exception as problem:
        raise _explainer("the LazyFrame")(problem) from problem


def _polars_table(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=_NEWEST)


def _csv_types(path: Path, schema: pa.Schema | None) -> Mapping[str, pa.DataType]:
    types = {}
    for field in schema or ():
        kind = value_type(field.type)
        if pa.types.is_nested(kind):
            message = (
                f"expected {field.type} in column {field.name!r}, a CSV file holds no lists and no structs"
            )
            raise SourceError(
                message,
                code="column_type",
                template=str(path),
                hint="Use a Parquet file.",
            )
        types[field.name] = pa.string() if is_text(kind) else kind
    return types


def _type_name(data: object) -> str:
    return type(data).__name__
