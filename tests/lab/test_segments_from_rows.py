"""Segments of what no sums hold: quantiles, and the bootstrap."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from labfactory import AlwaysValid, Bootstrap, Experiment, Hypothesis, Mean, Quantile

EXPERIMENT = Experiment(
    "speed",
    hypothesis=Hypothesis("None.", 0.0),
    variants=["a", "b"],
    metrics={
        "slow": Quantile("wait_s", 0.9, cluster="customer", direction="decrease"),
        "mean": Mean("wait_s", direction="decrease"),
    },
)


def responses(rows: int = 6000) -> pl.DataFrame:
    random = np.random.default_rng(12)
    customer = random.integers(0, rows // 3, rows)
    arms = np.array(["a", "b"])[customer % 2]
    channel = np.array(["web", "app", None], object)[(customer // 2) % 3]
    effect = np.where((arms == "b") & (channel == "web"), 1.5, 1.0)
    return pl.DataFrame(
        {
            "variant": arms,
            "customer": customer,
            "channel": pl.Series(channel, dtype=pl.String),
            "wait_s": random.gamma(2.0, 1.0, rows) * effect,
        }
    )


@pytest.mark.parametrize("sequential", [None, AlwaysValid()], ids=["fixed", "always valid"])
def test_a_segment_has_the_quantile_of_its_own_rows(sequential: AlwaysValid | None) -> None:
    data = responses()
    evaluation = EXPERIMENT.evaluate(data, control="a", segments=["channel"], sequential=sequential)
    assert len(evaluation.segments) == 6
    for each in evaluation.segments:
        part = data.filter(pl.col("channel").eq_missing(pl.lit(each.segment)))
        alone = EXPERIMENT.evaluate(part, control="a", sequential=sequential)
        row = alone.row(each.row.metric, "b")
        assert each.row.control_n == row.control_n
        if each.row.metric == "slow":
            found = each.row.difference, each.row.lower, each.row.p, each.row.relative_upper, each.row.method
            assert found == (row.difference, row.lower, row.p, row.relative_upper, row.method)


def test_quantiles_that_differ_between_segments_interact() -> None:
    evaluation = EXPERIMENT.evaluate(responses(), control="a", segments=["channel"])
    slow = next(each for each in evaluation.interactions if each.metric == "slow")
    rows = [each.row for each in evaluation.segments if each.row.metric == "slow"]
    differences, errors = (
        np.array([getattr(row, name) for row in rows]) for name in ("difference", "standard_error")
    )
    weights = 1 / errors**2
    statistic = float((weights * (differences - (weights @ differences) / weights.sum()) ** 2).sum())
    assert slow.segments == 3
    assert slow.p == pytest.approx(stats.chi2.sf(statistic, 2))
    assert slow.p < 1e-6


def test_a_segment_is_resampled_by_itself() -> None:
    data, estimator = responses(), Bootstrap(400, seed=3)
    experiment = Experiment(
        "speed", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"mean": Mean("wait_s")}
    )
    evaluation = experiment.evaluate(data, control="a", segments=["channel"], estimator=estimator)
    for each in evaluation.segments:
        part = data.filter(pl.col("channel").eq_missing(pl.lit(each.segment)))
        row = experiment.evaluate(part, control="a", estimator=estimator).row("mean", "b")
        assert (each.row.lower, each.row.upper, each.row.p) == (row.lower, row.upper, row.p)


def test_a_segment_without_one_arm_has_no_quantile_there() -> None:
    data = responses().filter((pl.col("channel") != "app") | (pl.col("variant") == "a"))
    evaluation = EXPERIMENT.evaluate(data, control="a", segments=["channel"])
    (row,) = (each.row for each in evaluation.segments if (each.segment, each.row.metric) == ("app", "slow"))
    assert row.control_value is not None
    assert row.treatment_value is row.difference is row.p is None
    assert row.treatment_n == 0
