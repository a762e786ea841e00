"""Ratios whose numerator and denominator are winsorised, or count within a window."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from labfactory import Baseline, Experiment, Hypothesis, Mean, Ratio, UsageError

DAYS = dt.timedelta(days=7)


def make(metric: Ratio | Mean) -> Experiment:
    return Experiment("tone", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"m": metric})


def responses() -> pl.DataFrame:
    random, units = np.random.default_rng(5), 4000
    first = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    exposed = pl.Series([first + dt.timedelta(hours=int(h)) for h in random.integers(0, 200, units)])
    return pl.DataFrame(
        {
            "variant": ["a", "b"] * (units // 2),
            "spend": random.pareto(1.5, units) * 10,
            "orders": 1 + random.poisson(3.0, units),
            "exposed": exposed,
            "paid": exposed
            + pl.Series([dt.timedelta(hours=int(h)) for h in random.integers(-24, 400, units)]),
        }
    )


def test_bounds_and_percentiles_move_each_part_of_a_ratio() -> None:
    data = responses()
    high = float(np.quantile(data["orders"], 0.9))
    by_hand = data.with_columns(
        pl.col("spend").clip(1.0, 200.0), pl.col("orders").cast(float).clip(None, high)
    )
    metric = Ratio("spend", "orders", bounds=(1.0, 200.0), denominator_percentiles=(None, 0.9))
    found = make(metric).evaluate(data, control="a")
    assert found.rows == make(Ratio("spend", "orders")).evaluate(by_hand, control="a").rows
    assert found.adjustments == (
        "spend winsorised to 1 … 200",
        f"orders winsorised to no bound … {high:g}",
    )


@pytest.mark.parametrize("is_both", [False, True], ids=["numerator", "both"])
def test_a_window_leaves_out_what_came_late(is_both: bool) -> None:
    data = responses()
    inside = (pl.col("paid") >= pl.col("exposed")) & (pl.col("paid") <= pl.col("exposed") + DAYS)
    parts = ["spend", "orders"] if is_both else ["spend"]
    by_hand = data.with_columns(pl.when(inside).then(pl.col(part)).otherwise(0).alias(part) for part in parts)
    metric = Ratio("spend", "orders", within=DAYS, at="paid", denominator_at="paid" if is_both else None)
    found = make(metric).evaluate(data, control="a", exposed_at="exposed")
    plain = make(Ratio("spend", "orders")).evaluate(by_hand, control="a", exposed_at="exposed")
    assert found.rows == plain.rows
    assert found.adjustments == tuple(f"{part} within 7 days of exposure" for part in parts)


def test_percentiles_are_those_of_what_counts_within_the_window() -> None:
    data = responses()
    inside = (pl.col("paid") >= pl.col("exposed")) & (pl.col("paid") <= pl.col("exposed") + DAYS)
    counted = data.select(pl.when(inside).then(pl.col("spend")).otherwise(0.0))["spend"]
    high = float(np.quantile(counted, 0.95))
    metric = Mean("spend", percentiles=(None, 0.95), within=DAYS, at="paid")
    found = make(metric).evaluate(data, control="a", exposed_at="exposed")
    assert f"spend winsorised to no bound … {high:g}" in found.adjustments


def test_a_baseline_of_a_ratio_is_winsorised_alike() -> None:
    data = responses()
    capped = data.with_columns(pl.col("spend").clip(None, 200.0))
    metric = Ratio("spend", "orders", bounds=(None, 200.0))
    assert Baseline.from_history(data, metric) == Baseline.from_history(capped, Ratio("spend", "orders"))


@pytest.mark.parametrize(
    "options",
    [
        {"denominator_at": "paid"},
        {"within": DAYS},
        {"denominator_bounds": (2.0, 1.0)},
        {"denominator_percentiles": (0.0, 1.5)},
        {"denominator_bounds": (0.0, 1.0), "denominator_percentiles": (None, 0.5)},
    ],
    ids=str,
)
def test_options_of_a_ratio_that_cannot_be_are_refused(options: dict) -> None:
    with pytest.raises(UsageError) as caught:
        Ratio("spend", "orders", **options)
    assert caught.value.code == "metric"


def test_a_plan_without_these_options_keeps_its_digest() -> None:
    """Preregistrations of before hold the digest of a ratio that had none of them."""
    assert Ratio("spend", "orders").to_dict() == {
        "kind": "ratio",
        "role": "goal",
        "margin": None,
        "direction": "increase",
        "numerator": "spend",
        "denominator": "orders",
    }
