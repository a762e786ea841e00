"""The Open Bandit data (men) and Hillstrom's e-mails, by the figures that others computed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from labfactory.lab.off_policy import (
    LoggedDecisions,
    OffPolicyEvaluation,
    RewardModel,
    TargetPolicy,
    evaluate_policy,
)
from labfactory.selection import Limit, allocate

pytestmark = pytest.mark.data

Floats = npt.NDArray[np.float64]
ITEMS, SLOTS, DRAWS = 34, 3, 100_000


def folder() -> Path:
    return Path(os.environ["LABFACTORY_DATA"]) / "obd_men"


def decisions(name: str) -> LoggedDecisions:
    return LoggedDecisions.of(
        folder() / name,
        action="item_id",
        reward="click",
        propensity="propensity_score",
        position="position",
        context=[f"user_feature_{number}" for number in range(4)],
        actions=range(ITEMS),
    )


def prior() -> Floats:
    """Shares with which Thompson sampling by the published prior shows each item in each position."""
    section = (folder() / "prior_bts.yaml").read_text().split("\nmen:")[1].split("\nwomen:")[0]
    alpha, beta = (
        np.array([float(line.strip("- ")) for line in part.splitlines() if line.strip().startswith("-")])
        for part in section.split("  beta:")
    )
    draws = np.random.RandomState(12345).beta(alpha, beta, size=(DRAWS, ITEMS))
    top = np.argsort(draws, axis=1)[:, ::-1][:, :SLOTS]
    return np.stack([np.bincount(top[:, slot], minlength=ITEMS) / DRAWS for slot in range(SLOTS)], axis=1)


@pytest.fixture(scope="module")
def bts_from_random() -> OffPolicyEvaluation:
    return evaluate_policy(
        decisions("random.csv"),
        TargetPolicy.by_action(prior(), name="bts"),
        baseline=TargetPolicy.logged("random"),
        rewards=RewardModel.logistic(),
    )


def rounded(*values: float | None) -> list[float]:
    return [round(value, 6) for value in values if value is not None]


def test_click_rates_as_they_were_logged(bts_from_random: OffPolicyEvaluation) -> None:
    assert bts_from_random.estimate("ips", "random").value == pytest.approx(46 / 10_000, rel=1e-12)
    assert decisions("bts.csv").reward.mean() == pytest.approx(69 / 10_000, rel=1e-12)


def test_ips_of_the_bandit_from_random_logs(bts_from_random: OffPolicyEvaluation) -> None:
    ips = bts_from_random.estimate("ips")
    assert rounded(ips.value, ips.lower, ips.upper) == [0.004534, 0.002218, 0.006849]
    assert round(ips.effective or 0) == 2467
    assert round(ips.mean_weight or 0, 3) == 0.985


def test_snips_of_the_bandit_from_random_logs(bts_from_random: OffPolicyEvaluation) -> None:
    snips = bts_from_random.estimate("snips")
    assert rounded(snips.value, snips.lower, snips.upper) == [0.004604, 0.002255, 0.006954]


def test_the_bootstrap_is_near_the_published_one(bts_from_random: OffPolicyEvaluation) -> None:
    ips = bts_from_random.estimate("ips")
    assert (ips.bootstrap_lower, ips.bootstrap_upper) == pytest.approx((0.002462, 0.007104), abs=2.5e-4)


def test_models_are_within_a_standard_error_of_ips(bts_from_random: OffPolicyEvaluation) -> None:
    ips = bts_from_random.estimate("ips")
    assert abs(bts_from_random.estimate("dr").value - ips.value) < ips.error
    assert abs(bts_from_random.estimate("sndr").value - ips.value) < ips.error
    assert bts_from_random.estimate("dm").value == pytest.approx(0.00415, abs=ips.error)


def test_ten_thousand_rows_do_not_rank_the_two_policies(bts_from_random: OffPolicyEvaluation) -> None:
    for kind in ("ips", "snips", "dr", "sndr"):
        gain = bts_from_random.gain(kind)
        assert gain.lower < 0 < gain.upper


def test_random_from_the_logs_of_the_bandit() -> None:
    judged = evaluate_policy(
        decisions("bts.csv"), TargetPolicy.by_action(np.full(ITEMS, 1 / ITEMS), name="random"), resamples=0
    )
    ips = judged.estimate("ips")
    assert rounded(ips.value) == [0.003009]
    assert round(ips.effective or 0) == 656
    assert round(ips.largest_weight or 0, 2) == 178.25


def test_the_bandit_by_its_empirical_shares() -> None:
    log = decisions("bts.csv")
    shares = np.zeros((ITEMS, SLOTS))
    np.add.at(shares, (log.action, log.position), 1.0)
    target = TargetPolicy.by_action(shares / shares.sum(axis=0), positions=log.positions)
    judged = evaluate_policy(decisions("random.csv"), target, resamples=0)
    assert rounded(judged.estimate("ips").value) == [0.005656]


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    path = Path(os.environ["LABFACTORY_DATA"]) / "hillstrom.csv"
    return pl.read_csv(path, schema_overrides={"spend": pl.Float64}).with_row_index("customer_id")


@pytest.fixture(scope="module")
def mailed(customers: pl.DataFrame) -> pl.DataFrame:
    return customers.filter(pl.col("segment") != "No E-Mail").with_columns(
        pl.col("segment").replace_strict({"Mens E-Mail": "mens", "Womens E-Mail": "womens"}).alias("mail")
    )


def log_of(frame: pl.DataFrame) -> LoggedDecisions:
    # Among those who got an e-mail, the lot gave each of the two to one half.
    return LoggedDecisions.of(
        frame,
        action="mail",
        reward="visit",
        propensity=0.5,
        customer="customer_id",
        actions=["mens", "womens"],
    )


def points(log: LoggedDecisions, target: TargetPolicy, baseline: TargetPolicy) -> tuple[float, float]:
    gain = evaluate_policy(log, target, baseline=baseline, estimators=["ips"], resamples=0).gain("ips")
    return 100 * gain.value, 100 * gain.error


MENS = TargetPolicy.by_action({"mens": 1.0, "womens": 0.0}, name="mens to all")


def test_hillstroms_rule_gains_over_random_and_not_over_mens(
    customers: pl.DataFrame, mailed: pl.DataFrame
) -> None:
    chosen = mailed.select(pl.when(pl.col("womens") == 1).then(pl.lit("womens")).otherwise(pl.lit("mens")))
    rule = TargetPolicy.choices(chosen.to_series(), name="rule")
    share = int((customers["womens"] == 1).sum()) / customers.height
    assert share == pytest.approx(0.55, abs=2e-3)
    log = log_of(mailed)
    random = TargetPolicy.by_action({"mens": 1 - share, "womens": share}, name="random")
    value, error = points(log, rule, random)
    assert (round(value, 2), round(error, 2)) == (1.18, 0.19)
    value, error = points(log, rule, MENS)
    assert (round(value, 1), round(error, 1)) == (-0.5, 0.3)


def test_exact_halves_filled_by_those_who_bought_womens_only(
    customers: pl.DataFrame, mailed: pl.DataFrame
) -> None:
    only = (customers["womens"] == 1) & (customers["mens"] == 0)
    both = (customers["womens"] == 1) & (customers["mens"] == 1)
    chance = (customers.height / 2 - int(only.sum())) / int(both.sum())
    womens = mailed.select(
        pl.when(pl.col("womens") == 0).then(0.0).when(pl.col("mens") == 0).then(1.0).otherwise(chance)
    ).to_series()
    halves = TargetPolicy.matrix(np.stack([1 - womens.to_numpy(), womens.to_numpy()], axis=1), name="halves")
    random = TargetPolicy.by_action({"mens": 0.5, "womens": 0.5}, name="random")
    value, error = points(log_of(mailed), halves, random)
    assert (round(value, 2), round(error, 2)) == (1.39, 0.18)


def test_limits_fill_exact_halves_as_well(customers: pl.DataFrame, mailed: pl.DataFrame) -> None:
    # What a customer bought is worth 1, bought besides the other 1/2: so limits alone make the rule.
    bought = customers.select("mens", "womens").to_numpy().astype(np.float32)
    worth = bought / bought.sum(axis=1, keepdims=True)
    half = customers.height // 2
    keys = np.random.default_rng(7).permutation(customers.height).astype(np.uint64)
    limits = {name: Limit(component=name, minimum=half, maximum=half) for name in ("mens", "womens")}
    allocation = allocate(worth, limits, options=["mens", "womens"], keys=keys)
    assert set(allocation.used.values()) == {half}
    assert allocation.gap < 1e-3
    got = pl.Series(np.array(["mens", "womens"])[allocation.choices])
    chosen = mailed.join(
        customers.select("customer_id", got.alias("got")), on="customer_id", maintain_order="left"
    )
    random = TargetPolicy.by_action({"mens": 0.5, "womens": 0.5}, name="random")
    value, error = points(log_of(mailed), TargetPolicy.choices(chosen["got"], name="halves"), random)
    # The lot among those who bought both adds its own noise to the expected +1.39.
    assert value == pytest.approx(1.39, abs=0.19)
    assert error == pytest.approx(0.19, abs=0.01)


def learnt(half: pl.DataFrame) -> Any:
    """Which e-mail brings more visits, by what the customer bought before."""
    by = ["mens", "womens", "newbie", "channel"]
    rates = half.group_by([*by, "mail"]).agg(pl.col("visit").mean(), pl.len())
    best = (
        rates.sort("visit", "mail")
        .group_by(by, maintain_order=True)
        .last()
        .select(*by, pl.col("mail").alias("best"))
    )
    return by, best


def test_a_policy_learnt_on_one_half_reports_what_the_other_half_says(mailed: pl.DataFrame) -> None:
    lot = np.random.default_rng(2008).random(mailed.height) < 0.5
    train, test = mailed.filter(pl.Series(lot)), mailed.filter(pl.Series(~lot))
    by, best = learnt(train)
    judged = test.join(best, on=by, how="left", maintain_order="left").with_columns(
        pl.col("best").fill_null("mens")
    )
    target = TargetPolicy.choices(judged["best"], name="learnt")
    share = float((judged["best"] == "womens").mean())  # type: ignore[arg-type]
    log = log_of(judged)
    random = TargetPolicy.by_action({"mens": 1 - share, "womens": share}, name="random")
    value, error = points(log, target, random)
    assert value > 0
    value, error = points(log, target, MENS)
    # Nothing is claimed over sending mens to all: the interval holds 0.
    assert abs(value) < 1.96 * error
