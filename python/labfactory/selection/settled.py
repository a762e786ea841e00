"""Settled: what every row of a source got within limits, put in the place of what was decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.selection.decision import REASONS

LIMITED = "limited"
"""The reason of a decision that a limit changed."""


@dataclass(frozen=True, eq=False)
class Settled:
    """What each row of a source got, for each slot.

    Args:
        slots: Names of the slots.
        index: [rows, slots], position among the slot's components; -1 for none.
        score: [rows, slots]; 0 for none.
    """

    slots: tuple[str, ...]
    index: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]

    @classmethod
    def nothing(cls, slots: tuple[str, ...], rows: int) -> Settled:
        """Nobody got anything yet."""
        return cls(slots, np.full((rows, len(slots)), -1, np.int32), np.zeros((rows, len(slots)), np.float32))

    def apply(self, decided: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> pa.RecordBatch:
        """Put what was settled in the place of what was decided.

        Args:
            decided: What the priced selector decided of some rows.
            rows: Which rows of the source they are.

        Returns:
            The same, where a limit changed nothing; elsewhere the settled component, reason `limited`, and no
            propensity, since nobody drew it.
        """
        columns = [
            _settled_column(decided.column(name), self.index[rows, place], self.score[rows, place])
            for place, name in enumerate(self.slots)
        ]
        return pa.RecordBatch.from_arrays(columns, list(self.slots))


def _settled_column(
    column: pa.Array, index: npt.NDArray[np.int32], score: npt.NDArray[np.float32]
) -> pa.Array:
    before = pc.fill_null(column.field("index"), -1).to_numpy(zero_copy_only=False)
    changed = before != index
    if not changed.any():
        return column
    is_given = index >= 0
    mask = pa.array(changed)
    nothing = pa.array(changed & ~is_given)
    component = column.field("component")
    reason = column.field("reason")
    words = [*reason.dictionary.to_pylist(), LIMITED]
    codes = np.where(changed, len(words) - 1, reason.indices.to_numpy(zero_copy_only=False))
    made = {
        "component": pa.DictionaryArray.from_arrays(pa.array(index, mask=~is_given), component.dictionary),
        "index": pa.array(index, mask=~is_given),
        "score": _but(nothing, pc.if_else(mask, pa.array(score), column.field("score"))),
        "propensity": _but(mask, column.field("propensity")),
        "reason": pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), words),
    }
    names = [field.name for field in column.type]
    arrays = [made.get(name, column.field(name)) for name in names]
    return pa.StructArray.from_arrays(arrays, fields=list(column.type))


def _but(where: pa.Array, values: pa.Array) -> pa.Array:
    """The values, null where a mask holds."""
    return pc.if_else(where, pa.scalar(None, values.type), values)


assert LIMITED not in REASONS
