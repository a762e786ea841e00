"""One customer from a mapping gets what the row gets in a batch."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pytest

from labfactory.base.errors import SourceError
from labfactory.selection import (
    Arbitration,
    ContactRules,
    Exploration,
    Feature,
    HoldoutRule,
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


def test_a_mapping_without_a_column_is_refused():
    for rules in (ContactRules(), ContactRules(consent=("is_member",))):
        policy = SelectionPolicy.build("1", contact=rules, hero=slot_of(MODES[0]))
        selector = policy.bind({"hero": [Block(name) for name in NAMES]}, SCHEMA)
        with pytest.raises(SourceError, match="missing column 'age'") as raised:
            selector.decide_one({"spend": 1.0, "country": "DE", "is_member": True}, key=1, seed=1)
        assert raised.value.code == "missing_column"
