"""Limits where a customer's slots share caps or candidates: neither is ever exceeded, and the bound holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from scipy.optimize import linprog

from labfactory.selection import (
    Cap,
    ContactRules,
    Exploration,
    Limit,
    LimitedSelector,
    SelectionPolicy,
    Shortlists,
    SlotPolicy,
)

ROWS = 2000
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Block:
    name: str
    eligible: str | None = None
    tags: tuple[str, ...] = ()


BLOCKS = (
    Block("sea", tags=("topic:trip",)),
    Block("sun", "x > 0.1", tags=("topic:trip",)),
    Block("snow", tags=("topic:trip", "new")),
    Block("tea", tags=("topic:food",)),
    Block("jam", tags=("topic:food", "new")),
)
NAMES = [block.name for block in BLOCKS]
SLOTS = ("hero", "foot")


def batch() -> pa.RecordBatch:
    random = np.random.default_rng(4)
    columns = {name: random.random(ROWS) for name in ("x", "y", "z")}
    return pa.record_batch({**columns, "key": np.arange(ROWS)})


def slot(**more: Any) -> SlotPolicy:
    weights = np.random.default_rng(5).random((5, 3))
    features = {name: name for name in ("x", "y", "z")}
    return SlotPolicy.build(components=NAMES, features=features, weights=weights, **more)


def policy(*caps: Cap, exploration: Exploration | None = None) -> SelectionPolicy:
    filling = slot(fills=SLOTS, exploration=exploration)
    return SelectionPolicy.build("1", offers=filling, contact=ContactRules(caps=caps))


LIMITS = {
    "sea": Limit(component="sea", maximum=300),
    "new": Limit(tag="new", maximum=900),
    "tea": Limit(component="tea", minimum=700),
}
ONE_TRIP = Cap(at_most=1, tag="topic:*")
CASES = {
    "never the same twice": policy(),
    "one of each topic": policy(ONE_TRIP),
    "drawn": policy(ONE_TRIP, exploration=Exploration(mode="softmax", temperature=0.2)),
}


def settled(
    made: SelectionPolicy, rows: pa.RecordBatch, parts: int = 1, **moment: Any
) -> tuple[Any, Any, Any]:
    limited = LimitedSelector.of(made, LIMITS, dict.fromkeys(SLOTS, BLOCKS), rows.schema).at(**moment)
    values = limited.values(rows, rows["key"], seed=7)
    limited = limited.learn(values, customers=ROWS, left=limited.left(rows, rows["key"], seed=7))
    cuts = np.linspace(0, ROWS, parts + 1).astype(int)
    batches = [rows.slice(a, b - a) for a, b in pairwise(cuts)]
    lists = Shortlists.joined([limited.shortlists(one, one["key"], seed=7) for one in batches])
    return limited, lists, limited.require_priced().settle(lists)


def best_of_all(values: np.ndarray[Any, Any], groups: list[list[str]]) -> float:
    """The linear programme's best, which no choice of whole components exceeds."""
    cells = np.argwhere(~np.isnan(values))
    columns = np.arange(len(cells))
    name_of = np.array(NAMES * 2)[cells[:, 1]]

    def rows_of(row: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> Any:
        return sparse.csr_matrix(
            (counts.astype(float), (row, columns)), shape=(int(row.max()) + 1, len(cells))
        )

    per_slot = rows_of(2 * cells[:, 0] + cells[:, 1] // 5, np.ones(len(cells)))
    per_cap = [rows_of(cells[:, 0], np.isin(name_of, group)) for group in groups]
    overall = [(name_of == "sea") * 1.0, np.isin(name_of, ["snow", "jam"]) * 1.0, (name_of == "tea") * -1.0]
    found = linprog(
        -values[cells[:, 0], cells[:, 1]].astype(float),
        A_ub=sparse.vstack([per_slot, *per_cap, sparse.csr_matrix(np.array(overall))]).tocsr(),
        b_ub=np.concatenate(
            [np.ones(per_slot.shape[0]), np.ones(sum(c.shape[0] for c in per_cap)), [300, 900, -700]]
        ),
        method="highs-ipm",
    )
    assert found.status == 0
    return float(-found.fun)


@pytest.mark.parametrize("name", CASES)
def test_slots_that_share_caps_are_settled_together(name: str) -> None:
    rows = batch()
    limited, _, allocation = settled(CASES[name], rows)
    choices = allocation.choices.reshape(ROWS, 2)
    got = np.where(choices >= 0, np.array([*NAMES, *NAMES, "nothing"])[choices], "nothing")
    both = (choices >= 0).all(axis=1)
    assert both.sum() > ROWS / 2
    assert (got[both, 0] != got[both, 1]).all()
    if name != "never the same twice":
        trips, food = np.isin(got, ["sea", "sun", "snow"]), np.isin(got, ["tea", "jam"])
        assert trips.sum(axis=1).max() <= 1
        assert food.sum(axis=1).max() <= 1
    assert (got == "sea").sum() <= 300
    assert np.isin(got, ["snow", "jam"]).sum() <= 900
    assert (got == "tea").sum() >= 700
    topics = [["sea", "sun", "snow"], ["tea", "jam"]]
    groups = [[one] for one in NAMES] + (topics if name != "never the same twice" else [])
    best = best_of_all(limited.values(rows, rows["key"], seed=7), groups)
    assert allocation.value <= best * (1 + 1e-6)
    assert allocation.bound >= best * (1 - 1e-6)
    assert allocation.gap < (0.01 if name == "drawn" else 2e-3)


def test_any_split_of_the_batches_gives_the_same() -> None:
    rows = batch()
    whole, split = (settled(CASES["drawn"], rows, parts) for parts in (1, 3))
    assert whole[2].to_json() == split[2].to_json()
    assert (whole[2].choices == split[2].choices).all()


def test_what_history_leaves_holds_for_all_slots_together() -> None:
    rows = batch()
    weekly = Cap(at_most=2, per="7 days", channel="email")
    made = SelectionPolicy.build(
        "1",
        hero=slot(channel="email"),
        foot=slot(channel="email"),
        contact=ContactRules(caps=(weekly,)),
    )
    keys = np.repeat(np.arange(ROWS), np.arange(ROWS) % 3)  # a third had none, one, two this week
    history = pa.table(
        {"key": keys, "at": pa.array([NOW] * len(keys)), "channel": pa.array(["email"] * len(keys))}
    )
    limited, lists, allocation = settled(made, rows, now=NOW, history=history)
    assert lists.left[:6, 0].tolist() == [2, 1, 0, 2, 1, 0]
    choices = allocation.choices.reshape(ROWS, 2)
    assert ((choices >= 0).sum(axis=1) <= 2 - np.arange(ROWS) % 3).all()
    assert allocation.gap < 2e-3
    given = limited.settled(allocation.choices, lists, np.arange(ROWS), ROWS)
    assert ((given.index >= 0).sum(axis=1) == (choices >= 0).sum(axis=1)).all()
