"""What other engines hold themselves to: figures of their own tests, where their method is ours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from labfactory.lab import (
    AlwaysValid,
    Baseline,
    Bayes,
    Cuped,
    Design,
    Mean,
    Quantile,
    Ratio,
    Welch,
    ZTest,
    adjust,
)
from labfactory.lab.adjustment import Contrast
from labfactory.lab.co_moments import CoMoments
from labfactory.lab.estimators import Sample, sample_ratio, welch
from labfactory.lab.judgement import by_test


def of_sums(total: float, squares: float, n: int) -> Sample:
    return Sample(n, total / n, (squares - total**2 / n) / (n - 1))


# gbstats 0.8.0, tests/frequentist/test_tests.py.
GB = of_sums(1396.87, 52377.9767, 3407), of_sums(2422.7, 134698.29, 3461)


def test_gbstats_two_sided_t_test_absolute() -> None:
    found = welch(*GB, alpha=0.05)
    assert found is not None
    assert (found.value, found.lower, found.upper, found.p) == pytest.approx(
        (0.29, 0.04538, 0.53462, 0.02016), abs=5e-6
    )


def test_gbstats_needs_variance() -> None:
    arms = of_sums(0.0, 0.0, 3000), of_sums(0.0, 0.0, 3461)
    assert welch(*arms, alpha=0.05) is None


def test_gbstats_sequences_are_tightest_where_they_are_tuned() -> None:
    arms = of_sums(1396.87, 52377.9767, 3000), of_sums(2422.7, 134698.29, 3461)
    widths = []
    for horizon in (10, 6461, 10_000):
        look = AlwaysValid(horizon=horizon).look(*arms, alpha=0.05)
        assert look.lower is not None
        assert look.upper is not None
        widths.append(look.upper - look.lower)
    assert widths[1] < widths[2] < widths[0]


# gbstats 0.8.0, tests/bayesian/test_tests.py: the 0.9 quantile with its bounds at 95 %.
BOUNDS = (11_054, 7.157987489967789, 7.217194843758751), (10_861, 7.694499927525767, 7.747193868770344)


def by_bounds(n: int, quantile: float, upper: float) -> Sample:
    error = (upper - quantile) / stats.norm.ppf(0.975)
    return Sample(n, quantile, error**2 * (n - 1))  # as its QuantileStatistic has it


@pytest.mark.parametrize(
    ("prior_sd", "value", "lower", "upper"),
    [
        (None, 0.5365124375579775, 0.45725595891154214, 0.6157689162044129),
        (1000.0, 0.536512437540855, 0.4572559588956844, 0.6157689161860256),
        (1.0, 0.536495315442269, 0.4572401014910488, 0.6157505293934893),
    ],
)
def test_gbstats_posteriors_of_quantiles(
    prior_sd: float | None, value: float, lower: float, upper: float
) -> None:
    control, treatment = (by_bounds(*arm) for arm in BOUNDS)
    judged = Bayes(prior_sd=prior_sd).judge(
        Quantile("x", 0.9), Contrast(control, treatment, math.inf), alpha=0.05
    )
    assert (judged.value, judged.lower, judged.upper) == pytest.approx((value, lower, upper), rel=1e-7)


def co_moments(*columns: list[float]) -> CoMoments:
    values = np.array(columns)
    distances = values - values.mean(axis=1, keepdims=True)
    return CoMoments(values.shape[1], values.mean(axis=1), np.zeros(len(values)), distances @ distances.T)


# gbstats 0.8.0, tests/test_shared_models.py.
METRIC_1, METRIC_3 = [0.3, 0.5, 0.9, 22.0], [2.0, 1.0, 5.0, 3.0]


def test_gbstats_theta_and_variances_of_raw_data() -> None:
    arm = co_moments(METRIC_3, METRIC_1)
    contrast = Cuped("before").contrast(Mean("m"), [(arm, arm)])
    assert contrast is not None
    theta = 0.01864
    expected = np.var(np.array(METRIC_3) - theta * np.array(METRIC_1), ddof=1)
    assert contrast.control.variance == pytest.approx(expected, rel=1e-5)
    assert co_moments(METRIC_1).sample.variance == pytest.approx(np.var(METRIC_1, ddof=1))
    assert co_moments(METRIC_1, METRIC_3).covariance[0, 1] == pytest.approx(np.cov(METRIC_1, METRIC_3)[0, 1])


# tea-tasting 1.14.0, tests/metrics: moments of its generated users, n_users=100, seed 42.
ORDERS = (
    Sample(53, 0.5660377358490566, 0.7888243831640053),
    Sample(47, 0.3829787234042553, 0.5023126734505092),
)
SESSIONS = (1.9811320754716981, 0.9804063860667634), (1.8936170212765957, 0.7927844588344127)
COVARIANCES = 0.39550072568940503, 0.15032377428307112


def test_tea_tasting_mean() -> None:
    """test_ratio_of_means_analyze_basic."""
    found = welch(*ORDERS, alpha=0.05)
    assert found is not None
    assert (found.value, found.lower, found.upper, found.p) == pytest.approx(
        (-0.18305901244480127, -0.5004359360326984, 0.13431791114309583, 0.2551230546709908)
    )


def ratio_arms() -> tuple[CoMoments, CoMoments]:
    made = []
    for orders, (mean, variance), covariance in zip(ORDERS, SESSIONS, COVARIANCES, strict=True):
        products = np.array([[orders.variance, covariance], [covariance, variance]]) * (orders.count - 1)
        made.append(CoMoments(orders.count, np.array([orders.mean, mean]), np.zeros(2), products))
    return made[0], made[1]


def test_tea_tasting_ratio() -> None:
    """test_ratio_of_means_analyze_ratio_greater_equal_var: the means; its error is pooled."""
    contrast = Welch().contrast(Ratio("orders", "sessions"), [ratio_arms()])
    assert contrast is not None
    found = contrast.control.mean, contrast.treatment.mean
    assert found == pytest.approx((0.2857142857142857, 0.20224719101123595))
    n, variances = (53, 47), (contrast.control.variance, contrast.treatment.variance)
    pooled = (52 * variances[0] + 46 * variances[1]) / 98
    statistic = (found[1] - found[0]) / math.sqrt(pooled * (1 / n[0] + 1 / n[1]))
    assert statistic == pytest.approx(-1.0794048813446926)


def test_tea_tasting_sample_ratio() -> None:
    """test_sample_ratio_analyze_norm_no_corr; of two arms chi-square is the square of the normal test."""
    assert sample_ratio([53, 47], [0.5, 0.5]).p == pytest.approx(0.5485062355001472)


BASELINE = Baseline.of_mean(mean=0.47, variance=0.6556565656565659)


def test_tea_tasting_power() -> None:
    """test_ratio_of_means_solve_power_*: n_obs are both arms together."""
    greater = Design(BASELINE, alternative="greater").achieved(10_000, lift=0.1)
    assert greater.power == pytest.approx(0.895653144822902, abs=1e-6)
    less = Design(BASELINE, alternative="less").minimum_effect(10_000)
    assert less.difference == pytest.approx(-0.04027000268908317, rel=1e-5)
    both = Design(BASELINE).minimum_effect(10_000)
    assert both.lift == pytest.approx(0.09654179522252104, rel=1e-5)
    assert abs(Design(BASELINE).sample_size(difference=0.05).units - 8236) <= 2


# tea-tasting 1.14.0, tests/test_multiplicity.py.
P = [0.005, 0.06, 0.007, 0.04, 0.01, 0.03]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("bh", [0.02, 0.06, 0.02, 0.048, 0.02, 0.045]),
        ("by", [0.049, 0.147, 0.049, 0.1176, 0.049, 0.11025]),
        ("hochberg", [0.03, 0.06, 0.035, 0.06, 0.04, 0.06]),
    ],
)
def test_tea_tasting_adjusted_p_values(method: str, expected: list[float]) -> None:
    assert adjust(P, method) == pytest.approx(tuple(expected))  # type: ignore[arg-type]


def test_a_z_test_is_the_normal_one_of_the_same_moments() -> None:
    contrast = ZTest().contrast(Mean("m"), [(co_moments(METRIC_1), co_moments(METRIC_3))])
    assert contrast is not None
    z = (np.mean(METRIC_3) - np.mean(METRIC_1)) / math.sqrt(
        (np.var(METRIC_1, ddof=1) + np.var(METRIC_3, ddof=1)) / 4
    )
    assert by_test(contrast, alpha=0.05).p == pytest.approx(2 * stats.norm.sf(abs(z)))
