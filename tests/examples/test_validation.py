"""The Lab's tests err no more often than they say, however they are read; published figures come out again."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

import labfactory as lf

SCRIPT = Path(__file__).parents[2] / "examples" / "validation.py"


@pytest.fixture(scope="module")
def validation():
    spec = importlib.util.spec_from_file_location("validation", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    import sys

    sys.modules["validation"] = module
    spec.loader.exec_module(module)
    return module


def limit(runs: int) -> float:
    """Alpha and four standard errors of its binomial count."""
    return 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)


def test_published_figures_come_out_again(validation):
    for name, published, computed in validation.goldens():
        # The bounds of O'Brien and Fleming are printed with two digits.
        assert computed == pytest.approx(published, rel=2e-3), name


@pytest.mark.parametrize("lift", [0.0, 0.3])
@pytest.mark.parametrize("outcome", ["conversions .005", "normal"])
def test_fifty_looks_err_no_more_than_one(validation, outcome, lift):
    found = validation.errors(outcome, "50 looks", runs=2000, seed=2, lift=lift)
    wrong = {name: found.pop(name) for name in validation.WRONG}
    assert wrong["peeking"] > 0.25
    assert max(found.values()) <= limit(2000)


def test_a_lift_by_the_delta_method_errs_where_the_inverted_test_does_not(validation):
    found = validation.errors("conversions .005", "50 looks", runs=2000, seed=2)
    assert found["delta method"] > 0.1
    assert found["always_valid 5000"] <= 0.05


def test_a_small_arm_without_a_conversion_yet_proves_nothing(validation):
    found = validation.errors("conversions .005", "one in ten", runs=2000, seed=2)
    assert found["unsteadied"] > 0.2
    assert max(share for name, share in found.items() if name not in validation.WRONG) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("lift", [0.0, 0.3])
@pytest.mark.parametrize("outcome", ["conversions .005", "conversions .1", "amounts", "normal"])
def test_no_schedule_makes_a_rule_err_more_than_alpha(validation, outcome, lift):
    for schedule in validation.SCHEDULES:
        found = validation.errors(outcome, schedule, runs=1500, seed=4, lift=lift)
        rules = {name: share for name, share in found.items() if name not in validation.WRONG}
        assert max(rules.values()) <= limit(1500), (schedule, rules)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [lf.AlwaysValid(), lf.BetaBinomial(), lf.Betting(), lf.GroupSequential(looks=4, spending="pocock")],
    ids=lambda rule: rule.name,
)
def test_the_looks_themselves_cover_difference_and_lift(rule):
    """Through `look`, with the counts that came: the bounds, not only the test they come from."""
    random, runs, step = np.random.default_rng(9), 120, 2000
    missed = {"difference": 0, "lift": 0}
    for _ in range(runs):
        counts = np.cumsum(random.binomial(step, 0.5, 4))
        units = np.array([step * np.arange(1, 5) - counts, counts])
        new = np.diff(units, axis=1, prepend=0)
        conversions = np.cumsum(random.binomial(new, [[0.02], [0.03]]), axis=1)
        history: list[lf.Look] = []
        outside = {"difference": False, "lift": False}
        for arm_units, arm_conversions in zip(units.T, conversions.T, strict=True):
            arms = [_arm(int(n), int(k)) for n, k in zip(arm_units, arm_conversions, strict=True)]
            look = rule.look(*arms, alpha=0.05, history=history)
            history.append(look)
            outside["difference"] |= look.lower is not None and not look.lower <= 0.01 <= look.upper
            too_low = look.relative_lower is not None and look.relative_lower > 0.5
            outside["lift"] |= too_low or (look.relative_upper is not None and look.relative_upper < 0.5)
        for name, is_outside in outside.items():
            missed[name] += is_outside
    assert max(missed.values()) / runs <= limit(runs)


def _arm(units: int, conversions: int):
    from labfactory.lab.estimators import Sample

    rate = conversions / units
    return Sample(units, rate, rate * (1 - rate) * units / (units - 1))


@pytest.mark.slow
def test_always_valid_costs_the_power_that_is_published(validation):
    # The README of ville: effect 0.05, 12,559 units: power 80.0 % at one look, 55.1 % of the sequence.
    fixed, sequence, _ = validation.cost_of_always_validity(runs=3000, seed=5, effect=0.05, horizon=10_000)
    assert abs(fixed - 0.800) < 4 * math.sqrt(0.16 / 3000)
    assert abs(sequence - 0.551) < 4 * math.sqrt(0.25 / 3000)
