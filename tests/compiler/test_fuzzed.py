"""Inputs that fuzzing found: each once broke a rule."""

from __future__ import annotations

import jinja2
import pyarrow as pa
import pytest

import labfactory as lf

ROWS = pa.table({"n": [3, 0]})


@pytest.mark.parametrize("source", ["{{ 1 if (true)['%s'] else 2 }}"])
def test_the_truth_of_what_a_constant_does_not_have_is_told_where_it_stands(source):
    jinja2.Environment().from_string(source).render()
    plan = lf.Template(source, undefined="default").compile(ROWS)
    assert plan.assemble(ROWS)["asset"].to_pylist() == ["2", "2"]
