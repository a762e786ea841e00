"""Ten times the rows through a stream: the same rate, the same memory. Each measurement is a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pyarrow as pa

import labfactory as lf
from benchmarks.assembly import THREADS, drain
from benchmarks.data import EMAIL, customers
from benchmarks.figures import Figure
from benchmarks.machine import ROOT
from benchmarks.timing import Timed

BATCH_ROWS = 20_000
FACTOR = 10


@cache
def _batch() -> pa.RecordBatch:
    (batch,) = customers(BATCH_ROWS).to_arrow().combine_chunks().to_batches()
    return batch


def endless(rows: int) -> pa.RecordBatchReader:
    """So many rows from a reader that gives one batch again and again: the source takes no time and no memory."""
    batch = _batch()

    def given() -> Iterator[pa.RecordBatch]:
        left = rows
        while left > 0:
            yield batch.slice(0, min(left, BATCH_ROWS))
            left -= BATCH_ROWS

    return pa.RecordBatchReader.from_batches(batch.schema, given())


def peak_mib() -> float:
    """The most memory that this process held; `getrusage` would tell of the parent's where that was more."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("expected VmHWM in /proc/self/status, found none: peak memory needs Linux")


def child(rows: int) -> dict[str, float]:
    """Nanoseconds a row after a warm-up, bytes a row, and the peak of the process in MiB."""
    plan = lf.Template(EMAIL.template, autoescape=True).compile(customers(1))
    texts = plan.assemble(customers(1000))["asset"].to_pylist()
    drain(plan, endless(BATCH_ROWS), threads=THREADS)
    started = time.perf_counter()
    drain(plan, endless(rows), threads=THREADS)
    elapsed = time.perf_counter() - started
    return {
        "ns": 1e9 * elapsed / rows,
        "bytes": sum(len(text.encode()) for text in texts) / len(texts),
        "peak_mib": peak_mib(),
    }


def _run(rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.growth", str(rows)]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def measure(rows: int, repeats: int) -> list[Figure]:
    """E-mails of 2.4 KB: so many rows beside ten times as many."""
    rounds = [(_run(rows), _run(FACTOR * rows)) for _ in range(repeats)]

    def timed(which: int, what: str) -> Timed:
        return Timed(tuple(one[which][what] for one in rounds))

    size = rounds[0][0]["bytes"]
    few = f"{rows:,} rows"
    return [
        Figure("stream, 10x the rows: rate", FACTOR * rows, size, timed(1, "ns"), few, timed(0, "ns"), target=0.95),
        Figure(
            "stream, 10x the rows: memory", FACTOR * rows, size, timed(1, "peak_mib"), few,
            timed(0, "peak_mib"), target=0.95, unit="MiB at most",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("rows", type=int)
    print(json.dumps(child(parser.parse_args().rows)))
