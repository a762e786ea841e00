"""What a run sets aside: one row per customer for whom no asset was made because something was wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

STAGES = ("key", "assemble", "audit")


def quarantine_schema(key: pa.Field) -> pa.Schema:
    """The schema of quarantine: no column of the customer but the key.

    `row` is the row number in the source, from 0; `template`, `line` and `column` say where in the creative.
    """
    return pa.schema(
        [
            pa.field(key.name, key.type),
            pa.field("row", pa.int64(), nullable=False),
            pa.field("stage", pa.string(), nullable=False),
            pa.field("code", pa.string(), nullable=False),
            pa.field("reason", pa.string()),
            pa.field("template", pa.string()),
            pa.field("line", pa.int32()),
            pa.field("column", pa.int32()),
        ]
    )


def quarantined(
    schema: pa.Schema,
    keys: pa.Array,
    rows: pa.Array,
    stage: str,
    code: str | pa.Array,
    details: Mapping[str, pa.Array | str] | None = None,
) -> pa.RecordBatch:
    """Quarantine rows of one stage.

    Args:
        schema: Of `quarantine_schema`.
        keys: The customers' keys.
        rows: Their row numbers in the source.
        stage: Where they were set aside, one of `STAGES`.
        code: Why, one code for all or one for each.
        details: `reason`, `template`, `line` and `column`, where they are known.
    """
    known: dict[str, pa.Array | str] = {"stage": stage, "code": code, **(details or {})}
    columns = [keys, rows]
    for field in list(schema)[2:]:
        value = known.get(field.name)
        if isinstance(value, str):
            columns.append(pa.repeat(pa.scalar(value, field.type), len(rows)))
        elif value is None:
            columns.append(pa.nulls(len(rows), field.type))
        else:
            columns.append(_plain(value, field.type))
    return pa.RecordBatch.from_arrays(
        [_plain(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )


def _plain(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    return values if values.type == kind else values.cast(kind)
