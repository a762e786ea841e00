"""The sample customers as a source that a Factory run reads by shard."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from labfactory.base.canonical import canonical_json
from labfactory.factory import Shard
from labfactory.samples.customers import Customers, customers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa


class CustomerShards:
    """Sample customers, made anew for every shard: a million of them need no more memory than a batch.

    Args:
        count: How many.
        seed: Any integer from 0.

    Example:
        >>> [shard.rows for shard in CustomerShards(100_000, seed=7).shards(65_536)]
        [65536, 34464]
    """

    def __init__(self, count: int, *, seed: int) -> None:
        self._customers: Customers = customers(count, seed=seed)

    @property
    def schema(self) -> pa.Schema:
        """The columns of the customers."""
        return self._customers.schema

    @property
    def digest(self) -> str:
        """Digest of what decides the rows: count, seed, batch size and the shares of bad rows."""
        return _digest(repr(self._customers))

    def shards(self, rows: int) -> Sequence[Shard]:
        """A shard per batch; the generator's batches decide the size, whatever `rows` asks for."""
        del rows
        size = self._customers.batch_rows
        return [
            Shard(
                index,
                index * size,
                min(size, len(self._customers) - index * size),
                _digest(f"{self.digest}{index}"),
            )
            for index in range(self._customers.batch_count)
        ]

    def read(self, shard: Shard, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The customers of one shard, with only `columns` where they are given."""
        batch = self._customers.batch(shard.index)
        yield batch if columns is None else batch.select(list(columns))


def _digest(text: str) -> str:
    return hashlib.sha256(canonical_json(text)).hexdigest()
