"""A learned draft is judged by decisions it has not seen, and promoted by a graduation policy alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from labfactory.base.errors import SelectionError
from labfactory.governance import GraduationPolicy
from labfactory.lab import Evaluation, Hypothesis, evaluate_learned
from labfactory.selection import Exploration, Learned, SelectionPolicy, SlotPolicy

ROWS = 8000
NOW = datetime(2026, 7, 1, tzinfo=UTC)

GRADUATION = b"""
[policy]
id = "drafts"
version = 1

[[gate]]
type = "lift"
metric = "visits"
min_lower = 0.0
scale = "absolute"

[approvals]
roles = ["bridge_manager"]
"""


@dataclass(frozen=True)
class Block:
    name: str
    eligible: str | None = None


COMPONENTS = {"hero": (Block("a"), Block("b"))}


def world(effect: float) -> tuple[SelectionPolicy, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A policy that tries both alike, and customers of whom some like a and some like b by so much."""
    random = np.random.default_rng(6)
    x = random.choice([-1.0, 1.0], ROWS)
    slot = SlotPolicy.build(
        components=["a", "b"],
        features={"one": "1", "x": "x"},
        weights=np.zeros((2, 2)),
        bias=[0.0, 0.0],
        kind="logistic",
        exploration=Exploration(mode="epsilon", epsilon=1.0),
    )
    policy = SelectionPolicy.build("1", hero=slot)
    customers = pl.DataFrame({"key": np.arange(ROWS), "x": x})
    batch = customers.to_arrow().to_batches()[0]
    decided = policy.bind(COMPONENTS, batch.schema).decide(batch, keys=batch["key"], seed=3)["hero"]
    component = decided.field("component").to_pylist()
    chance = 0.3 + effect * np.where(np.array(component) == "a", x, -x)
    decisions = pl.DataFrame(
        {
            "key": np.arange(ROWS),
            "slot": ["hero"] * ROWS,
            "component": component,
            "propensity": decided.field("propensity").to_numpy(),
        }
    )
    outcomes = pl.DataFrame({"key": np.arange(ROWS), "reward": (random.random(ROWS) < chance).astype(float)})
    return policy, decisions, outcomes, customers


def learned(effect: float) -> tuple[Learned, pl.DataFrame]:
    policy, decisions, outcomes, customers = world(effect)
    made = policy.learn(decisions, outcomes, customers=customers, version="2")
    greedy = SelectionPolicy.build("2", hero=_greedy(made.policy.slots["hero"]))
    return Learned(greedy, made.current, made.components, made.unmatched, made.judged_by), customers


def _greedy(slot: SlotPolicy) -> SlotPolicy:
    return SlotPolicy(components=slot.components, features=slot.features, model=slot.model)


def evidence(effect: float) -> dict[str, Any]:
    draft, customers = learned(effect)
    judged = evaluate_learned(draft, customers, COMPONENTS, resamples=0, draws=20)
    shown = judged.as_evaluation(
        "ips",
        experiment="hero-2",
        hypothesis=Hypothesis("Choosing by x brings visits.", minimum_effect=0.0),
        metric="visits",
    )
    assert Evaluation.from_json(shown.to_json()) == shown
    return shown.to_dict()


def test_a_draft_that_learned_something_gains_what_it_truly_gains() -> None:
    draft, customers = learned(0.15)
    judged = evaluate_learned(draft, customers, COMPONENTS, resamples=0, draws=50)
    gain = judged.gain("ips")
    assert gain.lower < 0.15 < gain.upper
    assert gain.lower > 0
    assert (judged.policy, judged.baseline, judged.rows) == ("draft", "current", draft.judged_by.height)
    assert judged.estimate("snips").value == pytest.approx(0.45, abs=4 * judged.estimate("snips").error)


def test_a_graduation_policy_passes_a_gain_and_not_the_lack_of_one() -> None:
    graduation = GraduationPolicy.from_toml(GRADUATION)
    assert graduation.judge(evidence(0.15), NOW).status == "passed"
    assert graduation.judge(evidence(0.0), NOW).status == "refused"


def test_everybody_who_was_decided_for_must_be_at_hand() -> None:
    draft, customers = learned(0.1)
    with pytest.raises(SelectionError) as caught:
        evaluate_learned(draft, customers.head(10), COMPONENTS)
    assert caught.value.code == "learning"


def test_of_several_slots_one_is_named() -> None:
    draft, customers = learned(0.1)
    slots = {"hero": draft.policy.slots["hero"], "foot": draft.policy.slots["hero"]}
    two = Learned(SelectionPolicy("2", slots), draft.current, (), draft.unmatched, draft.judged_by)
    with pytest.raises(SelectionError, match="expected one of 2 slots to be named"):
        evaluate_learned(two, customers, COMPONENTS)
