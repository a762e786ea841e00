"""What a decision is made from, checked before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING

import pyarrow as pa

from labfactory.base.errors import SelectionError, SourceError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEEDS = 2**64


def check_seed(seed: int) -> None:
    """Refuses a seed that is none.

    Raises:
        SelectionError: `decision_input`.
    """
    if not _is_whole(seed) or not 0 <= seed < _SEEDS:
        message = f"expected a seed from 0 to 2^64 - 1, found {seed!r}"
        raise SelectionError(message, code="decision_input")


def check_threads(threads: int) -> None:
    """Refuses a number of threads that is none; fewer than one are one.

    Raises:
        SelectionError: `decision_input`.
    """
    if not _is_whole(threads):
        message = f"expected a whole number of threads, found {threads!r}"
        raise SelectionError(message, code="decision_input")


def check_batch(batch: object, keys: object, seed: int, columns: Sequence[str]) -> None:
    """Refuses customers that cannot be decided.

    Raises:
        SelectionError: `decision_input` when the batch is none, keys and rows differ in number, or the seed
            is out of range.
        SourceError: `missing_column`, `duplicate_column`.
    """
    if not isinstance(batch, pa.RecordBatch):
        message = f"expected a batch of customers, a pyarrow.RecordBatch, found {_named(batch)}"
        hint = "table.combine_chunks().to_batches()[0], or frame.to_arrow() before"
        raise SelectionError(message, code="decision_input", hint=hint)
    if not isinstance(keys, pa.Array):
        message = f"expected the keys as a pyarrow.Array, found {_named(keys)}"
        hint = "keys.combine_chunks() makes one of a chunked array"
        raise SelectionError(message, code="decision_input", hint=hint)
    if len(keys) != batch.num_rows:
        message = f"expected a key for each of {batch.num_rows} rows, found {len(keys)}"
        raise SelectionError(message, code="decision_input")
    check_seed(seed)
    for column in columns:
        if column not in batch.schema.names:
            message = f"missing column {column!r}"
            raise SourceError(message, code="missing_column", hint=nearest(column, batch.schema.names))
        if batch.schema.names.count(column) > 1:
            message = f"expected column {column!r} once, found it {batch.schema.names.count(column)} times"
            raise SourceError(message, code="duplicate_column")


def row_of(customer: Mapping[str, object], fields: Sequence[pa.Field]) -> pa.RecordBatch:
    """The batch of one row that a mapping is.

    Raises:
        SelectionError: `decision_input` when it is no mapping.
        SourceError: `missing_column`, `column_type`.
    """
    if not isinstance(customer, Mapping):
        message = f"expected a customer as a mapping of columns to values, found {_named(customer)}"
        raise SelectionError(message, code="decision_input")
    arrays = []
    for field in fields:
        name = field.name
        if name not in customer:
            message = f"missing column {name!r}"
            raise SourceError(message, code="missing_column", hint=nearest(name, list(customer)))
        try:
            arrays.append(pa.array([customer[name]], field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            message = f"expected {field.type} of column {name!r}, found {customer[name]!r}"
            raise SourceError(message, code="column_type") from error
    if not arrays:
        return pa.RecordBatch.from_arrays([pa.nulls(1)], ["row"])
    return pa.RecordBatch.from_arrays(arrays, [field.name for field in fields])


def _is_whole(number: object) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def _named(found: object) -> str:
    return f"{type(found).__module__.partition('.')[0]}.{type(found).__name__}"
