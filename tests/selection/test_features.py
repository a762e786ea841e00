"""Categories become numbers: one column for each, or by hash; unknown ones are missing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from labfactory._core import base
from labfactory.base.errors import SelectionError
from labfactory.selection import Feature, LinearModel, SelectionPolicy, SlotPolicy

COUNTRIES = ["DE", "FR", None, "XX", "DE"]


def scores(bind, feature: Feature, weights: list[float], column: pa.Array) -> list[float | None]:
    batch = pa.record_batch({"country": column})
    slot = SlotPolicy.build(components=["a"], features=[feature], weights=[weights], bias=[10.0])
    keys = pa.array(np.arange(len(column)))
    return bind(slot, batch, ["a"]).decide(batch, keys=keys, seed=1).column("hero").field("score").to_pylist()


ONE_HOT = {"name": "land", "expression": "country", "encoding": "one_hot", "categories": ("DE", "FR", "US")}


@pytest.mark.parametrize("missing", ["error", 0.0])
def test_a_category_adds_its_weight_and_an_unknown_one_is_missing(bind, missing):
    feature = Feature(**ONE_HOT, missing=missing)
    found = scores(bind, feature, [1.0, 2.0, 4.0], pa.array(COUNTRIES))
    unknown = None if missing == "error" else 10.0
    assert found == [11.0, 12.0, unknown, unknown, 11.0]
    entries = pa.array(COUNTRIES).dictionary_encode()
    assert scores(bind, feature, [1.0, 2.0, 4.0], entries) == found


def test_numbers_and_booleans_are_categories_too(bind):
    numbers = Feature(name="n", expression="country", encoding="one_hot", categories=("7", "8"), missing=0.0)
    assert scores(bind, numbers, [1.0, 2.0], pa.array([7, 8, 9])) == [11.0, 12.0, 10.0]
    flags = Feature(name="n", expression="country", encoding="one_hot", categories=("True", "False"))
    assert scores(bind, flags, [1.0, 2.0], pa.array([True, False])) == [11.0, 12.0]


def test_a_hashed_category_has_the_weight_of_its_bucket(bind):
    feature = Feature(name="land", expression="country", encoding="hashed", buckets=5, missing=0.0)
    weights = [1.0, 2.0, 3.0, 4.0, 5.0]
    words = ["DE", "FR", None, "Île de la Réunion", "DE"]
    hashes = np.asarray(pa.array(base.hash_keys(pa.array(words))).fill_null(0)) % 5
    expected = [
        10.0 if word is None else 10.0 + weights[hash_] for word, hash_ in zip(words, hashes, strict=True)
    ]
    assert scores(bind, feature, weights, pa.array(words)) == expected


def test_a_term_for_missing_values_is_a_feature_beside_it(bind):
    batch = pa.record_batch({"age": pa.array([30.0, None])})
    slot = SlotPolicy.build(
        components=["a"],
        features=[
            Feature(name="age", expression="age", missing=0.0),
            Feature(name="no_age", expression="age is none"),
        ],
        weights=[[0.1, 7.0]],
    )
    decided = bind(slot, batch, ["a"]).decide(batch, keys=pa.array([1, 2]), seed=1).column("hero")
    assert decided.field("score").to_pylist() == pytest.approx([3.0, 7.0])


def test_weights_in_the_file_are_named_by_category():
    text = """
version = "1"
[slots.hero]
components = ["a"]
[[slots.hero.features]]
name = "land"
expression = "country"
encoding = "one_hot"
categories = ["DE", "FR"]
[slots.hero.model]
kind = "linear"
[slots.hero.model.components.a]
weights = { "land=DE" = 1.0, "land=FR" = 2.0 }
"""
    policy = SelectionPolicy.from_files({"selection.toml": text.encode()})
    assert policy.slots["hero"].model.weights.tolist() == [[1.0, 2.0]]
    assert SelectionPolicy.from_files(policy.files()) == policy
    with pytest.raises(SelectionError, match="for 'land=FR', found none"):
        SelectionPolicy.from_files({"selection.toml": text.replace("land=FR", "land=US").encode()})


def test_shared_weights_are_added_to_those_of_every_component():
    model = LinearModel.of_arrays([[1.0, 2.0], [0.0, 0.0]], [0.0, 1.0], shared=[0.5, -0.5])
    assert model.weights.tolist() == [[1.5, 1.5], [0.5, -0.5]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"encoding": "two_hot"},
        {"encoding": "one_hot"},
        {"encoding": "hashed"},
        {"encoding": "hashed", "buckets": -1},
        {"categories": ("a",)},
        {"buckets": 3},
        {"encoding": "one_hot", "categories": ("a", "a")},
    ],
)
def test_encodings_that_do_not_fit_are_refused(wrong):
    with pytest.raises(SelectionError) as raised:
        Feature(name="a", expression="a", **wrong)
    assert raised.value.code == "feature_encoding"


def test_a_category_of_decimals_is_refused(bind):
    feature = Feature(name="n", expression="country", encoding="hashed", buckets=2)
    with pytest.raises(SelectionError, match="expected text, integers or booleans") as raised:
        scores(bind, feature, [1.0, 2.0], pa.array([1.5]))
    assert raised.value.code == "feature_type"
