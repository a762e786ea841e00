"""A stream written to shards on disk, so that what can be read once can be read by shard."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labfactory.base.columns import cast_values, plain_type
from labfactory.factory.commit import storage
from labfactory.factory.shard import BLOCK_ROWS, Shard, blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path


class Spool:
    """Arrow IPC files of equal row counts in a folder, each one shard.

    Equal rows make equal files, however the stream was cut into batches.

    Args:
        folder: Made here.
        batches: The rows; read once, to the end.
        schema: Their schema.
        rows: Rows of a shard.
        seen: Told the number of rows written, block by block.

    Raises:
        RunError: `disk_full` when the folder has no room for them.
    """

    def __init__(
        self,
        folder: Path,
        batches: Iterable[pa.RecordBatch],
        *,
        schema: pa.Schema,
        rows: int,
        seen: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        with storage(folder):
            folder.mkdir()
        self._rows = rows
        self._schema = spool_schema(schema)
        self._shards: list[Shard] = []
        cut = blocks((_cast(batch, self._schema) for batch in batches), min(rows, BLOCK_ROWS))
        waiting: pa.RecordBatch | None = None
        while (block := waiting or next(cut, None)) is not None:
            waiting = self._write(block, cut, seen)
        names = ",".join(shard.digest for shard in self._shards)
        self._digest = hashlib.sha256(f"{self._schema.to_string()}\n{names}".encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Spool({str(self._folder)!r}, shards={len(self._shards)})"

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every batch: the stream's, with views written as plain text."""
        return self._schema

    @property
    def digest(self) -> str:
        """SHA-256 over the schema and the shards' digests."""
        return self._digest

    def shards(self, rows: int) -> Sequence[Shard]:
        """The shards as they were written."""
        assert rows == self._rows
        return self._shards

    def read(self, shard: Shard, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of one shard in order."""
        fields = None if columns is None else [self._schema.get_field_index(name) for name in columns]
        options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        with pa.OSFile(str(self._path(shard.index)), "rb") as file:
            reader = pa.ipc.open_file(file, options=options)
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                yield batch if columns is None else batch.select(list(columns))

    def _path(self, index: int) -> Path:
        return self._folder / f"shard-{index:06d}.arrow"

    def _write(
        self, first: pa.RecordBatch, cut: Iterator[pa.RecordBatch], seen: Callable[[int], None]
    ) -> pa.RecordBatch | None:
        """Write one shard; the block that did not fit is returned."""
        index, written = len(self._shards), 0
        start = self._shards[-1].start + self._shards[-1].rows if self._shards else 0
        path = self._path(index)
        with (
            storage(self._folder),
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, self._schema) as writer,
        ):
            block: pa.RecordBatch | None = first
            while block is not None and written < self._rows:
                part = block.slice(0, self._rows - written)
                # A slice has offsets, and null slots hold what their maker left; a copy by row does not.
                writer.write_batch(part.take(pa.array(np.arange(part.num_rows))))
                written += part.num_rows
                seen(part.num_rows)
                block = block.slice(part.num_rows) if part.num_rows < block.num_rows else next(cut, None)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._shards.append(Shard(index, start, written, digest))
        return block


def spool_schema(schema: pa.Schema) -> pa.Schema:
    """The schema that a spool of these rows has."""
    return pa.schema([field.with_type(plain_type(field.type, decoded=True)) for field in schema])


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema):
        return batch
    columns = [cast_values(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.record_batch(columns, schema=schema)
