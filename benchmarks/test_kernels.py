"""Kernels alone: escapes, formats, filters and hashes, one thread."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import labfactory as lf
from benchmarks import filters
from labfactory._core import base

ROWS = 5_000
KERNELS = {
    "copy": "{{ sentence | safe }}",
    "escape": "{{ sentence }}",
    "two decimals": "{{ '%.2f' | format(price) }}",
    **{name: filters.TEMPLATES[name] for name in ("title", "truncate", "urlencode", "replace", "round", "date")},
}  # fmt: skip


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel_writes_a_text_for_each_row(benchmark: Any, kernel: str) -> None:
    table = filters.rows_of(ROWS)
    plan = lf.Template(KERNELS[kernel], autoescape=True).compile(table.schema)
    (batch,) = table.select(plan.columns).combine_chunks().to_batches()
    made = benchmark(plan.assemble_batch, batch, threads=1)
    assert sum(len(chunk) for chunk in made) == ROWS


def test_keys_are_hashed(benchmark: Any) -> None:
    keys = pa.array([f"customer-{number:013d}" for number in range(ROWS)])
    assert len(benchmark(base.hash_keys, keys)) == ROWS
