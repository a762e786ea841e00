"""A selector under limits: values by the policy's own scores, frozen prices, exact propensities, settled rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labfactory.base.errors import SelectionError
from labfactory.selection import (
    ChoiceRule,
    ContactRules,
    Exploration,
    HoldoutRule,
    Limit,
    LimitedSelector,
    SelectionPolicy,
    Shortlists,
    SlotPolicy,
)

ROWS = 3000


@dataclass(frozen=True)
class Block:
    name: str
    eligible: str | None = None
    tags: tuple[str, ...] = ()


HERO = (Block("sea", tags=("new",)), Block("sun", "points >= 10"), Block("snow"))
FOOT = (Block("tea", tags=("new",)), Block("jam"))
COMPONENTS: dict[str, Any] = {"hero": HERO, "foot": FOOT}


def batch() -> pa.RecordBatch:
    random = np.random.default_rng(9)
    return pa.record_batch(
        {
            "points": random.integers(0, 30, ROWS),
            "x": random.random(ROWS),
            "z": random.random(ROWS),
            "key": np.arange(ROWS),
        }
    )


def policy(exploration: Exploration | None = None) -> SelectionPolicy:
    hero = SlotPolicy.build(
        components=["sea", "sun", "snow"],
        features={"x": "x", "z": "z"},
        weights=[[1.0, 0.2], [0.1, 1.0], [0.3, 0.3]],
        bias=[0.1, 0.3, 0.2],
        exploration=exploration or Exploration(),
    )
    foot = SlotPolicy.build(
        components=["tea", "jam"], features={"x": "x"}, weights=[[0.5], [0.1]], bias=[0.2, 0.3]
    )
    return SelectionPolicy.build("1", hero=hero, foot=foot)


LIMITS = {
    "sea": Limit(component="sea", maximum=400),
    "new": Limit(tag="new", maximum=900),
    "jam": Limit(component="jam", minimum=1500),
}


def bound(exploration: Exploration | None = None, limits: dict[str, Limit] | None = None) -> LimitedSelector:
    rows = batch()
    limited = LimitedSelector.of(policy(exploration), limits or LIMITS, COMPONENTS, rows.schema)
    return limited.learn(limited.values(rows, rows["key"], seed=7), customers=ROWS)


def settled(limited: LimitedSelector, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, Any]:
    lists = limited.shortlists(rows, rows["key"], seed=7)
    allocation = limited.require_priced().settle(lists)
    places = np.arange(rows.num_rows)
    got = limited.settled(allocation.choices, lists, places, rows.num_rows)
    decided = limited.decide(rows, keys=rows["key"], seed=7)
    return got.apply(decided, np.arange(rows.num_rows)), allocation


def counts(column: pa.Array) -> dict[str, int]:
    names = column.field("component").cast(pa.string()).to_pylist()
    return {str(name): names.count(name) for name in set(names)}


def test_values_are_the_scores_of_whoever_may_have_it() -> None:
    rows = batch()
    limited = bound(Exploration(mode="epsilon", epsilon=0.5))
    values = limited.values(rows, rows["key"], seed=7)
    x, z, points = (rows[name].to_numpy().astype(np.float64) for name in ("x", "z", "points"))
    expected = np.stack(
        [
            0.1 + x + 0.2 * z,
            np.where(points >= 10, 0.3 + 0.1 * x + z, np.nan),
            0.2 + 0.3 * x + 0.3 * z,
            0.2 + 0.5 * x,
            0.3 + 0.1 * x,
        ],
        axis=1,
    )
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert [(option.slot, option.component) for option in limited.options] == [
        ("hero", "sea"), ("hero", "sun"), ("hero", "snow"), ("foot", "tea"), ("foot", "jam"),
    ]  # fmt: skip


def test_decisions_keep_the_limits_of_all_slots_together() -> None:
    rows = batch()
    made, allocation = settled(bound(), rows)
    hero, foot = counts(made["hero"]), counts(made["foot"])
    assert hero["sea"] <= 400
    assert hero["sea"] + foot["tea"] <= 900
    assert foot["jam"] >= 1500
    assert allocation.gap < 1e-3
    unlimited = policy().bind(COMPONENTS, rows.schema).decide(rows, keys=rows["key"], seed=7)
    assert counts(unlimited["hero"])["sea"] > 400


def test_what_a_limit_changed_says_so_and_has_no_propensity() -> None:
    rows = batch()
    limited = bound(Exploration(mode="softmax", temperature=0.3))
    made, allocation = settled(limited, rows)
    drawn = limited.decide(rows, keys=rows["key"], seed=7)
    assert allocation.repaired > 0
    for name in ("hero", "foot"):
        before, after = drawn[name], made[name]
        changed = np.array(before.field("index").to_pylist(), object) != np.array(
            after.field("index").to_pylist(), object
        )
        reasons = np.array(after.field("reason").cast(pa.string()).to_pylist())
        assert ((reasons == "limited") == changed).all()
        propensity = after.field("propensity")
        assert propensity.is_null().to_pylist() == changed.tolist()
        same = pa.array(~changed)
        assert after.filter(same).field("propensity").equals(before.filter(same).field("propensity"))
        index, score = after.field("index").to_pylist(), after.field("score").to_pylist()
        assert [i is None for i in index] == [s is None for s in score]


def test_propensities_under_prices_are_those_of_the_priced_softmax() -> None:
    rows = batch()
    limited = bound(Exploration(mode="softmax", temperature=0.3))
    decided = limited.decide(rows, keys=rows["key"], seed=7)["hero"]
    values = limited.values(rows, rows["key"], seed=7)[:, :3].astype(np.float64)
    net = values - limited.require_priced().option_prices[:3]
    weight = np.where(np.isnan(net), 0.0, np.exp(np.nan_to_num(net) / 0.3))
    index = decided.field("index").to_numpy(zero_copy_only=False)
    expected = weight[np.arange(ROWS), index] / weight.sum(axis=1)
    np.testing.assert_allclose(
        decided.field("propensity").to_numpy(zero_copy_only=False), expected, rtol=1e-4
    )


def test_batches_and_threads_change_nothing() -> None:
    rows = batch()
    limited = bound(Exploration(mode="epsilon", epsilon=0.2))
    whole = limited.require_priced().settle(limited.shortlists(rows, rows["key"], seed=7))
    parts = [
        limited.shortlists(part, part["key"], seed=7, threads=2)
        for part in (rows.slice(2000), rows.slice(0, 2000))
    ]
    split = limited.require_priced().settle(Shortlists.joined(parts))
    assert split.to_json() == whole.to_json()


def test_rules_that_explore_leave_nothing_to_weigh_against_a_limit() -> None:
    for explore in (Exploration(mode="uniform"), Exploration(floor=0.1)):
        slot = SlotPolicy.build(rules=[ChoiceRule(component="sea")], exploration=explore)
        ruled = SelectionPolicy.build("1", hero=slot)
        with pytest.raises(SelectionError, match="follow its rules under limits") as caught:
            LimitedSelector.of(ruled, {"sea": Limit(maximum=3)}, {"hero": HERO}, batch().schema)
        assert caught.value.code == "limit"


def test_a_customer_without_a_score_gets_nothing_and_keeps_the_reason() -> None:
    rows = batch()
    blank = pa.array([None if row < 5 else 0.5 for row in range(ROWS)], pa.float64())
    rows = rows.set_column(rows.schema.get_field_index("x"), "x", blank)
    made, _ = settled(bound(), rows)
    hero = made["hero"].slice(0, 5)
    assert hero.field("index").to_pylist() == [None] * 5
    assert hero.field("reason").cast(pa.string()).to_pylist() == ["missing_feature"] * 5


def test_beliefs_are_worth_their_means_and_keep_their_draws() -> None:
    rows = batch()
    slot = SlotPolicy.build(
        components=["sea", "snow"],
        exploration=Exploration(mode="thompson"),
        beliefs={"sea": (30.0, 10.0), "snow": (10.0, 30.0)},
    )
    policy = SelectionPolicy.build("1", hero=slot)
    hero = {"hero": (HERO[0], HERO[2])}
    limited = LimitedSelector.of(policy, {"sea": Limit(component="sea", maximum=600)}, hero, rows.schema)
    values = limited.values(rows, rows["key"], seed=7)
    np.testing.assert_allclose(values, np.tile([0.75, 0.25], (ROWS, 1)), rtol=1e-6)
    limited = limited.learn(values, customers=ROWS)
    allocation = limited.require_priced().settle(limited.shortlists(rows, rows["key"], seed=7))
    assert allocation.used["sea.maximum"] == 600
    assert allocation.without == 0


def test_customers_of_a_control_arm_keep_what_they_drew_where_there_is_room() -> None:
    rows = batch()
    control = ContactRules(holdouts=(HoldoutRule(name="control", share=0.3, gives="control"),))
    slots = {"hero": policy().slots["hero"]}
    held = SelectionPolicy("1", slots, control)
    limited = LimitedSelector.of(
        held, {"sun": Limit(component="sun", maximum=600)}, {"hero": HERO}, rows.schema
    )
    limited = limited.learn(limited.values(rows, rows["key"], seed=7), customers=ROWS)
    lists = limited.shortlists(rows, rows["key"], seed=7)
    allocation = limited.require_priced().settle(lists)
    got = limited.settled(allocation.choices, lists, np.arange(ROWS), ROWS)
    drawn = limited.decide(rows, keys=rows["key"], seed=7)["hero"]
    made = got.apply(limited.decide(rows, keys=rows["key"], seed=7), np.arange(ROWS))["hero"]
    is_control = np.array(drawn.field("reason").cast(pa.string()).to_pylist()) == "control"
    assert is_control.any()
    before = np.array(drawn.field("component").cast(pa.string()).to_pylist())
    after = np.array(made.field("component").cast(pa.string()).to_pylist(), object)
    same = (before == after) | (after == None)  # noqa: E711
    assert same[is_control].all()
    assert (after[is_control & (before != "sun")] == before[is_control & (before != "sun")]).all()
    assert (after == "sun").sum() <= 600
