"""What a reward model may know of a row: columns as numbers on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.base.columns import cast_values, float_values, is_text, value_type
from labfactory.base.errors import SourceError

if TYPE_CHECKING:
    import numpy.typing as npt

# More categories than these are one: a model of 10,000 rows learns nothing of each.
MOST_CATEGORIES = 64


def encoded_context(table: pa.Table) -> npt.NDArray[np.float64]:
    """Columns as numbers [rows, features].

    Numbers have mean 0 and variance 1, null is the mean; texts and booleans become a column of 0 and 1 for
    each of their most frequent values but the first, null is none of them.

    Args:
        table: The columns.

    Returns:
        The numbers; no features for no columns.

    Raises:
        SourceError: `column_type` for a column of something else.
    """
    encoded = [_encoded(name, table.column(name)) for name in table.column_names]
    return np.concatenate([np.zeros((table.num_rows, 0)), *encoded], axis=1)


def _encoded(name: str, values: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    kind = value_type(values.type)
    if is_text(kind) or pa.types.is_boolean(kind):
        return _categories(cast_values(values, pa.string()))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _standard(float_values(values).to_numpy())
    message = f"expected numbers, text or booleans in column {name!r}, found {kind}"
    raise SourceError(message, code="column_type", hint="Cast the column before.")


def _categories(values: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    counts = {pair["values"]: pair["counts"] for pair in pc.value_counts(values).to_pylist()}
    counts.pop(None, None)
    frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_CATEGORIES]
    if len(frequent) < 2:
        return np.zeros((len(values), 0))
    code = pc.index_in(values, pa.array(frequent[1:])).fill_null(-1).to_numpy()
    columns: npt.NDArray[np.float64] = (code[:, None] == np.arange(len(frequent) - 1)).astype(np.float64)
    return columns


def _standard(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = np.isfinite(values)
    column: npt.NDArray[Any] = np.where(known, values, 0.0)
    if not known.any():
        return np.zeros((len(values), 0))
    mean, spread = column[known].mean(), column[known].std()
    return (
        np.zeros((len(values), 0)) if spread == 0 else (np.where(known, column - mean, 0.0) / spread)[:, None]
    )
