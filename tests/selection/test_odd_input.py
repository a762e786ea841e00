"""Data as others keep them: other types of the same key, missing columns, numbers that are none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.errors import LabfactoryError, SelectionError
from labfactory.selection import Limit, SelectionPolicy, SlotPolicy, Window, allocate

ROWS = 300
NOW = datetime(2026, 5, 1, tzinfo=UTC)
PEOPLE = pl.DataFrame({"key": range(ROWS), "x": np.linspace(0, 1, ROWS)})
DECISIONS = pl.DataFrame(
    {"key": range(ROWS), "slot": "hero", "component": ["a", "b"] * (ROWS // 2), "propensity": 0.5}
)
OUTCOMES = pl.DataFrame({"key": range(ROWS), "reward": np.linspace(0, 2, ROWS)})


@dataclass(frozen=True)
class Block:
    name: str
    eligible: str | None = None


def policy() -> SelectionPolicy:
    slot = SlotPolicy.build(components=["a", "b"], features={"x": "x"}, weights=[[1.0], [0.5]])
    return SelectionPolicy.build("1", hero=slot)


def learned(**changed: Any) -> Any:
    data = {"decisions": DECISIONS, "outcomes": OUTCOMES, "customers": PEOPLE, **changed}
    return policy().learn(**data, version="2")


@pytest.mark.parametrize("kind", [pl.Int32, pl.Float64, pl.String])
@pytest.mark.parametrize("table", ["outcomes", "customers"])
def test_a_key_is_the_same_key_whatever_type_carries_it(kind: Any, table: str) -> None:
    frame = {"outcomes": OUTCOMES, "customers": PEOPLE}[table].cast({"key": kind})
    plain = learned()
    for data in (frame, frame.to_pandas(), frame.to_arrow()):
        found = learned(**{table: data})
        assert found.policy == plain.policy
        assert found.unmatched == plain.unmatched


def test_categories_and_chunks_are_learned_from() -> None:
    frame = DECISIONS.with_columns(pl.col("component").cast(pl.Categorical))
    chunks = pa.concat_tables([DECISIONS[:100].to_arrow(), DECISIONS[100:].to_arrow()])
    assert learned(decisions=frame).policy == learned(decisions=chunks).policy == learned().policy


@pytest.mark.parametrize(
    "change",
    [
        {"decisions": DECISIONS.with_columns(propensity=pl.lit(0.0))},
        {"decisions": DECISIONS.with_columns(propensity=pl.lit(1.5))},
        {"decisions": DECISIONS.with_columns(propensity=pl.lit(float("nan")))},
        {"decisions": DECISIONS.with_columns(propensity=pl.lit("half"))},
        {"decisions": DECISIONS.with_columns(decided_at=pl.lit(datetime(2026, 1, 1))), "window": 3},
        {"decisions": DECISIONS.with_columns(decided_at=pl.lit("2026-01-01")), "window": 3},
    ],
)
def test_decisions_that_say_nothing_are_refused(change: dict[str, Any]) -> None:
    if "window" in change:
        change["window"] = Window(NOW, timedelta(days=change["window"]))
    with pytest.raises(SelectionError) as caught:
        learned(**change)
    assert caught.value.code == "outcomes"


def test_a_table_is_not_a_batch_and_the_error_says_what_to_do() -> None:
    batch = PEOPLE.to_arrow().to_batches()[0]
    selector = policy().bind({"hero": [Block("a"), Block("b")]}, batch.schema)
    for wrong in (PEOPLE, PEOPLE.to_arrow()):
        with pytest.raises(
            SelectionError, match=r"expected a batch of customers.*found (polars|pyarrow)"
        ) as caught:
            selector.decide(wrong, keys=batch["key"], seed=1)
        assert caught.value.code == "decision_input"


@pytest.mark.parametrize("kind", [pa.int32(), pa.int8(), pa.float32(), pa.bool_()])
def test_features_of_any_numbers_decide_alike(kind: pa.DataType) -> None:
    batch = pa.record_batch({"x": pa.array([0, 1, 1, 0]).cast(kind)})
    selector = policy().bind({"hero": [Block("a"), Block("b")]}, batch.schema)
    decided = selector.decide(batch, keys=pa.array([1, 2, 3, 4]), seed=1)
    assert decided["hero"].field("score").to_pylist() == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("values", "limit", "code"),
    [
        ([[np.inf, 1.0]], {"maximum": 1}, "allocation_input"),
        ([0.5, 1.0], {"maximum": 1}, "allocation_input"),
        ([[0.5, 1.0]], {"maximum": 10.5}, "limit"),
        ([[0.5, 1.0]], {"maximum": -1}, "limit"),
        ([[0.5, 1.0]], {"minimum": 2}, "limits_infeasible"),
        ([[0.5, 1.0]], {"budget": 1.0, "costs": {"0": float("nan")}}, "limit"),
    ],
)
def test_limits_and_values_that_make_no_sense_are_refused(
    values: Any, limit: dict[str, Any], code: str
) -> None:
    with pytest.raises(LabfactoryError) as caught:
        allocate(np.array(values), {"only": Limit(component="0", **limit)})
    assert caught.value.code == code


@pytest.mark.parametrize("made", [np.asarray, np.asfortranarray, np.ndarray.tolist, pl.DataFrame])
def test_values_of_any_layout_are_allocated_alike(made: Any) -> None:
    values = np.random.default_rng(1).random((200, 3))
    limits = {"few": Limit(component="1", maximum=20)}
    assert allocate(made(values), limits).to_json() == allocate(values, limits).to_json()
