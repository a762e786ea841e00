"""The whole Factory run of the sample concept."""

from __future__ import annotations

from typing import Any

from benchmarks import end_to_end

CUSTOMERS = 2_000


def test_run_makes_every_asset(benchmark: Any) -> None:
    whole = benchmark.pedantic(end_to_end.measure, kwargs={"customers": CUSTOMERS}, rounds=2)
    assert 0 < whole.assets <= CUSTOMERS
