"""Intervals of off-policy estimates hold as often as they say, where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from labfactory.lab.off_policy import LoggedDecisions, RewardModel, TargetPolicy, evaluate_policy
from labfactory.lab.off_policy.intervals import anytime_interval

pytestmark = pytest.mark.slow

ACTIONS, POSITIONS = 5, 2
KINDS = ["ips", "snips", "dr", "sndr"]


def world(random: np.random.Generator) -> dict[str, Any]:
    """Customers with two decisions each, of one mood: rewards and actions depend on who they are."""
    customers = 1500
    x = np.repeat(random.normal(size=customers), POSITIONS)
    mood = np.repeat(random.normal(size=customers), POSITIONS)
    effect = np.linspace(-1, 1, ACTIONS)
    logits = x[:, None] * effect
    logging = np.exp(0.5 * logits)
    logging /= logging.sum(axis=1, keepdims=True)
    target = np.exp(-0.7 * logits + effect)
    target /= target.sum(axis=1, keepdims=True)
    action = (logging.cumsum(axis=1) < random.random(len(x))[:, None]).sum(axis=1)
    chance = 1 / (1 + np.exp(1.0 - x[:, None] * effect - 0.8 * mood[:, None]))
    reward = (random.random(len(x)) < chance[np.arange(len(x)), action]).astype(float)
    return {
        "frame": pl.DataFrame(
            {
                "item": action,
                "y": reward,
                "p": logging[np.arange(len(x)), action],
                "who": np.repeat(np.arange(customers), POSITIONS),
                "slot": np.tile(np.arange(POSITIONS), customers),
                "x": x,
            }
        ),
        "target": target,
        "value": (target * chance).sum(axis=1).mean(),
    }


def test_nominal_95_percent_intervals_cover_at_least_93() -> None:
    random = np.random.default_rng(11)
    runs = 400
    truth = np.mean([world(random)["value"] for _ in range(400)])
    covered = dict.fromkeys([*KINDS, "bootstrap", "anytime"], 0)
    for _ in range(runs):
        made = world(random)
        log = LoggedDecisions.of(
            made["frame"],
            action="item",
            reward="y",
            propensity="p",
            position="slot",
            customer="who",
            context=["x"],
            actions=range(ACTIONS),
        )
        judged = evaluate_policy(
            log,
            TargetPolicy.matrix(made["target"]),
            estimators=KINDS,
            rewards=RewardModel.ridge(),
            resamples=200,
            tightest_at=1500,
        )
        for kind in KINDS:
            row = judged.estimate(kind)
            covered[kind] += row.lower <= truth <= row.upper
        row = judged.estimate("snips")
        covered["bootstrap"] += row.bootstrap_lower <= truth <= row.bootstrap_upper
        covered["anytime"] += row.anytime_lower <= truth <= row.anytime_upper
    shares = {kind: count / runs for kind, count in covered.items()}
    assert min(shares.values()) >= 0.93, shares
    assert shares["anytime"] >= 0.99


def test_clusters_that_are_ignored_cover_too_seldom() -> None:
    # One customer's ten decisions share mood and action: rows are far from independent.
    random = np.random.default_rng(12)
    missed = {"who": 0, None: 0}
    for _ in range(300):
        mood = np.repeat(random.normal(size=150), 10)
        action = np.repeat(random.integers(0, 2, 150), 10)
        frame = pl.DataFrame({"item": action, "y": mood, "who": np.repeat(np.arange(150), 10)})
        for customer in missed:
            log = LoggedDecisions.of(frame, action="item", reward="y", propensity=0.5, customer=customer)
            row = evaluate_policy(log, TargetPolicy.by_action([1.0, 0.0]), resamples=0).estimate("ips")
            missed[customer] += not row.lower <= 0 <= row.upper
    assert missed["who"] / 300 <= 0.08
    assert missed[None] / 300 >= 0.3


def test_looking_at_every_step_misses_no_more_often_than_alpha() -> None:
    random = np.random.default_rng(13)
    runs, steps = 500, 4000
    draws = random.exponential(1.0, (runs, steps)) - 1.0
    counts = np.arange(1, steps + 1)
    means = draws.cumsum(axis=1) / counts
    errors = np.sqrt(((draws**2).cumsum(axis=1) / counts - means**2) / counts)
    looks = np.arange(200, steps, 40)
    anytime, normal = np.zeros(runs, bool), np.zeros(runs, bool)
    for look in looks:
        for run in range(runs):
            low, high = anytime_interval(
                means[run, look], errors[run, look], int(look) + 1, alpha=0.05, tightest_at=1000
            )
            anytime[run] |= not low <= 0 <= high
        normal |= np.abs(means[:, look]) > 1.96 * errors[:, look]
    assert anytime.mean() <= 0.05
    assert normal.mean() > 0.2
