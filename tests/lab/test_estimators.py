"""Estimators say what least squares and closed forms say of the same rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labfactory.base.errors import UsageError
from labfactory.lab import (
    Bayes,
    Bootstrap,
    Comparison,
    Cuped,
    Evaluation,
    Experiment,
    Flag,
    Hypothesis,
    Mean,
    PostStratified,
    Proportion,
    Quantile,
    Ratio,
    Regression,
    ZTest,
)
from labfactory.lab.adjustment import Contrast
from labfactory.lab.estimators import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labfactory.lab import Estimator
    from labfactory.lab.metric import Metric

ROWS = 4_000


def experiment(metrics: Mapping[str, Metric]) -> Experiment:
    return Experiment(
        "estimated",
        hypothesis=Hypothesis("It helps.", 0.0),
        variants=["plain", "warm"],
        allocation=[1 / 3, 2 / 3],
        metrics=metrics,
    )


def row_of(data: Any, metric: Metric, estimator: Estimator, **options: Any) -> Comparison:
    evaluated: Evaluation = experiment({"m": metric}).evaluate(
        data, control="plain", estimator=estimator, **options
    )
    return evaluated.rows[0]


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    """Spend that depends on two covariates and a stratum, with a lift of 0.3; a third in the control."""
    random = np.random.default_rng(4)
    warm = random.random(ROWS) < 2 / 3
    history, visits = random.gamma(2.0, 10.0, ROWS), random.poisson(3.0, ROWS).astype(float)
    channel = random.choice(["email", "sms", "push"], ROWS, p=[0.6, 0.3, 0.1])
    spend = 5 + 0.2 * history + visits + 4 * (channel == "sms") + 0.3 * warm + random.normal(0, 3, ROWS)
    return pl.DataFrame(
        {
            "variant": np.where(warm, "warm", "plain"),
            "spend": spend,
            "orders": 1.0 + random.poisson(1.0 + 0.2 * warm),
            "history": history,
            "visits": visits,
            "channel": channel,
            "bought": random.random(ROWS) < np.where(warm, 0.24, 0.2),
        }
    )


def arms(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    return frame.filter(variant="plain"), frame.filter(variant="warm")


def test_cuped_is_the_difference_of_residuals_of_a_pooled_fit(frame: pl.DataFrame) -> None:
    covariates = frame.select("history", "visits").to_numpy()
    centred = covariates - covariates.mean(axis=0)
    spend = frame["spend"].to_numpy()
    theta = np.linalg.lstsq(centred, spend - spend.mean(), rcond=None)[0]
    adjusted = frame.select("variant", rest=pl.Series(spend - centred @ theta))
    before, after = (arm["rest"].to_numpy() for arm in arms(adjusted))
    expected = stats.ttest_ind(after, before, equal_var=False)
    row = row_of(frame, Mean("spend"), Cuped("history", "visits"))
    interval = expected.confidence_interval(0.95)
    assert row.difference == pytest.approx(after.mean() - before.mean(), rel=1e-10)
    assert (row.lower, row.upper) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert row.p == pytest.approx(expected.pvalue, rel=1e-8)
    assert (row.control_value, row.treatment_value) == pytest.approx((before.mean(), after.mean()), rel=1e-11)
    assert row.method == "cuped(history, visits)"


def test_cuped_removes_the_square_of_the_correlation(frame: pl.DataFrame) -> None:
    plain = row_of(frame, Mean("spend"), ZTest())
    adjusted = row_of(frame, Mean("spend"), Cuped("history"))
    within = [np.corrcoef(arm["spend"], arm["history"])[0, 1] ** 2 for arm in arms(frame)]
    assert plain.standard_error is not None
    assert adjusted.standard_error is not None
    removed = 1 - (adjusted.standard_error / plain.standard_error) ** 2
    assert min(within) - 0.01 < removed < max(within) + 0.01


def test_a_covariate_said_twice_changes_nothing(frame: pl.DataFrame) -> None:
    doubled = frame.with_columns(again=2 * pl.col("history") + 1, constant=pl.lit(1e8))
    once = row_of(doubled, Mean("spend"), Cuped("history"))
    for estimator in (Cuped("history", "again"), Cuped("constant", "history")):
        twice = row_of(doubled, Mean("spend"), estimator)
        assert (twice.difference, twice.lower) == pytest.approx((once.difference, once.lower), rel=1e-9)


def test_a_null_covariate_is_read_as_0_and_flagged(frame: pl.DataFrame) -> None:
    sparse = frame.with_columns(history=pl.when(pl.col("history") > 30).then(None).otherwise("history"))
    estimator = Cuped("history")
    evaluation = experiment({"m": Mean("spend")}).evaluate(sparse, control="plain", estimator=estimator)
    filled = row_of(sparse.fill_null(0.0), Mean("spend"), estimator)
    assert evaluation.rows[0] == filled
    nulls = sparse.filter(pl.col("history").is_null()).group_by("variant").len()
    expected = [Flag("missing_covariate", "history", name, count) for name, count in sorted(nulls.rows())]
    assert [flag for flag in evaluation.flags if flag.code == "missing_covariate"] == expected


def test_regression_is_lins_interacted_least_squares(frame: pl.DataFrame) -> None:
    covariates = frame.select("history", "visits").to_numpy()
    centred = covariates - covariates.mean(axis=0)
    warm = (frame["variant"] == "warm").to_numpy().astype(float)[:, None]
    design = np.hstack([np.ones((ROWS, 1)), warm, centred, warm * centred])
    spend = frame["spend"].to_numpy()
    fitted = np.linalg.lstsq(design, spend, rcond=None)[0]
    row = row_of(frame, Mean("spend"), Regression("history", "visits"))
    assert row.difference == pytest.approx(fitted[1], rel=1e-9)
    rest = spend - design @ fitted
    bread = np.linalg.inv(design.T @ design)
    leverage = (design @ bread * design).sum(axis=1)
    sandwich = bread @ (design.T * (rest**2 / (1 - leverage))) @ design @ bread
    # The estimate from moments is that of HC2 where residual variance does not hang on covariates.
    assert row.standard_error == pytest.approx(math.sqrt(sandwich[1, 1]), rel=0.01)


def test_post_stratification_weighs_strata_by_all_their_units(frame: pl.DataFrame) -> None:
    difference = variance = 0.0
    for (_,), stratum in frame.group_by("channel"):
        before, after = (arm["spend"].to_numpy() for arm in arms(stratum))
        share = stratum.height / ROWS
        difference += share * (after.mean() - before.mean())
        variance += share**2 * (before.var(ddof=1) / before.size + after.var(ddof=1) / after.size)
    row = row_of(frame, Mean("spend"), PostStratified("channel"))
    assert row.difference == pytest.approx(difference, rel=1e-11)
    assert row.standard_error == pytest.approx(math.sqrt(variance), rel=1e-11)


def test_strata_too_small_for_a_variance_are_put_together(frame: pl.DataFrame) -> None:
    lone = frame.with_columns(
        channel=pl.when(pl.int_range(pl.len()) < 1).then(pl.lit("fax")).otherwise("channel")
    )
    row = row_of(lone, Mean("spend"), PostStratified("channel"))
    assert row.lower is not None
    evaluation = experiment({"m": Mean("spend")}).evaluate(
        lone, control="plain", estimator=PostStratified("channel")
    )
    assert Flag("strata_pooled", count=1) in evaluation.flags
    every = frame.with_columns(channel=pl.int_range(pl.len()).cast(pl.String))
    alone = row_of(every, Mean("spend"), PostStratified("channel"))
    assert alone.difference == pytest.approx(row_of(frame, Mean("spend"), ZTest()).difference, rel=1e-11)


def test_a_ratio_has_the_variance_of_the_delta_method(frame: pl.DataFrame) -> None:
    ratios, variances = [], []
    for arm in arms(frame):
        spend, orders = arm["spend"].to_numpy(), arm["orders"].to_numpy()
        ratio = spend.mean() / orders.mean()
        ratios.append(ratio)
        variances.append(np.var(spend - ratio * orders, ddof=1) / orders.mean() ** 2 / orders.size)
    row = row_of(frame, Ratio("spend", "orders"), ZTest())
    assert (row.control_value, row.treatment_value) == pytest.approx(tuple(ratios), rel=1e-12)
    assert row.standard_error == pytest.approx(math.sqrt(sum(variances)), rel=1e-10)
    adjusted = row_of(frame, Ratio("spend", "orders"), Cuped("history", "visits"))
    stratified = row_of(frame, Ratio("spend", "orders"), PostStratified("channel"))
    for other in (adjusted, stratified):
        assert other.standard_error is not None
        assert row.standard_error is not None
        assert 0.5 * row.standard_error < other.standard_error < row.standard_error


def test_a_ratio_over_nothing_is_flagged(frame: pl.DataFrame) -> None:
    empty = frame.with_columns(orders=pl.lit(0.0))
    evaluation = experiment({"m": Ratio("spend", "orders")}).evaluate(empty, control="plain")
    assert {flag.code for flag in evaluation.flags} == {"no_denominator"}
    assert evaluation.rows[0].difference is None


@pytest.mark.parametrize(
    "estimator",
    [
        Cuped("history"),
        Regression("history", "visits"),
        PostStratified("channel"),
        ZTest(),
        Bayes(),
        Bayes(prior_sd=0.05),
        Bootstrap(400, seed=1),
    ],
    ids=lambda estimator: estimator.name,
)
@pytest.mark.parametrize(
    "metric", [Mean("spend"), Proportion("bought"), Ratio("spend", "orders")], ids=lambda m: m.kind
)
def test_absolute_and_relative_intervals_decide_alike_for_every_estimator(
    frame: pl.DataFrame, estimator: Estimator, metric: Metric
) -> None:
    decisions = set()
    for alpha in (0.5, 0.05, 0.002):
        row = row_of(frame, metric, estimator, alpha=alpha)
        assert row.lower is not None
        assert row.upper is not None
        assert row.relative_lower is not None
        assert row.relative_upper is not None
        excludes = row.lower > 0 or row.upper < 0
        decisions.add(excludes)
        assert excludes == (row.relative_lower > 0 or row.relative_upper < 0)
        assert row.p is None or (row.p < alpha) == excludes or isinstance(estimator, Bootstrap)
    assert decisions


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.3), st.integers(40, 20_000))
def test_beta_posteriors_are_those_of_simulation(seed: int, share: float, units: int) -> None:
    random = np.random.default_rng(seed)
    events = [int(random.binomial(units, share)), int(random.binomial(2 * units, share))]
    sizes = [units, 2 * units]
    samples = [
        Sample(n, x / n, n / (n - 1) * (x / n) * (1 - x / n)) for x, n in zip(events, sizes, strict=True)
    ]
    if not all(sample.variance for sample in samples):
        return
    judged = Bayes().judge(Proportion("m"), Contrast(samples[0], samples[1], math.inf), alpha=0.1)
    draws = [random.beta(1 + x, 1 + n - x, 40_000) for x, n in zip(events, sizes, strict=True)]
    assert judged.chance_to_win == pytest.approx((draws[1] > draws[0]).mean(), abs=0.0125)
    loss = np.maximum(draws[0] - draws[1], 0)
    assert judged.expected_loss == pytest.approx(loss.mean(), abs=6 * loss.std() / 200 + 1e-12)
    covered = ((draws[1] - draws[0]) > judged.lower) & ((draws[1] - draws[0]) < judged.upper)
    assert covered.mean() == pytest.approx(0.9, abs=0.0075)
    lifts = draws[1] / draws[0] - 1
    assert ((lifts > judged.relative_lower) & (lifts < judged.relative_upper)).mean() == pytest.approx(
        0.9, abs=0.0075
    )


def test_a_normal_prior_pulls_the_lift_and_a_wide_one_does_not(frame: pl.DataFrame) -> None:
    z = row_of(frame, Mean("spend"), ZTest())
    wide = row_of(frame, Mean("spend"), Bayes(prior_sd=1e6))
    assert (wide.lower, wide.upper) == pytest.approx((z.lower, z.upper), rel=1e-6)
    assert z.p is not None
    assert wide.chance_to_win == pytest.approx(1 - z.p / 2, rel=1e-6)
    assert (wide.p, z.chance_to_win) == (None, None)
    narrow = row_of(frame, Mean("spend"), Bayes(prior_sd=0.001))
    assert narrow.difference is not None
    assert z.difference is not None
    assert abs(narrow.difference) < 0.01 * abs(z.difference)
    fewer = row_of(frame, Mean("spend", direction="decrease"), Bayes(prior_sd=1e6))
    assert fewer.chance_to_win == pytest.approx(z.p / 2, rel=1e-6)


def test_bootstrap_intervals_are_those_of_the_normal_distribution_where_it_holds(frame: pl.DataFrame) -> None:
    for metric in (Mean("spend"), Ratio("spend", "orders"), Proportion("bought")):
        z = row_of(frame, metric, ZTest())
        resampled = row_of(frame, metric, Bootstrap(2000, seed=3))
        assert resampled.difference == z.difference
        assert z.standard_error is not None
        # Four standard errors of a standard deviation from 2,000 replicates.
        assert resampled.standard_error == pytest.approx(z.standard_error, rel=4 / math.sqrt(4_000))
        assert (resampled.lower, resampled.upper) == pytest.approx(
            (z.lower, z.upper), abs=0.2 * z.standard_error
        )


def test_bootstraps_of_other_seeds_differ_and_of_other_batches_do_not(frame: pl.DataFrame) -> None:
    first = row_of(frame, Mean("spend"), Bootstrap(200, seed=1))
    assert first != row_of(frame, Mean("spend"), Bootstrap(200, seed=2))
    reader = frame.to_arrow().to_reader(max_chunksize=333)
    assert first == row_of(reader, Mean("spend"), Bootstrap(200, seed=1), threads=1)


def test_quantiles_have_the_error_that_resampling_shows(frame: pl.DataFrame) -> None:
    random = np.random.default_rng(8)
    row = row_of(frame, Quantile("spend", 0.75), ZTest())
    errors = []
    for arm in arms(frame):
        spend = arm["spend"].to_numpy()
        drawn = [np.quantile(random.choice(spend, spend.size), 0.75) for _ in range(400)]
        errors.append(np.std(drawn))
    assert row.method == "quantile"
    assert row.control_value == pytest.approx(np.quantile(arms(frame)[0]["spend"], 0.75))
    assert row.standard_error == pytest.approx(math.hypot(*errors), rel=0.15)


@pytest.mark.parametrize("kind", [pl.Int64, pl.String, pl.Binary, pl.Float64, pl.Date], ids=str)
def test_clusters_of_any_type_widen_the_interval_of_a_quantile(frame: pl.DataFrame, kind: Any) -> None:
    wide = pl.concat([frame.with_columns(unit=pl.int_range(pl.len()))] * 4)
    text = pl.col("unit").cast(pl.String)
    cast = text.cast(kind) if kind in (pl.String, pl.Binary) else pl.col("unit").cast(pl.Int32).cast(kind)
    wide = wide.with_columns(unit=cast)
    once = row_of(frame, Quantile("spend", 0.5), ZTest())
    clustered = row_of(wide, Quantile("spend", 0.5, cluster="unit"), ZTest())
    naive = row_of(wide, Quantile("spend", 0.5), ZTest())
    assert clustered.control_n == once.control_n
    assert clustered.standard_error == pytest.approx(once.standard_error, rel=0.05)
    assert naive.standard_error == pytest.approx(clustered.standard_error / 2, rel=0.05)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cuped(),
        lambda: Regression(3),  # type: ignore[arg-type]
        lambda: Bayes(prior_sd=0.0),
        lambda: Bayes(beta=(0.0, 1.0)),
        lambda: Bootstrap(10),
        lambda: Bootstrap(seed=-1),
    ],
)
def test_an_estimator_with_a_wrong_option_is_refused(make: Any) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.code == "estimator"
