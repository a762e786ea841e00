"""A run's source before its first row is taken: its schema first, then its shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labfactory.base.errors import SourceError, nearest
from labfactory.base.files import CsvFile, ParquetFile, check_path
from labfactory.base.sources import batches, schema_of
from labfactory.factory.shard import ParquetShards
from labfactory.factory.spool import Spool, spool_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labfactory.factory.shard import ShardedSource


class Intake:
    """Anything Arrow, opened so far that its schema is known.

    Args:
        data: A `ShardedSource`, a path of a Parquet or CSV file, a frame, a table, a reader.
        shard_rows: Rows of a shard.

    Raises:
        SourceError: When it cannot be read.
    """

    def __init__(self, data: Any, *, shard_rows: int) -> None:
        self._data = data
        self._shard_rows = shard_rows
        if isinstance(data, (str, Path)):
            check_path(Path(data))
        self._sharded = _sharded(data, shard_rows)
        if self._sharded is not None:
            self.schema = self._sharded.schema
        elif isinstance(data, (str, Path)):
            self.schema = spool_schema(_file_schema(Path(data)))
        else:
            if _is_bare_stream(data):
                # Opened once, here: such a stream has no other way to tell its schema.
                self._data = pa.RecordBatchReader.from_stream(data)
            self.schema = spool_schema(schema_of(self._data))

    def open(self, columns: Sequence[str], *, folder: Path, seen: Callable[[int], None]) -> ShardedSource:
        """The source by shard; what cannot be read twice is written to disk first.

        Args:
            columns: What will be read of it.
            folder: Where to write; made when needed.
            seen: Told the number of rows written.
        """
        if self._sharded is not None:
            return self._sharded
        wanted = sorted(set(columns))
        schema = pa.schema([self.schema.field(name) for name in wanted])
        stream = batches(self._data, columns=wanted)
        return Spool(folder, stream, schema=schema, rows=self._shard_rows, seen=seen)


def mapped_schema(schema: pa.Schema, columns: Mapping[str, str]) -> pa.Schema:
    """The schema that templates see: mapped names in place of the source's.

    Args:
        schema: The source's.
        columns: Names that templates use → the source's columns.

    Raises:
        SourceError: `missing_column` when a mapped column is not in the source.
    """
    unknown = [name for name in columns.values() if schema.get_field_index(name) < 0]
    if unknown:
        message = f"the source has no column {unknown[0]!r}"
        raise SourceError(message, code="missing_column", hint=nearest(unknown[0], schema.names))
    fields = {field.name: field for field in schema if field.name not in columns.values()}
    fields |= {name: schema.field(column).with_name(name) for name, column in columns.items()}
    return pa.schema(list(fields.values()))


def _sharded(data: Any, shard_rows: int) -> ShardedSource | None:
    # Asked of the type: a LazyFrame computes its schema when asked for the attribute.
    if all(callable(getattr(type(data), name, None)) for name in ("shards", "read")):
        sharded: ShardedSource = data
        return sharded
    if isinstance(data, (str, Path)) and Path(data).suffix.lower() == ".parquet":
        shards = ParquetShards(data)
        return shards if shards.largest_group <= shard_rows else None
    return None


def _file_schema(path: Path) -> pa.Schema:
    return CsvFile(path, {}).schema if path.suffix.lower() == ".csv" else ParquetFile(path).schema


def _is_bare_stream(data: Any) -> bool:
    told = any(hasattr(type(data), name) for name in ("schema", "__arrow_c_schema__", "__len__"))
    return hasattr(data, "__arrow_c_stream__") and not told
