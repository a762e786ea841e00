"""A whole table that stays in memory, beside writing the same bytes to fresh memory with huge pages."""

from __future__ import annotations

import labfactory as lf
from benchmarks.assembly import THREADS
from benchmarks.copies import FreshCopy
from benchmarks.data import EMAIL, customers
from benchmarks.figures import Figure, mean_bytes
from benchmarks.timing import interleaved

# The best of so many rounds: fresh pages depend on what the system has at hand.
ROUNDS = 9


def measure(rows: int, repeats: int) -> list[Figure]:
    """E-mails of 2.4 KB; rounds are never fewer than nine."""
    arrow = customers(rows).to_arrow()
    plan = lf.Template(EMAIL.template, autoescape=True).compile(arrow.schema)
    finished = plan.assemble(arrow)["asset"]
    # Tables of earlier rounds stay alive, so that none is written into memory of another.
    kept: list[object] = []
    timed = interleaved(
        {
            "fresh huge pages": (FreshCopy(finished, threads=THREADS), rows),
            "labfactory": (lambda: kept.append(plan.assemble(arrow, threads=THREADS)), rows),
        },
        repeats=max(repeats, ROUNDS),
    )
    size = mean_bytes(finished.slice(0, 1000).to_pylist())
    return [
        Figure(
            "whole table of 2.4 KB e-mails, kept",
            rows,
            size,
            timed["labfactory"],
            "fresh huge pages",
            timed["fresh huge pages"],
            target=0.7,
            is_best=True,
        )
    ]
