"""What is chosen without chance: the best eligible component, or the first, or by rule; and why not."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from labfactory.base.errors import SelectionError, SourceError
from labfactory.selection import ChoiceRule, Exploration, Feature, SelectionPolicy, SlotPolicy

ROWS = 331


def customers(rows: int = ROWS, seed: int = 0) -> pa.RecordBatch:
    random = np.random.default_rng(seed)
    return pa.record_batch(
        {
            "age": random.integers(18, 90, rows),
            "spend": random.gamma(2.0, 50.0, rows),
            "score": random.normal(size=rows).astype(np.float32),
            "opted_in": random.random(rows) < 0.7,
        }
    )


def keys(rows: int = ROWS) -> pa.Array:
    return pa.array(range(rows))


def column(decided: pa.RecordBatch, field: str) -> list[object]:
    return decided.column("hero").field(field).to_pylist()


def scores_in_order(features: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The plain sum: bias first, then one product after the other, each added with one rounding to float32."""
    total = np.broadcast_to(bias, (len(features), len(bias)))
    wide = features.astype(np.longdouble), weights.astype(np.longdouble)  # holds such a product exactly
    for number in range(features.shape[1]):
        total = (total + wide[0][:, number, None] * wide[1][None, :, number]).astype(np.float32)
    return total


@pytest.mark.parametrize("candidates", [1, 2, 5, 33])
def test_greedy_takes_the_highest_score_bit_for_bit(bind, level, candidates):
    random = np.random.default_rng(candidates)
    batch = customers()
    names = [f"block{number}" for number in range(candidates)]
    weights = random.normal(size=(candidates, 4)).astype(np.float32)
    bias = random.normal(size=candidates).astype(np.float32)
    features = {"age": "age", "log": "spend / 100", "score": "score", "opted_in": "opted_in"}
    slot = SlotPolicy.build(components=names, features=features, weights=weights, bias=bias)

    decided = bind(slot, batch, names).decide(batch, keys=keys(), seed=1)

    table = [batch["age"], np.array(batch["spend"]) / 100, batch["score"], batch["opted_in"].cast("int8")]
    expected = scores_in_order(np.column_stack([np.array(c, np.float32) for c in table]), weights, bias)
    best = expected.argmax(axis=1)
    assert column(decided, "index") == best.tolist()
    assert column(decided, "score") == expected[np.arange(ROWS), best].tolist()
    assert column(decided, "component") == [names[at] for at in best]
    assert set(column(decided, "propensity")) == {1.0}
    assert set(column(decided, "reason")) == {"chosen"}


def test_without_a_model_the_first_eligible_component_is_taken(bind):
    batch = pa.record_batch({"country": ["DE", "FR", None, "US"]})
    blocks = [("german", "country == 'DE'"), ("french", "country == 'FR'"), ("any", "country is not none")]
    decided = bind(SlotPolicy(), batch, blocks).decide(batch, keys=keys(4), seed=1)
    assert column(decided, "component") == ["german", "french", None, "any"]
    assert column(decided, "reason") == ["chosen", "chosen", "no_candidate", "chosen"]
    assert column(decided, "propensity") == [1.0, 1.0, None, 1.0]
    assert column(decided, "score") == [0.0, 0.0, None, 0.0]
    assert column(decided, "index") == [0, 1, None, 2]


def test_ties_go_to_the_first_component_of_the_policy(bind):
    batch = pa.record_batch({"age": [1.0] * 70})
    slot = SlotPolicy.build(
        components=["c", "b", "a"], features={"age": "age"}, weights=[[1.0], [2.0], [2.0]], bias=[0, 0, 0]
    )
    decided = bind(slot, batch, ["a", "b", "c"]).decide(batch, keys=keys(70), seed=1)
    # Its place in the policy decides, its place among the bound components is the index.
    assert set(column(decided, "component")) == {"b"}
    assert set(column(decided, "index")) == {1}


def test_components_that_the_policy_does_not_list_are_never_chosen(bind):
    batch = pa.record_batch({"age": [1, 2]})
    decided = bind(SlotPolicy(components=("b",)), batch, ["a", "b"]).decide(batch, keys=keys(2), seed=1)
    assert column(decided, "component") == ["b", "b"]


def test_the_first_rule_that_holds_names_the_component(bind):
    batch = pa.record_batch({"womens": [1, 0, None, 1], "mens": [1, 1, 0, 0]})
    rules = (
        ChoiceRule(component="womens", when="womens == 1"),
        ChoiceRule(component="mens", when="mens == 1"),
    )
    decided = bind(SlotPolicy(rules=rules), batch, ["mens", "womens"]).decide(batch, keys=keys(4), seed=1)
    assert column(decided, "component") == ["womens", "mens", None, "womens"]
    assert column(decided, "reason") == ["chosen", "chosen", "no_candidate", "chosen"]


def test_a_rule_without_a_condition_gives_the_rest(bind):
    batch = pa.record_batch({"womens": [1, 0, None]})
    rules = (ChoiceRule(component="womens", when="womens == 1"), ChoiceRule(component="mens"))
    decided = bind(SlotPolicy(rules=rules), batch, ["mens", "womens"]).decide(batch, keys=keys(3), seed=1)
    assert column(decided, "component") == ["womens", "mens", "mens"]


def test_a_rule_passes_over_a_component_that_is_not_eligible(bind):
    batch = pa.record_batch({"womens": [1, 1], "stock": [0, 5]})
    rules = (ChoiceRule(component="womens", when="womens == 1"), ChoiceRule(component="mens"))
    blocks = ["mens", ("womens", "stock > 0")]
    decided = bind(SlotPolicy(rules=rules), batch, blocks).decide(batch, keys=keys(2), seed=1)
    assert column(decided, "component") == ["mens", "womens"]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 1e39])
def test_a_feature_without_a_finite_value_is_missing(bind, value):
    batch = pa.record_batch({"age": pa.array([1.0, value, 3.0], pa.float64())})
    slot = SlotPolicy.build(components=["a"], features={"age": "age"}, weights=[[1.0]])
    decided = bind(slot, batch, ["a"]).decide(batch, keys=keys(3), seed=1)
    assert column(decided, "reason") == ["chosen", "missing_feature", "chosen"]
    assert column(decided, "component") == ["a", None, "a"]


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_declared_value_stands_in_for_a_missing_feature(bind, value):
    batch = pa.record_batch({"age": pa.array([1.0, value, 3.0], pa.float64())})
    slot = SlotPolicy.build(
        components=["a"], features=[Feature(name="age", expression="age", missing=7.0)], weights=[[2.0]]
    )
    decided = bind(slot, batch, ["a"]).decide(batch, keys=keys(3), seed=1)
    assert column(decided, "score") == [2.0, 14.0, 6.0]


def test_a_feature_that_fails_in_a_row_is_missing_there(bind):
    batch = pa.record_batch({"orders": [4, 4], "visits": [2, 0]})
    slot = SlotPolicy.build(components=["a"], features={"rate": "orders / visits"}, weights=[[1.0]])
    decided = bind(slot, batch, ["a"]).decide(batch, keys=keys(2), seed=1)
    assert column(decided, "reason") == ["chosen", "missing_feature"]


@pytest.mark.parametrize(
    "kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
)
def test_features_of_every_number_type_read_the_same_with_nulls_and_offsets(bind, kind):
    values = pa.array([5, None, 7, 1, None] * 40).cast(kind)
    batch = pa.RecordBatch.from_arrays([values], ["age"]).slice(3, 150)
    slot = SlotPolicy.build(
        components=["a"], features=[Feature(name="age", expression="age", missing=-1.0)], weights=[[1.0]]
    )
    decided = bind(slot, batch, ["a"]).decide(batch, keys=keys(150), seed=1)
    expected = [-1.0 if v is None else float(v) for v in batch["age"].to_pylist()]
    assert column(decided, "score") == expected


def test_scores_beyond_float32_still_compare(bind):
    batch = pa.record_batch({"age": [3e38, 3e38], "spend": [3e38, -3e38]})
    slot = SlotPolicy.build(
        components=["plus", "minus"],
        features={"age": "age", "spend": "spend"},
        weights=[[10.0, 10.0], [-10.0, -10.0]],
    )
    decided = bind(slot, batch, ["plus", "minus"]).decide(batch, keys=keys(2), seed=1)
    # Once a sum is infinite it stays so: 3e39 - 3e39, in this order, is the largest float32.
    assert column(decided, "component") == ["plus", "plus"]
    assert column(decided, "score") == [float(np.finfo(np.float32).max)] * 2


def test_a_logistic_score_is_its_logit_or_its_probability(bind):
    batch = pa.record_batch({"age": np.linspace(-30, 30, 100)})
    logit = {"components": ["a"], "features": {"age": "age"}, "weights": [[1.0]], "kind": "logistic"}
    logits = bind(SlotPolicy.build(**logit), batch, ["a"]).decide(batch, keys=keys(100), seed=1)
    odds = bind(SlotPolicy.build(**logit, score="probability"), batch, ["a"]).decide(
        batch, keys=keys(100), seed=1
    )
    z = np.array(column(logits, "score"))
    assert np.array(column(odds, "score")) == pytest.approx(1 / (1 + np.exp(-z)), rel=1e-7)


def test_a_customer_without_a_key_gets_nothing_and_is_not_lost(bind):
    batch = pa.record_batch({"age": [1, 2, 3]})
    decided = bind(SlotPolicy(), batch, ["a", "b"]).decide(batch, keys=pa.array(["x", None, "z"]), seed=1)
    assert column(decided, "reason") == ["chosen", "missing_key", "chosen"]
    assert column(decided, "component") == ["a", None, "a"]


def test_an_empty_batch_gives_an_empty_batch(bind):
    batch = customers(0)
    decided = bind(SlotPolicy(), batch, ["a"]).decide(batch, keys=pa.array([], pa.int64()), seed=1)
    assert decided.num_rows == 0


def test_every_slot_gets_its_own_column(bind):
    batch = customers(5)
    from labfactory.selection import DECISION

    policy = SelectionPolicy.build("1", hero=SlotPolicy(), footer=SlotPolicy(components=("b",)))

    class Block:
        def __init__(self, name):
            self.name, self.eligible = name, None

    selector = policy.bind({"footer": [Block("a"), Block("b")], "hero": [Block("c")]}, batch.schema)
    decided = selector.decide(batch, keys=keys(5), seed=1)
    assert decided.schema.names == ["hero", "footer"]
    assert decided.column("footer").field("component").to_pylist() == ["b"] * 5
    assert [field.type for field in decided.schema] == [DECISION, DECISION]
    assert selector.slots == {"hero": ("c",), "footer": ("a", "b")}


def test_the_columns_that_are_read_are_named(bind):
    batch = customers()
    slot = SlotPolicy.build(
        components=["a"], features={"x": "age + score"}, weights=[[1.0]], eligible=["opted_in"]
    )
    assert bind(slot, batch, ["a"]).columns == ("age", "opted_in", "score")


def test_decisions_of_a_mismatched_call_are_refused(bind):
    batch = customers(5)
    selector = bind(SlotPolicy.build(eligible=["opted_in"]), batch, ["a"])
    with pytest.raises(SelectionError, match="a key for each of 5 rows, found 4") as raised:
        selector.decide(batch, keys=keys(4), seed=1)
    assert raised.value.code == "decision_input"
    for seed in (-1, 2**64):
        with pytest.raises(SelectionError, match="seed from 0") as raised:
            selector.decide(batch, keys=keys(5), seed=seed)
        assert raised.value.code == "decision_input"
    with pytest.raises(SourceError, match="missing column 'opted_in'") as missing:
        selector.decide(batch.select(["age"]), keys=keys(5), seed=1)
    assert missing.value.code == "missing_column"


def test_exploring_policies_still_give_nothing_where_nothing_is_eligible(bind):
    batch = pa.record_batch({"age": [1, 2]})
    slot = SlotPolicy.build(eligible=["age > 1"], exploration=Exploration(mode="uniform"))
    decided = bind(slot, batch, ["a", "b"]).decide(batch, keys=keys(2), seed=1)
    assert column(decided, "reason")[0] == "no_candidate"
    assert column(decided, "propensity") == [None, 0.5]
