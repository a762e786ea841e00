"""Expressions give what Jinja2's compile_expression gives, on both machines."""

from __future__ import annotations

from typing import Any

import jinja2
import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.errors import AssemblyError
from labfactory.compiler import Expression
from labfactory.testing import to_python

BATCH = pa.record_batch(
    {
        "i": pa.array([1, None, 3, -4], pa.int32()),
        "j": pa.array([2, 2, 0, 5]),
        "f": pa.array([1.5, None, 2.0, 1e300], pa.float32()),
        "t": pa.array(["a", None, "", "<ü>"], pa.string_view()),
        "c": pa.array(["DE", "AT", None, "DE"]).dictionary_encode(),
        "o": pa.array([True, None, False, True]),
        "xs": pa.array([[1, 2], None, [], [None, 3]]),
        "r": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": ""}, {"a": 4, "b": "y"}]),
    }
)
EXPRESSIONS = [
    ("i > 1", "boolean"),
    ("i is none or i > 1", "boolean"),
    ("c in ['DE', 'AT'] and not o", "boolean"),
    ("c == 'DE' and j > 1 and r.a > 1", "boolean"),
    ("(i or 0) > 0 and (f or 0) > 1", "boolean"),
    ("o and i > 0", "boolean"),
    ("not o", "boolean"),
    ("xs is not none and 3 in xs", "boolean"),
    ("(xs or [])|length", "integer"),
    ("i + j", "integer"),
    ("o + o", "integer"),
    ("i or j", "integer"),
    ("i // j", "integer"),
    ("i % j", "integer"),
    ("i or f", "floating"),
    ("i / j", "floating"),
    ("i + f", "floating"),
    ("(f or 0)|round(1)", "floating"),
    ("t ~ i", "text"),
    ("t|upper", "text"),
    ("t|default('d', true)", "text"),
    ("'%s-%03d' % (t, j)", "text"),
    ("i if o else none", "integer"),
    ("i if o", "integer"),
    ("r.b", "text"),
    ("r.a|default(7)", "integer"),
    ("xs[0]", "integer"),
    ("xs[0]|default(9)", "integer"),
    ("0 < i < j", "boolean"),
    ("gone is defined", "boolean"),
    ("gone|default(true)", "boolean"),
    ("year + 1", "integer"),
    ("'x'", "text"),
    ("i", "integer"),
    ("o is true", "boolean"),
    ("t == 'a' or t == none", "boolean"),
]


@pytest.mark.parametrize("batch", [BATCH, BATCH.slice(1, 2), BATCH.slice(4)], ids=["all", "slice", "empty"])
@pytest.mark.parametrize(("source", "kind"), EXPRESSIONS)
def test_expression_gives_what_jinja2_gives(source: str, kind: str, batch: pa.RecordBatch) -> None:
    plan = Expression(source).compile(BATCH, optional=["gone"], constants={"year": 2026})
    assert kind == plan.type
    oracle = jinja2.Environment(undefined=jinja2.StrictUndefined).compile_expression(
        source, undefined_to_none=False
    )
    values, codes = plan.evaluate_batch(batch)
    for row, value, code in zip(to_python(batch), values.to_pylist(), codes.to_pylist(), strict=True):
        try:
            expected = oracle(**row, year=2026)
        except (jinja2.UndefinedError, TypeError, ZeroDivisionError):
            assert value is None
            assert code is not None
        else:
            undefined = isinstance(expected, jinja2.Undefined)
            found = (None, "undefined") if undefined else (expected, None)
            assert found == (value, code), f"{source} of {row}"


@pytest.mark.parametrize(("source", "kind"), EXPRESSIONS)
def test_block_and_row_machine_agree(source: str, kind: str) -> None:
    plan = Expression(source).compile(BATCH, optional=["gone"], constants={"year": 2026})
    found = [
        [pa.array(made).to_pylist() for made in plan._program.evaluate(BATCH, kind, machine=machine)]
        for machine in ("block", "row")
    ]
    assert found[0] == found[1]


def test_evaluate_takes_a_polars_frame() -> None:
    frame = pl.DataFrame({"country": ["DE", None, "FR"], "opted_out": [False, False, None]})
    plan = Expression("country in ['DE', 'AT'] and not opted_out").compile(frame)
    assert plan.evaluate(frame).to_pylist() == [True, False, False]
    assert plan.columns == ("country", "opted_out")


def test_evaluate_raises_the_first_row_that_fails() -> None:
    plan = Expression("i + j", name="points").compile(BATCH)
    with pytest.raises(AssemblyError, match="row 1 has no value: type_error") as caught:
        plan.evaluate(BATCH)
    assert caught.value.code == "type_error"
    assert "   1 | i + j\n     | ^^^^^" in str(caught.value)


def test_evaluate_of_a_table_without_rows_has_the_type() -> None:
    empty = pa.Table.from_batches([BATCH]).slice(0, 0)
    values: Any = Expression("i / j").compile(empty).evaluate(empty)
    assert values.type == pa.float64()
    assert len(values) == 0


def test_an_integer_that_no_double_holds_is_a_row_error_among_floats() -> None:
    batch = pa.record_batch({"i": [2**53 + 1, 2**53, -(2**63), 2**63 - 1], "f": [0.5] * 4})
    values, codes = Expression("i if f else f").compile(batch).evaluate_batch(batch)
    assert values.to_pylist() == [None, 2.0**53, -(2.0**63), None]
    assert codes.to_pylist() == ["unsupported", None, None, "unsupported"]


def test_rows_that_take_more_together_than_one_may_go_one_by_one() -> None:
    # 64 MiB are what one row may take: 1024 rows of 100 kB take more.
    batch = pa.record_batch({"t": ["x"] * 1100, "k": pa.array([100_000, 3] * 550)})
    assert Expression("(t * k)|length").compile(batch).evaluate(batch).to_pylist() == [100_000, 3] * 550


def test_a_row_may_take_as_much_on_either_machine() -> None:
    batch = pa.record_batch({"t": ["x" * 1000] * 2, "k": pa.array([15_000, 2])})
    plan = Expression(" + ".join(f"((t * k) ~ '{c}')|length" for c in "abc")).compile(batch)
    for machine in ("block", "row"):
        _, codes = plan._program.evaluate(batch, "integer", machine=machine)
        assert pa.array(codes).to_pylist() == ["asset_too_large", None]
