"""What nobody should hand in: each a clear error or a reason, and no customer lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.errors import LabfactoryError, SelectionError, SourceError
from labfactory.selection import (
    Cap,
    ContactRules,
    Feature,
    History,
    Planned,
    Rest,
    SelectionPolicy,
    Selector,
    SlotPolicy,
    compare,
    drop_off,
    explain,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None
    tags: tuple[str, ...] = ()


BLOCKS = {"hero": [Block("a", tags=("news",)), Block("b")]}
BATCH = pa.record_batch({"x": [1.0, float("nan"), float("inf"), None, -1e308, 2.0]})
KEYS = pa.array(range(6))


def bound(*rules: Cap | Rest) -> Selector:
    slot = SlotPolicy.build(components=["a", "b"], features={"x": "x"}, weights=[[1.0], [0.5]])
    contact = ContactRules(
        caps=tuple(rule for rule in rules if isinstance(rule, Cap)),
        rests=tuple(rule for rule in rules if isinstance(rule, Rest)),
    )
    return SelectionPolicy.build("1", contact=contact, hero=slot).bind(BLOCKS, BATCH.schema)


PLAIN = bound()
TIMED = bound(Cap(at_most=1, per="week"), Cap(at_most=1, per="7 days", tag="news"), Rest(outcome="o"))


def taken(**changed: Any) -> list[tuple[str | None, str]]:
    """What customers get under rules over time."""
    settings = {"now": NOW, "history": History.empty(), "planned": Planned.empty(), **changed}
    decided = TIMED.decide(BATCH, keys=KEYS, seed=1, **settings).column("hero").to_pylist()
    assert len(decided) == 6
    return [(one["component"], one["reason"]) for one in decided]


FREE = taken()


def test_what_is_no_number_is_a_reason_and_nobody_is_lost() -> None:
    assert [("a", "chosen"), *[(None, "missing_feature")] * 4, ("a", "chosen")] == FREE
    sliced = TIMED.decide(BATCH.slice(3, 3), keys=KEYS.slice(3, 3), seed=1, now=NOW, history=History.empty())
    assert sliced["hero"].field("component").to_pylist() == [None, None, "a"]


@pytest.mark.parametrize(
    "keys",
    [
        pa.nulls(6),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 0, None, 0], pa.int8()), pa.array(["k", None])),
        pa.array([2**64 - 1] * 6, pa.uint64()),
        pa.array(list("abcdef"), pa.large_string()),
        pa.array(range(10), pa.int8()).slice(4),
    ],
    ids=lambda keys: str(keys.type),
)
def test_every_row_of_odd_keys_has_a_reason(keys: pa.Array) -> None:
    decided = PLAIN.decide(BATCH, keys=keys, seed=1).column("hero")
    assert len(decided) == 6
    is_keyed = [key is not None for key in keys.to_pylist()]
    found = [reason != "missing_key" for reason in decided.field("reason").to_pylist()]
    assert found == is_keyed


@pytest.mark.parametrize(
    "changed",
    [
        *({"seed": seed} for seed in (-1, 2**64, 1.5, None, "1", True)),
        *({"threads": threads} for threads in (1.5, None, "2")),
        *(
            {"keys": keys}
            for keys in (pa.chunked_array([range(6)]), list(range(6)), pl.Series(range(6)), None, KEYS[:5])
        ),
        *({"batch": batch} for batch in (None, BATCH.to_pydict(), pa.Table.from_batches([BATCH]))),
    ],
    ids=str,
)
def test_a_decision_of_what_is_none_is_refused(changed: dict[str, Any]) -> None:
    settings = {"keys": KEYS, "seed": 1, **changed}
    with pytest.raises(SelectionError) as caught:
        PLAIN.decide(settings.pop("batch", BATCH), **settings)
    assert caught.value.code == "decision_input"


def test_a_column_that_is_there_twice_is_refused() -> None:
    twice = pa.RecordBatch.from_arrays([pa.array([1.0]), pa.array([2.0])], ["x", "x"])
    with pytest.raises(SourceError, match="'x' once, found it 2 times") as caught:
        PLAIN.decide(twice, keys=pa.array([1]), seed=1)
    assert caught.value.code == "duplicate_column"


@pytest.mark.parametrize(
    ("customer", "code"),
    [
        (None, "decision_input"),
        ([1], "decision_input"),
        ({}, "missing_column"),
        ({"x": "1"}, "column_type"),
        ({"x": [1]}, "column_type"),
        ({"x": 10**400}, "column_type"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_one_customer_that_is_none_is_refused(customer: Any, code: str) -> None:
    with pytest.raises(LabfactoryError) as caught:
        PLAIN.decide_one(customer, key=1, seed=1)
    assert caught.value.code == code


@pytest.mark.parametrize("prices", ["a", None, [1], [[1, 2]], [np.nan, 1], [1e300, 1]], ids=str)
def test_prices_that_are_none_are_refused(prices: Any) -> None:
    with pytest.raises(SelectionError) as caught:
        PLAIN.priced({"hero": prices})
    assert caught.value.code == "decision_input"


@pytest.mark.parametrize(
    "rule",
    [
        *({"at_most": number} for number in (-1, 2**31, 2**40, 1.5, True, None, "1")),
        *({"at_most": 1, "per": per} for per in ("0 days", "5 weeks", "", None, 7, "99999999999 days")),
    ],
    ids=str,
)
def test_a_cap_of_no_number_or_time_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(SelectionError) as caught:
        Cap(**rule)
    assert caught.value.code == "contact_rule"


def test_the_largest_cap_and_the_longest_time_stop_nobody() -> None:
    selector = bound(Cap(at_most=2**31 - 1, per="365250 days"))
    for now in (NOW, datetime(1100, 1, 1, tzinfo=UTC), datetime(8900, 12, 31, tzinfo=UTC)):
        moment = {"now": now, "history": History.empty(), "planned": Planned.empty()}
        assert selector.decide(BATCH, keys=KEYS, seed=1, **moment)["hero"][0]["component"].as_py() == "a"
        assert selector.decide_one({"x": 1.0}, key=0, seed=1, **moment)["hero"].component == "a"


@pytest.mark.parametrize(
    "now",
    [None, "2026", date(2026, 1, 1), 5, datetime(2026, 1, 1), datetime.max.replace(tzinfo=UTC)],
    ids=str,
)
def test_a_moment_that_is_none_is_refused(now: Any) -> None:
    with pytest.raises(SelectionError, match="expected `now`") as caught:
        taken(now=now)
    assert caught.value.code == "decision_input"
    with pytest.raises(SelectionError, match="expected `now`"):
        TIMED.decide_one({"x": 1.0}, key=0, seed=1, now=now, history=History.empty())


def contacts(**changed: Any) -> pa.Table:
    columns = {"key": [0, 99], "at": [NOW, NOW], "outcome": ["p", None], "tags": [["news"], None]}
    return pa.table({**columns, **changed})


@pytest.mark.parametrize(
    "table",
    [
        contacts().to_pydict(),
        pl.DataFrame(contacts()),
        pl.DataFrame(contacts()).lazy(),
        pl.DataFrame(contacts()).to_pandas(),
        contacts().to_batches()[0],
        contacts().to_reader(),
        pa.concat_tables([contacts().slice(1), contacts().slice(0, 1)]),
        pa.concat_tables([contacts(), contacts()]).slice(1, 2),
        contacts(key=pa.array(["0", "99"]).dictionary_encode()),
        contacts(at=pa.array([NOW, NOW], pa.timestamp("s", "Europe/Berlin"))),
        contacts(at=pa.array([NOW.timestamp() * 1e9 - 1, 1], pa.int64()).cast(pa.timestamp("ns", "UTC"))),
        contacts(tags=["news", None]),
        contacts(tags=pa.array([["news"], []], pa.large_list(pa.string()))),
        contacts(tags=pa.array([["news"], ["x"]], pa.list_(pa.string(), 1))),
        contacts(outcome=[1, 2]),
    ],
    ids=lambda table: type(table).__name__,
)
def test_contacts_are_taken_in_from_whatever_holds_them(table: Any) -> None:
    assert taken(history=table) == [(None, "capped"), *FREE[1:]]


@pytest.mark.parametrize(
    "table",
    [
        5,
        "contacts",
        pa.table({}),
        contacts(key=[None, 1]),
        contacts(at=[date(2026, 1, 1)] * 2),
        contacts(at=pa.array([2**62, 1], pa.timestamp("s", "UTC"))),
        contacts(outcome=[["p"], ["q"]]),
        contacts(tags=[[["news"]], [["x"]]]),
    ],
    ids=lambda table: type(table).__name__,
)
@pytest.mark.parametrize("name", ["history", "planned"])
def test_what_holds_no_contacts_is_refused(name: str, table: Any) -> None:
    with pytest.raises(SelectionError) as caught:
        taken(**{name: table})
    assert caught.value.code == "history"


def test_nobody_is_explained_and_counted_too() -> None:
    frozen = TIMED.at(now=NOW, history=History.empty(), planned=Planned.empty())
    nobody, none = BATCH.slice(0, 0), KEYS.slice(0, 0)
    assert frozen.decide(nobody, keys=none, seed=1).num_rows == 0
    assert explain(frozen, nobody, keys=none, seed=1).shape == (0, 5)
    assert drop_off(frozen, nobody, keys=none, seed=1).shape == (0, 5)
    assert compare(frozen, frozen, nobody, keys=none, seed=1).shape == (0, 5)
    counted = drop_off(frozen, BATCH, keys=pa.nulls(6), seed=1)
    assert counted.select("reason", "customers").unique().rows() == [("missing_key", 6)]


def test_a_slot_whose_component_stands_there_twice_is_refused() -> None:
    policy = SelectionPolicy.build("1", hero=SlotPolicy())
    with pytest.raises(SelectionError) as caught:
        policy.bind({"hero": [Block("a"), Block("a")]}, BATCH.schema)
    assert caught.value.code == "duplicate_component"
    with pytest.raises(SelectionError) as caught:
        policy.bind({"hero": []}, BATCH.schema)
    assert caught.value.code == "unknown_slot"


@pytest.mark.parametrize("weights", [[["much"]], [[np.nan]], [[1e300]], [[1.0], [1.0, 2.0]]], ids=str)
def test_weights_that_are_none_are_refused(weights: Any) -> None:
    with pytest.raises(SelectionError) as caught:
        SlotPolicy.build(components=["a"], features={"x": "x"}, weights=weights)
    assert caught.value.code == "model_value"


def test_categories_that_nobody_listed_are_missing() -> None:
    feature = Feature(name="c", expression="c", encoding="one_hot", categories=("x", "y"), missing=0.0)
    slot = SlotPolicy.build(components=["a", "b"], features=[feature], weights=[[1, 2], [2, 1]])
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None], pa.int8()), pa.array(["x", None, "zz"]))
    batch = pa.record_batch({"c": column})
    decided = SelectionPolicy.build("1", hero=slot).bind(BLOCKS, batch.schema).decide(
        batch, keys=KEYS.slice(0, 4), seed=1
    )  # fmt: skip
    assert decided["hero"].field("score").to_pylist() == [2.0, 0.0, 0.0, 0.0]
    assert decided["hero"].field("component").to_pylist() == ["b", "a", "a", "a"]


def test_one_history_serves_many_threads_at_once() -> None:
    history = History.of(contacts(key=["0", "5"], outcome=["o", "p"]))

    def decide(number: int) -> list[tuple[str | None, str]]:
        # More moments than are kept, so that some are forgotten while others are looked up.
        return taken(history=history, now=NOW + timedelta(seconds=number))

    with ThreadPoolExecutor(6) as pool:
        assert set(map(tuple, pool.map(decide, range(1200)))) == {tuple(decide(0))}


def test_a_moment_told_twice_is_the_later_one() -> None:
    frozen = TIMED.at(now=NOW, history=contacts(), planned=Planned.empty())
    same = frozen.decide(BATCH, keys=KEYS, seed=1, history=contacts(), planned=contacts())
    other = frozen.decide(BATCH, keys=KEYS, seed=1, history=History.empty())
    assert same["hero"].field("reason").to_pylist()[0] == "capped"
    assert other["hero"].field("reason").to_pylist()[0] == "chosen"
