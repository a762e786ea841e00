"""`verify` renders a sample of the rows by Jinja2 too, and stops the run where they differ."""

from __future__ import annotations

from itertools import count

import polars as pl
import pyarrow as pa
import pytest

import labfactory as lf
from labfactory.base.errors import AssemblyError, UsageError

NUMBERS = count()


@lf.function(returns=pa.int64(), scalar=True)
def ticket(row: int) -> int:  # not pure: every call gives another number
    return next(NUMBERS) + row


def test_rows_that_agree_pass_and_overflow_is_left_out():
    frame = pl.DataFrame({"n": [1, 2**62, None], "names": [["Ann"], [], None]})
    source = "{{ n * 4 if n }}{% for name in names or [] %}{{ name|upper }}{% endfor %}"
    plan = lf.Template(source).compile(frame)
    made = plan.assemble(frame, verify=3)
    assert made["asset"].to_pylist() == ["4ANN", None, ""]
    assert made["code"].to_pylist() == [None, "int_overflow", None]


def test_a_difference_stops_the_run_and_names_the_row():
    frame = pl.DataFrame({"n": range(10)})
    plan = lf.Template("{{ ticket(n) }}").compile(frame, functions=lf.Functions(ticket))
    assert len(plan.assemble(frame)) == 10
    with pytest.raises(AssemblyError, match="row 0, asset: expected") as differs:
        plan.assemble(frame, verify=2)
    assert differs.value.code == "verify_failed"


def test_a_row_that_fails_in_both_agrees():
    frame = pl.DataFrame({"n": [0]})
    assert lf.Template("{{ 1 // n }}").compile(frame).assemble(frame, verify=1)["code"].to_pylist() == [
        "zero_division"
    ]


def test_fewer_rows_than_none_are_no_sample():
    frame = pl.DataFrame({"n": [1]})
    plan = lf.Template("{{ n }}").compile(frame)
    for run in (lambda: plan.assemble(frame, verify=-1), lambda: list(plan.stream(frame, verify=-1))):
        with pytest.raises(UsageError, match="verify of at least 0, found -1") as caught:
            run()
        assert caught.value.code == "option"
