"""Off-policy estimates against their definitions, and against truth where the log is the whole population."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labfactory.lab.off_policy import LoggedDecisions, RewardModel, TargetPolicy, evaluate_policy

Floats = npt.NDArray[np.float64]
ACTIONS = ("a", "b", "c", "d")
LOGGING = np.array([0.4, 0.3, 0.2, 0.1])
TARGET = np.array([0.1, 0.2, 0.3, 0.4])
OPEN: dict[str, Any] = {"min_effective": 0.0, "max_unsupported": 1.0, "resamples": 0}


def made(rows: int = 500, seed: int = 1) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    action = random.choice(4, rows, p=LOGGING)
    reward = random.gamma(2.0, 1.0 + action)
    return {"action": action, "reward": reward, "expected": random.random((rows, 4)) * 5}


def log_of(action: npt.NDArray[Any], reward: Any, **columns: Any) -> LoggedDecisions:
    frame = pl.DataFrame({"item": [ACTIONS[a] for a in action], "y": reward, "p": LOGGING[action], **columns})
    named = {name: name for name in columns if name in ("customer", "position", "slate")}
    return LoggedDecisions.of(frame, action="item", reward="y", propensity="p", actions=ACTIONS, **named)


def values(log: LoggedDecisions, kinds: list[str], **options: Any) -> dict[str, float]:
    target = options.pop("target", TargetPolicy.by_action(TARGET))
    judged = evaluate_policy(log, target, estimators=kinds, **{**OPEN, **options})
    return {kind: judged.estimate(kind).value for kind in kinds}


def test_each_estimator_is_what_its_definition_says() -> None:
    data = made()
    action, r, q = data["action"], data["reward"], data["expected"]
    w = TARGET[action] / LOGGING[action]
    left = r - q[np.arange(len(r)), action]
    v = q @ TARGET
    c = 1.7
    expected = {
        "ips": np.mean(w * r),
        "clipped_ips": np.mean(np.minimum(w, c) * r),
        "snips": np.sum(w * r) / np.sum(w),
        "dm": np.mean(v),
        "dr": np.mean(v + w * left),
        "sndr": np.mean(v) + np.sum(w * left) / np.sum(w),
        "switch_dr": np.mean(v + np.where(w <= c, w, 0) * left),
        "dros": np.mean(v + c * w / (w**2 + c) * left),
    }
    cuts = dict.fromkeys(("clipped_ips", "switch_dr", "dros"), c)
    found = values(log_of(action, r), list(expected), rewards=RewardModel.matrix(q), parameters=cuts)
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_log_that_is_the_whole_population_gives_the_truth() -> None:
    # Ten rows whose actions come exactly as often as their propensities say, rewards by action.
    action = np.repeat(np.arange(4), [4, 3, 2, 1])
    reward = np.array([1.0, 3.0, 7.0, 20.0])[action]
    truth = float(TARGET @ np.array([1.0, 3.0, 7.0, 20.0]))
    # A wrong model, of actions alone as the propensities are.
    wrong = RewardModel.matrix(np.tile(np.random.default_rng(3).random(4) * 9, (10, 1)))
    found = values(log_of(action, reward), ["ips", "snips", "dr", "sndr"], rewards=wrong)
    assert found == pytest.approx(dict.fromkeys(found, truth), rel=1e-12)


def test_groups_weigh_as_the_actions_they_hold() -> None:
    # Rewards depend on the group alone, so weights of groups are enough.
    action = np.repeat(np.arange(4), [4, 3, 2, 1])
    groups = {"a": "x", "b": "y", "c": "x", "d": "y"}
    reward = np.where(np.isin(action, (0, 2)), 2.0, 10.0)
    options = {"groups": groups, "logging": TargetPolicy.by_action(LOGGING)}
    assert values(log_of(action, reward), ["mips"], **options) == pytest.approx({"mips": 0.4 * 2 + 0.6 * 10})


def test_groups_vary_less_than_actions() -> None:
    data = made(2000)
    reward = np.where(np.isin(data["action"], (0, 3)), 2.0, 10.0)
    options: dict[str, Any] = {**OPEN, "groups": {"a": "x", "b": "y", "c": "y", "d": "x"}}
    judged = evaluate_policy(
        log_of(data["action"], reward),
        TargetPolicy.by_action(TARGET),
        estimators=["ips", "mips"],
        logging=TargetPolicy.by_action(LOGGING),
        **options,
    )
    assert judged.estimate("mips").error < judged.estimate("ips").error


def test_replay_is_the_mean_of_the_rows_on_which_both_agree() -> None:
    random = np.random.default_rng(4)
    action, chosen = random.integers(0, 4, 400), random.integers(0, 4, 400)
    reward = random.random(400)
    frame = pl.DataFrame({"item": action, "y": reward})
    log = LoggedDecisions.of(frame, action="item", reward="y", propensity=0.25)
    found = values(log, ["replay", "snips"], target=TargetPolicy.choices(chosen.tolist()))
    assert found["replay"] == pytest.approx(reward[action == chosen].mean(), rel=1e-12)
    assert found["replay"] == pytest.approx(found["snips"], rel=1e-12)


def test_the_ways_to_give_a_target_agree() -> None:
    data = made()
    action, rows = data["action"], len(data["action"])
    log = log_of(action, data["reward"])
    kinds = ["ips", "snips"]
    expected = values(log, kinds)
    for target in (
        TargetPolicy.by_action(dict(zip(ACTIONS, TARGET, strict=True))),
        TargetPolicy.by_action(TARGET[::-1], actions=ACTIONS[::-1]),
        TargetPolicy.by_row(TARGET[action]),
        TargetPolicy.matrix(np.tile(TARGET, (rows, 1))),
        TargetPolicy.matrix(np.tile(TARGET[[2, 0, 1, 3]], (rows, 1)), actions=["c", "a", "b", "d"]),
    ):
        assert values(log, kinds, target=target) == pytest.approx(expected, rel=1e-12)


def test_the_normal_interval_is_that_of_a_mean_of_independent_customers() -> None:
    data = made(600)
    customer = np.repeat(np.arange(200), 3)
    log = log_of(data["action"], data["reward"], customer=customer)
    estimate = evaluate_policy(log, TargetPolicy.by_action(TARGET), **OPEN).estimate("ips")
    w = TARGET[data["action"]] / LOGGING[data["action"]]
    means = (w * data["reward"]).reshape(200, 3).mean(axis=1)
    bounds = stats.norm.interval(0.95, means.mean(), means.std() / np.sqrt(200))
    assert (estimate.lower, estimate.upper) == pytest.approx(bounds, rel=1e-12)


def test_a_ratio_has_the_error_of_its_jackknife() -> None:
    data = made(2000)
    w, r = TARGET[data["action"]] / LOGGING[data["action"]], data["reward"]
    estimate = evaluate_policy(
        log_of(data["action"], r), TargetPolicy.by_action(TARGET), estimators=["snips"], **OPEN
    ).estimate("snips")
    left_out = ((w * r).sum() - w * r) / (w.sum() - w)
    jackknife = np.sqrt(len(r) * ((left_out - left_out.mean()) ** 2).mean())
    assert estimate.error == pytest.approx(jackknife, rel=5e-3)


def test_the_bootstrap_agrees_with_the_normal_interval_of_many_rows() -> None:
    data = made(4000)
    options: dict[str, Any] = {
        **OPEN,
        "resamples": 2000,
        "rewards": RewardModel.ridge(),
        "estimators": ["ips", "snips", "dr"],
    }
    judged = evaluate_policy(
        log_of(data["action"], data["reward"]),
        TargetPolicy.by_action(TARGET),
        baseline=TargetPolicy.logged(),
        **options,
    )
    for row in judged.estimates:
        assert row.bootstrap_lower == pytest.approx(row.lower, abs=0.15 * row.error)
        assert row.bootstrap_upper == pytest.approx(row.upper, abs=0.15 * row.error)


def test_a_difference_knows_that_both_policies_share_their_rows() -> None:
    data = made()
    log = log_of(data["action"], data["reward"])
    near = TARGET + np.array([0.001, 0, 0, -0.001])
    judged = evaluate_policy(
        log, TargetPolicy.by_action(near, name="near"), baseline=TargetPolicy.by_action(TARGET), **OPEN
    )
    gain = judged.gain("ips")
    w = (near - TARGET)[data["action"]] / LOGGING[data["action"]] * data["reward"]
    assert (gain.value, gain.error) == pytest.approx((w.mean(), w.std() / np.sqrt(len(w))), rel=1e-9)
    assert gain.error < judged.estimate("ips").error / 100
    assert judged.estimate("snips", "target", against=None).against is None


def test_the_logging_policy_is_worth_the_mean_reward() -> None:
    data = made()
    log = log_of(data["action"], data["reward"])
    found = values(log, ["ips", "snips", "dr"], target=TargetPolicy.logged(), rewards=RewardModel.ridge())
    assert found == pytest.approx(dict.fromkeys(found, data["reward"].mean()), rel=1e-12)


@given(st.integers(0, 2**31), st.floats(0.1, 10))
def test_cut_weights_lie_between_none_and_all(seed: int, cut: float) -> None:
    data = made(60, seed)
    options: dict[str, Any] = {
        "parameters": {"clipped_ips": cut, "dros": cut},
        "rewards": RewardModel.matrix(np.zeros((60, 4))),
    }
    found = values(log_of(data["action"], data["reward"]), ["ips", "clipped_ips", "dros"], **options)
    # Rewards here are above 0, so less weight is less value.
    assert 0 <= found["clipped_ips"] <= found["ips"] * (1 + 1e-12)
    assert 0 <= found["dros"] <= found["ips"] * (1 + 1e-12)


def test_slope_cuts_where_it_costs_nothing_and_leaves_where_it_does() -> None:
    random = np.random.default_rng(5)
    chances = np.array([0.998, 0.002])
    action = random.choice(2, 20_000, p=chances)
    frame = {"item": action, "p": chances[action]}
    target = TargetPolicy.by_action([0.5, 0.5])
    for reward, parameter in (
        (np.ones(20_000) * 5 + random.random(20_000), None),
        (random.random(20_000), 1.0),
    ):
        log = LoggedDecisions.of(
            pl.DataFrame({**frame, "y": reward}), action="item", reward="y", propensity="p"
        )
        judged = evaluate_policy(log, target, estimators=["clipped_ips"], **{**OPEN, "min_effective": 10.0})
        cut = judged.estimate("clipped_ips").parameter
        # A reward of 5.5 that is clipped away is missed at once; noise around little is not.
        assert cut is None or cut >= 100 if parameter is None else cut is not None


def slates() -> tuple[LoggedDecisions, Floats, float]:
    """All slates of two positions, each as often as it would come: the second action depends on the first."""
    first = np.array([0.5, 0.25, 0.25])
    second = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])
    wanted_first = np.array([0.2, 0.3, 0.5])
    wanted_second = np.array([[0.1, 0.6, 0.3], [0.3, 0.3, 0.4], [0.8, 0.1, 0.1]])
    rows: list[dict[str, float]] = []
    chances: list[float] = []
    truth = 0.0
    slate = 0
    for a, b in itertools.product(range(3), range(3)):
        rewards = (1.0 + a, 2.0 * b + 3.0 * a * (a == b))
        truth += wanted_first[a] * wanted_second[a, b] * sum(rewards)
        for _ in range(round(16 * first[a] * second[a, b])):
            rows += [
                {"slate": slate, "place": 0, "item": a, "y": rewards[0], "p": first[a]},
                {"slate": slate, "place": 1, "item": b, "y": rewards[1], "p": second[a, b]},
            ]
            chances += [wanted_first[a], wanted_second[a, b]]
            slate += 1
    order = np.random.default_rng(6).permutation(len(rows))
    log = LoggedDecisions.of(
        pl.DataFrame(rows)[order.tolist()],
        action="item",
        reward="y",
        propensity="p",
        position="place",
        slate="slate",
    )
    return log, np.array(chances)[order], truth


def test_slates_that_are_the_whole_population_give_the_truth() -> None:
    log, chances, truth = slates()
    found = values(log, ["sips", "rips"], target=TargetPolicy.by_row(chances))
    assert found == pytest.approx({"sips": truth, "rips": truth}, rel=1e-12)


def test_cascade_dr_stays_true_around_a_wrong_model() -> None:
    # Positions alone: the target does not look at what came before, so all its probabilities are known.
    first, second = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.25, 0.5])
    wanted = np.array([[0.2, 0.6], [0.3, 0.3], [0.5, 0.1]])
    rows = []
    truth = 0.0
    for slate, (a, b) in enumerate(itertools.product(range(3), range(3))):
        rewards = (1.0 + a, 2.0 * b + 5.0 * (a == b))
        truth += wanted[a, 0] * wanted[b, 1] * sum(rewards)
        for again in range(round(640 * first[a] * second[b])):
            rows.append({"s": 1000 * slate + again, "k": 0, "item": a, "y": rewards[0], "p": first[a]})
            rows.append({"s": 1000 * slate + again, "k": 1, "item": b, "y": rewards[1], "p": second[b]})
    log = LoggedDecisions.of(
        pl.DataFrame(rows), action="item", reward="y", propensity="p", position="k", slate="s"
    )
    # A wrong model, of position and action alone as the propensities are.
    guess = np.random.default_rng(7).random((2, 3)) * 4
    wrong = RewardModel.matrix(guess[np.arange(len(rows)) % 2])
    target = TargetPolicy.by_action(wanted)
    found = values(log, ["rips", "cascade_dr"], target=target, rewards=wrong)
    assert found == pytest.approx({"rips": truth, "cascade_dr": truth}, rel=1e-12)
    near = evaluate_policy(log, target, estimators=["cascade_dr"], rewards=RewardModel.ridge(), **OPEN)
    assert near.estimate("cascade_dr").value == pytest.approx(
        truth, abs=2 * near.estimate("cascade_dr").error
    )


def test_independent_positions_need_no_product() -> None:
    random = np.random.default_rng(8)
    slates, action = 3000, random.choice(4, (3000, 2), p=LOGGING)
    reward = 1.0 + action + random.random((slates, 2))
    frame = {
        "slate": np.repeat(np.arange(slates), 2),
        "position": np.tile([0, 1], slates),
    }
    log = log_of(action.reshape(-1), reward.reshape(-1), **frame)
    kinds = ["cascade_dr", "iips", "rips", "sips"]
    judged = evaluate_policy(
        log, TargetPolicy.by_action(TARGET), estimators=kinds, rewards=RewardModel.ridge(), **OPEN
    )
    w = (TARGET / LOGGING)[action]
    assert judged.estimate("iips").value == pytest.approx((w * reward).sum(axis=1).mean(), rel=1e-12)
    errors = [judged.estimate(kind).error for kind in kinds]
    assert errors == sorted(errors)


def test_a_customer_with_two_slates_is_one_cluster() -> None:
    columns = {"slate": np.repeat(np.arange(200), 2), "position": np.tile([0, 1], 200)}
    data = made(400)
    alone = log_of(data["action"], data["reward"], **columns)
    twice = log_of(data["action"], data["reward"], **columns, customer=np.repeat(np.arange(100), 4))
    assert (alone.clusters, twice.clusters) == (200, 100)
    found = [
        evaluate_policy(log, TargetPolicy.by_action(TARGET), **OPEN).estimate("iips")
        for log in (alone, twice)
    ]
    assert found[0].value == pytest.approx(found[1].value, rel=1e-12)
    assert found[0].error != found[1].error
