"""Decisions a second against NumPy: `python -m benchmarks.selection [--rows N] [--repeats N]`.

Customers with 32 float32 features, 100 candidates with a random mask; NumPy multiplies, masks and takes the
maximum in batches of 65,536 rows. Both sides have the arrays ready in memory.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.timing import Timed, interleaved
from labfactory._core import select

FEATURES, CANDIDATES, BATCH_ROWS = 32, 100, 65_536


@dataclass(frozen=True)
class Workload:
    """Features and masks as NumPy wants them, and as columns."""

    features: npt.NDArray[np.float32]
    eligible: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    columns: pa.RecordBatch


def make_workload(rows: int) -> Workload:
    random = np.random.default_rng(0)
    features = random.standard_normal((rows, FEATURES), dtype=np.float32)
    eligible = random.random((rows, CANDIDATES)) < 0.7
    columns = [
        pa.array(random.integers(0, 2**63, rows).astype(np.uint64)),
        *(pa.array(np.ascontiguousarray(features[:, number])) for number in range(FEATURES)),
        *(pa.array(np.ascontiguousarray(eligible[:, number])) for number in range(CANDIDATES)),
    ]
    return Workload(
        features,
        eligible,
        random.standard_normal((CANDIDATES, FEATURES), dtype=np.float32),
        random.standard_normal(CANDIDATES, dtype=np.float32),
        pa.RecordBatch.from_arrays(columns, [str(number) for number in range(len(columns))]),
    )


def slot(work: Workload, *, temperature: float | None = None, epsilon: float = 0.0) -> select.Slot:
    return select.Slot(
        name="hero",
        components=[f"block{number}" for number in range(CANDIDATES)],
        candidates=range(CANDIDATES),
        needed=[[number] for number in range(CANDIDATES)],
        rules=None,
        missing=[None] * FEATURES,
        weights=work.weights,
        bias=work.bias,
        scale="sum",
        base="best" if temperature is None else "softmax",
        strength=temperature or 0.0,
        epsilon=epsilon,
    )


def by_numpy(work: Workload) -> npt.NDArray[np.int64]:
    chosen = np.empty(len(work.features), np.int64)
    for first in range(0, len(chosen), BATCH_ROWS):
        rows = slice(first, first + BATCH_ROWS)
        scores = work.features[rows] @ work.weights.T + work.bias
        scores[~work.eligible[rows]] = -np.inf
        chosen[rows] = scores.argmax(axis=1)
    return chosen


def bare_product(work: Workload) -> None:
    for first in range(0, len(work.features), BATCH_ROWS):
        work.features[first : first + BATCH_ROWS] @ work.weights.T


def compare(rows: int, repeats: int) -> dict[str, Timed]:
    """Nanoseconds a customer, by what was done."""
    work = make_workload(rows)
    greedy = slot(work)
    decided = pa.array(greedy.decide(work.columns, seed=1, version="1", threads=2))
    # Sums in another order differ in the last bit, so near ties may fall either way.
    assert (np.array(decided.field("index").fill_null(0)) == by_numpy(work)).mean() > 0.999
    calls = {f"greedy, {n} threads": (greedy, n) for n in (1, 2)}
    calls |= {"epsilon, 2 threads": (slot(work, epsilon=0.1), 2)}
    calls |= {"softmax, 2 threads": (slot(work, temperature=2.0), 2)}
    timed = {
        name: (lambda made=made, n=n: made.decide(work.columns, seed=1, version="1", threads=n), rows)
        for name, (made, n) in calls.items()
    }
    return interleaved(
        {
            **timed,
            "NumPy: product, mask, argmax": (lambda: by_numpy(work), rows),
            "NumPy: the product alone": (lambda: bare_product(work), rows),
        },
        repeats=repeats,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    timed = compare(options.rows, options.repeats)
    ours = timed["greedy, 2 threads"].median_ns
    print(f"{options.rows:,} customers, {CANDIDATES} candidates, {FEATURES} features\n")
    print("| | ns a customer: median (lowest–highest) | of greedy on 2 threads |\n|---|--:|--:|")
    for name, figures in timed.items():
        print(f"| {name} | {figures} | {figures.median_ns / ours:.2f}x |")


if __name__ == "__main__":
    main()
