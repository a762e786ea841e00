"""The rows of each arm as numbers: what an estimator reads that sums cannot serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.base.columns import cast_values, float_values
from labfactory.lab.reading import as_text, core_batch, instants, wanted_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labfactory.lab.reading import ResponseColumns
    from labfactory.lab.sum_layout import Number, SumLayout


def arm_codes(table: pa.Table, variant: str, variants: Sequence[str]) -> pa.Array:
    """The arm of each row, a position in `variants`; null for rows of no arm."""
    names = cast_values(as_text(table[variant].combine_chunks()), pa.string())
    return pc.index_in(names, pa.array(variants, pa.string()))


def arm_rows(
    table: pa.Table, layout: SumLayout, *, variants: Sequence[str], columns: ResponseColumns
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Outcomes and covariates of every row that counts, as they are summed.

    Args:
        table: The responses, whose values have been checked.
        layout: Which numbers belong together.
        variants: Names of the arms.
        columns: Which columns say what.

    Returns:
        By metric and variant: numbers by rows, outcomes first; a null covariate is 0.
    """
    batch = {name: table[name].combine_chunks() for name in dict.fromkeys(wanted_columns(layout, columns))}
    exposed = instants(batch, columns.exposed_at)
    arms = arm_codes(table, columns.variant, variants).fill_null(-1).to_numpy(zero_copy_only=False)
    columns_of = core_batch(layout, columns, batch, [], exposed).columns
    numbers = [_clipped(values, number) for values, number in zip(columns_of, layout.numbers, strict=True)]
    found = {}
    for each in layout.sets:
        block = np.array([numbers[place] for place in each.members])
        is_known = ~np.isnan(block[: each.required]).any(axis=0)
        block[each.required :] = np.nan_to_num(block[each.required :])
        for code, variant in enumerate(variants):
            found[each.metric, variant] = block[:, is_known & (arms == code)]
    return found


def _clipped(values: pa.Array, number: Number) -> NDArray[np.float64]:
    """As floats within their bounds; NaN where they are null."""
    floats = float_values(values).fill_null(np.nan).to_numpy(zero_copy_only=False)
    return np.asarray(np.clip(floats, number.lower, number.upper))
