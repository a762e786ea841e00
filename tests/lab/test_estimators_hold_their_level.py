"""Simulated experiments: every estimator errs as often as alpha says, with and without a difference."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from labfactory.lab import (
    Bayes,
    Bootstrap,
    Cuped,
    Experiment,
    Hypothesis,
    Mean,
    PostStratified,
    Proportion,
    Ratio,
    Regression,
    Welch,
    evaluate_many,
)
from labfactory.lab.adjustment import Contrast
from labfactory.lab.co_moments import CoMoments
from labfactory.lab.estimators import Sample
from labfactory.lab.judgement import by_test
from labfactory.lab.quantile import quantile_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labfactory.lab import Estimator
    from labfactory.lab.metric import Metric

    Values = NDArray[np.float64]

pytestmark = pytest.mark.slow

# In CI; docs/validation.md has the long form.
RUNS, ALPHA = int(os.environ.get("LABFACTORY_RUNS", "1000")), 0.1
CONTROL_N, TREATMENT_N = 300, 600


def moments(values: Values) -> CoMoments:
    """Numbers by rows."""
    distances = values - values.mean(axis=1, keepdims=True)
    return CoMoments(values.shape[1], values.mean(axis=1), np.zeros(len(values)), distances @ distances.T)


def within(count: int, alpha: float, runs: int) -> bool:
    """Whether a count lies within four standard errors of what alpha allows."""
    return abs(count / runs - alpha) < 4 * math.sqrt(alpha * (1 - alpha) / runs)


def units(random: np.random.Generator, count: int, lift: float) -> tuple[Values, Values]:
    """Outcome, denominator and two covariates, and the stratum; with a lift the slopes differ between arms."""
    history, visits = random.gamma(2.0, 1.0, count), random.poisson(3.0, count).astype(float)
    stratum = random.integers(0, 3, count).astype(float)
    outcome = 10 + (2 + lift) * history + visits + stratum + lift * 8 + random.gamma(1.0, 3.0, count)
    return np.array([outcome, 1.0 + random.poisson(2.0, count), history, visits]), stratum


# The expected outcome of the control is 10 + 4 + 3 + 1 + 3 = 21; a lift adds 2 lift by the slope, and 8 lift.
TRUE = {"mean": 10.0, "ratio": 10.0 / 3.0}


@pytest.mark.parametrize("lift", [0.0, 0.2], ids=["alike", "different"])
@pytest.mark.parametrize(
    ("estimator", "metric"),
    [
        (Welch(), Mean("y")),
        (Welch(), Ratio("y", "d")),
        (Cuped("h", "v"), Mean("y")),
        (Cuped("h", "v"), Ratio("y", "d")),
        (Regression("h", "v"), Mean("y")),
        (PostStratified("s"), Mean("y")),
        (PostStratified("s"), Ratio("y", "d")),
    ],
    ids=lambda value: getattr(value, "name", None) or value.kind,
)
def test_intervals_cover_the_difference_and_the_lift(
    estimator: Estimator, metric: Metric, lift: float
) -> None:
    random = np.random.default_rng(17)
    rows = [0, 1] if metric.kind == "ratio" else [0]
    rows += [2, 3] if estimator.covariates("y") else []
    base = 7.0 if metric.kind == "ratio" else 21.0
    missed = missed_lift = 0
    for _ in range(RUNS):
        drawn = [units(random, CONTROL_N, 0.0), units(random, TREATMENT_N, lift)]
        if estimator.stratum is None:
            strata = [(moments(drawn[0][0][rows]), moments(drawn[1][0][rows]))]
        else:
            strata = [
                (
                    moments(drawn[0][0][rows][:, drawn[0][1] == s]),
                    moments(drawn[1][0][rows][:, drawn[1][1] == s]),
                )
                for s in range(3)
            ]
        contrast = estimator.contrast(metric, strata)
        assert contrast is not None
        judged = by_test(contrast, alpha=ALPHA)
        assert judged.lower is not None
        assert judged.upper is not None
        assert judged.relative_lower is not None
        assert judged.relative_upper is not None
        true = TRUE[metric.kind] * lift
        missed += not judged.lower <= true <= judged.upper
        missed_lift += not judged.relative_lower <= true / base <= judged.relative_upper
    assert within(missed, ALPHA, RUNS)
    assert within(missed_lift, ALPHA, RUNS)


@pytest.mark.parametrize("correlation", [0.3, 0.7, 0.95])
def test_cuped_removes_the_square_of_the_correlation(correlation: float) -> None:
    random = np.random.default_rng(3)
    plain, adjusted = [], []
    for _ in range(600):
        arms = []
        for _ in range(2):
            x = random.normal(0.0, 1.0, 400)
            y = correlation * x + math.sqrt(1 - correlation**2) * random.normal(0.0, 1.0, 400)
            arms.append(moments(np.array([y, x])))
        contrast = Cuped("x").contrast(Mean("y"), [(arms[0], arms[1])])
        assert contrast is not None
        plain.append(arms[1].means[0] - arms[0].means[0])
        adjusted.append(contrast.treatment.mean - contrast.control.mean)
    # Five standard errors of a ratio of two variances from 600 runs.
    kept = np.var(adjusted) / np.var(plain)
    assert kept == pytest.approx(1 - correlation**2, rel=5 * math.sqrt(4 / 600))


def test_clustered_quantiles_cover() -> None:
    random = np.random.default_rng(8)
    missed = 0
    for _ in range(RUNS):
        samples = []
        for _ in range(2):
            sizes = random.integers(1, 6, 150)
            clusters = np.repeat(np.arange(150), sizes)
            values = np.repeat(random.normal(0.0, 1.0, 150), sizes) + random.normal(0.0, 1.0, clusters.size)
            samples.append(quantile_sample(values, 0.8, clusters))
        judged = by_test(Contrast(samples[0], samples[1], math.inf), alpha=ALPHA)
        assert judged.lower is not None
        assert judged.upper is not None
        missed += not judged.lower <= 0 <= judged.upper
    # Ranks of a sample of 150 clusters are coarse: a fifth beyond what alpha allows is let pass.
    assert missed / RUNS < 1.2 * ALPHA + 4 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def test_credible_intervals_of_shares_cover_under_their_prior() -> None:
    """By definition, when shares are drawn from the prior: 90 percent, and so do those of the lift."""
    random = np.random.default_rng(9)
    runs, missed, missed_lift = RUNS // 4, 0, 0
    metric = Proportion("m")
    for _ in range(runs):
        shares = random.beta(2.0, 20.0, 2)
        events = random.binomial([400, 700], shares)
        samples = [
            Sample(n, x / n, x / n * (1 - x / n) * n / (n - 1))
            for x, n in zip(events.tolist(), (400, 700), strict=True)
        ]
        judged = Bayes(beta=(2.0, 20.0)).judge(
            metric, Contrast(samples[0], samples[1], math.inf), alpha=ALPHA
        )
        assert judged.lower is not None
        assert judged.upper is not None
        assert judged.relative_lower is not None
        assert judged.relative_upper is not None
        missed += not judged.lower <= shares[1] - shares[0] <= judged.upper
        missed_lift += not judged.relative_lower <= shares[1] / shares[0] - 1 <= judged.relative_upper
    assert within(missed, ALPHA, runs)
    assert within(missed_lift, ALPHA, runs)


def test_bootstrap_intervals_cover() -> None:
    random = np.random.default_rng(10)
    runs, missed = RUNS // 4, 0
    experiment = Experiment(
        "a/a", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"m": Mean("m")}
    )
    for run in range(runs):
        frame = pl.DataFrame({"variant": ["a", "b"] * 300, "m": random.gamma(2.0, 1.0, 600)})
        row = experiment.evaluate(
            frame, control="a", estimator=Bootstrap(400, seed=run), alpha=ALPHA, threads=1
        ).rows[0]
        assert row.lower is not None
        assert row.upper is not None
        missed += not row.lower <= 0 <= row.upper
    assert within(missed, ALPHA, runs)


def test_many_experiments_of_equal_arms_err_at_alpha_and_corrected_below() -> None:
    random = np.random.default_rng(11)
    tests, arms = 3_000, 4
    shown = random.integers(2_000, 3_000, tests * arms)
    table = pl.DataFrame(
        {
            "test": np.repeat(np.arange(tests), arms),
            "shown": shown,
            "clicks": random.binomial(shown, np.repeat(random.uniform(0.02, 0.2, tests), arms)),
        }
    )
    found = evaluate_many(
        table, experiment="test", units="shown", metrics={"clicks": Proportion("clicks")}, alpha=ALPHA
    )
    assert within(int((found.tests["p"] < ALPHA).sum()), ALPHA, tests)
    first = found.pairs.filter(pl.int_range(pl.len()).over("experiment") == 0)
    assert within(int((first["p"] < ALPHA).sum()), ALPHA, tests)
    any_found = found.pairs.group_by("experiment").agg((pl.col("adjusted_p") < ALPHA).any())
    errors = int(any_found["adjusted_p"].sum())
    assert errors / tests < ALPHA + 4 * math.sqrt(ALPHA * (1 - ALPHA) / tests)
