"""Each code that a row can carry is provoked, and Jinja2 raises the exception that it stands for."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import jinja2
import pyarrow as pa
import pytest

from labfactory.compiler import Environment
from labfactory.testing import to_python

ROWS = [
    # code, template, a value that is fine, the one that is not, what Jinja2 raises (None: our own rule)
    ("undefined", "{{ x + absent if x else '' }}", 0, 1, jinja2.UndefinedError),
    ("type_error", "{{ x + 1 }}", 1, None, TypeError),
    ("value_error", "{{ x|round(0, 'ceil') }}", 1.5, float("nan"), ValueError),
    ("zero_division", "{{ 1 / x }}", 2, 0, ZeroDivisionError),
    ("float_overflow", "{{ x|round(0, 'floor') }}", 1.5, float("inf"), OverflowError),
    ("invalid_operation", "{{ 7 % x }}", Decimal("2.0"), Decimal("0.0"), InvalidOperation),
    ("int_overflow", "{{ x + 1 }}", 1, 2**63 - 1, None),
    ("unsupported", "{{ x ** 0.5 }}", 4.0, -1.0, None),
    ("asset_too_large", "{{ 'x' * x }}", 3, 2**40, None),
]


@pytest.mark.parametrize(("code", "source", "fine", "bad", "raised"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_carries_the_code_of_what_went_wrong(code, source, fine, bad, raised):
    rows = pa.table({"x": pa.array([fine, bad, fine])})
    plan = Environment(undefined="strict").from_string(source).compile(rows, optional=["absent"])
    table = plan.assemble(rows)
    assert table["code"].to_pylist() == [None, code, None]
    assert table["status"].to_pylist() == ["ok", "error", "ok"]
    assert table["asset"].to_pylist()[1] is None
    if raised is not None:
        template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(source)
        good, wrong, _ = to_python(rows.to_batches()[0])
        assert table["asset"].to_pylist()[0] == template.render(good)
        with pytest.raises(raised):
            template.render(wrong)


def test_a_moment_outside_pythons_years_stops_its_row():
    rows = pa.table({"at": pa.array([0, 2**60, 0], pa.timestamp("us"))})
    table = Environment().from_string("{{ at }}").compile(rows).assemble(rows)
    assert table["code"].to_pylist() == [None, "out_of_range", None]
