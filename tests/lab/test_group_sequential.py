"""Group-sequential tests, held to published tables and to simulated Brownian paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from labfactory import GroupSequential, StatisticsError, UsageError
from labfactory.lab.estimators import Sample
from labfactory.lab.sequential.futility import futility_bounds
from labfactory.lab.sequential.recursion import banded, crossing, dense
from labfactory.lab.sequential.spending import (
    SpendingFunction,
    crossing_chance,
    spending_bounds,
    wang_tsiatis_bounds,
    wang_tsiatis_constant,
)

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def arm(units: int, mean: float) -> Sample:
    return Sample(units, mean, 4.0)


# Armitage, McPherson and Rowe 1969, table 2.
@pytest.mark.parametrize(
    ("looks", "chance"),
    [(1, 0.05), (2, 0.0831), (3, 0.1073), (4, 0.1262), (5, 0.1417), (10, 0.1934), (20, 0.2479), (50, 0.3204)],
)
def test_peeking_errs_as_often_as_published(looks, chance):
    assert crossing_chance(range(1, looks + 1), [1.96] * looks) == pytest.approx(chance, abs=6e-5)


# Jennison and Turnbull 2000, tables 2.1 and 2.3: alpha 0.05.
@pytest.mark.parametrize(
    ("looks", "pocock", "obrien_fleming"),
    [(2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024), (5, 2.413, 2.040), (10, 2.555, 2.087)],
)
def test_classical_constants_are_the_published_ones(looks, pocock, obrien_fleming):
    assert wang_tsiatis_constant(looks) == pytest.approx(pocock, abs=5.1e-4)
    assert wang_tsiatis_constant(looks, shape=0) == pytest.approx(obrien_fleming, abs=5.1e-4)


def test_five_looks_of_obrien_and_fleming_have_the_published_bounds():
    bounds = wang_tsiatis_bounds(5, constant=wang_tsiatis_constant(5, shape=0), shape=0)
    assert [round(bound, 2) for bound in bounds] == [4.56, 3.23, 2.63, 2.28, 2.04]


# Of the R packages ldbounds and gsDesign; power spending as Spotify's confidence prints it, to its precision.
@pytest.mark.parametrize(
    ("spending", "shape", "bounds"),
    [
        ("obrien_fleming", None, [4.8769, 3.3570, 2.6803, 2.2898, 2.0310]),
        ("pocock", None, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
        ("power", 2.0, [3.0902, 2.7141, 2.4728, 2.2798, 2.1140]),
    ],
)
def test_spending_bounds_are_the_published_ones(spending, shape, bounds):
    found = GroupSequential(looks=5, spending=spending, shape=shape).bounds(alpha=0.05)
    assert list(found) == pytest.approx(bounds, abs=1.1e-4)


def test_bounds_for_efficacy_and_futility_are_those_of_gs_design():
    # gsDesign(k = 3, test.type = 4, alpha = 0.025, beta = 0.1): Hwang, Shih and DeCani with -4 and -2.
    spending = SpendingFunction("hwang_shih_decani", -4.0)
    futility = SpendingFunction("hwang_shih_decani", -2.0)
    thirds = (1 / 3, 2 / 3, 1.0)
    upper = spending_bounds(spending, thirds, thirds, 0.025, "greater")
    lower = futility_bounds(spending, futility, thirds, thirds, alpha=0.025, power=0.9)
    assert list(upper) == pytest.approx([3.01, 2.55, 2.00], abs=5e-3)
    assert list(lower) == pytest.approx([-0.24, 0.94, 2.00], abs=5e-3)


@pytest.mark.parametrize("spending", ["obrien_fleming", "pocock", "power", "hwang_shih_decani"])
@pytest.mark.parametrize("information", [FIFTHS, (0.05, 0.06, 0.5, 0.99, 1.0), (0.7, 1.0), (1.0,)])
@pytest.mark.parametrize("alternative", ["two_sided", "greater"])
def test_all_of_alpha_is_spent_whenever_looks_come(spending, information, alternative):
    function = SpendingFunction(spending, {"power": 3.0, "hwang_shih_decani": -4.0}.get(spending))
    bounds = spending_bounds(function, information, information, 0.05, alternative)
    lower = [-bound if alternative == "two_sided" else -math.inf for bound in bounds]
    chances = crossing(information, bounds, lower=lower)
    spent = np.cumsum(chances.above) + (np.cumsum(chances.below) if alternative == "two_sided" else 0)
    sides = 2 if alternative == "two_sided" else 1
    assert spent.tolist() == pytest.approx([function.spent(t, 0.05, sides=sides) for t in information])
    assert spent[-1] == pytest.approx(0.05)


def test_leaving_out_far_nodes_changes_nothing():
    random = np.random.default_rng(3)
    before, score = np.sort(random.normal(0, 5, 400)), np.sort(random.normal(0, 5, 160))
    mass = random.random(400)
    near, plain = (spread(score, before, mass, 0.3) for spread in (banded, dense))
    assert near.tolist() == pytest.approx(plain.tolist(), rel=1e-12)


def test_chances_are_those_of_simulated_paths():
    information, drift, runs = np.array([0.1, 0.4, 0.5, 1.0]), 1.5, 200_000
    bounds = np.array([2.5, 2.2, 2.1, 1.9])
    steps = np.diff(information, prepend=0.0)
    noise = np.random.default_rng(5).standard_normal((runs, 4)) * np.sqrt(steps)
    z = (np.cumsum(noise, axis=1) + drift * information) / np.sqrt(information)
    is_out = np.abs(z) >= bounds
    first = np.where(is_out.any(axis=1), is_out.argmax(axis=1), -1)
    chances = crossing(information.tolist(), bounds.tolist(), lower=(-bounds).tolist(), drift=drift)
    for look in range(4):
        above, below = (first == look) & (z[:, look] > 0), (first == look) & (z[:, look] < 0)
        for found, chance in ((above, chances.above[look]), (below, chances.below[look])):
            assert abs(found.mean() - chance) < 4 * math.sqrt(chance / runs) + 1e-12


def test_a_single_look_is_the_fixed_test():
    look = GroupSequential(looks=1).look(arm(900, 1.0), arm(1100, 1.2), alpha=0.05)
    z = 0.2 / math.sqrt(4 / 900 + 4 / 1100)
    assert look.p == pytest.approx(2 * stats.norm.sf(z))
    assert look.stagewise_p == pytest.approx(look.p)
    assert look.lower == pytest.approx(0.2 * (1 - stats.norm.isf(0.025) / z))
    assert look.stop == "significant"


def test_the_repeated_p_value_is_the_level_whose_bound_is_reached():
    rule = GroupSequential(looks=3)
    history = [rule.look(arm(1000, 1.0), arm(1000, 1.1), alpha=0.05)]
    look = rule.look(arm(2000, 1.0), arm(2000, 1.12), alpha=0.05, history=history)
    z = 0.12 / math.sqrt(8 / 2000)
    again = rule.look(arm(2000, 1.0), arm(2000, 1.12), alpha=look.p, history=history)
    assert again.lower == pytest.approx(0.0, abs=1e-9)
    thirds = (1 / 3, 2 / 3)
    assert spending_bounds(SpendingFunction("obrien_fleming"), thirds, thirds, look.p, "two_sided")[
        -1
    ] == pytest.approx(z)


def test_p_values_fall_smoothly_where_they_are_integrated_no_more():
    rule = GroupSequential(looks=2)
    history = [rule.look(arm(1000, 1.0), arm(1000, 1.0), alpha=0.05)]
    error = math.sqrt(8 / 2000)
    strengths = np.arange(6.0, 12.0, 0.1)
    log_p = [
        rule.look(arm(2000, 1.0), arm(2000, 1 + z * error), alpha=0.05, history=history).log_p
        for z in strengths
    ]
    assert np.diff(log_p).max() < 0
    assert log_p[-1] == pytest.approx(stats.norm.logsf(strengths[-1]) + math.log(2), abs=0.2)


def test_the_stagewise_p_value_counts_earlier_stops_and_as_much_here():
    rule = GroupSequential(looks=2, spending="pocock")
    history = [rule.look(arm(1000, 1.0), arm(1000, 1.1), alpha=0.05)]
    look = rule.look(arm(2000, 1.0), arm(2000, 1.2), alpha=0.05, history=history)
    z, first = 0.2 / math.sqrt(8 / 2000), rule.bounds(alpha=0.05)[0]
    later = stats.multivariate_normal(cov=[[1, math.sqrt(0.5)], [math.sqrt(0.5), 1]])
    inside = later.cdf([first, -z], rng=1) - later.cdf([-first, -z], rng=1)
    assert look.stop == "significant"
    assert look.stagewise_p == pytest.approx(2 * (stats.norm.sf(first) + inside), rel=1e-3)


def test_looks_that_never_cross_finish_at_the_last():
    rule, history = GroupSequential(looks=3), []
    for units in (1000, 2000, 3000):
        history.append(rule.look(arm(units, 1.0), arm(units, 1.01), alpha=0.05, history=history))
    assert [look.stop for look in history] == [None, None, "finished"]
    assert [look.stagewise_p is None for look in history] == [True, True, False]
    with pytest.raises(StatisticsError, match="expected 3 looks at most") as raised:
        rule.look(arm(4000, 1.0), arm(4000, 1.01), alpha=0.05, history=history)
    assert raised.value.code == "look_unplanned"


def test_the_planned_units_end_the_test_also_before_the_last_look():
    rule = GroupSequential(looks=5, planned_units=4000)
    first = rule.look(arm(1000, 1.0), arm(1000, 1.01), alpha=0.05)
    second = rule.look(arm(2100, 1.0), arm(2100, 1.01), alpha=0.05, history=[first])
    assert (first.stop, second.stop) == (None, "finished")


def test_a_look_without_new_units_is_refused():
    rule = GroupSequential()
    first = rule.look(arm(1000, 1.0), arm(1000, 1.01), alpha=0.05)
    with pytest.raises(StatisticsError, match="expected more units") as raised:
        rule.look(arm(1000, 1.0), arm(1000, 1.01), alpha=0.05, history=[first])
    assert raised.value.code == "look_order"


def test_a_lost_cause_is_given_up():
    rule = GroupSequential(looks=3, futility="pocock")
    hopeless = rule.look(arm(1000, 1.0), arm(1000, 0.9), alpha=0.025, alternative="greater")
    hopeful = rule.look(arm(1000, 1.0), arm(1000, 1.15), alpha=0.025, alternative="greater")
    mirrored = rule.look(arm(1000, 1.0), arm(1000, 1.1), alpha=0.025, alternative="less")
    assert (hopeless.stop, hopeful.stop, mirrored.stop) == ("futile", None, "futile")
    assert hopeless.stagewise_p > 0.5
    with pytest.raises(UsageError, match="one-sided test for futility"):
        rule.look(arm(1000, 1.0), arm(1000, 0.9), alpha=0.05)
