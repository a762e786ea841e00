"""Where the best policy is known, modes that explore by uncertainty lose least, and frequencies are propensities."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

PATH = Path(__file__).parents[2] / "benchmarks" / "exploration.py"
SPEC = importlib.util.spec_from_file_location("exploration_benchmark", PATH)
simulation = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = simulation
SPEC.loader.exec_module(simulation)
MODES, Posterior, bound, regrets = (
    simulation.MODES,
    simulation.Posterior,
    simulation.bound,
    simulation.regrets,
)


def test_thompson_and_ucb_stop_losing_and_uniform_never_does():
    curve = {
        name: np.mean([regrets(MODES[name], seed=seed, rounds=30, customers=20) for seed in range(4)], axis=0)
        for name in ("thompson", "ucb 1", "uniform")
    }
    for name in ("thompson", "ucb 1"):
        late, early = curve[name][-1] - curve[name][19], curve[name][9]
        assert late < early / 5
    assert curve["uniform"][-1] - curve["uniform"][19] > 0.9 * curve["uniform"][9]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["epsilon 0.1", "softmax 0.1", "squarecb 100", "thompson", "uniform"])
def test_a_million_draws_are_distributed_as_their_propensities_say(name):
    random = np.random.default_rng(3)
    posterior = Posterior.prior()
    seen = random.normal(size=(60, 5))
    truth = random.normal(size=(10, 5))
    chosen = random.integers(0, 10, 60)
    posterior.learn(seen, chosen, (seen * truth[chosen]).sum(axis=1))
    rows = 1_000_000
    one = 0.1 * random.normal(size=5)
    batch = pa.record_batch({f"x{at}": np.full(rows, one[at]) for at in range(5)})
    selector = bound(posterior.slot(MODES[name]), batch.schema, 1)
    decided = selector.decide(batch, keys=pa.array(np.arange(rows)), seed=1, threads=2).column("hero")
    index, propensity = np.array(decided.field("index")), np.array(decided.field("propensity"))
    taken = np.bincount(index, minlength=10)
    expected = np.array([propensity[index == at][0] if taken[at] else 0.0 for at in range(10)])
    assert (propensity == expected[index]).all()
    assert expected.sum() == pytest.approx(1.0, abs=2e-3 if name == "thompson" else 1e-4)
    often = expected * rows >= 5
    assert often.sum() > 2
    assert (
        stats.chisquare(taken[often], expected[often] / expected[often].sum() * taken[often].sum()).pvalue
        > 1e-4
    )
