"""Rules under limits: what a rule gives while there is room, by what the rules' choices are worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from scipy.optimize import linprog

from labfactory.base.errors import SelectionError
from labfactory.selection import (
    Allocation,
    Cap,
    ChoiceRule,
    ContactRules,
    HoldoutRule,
    Limit,
    LimitedSelector,
    SelectionPolicy,
    SlotPolicy,
)

ROWS = 1500
NAMES = ("sea", "sun", "snow")


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None
    tags: tuple[str, ...] = ()


BLOCKS = (Block("sea"), Block("sun", "points >= 10"), Block("snow"))
RULES = (
    ChoiceRule(component="sea", when="60 // (points - 7) > 4"),  # fails for those with 7 points
    ChoiceRule(component="sun", when="x > 0.3"),
    ChoiceRule(component="sea", when="x > 0.9"),
    ChoiceRule(component="snow", when="x < 0.8"),
)


def people() -> pa.RecordBatch:
    random = np.random.default_rng(4)
    nulls = random.random(ROWS) < 0.05
    return pa.record_batch(
        {
            "key": np.arange(ROWS),
            "points": random.integers(0, 30, ROWS),
            "x": pa.array(random.random(ROWS), mask=nulls),
        }
    )


def policy(*rules: ChoiceRule, contact: ContactRules | None = None, **more: Any) -> SelectionPolicy:
    return SelectionPolicy.build("1", contact=contact, hero=SlotPolicy.build(rules=rules, **more))


def settled(
    made: SelectionPolicy, limits: dict[str, Limit], slots: tuple[str, ...] = ("hero",)
) -> tuple[pa.RecordBatch, pa.RecordBatch, Allocation, Any]:
    """What customers get without limits and under them, the allocation, and what was worth how much."""
    rows = people()
    keys = rows["key"]
    limited = LimitedSelector.of(made, limits, dict.fromkeys(slots, BLOCKS), rows.schema)
    values = limited.values(rows, keys, seed=7)
    learned = limited.learn(values, customers=ROWS, left=limited.left(rows, keys, seed=7))
    lists = learned.shortlists(rows, keys, seed=7)
    allocation = learned.require_priced().settle(lists)
    decided = learned.decide(rows, keys=keys, seed=7)
    given = learned.settled(allocation.choices, lists, np.arange(ROWS), ROWS).apply(decided, np.arange(ROWS))
    return decided, given, allocation, values


def worth_by_definition(rules: tuple[ChoiceRule, ...]) -> list[dict[str, float]]:
    """Rule by rule: the first that gives a customer something is worth 1, each next one half of it."""
    holding = [
        lambda points, x: points != 7 and 60 // (points - 7) > 4,
        lambda points, x: x is not None and x > 0.3,
        lambda points, x: x is not None and x > 0.9,
        lambda points, x: x is not None and x < 0.8,
    ]
    found = []
    for row in people().to_pylist():
        own: dict[str, float] = {}
        for rule, holds in zip(rules, holding, strict=True):
            if not holds(row["points"], row["x"]) or rule.component in own:
                continue
            if rule.component == "sun" and row["points"] < 10:
                continue
            own[rule.component] = 0.5 ** len(own) if rule.worth is None else rule.worth
        found.append(own)
    return found


def test_without_scarcity_everybody_gets_what_the_rules_give() -> None:
    decided, given, allocation, values = settled(
        policy(*RULES), {"sea": Limit(component="sea", maximum=ROWS)}
    )
    assert given.equals(decided)
    assert allocation.gap == pytest.approx(0.0, abs=1e-9)
    expected = worth_by_definition(RULES)
    for row, own in enumerate(expected):
        found = {name: value for name, value in zip(NAMES, values[row], strict=True) if not np.isnan(value)}
        assert found == own
    assert {one["reason"] for one in given["hero"].to_pylist()} == {"chosen", "no_candidate"}


@pytest.mark.parametrize(
    "rules", [RULES, tuple(replace(rule, worth=float(4 - at)) for at, rule in enumerate(RULES))]
)
@pytest.mark.parametrize("least", [None, 300])
def test_what_runs_short_is_allocated_within_its_certificate_and_highs_agrees(
    rules: tuple[ChoiceRule, ...], least: int | None
) -> None:
    limits = {"sea": Limit(component="sea", maximum=120), "sun": Limit(component="sun", maximum=400)}
    if least is not None:
        limits["snow"] = Limit(component="snow", minimum=least)
    decided, given, allocation, values = settled(policy(*rules), limits)
    got = given["hero"].field("component").to_pylist()
    assert got.count("sea") <= 120
    assert got.count("sun") <= 400
    assert least is None or got.count("snow") >= least
    expected = worth_by_definition(rules)
    reached = sum(own[name] for own, name in zip(expected, got, strict=True) if name is not None)
    assert allocation.value == pytest.approx(reached)
    best = best_of_all(values, least)
    assert reached <= best + 1e-6 <= allocation.bound + 2e-6
    assert 0 <= allocation.gap < 0.002
    before = decided["hero"].field("component").to_pylist()
    changed = [one != other for one, other in zip(before, got, strict=True)]
    hero = given["hero"]
    assert [one == "limited" for one in hero.field("reason").to_pylist()] == changed
    assert [one is None for one in hero.field("propensity").to_pylist()] == [
        is_changed or name is None for is_changed, name in zip(changed, got, strict=True)
    ]
    assert {score for score in hero.field("score").to_pylist() if score is not None} == {0.0}
    assert any(changed)


def best_of_all(values: np.ndarray[Any, Any], least: int | None) -> float:
    """The linear programme's best."""
    cells = np.argwhere(~np.isnan(values))
    columns = np.arange(len(cells))
    per_row = sparse.csr_matrix((np.ones(len(cells)), (cells[:, 0], columns)), shape=(ROWS, len(cells)))
    overall = [(cells[:, 1] == 0) * 1.0, (cells[:, 1] == 1) * 1.0, (cells[:, 1] == 2) * -1.0]
    found = linprog(
        -values[cells[:, 0], cells[:, 1]].astype(float),
        A_ub=sparse.vstack([per_row, sparse.csr_matrix(np.array(overall))]).tocsr(),
        b_ub=np.concatenate([np.ones(ROWS), [120, 400, -(least or 0)]]),
        bounds=(0, 1),
    )
    return -float(found.fun)


def test_a_rule_that_is_worth_more_is_served_first() -> None:
    rules = (ChoiceRule(component="sea", when="x > 0.9", worth=5), ChoiceRule(component="sea", worth=1))
    _, given, _, _ = settled(policy(*rules), {"sea": Limit(component="sea", maximum=200)})
    xs = people()["x"].to_pylist()
    got = given["hero"].field("component").to_pylist()
    dear = [name for name, x in zip(got, xs, strict=True) if x is not None and x > 0.9]
    assert 0 < len(dear) < 200
    assert set(dear) == {"sea"}
    assert got.count("sea") == 200


def test_a_control_arm_keeps_what_the_lot_gave_and_nobody_is_lost() -> None:
    contact = ContactRules(holdouts=(HoldoutRule(name="c", share=0.3, gives="control"),))
    decided, given, _, _ = settled(
        policy(*RULES, contact=contact), {"sea": Limit(component="sea", maximum=150)}
    )
    assert given.num_rows == ROWS
    got, before = given["hero"].to_pylist(), decided["hero"].to_pylist()
    assert sum(one["component"] == "sea" for one in got) <= 150
    control = [(one, other) for one, other in zip(before, got, strict=True) if one["reason"] == "control"]
    assert len(control) > 200
    assert all(other["component"] in (one["component"], None) for one, other in control)
    assert sum(other == one for one, other in control) > 200


def test_slots_that_one_policy_of_rules_fills_get_different_components_within_limits() -> None:
    made = policy(*RULES, fills=("one", "two"), contact=ContactRules(caps=(Cap(at_most=2),)))
    _, given, allocation, _ = settled(made, {"sea": Limit(component="sea", maximum=150)}, ("one", "two"))
    pairs = list(
        zip(*(given.column(name).field("component").to_pylist() for name in ("one", "two")), strict=True)
    )
    assert all(one is None or one != two for one, two in pairs)
    assert sum(pair.count("sea") for pair in pairs) <= 150
    assert allocation.gap < 0.005


def test_a_rule_says_its_worth_in_the_file() -> None:
    made = policy(ChoiceRule(component="sea", when="x > 0.9", worth=2.5), ChoiceRule(component="snow"))
    text = made.files()["selection.toml"].decode()
    assert '{ when = "x > 0.9", component = "sea", worth = 2.5 },' in text
    assert SelectionPolicy.from_files(made.files()) == made
    for worth in (-1.0, float("nan"), float("inf")):
        with pytest.raises(SelectionError) as caught:
            ChoiceRule(component="sea", worth=worth)
        assert caught.value.code == "model_value"
