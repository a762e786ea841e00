"""Bandit decisions beside Vowpal Wabbit's and MABWiser's: `python -m benchmarks.selection_peers [--rounds N]`.

100 arms, 32 features. Processor time, which others on the machine hardly change: ours by its two threads, that of
the peers on the one thread that they keep. LABFACTORY_BANDITS names a Python that has
`mabwiser` and `vowpalwabbit`, which pin other versions of NumPy than we do; it times them inside, in rounds that
alternate with ours. MABWiser keeps a full covariance of every arm's weights; ours are told by their form.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.selection import CANDIDATES, FEATURES, Workload, make_workload
from labfactory._core import select

THREADS = 2
PEERS = Path(__file__).with_name("bandits.py")
# By peer: our mode, and how many times as fast it should be.
TARGETS = {
    "Vowpal Wabbit cb_explore_adf": ("epsilon", 2000),
    "MABWiser LinTS": ("Thompson, variances", 1000),
    "MABWiser LinUCB": ("UCB, variances", 300),
    "MABWiser LinGreedy": ("greedy", 150),
}


def ours(work: Workload) -> dict[str, Callable[[], object]]:
    """Our modes: every arm eligible, so that all have the same to do."""
    arms, features = work.weights.shape
    variances = np.full((arms, features), 0.01, np.float32)
    factor = (0.1 * np.eye(features, dtype=np.float32))[None]
    modes = {
        "greedy": {"base": "best"},
        "epsilon": {"base": "best", "epsilon": 0.1},
        "UCB, variances": {"base": "ucb", "strength": 1.0, "uncertainty": variances},
        "UCB, one covariance": {"base": "ucb", "strength": 1.0, "uncertainty": factor},
        "Thompson, variances": {"base": "thompson", "strength": 1.0, "uncertainty": variances},
        "Thompson, one covariance": {"base": "thompson", "strength": 1.0, "uncertainty": factor},
        "Thompson, a covariance an arm": {
            "base": "thompson",
            "strength": 1.0,
            "uncertainty": np.repeat(factor, arms, axis=0),
        },
    }
    columns = work.columns.select(list(range(1 + features)))
    made: dict[str, Callable[[], object]] = {}
    for name, more in modes.items():
        slot = select.Slot(
            name="hero",
            components=[f"arm{number}" for number in range(arms)],
            candidates=range(arms),
            needed=[[]] * arms,
            rules=None,
            missing=[None] * features,
            weights=work.weights,
            bias=work.bias,
            scale="sum",
            **more,
        )
        made[name] = lambda slot=slot: slot.decide(columns, seed=1, version="1", threads=THREADS)
    return made


def nanoseconds(call: Callable[[], object], rows: int) -> float:
    call()
    started = time.process_time()
    call()
    return 1e9 * (time.process_time() - started) / rows / THREADS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection_peers")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    python = os.environ["LABFACTORY_BANDITS"]
    modes = ours(make_workload(options.rows, FEATURES, CANDIDATES))
    times: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for name, call in modes.items():
            times.setdefault(name, []).append(nanoseconds(call, options.rows))
        told = subprocess.run(
            [python, str(PEERS)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        for name, one in json.loads(told.stdout.splitlines()[-1]).items():
            times.setdefault(name, []).append(one)
    middle = {name: statistics.median(all_of) for name, all_of in times.items()}
    print(f"{CANDIDATES} arms, {FEATURES} features, {options.rounds} rounds\n")
    print("| | ns a decision: median (lowest) |\n|---|--:|")
    for name, all_of in times.items():
        print(f"| {name} | {middle[name]:,.0f} ({min(all_of):,.0f}) |")
    print("\n| peer | ours | times as fast: median (lowest of a round) | asked for |\n|---|---|--:|--:|")
    for peer, (mode, asked) in TARGETS.items():
        rounds = [theirs / own for theirs, own in zip(times[peer], times[mode], strict=True)]
        print(f"| {peer} | {mode} | {statistics.median(rounds):,.0f} ({min(rounds):,.0f}) | {asked:,} |")


if __name__ == "__main__":
    main()
