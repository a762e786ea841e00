"""Regression adjustment with heteroskedasticity-consistent errors: those of statsmodels."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from labfactory import Experiment, Hypothesis, Mean, Ratio, Regression, UsageError

HC = ["hc0", "hc1", "hc2", "hc3"]


def make(**metrics: Mean | Ratio) -> Experiment:
    return Experiment("tone", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b", "c"], metrics=metrics)


def responses(units: int = 900) -> pl.DataFrame:
    random = np.random.default_rng(8)
    arms = random.choice(3, units, p=[0.5, 0.3, 0.2])
    before, age = random.gamma(1.0, 3.0, units), random.normal(40.0, 9.0, units)
    spend = 5 + before * (1 + 0.5 * arms) + 0.1 * age + random.normal(0, 1, units) * (0.5 + before)
    return pl.DataFrame(
        {
            "variant": np.array(["a", "b", "c"])[arms],
            "spend": spend,
            "orders": 1.0 + random.poisson(2.0, units),
            "before": before,
            "age": age,
            "channel": random.choice(["web", "app"], units),
        }
    )


def oracle(data: pl.DataFrame, y: np.ndarray, variant: str, errors: str) -> tuple[float, float]:
    """The coefficient of treatment in one regression with centred, interacted covariates."""
    sm = pytest.importorskip("statsmodels.api")
    treated = (data["variant"] == variant).to_numpy().astype(float)
    covariates = data.select("before", "age").to_numpy()
    covariates = covariates - covariates.mean(axis=0)
    design = np.column_stack([np.ones_like(treated), treated, covariates, treated[:, None] * covariates])
    fit = sm.OLS(y, design).fit(cov_type=errors.upper())
    return float(fit.params[1]), float(fit.bse[1])


@pytest.mark.parametrize("errors", HC)
@pytest.mark.parametrize("variant", ["b", "c"])
def test_errors_are_those_of_statsmodels(variant: str, errors: str) -> None:
    data = responses()
    pair = data.filter(pl.col("variant").is_in(["a", variant]))
    estimator = Regression("before", "age", errors=errors)
    row = make(spend=Mean("spend")).evaluate(data, control="a", estimator=estimator).row("spend", variant)
    expected = oracle(pair, pair["spend"].to_numpy(), variant, errors)
    assert (row.difference, row.standard_error) == pytest.approx(expected, rel=1e-9)
    assert row.method == f"regression(before, age, {errors})"


def test_a_ratio_is_regressed_as_its_linearised_rows() -> None:
    data = responses().filter(pl.col("variant") != "c")
    y = np.empty(data.height)
    for variant in ("a", "b"):
        mine = (data["variant"] == variant).to_numpy()
        spend, orders = (data[name].to_numpy()[mine] for name in ("spend", "orders"))
        ratio = spend.mean() / orders.mean()
        y[mine] = ratio + (spend - ratio * orders) / orders.mean()
    estimator = Regression("before", "age", errors="hc3")
    row = (
        make(each=Ratio("spend", "orders")).evaluate(data, control="a", estimator=estimator).row("each", "b")
    )
    assert (row.difference, row.standard_error) == pytest.approx(oracle(data, y, "b", "hc3"), rel=1e-9)


def test_the_estimate_is_that_of_the_moments_and_its_error_near() -> None:
    data, experiment = responses(20_000), make(spend=Mean("spend"))
    plain = experiment.evaluate(data, control="a", estimator=Regression("before", "age"))
    robust = experiment.evaluate(data, control="a", estimator=Regression("before", "age", errors="hc2"))
    for before, after in zip(plain.rows, robust.rows, strict=True):
        assert after.difference == pytest.approx(before.difference, rel=1e-9)
        assert after.control_value == pytest.approx(before.control_value, rel=1e-9)
        assert after.standard_error == pytest.approx(before.standard_error, rel=0.2)


def test_segments_and_missing_values_are_read_as_sums_read_them() -> None:
    random = np.random.default_rng(4)
    data = responses().with_columns(
        pl.when(pl.Series(random.random(900) > 0.1)).then(pl.col("spend")).alias("spend"),
        pl.when(pl.Series(random.random(900) > 0.1)).then(pl.col("before")).alias("before"),
    )
    estimator = Regression("before", errors="hc2")
    experiment = make(spend=Mean("spend", bounds=(0.0, 30.0)))
    evaluation = experiment.evaluate(data, control="a", estimator=estimator, segments=["channel"])
    for each in evaluation.segments:
        part = data.filter(pl.col("channel") == each.segment)
        alone = experiment.evaluate(part, control="a", estimator=estimator).row("spend", each.row.variant)
        assert each.row.standard_error == alone.standard_error
        moments = experiment.evaluate(part, control="a", estimator=Regression("before"))
        assert each.row.difference == pytest.approx(moments.row("spend", each.row.variant).difference)


def test_covariates_that_repeat_each_other_change_nothing() -> None:
    data = responses().with_columns(again=pl.col("before") * 2, same=pl.lit(3.0))
    experiment = make(spend=Mean("spend"))
    found = [
        experiment.evaluate(data, control="a", estimator=Regression(*columns, errors="hc3")).rows
        for columns in (["before"], ["before", "again", "same"])
    ]
    for one, more in zip(*found, strict=True):
        assert more.difference == pytest.approx(one.difference)
        assert more.standard_error == pytest.approx(one.standard_error, rel=1e-6)


def test_a_row_that_decides_its_own_fit_leaves_no_interval() -> None:
    data = pl.DataFrame(
        {
            "variant": ["a"] * 5 + ["b"] * 5,
            "spend": [1.0, 2, 3, 4, 5] * 2,
            "before": [0.0, 0, 0, 0, 1, 1, 2, 3, 4, 5],
        }
    )
    experiment = Experiment(
        "tone", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"spend": Mean("spend")}
    )
    row = experiment.evaluate(data, control="a", estimator=Regression("before", errors="hc3")).rows[0]
    assert row.p is row.lower is row.standard_error is None
    assert row.difference is not None


def test_other_errors_and_sums_are_refused() -> None:
    with pytest.raises(UsageError, match="found 'hc4'") as caught:
        Regression("before", errors="hc4")  # type: ignore[arg-type]
    assert caught.value.code == "estimator"
    with pytest.raises(UsageError, match="works on sums") as caught:
        make(spend=Mean("spend")).aggregate(responses(), estimator=Regression("before", errors="hc2"))
    assert caught.value.code == "needs_rows"
