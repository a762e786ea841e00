"""Simulated experiments of equal arms: false positives come at alpha, within binomial error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from labfactory.lab import Experiment, Hypothesis, Mean, Proportion
from labfactory.lab.estimators import sample_ratio

if TYPE_CHECKING:
    from labfactory.lab.metric import Metric

RUNS = 1_500
UNITS = 600


def within(count: int, alpha: float, runs: int) -> bool:
    """Whether a count of false positives lies within four standard errors of what alpha allows."""
    return abs(count / runs - alpha) < 4 * math.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.parametrize(
    ("metric", "draw"),
    [
        (Mean("outcome"), lambda random: random.gamma(1.0, 30.0, UNITS)),
        (Proportion("outcome"), lambda random: (random.random(UNITS) < 0.3).astype(np.float64)),
    ],
    ids=["skewed mean", "proportion"],
)
def test_equal_arms_differ_as_often_as_alpha_says(metric: Metric, draw: object) -> None:
    experiment = Experiment(
        "a/a", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"outcome": metric}
    )
    random = np.random.default_rng(11)
    variants = pa.DictionaryArray.from_arrays(
        pa.array(np.arange(UNITS, dtype=np.int32) % 2), pa.array(["a", "b"])
    )
    absolute = relative = 0
    for _ in range(RUNS):
        outcomes = pa.array(draw(random))  # type: ignore[operator]
        data = pa.table({"variant": variants, "outcome": outcomes})
        row = experiment.evaluate(data, control="a", alpha=0.1, threads=1).rows[0]
        assert row.p is not None
        assert row.relative_lower is not None
        assert row.relative_upper is not None
        absolute += row.p < 0.1
        relative += row.relative_lower > 0 or row.relative_upper < 0
    assert absolute == relative
    assert within(absolute, 0.1, RUNS)


def test_fair_assignment_is_called_unfair_as_often_as_alpha_says() -> None:
    random = np.random.default_rng(12)
    weights = [0.5, 0.3, 0.2, 0.0]
    ps = [sample_ratio(units, weights).p for units in random.multinomial(10_000, weights, 4_000).tolist()]
    assert within(sum(p is not None and p < 0.05 for p in ps), 0.05, len(ps))
