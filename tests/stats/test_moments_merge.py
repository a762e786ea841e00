"""Moments of parts merge to the moments of the whole; numpy is the oracle."""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import stats
from labfactory.base.errors import SourceError, StatisticsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

numbers = st.floats(min_value=-1e9, max_value=1e9, allow_subnormal=False)


def summed(values: Sequence[float]) -> stats.Moments:
    return stats.moments_of(pa.array(values, pa.float64()))


def assert_close(moments: stats.Moments, values: Sequence[float]) -> None:
    """Within a rounding error of the largest value, as numpy's own two-pass figures are."""
    scale = max(map(abs, values), default=0.0)
    assert moments.count == len(values)
    if values:
        assert moments.mean == pytest.approx(np.mean(values), rel=1e-13, abs=1e-13 * scale)
        squares = np.var(values) * len(values)
        assert moments.squares == pytest.approx(squares, rel=1e-11, abs=1e-22 * scale**2 * len(values))


@given(st.lists(numbers, max_size=40), st.lists(numbers, max_size=40))
def test_merged_parts_are_the_whole(left: list[float], right: list[float]) -> None:
    assert_close(stats.merged(summed(left), summed(right)), left + right)


@given(st.lists(numbers, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_order_changes_rounding_only(values: list[float], random: Any) -> None:
    shuffled = random.sample(values, len(values))
    assert_close(summed(shuffled), values)


@given(st.lists(st.lists(numbers, max_size=12), max_size=8))
def test_any_tree_of_merges_agrees(parts: list[list[float]]) -> None:
    forwards = backwards = summed([])
    for part in parts:
        forwards = stats.merged(forwards, summed(part))
    for part in reversed(parts):
        backwards = stats.merged(summed(part), backwards)
    whole = [value for part in parts for value in part]
    assert_close(forwards, whole)
    assert_close(backwards, whole)


def test_a_large_mean_takes_nothing_from_a_small_variance() -> None:
    values = np.random.default_rng(7).normal(0.0, 1.0, 300_000).round(6)
    near, far = summed(values), summed(values + 1e8)
    # Adding 1e8 rounds each value to 1.5e-8; the moments must be those of the rounded values.
    assert far.squares == pytest.approx(summed((values + 1e8) - 1e8).squares, rel=1e-13)
    assert far.squares == pytest.approx(near.squares, rel=1e-7)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([True, False, None, True]),
        pa.array([1, 0, None, 1], pa.int8()),
        pa.array([1, 0, None, 1], pa.uint64()),
        pa.array([1, 0, None, 1], pa.float32()),
        pa.array([1, 0, None, 1]).dictionary_encode(),
        pa.array([decimal.Decimal("1.00"), decimal.Decimal("0.00"), None, decimal.Decimal("1.00")]),
        pa.array([9, 1, 0, None, 1, 9], pa.int64()).slice(1, 4),
        pa.array([None] * 9 + [1.0, 0.0, None, 1.0]).slice(9),
    ],
    ids=lambda values: str(values.type),
)
def test_every_number_type_is_read_alike(values: pa.Array) -> None:
    moments = stats.moments_of(values)
    assert (moments.count, moments.mean) == (3, pytest.approx(2 / 3, rel=1e-15))


def test_unsigned_integers_and_decimals_keep_their_size() -> None:
    assert stats.moments_of(pa.array([2**64 - 2], pa.uint64())).mean == 2.0**64
    decimals = pa.array([decimal.Decimal("-12345678901234567890.25")])
    assert stats.moments_of(decimals).mean == -12345678901234567890.25


def test_text_is_no_outcome() -> None:
    with pytest.raises(SourceError, match="expected booleans or numbers") as caught:
        stats.moments_of(pa.array(["1"]))
    assert caught.value.code == "column_type"


def test_an_unknown_variant_is_named_with_its_row() -> None:
    summary = stats.ArmSummary(["a", "b"], ["number"])
    summary.add(pa.record_batch({"variant": ["a", None], "x": [1.0, 2.0]}), 1)
    with pytest.raises(StatisticsError, match=r"found 'c' in row 3") as caught:
        summary.add(pa.record_batch({"variant": ["b", "c"], "x": [1.0, 2.0]}), 1)
    assert caught.value.code == "unknown_variant"


def test_a_batch_of_another_shape_is_refused() -> None:
    with pytest.raises(UsageError, match="found 'text'"):
        stats.ArmSummary(["a"], ["text"])
    summary = stats.ArmSummary(["a"], ["number"])
    with pytest.raises(UsageError, match="and 1 outcomes, found 1 columns") as caught:
        summary.add(pa.record_batch({"variant": ["a"]}), 1)
    assert caught.value.code == "outcome_kind"
    with pytest.raises(SourceError, match="expected text in column 'variant'"):
        summary.add(pa.record_batch({"variant": [1], "x": [1.0]}), 1)


@pytest.mark.parametrize(
    "layout",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    ids=str,
)
def test_arms_are_found_in_every_text_layout(layout: pa.DataType) -> None:
    names = pa.array(["x", "control", None, "a name beyond twelve bytes", "control"])
    variant = names.dictionary_encode().cast(layout) if pa.types.is_dictionary(layout) else names.cast(layout)
    summary = stats.ArmSummary(["control", "a name beyond twelve bytes"], ["number"])
    summary.add(pa.record_batch({"variant": variant.slice(1), "x": [1, 2, 3, 4]}), 2)
    assert summary.totals().rows == [2, 1]
    assert [outcome.moments.mean for outcome in summary.totals().outcomes] == [2.5, 3.0]
