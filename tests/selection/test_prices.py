"""Prices are taken off the scores when candidates are compared, and leave the logged score as it is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from labfactory.base.errors import SelectionError
from labfactory.selection import Exploration, SlotPolicy

NAMES = ["a", "b", "c", "d", "e", "f", "g"]
ROWS = 1_000


def selector_of(bind, batch, **settings):
    random = np.random.default_rng(4)
    slot = SlotPolicy.build(
        components=NAMES,
        features={"age": "age", "spend": "spend"},
        weights=random.normal(size=(7, 2)),
        bias=random.normal(size=7),
        **settings,
    )
    return bind(slot, batch, NAMES)


@pytest.fixture
def batch():
    random = np.random.default_rng(5)
    return pa.record_batch({"age": random.normal(size=ROWS), "spend": random.normal(size=ROWS)})


def scores(bind, batch):
    """Each component's own score, by a policy that prices all others out."""
    every = []
    for number in range(len(NAMES)):
        prices = np.full(len(NAMES), 1e6)
        prices[number] = 0.0
        decided = selector_of(bind, batch).priced({"hero": prices}).decide(batch, keys=KEYS, seed=1)
        assert decided.column("hero").field("index").to_pylist() == [number] * ROWS
        every.append(np.array(decided.column("hero").field("score")))
    return np.column_stack(every)


KEYS = pa.array(np.arange(ROWS))


def test_the_highest_score_after_prices_is_chosen_and_the_score_logged_is_before_them(bind, batch, level):
    every = scores(bind, batch)
    prices = np.float32([0.5, -0.2, 0.0, 1.0, 0.3, 0.1, 2.0])
    decided = selector_of(bind, batch).priced({"hero": prices}).decide(batch, keys=KEYS, seed=1)
    best = (every - prices).argmax(axis=1)
    assert decided.column("hero").field("index").to_pylist() == best.tolist()
    assert decided.column("hero").field("score").to_pylist() == every[np.arange(ROWS), best].tolist()


def test_softmax_draws_at_the_prices_with_its_exact_propensity(bind, batch):
    every = scores(bind, batch)
    prices = np.float32([0.5, -0.2, 0.0, 1.0, 0.3, 0.1, 2.0])
    exploration = Exploration(mode="softmax", temperature=0.7)
    priced = selector_of(bind, batch, exploration=exploration).priced({"hero": prices})
    decided = priced.decide(batch, keys=KEYS, seed=1).column("hero")
    weights = np.exp((every - prices).astype(float) / 0.7)
    taken = np.array(decided.field("index"))
    expected = (weights / weights.sum(axis=1, keepdims=True))[np.arange(ROWS), taken]
    assert np.array(decided.field("propensity")) == pytest.approx(expected, rel=1e-5)
    assert decided.field("score").to_pylist() == every[np.arange(ROWS), taken].tolist()


@pytest.mark.parametrize(
    ("prices", "code"),
    [
        ({"heroo": np.zeros(7)}, "unknown_slot"),
        ({"hero": np.zeros(6)}, "decision_input"),
        ({"hero": [np.nan] * 7}, "decision_input"),
        ({"hero": [1e300] * 7}, "decision_input"),
    ],
)
def test_prices_that_do_not_fit_are_refused(bind, batch, prices, code):
    with pytest.raises(SelectionError) as raised:
        selector_of(bind, batch).priced(prices)
    assert raised.value.code == code
