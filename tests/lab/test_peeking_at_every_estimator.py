"""Simulated experiments of equal arms, read at several looks: every estimator by every rule that can read it."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from labfactory.lab import (
    AlwaysValid,
    Cuped,
    Mean,
    PostStratified,
    Quantile,
    Ratio,
    Regression,
    Welch,
    ZTest,
)
from labfactory.lab.adjustment import Contrast
from labfactory.lab.co_moments import CoMoments
from labfactory.lab.judgement import by_test
from labfactory.lab.quantile import quantile_sample, rank_widening
from labfactory.lab.robust import robust_contrast
from labfactory.lab.sequential.spending import SpendingFunction, spending_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labfactory.lab import Estimator
    from labfactory.lab.metric import Metric
    from labfactory.lab.sequential.spending import Spending

    Values = NDArray[np.float64]

pytestmark = pytest.mark.slow

# In CI; docs/validation.md has the long form.
RUNS, ALPHA = int(os.environ.get("LABFACTORY_RUNS", "250")), 0.1
UNITS = 2_000
SCHEDULES = {
    "even": np.arange(1, 6) * (UNITS // 5),
    "doubling": np.array([125, 250, 500, 1000, 2000]),
    "late": np.array([1600, 1700, 1800, 1900, 2000]),
}
SPENDING: list[Spending] = ["pocock", "obrien_fleming"]
READ: dict[str, tuple[Estimator, Metric]] = {
    "welch": (Welch(), Mean("y")),
    "z": (ZTest(), Mean("y")),
    "welch of a ratio": (Welch(), Ratio("y", "d")),
    "cuped": (Cuped("h"), Mean("y")),
    "cuped of a ratio": (Cuped("h"), Ratio("y", "d")),
    "regression": (Regression("h"), Mean("y")),
    "regression, hc2": (Regression("h", errors="hc2"), Mean("y")),
    "post-stratified": (PostStratified("s"), Mean("y")),
    "quantile": (Welch(), Quantile("y", 0.5)),
}


def moments(values: Values) -> CoMoments:
    """Numbers by rows."""
    distances = values - values.mean(axis=1, keepdims=True)
    return CoMoments(values.shape[1], values.mean(axis=1), np.zeros(len(values)), distances @ distances.T)


def contrast(name: str, arms: list[Values]) -> Contrast | None:
    """What the estimator makes of both arms: y, d, h, s by units."""
    estimator, metric = READ[name]
    if isinstance(metric, Quantile):
        samples = [quantile_sample(arm[0], metric.q) for arm in arms]
        return Contrast(samples[0], samples[1], math.inf)
    rows = [0, 1] if metric.kind == "ratio" else [0]
    rows += [2] if estimator.covariates("y") else []
    if isinstance(estimator, Regression) and estimator.errors != "residual":
        return robust_contrast(metric, arms[0][rows], arms[1][rows], errors=estimator.errors)
    if estimator.stratum is None:
        return estimator.contrast(metric, [(moments(arms[0][rows]), moments(arms[1][rows]))])
    strata = [[moments(arm[rows][:, arm[3] == s]) for arm in arms] for s in range(3)]
    return estimator.contrast(metric, [(pair[0], pair[1]) for pair in strata])


def experiment(random: np.random.Generator) -> Values:
    history, stratum = random.gamma(2.0, 1.0, UNITS), random.integers(0, 3, UNITS).astype(float)
    y = 2 * history + stratum + random.gamma(1.0, 3.0, UNITS) * (0.5 + 0.25 * history)
    return np.array([y, 1.0 + random.poisson(2.0, UNITS), history, stratum])


def bounds(units: NDArray[np.int64]) -> Values:
    """Standard errors at which each rule calls a look significant, rules by looks."""
    planned = tuple(map(float, units))
    shares = tuple(come / UNITS for come in planned)
    always = [AlwaysValid(horizon=UNITS).critical(come, alpha=ALPHA) for come in planned]
    spent = [
        spending_bounds(SpendingFunction(spending), planned, shares, ALPHA, "two_sided")
        for spending in SPENDING
    ]
    return np.array([always, *spent])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", READ)
def test_equal_arms_differ_at_any_look_no_more_often_than_alpha_says(name: str, schedule: str) -> None:
    random = np.random.default_rng(23)
    is_treated = np.arange(UNITS) % 2 == 1
    fixed, rules = np.zeros((RUNS, 5)), bounds(SCHEDULES[schedule])
    crossed = np.zeros((len(rules), RUNS, 5), bool)
    for run in range(RUNS):
        data = experiment(random)
        for place, units in enumerate(SCHEDULES[schedule].tolist()):
            came = data[:, :units]
            read = contrast(name, [came[:, ~is_treated[:units]], came[:, is_treated[:units]]])
            assert read is not None
            z = abs(read.treatment.mean - read.control.mean) / math.sqrt(read.variance)
            crossed[:, run, place] = [z >= rank_widening(read, rule) * rule for rule in rules[:, place]]
            fixed[run, place] = by_test(read, alpha=ALPHA).p
    found = crossed.any(axis=2).mean(axis=1)
    error = math.sqrt(ALPHA * (1 - ALPHA) / RUNS)
    assert abs((fixed[:, -1] < ALPHA).mean() - ALPHA) < 4 * error
    assert (found < ALPHA + 4 * error).all()
    # The same test at every look errs more often than any of the rules.
    assert (fixed < ALPHA).any(axis=1).mean() > found.max()
