"""Propensities are the probabilities with which components are given: exactly, and in frequency."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from labfactory.base.errors import SelectionError
from labfactory.selection import ChoiceRule, Exploration, SlotPolicy

NAMES = ("a", "b", "c", "d", "e")
SCORES = np.array([0.5, 2.0, -1.0, 2.0, 0.25])
ROWS = 60_000

MODES = {
    "greedy": Exploration(),
    "greedy with a floor": Exploration(floor=0.04),
    "epsilon": Exploration(mode="epsilon", epsilon=0.2),
    "epsilon below its floor": Exploration(mode="epsilon", epsilon=0.1, floor=0.1),
    "softmax": Exploration(mode="softmax", temperature=0.8),
    "softmax with a floor": Exploration(mode="softmax", temperature=0.3, floor=0.05),
    "uniform": Exploration(mode="uniform"),
}


def expected_probabilities(exploration: Exploration, eligible: np.ndarray) -> np.ndarray:
    """Of each component, from the definition of the modes."""
    count = eligible.sum()
    base = np.zeros(len(SCORES))
    masked = np.where(eligible, SCORES, -np.inf)
    if exploration.mode == "softmax":
        base = np.exp((masked - masked.max()) / exploration.temperature)
        base /= base.sum()
    else:
        base[masked.argmax()] = 1.0
    rate = min(1.0, max(exploration.rate, exploration.floor * count))
    return (1 - rate) * base + rate / count * eligible


def decide(
    bind, exploration: Exploration, rows: int = ROWS, threads: int = 2
) -> tuple[pa.RecordBatch, np.ndarray]:
    """Customers of two kinds: `b` and `e` are for even ages."""
    batch = pa.record_batch({"age": np.arange(rows)})
    slot = SlotPolicy.build(
        components=NAMES,
        features={"one": "0 * age"},
        weights=np.zeros((5, 1)),
        bias=SCORES,
        exploration=exploration,
    )
    blocks = [(name, "age % 2 == 0") if name in "be" else name for name in NAMES]
    decided = bind(slot, batch, blocks).decide(
        batch, keys=pa.array(np.arange(rows)), seed=20, threads=threads
    )
    return decided.column("hero"), np.arange(rows) % 2 == 0


@pytest.mark.parametrize("name", MODES)
def test_propensities_are_those_of_the_definition(bind, level, name):
    decided, is_even = decide(bind, MODES[name], rows=3_000)
    index = np.array(decided.field("index"))
    for even in (True, False):
        eligible = np.array([even or component not in "be" for component in NAMES])
        expected = expected_probabilities(MODES[name], eligible)
        rows = is_even == even
        assert np.array(decided.field("propensity"))[rows] == pytest.approx(expected[index[rows]], rel=1e-6)
        assert set(index[rows]) <= set(np.flatnonzero(eligible))


@pytest.mark.parametrize("name", MODES)
def test_components_are_given_as_often_as_their_propensity_says(bind, name):
    decided, is_even = decide(bind, MODES[name])
    index = np.array(decided.field("index"))
    for even in (True, False):
        eligible = np.array([even or component not in "be" for component in NAMES])
        expected = expected_probabilities(MODES[name], eligible)
        possible = expected > 0
        counts = np.bincount(index[is_even == even], minlength=5)
        assert counts[~possible].sum() == 0
        if possible.sum() > 1:
            # One in 10,000 true engines would fail; with a fixed seed this one never does.
            assert stats.chisquare(counts[possible], expected[possible] * counts.sum()).pvalue > 1e-4


def test_reasons_tell_the_best_component_from_those_tried(bind):
    decided, _ = decide(bind, Exploration(mode="softmax", temperature=1.0), rows=2_000)
    chosen = np.array(decided.field("reason").cast(pa.utf8())) == "chosen"
    best = np.array([1 if even else 3 for even in np.arange(2_000) % 2 == 0])
    assert (np.array(decided.field("index")) == best).tolist() == chosen.tolist()
    assert set(decided.field("reason").to_pylist()) == {"chosen", "explored"}


def test_one_eligible_component_has_propensity_one_in_every_mode(bind):
    batch = pa.record_batch({"age": np.arange(200)})
    for exploration in MODES.values():
        slot = SlotPolicy.build(exploration=exploration, eligible=["age >= 0"])
        decided = bind(slot, batch, ["a", ("b", "age < 0")]).decide(batch, keys=batch["age"], seed=3)
        assert set(decided.column("hero").field("propensity").to_pylist()) == {1.0}
        assert set(decided.column("hero").field("component").to_pylist()) == {"a"}


def test_rules_explore_among_all_eligible_components(bind):
    batch = pa.record_batch({"womens": np.arange(20_000) % 2})
    rules = (ChoiceRule(component="womens", when="womens == 1"), ChoiceRule(component="mens"))
    slot = SlotPolicy(rules=rules, exploration=Exploration(mode="epsilon", epsilon=0.3))
    keys = pa.array(np.arange(20_000))
    decided = bind(slot, batch, ["mens", "womens", "kids"]).decide(batch, keys=keys, seed=3).column("hero")
    named = np.array(decided.field("index")) == np.arange(20_000) % 2
    assert np.array(decided.field("propensity")) == pytest.approx(np.where(named, 0.8, 0.1))
    assert stats.binomtest(int(named.sum()), 20_000, 0.8).pvalue > 1e-4


def test_a_weight_that_vanishes_has_no_chance(bind):
    batch = pa.record_batch({"age": np.arange(1_000)})
    slot = SlotPolicy.build(
        components=["a", "b"],
        features={"one": "0 * age"},
        weights=[[0.0], [0.0]],
        bias=[1.0, 0.0],
        exploration=Exploration(mode="softmax", temperature=1e-3),
    )
    decided = bind(slot, batch, ["a", "b"]).decide(batch, keys=batch["age"], seed=3).column("hero")
    assert set(decided.field("component").to_pylist()) == {"a"}
    assert set(decided.field("propensity").to_pylist()) == {1.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mode": "epsilon"}, "expected epsilon with mode epsilon and with no other, found epsilon none"),
        ({"mode": "greedy", "epsilon": 0.1}, "found epsilon 0.1 with mode greedy"),
        ({"mode": "epsilon", "epsilon": 1.5}, "expected epsilon between 0 and 1, found 1.5"),
        ({"mode": "epsilon", "epsilon": float("nan")}, "expected epsilon between 0 and 1, found nan"),
        ({"mode": "softmax"}, "expected temperature with mode softmax"),
        ({"mode": "softmax", "temperature": 0.0}, "expected a temperature above 0, found 0.0"),
        ({"mode": "softmax", "temperature": float("inf")}, "expected a temperature above 0, found inf"),
        ({"floor": -0.1}, "expected a floor between 0 and 1, found -0.1"),
        ({"mode": "squarecb"}, "expected gamma with mode squarecb"),
        ({"mode": "squarecb", "gamma": -1.0}, "expected a gamma above 0, found -1.0"),
        ({"mode": "ucb"}, "expected width with mode ucb"),
        ({"mode": "ucb", "width": -1.0}, "expected a width of 0 or more, found -1.0"),
        ({"mode": "best"}, "squarecb, ucb, thompson or uniform, found 'best'"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, message):
    with pytest.raises(SelectionError, match=message) as raised:
        Exploration(**wrong)
    assert raised.value.code == "exploration"


def test_a_floor_that_the_components_cannot_all_have_is_refused(bind):
    exploration = Exploration(floor=0.4)
    with pytest.raises(SelectionError, match="a floor of at most 1/3 for 3 components") as raised:
        SlotPolicy(components=("a", "b", "c"), exploration=exploration)
    assert raised.value.code == "exploration"
    batch = pa.record_batch({"age": [1]})
    with pytest.raises(SelectionError, match="at most 1/3"):
        bind(SlotPolicy(exploration=exploration), batch, ["a", "b", "c"])
