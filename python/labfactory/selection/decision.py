"""Decisions: one choice for one customer and slot, and the log that they go to.

A decided batch has a struct column for each slot, named by it, with the fields of `DECISION`. The decision
log is the long form, a row for each customer and slot, with the columns of `decision_log_schema`:

| column | type | meaning |
|---|---|---|
| key | the key's | the customer |
| slot | dictionary<int32, utf8> | the slot |
| component | dictionary<int32, utf8> | the component; null when none was chosen |
| index | int32 | its position among the slot's components; null when none |
| score | float32 | its score by the policy's model, 0 without one; null when none |
| propensity | float64 | the probability with which the customer got this component; null when none |
| reason | dictionary<int8, utf8> | one of `REASONS` |
| is_estimate | boolean | whether the propensity is an estimate, not exact |
| policy_version | dictionary<int8, utf8> | the version of the policy that decided |
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from labfactory._core import select as core
from labfactory.base.errors import SelectionError

REASONS: tuple[str, ...] = core.REASONS
"""Why a decision is what it is; docs/selection.md says what each means."""

DECISION: pa.StructType = pa.struct(
    [
        ("component", pa.dictionary(pa.int32(), pa.utf8())),
        ("index", pa.int32()),
        ("score", pa.float32()),
        ("propensity", pa.float64()),
        pa.field("reason", pa.dictionary(pa.int8(), pa.utf8()), nullable=False),
        pa.field("is_estimate", pa.bool_(), nullable=False),
    ]
)
"""The type of a slot's column in a decided batch."""


def decision_log_schema(key: pa.DataType) -> pa.Schema:
    """The schema of the decision log.

    Args:
        key: The type of the customers' keys.

    Returns:
        The columns of the table above.

    Example:
        >>> decision_log_schema(pa.int64()).names[:4]
        ['key', 'slot', 'component', 'index']
    """
    return pa.schema(
        [
            ("key", key),
            ("slot", pa.dictionary(pa.int32(), pa.utf8())),
            *[(field.name, field.type) for field in DECISION],
            ("policy_version", pa.dictionary(pa.int8(), pa.utf8())),
        ]
    )


def decisions_of(decided: pa.RecordBatch, *, keys: pa.Array, version: str) -> pa.RecordBatch:
    """Turns a decided batch into rows of the decision log.

    Args:
        decided: What `Selector.decide` returned.
        keys: The keys of its rows.
        version: The version of the policy.

    Returns:
        The decisions of the first customer in the order of the slots, then of the second, …: so the log of
        a source does not depend on how it was cut into batches.

    Raises:
        SelectionError: `decision_input` when keys and rows differ in number.
    """
    rows, slots = decided.num_rows, decided.num_columns
    if len(keys) != rows:
        message = f"expected a key for each of {rows} decided rows, found {len(keys)}"
        raise SelectionError(message, code="decision_input")
    customer_by_customer = pa.array(np.arange(rows * slots).reshape(slots, rows).T.reshape(-1))
    slot_of_row = pa.array(np.repeat(np.arange(slots, dtype=np.int32), rows))
    columns = [
        pa.concat_arrays([keys] * slots),
        pa.DictionaryArray.from_arrays(slot_of_row, decided.schema.names),
        *[_joined([decided.column(slot).field(field.name) for slot in range(slots)]) for field in DECISION],
        pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows * slots, np.int8)), [version]),
    ]
    if slots > 1:
        columns = [column.take(customer_by_customer) for column in columns]
    return pa.RecordBatch.from_arrays(columns, schema=decision_log_schema(keys.type))


def reasons_of(decided: pa.RecordBatch) -> dict[str, dict[str, int]]:
    """Counts a decided batch: how many decisions of each slot have each reason.

    Args:
        decided: What `Selector.decide` returned.

    Returns:
        By slot, in order, the rows by reason; reasons that nobody has are left out.
    """
    return {name: _counted(decided.column(name).field("reason")) for name in decided.schema.names}


def _counted(words: pa.DictionaryArray) -> dict[str, int]:
    counts = np.bincount(words.indices.to_numpy(zero_copy_only=False), minlength=len(words.dictionary))
    return {
        word: int(count) for word, count in zip(words.dictionary.to_pylist(), counts, strict=True) if count
    }


def slot_columns(decided: pa.RecordBatch) -> pa.RecordBatch:
    """The columns by which a creative's plan reads decisions: `slot:<name>`, int32, null for no component.

    Args:
        decided: What `Selector.decide` returned.

    Returns:
        A batch of as many rows, without a copy.
    """
    names = [f"slot:{name}" for name in decided.schema.names]
    return pa.RecordBatch.from_arrays([column.field("index") for column in decided.columns], names)


def _joined(arrays: list[pa.Array]) -> pa.Array:
    if len(arrays) == 1:
        return arrays[0]
    return pa.chunked_array(arrays).unify_dictionaries().combine_chunks()
