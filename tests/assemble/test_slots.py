"""Components of slots are found a block of rows at a time; a row alone finds them step by step."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from labfactory.compiler import Environment, Plan, compile_creative

SLOTS = ("first", "second", "third")
SOURCE = (
    "<p>{{ name }}</p>{{ slot('first') }}{% if n % 3 %}{{ slot('second') }}{% endif %}"
    "{% for i in range(n % 4) %}{{ slot('third') }}{% endfor %}{{ 'x' * n }}"
)


def compiled(schema: pa.Schema) -> Plan:
    texts = [
        "",
        "<b>bare</b>",
        "{{ name }} has {{ n }}, {% if n > 20 %}many: {{ n }}{% else %}few{% endif %}.",
    ]
    slots = {
        slot: [(f"{slot}-{at}", {"html": f"{slot} {text}" * (at + 1)}) for at, text in enumerate(texts)]
        for slot in SLOTS
    }
    return compile_creative(
        {"html": SOURCE}, environments={"html": Environment(autoescape=True)}, slots=slots, schema=schema
    )


# What is no component, or null, fails its row and no other one.
DECISIONS = st.lists(
    st.tuples(
        *(st.sampled_from([0, 1, 2, 2, 1, 0, None, 3, -1, 2**31 - 1]) for _ in SLOTS), st.integers(0, 40)
    ),
    min_size=9,
    max_size=400,
)


def table(rows: list[tuple[Any, ...]], width: pa.DataType) -> pa.Table:
    columns: dict[str, pa.Array] = {
        "name": pa.array([f"<{at}>" for at in range(len(rows))]),
        "n": pa.array([row[-1] for row in rows], pa.int64()),
    }
    for at, slot in enumerate(SLOTS):
        columns[f"slot:{slot}"] = pa.array([row[at] for row in rows], width)
    return pa.table(columns)


@given(DECISIONS, st.sampled_from([pa.int32(), pa.int64()]), st.sampled_from([1, 2]), st.integers(0, 8))
def test_a_row_has_the_same_components_in_a_block_and_alone(
    decisions: list[tuple[Any, ...]], width: pa.DataType, threads: int, first: int
) -> None:
    some = table(decisions, width).slice(first)
    plan = compiled(some.schema)
    alone = [row for at in range(len(some)) for row in plan.assemble(some.slice(at, 1)).to_pylist()]
    assert plan.assemble(some, threads=threads).to_pylist() == alone
    streamed = plan.stream(some, threads=threads, batch_bytes=5_000)
    assert [row for chunk in streamed for row in chunk.to_pylist()] == alone
