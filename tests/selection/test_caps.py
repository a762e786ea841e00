"""Caps and rests: never exceeded, spent on what is worth most, counted in the customer's calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labfactory.base.errors import SelectionError
from labfactory.selection import Cap, ContactRules, Exploration, History, Rest, SelectionPolicy, SlotPolicy
from labfactory.selection.zones import window_start, zone_of

NOW = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # the first of April in Berlin, a Wednesday
SLOTS = ("one", "two", "three")
NAMES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None
    tags: tuple[str, ...] = ()


def history(rows: list[dict]) -> pa.Table:
    columns = {
        "key": pa.int64(),
        "at": pa.timestamp("us", "UTC"),
        "channel": pa.utf8(),
        "component": pa.utf8(),
        "tags": pa.list_(pa.utf8()),
        "outcome": pa.utf8(),
    }
    return pa.Table.from_pylist(rows, schema=pa.schema(list(columns.items())))


def several(rules: ContactRules, scores: dict[str, list[float]], batch: pa.RecordBatch, **slot):
    """Slots whose components have these scores for everybody."""
    policies = {
        name: SlotPolicy.build(
            components=NAMES, features={"one": "0 * age"}, weights=np.zeros((4, 1)), bias=values, **slot
        )
        for name, values in scores.items()
    }
    tags = {"a": ("news", "topic:x"), "b": ("news", "topic:y"), "c": ("topic:x",), "d": ()}
    blocks = [Block(name, tags=tags[name]) for name in NAMES]
    policy = SelectionPolicy.build("1", contact=rules, **policies)
    return policy.bind(dict.fromkeys(scores, blocks), batch.schema)


BATCH = pa.record_batch({"age": [1, 2, 3]})
KEYS = pa.array([1, 2, 3])


def components(decided: pa.RecordBatch, row: int = 0) -> list[str | None]:
    return [column.field("component")[row].as_py() for column in decided.columns]


def test_a_cap_is_spent_on_the_slot_where_it_is_worth_most():
    rules = ContactRules(caps=(Cap(at_most=1, tag="news"),))
    scores = {"one": [5, 4, 1, 0], "two": [9, 1, 0, 8], "three": [2, 1, 3, 0]}
    decided = several(rules, scores, BATCH).decide(BATCH, keys=KEYS, seed=1)
    # The second slot's `a` is worth 9: the first must do with `c`, though it comes first.
    assert components(decided) == ["c", "a", "c"]
    assert decided.column("one").field("score").to_pylist() == [1.0] * 3


def test_a_slot_that_caps_leave_nothing_says_so():
    rules = ContactRules(caps=(Cap(at_most=1),))
    decided = several(rules, {"one": [1, 0, 0, 0], "two": [2, 0, 0, 0]}, BATCH).decide(
        BATCH, keys=KEYS, seed=1
    )
    assert components(decided) == [None, "a"]
    assert decided.column("one").field("reason").to_pylist() == ["capped"] * 3


def test_a_cap_for_each_topic_makes_a_message_diverse():
    rules = ContactRules(caps=(Cap(at_most=1, tag="topic:*"),))
    scores = {"one": [9, 2, 8, 1], "two": [8, 2, 7, 1], "three": [7, 2, 6, 1]}
    decided = several(rules, scores, BATCH).decide(BATCH, keys=KEYS, seed=1)
    assert components(decided) == ["a", "b", "d"]


def test_one_policy_fills_several_slots_with_the_best_different_components():
    slot = SlotPolicy.build(
        components=NAMES,
        features={"one": "0 * age"},
        weights=np.zeros((4, 1)),
        bias=[1, 4, 3, 2],
        fills=("one", "two", "three"),
    )
    blocks = [Block(name) for name in NAMES]
    selector = SelectionPolicy.build("1", offers=slot).bind(dict.fromkeys(SLOTS, blocks), BATCH.schema)
    assert components(selector.decide(BATCH, keys=KEYS, seed=1)) == ["b", "c", "d"]


def test_exclusion_is_symmetric():
    rules = ContactRules(caps=(Cap(at_most=1, components=("a", "b")),))
    for first, second in (([9, 1, 0, 0], [1, 8, 0, 0]), ([8, 1, 0, 0], [1, 9, 0, 0])):
        decided = several(rules, {"one": first, "two": second}, BATCH).decide(BATCH, keys=KEYS, seed=1)
        assert len({"a", "b"} & set(components(decided))) == 1
        assert components(decided)[0 if max(first) > max(second) else 1] in ("a", "b")


ZONES = [None, "Europe/Berlin", "America/New_York", "Asia/Tokyo", "nowhere"]


@settings(max_examples=40)
@given(data=st.data(), per=st.sampled_from(["message", "day", "week", "month", "7 days", "36 hours"]))
def test_a_cap_is_never_exceeded_in_any_batch_split(data, per):
    rows = data.draw(st.integers(1, 150))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    at_most = data.draw(st.integers(0, 3))
    zones = pa.array([ZONES[row % 5] for row in range(rows)], pa.utf8())
    batch = pa.record_batch({"age": np.arange(rows), "zone": zones})
    past = [
        {
            "key": int(random.integers(0, rows + 20)),
            "at": NOW - timedelta(hours=float(random.uniform(-30, 900))),
            "channel": "email",
            "component": NAMES[random.integers(0, 4)],
            "tags": ["news"] if random.random() < 0.5 else None,
            "outcome": None,
        }
        for _ in range(3 * rows)
    ]
    rules = ContactRules(zone="zone", caps=(Cap(at_most=at_most, per=per, tag="news"),))
    scores = {name: list(random.normal(size=4)) for name in SLOTS}
    explore = Exploration(mode="softmax", temperature=1.0)
    selector = several(rules, scores, batch, exploration=explore)
    decided = selector.decide(batch, keys=batch["age"], seed=7, now=NOW, history=history(past), threads=2)
    news = np.zeros(rows, dtype=int)
    for column in decided.columns:
        news += np.isin(column.field("component").to_pylist(), ["a", "b"])
    for row in range(rows):
        used = sum(
            one["key"] == row and one["tags"] is not None and counts(one["at"], per, ZONES[row % 5])
            for one in past
        )
        assert news[row] <= max(at_most - used, 0)
    cut = data.draw(st.integers(0, rows))
    parts = [
        selector.decide(part, keys=part["age"], seed=7, now=NOW, history=history(past))
        for part in (batch.slice(0, cut), batch.slice(cut))
    ]
    assert pa.Table.from_batches(parts).to_pylist() == decided.to_pylist()


def counts(at: datetime, per: str, zone: str | None) -> bool:
    """The definition, with zoneinfo: an unknown zone counts at least what any zone would."""
    if per == "message" or at > NOW:
        return False
    if per == "7 days":
        return at >= NOW - timedelta(days=7)
    if per == "36 hours":
        return at >= NOW - timedelta(hours=36)
    known = ZoneInfo(zone) if zone in ("Europe/Berlin", "America/New_York", "Asia/Tokyo") else None
    if known is None:
        return any(counts(at, per, name) for name in ZONES[1:4])
    local, then = NOW.astimezone(known), at.astimezone(known)
    if per == "day":
        return then.date() == local.date()
    if per == "week":
        return then.isocalendar()[:2] == local.isocalendar()[:2]
    return (then.year, then.month) == (local.year, local.month)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"])
@pytest.mark.parametrize("per", ["day", "week", "month"])
def test_calendar_windows_begin_at_local_midnight_and_never_before_that_of_no_zone(zone, per):
    for hours in range(0, 24 * 400, 7):
        now = datetime(2025, 12, 1, tzinfo=UTC) + timedelta(hours=hours)
        start = window_start(now, per, zone_of(zone))
        assert start <= now
        assert (start.hour, start.minute) == (0, 0)
        assert per != "week" or start.weekday() == 0
        assert per != "month" or start.day == 1
        assert window_start(now, per, None) <= start


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")])
def test_a_rolling_cap_is_as_long_in_whatever_zone_the_moment_is_told(zone):
    # Berlin's clocks went forward in the night before, Lord Howe's by half an hour backwards a week later.
    selector = several(ContactRules(caps=(Cap(at_most=1, per="24 hours"),)), {"one": [9, 1, 0, 0]}, BATCH)
    for now in (datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 4, 5, 12, tzinfo=UTC)):
        past = history([{"key": 1, "at": now - timedelta(hours=23, minutes=45)}])
        past = pa.concat_tables([past, history([{"key": 2, "at": now - timedelta(hours=24, minutes=15)}])])
        told = now.astimezone(zone)
        decided = selector.decide(BATCH, keys=KEYS, seed=1, now=told, history=past)
        assert components(decided, 0) == [None]
        assert components(decided, 1) == ["a"]
        one = selector.decide_one({"age": 1}, key=1, seed=1, now=told, history=past)
        assert one["one"].reason == "capped"


def test_both_hours_that_a_clock_shows_twice_are_told_apart():
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    second = first.replace(fold=1)  # an hour later; Python finds the two equal
    selector = several(ContactRules(caps=(Cap(at_most=1, per="day"),)), {"one": [9, 1, 0, 0]}, BATCH)
    past = History.of(history([{"key": 1, "at": second.astimezone(UTC) - timedelta(minutes=10)}]))
    for now, expected in ((first, "a"), (second, None)):
        decided = selector.decide(BATCH, keys=KEYS, seed=1, now=now, history=past)
        assert components(decided, 0) == [expected]


def test_what_is_ignored_twice_in_a_month_rests_for_two():
    def past(*days: float, component: str = "a") -> list[dict]:
        at = [NOW - timedelta(days=day) for day in days]
        return [{"key": 2, "at": one, "component": component, "outcome": "ignored"} for one in at]

    rules = ContactRules(rests=(Rest(outcome="ignored", times=2, components=("a",)),))
    selector = several(rules, {"one": [9, 1, 0, 0]}, BATCH)

    def second(rows: list[dict]) -> str | None:
        decided = selector.decide(BATCH, keys=KEYS, seed=1, now=NOW, history=history(rows))
        assert components(decided, 0) == components(decided, 2) == ["a"]
        return components(decided, 1)[0]

    assert second(past(1)) == "a"
    assert second(past(1, 29)) == "b"
    assert second(past(1, 32)) == "a"  # more than 30 days apart
    assert second(past(59, 80)) == "b"
    assert second(past(61, 80)) == "a"  # rested for 60 days
    assert second(past(1, 29, component="c")) == "a"
    assert second([{**row, "outcome": "opened"} for row in past(1, 29)]) == "a"


def test_history_of_unknown_customers_counts_for_nobody_and_keys_may_be_text_or_numbers():
    sms = ContactRules(caps=(Cap(at_most=1, per="7 days", channel="sms"),))
    selector = several(sms, {"one": [9, 1, 0, 0]}, BATCH)
    assert not selector.needs_history  # no slot is of this channel: nothing to count
    selector = several(ContactRules(caps=(Cap(at_most=1, per="7 days"),)), {"one": [9, 1, 0, 0]}, BATCH)
    at = pa.array([NOW, NOW, NOW], pa.timestamp("ms", "Europe/Berlin"))
    past = pa.table({"key": ["77", "2", "x"], "at": at})
    decided = selector.decide(BATCH, keys=KEYS, seed=1, now=NOW, history=History.of(past))
    assert decided.column("one").field("reason").to_pylist() == ["chosen", "capped", "chosen"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"at": pa.array([NOW])}), "with the column 'key'"),
        (pa.table({"key": [1]}), "with the column 'at'"),
        (pa.table({"key": [1], "at": [1]}), "as a timestamp with a zone, found int64"),
        (pa.table({"key": [1], "at": pa.array([NOW], pa.timestamp("us"))}), "as a timestamp with a zone"),
        (
            pa.table({"key": pa.array([None], pa.int64()), "at": pa.array([NOW])}),
            "no null in 'key' of a contact history",
        ),
        (pa.table({"key": [1], "at": pa.array([NOW])}), "expected the column 'component'"),
    ],
)
def test_a_history_that_cannot_be_read_is_refused(table, message):
    selector = several(
        ContactRules(caps=(Cap(at_most=1, per="day", components=("a",)),)), {"one": [9, 1, 0, 0]}, BATCH
    )
    with pytest.raises(SelectionError, match=message) as raised:
        selector.decide(BATCH, keys=KEYS, seed=1, now=NOW, history=table)
    assert raised.value.code == "history"
