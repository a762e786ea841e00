"""Selection among 100 candidates by 32 features."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import selection

ROWS = 5_000


@pytest.mark.parametrize("threads", [1, 2])
def test_best_component_is_chosen(benchmark: Any, threads: int) -> None:
    work = selection.make_workload(ROWS)
    greedy = selection.slot(work)
    made = benchmark(greedy.decide, work.columns, seed=1, version="1", threads=threads)
    assert len(made) == ROWS
