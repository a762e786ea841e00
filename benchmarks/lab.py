"""The Lab beside its peers: `python -m benchmarks.lab [--rows N] [--upworthy FILE] [--gbstats PYTHON]`.

Moments beside Polars' group-by of the same figures; an evaluation with CUPED beside tea-tasting; all Upworthy tests
beside gbstats 0.8.0, which runs in a virtual environment of its own and times itself. Repeats are interleaved.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.timing import interleaved
from labfactory._core import stats
from labfactory.lab import Cuped, Experiment, Hypothesis, Mean, Proportion, evaluate_many

OUTCOMES = [f"y{i}" for i in range(5)]
COVARIATES = ["x0", "x1"]
PEER = Path(__file__).parent / "gbstats" / "peer.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--stream", type=int, default=0, help="rows to stream from memory that is used again")
    parser.add_argument("--upworthy", type=Path)
    parser.add_argument("--gbstats", help="the interpreter of the environment that has gbstats")
    arguments = parser.parse_args()
    moments(arguments.rows, arguments.repeats)
    if arguments.stream:
        stream(arguments.stream)
    evaluation(1_300_000, arguments.repeats)
    if arguments.upworthy:
        many(arguments.upworthy, arguments.gbstats, arguments.repeats)


def made_up(rows: int, arms: int, names: list[str]) -> pa.Table:
    random = np.random.default_rng(1)
    codes = pa.array(random.integers(0, arms, rows).astype(np.int32))
    variant = pa.DictionaryArray.from_arrays(codes, pa.array([f"arm {i}" for i in range(arms)]))
    return pa.table({"variant": variant, **{name: random.gamma(2.0, 3.0, rows) for name in names}})


def summed(batches: Iterator[pa.RecordBatch] | list[pa.RecordBatch]) -> object:
    """Every outcome with both covariates: counts, means and all products."""
    sets = [([i, 5, 6], 1) for i in range(5)]
    columns = [("finite", -math.inf, math.inf)] * 7
    summary = stats.CellSummary([f"arm {i}" for i in range(3)], columns, sets, grouped=False)
    for batch in batches:
        summary.add(batch, 2)
    return summary.totals()


def moments(rows: int, repeats: int) -> None:
    table = made_up(rows, 3, OUTCOMES + COVARIATES)
    frame = pl.DataFrame(table)
    single = [pl.len()]
    for name in OUTCOMES + COVARIATES:
        single += [pl.col(name).mean().alias(f"{name} mean"), pl.col(name).var().alias(f"{name} variance")]
    pairs = [(y, x) for y in OUTCOMES for x in COVARIATES] + [("x0", "x1")]
    products = [pl.cov(a, b).alias(f"{a} {b}") for a, b in pairs]
    report(
        f"moments of {rows:,} rows, 3 arms, 5 outcomes, 2 covariates",
        interleaved(
            {
                "labfactory": (lambda: summed(table.to_batches(max_chunksize=1 << 18)), rows),
                "Polars group_by, the same": (lambda: frame.group_by("variant").agg(single + products), rows),
                "Polars group_by, means and variances": (lambda: frame.group_by("variant").agg(single), rows),
            },
            repeats=repeats,
        ),
    )


def stream(rows: int) -> None:
    """As many rows as one likes, of which one batch is in memory: what the peak is."""
    batch = made_up(1 << 18, 3, OUTCOMES + COVARIATES).to_batches()[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    summed(batch for _ in range(rows // batch.num_rows))
    seconds = time.perf_counter() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    values = rows * 7 / seconds / 1e6
    print(f"\nstream of {rows:,} rows: {seconds:.2f} s, {values:,.0f} M values/s, peak grew by {grown:,} KiB")


def evaluation(rows: int, repeats: int) -> None:
    before = [f"before {name}" for name in OUTCOMES]
    table = made_up(rows, 2, OUTCOMES + before)
    experiment = Experiment(
        "benchmark",
        hypothesis=Hypothesis("None.", 0.0),
        variants=["arm 0", "arm 1"],
        metrics={name: Mean(name) for name in OUTCOMES},
    )
    cuped = Cuped({name: f"before {name}" for name in OUTCOMES})
    work = {"labfactory": (lambda: experiment.evaluate(table, control="arm 0", estimator=cuped), rows)}
    try:
        import tea_tasting
    except ImportError:
        print("tea-tasting is not installed")
    else:
        peer = tea_tasting.Experiment({name: tea_tasting.Mean(name, f"before {name}") for name in OUTCOMES})
        numbered = table.set_column(0, "variant", table["variant"].combine_chunks().indices)
        frame = pl.DataFrame(numbered)
        work["tea-tasting, pyarrow"] = (lambda: peer.analyze(numbered), rows)
        work["tea-tasting, Polars"] = (lambda: peer.analyze(frame), rows)
    report(f"evaluation of {rows:,} rows, 5 means with CUPED", interleaved(work, repeats=repeats))


def many(path: Path, python: str | None, repeats: int) -> None:
    frame = pl.read_parquet(path)
    clicks = {"clicks": Proportion("clicks")}

    def ours() -> object:
        return evaluate_many(frame, experiment="clickability_test_id", units="impressions", metrics=clicks)

    timed = interleaved({"labfactory": (ours, 1)}, repeats=repeats)
    mine = timed["labfactory"]
    print("\nall Upworthy tests: sample ratio, omnibus, pairs, Holm")
    print(f"  labfactory: {mine.median_ns / 1e6:.1f} ms ({mine.low_ns / 1e6:.1f}–{mine.high_ns / 1e6:.1f})")
    if python is None:
        return
    arms = frame.group_by("clickability_test_id").agg("impressions", "clicks")
    pairs = [
        (n[i], x[i], n[j], x[j])
        for n, x in arms.select("impressions", "clicks").iter_rows()
        for i in range(len(n))
        for j in range(i + 1, len(n))
    ]
    asked = json.dumps({"proportions": pairs, "ratios": arms["impressions"].to_list()})
    seconds = []
    for _ in range(3):
        run = subprocess.run(
            [python, "-W", "ignore", str(PEER), "gbstats"],
            input=asked,
            capture_output=True,
            text=True,
            check=True,
        )
        seconds.append(json.loads(run.stdout)["seconds"])
    best, median = min(seconds), sorted(seconds)[1]
    print(f"  gbstats 0.8.0, sample ratio and pairs: {median:.2f} s (best {best:.2f})")
    print(f"  labfactory is faster by {median * 1e9 / mine.median_ns:.0f}x")


def report(title: str, timed: dict[str, object]) -> None:
    print(f"\n{title}")
    for name, figure in timed.items():
        print(f"  {name}: {figure} ns a row")


if __name__ == "__main__":
    main()
