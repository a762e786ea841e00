"""Sizes of experiments, held to statsmodels, to published factors and to simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from labfactory import (
    AlwaysValid,
    Baseline,
    BetaBinomial,
    Betting,
    Count,
    Design,
    GroupSequential,
    Mean,
    Proportion,
    Quantile,
    Ratio,
    StatisticsError,
    UsageError,
)
from labfactory.lab.estimators import Sample, welch
from labfactory.lab.sequential.spending import crossing_chance, wang_tsiatis_bounds, wang_tsiatis_constant

SPEND = Baseline.of_mean(10.0, variance=25.0)
CLICKS = Baseline.of_proportion(0.05)


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
@pytest.mark.parametrize(("ours", "theirs"), [("two_sided", "two-sided"), ("greater", "larger")])
@pytest.mark.parametrize("difference", [0.2, 1.0, 5.0])
def test_sizes_of_equal_arms_are_those_of_statsmodels(power, ours, theirs, difference):
    sizing = Design(SPEND, power=power, alternative=ours).sample_size(difference=difference)
    expected = TTestIndPower().solve_power(difference / 5, alpha=0.05, power=power, alternative=theirs)
    assert sizing.by_arm == (math.ceil(expected),) * 2
    assert sizing.power == pytest.approx(
        TTestIndPower().power(difference / 5, math.ceil(expected), 0.05, alternative=theirs), abs=1e-6
    )


def test_the_smallest_effect_is_that_of_statsmodels():
    expected = TTestIndPower().solve_power(None, nobs1=500, alpha=0.05, power=0.8) * 5
    assert Design(SPEND).minimum_effect(1000).difference == pytest.approx(expected, rel=1e-6)


def test_size_and_smallest_effect_are_each_others_inverse():
    for baseline in (SPEND, CLICKS, Baseline.of_count(1.4, dispersion=3.0)):
        sizing = Design(baseline).sample_size(lift=0.1)
        assert Design(baseline).minimum_effect(sizing.units).lift == pytest.approx(0.1, rel=1e-3)
        assert Design(baseline).achieved(sizing.units, lift=0.1).power == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("lift", [0.2, -0.2])
def test_the_power_of_a_proportion_is_that_of_simulated_tests(lift):
    sizing = Design(CLICKS).sample_size(lift=lift)
    random = np.random.default_rng(3)
    units, runs = sizing.by_arm[0], 4000
    rates = random.binomial(units, [[0.05], [0.05 * (1 + lift)]], (2, runs)) / units
    found = 0
    for pair in rates.T:
        arms = [Sample(units, rate, rate * (1 - rate) * units / (units - 1)) for rate in pair]
        difference = welch(*arms, alpha=0.05)
        found += difference is not None and difference.p <= 0.05
    assert abs(found / runs - 0.8) < 4 * math.sqrt(0.16 / runs)


def test_unequal_arms_and_several_are_sized_for_the_smallest_at_the_corrected_level():
    design = Design(SPEND, shares=(0.6, 0.3, 0.1))
    sizing = design.sample_size(difference=1.0)
    assert sizing.alpha == 0.025
    control, _, treatment = sizing.by_arm
    z = 1.0 / (5 * math.sqrt(1 / control + 1 / treatment))
    assert sizing.power == pytest.approx(stats.norm.sf(stats.norm.isf(0.0125) - z), abs=5e-3)
    assert 0.8 <= sizing.power < 0.802
    sidak = Design(SPEND, shares=(0.6, 0.3, 0.1), correction="sidak")
    assert sidak.comparison_alpha == pytest.approx(1 - 0.95**0.5)
    assert Design(SPEND, shares=(0.6, 0.3, 0.1), correction=None).comparison_alpha == 0.05
    assert Design(SPEND, comparisons=5, correction="holm").comparison_alpha == 0.01


def test_showing_no_harm_needs_what_the_textbook_says():
    # Chow, Shao and Wang 2008, 4.2.2: n = (z_alpha + z_beta)^2 2 p (1 - p) / margin^2 an arm.
    sizing = Design(Baseline.of_proportion(0.02), alternative="less", margin=0.002, alpha=0.025).sample_size()
    expected = (stats.norm.isf(0.025) + stats.norm.isf(0.2)) ** 2 * 2 * 0.02 * 0.98 / 0.002**2
    assert sizing.by_arm[0] == math.ceil(expected)
    harmed = Design(Baseline.of_proportion(0.02), alternative="less", margin=0.002, alpha=0.025)
    assert harmed.sample_size(difference=0.0005).units > sizing.units


def test_what_covariates_explain_is_saved():
    explained = Baseline("mean", 10.0, 25.0, rho_squared=0.5)
    plain, saved = (Design(baseline).sample_size(difference=0.2).units for baseline in (SPEND, explained))
    assert saved / plain == pytest.approx(0.5, abs=1e-3)


# Jennison and Turnbull 2000, tables 2.2 and 2.4: sample size over that of the fixed test, alpha 0.05, power 0.8.
@pytest.mark.parametrize(
    ("looks", "shape", "factor"),
    [(2, 0.5, 1.110), (5, 0.5, 1.229), (10, 0.5, 1.301), (2, 0.0, 1.008), (5, 0.0, 1.028), (10, 0.0, 1.040)],
)
def test_classical_tests_cost_what_is_published(looks, shape, factor):
    bounds = wang_tsiatis_bounds(looks, constant=wang_tsiatis_constant(looks, shape=shape), shape=shape)
    fixed = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    drift = fixed * math.sqrt(factor / looks)
    assert crossing_chance(range(1, looks + 1), bounds, drift=drift) == pytest.approx(0.8, abs=6e-4)


def test_looks_cost_units_and_save_them_when_there_is_an_effect():
    fixed = Design(SPEND).sample_size(difference=0.1)
    sizing = Design(SPEND, rule=GroupSequential(looks=5)).sample_size(difference=0.1)
    assert 1.02 < sizing.units / fixed.units < 1.03
    assert sizing.expected_units < 0.85 * fixed.units
    assert sizing.rule == "group_sequential(looks=5, spending=obrien_fleming)"
    assert sizing.method == "recursion over 5 looks"


def test_an_always_valid_test_finds_as_often_as_its_simulated_looks():
    rule, looks, units, runs = AlwaysValid(), 15, 9000, 20_000
    design = Design(Baseline.of_mean(0.0, variance=1.0), rule=rule, looks=looks)
    sizing = design.achieved(units, difference=0.06)
    steps = np.random.default_rng(8).standard_normal((runs, looks)).cumsum(axis=1)
    look = np.arange(1, looks + 1)
    z = steps / np.sqrt(look) + 0.06 / math.sqrt(4 / units) * np.sqrt(look / looks)
    is_found = (
        rule.log_p(z, np.broadcast_to(units * look / looks, z.shape), alpha=0.05) <= math.log(0.05)
    ).any(axis=1)
    assert abs(is_found.mean() - sizing.power) < 4 * math.sqrt(0.25 / runs)


@pytest.mark.parametrize("rule", [BetaBinomial(), Betting()], ids=lambda rule: rule.name)
def test_exact_rules_are_sized_by_simulation(rule):
    design = Design(Baseline.of_proportion(0.005), rule=rule, runs=1000)
    sizing = design.sample_size(lift=0.5)
    assert sizing.method == "simulation of 1,000 runs, seed 0"
    assert (
        0.77
        < Design(design.baseline, rule=rule, runs=2000, seed=1).achieved(sizing.units, lift=0.5).power
        < 0.83
    )
    assert design.minimum_effect(sizing.units).lift == pytest.approx(0.5, rel=0.02)
    assert design.sample_size(lift=0.5) == sizing


def test_history_gives_value_variance_and_what_explains_it():
    random = np.random.default_rng(4)
    before = random.gamma(2.0, 5.0, 5000)
    spend = 0.8 * before + random.normal(0, 4.0, 5000)
    frame = pl.DataFrame({"spend": spend, "before": before, "noise": random.normal(size=5000)})
    baseline = Baseline.from_history(frame, Mean("spend"), covariates=["before", "noise"])
    assert baseline.value == pytest.approx(spend.mean())
    assert baseline.variance == pytest.approx(spend.var(ddof=1))
    assert baseline.rho_squared == pytest.approx(np.corrcoef(spend, before)[0, 1] ** 2, abs=2e-3)
    assert baseline.units == 5000


def test_history_leaves_out_what_is_unknown_and_counts_days():
    days = ["2026-05-01", "2026-05-04", "2026-05-02", "2026-05-03"]
    frame = pl.DataFrame({"visited": [True, False, None, True], "day": days}).with_columns(
        pl.col("day").str.to_date()
    )
    baseline = Baseline.from_history(frame, Proportion("visited"), day="day")
    assert (baseline.kind, baseline.units, baseline.units_per_day) == ("proportion", 3, 0.75)
    assert baseline.value == pytest.approx(2 / 3)
    sizing = Design(baseline).sample_size(lift=0.3)
    assert sizing.days == math.ceil(sizing.units / 0.75) == sizing.to_dict()["days"]


def test_the_variance_of_a_ratio_is_that_of_simulated_ratios():
    random = np.random.default_rng(6)
    orders = random.poisson(2.0, (2000, 400)) + 1.0
    revenue = orders * random.gamma(3.0, 4.0, (2000, 400))
    ratios = revenue.sum(axis=1) / orders.sum(axis=1)
    baseline = Baseline.of_ratio(revenue.ravel(), orders.ravel())
    assert baseline.value == pytest.approx(12.0, rel=0.01)
    assert baseline.variance == pytest.approx(400 * ratios.var(), rel=0.1)


def test_history_knows_every_kind_of_metric():
    random = np.random.default_rng(9)
    orders = random.poisson(2.0, 3000)
    spend = orders * random.gamma(3.0, 4.0, 3000)
    frame = pl.DataFrame({"orders": orders, "spend": spend})
    found = {
        metric.kind: Baseline.from_history(frame, metric)
        for metric in (Count("orders"), Ratio("spend", "orders"), Quantile("spend", 0.9), Mean("spend"))
    }
    assert {kind: baseline.kind for kind, baseline in found.items()} == {kind: kind for kind in found}
    assert found["count"].value == pytest.approx(orders.mean())
    assert found["ratio"] == replace(Baseline.of_ratio(spend, orders), units=3000)
    assert found["quantile"].value == pytest.approx(np.quantile(spend, 0.9))
    capped = Baseline.from_history(frame, Mean("spend", bounds=(None, 40.0)))
    assert capped.variance == pytest.approx(np.minimum(spend, 40.0).var(ddof=1))
    shared = Baseline.from_history(frame, Mean("spend", percentiles=(None, 0.95)))
    assert shared.variance == pytest.approx(np.minimum(spend, np.quantile(spend, 0.95)).var(ddof=1))


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_the_variance_of_a_quantile_is_that_of_simulated_quantiles(q):
    draws = np.random.default_rng(7).gamma(2.0, 3.0, (2000, 400))
    baseline = Baseline.of_quantile(draws.ravel(), q)
    density = stats.gamma(2.0, scale=3.0).pdf(stats.gamma(2.0, scale=3.0).ppf(q))
    assert baseline.value == pytest.approx(stats.gamma(2.0, scale=3.0).ppf(q), rel=0.01)
    assert baseline.variance == pytest.approx(q * (1 - q) / density**2, rel=0.05)
    assert baseline.variance == pytest.approx(400 * np.quantile(draws, q, axis=1).var(), rel=0.12)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Baseline.of_proportion(1.0), "baseline"),
        (lambda: Baseline.of_mean(1.0, variance=0.0), "baseline"),
        (lambda: Baseline("mean", 1.0, 1.0, rho_squared=1.0), "baseline"),
        (lambda: Baseline.of_count(0.0), "baseline"),
        (lambda: Baseline.of_quantile([1.0, 2.0], 1.0), "baseline"),
        (lambda: Design(SPEND, alpha=0.0), "alpha"),
        (lambda: Design(SPEND, shares=(0.5, 0.4)), "weights"),
        (lambda: Design(SPEND, power=0.01), "design"),
        (lambda: Design(SPEND, margin=1.0), "design"),
        (lambda: Design(SPEND, looks=0), "design"),
        (lambda: Design(SPEND, rule=BetaBinomial()), "design"),
        (lambda: Design(SPEND).sample_size(), "design"),
        (lambda: Design(SPEND).sample_size(lift=0.1, difference=1.0), "design"),
        (lambda: Design(SPEND).sample_size(lift=0.0), "design"),
        (lambda: Design(SPEND, alternative="less").sample_size(lift=0.1), "design"),
        (lambda: Design(CLICKS).sample_size(lift=20.0), "design"),
        (lambda: Design(CLICKS).achieved(6, lift=0.1), "design"),
        (lambda: Design(CLICKS).minimum_effect(6), "design"),
    ],
)
def test_what_cannot_be_designed_is_refused(make, code):
    with pytest.raises(UsageError) as raised:
        make()
    assert raised.value.code == code


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0], [1.0, math.nan, 2.0]])
def test_history_that_says_nothing_is_refused(values):
    with pytest.raises(StatisticsError) as raised:
        Baseline.from_history(pl.DataFrame({"spend": values}), Mean("spend"))
    assert raised.value.code == "baseline_data"


def test_an_effect_that_nobody_finds_is_refused():
    with pytest.raises(StatisticsError) as raised:
        Design(SPEND).sample_size(difference=1e-9)
    assert raised.value.code == "no_size"
    with pytest.raises(StatisticsError):
        Design(Baseline.of_proportion(0.9), alternative="greater").minimum_effect(20)
