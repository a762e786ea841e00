"""Exact sequences of quantiles: confseq's own figures, one decision, and levels that hold at every look."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labfactory import (
    AlwaysValid,
    Baseline,
    Design,
    ExactQuantile,
    Experiment,
    Hypothesis,
    Quantile,
    StatisticsError,
    UsageError,
)
from labfactory.lab.estimators import Sample
from labfactory.lab.quantile import quantile_sample
from labfactory.lab.sequential import quantile_sequence
from labfactory.lab.sequential.mixtures import best_rho, log_beta_binomial_mixture

RULE = ExactQuantile(horizon=100)


@pytest.mark.parametrize(
    ("q", "shift", "p"),
    [(0.5, 70, 0.814704), (0.5, 85, 0.0838055), (0.5, 100, 0.0054947), (0.9, 55, 0.0340463)],
)
def test_p_values_are_those_of_confseq(q, shift, p):
    """QuantileABTest in confseq's test/uniform_boundaries_unittest.cpp."""
    arms = (quantile_sample(np.arange(1, 1001.0) + by, q) for by in (0, shift))
    assert RULE.look(*arms, alpha=0.05).p == pytest.approx(p, abs=1e-6)


def evidence(values: np.ndarray, x: float, q: float, alpha: float = 0.05) -> float:
    """Against x as the quantile, from the definition: the least over what of the ties counts as below."""
    n, rho = len(values), best_rho(RULE.horizon * q * (1 - q), alpha)
    below = np.linspace((values < x).sum(), (values <= x).sum(), 401)
    return float(log_beta_binomial_mixture(below - q * n, q * (1 - q) * n, rho, below=q, above=1 - q).min())


VALUES = st.lists(st.integers(0, 12).map(float), min_size=2, max_size=60).map(np.array)


@given(VALUES, VALUES, st.sampled_from([0.3, 0.5, 0.8]))
@settings(max_examples=60, deadline=None)
def test_a_look_is_what_its_definition_says(control, treatment, q):
    alpha = 0.3  # so that few values say something
    look = RULE.look(quantile_sample(control, q), quantile_sample(treatment, q), alpha=alpha)
    points = np.unique(np.concatenate([control, treatment]))
    least = min(evidence(control, x, q, alpha) + evidence(treatment, x, q, alpha) for x in points)
    assert look.log_p == pytest.approx(min(0.0, -least), abs=1e-3)
    threshold = -math.log(alpha)
    pairs = [
        y - x
        for x in np.unique(control)
        for y in np.unique(treatment)
        if evidence(control, x, q, alpha) + evidence(treatment, y, q, alpha) < threshold - 1e-3
    ]
    for difference in pairs:
        assert look.lower is None or look.lower <= difference
        assert look.upper is None or look.upper >= difference
    assert look.lower is None or look.lower in np.subtract.outer(treatment, control)
    assert look.upper is None or look.upper in np.subtract.outer(treatment, control)


@given(st.integers(0, 2**32), st.floats(-3, 3), st.sampled_from([0.5, 0.9]))
@settings(max_examples=60, deadline=None)
def test_p_value_and_both_intervals_decide_alike(seed, effect, q):
    random = np.random.default_rng(seed)
    control, treatment = random.gamma(2.0, 1.0, 800), random.gamma(2.0, 1.0, 700) * math.exp(effect / 4)
    look = RULE.look(quantile_sample(control, q), quantile_sample(treatment, q), alpha=0.05)
    assert look.lower is not None
    assert look.upper is not None
    assert look.relative_lower is not None
    assert look.relative_upper is not None
    decided = look.lower > 0 or look.upper < 0
    assert decided == (look.p <= 0.05) == (look.stop == "significant")
    assert (look.relative_lower > 0, look.relative_upper < 0) == (look.lower > 0, look.upper < 0)


def test_a_monotone_scale_changes_no_p_value():
    random = np.random.default_rng(1)
    arms = random.normal(0.0, 1.0, 500), random.normal(0.4, 1.0, 600)
    plain = RULE.look(*(quantile_sample(arm, 0.5) for arm in arms), alpha=0.05)
    bent = RULE.look(*(quantile_sample(np.exp(arm), 0.5) for arm in arms), alpha=0.05)
    assert bent.p == plain.p


def test_an_evaluation_reads_quantiles_by_it_also_within_segments():
    random, units = np.random.default_rng(2), 6000
    data = pl.DataFrame(
        {
            "variant": ["a", "b"] * (units // 2),
            "wait_s": random.gamma(2.0, 1.0, units) * np.tile([1.0, 1.4], units // 2),
            "channel": random.choice(["web", "app"], units),
        }
    )
    experiment = Experiment(
        "speed",
        hypothesis=Hypothesis("None.", 0.0),
        variants=["a", "b"],
        metrics={"slow": Quantile("wait_s", 0.9)},
    )
    evaluation = experiment.evaluate(data, control="a", sequential=ExactQuantile(), segments=["channel"])
    row = evaluation.row("slow", "b")
    arms = (data.filter(variant=name)["wait_s"].to_numpy() for name in "ab")
    look = ExactQuantile().look(*(quantile_sample(arm, 0.9) for arm in arms), alpha=0.05)
    found = row.lower, row.upper, row.p, row.relative_lower, row.relative_upper
    assert found == (look.lower, look.upper, look.p, look.relative_lower, look.relative_upper)
    assert row.method == "quantile, exact_quantile(horizon=1000)"
    assert all(each.row.p is not None for each in evaluation.segments)
    asymptotic = experiment.evaluate(data, control="a", sequential=AlwaysValid()).row("slow", "b")
    assert row.lower is not None
    assert asymptotic.lower is not None
    assert row.lower < asymptotic.lower


def test_bounds_of_a_quantile_hold_at_every_look():
    random, runs, missed = np.random.default_rng(3), 300, 0
    for _ in range(runs):
        values = random.exponential(1.0, 400)
        bounds = [quantile_sequence(values[:n], 0.8, alpha=0.1, horizon=100) for n in range(20, 401, 20)]
        missed += any(not lower <= -math.log(0.2) <= upper for lower, upper in bounds)
    assert missed / runs <= 0.1 + 4 * math.sqrt(0.09 / runs)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("is_coarse", [False, True], ids=["smooth", "ties"])
def test_equal_quantiles_differ_at_any_look_no_more_than_alpha_says(share, is_coarse):
    random, runs, found = np.random.default_rng(4), 150, 0
    for _ in range(runs):
        values = random.gamma(2.0, 1.0, 2000)
        values = np.floor(values) if is_coarse else values
        is_treated = random.random(2000) < share
        for n in range(200, 2001, 200):
            arms = (values[:n][is_treated[:n] == treated] for treated in (False, True))
            look = ExactQuantile(horizon=300).look(*(quantile_sample(arm, 0.5) for arm in arms), alpha=0.1)
            if look.stop:
                found += 1
                break
    assert found / runs <= 0.1 + 4 * math.sqrt(0.09 / runs)


def test_what_it_cannot_read_is_refused():
    sample, data = Sample(100, 1.0, 1.0), pl.DataFrame({"variant": ["a", "b"], "m": [1.0, 2.0], "c": [1, 2]})
    with pytest.raises(StatisticsError, match="quantiles with their values") as caught:
        RULE.look(sample, sample, alpha=0.05)
    assert caught.value.code == "invalid_outcome"
    arm = quantile_sample(np.arange(9.0), 0.5)
    with pytest.raises(UsageError, match="alternative two_sided"):
        RULE.look(arm, arm, alpha=0.05, alternative="greater")
    clustered = Experiment(
        "x", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"m": Quantile("m", 0.5, "c")}
    )
    with pytest.raises(UsageError, match="independent rows"):
        clustered.evaluate(data, control="a", sequential=RULE)
    for run in (lambda: ExactQuantile(0), lambda: quantile_sequence([1.0], 1.0, alpha=0.05)):
        with pytest.raises(UsageError) as refused:
            run()
        assert refused.value.code == "stop_rule"
    for values, code in (([], "no_units"), ([1.0, math.nan], "invalid_outcome")):
        with pytest.raises(StatisticsError) as wrong:
            quantile_sequence(values, 0.5, alpha=0.05)
        assert wrong.value.code == code
    with pytest.raises(UsageError, match="rule that can be sized"):
        Design(Baseline.of_quantile([1.0, 2, 3, 4, 5], 0.5), rule=RULE)  # type: ignore[arg-type]


def test_a_handful_of_values_says_nothing():
    look = ExactQuantile().look(*(quantile_sample(np.arange(3.0) + by, 0.5) for by in (0, 50)), alpha=0.05)
    assert (look.lower, look.upper, look.stop) == (None, None, None)
