"""Confidence sequences of one arm: published bounds, and coverage at every outcome."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labfactory import StatisticsError, UsageError
from labfactory.lab.sequential import betting_sequence, proportion_sequence


@pytest.mark.parametrize(
    ("conversions", "units", "horizon", "bounds"),
    [
        (700, 1000, 100, (0.651629, 0.745949)),
        (15, 50, 50, (0.129556, 0.511896)),
        (5, 50, 50, (0.013021, 0.269264)),
        (1, 50, 50, (0.0, 0.13489)),
        (1, 2, 50, (0.0, 1.0)),
        (100, 200, 1, (0.328923, 0.671076)),
        (0, 1, 50, (0.0, 1.0)),
        (1, 1, 50, (0.0, 1.0)),
    ],
)
def test_a_proportion_has_the_bounds_of_confseq(conversions, units, horizon, bounds):
    """BernoulliConfidenceIntervalTest in confseq's test/uniform_boundaries_unittest.cpp."""
    found = proportion_sequence(conversions, units, alpha=0.05, horizon=horizon)
    assert found == pytest.approx(bounds, abs=1e-5)


@pytest.mark.parametrize("units", [1, 10, 1000])
def test_all_or_none_bound_one_side(units):
    lower, upper = proportion_sequence(0, units, alpha=0.05)
    assert lower == 0.0
    assert proportion_sequence(units, units, alpha=0.05) == pytest.approx((1 - upper, 1.0), abs=1e-9)


def test_a_proportion_is_covered_at_every_unit():
    random, runs, missed = np.random.default_rng(1), 80, 0
    for _ in range(runs):
        conversions = np.cumsum(random.random(400) < 0.1)
        looks = range(20, 401, 20)
        bounds = [proportion_sequence(int(conversions[n - 1]), n, alpha=0.1, horizon=200) for n in looks]
        missed += any(not lower <= 0.1 <= upper for lower, upper in bounds)
    assert missed / runs <= 0.1 + 4 * math.sqrt(0.09 / runs)


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.02, 0.5])
def test_a_bounded_mean_is_covered_after_every_outcome(mean):
    random, runs, missed = np.random.default_rng(2), 60, 0
    for _ in range(runs):
        outcomes = 40 * (random.random(700) < 2 * mean) * random.random(700)
        lower, upper = betting_sequence(outcomes, alpha=0.1, bound=40.0)
        missed += bool(((lower > 40 * mean) | (upper < 40 * mean)).any())
    assert missed / runs <= 0.1 + 4 * math.sqrt(0.09 / runs)


def test_bets_close_in_on_the_mean_and_never_widen():
    outcomes = np.random.default_rng(3).beta(2, 6, 5000)
    lower, upper = betting_sequence(outcomes, alpha=0.05)
    assert (np.diff(lower) >= 0).all()
    assert (np.diff(upper) <= 0).all()
    assert lower[-1] < outcomes.mean() < upper[-1]
    # Hoeffding's interval for one look at the end is wider.
    assert upper[-1] - lower[-1] < 2 * math.sqrt(math.log(40) / 10_000)


def test_the_future_does_not_change_the_past():
    outcomes = np.random.default_rng(4).random(3000)
    lower, upper = betting_sequence(outcomes, alpha=0.05)
    again = betting_sequence(outcomes[:1700], alpha=0.05)
    assert np.array_equal(lower[:1700], again[0])
    assert np.array_equal(upper[:1700], again[1])


def test_what_is_no_share_or_bounded_outcome_is_refused():
    with pytest.raises(StatisticsError) as raised:
        proportion_sequence(3, 2, alpha=0.05)
    assert raised.value.code == "invalid_outcome"
    with pytest.raises(StatisticsError) as raised:
        betting_sequence([0.5, 1.5], alpha=0.05)
    assert raised.value.code == "outcome_bound"
    with pytest.raises(UsageError) as raised:
        betting_sequence([0.5], alpha=0.05, bound=0.0)
    assert raised.value.code == "stop_rule"
