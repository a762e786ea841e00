"""Contact rules: consent and suppression fail closed, hours in the customer's zone, holdouts by salt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from labfactory.base.errors import CompileError, SelectionError
from labfactory.selection import (
    Cap,
    ContactRules,
    Exploration,
    HoldoutRule,
    QuietHours,
    Rest,
    SelectionPolicy,
    SlotPolicy,
)


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None


ANY = SlotPolicy(exploration=Exploration(mode="uniform"))


def reasons(rules: ContactRules, batch: pa.RecordBatch, **decide) -> list[str]:
    selector = SelectionPolicy.build("1", contact=rules, hero=ANY).bind(
        {"hero": [Block("a"), Block("b")]}, batch.schema
    )
    keys = pa.array([f"k{number}" for number in range(batch.num_rows)])
    decided = selector.decide(batch, keys=keys, seed=1, **decide).column("hero")
    return [
        {"chosen": "reached", "explored": "reached"}.get(one, one)
        for one in decided.field("reason").to_pylist()
    ]


def test_unknown_consent_is_no_consent_however_it_is_asked():
    batch = pa.record_batch({"opted_out": [False, True, None], "age": [30, 30, 30]})
    expected = ["reached", "no_consent", "no_consent"]
    for condition in ("not opted_out", "opted_out == false", "opted_out is none or not opted_out"):
        assert reasons(ContactRules(consent=(condition,)), batch) == expected


def test_a_customer_whose_suppression_is_unknown_is_suppressed():
    batch = pa.record_batch({"bounced": [False, True, None], "age": [30, 30, None]})
    rules = ContactRules(suppressed=("bounced", "age < 18"))
    assert reasons(rules, batch) == ["reached", "suppressed", "suppressed"]
    assert reasons(rules, batch.set_column(0, "bounced", pa.array([False] * 3))) == [
        "reached",
        "reached",
        "suppressed",
    ]


def test_an_entry_of_a_dictionary_may_be_null_too():
    entries = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(["yes", None]))
    batch = pa.record_batch({"consent": entries})
    assert reasons(ContactRules(consent=("consent != 'no'",)), batch) == ["reached", "no_consent"]


def test_consent_in_a_nested_column_is_refused():
    batch = pa.record_batch({"prefs": [{"email": True}]})
    with pytest.raises(SelectionError, match="expected consent to read plain columns") as raised:
        reasons(ContactRules(consent=("prefs.email",)), batch)
    assert raised.value.code == "condition_type"


NOW = datetime(2026, 7, 1, 20, 30, tzinfo=UTC)


def test_quiet_hours_are_those_of_the_customers_zone_and_of_the_unknown_one():
    # 20:30 in UTC is 21:30 in London, 22:30 in Berlin and 13:30 in Los Angeles in July.
    zones = ["Europe/London", "Europe/Berlin", "America/Los_Angeles", None, "Mars/Olympus", "../etc/passwd"]
    batch = pa.record_batch({"zone": zones})
    rules = ContactRules(zone="zone", quiet_hours=QuietHours(start="22:00", end="08:00"))
    expected = ["reached", "quiet_hours", "reached", "quiet_hours", "quiet_hours", "quiet_hours"]
    assert reasons(rules, batch, now=NOW) == expected


@pytest.mark.parametrize(("hour", "is_quiet"), [(9, False), (10, True), (11, False)])
def test_the_end_of_quiet_hours_is_not_quiet(hour, is_quiet):
    rules = ContactRules(quiet_hours=QuietHours(start="10:00", end="11:00"))
    moment = datetime(2026, 1, 5, hour, tzinfo=UTC)
    batch = pa.record_batch({"age": [1]})
    assert reasons(rules, batch, now=moment) == ["quiet_hours" if is_quiet else "reached"]


@pytest.mark.parametrize(
    ("hour", "now", "quiet", "expected"),
    [
        (20, (1, 19, 45), ("20:30", "08:00"), (2, 19, 0)),  # the rest of the present hour is quiet
        (20, (1, 19, 15), ("20:30", "08:00"), (1, 19, 15)),
        (2, (28, 23, 0), ("03:00", "08:00"), (30, 0, 0)),  # skipped in the night to the 29th, when it is 3
        (2, (28, 23, 0), ("04:00", "08:00"), (29, 1, 0)),
    ],
)
def test_a_send_hour_never_falls_into_quiet_hours(hour, now, quiet, expected):
    rules = ContactRules(zone="zone", send_hour="hour", quiet_hours=QuietHours(start=quiet[0], end=quiet[1]))
    for kind in (pa.int8(), pa.uint64()):
        batch = pa.record_batch({"zone": ["Europe/Berlin"], "hour": pa.array([hour], kind)})
        timed = SelectionPolicy.build("1", contact=rules, hero=ANY).bind({"hero": [Block("a")]}, batch.schema)
        found = timed.send_times(batch, now=datetime(2026, 3, *now, tzinfo=UTC))
        assert found.to_pylist() == [datetime(2026, 3, *expected, tzinfo=UTC)]


def test_hours_beyond_any_clock_and_moments_that_are_none_send_nothing():
    batch = pa.record_batch({"hour": pa.array([2**64 - 1, 24, None], pa.uint64())})
    rules = ContactRules(send_hour="hour")
    timed = SelectionPolicy.build("1", contact=rules, hero=ANY).bind({"hero": [Block("a")]}, batch.schema)
    assert timed.send_times(batch, now=NOW).to_pylist() == [None, None, None]
    for now in (None, datetime(2026, 7, 1), "2026-07-01"):
        with pytest.raises(SelectionError, match="`now` with a zone") as raised:
            timed.send_times(batch, now=now)
        assert raised.value.code == "decision_input"


def test_rules_about_the_moment_need_it_and_its_history():
    batch = pa.record_batch({"age": [1]})
    quiet = ContactRules(quiet_hours=QuietHours(start="22:00", end="08:00"))
    for now in (None, datetime(2026, 1, 1)):
        with pytest.raises(SelectionError, match="expected `now` with a zone") as raised:
            reasons(quiet, batch, now=now)
        assert raised.value.code == "decision_input"
    with pytest.raises(SelectionError, match="expected a contact history") as raised:
        reasons(ContactRules(caps=(Cap(at_most=1, per="day"),)), batch, now=NOW)
    assert raised.value.code == "decision_input"


ROWS = 40_000


def test_holdouts_hold_their_share_whatever_the_seed_and_layers_are_independent():
    batch = pa.record_batch({"age": np.arange(ROWS)})
    rules = ContactRules(
        holdouts=(HoldoutRule(name="all", share=0.1), HoldoutRule(name="arm", share=0.5, gives="control"))
    )
    selector = SelectionPolicy.build("1", contact=rules, hero=ANY).bind(
        {"hero": [Block("a"), Block("b")]}, batch.schema
    )
    found = []
    for seed in (1, 2):
        decided = selector.decide(batch, keys=batch["age"], seed=seed).column("hero")
        found.append(np.array(decided.field("reason").cast(pa.utf8())))
    held, control = found[0] == "held_out", found[0] == "control"
    assert (held == (found[1] == "held_out")).all()
    assert (control == (found[1] == "control")).all()
    assert stats.binomtest(int(held.sum()), ROWS, 0.1).pvalue > 1e-4
    assert stats.binomtest(int(control.sum()), int((~held).sum()), 0.5).pvalue > 1e-4
    larger = ContactRules(holdouts=(HoldoutRule(name="wider", salt="all", share=0.3),))
    wider = np.array(reasons_of(larger, batch)) == "held_out"
    assert wider[held].all()


def reasons_of(rules, batch):
    selector = SelectionPolicy.build("1", contact=rules, hero=ANY).bind({"hero": [Block("a")]}, batch.schema)
    return selector.decide(batch, keys=batch["age"], seed=3).column("hero").field("reason").to_pylist()


def test_a_control_arm_gets_any_eligible_component_without_personalisation():
    batch = pa.record_batch({"age": np.arange(ROWS) % 2})
    slot = SlotPolicy.build(
        components=["a", "b", "c"], features={"age": "age"}, weights=[[9.0], [0.0], [-9.0]]
    )
    rules = ContactRules(holdouts=(HoldoutRule(name="arm", share=1.0, gives="control"),))
    blocks = [Block("a"), Block("b"), Block("c", "age == 1")]
    selector = SelectionPolicy.build("1", contact=rules, hero=slot).bind({"hero": blocks}, batch.schema)
    decided = selector.decide(batch, keys=pa.array(np.arange(ROWS)), seed=1).column("hero")
    assert set(decided.field("reason").to_pylist()) == {"control"}
    index, odd = np.array(decided.field("index")), np.arange(ROWS) % 2 == 1
    assert np.array(decided.field("propensity")) == pytest.approx(np.where(odd, 1 / 3, 1 / 2))
    assert stats.chisquare(np.bincount(index[odd], minlength=3)).pvalue > 1e-4
    assert stats.chisquare(np.bincount(index[~odd], minlength=2)).pvalue > 1e-4
    scores = np.array(decided.field("score"))
    assert scores[odd] == pytest.approx(np.array([9.0, 0.0, -9.0])[index[odd]])


def test_without_a_key_nobody_is_held_out_and_nothing_is_drawn():
    batch = pa.record_batch({"age": [1, 2]})
    rules = ContactRules(holdouts=(HoldoutRule(name="all", share=1.0),), caps=(Cap(at_most=1),))
    selector = SelectionPolicy.build("1", contact=rules, hero=ANY).bind({"hero": [Block("a")]}, batch.schema)
    decided = selector.decide(batch, keys=pa.array([None, "k"]), seed=1).column("hero")
    assert decided.field("reason").to_pylist() == ["missing_key", "held_out"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Cap(at_most=-1), "expected a cap as a whole number from 0"),
        (lambda: Cap(at_most=1, per="7 moons"), "found '7 moons'"),
        (lambda: Cap(at_most=1, per="0 days"), "found '0 days'"),
        (lambda: Rest(outcome="ignored", times=0), "expected times of an outcome as a whole number from 1"),
        (lambda: Rest(outcome="ignored", rest="long"), "found 'long'"),
        (lambda: HoldoutRule(name="a", share=1.5), "expected a share between 0 and 1, found 1.5"),
        (lambda: HoldoutRule(name="a", share=1, gives="love"), "found 'love'"),
        (
            lambda: QuietHours(start="25:00", end="08:00"),
            "expected a time of day such as '21:30', found '25:00'",
        ),
        (lambda: QuietHours(start="08:00", end="08:00"), "different times"),
    ],
)
def test_rules_that_say_nothing_are_refused(wrong, message):
    with pytest.raises(SelectionError, match=message) as raised:
        wrong()
    assert raised.value.code == "contact_rule"


def test_errors_of_contact_rules_point_into_the_file():
    text = 'version = "1"\n[contact]\nconsent = ["not optedout"]\n[slots.hero]\n'
    policy = SelectionPolicy.from_files({"selection.toml": text.encode()})
    with pytest.raises(CompileError) as raised:
        policy.bind({"hero": [Block("a")]}, pa.schema([("opted_out", pa.bool_())]))
    assert (raised.value.template, raised.value.line) == ("selection.toml", 3)
    assert "opted_out" in (raised.value.hint or "")
    cap = 'version = "1"\n[[contact.caps]]\nat_most = 1\nper = "moon"\n[slots.hero]\n'
    with pytest.raises(SelectionError, match="'moon'") as raised:
        SelectionPolicy.from_files({"selection.toml": cap.encode()})
    assert (raised.value.template, raised.value.line) == ("selection.toml", 2)
