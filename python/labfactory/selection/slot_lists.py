"""The shortlists of one slot, before those of a customer's slots are put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from labfactory._core import limits as core
from labfactory.selection.shortlists import Shortlists

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from labfactory.selection.allocation import PricedLimits

    Values = npt.NDArray[np.float32]


def _none() -> npt.NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class SlotLists:
    """Of each customer the options of one slot that are worth keeping.

    Args:
        options: [customers, width], best first, -1 where there are fewer.
        values: [customers, width].
        best: How many of the best are listed; what comes after them is there for a minimum.
        is_cut: Whether the slot has more.
        chosen: The entry that was drawn, -1 for nothing; empty where nothing was.
    """

    options: npt.NDArray[np.int32]
    values: Values
    best: int
    is_cut: bool
    chosen: npt.NDArray[np.int32] = field(default_factory=_none)

    @classmethod
    def of(
        cls, priced: PricedLimits, values: Values, options: slice, *, best: int, threads: int
    ) -> SlotLists:
        """The best of a slot's options at some prices, and the best of each minimum.

        Args:
            priced: The limits with their prices.
            values: [customers, options of all slots]; NaN where the customer may not have it.
            options: The slot's.
            best: How many of the best to keep.
            threads: They change nothing.
        """
        own = np.ascontiguousarray(values[:, options])
        groups = [
            np.flatnonzero(bound.costs[options]).tolist() for bound in priced.bounds if bound.is_minimum
        ]
        found, kept = core.shortlist(own, priced.option_prices[options], best, groups, threads)
        found[found >= 0] += options.start
        listed = min(best, own.shape[1])
        return cls(found, kept, listed, listed < own.shape[1])

    def with_drawn(
        self, drawn: npt.NDArray[np.int32], values: Values, prices: npt.NDArray[np.float64]
    ) -> SlotLists:
        """The same with what was drawn as the choice; what is worth less than its price is not taken.

        Args:
            drawn: Of each customer the option, -1 for none.
            values: As `of`.
            prices: Of each option.
        """
        rows = np.arange(len(drawn))
        options, worth = self.options.copy(), self.values.copy()
        is_drawn = drawn >= 0
        lacks = is_drawn & ~(options == drawn[:, None]).any(axis=1)
        # An unlikely draw takes the place of the last of the best.
        last = self.best - 1
        options[lacks, last] = drawn[lacks]
        worth[lacks, last] = values[rows[lacks], drawn[lacks]]
        entry = (options == drawn[:, None]).argmax(axis=1).astype(np.int32)
        net = worth[rows, entry].astype(np.float64) - prices[np.maximum(drawn, 0)]
        chosen = np.where(is_drawn & (net >= 0), entry, -1).astype(np.int32)
        return SlotLists(options, worth, self.best, self.is_cut, chosen)

    @staticmethod
    def together(keys: npt.NDArray[np.uint64], parts: Sequence[SlotLists]) -> Shortlists:
        """The lists of the customers' slots, customer by customer."""
        customers, slots = len(keys), len(parts)
        width = max(part.options.shape[1] for part in parts)
        options = np.full((customers, slots, width), -1, np.int32)
        values = np.zeros((customers, slots, width), np.float32)
        for slot, part in enumerate(parts):
            options[:, slot, : part.options.shape[1]] = part.options
            values[:, slot, : part.values.shape[1]] = part.values
        chosen = [part.chosen for part in parts if len(part.chosen)]
        return Shortlists(
            keys,
            options.reshape(-1, width),
            values.reshape(-1, width),
            np.stack(chosen, axis=1).reshape(-1) if chosen else _none(),
            tuple(part.best if part.is_cut else 0 for part in parts),
        )
