"""The decision log: a row for each customer and slot, whatever the batches."""

from __future__ import annotations

import pyarrow as pa
import pytest

from labfactory.base.errors import SelectionError
from labfactory.selection import (
    Exploration,
    SelectionPolicy,
    SlotPolicy,
    decision_log_schema,
    decisions_of,
    slot_columns,
)


class Block:
    def __init__(self, name: str) -> None:
        self.name, self.eligible = name, None


@pytest.fixture
def decided() -> pa.RecordBatch:
    batch = pa.record_batch({"age": [1, 2, 3, 4]})
    hero = SlotPolicy(eligible=(), exploration=Exploration(mode="uniform"))
    footer = SlotPolicy.build(eligible=["age > 1"])
    policy = SelectionPolicy.build("9", hero=hero, footer=footer)
    selector = policy.bind({"hero": [Block("a"), Block("b")], "footer": [Block("z")]}, batch.schema)
    return selector.decide(batch, keys=batch["age"], seed=4)


KEYS = pa.array(["k1", "k2", "k3", "k4"])


def test_the_log_has_a_row_for_each_customer_and_slot(decided):
    log = decisions_of(decided, keys=KEYS, version="9")
    assert log.schema == decision_log_schema(pa.utf8())
    rows = log.to_pylist()
    assert [(row["key"], row["slot"]) for row in rows] == [
        (key, slot) for key in KEYS.to_pylist() for slot in ("hero", "footer")
    ]
    assert rows[1] == {
        "key": "k1",
        "slot": "footer",
        "component": None,
        "index": None,
        "score": None,
        "propensity": None,
        "reason": "no_candidate",
        "is_estimate": False,
        "policy_version": "9",
    }
    assert [row["component"] for row in rows[0::2]] == decided.column("hero").field("component").to_pylist()
    assert {row["propensity"] for row in rows[0::2]} == {0.5}


def test_the_log_does_not_depend_on_the_batches(decided):
    whole = decisions_of(decided, keys=KEYS, version="9").to_pylist()
    parts = []
    for first, rows in [(0, 1), (1, 0), (1, 3)]:
        parts += decisions_of(
            decided.slice(first, rows), keys=KEYS.slice(first, rows), version="9"
        ).to_pylist()
    assert parts == whole


def test_a_lone_slot_needs_no_reordering(decided):
    log = decisions_of(decided.select(["hero"]), keys=pa.array([1, 2, 3, 4], pa.int32()), version="9")
    assert log.schema == decision_log_schema(pa.int32())
    assert log["key"].to_pylist() == [1, 2, 3, 4]


def test_plans_read_decisions_by_slot(decided):
    columns = slot_columns(decided)
    assert columns.schema == pa.schema({"slot:hero": pa.int32(), "slot:footer": pa.int32()})
    assert columns["slot:footer"].to_pylist() == [None, 0, 0, 0]


def test_a_key_for_each_row_is_needed(decided):
    with pytest.raises(SelectionError, match="a key for each of 4 decided rows, found 3") as raised:
        decisions_of(decided, keys=KEYS.slice(1), version="9")
    assert raised.value.code == "decision_input"
