"""Settlement of a run whose decisions keep limits together, before anything is made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from labfactory.selection import SAMPLE, Settled, Shortlists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from labfactory.factory.keys import Duplicates, KeyHash
    from labfactory.factory.line import Line
    from labfactory.factory.shard import Shard, ShardedSource
    from labfactory.factory.shelf import Shelf
    from labfactory.selection import LimitedSelector

    Batches = Iterator[tuple[pa.RecordBatch, pa.Array, npt.NDArray[np.int64]]]

# The sample's values take at most so much: with 1,000 options fewer customers are sampled.
_SAMPLE_BYTES = 256 << 20


@dataclass(frozen=True, eq=False)
class Settling:
    """What is settled: the customers of a source, and how to read them.

    Every step is kept on the shelf when it is done: the prices, the shortlists of each shard, what everybody
    gets. An attempt goes on where the last one ended.

    Args:
        line: Decides; its limits are not priced yet.
        source: The customers.
        shards: Its shards.
        duplicates: Rows that are set aside for their key.
        key_hash: The 64-bit hash of keys.
        threads: Shards that are read at once; they change nothing.
        seen: Told the rows of every shard, in the calling thread.
        shelf: Where the steps are kept.
    """

    line: Line
    source: ShardedSource
    shards: Sequence[Shard]
    duplicates: Duplicates
    key_hash: KeyHash
    threads: int
    seen: Callable[[int], None]
    shelf: Shelf

    def settle(self) -> tuple[Line, Mapping[str, Any]]:
        """Learn prices on a sample, decide everybody at them, and settle.

        Memory: the sample's values, a shard's shortlists for each thread, and while it settles what
        `PricedLimits.settle` says. The shortlists of all, and what everybody gets, lie in mapped files.

        Returns:
            The line with what everybody gets, and the allocation as JSON holds it.

        Raises:
            SelectionError: `limits_infeasible`.
            RunError: `disk_full`.
        """
        limited = self._priced()
        done = self.shelf.record("settled") or self._settled(limited)
        names = tuple(limited.selector.candidates)
        settled = Settled(names, self.shelf.reopened("index"), self.shelf.reopened("score"))
        return replace(self.line, limited=limited, settled=settled), done["allocation"]

    def _priced(self) -> LimitedSelector:
        """The limits at their prices: those of an earlier attempt, or learned now."""
        limited = self._limited
        before = self.shelf.record("prices")
        if before is not None:
            return limited.with_prices(before["prices"])
        learned = self._learned()
        self.shelf.put("prices", {"prices": learned.require_priced().prices.tolist()})
        return learned

    def _learned(self) -> LimitedSelector:
        """Prices by the customers with the lowest key hashes, whatever their order and batches."""
        limited, seed = self._limited, self.line.seed
        customers = sum(shard.rows for shard in self.shards)
        row_bytes = 4 * len(limited.options) * len(limited.selector.candidates)
        wanted = min(SAMPLE, max(_SAMPLE_BYTES // row_bytes, 1))
        below = np.uint64(min(2**64 - 1, wanted * 2**64 // max(customers, 1)))

        def sampled(shard: Shard) -> list[tuple[npt.NDArray[Any], ...]]:
            made: list[tuple[npt.NDArray[Any], ...]] = []
            for batch, keys, _ in self._customers(shard):
                hashes = self.key_hash(keys).to_numpy()
                drawn = np.flatnonzero(hashes <= below)
                some, own = batch.take(drawn), keys.take(drawn)
                values = limited.values(some, own, seed=seed)
                made.append((hashes[drawn], values, limited.left(some, own, seed=seed)))
            return made

        parts = [part for found in self._each(sampled, self.shards) for part in found]
        hashes, values, left = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        order = np.argsort(hashes, kind="stable")
        # Of the hashes this share was drawn, so the sample stands for so many customers.
        share = (int(below) + 1) / 2**64
        return limited.learn(values[order], customers=max(round(len(hashes) / share), 1), left=left[order])

    def _list(self, limited: LimitedSelector) -> None:
        """Keep the shortlists of every shard, and the source's row of each customer."""

        def listed(shard: Shard) -> None:
            if self.shelf.record(_name(shard)) is not None:
                return
            batches = [
                (limited.shortlists(batch, keys, seed=self.line.seed), rows)
                for batch, keys, rows in self._customers(shard)
            ]
            lists = Shortlists.joined([part for part, _ in batches])
            arrays = {**lists.to_arrays(), "rows": np.concatenate([rows for _, rows in batches])}
            shape = {
                "customers": len(lists.keys),
                "width": lists.options.shape[1],
                "listed": list(lists.listed),
            }
            self.shelf.put(_name(shard), {**shape, "caps": lists.left.shape[1]}, arrays)

        self._each(listed, self.shards)

    def _settled(self, limited: LimitedSelector) -> dict[str, Any]:
        """Settle all shards together, and keep what every row of the source gets."""
        self._list(limited)
        lists = self._joined()
        allocation = limited.require_priced().settle(lists)
        rows = sum(shard.rows for shard in self.shards)
        names = tuple(limited.selector.candidates)
        index = self.shelf.mapped("index", (rows, len(names)), np.int32)
        score = self.shelf.mapped("score", (rows, len(names)), np.float32)
        index[:] = -1
        settled, first = Settled(names, index, score), 0
        for shard in self.shards:
            arrays = self.shelf.arrays(_name(shard))
            source_rows = arrays.pop("rows")
            own = Shortlists.of_arrays(arrays, lists.listed)
            last = first + len(own.keys)
            choices = allocation.choices[first * own.slots : last * own.slots]
            limited.fill(settled, choices, own, source_rows)
            first = last
        index.flush()
        score.flush()
        done = {"allocation": allocation.to_dict()}
        self.shelf.put("settled", done)
        return done

    def _joined(self) -> Shortlists:
        """The shortlists of all shards, in mapped files."""
        records = [self.shelf.record(_name(shard)) or {} for shard in self.shards]
        customers = sum(record["customers"] for record in records)
        listed = tuple(records[0]["listed"])
        sizes = Shortlists.shapes(customers, records[0]["width"], listed, records[0]["caps"])
        whole = {name: self.shelf.mapped(f"all-{name}", shape, kind) for name, (shape, kind) in sizes.items()}
        filled = dict.fromkeys(whole, 0)
        for shard in self.shards:
            arrays = self.shelf.arrays(_name(shard))
            for name, array in whole.items():
                array[filled[name] : filled[name] + len(arrays[name])] = arrays[name]
                filled[name] += len(arrays[name])
        return Shortlists.of_arrays(whole, listed)

    def _customers(self, shard: Shard) -> Batches:
        for customers in self.line.read(self.source, shard, self.duplicates.rows(shard)):
            yield customers.batch, customers.keys, customers.rows.to_numpy()

    def _each(self, work: Callable[[Shard], Any], shards: Sequence[Shard]) -> list[Any]:
        """The work of every shard, in order."""
        made = []
        with ThreadPoolExecutor(self.threads) as pool:
            for shard, result in zip(shards, pool.map(work, shards), strict=True):
                self.seen(shard.rows)
                made.append(result)
        return made

    @property
    def _limited(self) -> LimitedSelector:
        assert self.line.limited is not None, "only runs with limits are settled"
        return self.line.limited


def _name(shard: Shard) -> str:
    return f"lists-{shard.index:06d}"
