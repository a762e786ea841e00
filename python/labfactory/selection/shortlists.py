"""Shortlists: of each customer and slot the few options worth keeping, and what caps leave the customer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

# Options kept of each customer beside the best of each minimum: what repair can fall back on.
SHORTLIST = 8


@dataclass(frozen=True)
class SharedCap:
    """What one customer may get of some options, over all its slots.

    Args:
        options: Positions of the options.
        at_most: How many of them.
        column: Of `Shortlists.left`, which has the number in place of `at_most`; -1 for none.
    """

    options: tuple[int, ...]
    at_most: int
    column: int = -1

    def to_core(self) -> tuple[list[int], int, int]:
        """The cap in the core's form."""
        return list(self.options), self.at_most, self.column


def _nothing() -> npt.NDArray[np.int32]:
    return np.zeros((0, 0), np.int32)


@dataclass(frozen=True, eq=False)
class Shortlists:
    """Of each customer the few options worth keeping, slot by slot.

    8 bytes for each option, 4 for the slot, 8 for the customer, and 4 for each cap over time that its slots
    share.

    Args:
        keys: Hashes of the customers' keys, uint64.
        options: [customers * slots, width], best first, -1 where there are fewer.
        values: [customers * slots, width].
        chosen: The entry that was drawn, -1 for nothing; empty where the best is taken.
        listed: Of each slot how many of the best its lists have, 0 where they have all; empty: one slot.
        left: [customers, caps]: what caps over time leave each customer.
    """

    keys: npt.NDArray[np.uint64]
    options: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    chosen: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    listed: tuple[int, ...] = ()
    left: npt.NDArray[np.int32] = field(default_factory=_nothing)

    @property
    def slots(self) -> int:
        """How many slots a customer has."""
        return max(len(self.listed), 1)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Its arrays by name."""
        names = ("keys", "options", "values", "chosen", "left")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any], listed: tuple[int, ...]) -> Shortlists:
        """Those that `to_arrays` gave."""
        return cls(listed=listed, **arrays)

    @staticmethod
    def shapes(
        customers: int, width: int, listed: tuple[int, ...], caps: int
    ) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
        """Shape and type of the arrays of so many customers, by name."""
        rows = customers * max(len(listed), 1)
        return {
            "keys": ((customers,), np.uint64),
            "options": ((rows, width), np.int32),
            "values": ((rows, width), np.float32),
            "chosen": ((rows,), np.int32),
            "left": ((customers, caps), np.int32),
        }

    @staticmethod
    def joined(parts: Sequence[Shortlists]) -> Shortlists:
        """Those of several batches, in order."""
        return Shortlists(
            np.concatenate([part.keys for part in parts]),
            np.concatenate([part.options for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.chosen for part in parts]),
            parts[0].listed,
            np.concatenate([part.left for part in parts]),
        )
