"""A row that a template skips tells why: for a constant reason, or for one that the row makes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import jinja2
import pyarrow as pa
import pytest

from labfactory import AssemblyError, Environment, Functions, Skip, SkipTag, Template, function
from labfactory.testing import to_python

UNDEFINED = {
    "error": jinja2.StrictUndefined,
    "default": jinja2.Undefined,
    "strict": jinja2.StrictUndefined,
    "chainable": jinja2.ChainableUndefined,
}
ROWS = pa.RecordBatch.from_pylist(
    [
        {"sku": "a<1", "n": 3, "price": Decimal("1.50"), "on": dt.date(2026, 1, 31), "tags": ["x", None]},
        {"sku": "b", "n": 0, "price": None, "on": None, "tags": []},
        {"sku": None, "n": None, "price": Decimal("0.00"), "on": dt.date(1, 1, 1), "tags": None},
        {"sku": "a<1", "n": -1, "price": Decimal("-2.25"), "on": None, "tags": ["y"]},
    ]
)


def oracle(source: str, options: dict[str, Any], row: dict[str, Any]) -> tuple[str, str | None]:
    """What becomes of a row in Jinja2: its status, and its text or reason."""
    environment = jinja2.Environment(
        undefined=UNDEFINED[options["undefined"]], autoescape=options["autoescape"], extensions=[SkipTag]
    )
    try:
        return "ok", environment.from_string(source).render(row)
    except Skip as skip:
        return "skipped", skip.reason
    except Exception:
        return "error", None


@pytest.mark.parametrize(
    "source",
    [
        "{% skip 'no ' ~ sku %}",
        "{% if n %}{% skip 'out of ' ~ sku|e %}{% endif %}{{ sku }}",
        "{% if n %}{% skip sku %}{% else %}{% skip 'b' %}{% endif %}",
        "{% skip n %}",
        "{% skip price %}",
        "{% skip [on, price] %}",
        "{% skip tags %}",
        "{% skip tags[0] %}",
        "{% skip {'n': n} %}",
        "{% skip 'a' if n else 'b' %}",
        "{% skip 5 // n %}",
        "{% skip n > 1 %}",
        "{% set why %}<{{ sku }}>{% endset %}{% skip why %}",
        "{% set x %}{% for t in tags or [] %}{% if t %}{% skip loop.index ~ t %}{% endif %}{% endfor %}{% endset %}{{ x }}",
        "{% macro out(why) %}{% skip 'sold ' ~ why %}{% endmacro %}{{ sku }}{% if n == 3 %}{{ out(sku) }}{% endif %}",
    ],
)
def test_a_reason_is_the_text_that_jinja2_makes_of_it(source: str) -> None:
    for undefined in UNDEFINED:
        for autoescape in (False, True):
            options = {"undefined": undefined, "autoescape": autoescape}
            plan = Environment(**options).from_string(source).compile(ROWS.schema)
            expected = [oracle(source, options, row) for row in to_python(ROWS)]
            made = plan.assemble(ROWS).to_pylist()
            found = [
                (row["status"], row["reason"] if row["reason"] is not None else row["asset"]) for row in made
            ]
            assert expected == found, options


def test_constant_reasons_and_those_of_rows_stand_in_one_column() -> None:
    source = (
        "{% if n == 3 %}{% skip 'b' %}{% elif n %}{% skip sku %}{% else %}{% skip sku or 'none' %}{% endif %}"
    )
    plan = Template(source).compile(ROWS.schema)
    many = pa.Table.from_batches([ROWS] * 3)
    made = plan.assemble(many, threads=2)
    assert made["reason"].to_pylist() == ["b", "b", "none", "a<1"] * 3
    streamed = pa.Table.from_batches(plan.stream(many, batch_bytes=1))
    assert streamed["reason"].to_pylist() == made["reason"].to_pylist()


def test_a_single_row_tells_its_reason() -> None:
    plan = Template("{% skip 'out of ' ~ sku %}").compile(ROWS.schema)
    with pytest.raises(AssemblyError, match="out of hats"):
        plan.assemble_one({"sku": "hats", "n": 1, "price": None, "on": None, "tags": None})


def test_a_reason_waits_for_what_functions_give() -> None:
    @function({"text": pa.string()}, returns=pa.string())
    def loud(text: pa.Array) -> pa.Array:
        return pa.array([None if one is None else one.upper() for one in text.to_pylist()], pa.string())

    plan = Template("{% skip loud(sku) or 'none' %}").compile(ROWS.schema, functions=Functions(loud))
    assert plan.assemble(ROWS)["reason"].to_pylist() == ["A<1", "B", "none", "A<1"]


def test_a_reason_of_more_than_a_kibibyte_is_an_error_of_the_row() -> None:
    plan = Template("{% skip 'ä' * n %}").compile(pa.schema({"n": pa.int64()}))
    made = plan.assemble(pa.table({"n": [512, 513]})).to_pylist()
    assert [row["code"] for row in made] == [None, "asset_too_large"]
    assert made[0]["reason"] == "ä" * 512
