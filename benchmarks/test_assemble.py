"""Assembly of each message, by rows and by one row."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import labfactory as lf
from benchmarks import product_mail
from benchmarks.data import EMAIL, SMS, customers
from labfactory.compiler import Plan

ROWS = 2_000


def message(name: str) -> tuple[Plan, pa.Table]:
    """A plan and its rows."""
    if name == "products":
        table = product_mail.rows_of(ROWS)
        return product_mail.compiled(table.schema), table
    template = {"sms": SMS, "email": EMAIL}[name].template
    table = customers(ROWS).to_arrow()
    return lf.Template(template, autoescape=True).compile(table.schema), table


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["sms", "email", "products"])
def test_batch_is_assembled(benchmark: Any, name: str, threads: int) -> None:
    plan, table = message(name)
    (batch,) = table.select(plan.columns).combine_chunks().to_batches()
    made = benchmark(plan.assemble_batch, batch, threads=threads)
    assert sum(len(chunk) for chunk in made) == ROWS


def test_one_row_is_assembled(benchmark: Any) -> None:
    plan, table = message("sms")
    (row,) = table.slice(0, 1).to_pylist()
    assert str(benchmark(plan.assemble_one, row)).startswith("Hi ")
