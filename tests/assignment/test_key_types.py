"""Keys of every type: the same customer has the same text, whatever carried it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from labfactory import Experiment, Hypothesis, Mean, SourceError
from labfactory.assignment import GrowthBook, LaunchDarkly, Native, key_texts

EXPERIMENT = Experiment(
    "tone", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"m": Mean("m")}
)

# ECMA-262, Number::toString, as a JavaScript engine writes them.
JAVASCRIPT = [
    (0.0, "0"),
    (-0.0, "0"),
    (7.0, "7"),
    (-7.5, "-7.5"),
    (0.1, "0.1"),
    (1 / 3, "0.3333333333333333"),
    (123456789012345680.0, "123456789012345680"),
    (2.0**53, "9007199254740992"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (1.5e300, "1.5e+300"),
    (0.000001, "0.000001"),
    (1e-7, "1e-7"),
    (1.25e-9, "1.25e-9"),
    (5e-324, "5e-324"),
]


@pytest.mark.parametrize(("number", "text"), JAVASCRIPT)
def test_a_float_is_what_javascript_writes(number: float, text: str) -> None:
    alone, beside = key_texts(pa.array([number])), key_texts(pa.array([number, 0.5]))
    assert str(alone[0].as_py()) == str(beside[0].as_py()) == text
    assert Native("x").buckets(pa.array([number])) == Native("x").buckets(pa.array([text]))


def test_whole_floats_are_the_integers_that_they_equal() -> None:
    """A column of ids that has a gap comes out of pandas as floats."""
    ids = np.arange(1, 5000)
    for column in (pa.array(ids.astype(np.float64)), pa.array(ids.astype(np.float32))):
        assert Native("x").buckets(column) == Native("x").buckets(pa.array(ids))
    assert GrowthBook("x").buckets(pa.array([7.0, 0.5])) == GrowthBook("x").buckets(pa.array(["7", "0.5"]))


def test_what_is_not_finite_is_no_key() -> None:
    keys = pa.array([1.0, float("nan"), float("inf"), float("-inf"), None])
    assert Native("x").arms(keys, weights=[1.0]).to_pylist() == [0, None, None, None, None]
    with pytest.raises(SourceError, match="found null in row 1 of 'id'") as caught:
        EXPERIMENT.assign(pa.table({"id": keys}), key="id", seed=1)
    assert caught.value.code == "null_key"


def test_booleans_and_times_have_a_text() -> None:
    assert key_texts(pa.array([True, False, None])).to_pylist() == ["true", "false", None]
    times = pa.array([dt.time(4, 5, 6), None])
    assert key_texts(times).to_pylist() == ["04:05:06.000000", None]
    assert key_texts(times.cast(pa.time64("us"))) == key_texts(times)
    assert key_texts(pa.array([True, False]).dictionary_encode()).to_pylist() == ["true", "false"]


def test_launchdarkly_buckets_by_text_and_whole_numbers_alone() -> None:
    """Its SDKs turn 33333.0 into 33333, and bucket by nothing else."""
    flag = LaunchDarkly("hashKey", salt="saltyA")
    assert flag.buckets(pa.array([33333.0])) == flag.buckets(pa.array([33333]))
    assert flag.buckets(pa.array([33333.0, 0.5, None])).is_valid().to_pylist() == [True, False, False]
    assert flag.buckets(pa.array([True, False])).null_count == 2


def test_an_evaluation_finds_repeated_keys_of_every_type() -> None:
    day = dt.date(2026, 2, 3)
    for keys in ([0.5, 0.5, 1.0, 2.0], [True, True, False, None], [day, day, dt.date(2026, 2, 4), None]):
        data = pl.DataFrame({"variant": ["a", "b"] * 2, "m": [1, 2, 3, 4], "id": keys})
        flags = {flag.code: flag.count for flag in EXPERIMENT.evaluate(data, control="a", key="id").flags}
        assert flags["duplicate_key"] == flags["multiple_exposure"] == 1


@pytest.mark.parametrize("keys", [["a"], "a", pl.Series(["a"]), np.array(["a"]), None])
def test_keys_that_are_no_array_of_arrows_are_refused_by_name(keys: object) -> None:
    for read in (
        key_texts,
        Native("e").buckets,
        GrowthBook("s").buckets,
        LaunchDarkly("f", salt="s").buckets,
    ):
        with pytest.raises(SourceError, match=r"keys as a pyarrow\.Array") as caught:
            read(keys)  # type: ignore[arg-type]
        assert caught.value.code == "key_type"
