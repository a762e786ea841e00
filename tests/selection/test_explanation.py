"""Explanations: a reason for every customer and component, drop-off by rule, and what another policy changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.errors import SelectionError
from labfactory.selection import (
    Cap,
    ChoiceRule,
    ContactRules,
    EligibilityRule,
    Exploration,
    HoldoutRule,
    QuietHours,
    SelectionPolicy,
    SlotPolicy,
    compare,
    drop_off,
    explain,
)


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None


ROWS = 400
BATCH = pa.record_batch(
    {
        "age": [None if row % 50 == 7 else row % 90 for row in range(ROWS)],
        "spend": [float(row % 13) for row in range(ROWS)],
        "opted_in": [row % 10 != 3 for row in range(ROWS)],
    }
)
KEYS = pa.array([None if row == 5 else row for row in range(ROWS)])


def slot(bias: list[float], **settings) -> SlotPolicy:
    return SlotPolicy.build(
        components=["a", "b", "c"],
        features={"spend": "spend"},
        weights=[[0.1], [0.0], [-0.1]],
        bias=bias,
        **settings,
    )


def selector(bias: tuple[float, float, float] = (0, 0.5, 1), version: str = "1"):
    rules = ContactRules(
        consent=("opted_in",),
        holdouts=(HoldoutRule(name="h", share=0.1),),
        caps=(Cap(at_most=1, components=("a", "b")),),
    )
    tiers = {
        "applicable": (EligibilityRule(when="spend > 2"),),
        "suitable": (EligibilityRule(when="spend < 11", component="a"),),
    }
    explore = Exploration(mode="epsilon", epsilon=0.2)
    policy = SelectionPolicy.build(
        version,
        contact=rules,
        hero=slot(list(bias), eligible=["age >= 18"], exploration=explore, **tiers),
        footer=slot([0.2, 0.1, 0.0]),
    )
    blocks = [Block("a", "age < 80"), Block("b"), Block("c")]
    return policy.bind({"hero": blocks, "footer": blocks}, BATCH.schema)


def test_every_pair_has_one_reason_and_the_first_rule_that_fails():
    told = explain(selector(), BATCH, keys=KEYS, seed=3)
    assert told.height == ROWS * 2 * 3
    decided = selector().decide(BATCH, keys=KEYS, seed=3)
    for name in ("hero", "footer"):
        of_slot = told.filter(pl.col("slot") == name)
        taken = of_slot.filter(pl.col("reason").is_in(["chosen", "explored"]))
        components = decided.column(name).field("component").to_pylist()
        assert taken["component"].to_list() == [one for one in components if one is not None]
    ages, spends = BATCH["age"].to_pylist(), BATCH["spend"].to_pylist()
    for at, row in enumerate(told.filter(pl.col("slot") == "hero").iter_rows(named=True)):
        age, spend = ages[at // 3], spends[at // 3]
        if row["reason"] == "eligible":
            assert row["rule"] == "age >= 18"
            assert age is None or age < 18
        elif row["reason"] == "applicable":
            assert (row["rule"], age >= 18, spend <= 2) == ("spend > 2", True, True)
        elif row["reason"] == "suitable":
            assert (row["component"], spend >= 11) == ("a", True)
        elif row["reason"] == "component":
            assert row["component"] == "a"
            assert age is None or age >= 80
        elif row["reason"] == "outranked":
            assert age >= 18
            assert spend > 2
    found = set(told["reason"].to_list())
    tiers = {"component", "eligible", "applicable", "suitable"}
    assert found >= tiers | {
        "chosen",
        "explored",
        "outranked",
        "capped",
        "missing_key",
        "held_out",
        "no_consent",
    }


def test_drop_off_counts_every_customer_once_for_each_component():
    counted = drop_off(selector(), BATCH, keys=KEYS, seed=3)
    totals = counted.group_by("slot", "component").agg(pl.col("customers").sum())
    assert totals.height == 6
    assert set(totals["customers"].to_list()) == {ROWS}
    dropped = counted.filter((pl.col("slot") == "hero") & (pl.col("reason") == "no_consent"))
    decided = selector().decide(BATCH, keys=KEYS, seed=3).column("hero").field("reason").to_pylist()
    assert set(dropped["customers"].to_list()) == {decided.count("no_consent")}


def test_a_cap_that_stops_what_a_rule_gives_is_named_in_the_decision_and_for_the_pair():
    rules = [ChoiceRule(component="a", when="spend > 8"), ChoiceRule(component="b", when="spend > 4")]
    blocks = [Block("a"), Block("b", "age < 80"), Block("c")]
    caps = (Cap(at_most=1, components=("a", "b")), Cap(at_most=0, components=("c",)))
    policy = SelectionPolicy.build(
        "1",
        contact=ContactRules(caps=caps),
        first=SlotPolicy.build(rules=rules),
        second=SlotPolicy.build(rules=[*rules, ChoiceRule(component="c", when="spend < 2")]),
    )
    bound = policy.bind({"first": blocks, "second": blocks}, BATCH.schema)
    keys = pa.array(range(ROWS))
    decided = bound.decide(BATCH, keys=keys, seed=3)
    told = explain(bound, BATCH, keys=keys, seed=3).partition_by("slot", as_dict=True)
    ages, spends = BATCH["age"].to_pylist(), BATCH["spend"].to_pylist()
    firsts, seconds = (decided.column(name).field("reason").to_pylist() for name in ("first", "second"))
    of_second = told[("second",)]["reason"].to_list()
    named = told[("second",)]["rule"].to_list()
    for row, (age, spend) in enumerate(zip(ages, spends, strict=True)):
        may_b = age is not None and age < 80
        gives = spend > 8 or (spend > 4 and may_b)
        assert firsts[row] == ("chosen" if gives else "no_candidate")
        assert seconds[row] == ("capped" if gives or spend < 2 else "no_candidate")
        assert of_second[3 * row] == ("capped" if spend > 8 else "no_rule")
        assert named[3 * row] == (str(caps[0]) if spend > 8 else "spend > 8")
        assert of_second[3 * row + 1] == ("component" if not may_b else "no_rule" if spend <= 4 else "capped")
        assert of_second[3 * row + 2] == ("capped" if spend < 2 else "no_rule")
    dropped = drop_off(bound, BATCH, keys=keys, seed=3).filter(
        pl.col("slot") == "second", pl.col("component") == "a"
    )
    assert dict(dropped.select("reason", "customers").iter_rows()) == {
        "capped": sum(spend > 8 for spend in spends),
        "no_rule": sum(spend <= 8 for spend in spends),
    }
    one = BATCH.slice(9, 1).to_pylist()[0]
    assert bound.decide_one(one, key=9, seed=3)["second"].reason == seconds[9] == "capped"


def test_a_policy_compared_with_itself_under_another_version_changes_nobody():
    same = compare(selector(), selector(version="2"), BATCH, keys=KEYS, seed=3)
    assert same.filter(pl.col("before").ne_missing(pl.col("after"))).height == 0
    assert same["customers"].sum() == 2 * ROWS


def test_only_what_the_policies_say_changes():
    explore = Exploration(mode="softmax", temperature=0.3)
    blocks = [Block("a"), Block("b"), Block("c")]
    one, other = (
        SelectionPolicy.build("1", hero=slot([0, 0.5, last], exploration=explore)).bind(
            {"hero": blocks}, BATCH.schema
        )
        for last in (1.0, 1.2)
    )
    changed = compare(one, other, BATCH, keys=KEYS, seed=3)
    moved = changed.filter(pl.col("before").ne_missing(pl.col("after")))
    # `c` alone gains: whoever moves, moves to it, or past it in the order that draws run through.
    assert 0 < moved["customers"].sum() < ROWS / 5
    assert set(moved["after"].to_list()) <= {"b", "c"}
    before = one.decide(BATCH, keys=KEYS, seed=3).column("hero").field("component").to_pylist()
    counts = changed.group_by("before").agg(pl.col("customers").sum())
    assert dict(counts.iter_rows()) == {name: before.count(name) for name in {*before}}


def test_the_send_hour_is_the_next_one_where_the_customer_is():
    zones = ["Europe/Berlin", "America/New_York", "Europe/Berlin", None, "Europe/Berlin", "Europe/Berlin"]
    hours = [9, 9, 22, 9, None, 24]
    batch = pa.record_batch({"zone": zones, "hour": hours})
    quiet = QuietHours(start="21:00", end="08:00")
    rules = ContactRules(zone="zone", send_hour="hour", quiet_hours=quiet)
    bound = SelectionPolicy.build("1", contact=rules, hero=SlotPolicy()).bind(
        {"hero": [Block("a")]}, batch.schema
    )
    now = datetime(2026, 3, 28, 9, 30, tzinfo=UTC)  # the clocks of Berlin go forward the night after
    assert bound.send_times(batch, now=now).to_pylist() == [
        datetime(2026, 3, 29, 7, tzinfo=UTC),
        datetime(2026, 3, 28, 13, tzinfo=UTC),
        None,
        None,
        None,
        None,
    ]
    with pytest.raises(SelectionError, match="contact rules with a send_hour") as raised:
        selector().send_times(BATCH, now=now)
    assert raised.value.code == "decision_input"
