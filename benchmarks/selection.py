"""Decisions a second against NumPy: `python -m benchmarks.selection [--rows N] [--repeats N]`.

Customers with 32 float32 features, 100 candidates with a random mask; NumPy multiplies, masks and takes the
maximum in batches of 65,536 rows. Both sides have the arrays ready in memory. Then 1,000 candidates with 64
features, whose scores are never all in memory, by the rate of multiplications and additions; bandits with an
uncertainty for every weight; and one customer at a time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.timing import Timed, interleaved
from labfactory._core import select
from labfactory.selection import (
    Cap,
    ContactRules,
    Exploration,
    History,
    HoldoutRule,
    QuietHours,
    Rest,
    SelectionPolicy,
    SlotPolicy,
)

FEATURES, CANDIDATES, BATCH_ROWS = 32, 100, 65_536


@dataclass(frozen=True)
class Workload:
    """Features and masks as NumPy wants them, and as columns."""

    features: npt.NDArray[np.float32]
    eligible: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    columns: pa.RecordBatch


def make_workload(rows: int, count: int = FEATURES, candidates: int = CANDIDATES) -> Workload:
    random = np.random.default_rng(0)
    features = random.standard_normal((rows, count), dtype=np.float32)
    eligible = random.random((rows, candidates)) < 0.7
    columns = [
        pa.array(random.integers(0, 2**63, rows).astype(np.uint64)),
        *(pa.array(np.ascontiguousarray(features[:, number])) for number in range(count)),
        *(pa.array(np.ascontiguousarray(eligible[:, number])) for number in range(candidates)),
    ]
    return Workload(
        features,
        eligible,
        random.standard_normal((candidates, count), dtype=np.float32),
        random.standard_normal(candidates, dtype=np.float32),
        pa.RecordBatch.from_arrays(columns, [str(number) for number in range(len(columns))]),
    )


def slot(
    work: Workload, base: str = "best", strength: float = 0.0, epsilon: float = 0.0, is_screened: bool = True
) -> select.Slot:
    candidates, features = work.weights.shape
    spread = np.full((candidates, features), 0.01, np.float32) if base in ("ucb", "thompson") else None
    return select.Slot(
        name="hero",
        components=[f"block{number}" for number in range(candidates)],
        candidates=range(candidates),
        needed=[[number] for number in range(candidates)],
        rules=None,
        missing=[None] * features,
        weights=work.weights,
        bias=work.bias,
        scale="sum",
        base=base,
        strength=strength,
        epsilon=epsilon,
        uncertainty=spread,
        is_screened=is_screened,
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
    calls |= {"greedy, every candidate scored, 2 threads": (slot(work, is_screened=False), 2)}
    calls |= {"epsilon, 2 threads": (slot(work, epsilon=0.1), 2)}
    calls |= {"softmax, 2 threads": (slot(work, "softmax", 2.0), 2)}
    calls |= {"squarecb, 2 threads": (slot(work, "squarecb", 10.0), 2)}
    calls |= {"ucb (variances), 2 threads": (slot(work, "ucb", 1.0), 2)}
    calls |= {"thompson (variances, with propensities), 2 threads": (slot(work, "thompson", 1.0), 2)}
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


def wide(rows: int, repeats: int) -> tuple[float, float]:
    """Billions of multiplications and additions a second: 100 x 32, and 1,000 x 64."""
    shapes = {"small": (rows, 32, 100), "large": (rows // 8, 64, 1000)}
    works = {name: make_workload(*shape) for name, shape in shapes.items()}

    def decide(work: Workload, made: select.Slot) -> object:
        return made.decide(work.columns, seed=1, version="1", threads=2)

    timed = interleaved(
        {name: (partial(decide, work, slot(work)), len(work.features)) for name, work in works.items()},
        repeats=repeats,
    )
    small, large = (2 * work.weights.size / timed[name].median_ns for name, work in works.items())
    return small, large


@dataclass(frozen=True)
class Named:
    """A component without a condition."""

    name: str
    eligible: None = None


NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
RULES = ContactRules(
    consent=("opted_in",),
    suppressed=("bounced",),
    zone="zone",
    quiet_hours=QuietHours(start="21:00", end="08:00"),
    caps=(
        Cap(at_most=2, per="week", channel="email"),
        Cap(at_most=1, per="7 days", components=("c1", "c2")),
    ),
    rests=(Rest(outcome="ignored", times=2),),
    holdouts=(HoldoutRule(name="global", share=0.05),),
)


def contacts(rows: int = 200_000) -> History:
    """What 50,000 customers got in some twelve weeks."""
    random = np.random.default_rng(1)
    at = [NOW - timedelta(hours=int(back)) for back in random.integers(0, 2000, rows)]
    return History.of(
        pa.table(
            {
                "key": random.integers(0, 50_000, rows),
                "at": pa.array(at),
                "channel": ["email"] * rows,
                "component": [f"c{number}" for number in random.integers(0, 5, rows)],
                "outcome": [("ignored", None)[number] for number in random.integers(0, 2, rows)],
            }
        )
    )


def one_customer(calls: int = 2_000, rules: ContactRules | None = None) -> float:
    """Microseconds of the median decision of one customer among 100 components with 32 features, by softmax."""
    columns = [f"f{number}" for number in range(FEATURES)]
    policy = SlotPolicy.build(
        components=[f"c{number}" for number in range(CANDIDATES)],
        features={name: name for name in columns},
        weights=np.random.default_rng(0).normal(size=(CANDIDATES, FEATURES)),
        eligible=["age >= 18"],
        exploration=Exploration(mode="softmax", temperature=1.0),
        channel="email",
    )
    contact = [("opted_in", pa.bool_()), ("bounced", pa.bool_()), ("zone", pa.string())]
    schema = pa.schema([*((name, pa.float32()) for name in columns), ("age", pa.int64()), *contact])
    blocks = [Named(name) for name in policy.components]
    selector = SelectionPolicy.build("1", contact=rules, hero=policy).bind({"hero": blocks}, schema)
    selector = selector.at(now=NOW, history=contacts()) if rules else selector
    customer = {name: 0.1 * at for at, name in enumerate(columns)} | {"age": 40}
    customer |= {"opted_in": True, "bounced": False, "zone": "Europe/Berlin"}
    times = []
    for number in range(calls):
        started = time.perf_counter()
        selector.decide_one(customer, key=number, seed=1)
        times.append(time.perf_counter() - started)
    return 1e6 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    timed = compare(options.rows, options.repeats)
    ours = timed["greedy, 2 threads"].median_ns
    print(f"{options.rows:,} customers, {CANDIDATES} candidates, {FEATURES} features\n")
    whole = timed["greedy, every candidate scored, 2 threads"].median_ns
    print(
        "| | ns a customer: median (lowest–highest) | of greedy on 2 threads | of it with every candidate scored |"
    )
    print("|---|--:|--:|--:|")
    for name, figures in timed.items():
        print(f"| {name} | {figures} | {figures.median_ns / ours:.2f}x | {figures.median_ns / whole:.2f}x |")
    small, large = wide(options.rows, options.repeats)
    print(
        f"\n100 candidates x 32 features: {small:,.0f} GFLOP/s; 1,000 x 64: {large:,.0f} ({large / small:.2f}x)"
    )
    print(f"one customer, 100 candidates: {one_customer():.0f} us (median)")
    print(f"  with consent, quiet hours, holdout, caps and rests: {one_customer(rules=RULES):.0f} us")


if __name__ == "__main__":
    main()
