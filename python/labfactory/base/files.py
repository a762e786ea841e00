"""Parquet and CSV files, read as a stream whose memory does not grow with the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from labfactory.base.errors import SourceError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# One page or so of each column at a time; without it a whole row group is held.
_PARQUET_BUFFER_BYTES = 1 << 20
# pyarrow takes a CSV column's type from the first block and reads some thirty blocks ahead: blocks of 1 MiB
# hold 45 MB at most, blocks of 4 MiB 170 MB.
_CSV_BLOCK_BYTES = 1 << 20
_CSV_VALUE = re.compile(
    r"In CSV column #(\d+): .*?CSV conversion error to ([^:]+): invalid value '(.*)'", re.DOTALL
)


def check_path(path: Path) -> None:
    """Refuse a path that is not a readable kind of file.

    Raises:
        SourceError: With code ``source_unreadable``.
    """
    if path.is_dir():
        message = f"expected a file, found the directory {path.name!r}"
        raise SourceError(
            message,
            code="source_unreadable",
            template=str(path),
            hint="Pass one .parquet or .csv file, or pyarrow.dataset.dataset(directory).",
        )
    if not path.exists():
        siblings = [file.name for kind in ("*.parquet", "*.csv") for file in path.parent.glob(kind)]
        message = f"there is no file {path.name!r}"
        raise SourceError(
            message,
            code="source_unreadable",
            template=str(path),
            hint=nearest(path.name, siblings),
        )
    if path.suffix.lower() not in {".parquet", ".csv"}:
        message = f"expected a .parquet or .csv file, found {path.name!r}"
        raise SourceError(
            message,
            code="source_unreadable",
            template=str(path),
            hint="Read it by Polars or pyarrow and pass the frame.",
        )


def unreadable(path: Path, problem: Exception) -> SourceError:
    """The error of a file that its reader refused."""
    message = " ".join(str(problem).split())
    hint = None
    if isinstance(problem, PermissionError):
        hint = "The file's permissions do not let this user read it."
    elif path.suffix.lower() == ".parquet":
        hint = "The file may be cut short or no Parquet file: copy it again."
    elif "UTF8" in message or "UTF-8" in message.upper():
        hint = "Save the file as UTF-8."
    elif "Empty CSV" in message:
        hint = "The first line must name the columns."
    return SourceError(
        f"cannot read {path.name!r}: {message}", code="source_unreadable", template=str(path), hint=hint
    )


class ParquetFile:
    """One Parquet file.

    Args:
        path: Where it lies.
        fields: Paths of struct fields: of a struct that has some, no others are read.

    Raises:
        SourceError: With code ``source_unreadable``, when its footer cannot be read.
    """

    def __init__(self, path: Path, fields: Sequence[str] = ()) -> None:
        self.path = path
        self._fields = fields
        try:
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_PARQUET_BUFFER_BYTES)
        except (OSError, pa.ArrowException) as problem:
            raise unreadable(path, problem) from problem
        self.schema: pa.Schema = self._file.schema_arrow

    def read(self, columns: Sequence[str], max_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows in file order."""
        wanted = [path for column in columns for path in self._paths(column)]
        for batch in self._file.iter_batches(batch_size=max_rows, columns=wanted):
            yield batch.select(list(columns))

    def _paths(self, column: str) -> list[str]:
        """What to read of a column: the deepest of its fields that are asked for, else all of it."""
        kind = self.schema.field(column).type
        within = {path for path in self._fields if _is_within(kind, column, path)}
        above = {path.rpartition(".")[0] for path in within}
        return sorted(within - above) or [column]

    def explain(self, problem: Exception) -> SourceError:
        """The error of a read that failed midway."""
        return unreadable(self.path, problem)


def _is_within(kind: pa.DataType, column: str, path: str) -> bool:
    """Whether a path leads through structs alone to a field of a column."""
    if not path.startswith(f"{column}."):
        return False
    for name in path.removeprefix(f"{column}.").split("."):
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return False
        kind = kind.field(name).type
    return True


class CsvFile:
    """One CSV file with a header: UTF-8, an empty field is null, a quoted empty field is empty text.

    Args:
        path: Where it lies.
        types: Types of columns that are known; the others are taken from the first MiB.

    Raises:
        SourceError: With code ``source_unreadable``, ``missing_column`` or ``column_type``.
    """

    def __init__(self, path: Path, types: Mapping[str, pa.DataType]) -> None:
        self.path = path
        self._types = dict(types)
        try:
            with self._open(columns=None) as reader:
                self.schema: pa.Schema = reader.schema
            list(self.schema.names)  # which are read as text only now
        except (OSError, UnicodeDecodeError, pa.ArrowException) as problem:
            raise self.explain(problem) from problem

    def read(self, columns: Sequence[str], max_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows in file order."""
        del max_rows  # the caller cuts batches; blocks keep the memory constant
        with self._open(columns=columns) as reader:
            yield from reader

    def explain(self, problem: Exception) -> SourceError:
        """The error of a read that failed, with the column by its name."""
        found = _CSV_VALUE.search(str(problem))
        if found is None:
            return unreadable(self.path, problem)
        index, kind, value = int(found[1]), found[2], found[3]
        names = self._header()
        name = names[index] if index < len(names) else f"#{index + 1}"
        return SourceError(
            f"expected {kind} in column {name!r}, found {value!r}",
            code="column_type",
            template=str(self.path),
            hint="Mend the value; or pass a schema, or a Parquet file, which says the type of each column.",
        )

    def _open(self, columns: Sequence[str] | None) -> pc.CSVStreamingReader:
        return pc.open_csv(
            self.path,
            read_options=pc.ReadOptions(block_size=_CSV_BLOCK_BYTES),
            convert_options=pc.ConvertOptions(
                include_columns=None if columns is None else list(columns),
                column_types=self._types,
                # pyarrow's own list holds 'NA' and 'null', which are names of people.
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _header(self) -> list[str]:
        with self.path.open("rb") as file:
            first = file.read(_CSV_BLOCK_BYTES).split(b"\n", 1)[0]
        return list(pc.read_csv(pa.py_buffer(first + b"\n")).schema.names)
