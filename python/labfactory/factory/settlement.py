"""Settlement of a run whose decisions keep limits together, before anything is made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from labfactory.selection import SAMPLE, Shortlists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from labfactory.factory.keys import Duplicates, KeyHash
    from labfactory.factory.line import Line
    from labfactory.factory.shard import Shard, ShardedSource
    from labfactory.selection import Allocation, LimitedSelector

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Settling:
    """What is settled: the customers of a source, and how to read them.

    Args:
        line: Decides; its limits are not priced yet.
        source: The customers.
        shards: Its shards.
        duplicates: Rows that are set aside for their key.
        key_hash: The 64-bit hash of keys.
        threads: Shards that are read at once; they change nothing.
        seen: Told the rows of every batch, in the calling thread.
    """

    line: Line
    source: ShardedSource
    shards: Sequence[Shard]
    duplicates: Duplicates
    key_hash: KeyHash
    threads: int
    seen: Callable[[int], None]

    def settle(self) -> tuple[Line, Allocation]:
        """Learn prices on a sample, decide everybody at them, and settle.

        Memory: the sample's values, and for each customer and slot the shortlist, 5 bytes for what it got and
        what `PricedLimits.settle` says; nothing of the assets.

        Returns:
            The line with what everybody gets, and the allocation.

        Raises:
            SelectionError: `limits_infeasible`.
        """
        limited = self._learned()
        lists, rows = self._listed(limited)
        allocation = limited.require_priced().settle(lists)
        source_rows = sum(shard.rows for shard in self.shards)
        settled = limited.settled(allocation.choices, lists, rows, source_rows)
        return replace(self.line, limited=limited, settled=settled), allocation

    def _learned(self) -> LimitedSelector:
        """Prices by the customers with the lowest key hashes, whatever their order and batches."""
        limited = self._limited
        customers = sum(shard.rows for shard in self.shards)
        below = np.uint64(min(2**64 - 1, SAMPLE * 2**64 // max(customers, 1)))

        def sampled(shard: Shard) -> list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.float32]]]:
            made = []
            for batch, keys, _ in self._customers(shard):
                hashes = self.key_hash(keys).to_numpy()
                drawn = hashes <= below
                chosen = np.flatnonzero(drawn)
                made.append(
                    (
                        hashes[chosen],
                        limited.values(batch.take(chosen), keys.take(chosen), seed=self.line.seed),
                    )
                )
            return made

        parts = [part for found in self._each(sampled) for part in found]
        hashes = np.concatenate([part[0] for part in parts])
        values = np.concatenate([part[1] for part in parts])
        order = np.argsort(hashes, kind="stable")
        # Of the hashes this share was drawn, so the sample stands for so many customers.
        share = (int(below) + 1) / 2**64
        return limited.learn(values[order], customers=max(round(len(hashes) / share), 1))

    def _listed(self, limited: LimitedSelector) -> tuple[Shortlists, npt.NDArray[np.int64]]:
        """The shortlists of all customers and slots, and the source's row of each."""
        slots = len(limited.selector.candidates)

        def listed(shard: Shard) -> list[tuple[Shortlists, npt.NDArray[np.int64]]]:
            return [
                (limited.shortlists(batch, keys, seed=self.line.seed), np.tile(rows, slots))
                for batch, keys, rows in self._customers(shard)
            ]

        parts = [part for found in self._each(listed) for part in found]
        return Shortlists.joined([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _customers(self, shard: Shard) -> Iterable[tuple[pa.RecordBatch, pa.Array, npt.NDArray[np.int64]]]:
        for customers in self.line.read(self.source, shard, self.duplicates.rows(shard)):
            yield customers.batch, customers.keys, customers.rows.to_numpy()

    def _each(self, work: Callable[[Shard], Made]) -> list[Made]:
        """The work of every shard, in order."""
        made = []
        with ThreadPoolExecutor(self.threads) as pool:
            for shard, result in zip(self.shards, pool.map(work, self.shards), strict=True):
                self.seen(shard.rows)
                made.append(result)
        return made

    @property
    def _limited(self) -> LimitedSelector:
        assert self.line.limited is not None, "only runs with limits are settled"
        return self.line.limited
