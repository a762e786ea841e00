"""Arbitration: the formula over propensity, context, value and lever, computed as float32 does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labfactory.base.errors import SelectionError
from labfactory.selection import Arbitration, SelectionPolicy, SlotPolicy, compare

NAMES = ["a", "b", "c"]
TERMS = {"a": {"value": 12.5, "lever": 1.2}, "b": {"value": "spend * 2", "context": "is_member"}, "c": {}}
ROWS = 300


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None


def customers() -> pa.RecordBatch:
    random = np.random.default_rng(1)
    return pa.record_batch(
        {
            "age": random.uniform(-2, 2, ROWS),
            "spend": random.uniform(0, 9, ROWS),
            "is_member": random.random(ROWS) < 0.5,
        }
    )


def scores(bind, formula: str, batch: pa.RecordBatch) -> np.ndarray:
    """The score of every component, by pricing out the others."""
    slot = SlotPolicy.build(
        components=NAMES,
        features={"age": "age"},
        weights=[[1.0], [-0.5], [0.25]],
        bias=[0.1, 0.2, 0.3],
        kind="logistic",
        score="probability",
        arbitration=Arbitration(formula=formula, terms=TERMS),
    )
    selector = bind(slot, batch, NAMES)
    keys = pa.array(np.arange(batch.num_rows))
    every = []
    for number in range(3):
        prices = np.where(np.arange(3) == number, 0.0, 1e30)
        decided = selector.priced({"hero": prices}).decide(batch, keys=keys, seed=1).column("hero")
        every.append(decided.field("score").to_numpy(zero_copy_only=False))
    return np.array(every)


def terms_of(batch: pa.RecordBatch) -> dict[str, np.ndarray]:
    ones = np.ones(ROWS)
    member = np.array(batch["is_member"]).astype(float)
    logits = np.array([[1.0], [-0.5], [0.25]]) * np.array(batch["age"]) + np.array([[0.1], [0.2], [0.3]])
    return {
        "propensity": 1 / (1 + np.exp(-logits)),
        "context": np.array([ones, member, ones]),
        "value": np.array([12.5 * ones, np.array(batch["spend"]) * 2, ones]),
        "lever": np.array([1.2 * ones, ones, ones]),
    }


@settings(max_examples=25)
@given(
    formula=st.recursive(
        st.sampled_from(["propensity", "context", "value", "lever", "2", "0.5"]),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        max_leaves=6,
    )
)
def test_any_formula_says_what_numpy_says(formula):
    batch = customers()

    def bind(slot, batch, names):
        blocks = [type("Block", (), {"name": name, "eligible": None})() for name in names]
        return SelectionPolicy.build("1", hero=slot).bind({"hero": blocks}, batch.schema)

    expected = np.broadcast_to(eval(formula, {}, terms_of(batch)), (3, ROWS))
    found = scores(bind, formula, batch)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_the_formula_without_words_is_p_times_c_times_v_times_l(bind):
    batch = customers()
    terms = terms_of(batch)
    expected = terms["propensity"] * terms["context"] * terms["value"] * terms["lever"]
    assert scores(bind, Arbitration().formula, batch) == pytest.approx(expected, rel=1e-5)
    assert scores(bind, "-propensity / value", batch)[0] == pytest.approx(
        -terms["propensity"][0] / 12.5, rel=1e-5
    )


def test_dividing_by_nothing_is_the_largest_score_and_what_is_no_number_the_lowest(bind):
    batch = customers()
    highest = float(np.finfo(np.float32).max)
    assert set(scores(bind, "value / 0", batch)[0]) == {highest}
    assert set(scores(bind, "0 / 0", batch)[0]) == {-highest}


def test_what_levers_move_is_seen_beside_the_policy_without_them():
    slot = SlotPolicy.build(
        components=["a", "b", "c"],
        features={"spend": "spend"},
        weights=[[0.0], [0.0], [0.1]],
        bias=[1.0, 1.1, 0.0],
        arbitration=Arbitration(terms={"a": {"value": 1.0, "lever": 1.2}, "c": {"lever": "is_member * 2"}}),
    )
    batch = pa.record_batch({"spend": [1.0, 1.0, 9.0, 9.0], "is_member": [False, True, False, True]})
    pulled = SelectionPolicy.build("1", hero=slot)
    bare = pulled.without_levers("2")
    assert (bare.version, bare.slots["hero"].arbitration.terms) == ("2", {"a": {"value": 1.0}})
    assert SelectionPolicy.from_files(bare.files()) == bare
    blocks = {"hero": [Block(name) for name in "abc"]}
    selectors = [one.bind(blocks, batch.schema) for one in (pulled, bare)]
    keys = pa.array(range(4))
    first, second = (
        one.decide(batch, keys=keys, seed=1)["hero"].field("component").to_pylist() for one in selectors
    )
    assert (first, second) == (["a", "a", "a", "c"], ["b"] * 4)
    moved = compare(*selectors, batch, keys=keys, seed=1)
    assert dict(moved.select("before", "customers").iter_rows()) == {"a": 3, "c": 1}
    assert set(moved["after"]) == {"b"}


def test_a_customer_without_a_term_gets_nothing(bind):
    batch = customers().set_column(1, "spend", pa.array([None] + [1.0] * (ROWS - 1)))
    slot = SlotPolicy.build(
        components=NAMES,
        features={"age": "age"},
        weights=np.ones((3, 1)),
        arbitration=Arbitration(terms=TERMS),
    )
    decided = bind(slot, batch, NAMES).decide(batch, keys=pa.array(np.arange(ROWS)), seed=1).column("hero")
    assert decided.field("reason").to_pylist() == ["missing_feature"] + ["chosen"] * (ROWS - 1)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("propensity * valeu", "found 'valeu'"),
        ("value if 1 else 2", "found 'condexpr'"),
        ("value ** 2", "found 'pow'"),
        ("value +", "expected a formula"),
        ("1 }} {{ 2", "expected one formula"),
        ("", "expected a formula"),
    ],
)
def test_what_is_no_formula_is_refused(formula, message):
    with pytest.raises(SelectionError, match=message) as raised:
        Arbitration(formula=formula)
    assert raised.value.code == "formula"


def test_a_formula_needs_a_model_and_known_components_and_terms():
    with pytest.raises(SelectionError, match="expected a model whose score the formula reads") as raised:
        SlotPolicy(arbitration=Arbitration())
    assert raised.value.code == "formula"
    with pytest.raises(SelectionError, match="found 'worth'"):
        Arbitration(terms={"a": {"worth": 1.0}})
    with pytest.raises(SelectionError, match="unknown component 'z'"):
        SlotPolicy.build(
            components=["a"], features={"x": "x"}, weights=[[1]], arbitration=Arbitration(terms={"z": {}})
        )
