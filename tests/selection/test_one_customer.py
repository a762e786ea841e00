"""One customer from a mapping gets what the row gets in a batch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from labfactory.base.errors import CompileError, SourceError
from labfactory.selection import (
    Arbitration,
    Cap,
    ContactRules,
    Exploration,
    Feature,
    HoldoutRule,
    QuietHours,
    Rest,
    SelectionPolicy,
    SlotPolicy,
)

ROWS = 150
NAMES = ["a", "b", "c", "d", "e", "f", "g"]


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None


def customers() -> list[dict]:
    random = np.random.default_rng(2)
    rows = [
        {
            "age": int(random.integers(10, 80)),
            "spend": float(np.float32(random.normal(100, 40))),
            "country": ["DE", "FR", "XX"][random.integers(0, 3)],
            "is_member": bool(random.random() < 0.5),
        }
        for _ in range(ROWS)
    ]
    for number, name in enumerate(["age", "spend", "country", "is_member"] * 8):
        rows[number * 4][name] = None
    rows[1]["spend"] = float("nan")
    return rows


SCHEMA = pa.schema(
    [("age", pa.int64()), ("spend", pa.float32()), ("country", pa.utf8()), ("is_member", pa.bool_())]
)
FEATURES = [
    Feature(name="age", expression="age / 100", missing=0.3),
    Feature(name="spend", expression="spend"),
    Feature(name="land", expression="country", encoding="one_hot", categories=("DE", "FR"), missing=0.0),
    Feature(name="hash", expression="country", encoding="hashed", buckets=3, missing=0.0),
    Feature(name="member", expression="is_member", missing=0.0),
]
MODES = [
    Exploration(),
    Exploration(mode="epsilon", epsilon=0.4),
    Exploration(mode="softmax", temperature=0.5, floor=0.01),
    Exploration(mode="squarecb", gamma=3.0),
    Exploration(mode="ucb", width=1.0),
    Exploration(mode="thompson"),
    Exploration(mode="thompson", floor=0.05),
]


def slot_of(exploration: Exploration, *, arbitration: bool = False) -> SlotPolicy:
    random = np.random.default_rng(3)
    return SlotPolicy.build(
        components=NAMES,
        features=FEATURES,
        weights=random.normal(size=(7, 8)) / [1, 50, 1, 1, 1, 1, 1, 1],
        uncertainty=random.uniform(0, 0.01, (7, 8)) / [1, 2500, 1, 1, 1, 1, 1, 1],
        exploration=exploration,
        eligible=["age > 17", "age // (age - 30) < 99 or true"],
        arbitration=Arbitration(terms={"a": {"value": "age / 50", "lever": 2.0}}) if arbitration else None,
    )


def beliefs() -> SlotPolicy:
    return SlotPolicy(
        components=tuple(NAMES),
        beliefs={name: (2.0 + number, 9.0) for number, name in enumerate(NAMES)},
        exploration=Exploration(mode="thompson"),
        eligible=slot_of(MODES[0]).eligible,
    )


@pytest.mark.parametrize("number", range(len(MODES) + 3))
def test_a_row_and_its_mapping_get_the_same_decision(number):
    slot = [
        *map(slot_of, MODES),
        slot_of(MODES[2], arbitration=True),
        beliefs(),
        SlotPolicy(eligible=slot_of(MODES[0]).eligible),
    ][number]
    rows = customers()
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    blocks = [Block(name, "country != 'FR'" if name in "cg" else None) for name in NAMES]
    selector = SelectionPolicy.build("1", hero=slot).bind({"hero": blocks}, SCHEMA)
    keys = [None if at % 20 == 3 else f"k{at}" for at in range(ROWS)]
    for priced in (selector, selector.priced({"hero": np.linspace(0, 0.2, 7)})):
        expected = priced.decide(batch, keys=pa.array(keys), seed=11).column("hero").to_pylist()
        found = [
            priced.decide_one(row, key=key, seed=11)["hero"] for row, key in zip(rows, keys, strict=True)
        ]
        assert [asdict(one) for one in found] == expected
    assert {one["reason"] for one in expected} >= {"chosen", "no_candidate", "missing_key"}


def test_contact_rules_hold_for_one_customer_too():
    rules = ContactRules(consent=("is_member",), holdouts=(HoldoutRule(name="h", share=0.3),))
    policy = SelectionPolicy.build("1", contact=rules, hero=slot_of(MODES[2]))
    selector = policy.bind({"hero": [Block(name) for name in NAMES]}, SCHEMA)
    rows = customers()[:40]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    expected = selector.decide(batch, keys=pa.array(range(40)), seed=1).column("hero").to_pylist()
    found = [asdict(selector.decide_one(row, key=at, seed=1)["hero"]) for at, row in enumerate(rows)]
    assert found == expected
    assert {"no_consent", "held_out"} <= {one["reason"] for one in expected}


NOW = datetime(2026, 5, 6, 20, 30, tzinfo=UTC)
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Mars/Base", None]


def contacts() -> pa.Table:
    random = np.random.default_rng(8)
    count = 4 * ROWS
    return pa.table(
        {
            "key": [f"k{at}" for at in random.integers(0, ROWS, count)],
            "at": pa.array([NOW - timedelta(hours=int(back)) for back in random.integers(-5, 1200, count)]),
            "channel": ["email"] * count,
            "component": [NAMES[at] for at in random.integers(0, 7, count)],
            "outcome": [["ignored", None][at] for at in random.integers(0, 2, count)],
        }
    )


@pytest.mark.parametrize("mode", [MODES[0], MODES[2], MODES[5]], ids=lambda mode: mode.mode)
@pytest.mark.parametrize("fills", [(), ("hero", "foot")], ids=["one slot", "two slots"])
def test_every_contact_rule_holds_as_in_a_batch(mode, fills):
    rules = ContactRules(
        consent=("is_member or age > 60", "not is_barred"),
        suppressed=("is_barred", "age < 12"),
        zone="zone",
        quiet_hours=QuietHours(start="21:00", end="08:00"),
        holdouts=(
            HoldoutRule(name="none", share=0.1),
            HoldoutRule(name="some", share=0.2, gives="control"),
        ),
        caps=(
            Cap(at_most=2, per="week", channel="email"),
            Cap(at_most=3, per="month", channel="email"),
            Cap(at_most=1, per="day", components=("a", "b")),
            Cap(at_most=2, per="36 hours", components=("c", "d", "e")),
            Cap(at_most=1, components=("f", "g")),
        ),
        rests=(Rest(outcome="ignored", times=2, within="10 days", rest="20 days", components=("a",)),),
    )
    schema = SCHEMA.append(pa.field("zone", pa.utf8())).append(pa.field("is_barred", pa.bool_()))
    slot = replace(slot_of(mode), channel="email", fills=fills)
    slots = {name: [Block(name) for name in NAMES] for name in fills or ("hero",)}
    selector = SelectionPolicy.build("1", contact=rules, hero=slot).bind(slots, schema)
    selector = selector.at(now=NOW, history=contacts())
    random = np.random.default_rng(6)
    rows = [
        {
            **row,
            "zone": ZONES[random.integers(0, 5)],
            "is_barred": [None, True, *[False] * 14][random.integers(0, 16)],
        }
        for row in customers()
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    keys = [None if at % 20 == 3 else f"k{at}" for at in range(ROWS)]
    decided = selector.decide(batch, keys=pa.array(keys), seed=11)
    expected = [{name: decided.column(name)[at].as_py() for name in slots} for at in range(ROWS)]
    made = [selector.decide_one(row, key=key, seed=11) for row, key in zip(rows, keys, strict=True)]
    assert [{name: asdict(one) for name, one in each.items()} for each in made] == expected
    reasons = {one["reason"] for each in expected for one in each.values()}
    assert reasons >= {"held_out", "control", "no_consent", "quiet_hours", "chosen", "missing_key"}


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_a_whole_number_in_a_column_of_floats_is_a_float(kind):
    batch = pa.record_batch({"x": pa.array([3.0, 16777217.0]).cast(kind)})
    slot = SlotPolicy.build(
        components=["a"], features={"f": "x|string|length", "g": "x * 1"}, weights=[[1, 1]]
    )
    selector = SelectionPolicy.build("1", hero=slot).bind({"hero": [Block("a")]}, batch.schema)
    decided = selector.decide(batch, keys=pa.array([1, 1]), seed=1)["hero"].to_pylist()
    for number, value in enumerate((3, 16777217)):
        for one in (value, np.int64(value), float(value)):
            assert asdict(selector.decide_one({"x": one}, key=1, seed=1)["hero"]) == decided[number]


def test_booleans_are_categories_by_their_text():
    batch = pa.record_batch({"x": [True, False, None], "n": [50, 30, None]})
    for source in ("x", "n > 40"):
        for encoding in ({"buckets": 64}, {"categories": ("True", "False")}):
            name = "hashed" if "buckets" in encoding else "one_hot"
            feature = Feature(name="f", expression=source, encoding=name, **encoding)
            weights = [np.arange(len(feature.columns))]
            slot = SlotPolicy.build(components=["a"], features=[feature], weights=weights)
            selector = SelectionPolicy.build("1", hero=slot).bind({"hero": [Block("a")]}, batch.schema)
            decided = selector.decide(batch, keys=pa.array([1, 2, 3]), seed=1)["hero"].to_pylist()
            assert decided[0]["score"] != decided[1]["score"]
            for number, row in enumerate(batch.to_pylist()):
                one = selector.decide_one(row, key=number + 1, seed=1)["hero"]
                assert asdict(one) == decided[number]


LARGE = [2**62, 2**63 - 1, -(2**63), 2**31 + 1, -(2**31), 40, 3, 0, None]
STEPS = [
    "x * 4",
    "-x",
    "x|abs",
    "x ** 2",
    "x ** 12",
    "x ** 40",
    "3 ** x",
    "x * 4 / 8",
    "x + x - x",
    "(x if x > 0 else x * x) // 3",
    "x * 1000 % 7",
    "(x * x > 5) + 1",
    "[x * x * x, 2]|length",
    "x|default(9) * x",
    "x|float|int * 2",
    "x|string|length * 2",
]


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.float64()])
@pytest.mark.parametrize("step", STEPS)
def test_whole_numbers_that_leave_64_bits_fail_for_one_customer_as_in_a_batch(step, kind):
    values = [value for value in LARGE if value is None or value >= 0 or kind != pa.uint64()]
    if kind == pa.float64():
        values = [None if value is None else float(value) for value in values]
    batch = pa.record_batch({"x": pa.array(values, kind)})
    slot = SlotPolicy.build(
        components=["a"], features=[Feature(name="f", expression=step)], weights=[[1e-9]], eligible=()
    )
    condition = f"({step}) != 1"
    for parts in (
        {"hero": slot},
        {"contact": ContactRules(consent=(condition,)), "hero": SlotPolicy()},
        {"contact": ContactRules(suppressed=(f"not ({condition})",)), "hero": SlotPolicy()},
    ):
        policy = SelectionPolicy.build("1", **parts)
        try:
            selector = policy.bind({"hero": [Block("a")]}, batch.schema)
        except CompileError:
            continue  # no plan takes it either
        keys = pa.array([f"k{number}" for number in range(len(batch))])
        decided = selector.decide(batch, keys=keys, seed=1)["hero"].to_pylist()
        for number, row in enumerate(batch.to_pylist()):
            for value in (
                row["x"],
                batch["x"][number].as_py() if row["x"] is None else np.array(row["x"])[()],
            ):
                one = selector.decide_one({"x": value}, key=f"k{number}", seed=1)["hero"]
                assert asdict(one) == decided[number]


def test_a_value_of_another_type_is_told_as_a_row_tells_it():
    policy = SelectionPolicy.build("1", hero=slot_of(MODES[0]))
    selector = policy.bind({"hero": [Block(name) for name in NAMES]}, SCHEMA)
    customer = {"age": 30, "spend": 1.0, "country": "DE", "is_member": True}
    for name, value in (
        ("age", "thirty"),
        ("spend", "much"),
        ("age", b"30"),
        ("is_member", "yes"),
        ("spend", [1.0]),
    ):
        with pytest.raises(SourceError) as raised:
            selector.decide_one({**customer, name: value}, key=1, seed=1)
        assert raised.value.code == "column_type"
    plain = selector.decide_one(customer, key=1, seed=1)
    odd = {"age": np.int32(30), "spend": np.float32(1.0), "country": np.str_("DE"), "is_member": np.True_}
    assert selector.decide_one(odd, key=1, seed=1) == plain


def test_a_mapping_without_a_column_is_refused():
    for rules in (ContactRules(), ContactRules(consent=("is_member",))):
        policy = SelectionPolicy.build("1", contact=rules, hero=slot_of(MODES[0]))
        selector = policy.bind({"hero": [Block(name) for name in NAMES]}, SCHEMA)
        with pytest.raises(SourceError, match="missing column 'age'") as raised:
            selector.decide_one({"spend": 1.0, "country": "DE", "is_member": True}, key=1, seed=1)
        assert raised.value.code == "missing_column"
