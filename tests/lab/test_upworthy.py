"""Upworthy's tests of headlines, 2013 to 2015: all at once, and what is wrong with some of them."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from scipy import stats

from labfactory.lab import Evaluations, Proportion, evaluate_many, overdispersion

pytestmark = pytest.mark.data

# The weeks in which, as the archive's curators say, assignment was not random.
FAULTY = pl.col("test_week").is_between(201325, 201401)
CONTENT = ["headline", "lede", "excerpt", "eyecatcher_id"]


@pytest.fixture(scope="module")
def arms() -> pl.DataFrame:
    frame = pl.read_parquet(Path(os.environ["LABFACTORY_DATA"]) / "upworthy_exploratory.parquet")
    return frame.with_columns(arm=pl.int_range(pl.len()).over("clickability_test_id").cast(pl.String))


@pytest.fixture(scope="module")
def evaluations(arms: pl.DataFrame) -> Evaluations:
    return evaluate_many(
        arms,
        experiment="clickability_test_id",
        units="impressions",
        metrics={"clicks": Proportion("clicks")},
    )


def test_every_test_is_evaluated(evaluations: Evaluations) -> None:
    assert evaluations.tests.height == 4_873
    assert evaluations.pairs.height == 44_806
    assert evaluations.tests["units"].sum() == 81_024_151
    assert (evaluations.tests["p"] < 0.05).sum() == 2_203
    assert (evaluations.tests["p"] < 0.05 / 4_873).sum() == 487
    assert (
        stats.false_discovery_control(evaluations.tests["p"].drop_nulls().to_numpy()) < 0.05
    ).sum() == 1_711


def test_the_sample_ratio_shows_the_weeks_of_the_fault(arms: pl.DataFrame, evaluations: Evaluations) -> None:
    weeks = arms.group_by(experiment="clickability_test_id").agg(is_faulty=FAULTY.any())
    counts = {
        is_faulty: (flagged, tests)
        for is_faulty, flagged, tests in evaluations.tests.join(weeks, on="experiment")
        .group_by("is_faulty")
        .agg(pl.col("is_mismatched").sum(), pl.len())
        .rows()
    }
    assert counts == {True: (735, 1_058), False: (18, 3_815)}


def test_arms_of_the_same_content_differ_more_than_chance_allows(
    arms: pl.DataFrame, evaluations: Evaluations
) -> None:
    sound = arms.filter(~FAULTY).select(
        experiment="clickability_test_id", arm="arm", content=pl.struct(CONTENT)
    )
    joined = evaluations.pairs.join(
        sound, left_on=["experiment", "control"], right_on=["experiment", "arm"]
    ).join(sound, left_on=["experiment", "treatment"], right_on=["experiment", "arm"], suffix="_treatment")
    alike = joined.filter(pl.col("content") == pl.col("content_treatment"))
    # One pair of each content: pairs that share an arm are not independent.
    alike = alike.unique(["experiment", "content"], keep="first", maintain_order=True)
    found = overdispersion((alike["difference"] / alike["standard_error"]).to_list())
    assert found.pairs == 450
    assert found.beyond == pytest.approx(0.124, abs=5e-4)
    assert found.factor == pytest.approx(1.75, abs=0.01)
    assert found.lower > 1.5
