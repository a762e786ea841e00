"""Customers of a source, batch by batch, with the variant of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labfactory.assignment.assigner import STATUSES
from labfactory.assignment.keys import key_texts
from labfactory.base.columns import value_type
from labfactory.base.errors import SourceError
from labfactory.base.sources import batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labfactory.assignment.assigner import Assigner


def assign_customers(
    customers: Any, assigner: Assigner, *, variants: Sequence[str], key: str, strata: Sequence[str] = ()
) -> pa.Table:
    """Assign every row of a source.

    Args:
        customers: Anything Arrow; a one-shot stream is used up.
        assigner: Who gets which arm.
        variants: Names of the arms.
        key: Column that tells customers apart; no nulls.
        strata: Columns to balance within; they are held in memory.

    Returns:
        `key`, `variant` and, where the assigner may leave customers out, `status`.

    Raises:
        SourceError: `null_key`, with the row; `key_type`; or when the source cannot be read.
        UsageError: As the assigner does.
    """
    names, statuses = pa.array(variants, pa.string()), pa.array(STATUSES, pa.string())
    columns: list[list[pa.Array]] = [[], [], []]
    rows = 0
    for batch in _whole_if(bool(strata), batches(customers, columns=[key, *strata])):
        keys = batch.column(0)
        _check_keys(keys, key, rows)
        arms, status = assigner.assign(keys, batch.columns[1:])
        made = (
            keys,
            pa.DictionaryArray.from_arrays(arms, names),
            pa.DictionaryArray.from_arrays(status, statuses),
        )
        for column, piece in zip(columns, made, strict=True):
            column.append(piece)
        rows += batch.num_rows
    width = 3 if assigner.may_leave_out else 2
    return pa.table(
        [pa.chunked_array(column) for column in columns[:width]], names=["key", "variant", "status"][:width]
    )


def _whole_if(is_whole: bool, pieces: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:  # noqa: FBT001
    """The batches, or one of all their rows."""
    if is_whole:
        yield _one_batch(list(pieces))
    else:
        yield from pieces


def _one_batch(pieces: list[pa.RecordBatch]) -> pa.RecordBatch:
    columns = [pa.concat_arrays([piece.column(i) for piece in pieces]) for i in range(pieces[0].num_columns)]
    return pa.RecordBatch.from_arrays(columns, schema=pieces[0].schema)


def _check_keys(keys: pa.Array, name: str, rows: int) -> None:
    # Floats that are not finite tell nobody apart either.
    known = key_texts(keys) if pa.types.is_floating(value_type(keys.type)) else keys
    if known.null_count or pa.types.is_null(keys.type):
        nulls = known.is_null().to_pylist()
        if True in nulls:
            message = f"expected a key in every row, found null in row {rows + nulls.index(True)} of {name!r}"
            raise SourceError(message, code="null_key", hint="drop these rows: nobody could be told apart")
