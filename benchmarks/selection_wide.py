"""10 million customers x 1,000 candidates x 64 features: `python -m benchmarks.selection_wide [--rows N]`.

Batch after batch, as a run reads them, with every candidate's score never in memory; between batches the small case,
100 candidates x 32 features, so that a slow moment of the machine hits both. Prints the rates of multiplications and
additions and what memory grew by after the first batch.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import numpy as np
import pyarrow as pa

from benchmarks.selection import make_workload, slot
from labfactory._core import select

BATCH_ROWS = 131_072
LARGE, SMALL = (64, 1000), (32, 100)


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds(made: select.Slot, columns: pa.RecordBatch) -> float:
    started = time.perf_counter()
    made.decide(columns, seed=1, version="1", threads=2)
    return time.perf_counter() - started


def fresh(columns: pa.RecordBatch, random: np.random.Generator) -> pa.RecordBatch:
    """The same masks for other customers: keys and features in another order."""
    order = pa.array(random.permutation(columns.num_rows))
    moved = [
        column.take(order) if number <= LARGE[0] else column for number, column in enumerate(columns.columns)
    ]
    return pa.RecordBatch.from_arrays(moved, columns.schema.names)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection_wide")
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    random = np.random.default_rng(1)
    large, small = make_workload(BATCH_ROWS, *LARGE), make_workload(BATCH_ROWS, *SMALL)
    of_large, of_small = slot(large), slot(small)
    columns = large.columns
    seconds(of_large, columns)
    seconds(of_small, small.columns)
    first = peak_megabytes()
    rates: list[float] = []
    ratios: list[float] = []
    decided, taken = 0, 0.0
    while decided < options.rows:
        columns = fresh(columns, random)
        rows = min(BATCH_ROWS, options.rows - decided)
        spent = seconds(of_large, columns.slice(0, rows))
        rate = 2 * rows * LARGE[0] * LARGE[1] / spent / 1e9
        other = 2 * BATCH_ROWS * SMALL[0] * SMALL[1] / seconds(of_small, small.columns) / 1e9
        rates.append(rate)
        ratios.append(rate / other)
        decided, taken = decided + rows, taken + spent
    flops = 2 * decided * LARGE[0] * LARGE[1]
    print(f"{decided:,} customers x {LARGE[1]:,} candidates x {LARGE[0]} features: {taken:.1f} s deciding")
    print(f"{flops / taken / 1e9:,.0f} GFLOP/s, median of batches {statistics.median(rates):,.0f}")
    print(f"of the rate of {SMALL[1]} x {SMALL[0]}: median of batches {statistics.median(ratios):.2f}")
    print(f"memory: {first:,.0f} MB after the first batch, {peak_megabytes():,.0f} MB at most")


if __name__ == "__main__":
    main()
