"""Rows of a block, whose texts are made ready together, beside the same rows one by one, where nothing is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labfactory.compiler import Environment, Plan

TEMPLATES = [
    "Hi {{ name }}, {{ '%.2f'|format(price) }} for {{ points }} points{% if vip %} & more{% else %}.{% endif %}",
    "{% if points > 7 %}<many>{% endif %}{{ name }}{{ name|e }}{{ price }}{{ vip }}",
    "{{ name|upper }} {{ name|replace('a', '<')|title }}{{ name|length }}-{{ name ~ '!' }}",
    """{% for item in items %}{{ loop.index }}: {{ item.title }} at {{ '%.1f'|format(item.cost) }}, {{ item.stock }}
    {% if item.stock < 3 %} ({{ item.title|lower }}){% endif %}; {% endfor %}{{ name }}""",
    "{% if vip %}{{ 1 // points }}{{ name }}{% else %}{{ name }}{{ 7 // points }}{% endif %}{{ name[0] }}",
    "{{ name }}: {{ points }}, {{ '%.3f'|format(price) }} <{{ vip }}>{{ name|e }} that is all",
    "a{% block one %}b{% endblock %}{{ name }}{% block two %}c{% endblock %}d{% if vip %}e{% endif %}f",
    "{% set both %}{{ name }}{{ points }}{% endset %}{{ both }}{% if points == 5 %}{% skip 'five' %}{% endif %}",
]
TEXTS = st.one_of(st.text(alphabet="aé<&'\"> 雷", max_size=40), st.sampled_from(["<long>" * 50, "x" * 33]))


def rows(draw: st.DrawFn) -> list[dict[str, object]]:
    title = st.one_of(st.none(), TEXTS)
    item = st.fixed_dictionaries(
        {"title": title, "cost": st.floats(-1e12, 1e12), "stock": st.integers(0, 9)},
    )
    row = st.fixed_dictionaries(
        {
            "name": st.one_of(st.none(), TEXTS),
            "price": st.one_of(
                st.integers(-(10**6), 10**6).map(lambda cents: cents / 1000), st.floats(width=32)
            ),
            "points": st.one_of(st.none(), st.integers(-3, 12), st.integers(-(2**63), 2**63 - 1)),
            "vip": st.one_of(st.none(), st.booleans()),
            "items": st.lists(item, max_size=4),
        },
    )
    return draw(st.lists(row, min_size=9, max_size=30))


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A slice of rows in a layout of text."""
    text = draw(
        st.sampled_from(
            [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
        ),
    )
    item = pa.struct([("title", pa.string()), ("cost", pa.float64()), ("stock", pa.int64())])
    drawn = rows(draw)
    columns = {
        "name": pa.array([row["name"] for row in drawn], text),
        "price": pa.array([row["price"] for row in drawn], pa.float64()),
        "points": pa.array([row["points"] for row in drawn], pa.int64()),
        "vip": pa.array([row["vip"] for row in drawn], pa.bool_()),
        "items": pa.array([row["items"] for row in drawn], pa.list_(item)),
    }
    first = draw(st.integers(0, 1))
    return pa.table(columns).slice(first)


def one_by_one(plan: Plan, table: pa.Table) -> list[dict[str, object]]:
    return [row for at in range(len(table)) for row in plan.assemble(table.slice(at, 1)).to_pylist()]


@pytest.mark.parametrize("source", TEMPLATES)
@settings(max_examples=40, deadline=None)
@given(table=tables())
def test_rows_of_a_block_are_what_they_are_one_by_one(source: str, table: pa.Table) -> None:
    plan = Environment(autoescape=True).from_string(source).compile(table)
    assert one_by_one(plan, table) == plan.assemble(table, threads=1).to_pylist()
    assert one_by_one(plan, table) == plan.assemble(table, threads=2, batch_bytes=64).to_pylist()


def test_rows_with_more_items_than_a_block_holds_are_whole() -> None:
    items = [[{"n": i} for i in range(count)] for count in (0, 700, 3, 511, 513, 1, 0, 2, 40)]
    table = pa.table({"items": pa.array(items, pa.list_(pa.struct([("n", pa.int64())])))})
    plan = Environment().from_string("{% for item in items %}{{ item.n }},{% endfor %}").compile(table)
    expected = ["".join(f"{i['n']}," for i in row) for row in items]
    assert plan.assemble(table)["asset"].to_pylist() == expected


def test_an_entry_of_a_dictionary_is_charged_to_every_row_that_has_it() -> None:
    names = pa.array(["x" * 50_000] * 12).dictionary_encode()
    table = pa.table({"name": names, "times": [1, 40_000, 1] * 4})
    source = (
        "{% for _ in range(times) %}{% if name|upper == '' %}!{% endif %}{% endfor %}{{ name|upper|length }}"
    )
    plan = Environment().from_string(source).compile(table)
    assert one_by_one(plan, table) == plan.assemble(table).to_pylist()


def test_literals_of_two_templates_that_adjoin_are_both_written() -> None:
    table = pa.table({"name": ["Ann"] * 200})
    base = "<p>{% block title %}base{% endblock %}|{% block body %}{{ name }}{% endblock %}</p>"
    plan = Environment(loader={"base": base}).from_string("before{% extends 'base' %}").compile(table)
    assert set(plan.assemble(table)["asset"].to_pylist()) == {"before<p>base|Ann</p>"}
