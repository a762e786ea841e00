"""Bandit decisions beside Vowpal Wabbit's and MABWiser's: `python -m benchmarks.selection_peers [--rounds N]`.

100 arms, 32 features. Processor time, which others on the machine hardly change: ours by its two threads, that of
the peers on the one thread that they keep. LABFACTORY_BANDITS names a Python that has
`mabwiser` and `vowpalwabbit`, which pin other versions of NumPy than we do; it times them inside, in rounds that
alternate with ours. Ours decide by what MABWiser learned, the same weights with the same full covariance of every
arm, of 20 and of 200 rewards an arm (whose number changes nothing for MABWiser), and are held to its expectations;
also by variances alone, a form that MABWiser does not have. Propensities, which MABWiser has none of, are found with
`--estimates` alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labfactory._core import select

THREADS = 2
PEERS = Path(__file__).with_name("bandits.py")
# By peer: our modes, and how many times as fast they should be.
TARGETS = {
    "Vowpal Wabbit cb_explore_adf": (("epsilon",), 2000),
    "MABWiser LinTS": (("Thompson, 20 rewards", "Thompson, 200 rewards", "Thompson, variances"), 1000),
    "MABWiser LinUCB": (("UCB, 20 rewards", "UCB, 200 rewards", "UCB, variances"), 300),
    "MABWiser LinGreedy": (("greedy",), 150),
}
# float32 sums of 32 products beside float64.
CLOSE = 2e-6

Learned = Mapping[str, npt.NDArray[np.float64]]
Call = Callable[[], Any]


def learned(python: str) -> Learned:
    """What MABWiser learned and expects."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "learned.npz"
        subprocess.run([python, str(PEERS), str(path)], check=True, capture_output=True)
        with np.load(path) as arrays:
            return dict(arrays)


def slot(weights: npt.NDArray[Any], **more: Any) -> select.Slot:
    """Every arm eligible, so that all have the same to do."""
    arms, features = weights.shape
    return select.Slot(
        name="hero",
        components=[f"arm{number}" for number in range(arms)],
        candidates=range(arms),
        needed=[[]] * arms,
        rules=None,
        missing=[None] * features,
        weights=weights.astype(np.float32),
        bias=np.zeros(arms, np.float32),
        scale="sum",
        **more,
    )


def slots(known: Learned) -> dict[str, select.Slot]:
    """Our modes."""
    weights = known["weights 200"]
    factors = {
        taught: np.linalg.cholesky(known[f"covariances {taught}"]).transpose(0, 2, 1).astype(np.float32)
        for taught in (20, 200)
    }
    variances = np.stack([np.diag(own) for own in known["covariances 200"]]).astype(np.float32)
    made = {
        "greedy": slot(weights, base="best"),
        "epsilon": slot(weights, base="best", epsilon=0.1),
    }
    for name, base in (("UCB", "ucb"), ("Thompson", "thompson")):
        for taught, factor in factors.items():
            own = known[f"weights {taught}"]
            made[f"{name}, {taught} rewards"] = slot(own, base=base, strength=1.0, uncertainty=factor)
        made[f"{name}, variances"] = slot(weights, base=base, strength=1.0, uncertainty=variances)
    return made


def columns(features: npt.NDArray[Any]) -> pa.RecordBatch:
    """Customers as the core reads them."""
    keys = np.random.default_rng(2).integers(0, 2**63, len(features)).astype(np.uint64)
    arrays = [keys, *np.ascontiguousarray(features.T.astype(np.float32))]
    return pa.RecordBatch.from_arrays(
        [pa.array(one) for one in arrays], [str(at) for at in range(len(arrays))]
    )


def check(known: Learned, made: Mapping[str, select.Slot]) -> None:
    """Holds our scores and choices to what MABWiser expects of the same customers."""
    asked = columns(known["asked"])
    for name, mode, taught in (
        ("MABWiser LinGreedy", "greedy", 200),
        ("MABWiser LinUCB", "UCB, 20 rewards", 20),
        ("MABWiser LinUCB", "UCB, 200 rewards", 200),
    ):
        expected = known[f"{name} {taught}"]
        scores = made[mode].values(asked, threads=1)
        means = known[f"MABWiser LinGreedy {taught}"]
        assert np.abs(scores - means).max() < CLOSE, (mode, np.abs(scores - means).max())
        decided = pa.array(made[mode].decide(asked, seed=1, version="1", threads=THREADS))
        taken = expected[np.arange(len(expected)), np.array(decided.field("index"))]
        assert (expected.max(axis=1) - taken).max() < CLOSE, mode


def nanoseconds(call: Call, rows: int) -> float:
    call()
    started = time.process_time()
    call()
    return 1e9 * (time.process_time() - started) / rows / THREADS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection_peers")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--estimates", action="store_true", help="find propensities too")
    options = parser.parse_args()
    python = os.environ["LABFACTORY_BANDITS"]
    known = learned(python)
    made = slots(known)
    check(known, made)
    customers = columns(np.random.default_rng(3).standard_normal((options.rows, known["asked"].shape[1])))
    settings = {"seed": 1, "version": "1", "threads": THREADS, "estimates": options.estimates}
    times: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for name, one in made.items():
            spent = nanoseconds(lambda one=one: one.decide(customers, **settings), options.rows)
            times.setdefault(name, []).append(spent)
        told = subprocess.run(
            [python, str(PEERS)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        for name, spent in json.loads(told.stdout.splitlines()[-1]).items():
            times.setdefault(name, []).append(spent)
    arms, features = known["weights 200"].shape
    print(f"{arms} arms, {features} features, {options.rounds} rounds\n")
    print("| | ns a decision: median (lowest) |\n|---|--:|")
    for name, all_of in times.items():
        print(f"| {name} | {statistics.median(all_of):,.0f} ({min(all_of):,.0f}) |")
    print("\n| peer | ours | times as fast: median (lowest of a round) | asked for |\n|---|---|--:|--:|")
    for peer, (modes, asked) in TARGETS.items():
        for mode in modes:
            rounds = [theirs / own for theirs, own in zip(times[peer], times[mode], strict=True)]
            print(f"| {peer} | {mode} | {statistics.median(rounds):,.0f} ({min(rounds):,.0f}) | {asked:,} |")


if __name__ == "__main__":
    main()
