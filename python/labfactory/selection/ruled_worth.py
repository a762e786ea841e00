"""What rules' choices are worth beside each other, where limits weigh them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from labfactory.selection.bound_slot import BoundSlot

    Values = npt.NDArray[np.float32]

# Float32 halves so often and stays above 0.
_MOST_HALVES = 100


def ruled_worth(slot: BoundSlot, batch: pa.RecordBatch, may: Values) -> Values:
    """What each candidate is worth to each customer by the rules that give it.

    A rule gives its component where it holds and the customer may have the component, if no earlier rule
    gave that one. It is worth what the rule says; else 1 for the first that the customer is given, half of
    it for the second, and so on.

    Args:
        slot: A slot that chooses by rules.
        batch: The customers.
        may: [customers, candidates]; NaN where the customer may not have it.

    Returns:
        [customers, candidates]; NaN where no rule gives it.
    """
    worth: Values = np.full(may.shape, np.nan, np.float32)
    given = np.zeros(len(may), np.int64)
    always = np.ones(len(may), dtype=bool)
    holds = [
        np.asarray(condition.evaluate(batch).fill_null(False), dtype=bool)  # noqa: FBT003
        for condition in slot.conditions
    ]
    for (condition, candidate), said in zip(slot.rules, slot.worths, strict=True):
        gives = (always if condition < 0 else holds[condition]) & ~np.isnan(may[:, candidate])
        gives &= np.isnan(worth[:, candidate])
        halves = 0.5 ** np.minimum(given[gives], _MOST_HALVES)
        worth[gives, candidate] = halves if said is None else said
        given[gives] += 1
    return worth
