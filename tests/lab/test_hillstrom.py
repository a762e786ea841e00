"""The figures of a real e-mail experiment, as six other engines give them."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from labfactory.lab import Evaluation, Experiment, Hypothesis, Mean, Proportion

pytestmark = pytest.mark.data

NONE, MENS, WOMENS = "No E-Mail", "Mens E-Mail", "Womens E-Mail"
METRICS = {
    "visit": Proportion("visit"),
    "conversion": Proportion("conversion", role="secondary"),
    "spend": Mean("spend", role="secondary"),
}


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    path = Path(os.environ["LABFACTORY_DATA"]) / "hillstrom.csv"
    return pl.read_csv(path, infer_schema_length=None).with_row_index("customer_id")


@pytest.fixture(scope="module")
def evaluation(customers: pl.DataFrame) -> Evaluation:
    experiment = Experiment(
        "hillstrom",
        hypothesis=Hypothesis("An e-mail brings visits.", minimum_effect=0.1),
        variants=[NONE, MENS, WOMENS],
        metrics=METRICS,
    )
    return experiment.evaluate(customers, control=NONE, variant="segment", key="customer_id")


def test_units_came_in_the_planned_ratio(evaluation: Evaluation) -> None:
    assert evaluation.units == {NONE: 21_306, MENS: 21_307, WOMENS: 21_387}
    assert evaluation.srm_p == pytest.approx(0.904, abs=5e-4)
    assert evaluation.flags == ()


@pytest.mark.parametrize(
    ("metric", "variant", "value"),
    [
        ("visit", NONE, 2262 / 21_306),
        ("visit", MENS, 3894 / 21_307),
        ("visit", WOMENS, 3238 / 21_387),
        ("conversion", NONE, 122 / 21_306),
        ("conversion", MENS, 267 / 21_307),
        ("conversion", WOMENS, 189 / 21_387),
        ("spend", NONE, 0.65278936),
        ("spend", MENS, 1.42261651),
        ("spend", WOMENS, 1.07720157),
    ],
)
def test_values_by_variant(evaluation: Evaluation, metric: str, variant: str, value: float) -> None:
    if variant == NONE:
        assert evaluation.row(metric, MENS).control_value == pytest.approx(value, rel=1e-8)
    else:
        assert evaluation.row(metric, variant).treatment_value == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize(
    ("metric", "variant", "difference", "p"),
    [
        ("visit", MENS, 0.07658956, 1.4e-112),
        ("conversion", MENS, 0.00680501, 1.5e-13),
        ("spend", MENS, 0.76982716, 1.16e-7),
        ("visit", WOMENS, 0.04523311, 2.4e-44),
        ("conversion", WOMENS, 0.00311106, 1.56e-4),
        ("spend", WOMENS, 0.42441222, 0.00113),
    ],
)
def test_differences_and_p_values(
    evaluation: Evaluation, metric: str, variant: str, difference: float, p: float
) -> None:
    row = evaluation.row(metric, variant)
    assert row.difference == pytest.approx(difference, abs=6e-9)
    # The notes give two or three digits of each p-value.
    assert row.p == pytest.approx(p, rel=0.04 if metric != "spend" else 0.005)


def test_spend_interval_is_that_of_scipy_statsmodels_gbstats_tea_tasting_and_spotify(
    evaluation: Evaluation,
) -> None:
    row = evaluation.row("spend", MENS)
    assert (row.difference, row.lower, row.upper) == pytest.approx(
        (0.76982716, 0.4851397, 1.0545146), abs=6e-8
    )


def test_mens_against_womens_is_the_borderline_that_a_gate_must_handle(customers: pl.DataFrame) -> None:
    experiment = Experiment(
        "mens-womens",
        hypothesis=Hypothesis("Mens brings more spend than womens.", minimum_effect=0.1),
        variants=[WOMENS, MENS],
        metrics={"spend": Mean("spend")},
    )
    both = customers.filter(pl.col("segment") != NONE)
    row = experiment.evaluate(both, control=WOMENS, variant="segment").row("spend", MENS)
    assert row.difference == pytest.approx(0.3454, abs=5e-5)
    assert row.p == pytest.approx(0.0305, abs=5e-5)


@pytest.mark.parametrize("metric", ["visit", "conversion", "spend"])
@pytest.mark.parametrize("variant", [MENS, WOMENS])
def test_relative_lifts_agree_with_the_differences(evaluation: Evaluation, metric: str, variant: str) -> None:
    row = evaluation.row(metric, variant)
    assert row.lower is not None
    assert row.relative_lower is not None
    assert row.lower > 0
    assert row.relative_lower > 0


@pytest.mark.parametrize(
    ("is_buyer", "points", "error"),
    [(1, 0.0731, 0.0046), (0, 0.0111, 0.0044)],
    ids=["womens buyers", "others"],
)
def test_womens_mail_works_for_past_womens_buyers(
    customers: pl.DataFrame, is_buyer: int, points: float, error: float
) -> None:
    experiment = Experiment(
        "womens",
        hypothesis=Hypothesis("Womens mail brings visits.", minimum_effect=0.1),
        variants=[NONE, WOMENS],
        metrics={"visit": Proportion("visit")},
    )
    segment = customers.filter((pl.col("womens") == is_buyer) & (pl.col("segment") != MENS))
    row = experiment.evaluate(segment, control=NONE, variant="segment").row("visit", WOMENS)
    assert row.difference == pytest.approx(points, abs=6e-5)
    assert row.upper is not None
    assert row.lower is not None
    assert (row.upper - row.lower) / (2 * 1.96) == pytest.approx(error, abs=6e-5)
