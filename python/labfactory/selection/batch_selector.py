"""BatchSelector: a selector's decisions for a batch of customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labfactory._core import base
from labfactory._core import select as core
from labfactory.selection.contact_gate import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from labfactory.selection.bound_slot import BoundSlot
    from labfactory.selection.contact_gate import Gate
    from labfactory.selection.moment import Moment


@dataclass(frozen=True, eq=False)
class BatchSelector:
    """What decides batches.

    Args:
        version: The policy's.
        slots: Its slots.
        gate: Its contact rules.
    """

    version: str
    slots: tuple[BoundSlot, ...]
    gate: Gate

    def decide(
        self,
        batch: pa.RecordBatch,
        keys: pa.Array,
        moment: Moment,
        *,
        seed: int,
        threads: int,
        estimates: bool,
    ) -> pa.RecordBatch:
        """What `Selector.decide` gives at a moment that is checked."""
        hashes = pa.array(base.hash_keys(keys))
        columns = [slot.columns(batch, hashes) for slot in self.slots]
        codes = self.gate.codes(batch, keys, moment)
        how: dict[str, Any] = {
            "seed": seed,
            "version": self.version,
            "threads": threads,
            "estimates": estimates,
        }
        if self.gate.limits:
            decided = core.decide_together(
                [slot.core for slot in self.slots],
                columns,
                **self._limited(batch, codes, np.asarray(hashes.fill_null(0)), moment),
                prices=[slot.prices for slot in self.slots],
                **how,
            )
        else:
            shared = _shared([codes]) if codes.any() else None
            decided = [
                slot.core.decide(own, prices=slot.prices, shared=shared, **how)
                for slot, own in zip(self.slots, columns, strict=True)
            ]
        names = [slot.name for slot in self.slots]
        return pa.RecordBatch.from_arrays([pa.array(one) for one in decided], names)

    def values(
        self, batch: pa.RecordBatch, keys: pa.Array, moment: Moment, *, threads: int
    ) -> dict[str, npt.NDArray[np.float32]]:
        """What `Selector.values` gives at a moment that is checked."""
        keyed = pa.array(base.hash_keys(keys))
        hashes = np.asarray(keyed.fill_null(0))
        codes = self.gate.codes(batch, keys, moment)
        shared = _shared([codes]) if codes.any() else None
        is_control = codes == CODES["control"]
        worth = [
            slot.core.values(slot.columns(batch, keyed), threads=threads, shared=shared)
            for slot in self.slots
        ]
        for limit in self.gate.limits:
            own = self.gate.allowance(limit, batch, hashes, moment)
            at_most = getattr(limit.rule, "at_most", 0)
            spent = np.full(batch.num_rows, at_most <= 0) if own.left is None else own.left <= 0
            for slot, candidate in limit.members:
                stopped = spent | own.stops(worth[slot][:, candidate], is_control)
                worth[slot][stopped, candidate] = np.nan
        return {slot.name: values for slot, values in zip(self.slots, worth, strict=True)}

    def _limited(
        self,
        batch: pa.RecordBatch,
        codes: npt.NDArray[np.int8],
        hashes: npt.NDArray[np.uint64],
        moment: Moment,
    ) -> dict[str, Any]:
        """The limits in the core's form, and the columns that they read."""
        columns: list[npt.NDArray[Any]] = [codes]
        limits: list[tuple[int, int, Sequence[tuple[int, int]], Sequence[int]]] = []
        for limit in self.gate.limits:
            own = self.gate.allowance(limit, batch, hashes, moment)
            if own.left is None:
                limits.append((getattr(limit.rule, "at_most", 0), -1, limit.members, ()))
                continue
            first = len(columns)
            columns += [own.left, *own.bars]
            limits.append((0, first, limit.members, range(first + 1, len(columns))))
        return {"shared": _shared(columns), "limits": limits}


def _shared(columns: Sequence[npt.NDArray[Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(column) for column in columns], [str(number) for number in range(len(columns))]
    )
