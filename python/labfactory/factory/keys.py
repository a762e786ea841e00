"""Customers' keys: which may stand for a customer, and the pass that finds repeated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from labfactory.base.columns import cast_values
from labfactory.base.errors import SourceError, nearest
from labfactory.factory.commit import storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from labfactory.factory.shard import Shard, ShardedSource

    class KeyHash(Protocol):
        """The 64-bit hash of each key's canonical text."""

        def __call__(self, keys: pa.Array) -> pa.Array:
            """Hash keys without nulls to uint64."""


# One partition's keys are held at once: 131,072 of them are some 5 MB.
_PARTITION_ROWS = 131_072
# Open files at once. Beyond 33 M rows a partition grows with the source: 40 bytes a row and 256 partitions.
_MOST_PARTITIONS = 256
# Found rows held before they go to disk.
_HELD_ROWS = 65_536


def key_field(schema: pa.Schema, key: str) -> pa.Field:
    """The field of the key as outputs carry it: an integer or utf8.

    Raises:
        SourceError: `missing_column`; `column_type` when a key is neither integer nor text.
    """
    if schema.get_field_index(key) < 0:
        message = f"no column {key!r} to use as key"
        raise SourceError(message, code="missing_column", hint=nearest(key, schema.names))
    kind = schema.field(key).type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_integer(plain):
        return pa.field(key, plain)
    if pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain):
        return pa.field(key, pa.string())
    message = f"expected a key of integers or text, found {kind} in column {key!r}"
    raise SourceError(message, code="column_type", hint="cast it to text where the data is made.")


def key_values(values: pa.Array, field: pa.Field) -> pa.Array:
    """The keys of a batch in the layout of `key_field`, whatever layout the source has."""
    return values if values.type == field.type else cast_values(values, field.type)


def repeats(hashes: np.ndarray[Any, Any], keys: pa.Array) -> np.ndarray[Any, Any]:
    """Which rows hold a key that stood in an earlier row; equal hashes alone prove nothing.

    Args:
        hashes: uint64, shape (n,).
        keys: The keys themselves, no nulls.

    Returns:
        Booleans, shape (n,).
    """
    found = np.zeros(len(hashes), dtype=bool)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    same = ordered[1:] == ordered[:-1]
    if same.any():
        suspect = np.zeros(len(hashes), dtype=bool)
        suspect[order[1:][same]] = True
        suspect[order[:-1][same]] = True
        rows = np.flatnonzero(suspect)
        codes = keys.take(pa.array(rows)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
        first = np.unique(codes, return_index=True)[1]
        found[rows] = True
        found[rows[first]] = False
    return found


class Duplicates:
    """Row numbers of repeated keys by shard, on disk.

    Args:
        folder: Where they lie.
        shards: All shards of the source, in order.
    """

    def __init__(self, folder: Path, shards: Sequence[Shard]) -> None:
        self._folder = folder
        self._starts = np.array([shard.start for shard in shards], dtype=np.int64)
        self._held: list[np.ndarray[Any, Any]] = []
        self._held_rows = 0
        self.count = 0

    def add(self, rows: np.ndarray[Any, Any]) -> None:
        """Remember rows, in any order."""
        if not len(rows):
            return
        self._held.append(rows)
        self._held_rows += len(rows)
        self.count += len(rows)
        if self._held_rows >= _HELD_ROWS:
            self.spill()

    def spill(self) -> None:
        """Put the rows that are held on disk."""
        if not self._held:
            return
        rows = np.sort(np.concatenate(self._held))
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        for index in np.unique(shards).tolist():
            with self._path(index).open("ab") as stream:
                stream.write(rows[shards == index].tobytes())
        self._held, self._held_rows = [], 0

    def rows(self, shard: Shard) -> np.ndarray[Any, Any]:
        """Sorted row numbers, in the source, of the shard's rows that repeat an earlier key."""
        path = self._path(shard.index)
        if not path.exists():
            return np.empty(0, dtype=np.int64)
        return np.sort(np.fromfile(path, dtype=np.int64))

    def _path(self, index: int) -> Path:
        return self._folder / f"repeated-{index:06d}.bin"


def find_duplicates(
    source: ShardedSource,
    shards: Sequence[Shard],
    key: str,
    *,
    folder: Path,
    key_hash: KeyHash,
    seen: Callable[[int], None] = lambda _: None,
) -> Duplicates:
    """Read the key column once and find the rows whose key stood in an earlier row.

    Keys go by the high bits of their hash to partitions on disk, which are then searched one by one, so
    memory stays bounded; within a partition keys of equal hash are compared themselves: the result is exact.

    Args:
        source: The customers.
        shards: All its shards, in order.
        key: Column of the key; nulls are passed over, they are no key.
        folder: Made here, for the partitions and the result.
        key_hash: The 64-bit hash of each key's canonical text.
        seen: Told the number of rows read, batch by batch.

    Returns:
        The repeated rows by shard.
    """
    field = key_field(source.schema, key)
    total = sum(shard.rows for shard in shards)
    partitions = min(_MOST_PARTITIONS, total // _PARTITION_ROWS + 1)
    found = Duplicates(folder, shards)
    paths = [folder / f"keys-{index:03d}.arrow" for index in range(partitions)]
    with storage(folder):
        folder.mkdir()
        _partition(_keys(source, shards, field, seen), field, paths, found, key_hash)
        for path in paths:
            _search(path, found)
            path.unlink()
        found.spill()
    return found


def _keys(
    source: ShardedSource, shards: Sequence[Shard], field: pa.Field, seen: Callable[[int], None]
) -> Iterator[tuple[np.ndarray[Any, Any], pa.Array]]:
    for shard in shards:
        row = shard.start
        for batch in source.read(shard, [field.name]):
            keys = key_values(batch.column(batch.schema.get_field_index(field.name)), field)
            rows = np.arange(row, row + len(keys), dtype=np.int64)
            row += len(keys)
            if keys.null_count:
                rows = rows[keys.is_valid().to_numpy(zero_copy_only=False)]
                keys = keys.drop_null()
            yield rows, keys
            seen(batch.num_rows)


def _partition(
    keys: Iterator[tuple[np.ndarray[Any, Any], pa.Array]],
    field: pa.Field,
    paths: list[Path],
    found: Duplicates,
    key_hash: KeyHash,
) -> None:
    schema = pa.schema([("hash", pa.uint64()), ("row", pa.int64()), ("key", field.type)])
    sinks = [pa.OSFile(str(path), "wb") for path in paths]
    writers = [pa.ipc.new_stream(sink, schema) for sink in sinks]
    try:
        for rows, values in keys:
            hashes = np.asarray(pa.array(key_hash(values)))
            # A key repeated within one batch is settled here, so one hot key cannot fill its partition.
            repeated = repeats(hashes, values)
            found.add(rows[repeated])
            batch = pa.record_batch([pa.array(hashes), pa.array(rows), values], schema=schema)
            # The high half of the hash, scaled to the number of partitions.
            partition = ((hashes >> np.uint64(32)) * np.uint64(len(paths)) >> np.uint64(32)).astype(np.int64)
            partition[repeated] = len(paths)
            order = np.argsort(partition, kind="stable")
            bounds = np.searchsorted(partition[order], np.arange(len(paths) + 1))
            batch = batch.take(pa.array(order[: bounds[-1]]))
            for index, writer in enumerate(writers):
                start, stop = int(bounds[index]), int(bounds[index + 1])
                if stop > start:
                    writer.write_batch(batch.slice(start, stop - start))
        for writer in writers:
            writer.close()
    finally:
        for sink in sinks:
            sink.close()


def _search(path: Path, found: Duplicates) -> None:
    with pa.OSFile(str(path), "rb") as source:
        table = pa.ipc.open_stream(source).read_all()
    if table.num_rows:
        hashes, rows, keys = table.combine_chunks().to_batches()[0].columns
        found.add(np.asarray(rows)[repeats(np.asarray(hashes), keys)])
