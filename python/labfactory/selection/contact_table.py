"""Tables of contacts as others keep them, taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.base.errors import SelectionError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TEXTS = ("channel", "type", "component", "slot", "outcome")
"""The columns of contacts that are texts."""


def contact_table(source: Any, noun: str) -> pa.Table:
    """A table of contacts, with texts as utf8 and tags as utf8 or lists of it.

    Args:
        source: Anything that Polars takes in.
        noun: What errors call it.

    Raises:
        SelectionError: `history` when it is no table, or has other types.
    """
    try:
        frame = source.collect() if isinstance(source, pl.LazyFrame) else source
        table = frame if isinstance(frame, pa.Table) else pl.DataFrame(frame).to_arrow()
    except (TypeError, ValueError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        found = f"{type(source).__module__.partition('.')[0]}.{type(source).__name__}"
        message = f"expected {noun} as a table, found {found}"
        raise SelectionError(message, code="history") from error
    return pa.table(
        {
            name: _narrowed(name, column, noun)
            for name, column in zip(table.schema.names, table.columns, strict=True)
        }
    )


def microseconds_in(column: pa.ChunkedArray, noun: str) -> npt.NDArray[np.int64]:
    """Timestamps as microseconds, what is finer cut off.

    Raises:
        SelectionError: `history` for a moment that microseconds cannot count.
    """
    try:
        whole = column.cast(pa.timestamp("us", column.type.tz), safe=column.type.unit != "ns")
    except pa.ArrowInvalid:
        message = f"expected moments in 'at' of {noun}, found one out of range"
        raise SelectionError(message, code="history") from None
    moments: npt.NDArray[np.int64] = whole.cast(pa.int64()).to_numpy()
    return moments


def _narrowed(name: str, column: pa.ChunkedArray, noun: str) -> pa.ChunkedArray:
    if name not in TEXTS and name != "tags":
        return column
    try:
        if name == "tags" and _is_list(column.type):
            return pc.cast(pc.cast(column, pa.list_(column.type.value_type)), pa.list_(pa.utf8()))
        return column.cast(pa.utf8())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        wanted = "texts or lists of them" if name == "tags" else "texts"
        message = f"expected {name!r} of {noun} as {wanted}, found {column.type}"
        raise SelectionError(message, code="history") from None


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)
