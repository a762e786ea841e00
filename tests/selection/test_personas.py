"""Personas: a policy that breaks an expectation is told by the persona's name, with what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from labfactory.base.errors import SelectionError, SourceError
from labfactory.selection import (
    Cap,
    ContactRules,
    EligibilityRule,
    Exploration,
    HoldoutRule,
    Persona,
    PersonaReport,
    Personas,
    QuietHours,
    SelectionPolicy,
    Selector,
    SlotPolicy,
    check_personas,
)


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None


SCHEMA = pa.schema([("age", pa.int64()), ("opted_in", pa.bool_()), ("country", pa.utf8())])
NAMES = ["tea", "tulips", "wine"]
ROW = {"age": 30, "opted_in": True, "country": "DE"}


def bound(
    contact: ContactRules | None = None, *, names: Sequence[str] = NAMES, **slots: SlotPolicy
) -> Selector:
    policy = SelectionPolicy("1", slots, contact or ContactRules())
    return policy.bind({slot: [Block(name) for name in names] for slot in policy.filled}, SCHEMA)


def shop() -> Selector:
    slot = SlotPolicy(
        components=("wine", "tulips", "tea"),
        eligible=(EligibilityRule(when="age >= 18", component="wine"),),
        applicable=(EligibilityRule(when="country == 'DE'"),),
        suitable=(EligibilityRule(when="age > 40", component="wine"),),
        channel="email",
    )
    contact = ContactRules(
        consent=("opted_in",),
        quiet_hours=QuietHours(start="22:00", end="08:00"),
        caps=(Cap(at_most=2, per="week", channel="email"),),
    )
    return bound(contact, hero=slot)


FILE = """
row = { age = 30, opted_in = true, country = "DE" }
now = 2026-03-02T12:00:00Z

[[personas]]
name = "an adult"
expect.hero = "tulips"

[[personas]]
name = "an older customer"
row = { age = 50 }
expect.hero = ["wine"]

[[personas]]
name = "a new customer without consent"
nulls = ["opted_in"]
expect.hero = { reason = "no_consent" }

[[personas]]
name = "at night"
now = 2026-03-02T23:00:00Z
expect.hero = { reason = "quiet_hours" }

[[personas]]
name = "one who got two this week"
key = "c7"
history = [
    { at = 2026-03-02T09:00:00Z, channel = "email" },
    { at = 2026-03-02T10:00:00+00:00, channel = "email", tags = ["news"] },
]
expect.hero = { reason = "capped" }

[[personas]]
name = "one who got two last week"
history = [{ at = 2026-03-01T09:00:00Z, channel = "email" }, { at = 2026-02-28T09:00:00Z, channel = "email" }]
expect.hero = "tulips"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "personas.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_what_the_file_expects_holds(file: Path) -> None:
    report = check_personas(shop(), Personas.load(file))
    assert report.failed == ()
    assert [(one.persona, one.found, one.reason) for one in report.results] == [
        ("an adult", ("tulips",), "chosen"),
        ("an older customer", ("wine",), "chosen"),
        ("a new customer without consent", (), "no_consent"),
        ("at night", (), "quiet_hours"),
        ("one who got two this week", (), "capped"),
        ("one who got two last week", ("tulips",), "chosen"),
    ]


def only(selector: Selector, expected: object, **persona: Any) -> PersonaReport:
    row = {**ROW, **persona.pop("row", {})}
    return check_personas(selector, [Persona(name="p", row=row, expect={"hero": expected}, **persona)])


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "expected", "why"),
    [
        ({"age": 12}, "wine", "tulips can be chosen; wine: eligible (age >= 18)"),
        ({"country": None}, "tulips", "tulips: applicable (country == 'DE')"),
        ({}, ["tea", "wine"], "tulips can be chosen; wine: suitable (age > 40); tea: outranked"),
        ({"opted_in": False}, "tulips", "tulips: no_consent"),
        ({"opted_in": False}, {"reason": "capped"}, "the reason is no_consent"),
        ({}, {"reason": "no_consent"}, "tulips can be chosen"),
    ],
)
def test_a_failure_says_the_tier_and_the_first_rule_that_fails(
    row: dict[str, object], expected: object, why: str
) -> None:
    (failed,) = only(shop(), expected, row=row, now=NOON).failed
    assert (failed.persona, failed.slot, failed.passed, failed.why) == ("p", "hero", False, why)


def test_the_table_tells_the_failure_by_name() -> None:
    report = only(shop(), "wine", now=NOON)
    assert repr(report) == (
        "Personas: 0 of 1 expectations hold\n"
        "        persona  slot  expected  found   why\n"
        "failed  p        hero  wine      tulips  tulips can be chosen; wine: suitable (age > 40)"
    )


def explored(exploration: Exploration, **settings: Any) -> SlotPolicy:
    return SlotPolicy.build(
        components=NAMES,
        features={"age": "age"},
        weights=[[0.0]] * 3,
        bias=[0.0, 0.1, -20.0],
        exploration=exploration,
        **settings,
    )


@pytest.mark.parametrize(
    ("exploration", "possible"),
    [
        (Exploration(), ("tulips",)),
        (Exploration(mode="uniform"), ("tea", "tulips", "wine")),
        (Exploration(mode="epsilon", epsilon=1e-6), ("tea", "tulips", "wine")),
        (Exploration(mode="squarecb", gamma=1e5), ("tea", "tulips", "wine")),
        # A gap of 20 at the temperature 0.2 is a weight of 0.
        (Exploration(mode="softmax", temperature=0.2), ("tea", "tulips")),
        (Exploration(mode="softmax", temperature=0.2, floor=1e-7), ("tea", "tulips", "wine")),
    ],
)
def test_what_is_expected_is_the_set_of_what_can_be_chosen(
    exploration: Exploration, possible: tuple[str, ...]
) -> None:
    selector = bound(hero=explored(exploration))
    assert only(selector, list(possible)).results[0].found == possible
    for expected in (NAMES, ["tea", "tulips"], "tulips", "tea"):
        listed = {expected} if isinstance(expected, str) else {*expected}
        assert bool(only(selector, expected).failed) is not (set(possible) <= listed)


def test_estimated_propensities_show_no_component_to_be_impossible() -> None:
    slot = explored(Exploration(mode="thompson"), uncertainty=[[1e-8]] * 3)
    found = only(bound(hero=slot), "tulips").results[0]
    assert found.found == ("tea", "tulips", "wine")
    assert found.why == "tea, wine can be chosen"


def test_slots_that_share_a_cap_are_drawn_together() -> None:
    uniform = SlotPolicy(exploration=Exploration(mode="uniform"))
    contact = ContactRules(caps=(Cap(at_most=1),))
    selector = bound(contact, names=["tea", "wine"], hero=uniform, footer=uniform)
    first = Persona(name="p", row=ROW, expect={"hero": ["tea", "wine"], "footer": {"reason": "capped"}})
    assert check_personas(selector, [first]).failed == ()
    each = SlotPolicy(exploration=Exploration(mode="uniform"), fills=("hero", "footer"))
    both = Persona(name="p", row=ROW, expect={"hero": ["tea", "wine"], "footer": "wine"})
    (failed,) = check_personas(bound(names=["tea", "wine"], offers=each), [both]).failed
    assert (failed.slot, failed.found, failed.why) == ("footer", ("tea", "wine"), "tea can be chosen")


def test_a_holdout_goes_by_the_personas_key() -> None:
    contact = ContactRules(holdouts=(HoldoutRule(name="arm", share=0.5, gives="control"),))
    selector = bound(contact, hero=SlotPolicy())
    found = {only(selector, NAMES, key=f"k{number}").results[0].found for number in range(20)}
    assert found == {("tea",), ("tea", "tulips", "wine")}


def change(old: str, new: str) -> str:
    assert old in FILE
    return FILE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "code", "line", "message"),
    [
        (FILE + "[", "policy_syntax", 37, "expected TOML"),
        (change("nulls =", "nuls ="), "policy_field", 16, "unknown key 'personas.2.nuls'"),
        (change('name = "at night"\n', ""), "policy_field", 19, "expected the key 'personas.3.name', found none"),
        (change('"no_consent"', '"no_conset"'), "policy_field", 17, "a reason for none, found {'reason': 'no_conset'}"),
        (change('"no_consent"', '"chosen"'), "policy_field", 17, "found {'reason': 'chosen'}"),
        (change('["wine"]', "[]"), "policy_field", 12, "a list of components or a reason for none, found \\[\\]"),
        (change('"an adult"', '"at night"'), "policy_field", 20, "found 'at night' again"),
        (change("09:00:00Z", "09:00:00"), "history", 27, "expected the time of a contact with a zone"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_at_its_place(
    file: Path, text: str, code: str, line: int, message: str
) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SelectionError, match=message) as raised:
        Personas.load(file)
    assert (raised.value.code, raised.value.template) == (code, "personas.toml")
    assert raised.value.line == line


@pytest.mark.parametrize(
    ("text", "code", "line", "hint"),
    [
        (change('"tulips"', '"tulip"'), "unknown_component", 7, "tulips"),
        (change("expect.hero", "expect.heros"), "unknown_slot", 7, "hero"),
        (change("opted_in = true", "optedin = true"), "missing_column", 5, "optedin"),
        (change("age = 50", 'age = "old"'), "column_type", 9, None),
        (change("now = 2026-03-02T12:00:00Z", ""), "decision_input", 5, None),
    ],
)
def test_personas_that_do_not_fit_the_policy_are_told_at_their_place(
    file: Path, text: str, code: str, line: int, hint: str | None
) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises((SelectionError, SourceError)) as raised:
        check_personas(shop(), Personas.load(file))
    assert (raised.value.code, raised.value.template, raised.value.line) == (code, "personas.toml", line)
    assert hint is None or hint in (raised.value.hint or "")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SelectionError, match="cannot read") as raised:
        Personas.load(tmp_path / "none.toml")
    assert raised.value.code == "policy_unreadable"
    (tmp_path / "personas.toml").write_bytes(b"\xff")
    with pytest.raises(SelectionError, match="found byte 0xff at offset 0") as raised:
        Personas.load(tmp_path / "personas.toml")
    assert raised.value.code == "policy_syntax"
