"""Row ranges of a source that a worker can make by itself, and the sources that hand them out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from labfactory.base.errors import SourceError
from labfactory.base.files import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# 65,536 rows of 3 KB e-mails are some 200 MB of assets: little work to lose to a kill, enough for a file.
SHARD_ROWS = 65_536
# 4,096 rows of 6 KB e-mails are one Parquet row group of some 24 MB. Twice as many cost a sixth more time
# (assets leave the cache between assembly and compression) and a third more memory.
BLOCK_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class Shard:
    """A fixed range of a source's rows.

    Args:
        index: Position of the shard in the source, from 0.
        start: Row number of its first row in the source, from 0.
        rows: Number of rows.
        digest: Hex digest: equal digests mean equal rows in equal order.
    """

    index: int
    start: int
    rows: int
    digest: str


class ShardedSource(Protocol):
    """A source that can hand out any of its shards again, from any thread."""

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every batch."""

    @property
    def digest(self) -> str:
        """Hex digest of the whole source: equal digests mean equal rows in equal order."""

    def shards(self, rows: int) -> Sequence[Shard]:
        """All shards in source order, each of about `rows` rows, covering every row once."""

    def read(self, shard: Shard, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of one shard in order, with only `columns` where they are given, in any batch sizes."""


class ParquetShards:
    """The row groups of a Parquet file as shards.

    Only for files whose row groups are no larger than a shard: a row group is decoded as a whole, so it must
    not be shared between shards.

    Args:
        path: The file.

    Raises:
        SourceError: `source_unreadable` when the file is not whole.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        with _opened(self._path) as file:
            self._schema = file.schema_arrow
            self._group_rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        with self._path.open("rb") as stream:
            self._digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._groups: dict[int, range] = {}

    def __repr__(self) -> str:
        return f"ParquetShards({str(self._path)!r}, rows={sum(self._group_rows)})"

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every batch."""
        return self._schema

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return self._digest

    @property
    def largest_group(self) -> int:
        """Rows of the largest row group."""
        return max(self._group_rows, default=0)

    def shards(self, rows: int) -> Sequence[Shard]:
        """Runs of neighbouring row groups of at most `rows` rows together, or single row groups."""
        shards: list[Shard] = []
        groups: dict[int, range] = {}
        start = first = taken = 0
        for group, group_rows in enumerate([*self._group_rows, rows + 1]):
            if group > first and taken + group_rows > rows:
                if taken:
                    groups[start] = range(first, group)
                    name = f"parquet:{self._digest}:{first}:{group}"
                    digest = hashlib.sha256(name.encode()).hexdigest()
                    shards.append(Shard(len(shards), start, taken, digest))
                start, first, taken = start + taken, group, 0
            taken += group_rows
        self._groups = groups
        return shards

    def read(self, shard: Shard, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of one shard in order."""
        groups = list(self._groups[shard.start])
        with _opened(self._path) as file:
            batches = file.iter_batches(
                BLOCK_ROWS,
                row_groups=groups,
                columns=None if columns is None else list(columns),
                use_threads=False,
            )
            seen = 0
            try:
                for batch in batches:
                    seen += batch.num_rows
                    yield batch
            except (OSError, pa.ArrowException) as error:
                raise unreadable(self._path, error) from error
        if seen != shard.rows:
            message = f"expected {shard.rows} rows in row groups {groups} of {self._path.name}, found {seen}"
            raise SourceError(message, code="source_unreadable")


def _opened(path: Path) -> pq.ParquetFile:
    try:
        # No pre-buffering: it would hold a whole row group's compressed bytes at once.
        return pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error


def blocks(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of exactly `rows` rows, the last one shorter.

    Whatever batches a reader happens to make, what follows sees the same ones, so files come out equal.
    """
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        rest = batch
        while held + rest.num_rows >= rows:
            take = rows - held
            yield _joined([*waiting, rest.slice(0, take)])
            waiting, held, rest = [], 0, rest.slice(take)
        if rest.num_rows:
            waiting.append(rest)
            held += rest.num_rows
    if held:
        yield _joined(waiting)


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    parts = [part for part in parts if part.num_rows]
    if len(parts) == 1:
        return parts[0]
    table = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks()
    return table.to_batches()[0]
