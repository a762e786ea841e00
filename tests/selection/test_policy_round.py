"""A policy with everything in it is written canonically, read back equal, and travels as two files."""

from __future__ import annotations

import numpy as np
import pytest

from labfactory.base.errors import SelectionError
from labfactory.selection import (
    Arbitration,
    Cap,
    ContactRules,
    EligibilityRule,
    Exploration,
    Feature,
    HoldoutRule,
    QuietHours,
    Rest,
    SelectionPolicy,
    SlotPolicy,
)

CONTACT = ContactRules(
    consent=("opted_in == true",),
    suppressed=("bounced", "complained"),
    zone="zone",
    quiet_hours=QuietHours(start="21:00", end="08:00"),
    send_hour="best_hour",
    caps=(
        Cap(at_most=0, per="week", channel="email", type="promo"),
        Cap(at_most=1, tag="topic:*", components=("a", "b"), slots=("hero",)),
    ),
    rests=(Rest(outcome="ignored", times=2, within="30 days", rest="60 days", tag="news"),),
    holdouts=(
        HoldoutRule(name="global", share=0.05),
        HoldoutRule(name="plain", share=0.0, salt="x", gives="control"),
    ),
)


def policy() -> SelectionPolicy:
    hero = SlotPolicy.build(
        components=["a", "b"],
        features=[
            Feature(name="age", expression="age / 100", missing=0.5),
            Feature(name="land", expression="country", encoding="one_hot", categories=("DE", 'F"R')),
            Feature(name="city", expression="city", encoding="hashed", buckets=2),
        ],
        weights=np.arange(10).reshape(2, 5),
        uncertainty=np.ones((2, 5)),
        exploration=Exploration(mode="ucb", width=1.5, floor=0.01),
        eligible=["age > 3"],
        applicable=(EligibilityRule(when="age > 4", component="a"),),
        suitable=(EligibilityRule(when="age > 5"),),
        channel="email",
        type="promo",
    )
    offers = SlotPolicy.build(
        components=["c", "d"],
        features={"age": "age"},
        weights=[[1.0], [2.0]],
        arbitration=Arbitration(formula="propensity * value", terms={"d": {"value": 3.5, "lever": "age"}}),
        exploration=Exploration(mode="squarecb", gamma=20.0),
        fills=["offer_1", "offer_2"],
    )
    tips = SlotPolicy(
        components=("e", "f"),
        beliefs={"e": (1.0, 2.5), "f": (3.0, 4.0)},
        exploration=Exploration(mode="thompson"),
    )
    return SelectionPolicy.build("v1", contact=CONTACT, hero=hero, offers=offers, tips=tips)


def test_a_whole_policy_is_read_back_as_it_was_written():
    written = policy().files()
    read = SelectionPolicy.from_files(written)
    assert read.files() == written
    assert read == policy()
    assert read.contact == CONTACT
    assert read.filled == ["hero", "offer_1", "offer_2", "tips"]
    assert read.slots["hero"].model.uncertainty.tolist() == [[1.0] * 5] * 2
    assert read.slots["offers"].arbitration == policy().slots["offers"].arbitration


def test_every_choice_tells_in_the_file():
    whole = policy()
    for name in ("consent", "suppressed", "zone", "quiet_hours", "send_hour", "caps", "rests", "holdouts"):
        default = getattr(ContactRules(), name)
        poorer = ContactRules(**{**vars(CONTACT), name: default})
        assert SelectionPolicy("v1", whole.slots, poorer) != whole, name


@pytest.mark.parametrize(
    ("table", "code", "line"),
    [
        ('[contact]\nconsnt = ["a"]', "policy_field", 3),
        ("[[contact.caps]]\nat_most = 1\npr = 'day'", "policy_field", 4),
        ("[[contact.caps]]\nat_most = -1", "contact_rule", 2),
        ("[[contact.rests]]\noutcome = 'x'\nrest = 'x'", "contact_rule", 2),
        ("[slots.hero.arbitration]\nformula = 'value *'", "formula", 3),
        ("[slots.hero.arbitration.components.a]\nworth = 1.0", "policy_field", 3),
        ("[slots.hero.beliefs]\na = [1.0]", "model_value", 3),
        ("[slots.hero]\nfills = ['x', 'x']", "duplicate_component", 2),
        ("[slots.hero]\nfills = ['tips']\n[slots.tips]", "duplicate_component", None),
    ],
)
def test_mistakes_have_their_line(table, code, line):
    text = f'version = "1"\n{table}\n'
    if "slots.hero]" not in table:
        text += "[slots.hero]\n"
    with pytest.raises(SelectionError) as raised:
        SelectionPolicy.from_files({"selection.toml": text.encode()})
    assert raised.value.code == code
    assert raised.value.line == line
