"""A customer's bucket and arm; xxhash's own library and scipy are the oracles."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labfactory.assignment import assign_arms, buckets
from labfactory.base.errors import SourceError, UsageError


def expected_bucket(key: str, experiment: str, seed: int) -> float:
    salt = xxhash.xxh64_intdigest(experiment.encode(), seed)
    inner = xxhash.xxh64_intdigest(key.encode()).to_bytes(8, "little")
    return (xxhash.xxh64_intdigest(inner, salt) >> 11) / 2**53


@given(st.lists(st.text(st.characters(codec="utf-8"))), st.text(max_size=20), st.integers(0, 2**64 - 1))
def test_bucket_is_the_published_formula(keys: list[str], experiment: str, seed: int) -> None:
    made = buckets(pa.array(keys, pa.string()), experiment=experiment, seed=seed).to_pylist()
    assert made == [expected_bucket(key, experiment, seed) for key in keys]


def test_buckets_never_change() -> None:
    """Frozen: another value here would move every customer of a running experiment to another arm."""
    made = buckets(pa.array(["7", "Ann", "名前"]), experiment="welcome-tone", seed=7).to_pylist()
    assert made == [0.0008166903737657494, 0.4973867448863182, 0.19951912592158771]


@pytest.mark.parametrize(
    "layout", [pa.int8(), pa.int64(), pa.uint32(), pa.string(), pa.string_view()], ids=str
)
def test_a_key_falls_alike_whatever_its_type(layout: pa.DataType) -> None:
    keys = pa.array([3, 7, None, 120]).cast(pa.string() if layout == pa.string_view() else layout)
    made = buckets(keys.cast(layout), experiment="x", seed=1)
    assert made.equals(buckets(pa.array(["3", "7", None, "120"]), experiment="x", seed=1))
    assert made.equals(buckets(keys.cast(layout).dictionary_encode(), experiment="x", seed=1))
    assert made.slice(1, 2).equals(buckets(keys.cast(layout).slice(1, 2), experiment="x", seed=1))


def test_buckets_are_uniform() -> None:
    made = buckets(pa.array(np.arange(200_000)), experiment="uniform", seed=3).to_numpy()
    assert (made >= 0).all()
    assert (made < 1).all()
    assert stats.kstest(made, "uniform").pvalue > 0.001


@pytest.mark.parametrize(("other", "seed"), [("tone-2", 3), ("tone", 4)])
def test_other_experiments_and_seeds_assign_independently(other: str, seed: int) -> None:
    keys = pa.array(np.arange(100_000))
    first = np.floor(buckets(keys, experiment="tone", seed=3).to_numpy() * 4)
    second = np.floor(buckets(keys, experiment=other, seed=seed).to_numpy() * 4)
    table = np.histogram2d(first, second, bins=4)[0]
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_arms_follow_unequal_weights_and_skip_weight_zero() -> None:
    arms = assign_arms(
        pa.array(np.arange(100_000)), experiment="w", seed=1, weights=[0.1, 0.0, 0.65, 0.25]
    ).to_numpy()
    counts = np.bincount(arms, minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], [10_000, 65_000, 25_000]).pvalue > 0.001


def test_a_null_key_has_no_arm() -> None:
    assert assign_arms(pa.array([None, 1]), experiment="w", seed=1, weights=[1.0]).to_pylist() == [None, 0]


def test_more_weight_for_the_last_arms_moves_nobody_between_the_others() -> None:
    keys = pa.array(np.arange(20_000))
    before = assign_arms(keys, experiment="w", seed=1, weights=[0.5, 0.5, 0.0]).to_numpy()
    after = assign_arms(keys, experiment="w", seed=1, weights=[0.5, 0.3, 0.2]).to_numpy()
    moved = before != after
    assert set(before[moved]) == {1}
    assert set(after[moved]) == {2}


@pytest.mark.parametrize("weights", [[], [0.5, 0.4], [1.5, -0.5], [float("nan"), 1.0]])
def test_weights_that_are_no_shares_are_refused(weights: list[float]) -> None:
    with pytest.raises(UsageError, match="expected weights") as caught:
        assign_arms(pa.array([1]), experiment="w", seed=1, weights=weights)
    assert caught.value.code == "weights"


def test_keys_without_a_text_are_refused() -> None:
    with pytest.raises(SourceError) as caught:
        buckets(pa.array([0.5]), experiment="w", seed=1)
    assert caught.value.code == "key_type"
