"""Pooled effects: published tables, statsmodels, and simulated coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects  # type: ignore[import-untyped]

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab import pool_effects

# Colditz et al. 1994, 13 trials of the BCG vaccine, as metafor's dat.bcg: cases and others, treated and control.
BCG = np.array(
    [
        [4, 119, 11, 128],
        [6, 300, 29, 274],
        [3, 228, 11, 209],
        [62, 13536, 248, 12619],
        [33, 5036, 47, 5761],
        [180, 1361, 372, 1079],
        [8, 2537, 10, 619],
        [505, 87886, 499, 87892],
        [29, 7470, 45, 7232],
        [17, 1699, 65, 1600],
        [186, 50448, 141, 27197],
        [5, 2493, 3, 2338],
        [27, 16886, 29, 17825],
    ],
    float,
)


def log_risk_ratios() -> tuple[list[float], list[float]]:
    cases, others, control_cases, control_others = BCG.T
    totals, control_totals = cases + others, control_cases + control_others
    values = np.log(cases / totals) - np.log(control_cases / control_totals)
    variances = 1 / cases - 1 / totals + 1 / control_cases - 1 / control_totals
    return values.tolist(), np.sqrt(variances).tolist()


def test_the_bcg_trials_give_the_published_figures() -> None:
    """Viechtbauer 2010, "Conducting meta-analyses in R with the metafor package", section 3."""
    values, errors = log_risk_ratios()
    reml = pool_effects(values, errors, heterogeneity="reml", interval="normal")
    assert reml.tau2 == pytest.approx(0.3132, abs=5e-5)
    found = (reml.value, reml.standard_error, reml.lower, reml.upper)
    assert found == pytest.approx((-0.7145, 0.1798, -1.0669, -0.3622), abs=6e-5)
    assert reml.q == pytest.approx(152.2330, abs=5e-5)
    laird = pool_effects(values, errors, heterogeneity="dersimonian_laird", interval="normal")
    assert (laird.tau2, laird.value) == pytest.approx((0.3088, -0.7141), abs=5e-5)
    assert laird.i2 == pytest.approx(0.9212, abs=5e-5)


@pytest.mark.parametrize(("ours", "theirs"), [("dersimonian_laird", "chi2"), ("paule_mandel", "iterated")])
def test_pooled_effects_are_those_of_statsmodels(ours: str, theirs: str) -> None:
    random = np.random.default_rng(5)
    for count in (3, 8, 40):
        values, errors = random.normal(0.1, 1.5, count), random.uniform(0.05, 0.4, count)
        options = {"atol": 1e-8} if theirs == "iterated" else {}
        expected = combine_effects(values, errors**2, method_re=theirs, use_t=True, **options)
        made = pool_effects(values.tolist(), errors.tolist(), heterogeneity=ours)  # type: ignore[arg-type]
        assert made.tau2 == pytest.approx(float(expected.tau2), rel=1e-6)
        assert made.q == pytest.approx(expected.q)
        error = float(expected.sd_eff_w_re_hksj)
        assert made.value == pytest.approx(float(expected.mean_effect_re))
        assert made.standard_error == pytest.approx(error, rel=1e-6)
        assert made.upper - made.value == pytest.approx(stats.t.ppf(0.975, count - 1) * error, rel=1e-6)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 3)), min_size=2, max_size=12))
def test_order_does_not_matter_and_variances_are_not_negative(effects: list[tuple[float, float]]) -> None:
    for method in ("dersimonian_laird", "paule_mandel", "reml", "none"):
        values, errors = zip(*effects, strict=True)
        made = pool_effects(values, errors, heterogeneity=method)
        back = pool_effects(values[::-1], errors[::-1], heterogeneity=method)
        assert made.tau2 is not None
        assert made.tau2 >= 0
        assert made.value == pytest.approx(back.value, rel=1e-6, abs=1e-9)
        assert made.lower <= made.value <= made.upper
        assert min(values) - 1e-9 <= made.value <= max(values) + 1e-9


def test_one_experiment_is_itself() -> None:
    alone = pool_effects([0.3], [0.1])
    assert (alone.value, alone.lower, alone.upper) == pytest.approx((0.3, 0.3 - 0.1959964, 0.3 + 0.1959964))
    assert (alone.tau2, alone.q, alone.i2, alone.prediction_lower, alone.interval) == (
        None,
        None,
        None,
        None,
        "normal",
    )
    assert pool_effects([0.3, 0.3], [0.1, 0.1]).prediction_lower is None


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ([], []),
        ([1.0], [0.0]),
        ([1.0], [-1.0]),
        ([float("nan")], [1.0]),
        ([1.0, 2.0], [1.0]),
        ([1.0], [float("inf")]),
        ([1e308, -1e308], [1.0, 1.0]),
        ([0.1, 0.2], [1e-200, 1e-200]),
        ([0.1, 0.2], [1e200, 1e200]),
        ([0.1, None], [0.1, 0.1]),
        ([0.1], ["a"]),
    ],
)
def test_effects_without_a_standard_error_are_refused(values: list[Any], errors: list[Any]) -> None:
    with pytest.raises(StatisticsError) as caught:
        pool_effects(values, errors)
    assert caught.value.code == "no_effects"


def test_unknown_estimators_are_refused() -> None:
    with pytest.raises(UsageError, match="found 'hedges'") as caught:
        pool_effects([1.0], [1.0], heterogeneity="hedges")  # type: ignore[arg-type]
    assert caught.value.code == "insights"
    with pytest.raises(UsageError, match=r"found 1\.5"):
        pool_effects([1.0], [1.0], alpha=1.5)


def coverage(interval: str, runs: int) -> tuple[float, float]:
    """How often the interval holds the mean effect, and the prediction interval a new one, of 6 experiments."""
    random = np.random.default_rng(11)
    held = predicted = 0
    for _ in range(runs):
        errors = random.uniform(0.05, 0.3, 6)
        values = random.normal(0.1, 0.2, 6) + random.normal(0, errors)
        made = pool_effects(values.tolist(), errors.tolist(), interval=interval)  # type: ignore[arg-type]
        held += made.lower <= 0.1 <= made.upper
        assert made.prediction_lower is not None
        assert made.prediction_upper is not None
        predicted += made.prediction_lower <= random.normal(0.1, 0.2) <= made.prediction_upper
    return held / runs, predicted / runs


def test_few_experiments_are_covered_by_hartung_knapp_and_not_by_the_normal_interval() -> None:
    """DerSimonian and Laird's interval covers too little; IntHout, Ioannidis and Borm 2014."""
    runs = 1_500
    slack = 4 * (0.95 * 0.05 / runs) ** 0.5
    held, predicted = coverage("hartung_knapp", runs)
    assert abs(held - 0.95) < slack
    # Six experiments tell little of tau2, and the interval takes it as known: Partlett and Riley 2017.
    assert 0.85 < predicted < 0.95
    assert coverage("normal", runs)[0] < 0.95 - slack / 2
