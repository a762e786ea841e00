"""One row through the Python API, beside Jinja2's render."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import cycle, islice

import jinja2

import labfactory as lf
from benchmarks.data import SMS, customers
from benchmarks.figures import Figure, beside, limit, mean_bytes
from benchmarks.timing import Timed

MOST_NS = 10_000.0


def _median(
    render: Callable[[Mapping[str, object]], object], rows: list[dict[str, object]], calls: int
) -> float:
    taken = []
    for row in islice(cycle(rows), calls):
        started = time.perf_counter_ns()
        render(row)
        taken.append(time.perf_counter_ns() - started)
    return float(sorted(taken)[calls // 2])


def measure(rows: int, repeats: int) -> list[Figure]:
    """The short message; each round's figure is its median call."""
    few = customers(1_000).to_dicts()
    ours = lf.Template(SMS.template, autoescape=True).compile(customers(1)).assemble_one
    theirs = jinja2.Environment(autoescape=True).from_string(SMS.template).render
    texts = [str(ours(row)) for row in few]
    assert texts == [theirs(row) for row in few], "Jinja2 differs"
    calls = max(100, min(rows, 20_000))
    rounds = [(_median(ours, few, calls), _median(theirs, few, calls)) for _ in range(repeats)]
    timed = {
        "labfactory": Timed(tuple(ours for ours, _ in rounds)),
        "Jinja2": Timed(tuple(theirs for _, theirs in rounds)),
    }
    figures = beside(
        timed,
        workload="assemble_one, p50",
        rows=calls,
        mean_bytes=mean_bytes(texts),
        targets={"Jinja2": 1.0},
        single=("labfactory", "Jinja2"),
    )
    return [*figures, limit(figures[0], MOST_NS, "10 µs")]
