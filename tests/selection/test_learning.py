"""What a policy learns from outcomes: exact posteriors, delayed outcomes, and a count of all that teaches nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

from labfactory.base.errors import SelectionError
from labfactory.selection import Exploration, Feature, Learned, SelectionPolicy, SlotPolicy, Window
from labfactory.selection.posterior import (
    Normal,
    beta_posterior,
    linear_posterior,
    logistic_posterior,
    row_weights,
)

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ROWS = 4000


def policy(kind: Any = "linear") -> SelectionPolicy:
    slot = SlotPolicy.build(
        components=["a", "b"],
        features={"one": "1", "x": "x"},
        weights=np.zeros((2, 2)),
        bias=[0.0, 0.0],
        kind=kind,
    )
    return SelectionPolicy.build("1", hero=slot)


def logged(seed: int = 1, rows: int = ROWS) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Decisions by lot, outcomes of those who answered, and the customers."""
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    component = random.choice(["a", "b"], rows)
    chance = 1 / (1 + np.exp(-np.where(component == "a", -0.5 + 1.5 * x, 0.3 - 1.0 * x)))
    customers = pl.DataFrame({"key": np.arange(rows), "x": x})
    decisions = pl.DataFrame(
        {
            "key": np.arange(rows),
            "slot": ["hero"] * rows,
            "component": component,
            "propensity": [0.5] * rows,
            "decided_at": [NOW - timedelta(days=int(day)) for day in random.integers(0, 20, rows)],
        }
    )
    came = pl.DataFrame({"key": np.arange(rows), "reward": (random.random(rows) < chance).astype(float)})
    return decisions, came, customers


def learn(kind: str = "logistic", **options: Any) -> Learned:
    decisions, outcomes, customers = logged()
    return policy(kind).learn(decisions, outcomes, customers=customers, version="2", **options)


def test_a_beta_belief_counts() -> None:
    rewards = np.array([1.0, 0.0, 1.0, 1.0])
    assert beta_posterior((2.0, 5.0), rewards, np.ones(4)) == (5.0, 6.0)


def test_a_linear_posterior_is_bayes_rule() -> None:
    random = np.random.default_rng(2)
    features, rewards = random.normal(size=(30, 1)), random.normal(size=30)
    found = linear_posterior(
        Normal(np.array([0.3]), np.array([[2.0]])), features, rewards, np.ones(30), noise=0.5
    )
    grid = np.linspace(-3, 3, 60_001)
    log = stats.norm.logpdf(grid, 0.3, np.sqrt(0.5)) + sum(
        stats.norm.logpdf(r, grid * f, np.sqrt(0.5)) for f, r in zip(features[:, 0], rewards, strict=True)
    )
    density = np.exp(log - log.max())
    density /= density.sum()
    mean = float(density @ grid)
    assert found.mean[0] == pytest.approx(mean, abs=1e-6)
    assert found.covariance[0, 0] == pytest.approx(float(density @ (grid - mean) ** 2), rel=1e-5)


def test_a_logistic_posterior_is_the_mode_and_the_curvature_there() -> None:
    random = np.random.default_rng(3)
    features = random.normal(size=(200, 3))
    rewards = (random.random(200) < 0.1).astype(float)
    prior = Normal(np.array([0.2, -0.1, 0.0]), np.diag([1.0, 2.0, 3.0]))
    weights = random.random(200)

    def loss(mean: Any) -> float:
        logits = features @ mean - 2.0
        away = mean - prior.mean
        return float(
            -weights @ (rewards * logits - np.logaddexp(0, logits)) + 0.5 * away @ prior.precision @ away
        )

    best = optimize.minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-10})
    found = logistic_posterior(prior, features, rewards, weights, bias=-2.0)
    assert found.mean == pytest.approx(best.x, abs=1e-5)
    step = 1e-4
    for i in range(3):
        shift = np.eye(3)[i] * step
        curvature = (loss(found.mean + shift) - 2 * loss(found.mean) + loss(found.mean - shift)) / step**2
        assert found.precision[i, i] == pytest.approx(curvature, rel=1e-4)


def test_batches_teach_what_all_at_once_teaches() -> None:
    random = np.random.default_rng(4)
    features, rewards, ones = random.normal(size=(100, 2)), random.normal(size=100), np.ones(50)
    prior = Normal(np.zeros(2), np.eye(2))
    whole = linear_posterior(prior, features, rewards, np.ones(100), noise=1.0)
    half = linear_posterior(prior, features[:50], rewards[:50], ones, noise=1.0)
    both = linear_posterior(half, features[50:], rewards[50:], ones, noise=1.0)
    assert both.mean == pytest.approx(whole.mean, rel=1e-12)
    assert both.precision == pytest.approx(whole.precision, rel=1e-12)


def test_weights_by_propensity_undo_who_was_chosen_and_make_no_evidence() -> None:
    random = np.random.default_rng(5)
    likes = random.random(20_000) < 0.3
    propensity = np.where(likes, 0.9, 0.1)
    taken = random.random(20_000) < propensity
    rewards = (random.random(20_000) < np.where(likes, 0.5, 0.1)).astype(float)[taken]
    truth = 0.3 * 0.5 + 0.7 * 0.1
    plain = beta_posterior((1, 1), rewards, row_weights(propensity[taken], "none", most=20))
    weights = row_weights(propensity[taken], "propensity", most=20)
    weighed = beta_posterior((1, 1), rewards, weights)
    assert weights.sum() == pytest.approx(
        (1 / propensity[taken]).sum() ** 2 / ((1 / propensity[taken]) ** 2).sum()
    )
    assert abs(plain[0] / sum(plain) - truth) > 0.1
    low, high = (float(stats.beta.ppf(share, *weighed)) for share in (0.001, 0.999))
    assert low < truth < high


@pytest.mark.parametrize("kind", ["linear", "logistic"])
def test_a_draft_learns_who_likes_what(kind: str) -> None:
    learned = learn(kind)
    model = learned.policy.slots["hero"].model
    assert model is not None
    assert learned.policy.version == "2"
    if kind == "logistic":
        assert model.weights == pytest.approx(np.array([[-0.5, 1.5], [0.3, -1.0]]), abs=0.25)
    assert model.weights[0, 1] > 0 > model.weights[1, 1]
    assert policy(kind).slots["hero"].model.weights.tolist() == [[0, 0], [0, 0]]  # type: ignore[union-attr]


def test_a_belief_and_an_uncertainty_keep_their_form() -> None:
    decisions, outcomes, customers = logged()
    thompson = Exploration(mode="thompson")
    beliefs = SlotPolicy.build(
        components=["a", "b"], exploration=thompson, beliefs={"a": (1, 1), "b": (2, 3)}
    )
    learned = SelectionPolicy.build("1", hero=beliefs).learn(decisions, outcomes, version="2")
    for row in learned.components:
        before, after = beliefs.beliefs[row.component], learned.policy.slots["hero"].beliefs[row.component]
        assert sum(after) - sum(before) == row.decisions
        assert after[0] - before[0] == pytest.approx((row.reward or 0) * row.decisions)
    for spread in (np.full((2, 2), 4.0), np.stack([2 * np.eye(2)] * 2)):
        slot = SlotPolicy.build(
            components=["a", "b"],
            features={"one": "1", "x": "x"},
            weights=np.zeros((2, 2)),
            uncertainty=spread,
            exploration=thompson,
        )
        draft = SelectionPolicy.build("1", hero=slot).learn(
            decisions, outcomes, customers=customers, version="2"
        )
        model = draft.policy.slots["hero"].model
        assert model is not None
        assert model.uncertainty is not None
        assert model.uncertainty.shape == spread.shape
        assert np.abs(model.uncertainty).max() < 0.1
        assert SelectionPolicy.from_files(draft.policy.files()) == draft.policy


def test_one_uncertainty_for_all_becomes_one_for_each() -> None:
    decisions, outcomes, customers = logged()
    drafts = []
    for spread in (2 * np.eye(2)[None], np.stack([2 * np.eye(2)] * 2)):
        slot = SlotPolicy.build(
            components=["a", "b"],
            features={"one": "1", "x": "x"},
            weights=np.zeros((2, 2)),
            uncertainty=spread,
            exploration=Exploration(mode="thompson"),
        )
        policy = SelectionPolicy.build("1", hero=slot)
        drafts.append(policy.learn(decisions, outcomes, customers=customers, version="2").policy)
    assert drafts[0] == drafts[1]


def test_encoded_features_are_learned_as_the_policy_reads_them() -> None:
    decisions, outcomes, customers = logged()
    customers = customers.with_columns(
        pl.when(pl.col("x") > 0).then(pl.lit("up")).otherwise(pl.lit("down")).alias("mood")
    )
    features = [Feature(name="mood", expression="mood", encoding="one_hot", categories=("up", "down"))]
    slot = SlotPolicy.build(
        components=["a", "b"], features=features, weights=np.zeros((2, 2)), kind="logistic"
    )
    learned = SelectionPolicy.build("1", hero=slot).learn(
        decisions, outcomes, customers=customers, version="2"
    )
    model = learned.policy.slots["hero"].model
    assert model is not None
    assert model.weights[0, 0] > 0.3 > -0.3 > model.weights[0, 1]


def test_customers_are_kept_to_judge_by_and_teach_nothing() -> None:
    decisions, outcomes, customers = logged()
    learned = learn()
    judged = set(learned.judged_by["key"].to_list())
    assert 0.25 * ROWS < len(judged) < 0.35 * ROWS
    assert sum(row.decisions for row in learned.components) + len(judged) == ROWS
    flipped = outcomes.with_columns(
        pl.when(pl.col("key").is_in(list(judged)))
        .then(1 - pl.col("reward"))
        .otherwise("reward")
        .alias("reward")
    )
    again = policy("logistic").learn(decisions, flipped, customers=customers, version="2")
    assert again.policy == learned.policy


def test_order_and_batches_change_nothing() -> None:
    decisions, outcomes, customers = logged()
    shuffled = policy("logistic").learn(
        decisions.sample(fraction=1, shuffle=True, seed=1).to_arrow().to_reader(max_chunksize=99),
        outcomes.sample(fraction=1, shuffle=True, seed=2),
        customers=customers.sample(fraction=1, shuffle=True, seed=3),
        version="2",
    )
    assert shuffled.policy.files() == learn().policy.files()
    assert shuffled.to_json() == learn().to_json()


def test_what_has_no_partner_is_counted_and_named() -> None:
    decisions, outcomes, customers = logged()
    decisions = decisions.with_columns(
        pl.when(pl.col("key") != 0).then("component").alias("component"),
        pl.when(pl.col("key") != 1).then("propensity").alias("propensity"),
    )
    outcomes = pl.concat(
        [outcomes.filter(pl.col("key") >= 4), pl.DataFrame({"key": [ROWS, ROWS + 1], "reward": [1.0, 0.0]})]
    )
    learned = policy("logistic").learn(decisions, outcomes, customers=customers, version="2")
    left = learned.unmatched
    assert (left.undecided, left.without_propensity, left.without_outcome, left.without_decision) == (
        1,
        1,
        2,
        2,
    )
    assert left.keys_without_outcome == ("2", "3")
    assert left.keys_without_decision == (str(ROWS), str(ROWS + 1))
    assert "! without outcome: 2" in repr(learned).splitlines()
    filled = policy("logistic").learn(decisions, outcomes, customers=customers, version="2", absent=0.0)
    total = sum(row.decisions for row in filled.components) + filled.judged_by.height
    assert total == ROWS - 2


def test_young_decisions_wait_and_late_outcomes_do_not_count() -> None:
    decisions, outcomes, customers = logged()
    outcomes = outcomes.join(decisions.select("key", "decided_at"), on="key").select(
        "key",
        "reward",
        (
            pl.col("decided_at")
            + pl.when(pl.col("key") < 100).then(timedelta(days=9)).otherwise(timedelta(days=1))
        ).alias("came_at"),
    )
    window = Window(NOW, timedelta(days=7), came_at="came_at")
    learned = policy("logistic").learn(decisions, outcomes, customers=customers, version="2", window=window)
    young = decisions.filter(pl.col("decided_at") > NOW - timedelta(days=7))
    assert learned.unmatched.young == young.height > 0
    assert learned.unmatched.late == 100
    old = decisions.filter(pl.col("decided_at") <= NOW - timedelta(days=7))
    assert learned.unmatched.without_outcome == old.filter(pl.col("key") < 100).height


def test_several_outcomes_of_one_decision_add_up() -> None:
    decisions, outcomes, customers = logged()
    doubled = pl.concat([outcomes, outcomes])
    one = policy("linear").learn(decisions, outcomes, customers=customers, version="2", noise=1.0)
    two = policy("linear").learn(decisions, doubled, customers=customers, version="2", noise=1.0)
    model = [learned.policy.slots["hero"].model for learned in (one, two)]
    assert model[1].weights == pytest.approx(2 * model[0].weights, rel=1e-5)  # type: ignore[union-attr]


def test_a_slot_without_a_model_stays_as_it_is() -> None:
    decisions, outcomes, _ = logged()
    plain = SelectionPolicy.build("1", hero=SlotPolicy.build())
    learned = plain.learn(decisions, outcomes, version="2")
    assert learned.policy.slots["hero"] == plain.slots["hero"]
    assert [row.component for row in learned.components] == ["a", "b"]
    assert learned.to_frame()["decisions"].sum() + learned.judged_by.height == ROWS


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"version": "1"}, "learning"),
        ({"held_out": 1.0}, "learning"),
        ({"noise": 0.0}, "learning"),
        ({"prior_precision": 0.0}, "learning"),
        ({"customers": None}, "learning"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], code: str) -> None:
    decisions, outcomes, customers = logged(rows=100)
    arguments = {"customers": customers, "version": "2", **options}
    with pytest.raises(SelectionError) as caught:
        policy().learn(decisions, outcomes, **arguments)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "outcomes",
    [
        pl.DataFrame({"key": [1], "reward": [float("inf")]}),
        pl.DataFrame({"key": range(100), "reward": [0.5] * 100}),
    ],
    ids=["infinite", "no rate"],
)
def test_rewards_that_cannot_be_are_refused(outcomes: pl.DataFrame) -> None:
    decisions, _, customers = logged(rows=100)
    with pytest.raises(SelectionError) as caught:
        policy("logistic").learn(decisions, outcomes, customers=customers, version="2")
    assert caught.value.code == "outcomes"


def test_a_decision_that_is_logged_twice_is_refused() -> None:
    decisions, outcomes, customers = logged(rows=100)
    with pytest.raises(SelectionError, match="found one twice"):
        policy().learn(pl.concat([decisions, decisions]), outcomes, customers=customers, version="2")
