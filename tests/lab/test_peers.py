"""Other engines give the same figures on Hillstrom's experiment, where their method is ours."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from labfactory.lab import Comparison, Cuped, Experiment, Hypothesis, Mean, Proportion, Ratio, Regression

PEER = Path(__file__).parents[2] / "benchmarks" / "gbstats" / "peer.py"
EXPERIMENT = Experiment(
    "hillstrom",
    hypothesis=Hypothesis("An e-mail brings spend.", 0.0),
    variants=["No E-Mail", "Mens E-Mail"],
    metrics={
        "spend": Mean("spend"),
        "visit": Proportion("visit"),
        "spend a visit": Ratio("spend", "visit"),
    },
)


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    path = Path(os.environ["LABFACTORY_DATA"]) / "hillstrom.csv"
    frame = pl.read_csv(path, infer_schema_length=None).filter(pl.col("segment") != "Womens E-Mail")
    return frame.with_columns(
        pl.col("visit").cast(pl.Float64), arm=(pl.col("segment") == "Mens E-Mail").cast(pl.Int64)
    )


def row_of(customers: pl.DataFrame, metric: str, **options: Any) -> Comparison:
    evaluation = EXPERIMENT.evaluate(customers, control="No E-Mail", variant="segment", **options)
    return evaluation.row(metric, "Mens E-Mail")


def figures(row: Comparison) -> list[float | None]:
    return [row.difference, row.lower, row.upper, row.p]


def sums(customers: pl.DataFrame) -> list[list[float]]:
    found = []
    for arm in (0, 1):
        frame = customers.filter(arm=arm)
        y, x = frame["spend"].to_numpy(), frame["history"].to_numpy()
        found.append([float(y.size), y.sum(), y @ y, x.sum(), x @ x, x @ y])
    return found


def peer(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    variable = f"LABFACTORY_{name.upper()}"
    python = os.environ.get(variable)
    if python is None:
        pytest.skip(f"{variable} names no interpreter that has {name}")
    run = subprocess.run(
        [python, "-W", "ignore", str(PEER), name],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


@pytest.mark.data
def test_scipy_and_statsmodels_agree(customers: pl.DataFrame) -> None:
    before, after = (customers.filter(arm=arm)["spend"].to_numpy() for arm in (0, 1))
    found = stats.ttest_ind(after, before, equal_var=False)
    interval = found.confidence_interval()
    row = row_of(customers, "spend")
    expected = [after.mean() - before.mean(), interval.low, interval.high, found.pvalue]
    assert figures(row) == pytest.approx(expected, rel=1e-9)
    # The notes' digits, by which six engines agree.
    assert figures(row)[:3] == pytest.approx([0.76982716, 0.4851397, 1.0545146], abs=6e-8)


@pytest.mark.data
def test_regression_is_that_of_statsmodels(customers: pl.DataFrame) -> None:
    warm, history = customers["arm"].to_numpy(), customers["history"].to_numpy()
    centred = history - history.mean()
    design = np.column_stack([np.ones(len(warm)), warm, centred, warm * centred])
    fit = OLS(customers["spend"].to_numpy(), design).fit(cov_type="HC2")
    row = row_of(customers, "spend", estimator=Regression("history"))
    assert row.difference == pytest.approx(fit.params[1], rel=1e-9)
    # Heteroscedastic within an arm: HC2 looks at each residual, moments at their mean square.
    assert row.standard_error == pytest.approx(fit.bse[1], rel=1e-3)


@pytest.mark.data
@pytest.mark.parametrize(
    ("metric", "covariate"),
    [
        ("spend", None),
        ("spend", "history"),
        ("visit", None),
        ("spend a visit", None),
        ("spend a visit", "history"),
    ],
)
def test_tea_tasting_agrees(customers: pl.DataFrame, metric: str, covariate: str | None) -> None:
    tea_tasting = pytest.importorskip("tea_tasting")
    peers = {
        "spend": lambda: tea_tasting.Mean("spend", covariate),
        "visit": lambda: tea_tasting.Mean("visit"),
        "spend a visit": lambda: tea_tasting.RatioOfMeans("spend", "visit", covariate),
    }
    found = tea_tasting.Experiment({"m": peers[metric]()}, variant="arm").analyze(customers)["m"]
    options = {} if covariate is None else {"estimator": Cuped(covariate)}
    row = row_of(customers, metric, **options)
    expected = [found.effect_size, found.effect_size_ci_lower, found.effect_size_ci_upper, found.pvalue]
    assert figures(row) == pytest.approx(expected, rel=1e-9)
    if covariate == "history" and metric == "spend":
        # The notes' digits, by which gbstats agrees as well.
        assert figures(row)[:3] == pytest.approx([0.76743850, 0.4828129, 1.0520641], abs=6e-8)


@pytest.mark.data
@pytest.mark.peers
def test_gbstats_agrees(customers: pl.DataFrame) -> None:
    control, treatment = sums(customers)
    visits = [[21_306, 2_262, 21_307, 3_894]]
    asked = {
        "means": [[*control[:3], *treatment[:3]]],
        "proportions": visits,
        "adjusted": [[control, treatment]],
    }
    answer = peer("gbstats", asked | {"ratios": [[21_306, 21_307]]})
    # Its p-value is 1 - cdf, which loses digits, and underflows for the visits.
    assert figures(row_of(customers, "spend"))[:3] == pytest.approx(answer["means"][0][:3], rel=1e-9)
    assert row_of(customers, "spend").p == pytest.approx(answer["means"][0][3], rel=1e-6)
    adjusted = row_of(customers, "spend", estimator=Cuped("history"))
    assert figures(adjusted)[:3] == pytest.approx(answer["adjusted"][0][:3], rel=1e-9)
    assert figures(row_of(customers, "visit"))[0] == pytest.approx(answer["proportions"][0][0], rel=1e-9)
    # Its variance of a share has divisor n, not n - 1.
    assert figures(row_of(customers, "visit"))[1:3] == pytest.approx(answer["proportions"][0][1:3], rel=1e-4)
    assert answer["proportions"][0][3] == 0.0
    evaluation = EXPERIMENT.evaluate(customers, control="No E-Mail", variant="segment")
    assert evaluation.srm_p == pytest.approx(answer["ratios"][0], rel=1e-9)


@pytest.mark.data
@pytest.mark.peers
def test_spotify_confidence_agrees(customers: pl.DataFrame) -> None:
    control, treatment = sums(customers)
    answer = peer("spotify", {"means": [[*control[:3], *treatment[:3]]]})
    # Its variance comes from sums of squares, which costs the last digits.
    assert figures(row_of(customers, "spend")) == pytest.approx(answer["means"][0], rel=1e-9)
