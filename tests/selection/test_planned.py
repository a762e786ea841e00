"""Planned contacts: caps keep room for what is worth most, now or later, and nobody is lost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labfactory.base.errors import SelectionError
from labfactory.selection import (
    Cap,
    ContactRules,
    Exploration,
    History,
    HoldoutRule,
    Limit,
    LimitedSelector,
    Personas,
    Planned,
    SelectionPolicy,
    Selector,
    Shortlists,
    SlotPolicy,
    check_personas,
    explain,
)
from labfactory.selection.zones import window_end, window_start, zone_of

NOW = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # the first of April in Berlin, a Wednesday
NAMES = ("a", "b", "c", "d")
TAGS = {"a": ("news",), "b": ("news",), "c": ("news",), "d": ()}
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
PERIODS = ("day", "week", "month", "7 days", "36 hours")


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None
    tags: tuple[str, ...] = ()


def contacts(rows: list[dict[str, Any]]) -> pa.Table:
    columns = {
        "key": pa.int64(),
        "at": pa.timestamp("us", "UTC"),
        "tags": pa.list_(pa.utf8()),
        "worth": pa.float64(),
    }
    return pa.Table.from_pylist(rows, schema=pa.schema(list(columns.items())))


def one(key: int, hours: float, worth: float | None = None, tag: str = "news") -> dict[str, Any]:
    return {"key": key, "at": NOW + timedelta(hours=hours), "tags": [tag], "worth": worth}


def bound(
    caps: tuple[Cap, ...], scores: dict[str, list[float]], batch: pa.RecordBatch, **more: Any
) -> Selector:
    """Slots whose components have these scores for everybody."""
    holdouts = more.pop("holdouts", ())
    slots = {
        name: SlotPolicy.build(
            components=NAMES, features={"x": "0 * row"}, weights=np.zeros((4, 1)), bias=values, **more
        )
        for name, values in scores.items()
    }
    rules = ContactRules(zone="zone", caps=caps, holdouts=holdouts)
    blocks = [Block(name, tags=TAGS[name]) for name in NAMES]
    return SelectionPolicy.build("1", contact=rules, **slots).bind(
        dict.fromkeys(scores, blocks), batch.schema
    )


def people(rows: int, zones: tuple[str, ...] = ("UTC",)) -> pa.RecordBatch:
    return pa.record_batch({"row": range(rows), "zone": [zones[row % len(zones)] for row in range(rows)]})


def chosen(decided: pa.RecordBatch, slot: str = "hero") -> list[str | None]:
    return decided.column(slot).field("component").to_pylist()


def reasons(decided: pa.RecordBatch, slot: str = "hero") -> list[str]:
    return decided.column(slot).field("reason").to_pylist()


WEEKLY = Cap(at_most=1, per="7 days", tag="news")


def test_tomorrows_message_keeps_its_room_from_all_that_is_worth_no_more():
    batch = people(5)
    selector = bound((WEEKLY,), {"hero": [3.0, 2.0, 1.0, 0.0]}, batch)
    planned = contacts([one(1, 24, 2.0), one(2, 24, 3.0), one(3, 24), one(4, 24 * 8)])
    decided = selector.decide(
        batch, keys=batch["row"], seed=1, now=NOW, history=History.empty(), planned=planned
    )
    # Worth 2: `a` takes its room. Worth 3: a tie is kept, as is what is worth more than anything. In 8 days
    # is another week.
    assert chosen(decided) == ["a", "a", "d", "d", "a"]
    without = bound((WEEKLY,), {"hero": [3.0, 2.0, 1.0, 0.0]}, batch, eligible=["row < 9"])
    assert chosen(
        without.decide(batch, keys=batch["row"], seed=1, now=NOW, history=History.empty())
    ) == ["a"] * 5  # fmt: skip


def test_a_slot_that_makes_room_for_what_is_planned_says_so_and_names_the_cap():
    batch = people(3)
    selector = bound((Cap(at_most=1, per="week"),), {"hero": [3.0, 2.0, 1.0, 0.0]}, batch)
    frozen = selector.at(now=NOW, history=contacts([one(1, -2)]), planned=contacts([one(2, 2)]))
    decided = frozen.decide(batch, keys=batch["row"], seed=1)
    assert reasons(decided) == ["chosen", "capped", "reserved"]
    told = explain(frozen, batch, keys=batch["row"], seed=1)
    named = told.filter(pl.col("reason").is_in(["capped", "reserved"]))
    assert set(named["rule"]) == {"at_most = 1, per = 'week'"}
    # What was not chosen is not to be had beside what was.
    assert told["reason"].to_list() == ["chosen", *["capped"] * 7, *["reserved"] * 4]


def test_a_control_arm_takes_no_room_from_what_is_planned():
    batch = people(200)
    arm = (HoldoutRule(name="c", share=0.5, gives="control"),)
    selector = bound((WEEKLY,), {"hero": [3.0, 2.0, 1.0, 0.0]}, batch, holdouts=arm)
    planned = contacts([one(row, 24, 0.5) for row in range(200)])
    decided = selector.decide(
        batch, keys=batch["row"], seed=1, now=NOW, history=History.empty(), planned=planned
    )
    found = set(zip(reasons(decided), chosen(decided), strict=True))
    assert found == {("chosen", "a"), ("control", "d")}


@settings(max_examples=60)
@given(data=st.data(), per=st.sampled_from(PERIODS))
def test_choices_spend_caps_by_worth_across_now_and_later(data, per):
    rows = data.draw(st.integers(1, 70))
    random = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    at_most = data.draw(st.integers(0, 4))
    batch = people(rows, ZONES)
    past = [one(int(random.integers(0, rows + 5)), float(random.uniform(-900, 20))) for _ in range(2 * rows)]
    ahead = [
        one(
            int(random.integers(0, rows + 5)),
            float(random.choice([-5, 1, 12, 36, 40, 100, 168, 300]) + random.integers(0, 3)),
            None if random.random() < 0.2 else float(random.integers(-3, 4)) / 2,
            "news" if random.random() < 0.8 else "other",
        )
        for _ in range(3 * rows)
    ]
    scores = {name: [float(v) / 2 for v in random.integers(-4, 5, 4)] for name in ("one", "two", "three")}
    selector = bound((Cap(at_most=at_most, per=per, tag="news"),), scores, batch)
    moment = {"now": NOW, "history": contacts(past), "planned": contacts(ahead)}
    decided = selector.decide(batch, keys=batch["row"], seed=7, threads=2, **moment)
    for row in range(rows):
        own_past = [c["at"] for c in past if c["key"] == row]
        own_ahead = [
            (c["at"], np.inf if c["worth"] is None else c["worth"])
            for c in ahead
            if c["key"] == row and c["tags"] == ["news"]
        ]
        expected = greedy(scores, at_most, per, ZONES[row % 4], own_past, own_ahead)
        assert {name: chosen(decided, name)[row] for name in scores} == expected
    cut = data.draw(st.integers(0, rows))
    parts = [
        selector.decide(part, keys=part["row"], seed=7, **moment)
        for part in (batch.slice(0, cut), batch.slice(cut))
    ]
    assert pa.Table.from_batches(parts).to_pylist() == decided.to_pylist()


def greedy(
    scores: dict[str, list[float]],
    at_most: int,
    per: str,
    zone: str,
    past: list[datetime],
    ahead: list[tuple[datetime, float]],
) -> dict[str, str | None]:
    """The definition: slot by slot what is worth most and leaves every window within the cap."""
    made: dict[str, str | None] = dict.fromkeys(scores)
    used = 0
    pending = list(scores)
    while pending:
        best: tuple[float, str, str] | None = None
        for slot in pending:
            for name, score in zip(NAMES, scores[slot], strict=True):
                if name != "d" and not may(score, used, at_most, per, zone, past, ahead):
                    continue
                if best is None or score > best[0]:
                    best = score, slot, name
        if best is None:
            break
        _, slot, name = best
        made[slot] = name
        used += name != "d"
        pending.remove(slot)
    return made


def may(
    score: float,
    used: int,
    at_most: int,
    per: str,
    zone: str,
    past: list[datetime],
    ahead: list[tuple[datetime, float]],
) -> bool:
    kept = [at for at, worth in ahead if at > NOW and worth >= score]
    everything = [*(at for at in past if at <= NOW), *kept]
    if per in ("day", "week", "month"):
        within = [at for at in everything if calendar(at, per, zone) == calendar(NOW, per, zone)]
        return len(within) + used + 1 <= at_most
    span = timedelta(days=7) if per == "7 days" else timedelta(hours=36)
    ends = [NOW, *(at for at, _ in ahead if NOW < at <= NOW + span)]
    return all(sum(end - span <= at <= end for at in everything) + used + 1 <= at_most for end in ends)


def calendar(at: datetime, per: str, zone: str) -> object:
    local = at.astimezone(ZoneInfo(zone))
    if per == "day":
        return local.date()
    return local.isocalendar()[:2] if per == "week" else (local.year, local.month)


@pytest.mark.parametrize("mode", [Exploration(), Exploration(mode="softmax", temperature=0.5)])
@pytest.mark.parametrize("per", PERIODS)
def test_one_customer_gets_what_the_row_gets_where_something_is_planned(per, mode):
    random = np.random.default_rng(5)
    batch = people(120, (*ZONES, "Mars/Base"))
    caps = (Cap(at_most=1, per=per, tag="news", planned=True), Cap(at_most=1, components=("a", "b")))
    scores = {"one": [1.0, 0.5, 0.0, -2.0], "two": [0.8, 0.9, 0.2, -2.0]}
    selector = bound(caps, scores, batch, exploration=mode)
    past = [one(int(key), -float(random.uniform(0, 200))) for key in random.integers(0, 120, 60)]
    ahead = [
        one(int(key), float(random.uniform(-10, 250)), [None, 0.4, 0.85][key % 3])
        for key in random.integers(0, 120, 200)
    ]
    moment = {"now": NOW, "history": History.of(contacts(past)), "planned": Planned.of(contacts(ahead))}
    decided = selector.decide(batch, keys=batch["row"], seed=3, **moment)
    for row, customer in enumerate(batch.to_pylist()):
        made = selector.decide_one(customer, key=row, seed=3, **moment)
        assert [asdict(made[name]) for name in scores] == [
            decided.column(name)[row].as_py() for name in scores
        ]
    without = selector.decide(batch, keys=batch["row"], seed=3, **{**moment, "planned": Planned.empty()})
    assert without != decided


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), at_most=st.integers(0, 3))
def test_a_cap_is_never_exceeded_counting_all_that_is_planned_whatever_else_is_worth(seed, at_most):
    random = np.random.default_rng(seed)
    batch = people(80, (*ZONES, "Mars/Base"))
    explore = Exploration(mode="softmax", temperature=1.0)
    scores = {name: list(random.normal(size=4)) for name in ("one", "two", "three")}
    selector = bound((Cap(at_most=at_most, per="week", tag="news"),), scores, batch, exploration=explore)
    ahead = [one(int(key), float(random.uniform(1, 200))) for key in random.integers(0, 80, 60)]
    decided = selector.decide(
        batch, keys=batch["row"], seed=seed, now=NOW, history=History.empty(), planned=contacts(ahead)
    )
    assert decided.num_rows == 80
    for row in range(80):
        zones = ZONES[1:] if row % 5 == 4 else [ZONES[row % 5]]
        news = sum(chosen(decided, name)[row] in ("a", "b", "c") for name in scores)
        for zone in zones:
            week = calendar(NOW, "week", zone)
            planned = sum(c["key"] == row and calendar(c["at"], "week", zone) == week for c in ahead)
            assert news == 0 or news + planned <= at_most


def test_under_limits_customers_keep_room_for_what_is_planned():
    rows = 600
    random = np.random.default_rng(2)
    batch = pa.record_batch({"key": range(rows), "x": random.random(rows)})
    slot = SlotPolicy.build(
        components=NAMES,
        features={"x": "x"},
        weights=[[1.0], [0.5], [0.2], [0.0]],
        bias=[0, 0.2, 0.3, 0.1],
        fills=("one", "two"),
    )
    cap = Cap(at_most=2, per="7 days", tag="news")
    made = SelectionPolicy.build("1", offers=slot, contact=ContactRules(caps=(cap,)))
    blocks = [Block(name, tags=TAGS[name]) for name in NAMES]
    limits = {"a": Limit(component="a", maximum=200)}
    limited = LimitedSelector.of(made, limits, dict.fromkeys(("one", "two"), blocks), batch.schema)
    ahead = [one(int(key), 24.0, [None, 0.45][key % 2]) for key in random.integers(0, rows, 500)]
    limited = limited.at(now=NOW, history=History.empty(), planned=contacts(ahead))
    keys = batch["key"]
    left = limited.left(batch, keys, seed=7)
    limited = limited.learn(limited.values(batch, keys, seed=7), customers=rows, left=left)
    lists = Shortlists.joined([limited.shortlists(batch, keys, seed=7)])
    allocation = limited.require_priced().settle(lists)
    settled = limited.settled(allocation.choices, lists, np.arange(rows), rows)
    assert -1e-9 <= allocation.gap < 0.05
    for row in range(rows):
        given = [(settled.index[row, place], settled.score[row, place]) for place in range(2)]
        news = sorted((score for index, score in given if 0 <= index < 3), reverse=True)
        worth = [np.inf if one["worth"] is None else one["worth"] for one in ahead if one["key"] == row]
        for number, score in enumerate(news):
            assert number + 1 + sum(one >= score for one in worth) <= 2


def test_a_cap_that_asks_what_is_planned_is_not_decided_without():
    batch = people(2)
    asks = (Cap(at_most=1, per="week", planned=True),)
    selector = bound(asks, {"hero": [3.0, 2.0, 1.0, 0.0]}, batch)
    assert selector.needs_planned
    with pytest.raises(SelectionError, match="planned contacts, which a cap asks for") as raised:
        selector.decide(batch, keys=batch["row"], seed=1, now=NOW, history=History.empty())
    assert raised.value.code == "decision_input"
    decided = selector.decide(
        batch, keys=batch["row"], seed=1, now=NOW, history=History.empty(), planned=Planned.empty()
    )
    assert chosen(decided) == ["a", "a"]
    with pytest.raises(SelectionError, match="one per message") as raised:
        Cap(at_most=1, planned=True)
    assert raised.value.code == "contact_rule"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"key": [1]}), "expected planned contacts with the column 'at'"),
        (pa.table({"key": [1], "at": [NOW], "worth": ["much"]}), "'worth' of planned contacts as numbers"),
        (pa.table({"key": [1], "at": [NOW], "worth": [float("nan")]}), "numbers, found NaN"),
        (pa.table({"key": [1], "at": [NOW]}), "the column 'tags' in planned contacts"),
    ],
)
def test_planned_contacts_that_cannot_be_read_are_refused(table, message):
    batch = people(2)
    selector = bound((WEEKLY,), {"hero": [3.0, 2.0, 1.0, 0.0]}, batch)
    with pytest.raises(SelectionError, match=message) as raised:
        selector.decide(batch, keys=batch["row"], seed=1, now=NOW, history=History.empty(), planned=table)
    assert raised.value.code == "history"


def test_a_policy_file_says_that_a_cap_asks_what_is_planned():
    text = b'version = "1"\n\n[[contact.caps]]\nat_most = 2\nper = "week"\nplanned = true\n\n[slots.hero]\n'
    policy = SelectionPolicy.from_files({"selection.toml": text})
    assert policy.contact.caps == (Cap(at_most=2, per="week", planned=True),)
    assert b"planned = true" in policy.files()["selection.toml"]
    assert SelectionPolicy.from_files(policy.files()) == policy


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("per", ["day", "week", "month"])
def test_a_calendar_window_ends_where_the_next_one_begins(zone, per):
    for hours in range(0, 24 * 400, 7):
        now = datetime(2025, 12, 1, tzinfo=UTC) + timedelta(hours=hours)
        end = window_end(now, per, zone_of(zone))
        assert now < end <= window_end(now, per, None)
        assert window_start(end, per, zone_of(zone)) == end
        before = end.astimezone(UTC) - timedelta(microseconds=1)
        assert window_start(before, per, zone_of(zone)) == window_start(now, per, zone_of(zone))


def test_a_persona_says_what_is_planned_for_it(tmp_path):
    batch = people(1)
    selector = bound((WEEKLY,), {"hero": [3.0, 2.0, 1.0, 0.0]}, batch)
    path = tmp_path / "personas.toml"
    path.write_text("""now = 2026-03-31T22:30:00Z
row = { row = 0, zone = "UTC" }

[[personas]]
name = "one with a better message tomorrow"
planned = [{ at = 2026-04-01T09:00:00Z, tags = ["news"], worth = 5.0 }]
expect.hero = "d"

[[personas]]
name = "one with a worse message tomorrow"
planned = [{ at = 2026-04-01T09:00:00Z, tags = ["news"], worth = 2.5 }]
expect.hero = "a"

[[personas]]
name = "one with any message tomorrow"
planned = [{ at = 2026-04-01T09:00:00Z, tags = ["news"] }]
expect.hero = "b"
""")
    report = check_personas(selector, Personas.load(path))
    (failed,) = report.failed
    assert failed.found == ("d",)
    assert failed.why == "d can be chosen; b: reserved (at_most = 1, per = '7 days', tag = 'news')"
