"""A whole table that stays in memory, beside writing the same bytes to fresh memory with huge pages.

Measured in a process of its own, which has no memory at hand that another workload left.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import labfactory as lf
from benchmarks.assembly import THREADS
from benchmarks.copies import FreshCopy
from benchmarks.data import EMAIL, customers
from benchmarks.figures import Figure, mean_bytes
from benchmarks.machine import ROOT
from benchmarks.timing import Timed, interleaved

# The best of so many rounds: fresh pages depend on what the system has at hand.
ROUNDS = 9
OURS, THEIRS = "labfactory", "fresh huge pages"


def child(rows: int, repeats: int) -> dict[str, object]:
    """The samples of both, and bytes a row."""
    arrow = customers(rows).to_arrow()
    plan = lf.Template(EMAIL.template, autoescape=True).compile(arrow.schema)
    finished = plan.assemble(arrow)["asset"]
    # Tables of earlier rounds stay alive, as the copies do, so that none is written into memory of another.
    kept: list[object] = []
    timed = interleaved(
        {
            THEIRS: (FreshCopy(finished, threads=THREADS), rows),
            OURS: (lambda: kept.append(plan.assemble(arrow, threads=THREADS)), rows),
        },
        repeats=repeats,
        warm=False,
    )
    samples = {name: one.samples for name, one in timed.items()}
    return {"samples": samples, "bytes": mean_bytes(finished.slice(0, 1000).to_pylist())}


def measure(rows: int, repeats: int) -> list[Figure]:
    """E-mails of 2.4 KB; rounds are never fewer than nine."""
    command = [sys.executable, "-m", "benchmarks.whole_table", str(rows), str(max(repeats, ROUNDS))]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(run.stdout)
    timed = {name: Timed(tuple(samples)) for name, samples in found["samples"].items()}
    return [
        Figure(
            "whole table of 2.4 KB e-mails, kept",
            rows,
            found["bytes"],
            timed[OURS],
            THEIRS,
            timed[THEIRS],
            target=0.7,
            is_best=True,
        )
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_table")
    parser.add_argument("rows", type=int)
    parser.add_argument("repeats", type=int)
    options = parser.parse_args()
    print(json.dumps(child(options.rows, options.repeats)))
