"""Intervals after shares followed the outcomes: scores by hand, and coverage by simulation."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy import stats

from labfactory.base.errors import LabfactoryError, StatisticsError, UsageError
from labfactory.lab import AdaptiveAllocation, AdaptiveLog
from labfactory.lab.adaptive import AdaptiveBatch, ArmMoments

# More runs for the figures of docs/validation.md: LABFACTORY_RUNS=5000.
RUNS = int(os.environ.get("LABFACTORY_RUNS", "700"))


def moments(values: npt.NDArray[np.float64]) -> ArmMoments:
    if not len(values):
        return ArmMoments(0, 0.0, 0.0)
    return ArmMoments(len(values), float(values.mean()), float(np.square(values - values.mean()).sum()))


def test_one_batch_of_equal_shares_is_the_difference_of_means() -> None:
    random = np.random.default_rng(1)
    values = random.normal(3, 1, 4_000)
    frame = pl.DataFrame({"variant": ["a", "b"] * 2_000, "y": values})
    log = AdaptiveLog(("a", "b")).add(frame, outcome="y", propensities={"a": 0.5, "b": 0.5})
    (made,) = log.estimates(control="a")
    welch = stats.ttest_ind(values[1::2], values[::2], equal_var=False)
    assert made.value == pytest.approx(values[1::2].mean() - values[::2].mean())
    assert made.value == pytest.approx(made.naive)
    assert made.value / made.standard_error == pytest.approx(welch.statistic, rel=2e-3)
    assert (made.lower, made.upper) == pytest.approx(
        (made.value - 1.959964 * made.standard_error, made.value + 1.959964 * made.standard_error)
    )


def test_estimates_are_the_weighted_mean_of_unit_scores() -> None:
    """Hadad et al. 2021, eq. 5 to 7, unit by unit."""
    random = np.random.default_rng(2)
    propensities = np.array([[0.4, 0.3, 0.3], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    batches: list[AdaptiveBatch] = []
    arms, outcomes = [], []
    for shares in propensities:
        arm = random.choice(3, 300, p=shares)
        outcome = random.normal(5 + arm, 1 + arm)
        arms.append(arm)
        outcomes.append(outcome)
        batches.append(AdaptiveBatch(tuple(shares), tuple(moments(outcome[arm == k]) for k in range(3))))
    log = AdaptiveLog(("a", "b", "c"), tuple(batches))

    def scores(k: int) -> list[npt.NDArray[np.float64]]:
        made = []
        for b in range(3):
            before = np.concatenate(outcomes[: max(b, 1)])[np.concatenate(arms[: max(b, 1)]) == k]
            m = before.mean()
            made.append(m + (arms[b] == k) / propensities[b, k] * (outcomes[b] - m))
        return made

    def expected(
        parts: list[npt.NDArray[np.float64]], weights: npt.NDArray[np.float64]
    ) -> tuple[float, float]:
        h, score = np.repeat(weights, 300), np.concatenate(parts)
        value = (h * score).sum() / h.sum()
        return float(value), float(np.sqrt((h**2 * (score - value) ** 2).sum()) / h.sum())

    for k, made in enumerate(log.estimates()):
        assert (made.value, made.standard_error) == pytest.approx(
            expected(scores(k), np.sqrt(propensities[:, k]))
        )
    for k, made in enumerate(log.estimates(control="a"), 1):
        difference = [own - base for own, base in zip(scores(k), scores(0), strict=True)]
        weights = 1 / np.sqrt(1 / propensities[:, k] + 1 / propensities[:, 0])
        assert (made.value, made.standard_error) == pytest.approx(expected(difference, weights))


def test_batches_in_which_an_arm_could_not_be_do_not_count() -> None:
    full = AdaptiveBatch((0.5, 0.5), (ArmMoments(50, 1.0, 40.0), ArmMoments(50, 2.0, 40.0)))
    alone = AdaptiveBatch((1.0, 0.0), (ArmMoments(90, 7.0, 40.0), ArmMoments(0, 0.0, 0.0)))
    assert AdaptiveLog(("a", "b"), (full, alone)).estimates(control="a")[0].units == 100
    assert AdaptiveLog(("a", "b"), (full, alone)).estimates(control="b")[0].value == pytest.approx(-1)
    for log in (AdaptiveLog(("a", "b"), (alone,)), AdaptiveLog(("a", "b"))):
        with pytest.raises(StatisticsError) as caught:
            log.estimates(control="a")
        assert caught.value.code == "no_units"


@pytest.mark.parametrize(
    ("outcome", "variant", "code"),
    [
        (pl.lit("x"), pl.col("variant"), "column_type"),
        (pl.lit(dt.date(2026, 1, 1)), pl.col("variant"), "column_type"),
        (pl.lit(1e200), pl.col("variant"), "overflow"),
        (pl.lit(1.0), pl.concat_list("variant"), "column_type"),
    ],
)
def test_a_batch_that_no_sums_can_hold_is_refused(outcome: pl.Expr, variant: pl.Expr, code: str) -> None:
    frame = pl.DataFrame({"variant": ["a", "b"]}).select(variant, y=outcome)
    with pytest.raises(LabfactoryError) as caught:
        AdaptiveLog(("a", "b")).add(frame, outcome="y", propensities={"a": 0.5, "b": 0.5})
    assert caught.value.code == code


def test_an_arm_without_units_still_has_scores() -> None:
    batch = AdaptiveBatch((0.9, 0.1), (ArmMoments(5, 1.0, 2.0), ArmMoments(0, 0.0, 0.0)))
    assert AdaptiveLog(("a", "b"), (batch,)).estimates(control="a")[0].naive is None


def test_a_sequence_is_that_of_the_published_formula() -> None:
    batch = AdaptiveBatch((0.5, 0.5), (ArmMoments(500, 1.0, 400.0), ArmMoments(500, 1.1, 400.0)))
    log = AdaptiveLog(("a", "b"), (batch,))
    (fixed,), (sequence,) = log.estimates(control="a"), log.estimates(control="a", horizon=2_000)
    rho2 = (-2 * np.log(0.05) + np.log(-2 * np.log(0.05) + 1)) / 2_000
    n = 1_000
    width = (
        fixed.standard_error
        * np.sqrt(n)
        * np.sqrt(2 * (n * rho2 + 1) * np.log(np.sqrt(n * rho2 + 1) / 0.05) / (n * np.sqrt(rho2)) ** 2)
    )
    assert sequence.upper - sequence.value == pytest.approx(width)
    assert sequence.is_sequence
    # The p-value is alpha where the bound just touches 0.
    (touching,) = log.estimates(control="a", horizon=2_000, alpha=0.05)
    z = touching.value / touching.standard_error
    e = np.exp(n * rho2 * z**2 / (2 * (n * rho2 + 1))) / np.sqrt(n * rho2 + 1)
    assert touching.p == pytest.approx(min(1.0, 1 / e))


def test_questions_that_cannot_be_are_refused() -> None:
    log = AdaptiveLog(("a", "b"))
    for options, code in (
        ({"alpha": 0.0}, "alpha"),
        ({"control": "c"}, "unknown_variant"),
        ({"horizon": 0}, "adaptive"),
    ):
        with pytest.raises(UsageError) as caught:
            log.estimates(**options)
        assert caught.value.code == code


@dataclass
class Coverage:
    """What became of many experiments with three arms whose means are all 0."""

    held: float
    difference_held: float
    sequence_held: float
    naive_bias: float
    naive_error: float


def simulate(method: str, runs: int) -> Coverage:
    random = np.random.default_rng(21)
    rule = AdaptiveAllocation(method=method, kind="mean", floor=0.05)  # type: ignore[arg-type]
    held: list[bool] = []
    differences: list[bool] = []
    sequences: list[bool] = []
    naive: list[float] = []
    for _ in range(runs):
        log = AdaptiveLog(("a", "b", "c"))
        always = True
        for _batch in range(8):
            shares = tuple(rule.shares(log).values())
            counts = random.multinomial(500, np.array(shares) / sum(shares))
            arms = tuple(moments(random.standard_normal(count)) for count in counts)
            log = AdaptiveLog(log.variants, (*log.batches, AdaptiveBatch(shares, arms)))
            (sequence, _other) = log.estimates(control="a", horizon=4_000)
            always &= sequence.lower <= 0 <= sequence.upper
        sequences.append(always)
        for estimate in log.estimates():
            held.append(estimate.lower <= 0 <= estimate.upper)
            assert estimate.naive is not None
            naive.append(estimate.naive)
        differences += [one.lower <= 0 <= one.upper for one in log.estimates(control="a")]
    return Coverage(
        float(np.mean(held)),
        float(np.mean(differences)),
        float(np.mean(sequences)),
        float(np.mean(naive)),
        float(np.std(naive) / np.sqrt(len(naive))),
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["thompson", "top_two_thompson"])
def test_intervals_cover_where_the_plain_mean_is_biased(method: str) -> None:
    made = simulate(method, RUNS)
    slack = 4 * (0.95 * 0.05 / RUNS) ** 0.5
    # The plain mean is too low by more than five of its standard errors, over all runs.
    assert made.naive_bias < -5 * made.naive_error
    assert made.held > 0.95 - slack
    assert made.difference_held > 0.95 - slack
    assert min(made.held, made.difference_held) >= 0.93
    assert made.sequence_held >= 0.95 - slack
