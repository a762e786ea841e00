"""Sums of parts merge to the sums of the whole; numpy is the oracle."""

from __future__ import annotations

import decimal
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import stats
from labfactory.base.errors import SourceError, StatisticsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBER = ("finite", -math.inf, math.inf)
numbers = st.floats(min_value=-1e9, max_value=1e9, allow_subnormal=False)


class Sums(NamedTuple):
    counts: np.ndarray
    figures: np.ndarray

    @property
    def count(self) -> int:
        return int(self.counts[0, 1])

    @property
    def mean(self) -> float:
        return float(self.figures[0, 0])

    @property
    def squares(self) -> float:
        return float(self.figures[0, 2])


def summed(values: Any) -> Sums:
    array = values if isinstance(values, pa.Array) else pa.array(values, pa.float64())
    summary = stats.CellSummary(["a"], [NUMBER], [([0], 1)], grouped=False)
    variants = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(array), np.int32)), pa.array(["a"]))
    summary.add(pa.record_batch({"variant": variants, "x": array}), 1)
    _, counts, figures = summary.totals()
    if len(counts) == 0:
        return Sums(np.zeros((1, 4), np.int64), np.array([[0.0, 0.0, 0.0, np.inf, -np.inf]]))
    return Sums(counts, figures)


def merged(*parts: Sums) -> Sums:
    counts = np.concatenate([part.counts for part in parts])
    figures = np.concatenate([part.figures for part in parts])
    target = np.zeros(len(parts), np.int32)
    _, counts, figures = stats.collapse([NUMBER], [([0], 1)], target, 1, counts, figures)
    return Sums(counts, figures)


def assert_close(sums: Sums, values: Sequence[float]) -> None:
    """Within a rounding error of the largest value, as numpy's own two-pass figures are."""
    scale = max(map(abs, values), default=0.0)
    assert sums.count == len(values)
    if values:
        assert sums.mean == pytest.approx(np.mean(values), rel=1e-13, abs=1e-13 * scale)
        squares = np.var(values) * len(values)
        assert sums.squares == pytest.approx(squares, rel=1e-11, abs=1e-22 * scale**2 * len(values))
        assert (sums.figures[0, 3], sums.figures[0, 4]) == pytest.approx(
            (min(values), max(values)), rel=1e-12, abs=1e-15 * scale
        )


@given(st.lists(numbers, max_size=40), st.lists(numbers, max_size=40))
def test_merged_parts_are_the_whole(left: list[float], right: list[float]) -> None:
    assert_close(merged(summed(left), summed(right)), left + right)


@given(st.lists(numbers, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_order_changes_rounding_only(values: list[float], random: Any) -> None:
    shuffled = random.sample(values, len(values))
    assert_close(summed(shuffled), values)


@given(st.lists(st.lists(numbers, max_size=12), min_size=1, max_size=8))
def test_any_tree_of_merges_agrees(parts: list[list[float]]) -> None:
    one_by_one = summed([])
    for part in reversed(parts):
        one_by_one = merged(summed(part), one_by_one)
    whole = [value for part in parts for value in part]
    assert_close(merged(*map(summed, parts)), whole)
    assert_close(one_by_one, whole)


@given(st.integers(2, 4_000), st.integers(0, 2**32 - 1), st.integers(1, 9), st.floats(0, 0.5))
def test_co_moments_are_numpys_by_cell_and_over_complete_rows(
    rows: int, seed: int, arms: int, nulls: float
) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(5.0, 2.0, (3, rows))
    codes = random.integers(0, arms, rows).astype(np.int32)
    names = [f"arm {i}" for i in range(arms)]
    missing = random.random((3, rows)) < nulls
    table = pa.table(
        {
            "variant": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names)),
            **{f"x{i}": pa.array(values[i], mask=missing[i]) for i in range(3)},
        }
    )
    # A ratio of the first two with the third as a covariate, and the second alone.
    summary = stats.CellSummary(names, [NUMBER] * 3, [([0, 1, 2], 2), ([1], 1)], grouped=False)
    for batch in table.to_batches(max_chunksize=1000):
        summary.add(batch, 2)
    cells, counts, figures = summary.totals()
    assert cells.tolist() == sorted(set(codes.tolist()))
    for cell, count, figure in zip(cells, counts, figures, strict=True):
        mine = codes == cell
        complete = mine & ~missing[0] & ~missing[1]
        assert count[:3].tolist() == [mine.sum(), complete.sum(), (mine & ~missing[1]).sum()]
        assert count[3:6].tolist() == (missing & mine).sum(axis=1).tolist()
        if complete.sum() < 2:
            continue
        kept = values[:, complete].copy()
        kept[2, missing[2, complete]] = 0.0
        assert figure[:3] == pytest.approx(kept.mean(axis=1), rel=1e-12)
        expected = np.cov(kept, ddof=0) * complete.sum()
        assert figure[6:12] == pytest.approx(expected[np.triu_indices(3)], rel=1e-10, abs=1e-9)


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
    moments = summed(values)
    assert (moments.count, moments.mean) == (3, pytest.approx(2 / 3, rel=1e-15))


def test_unsigned_integers_and_decimals_keep_their_size() -> None:
    assert summed(pa.array([2**64 - 2], pa.uint64())).mean == 2.0**64
    decimals = pa.array([decimal.Decimal("-12345678901234567890.25")])
    assert summed(decimals).mean == -12345678901234567890.25


def test_text_is_no_outcome() -> None:
    with pytest.raises(SourceError, match="expected booleans or numbers") as caught:
        summed(pa.array(["1"]))
    assert caught.value.code == "column_type"


def test_an_unknown_variant_is_named_with_its_row() -> None:
    summary = stats.CellSummary(["a", "b"], [NUMBER], [([0], 1)], grouped=False)
    summary.add(pa.record_batch({"variant": ["a", None], "x": [1.0, 2.0]}), 1)
    with pytest.raises(StatisticsError, match=r"found 'c' in row 3") as caught:
        summary.add(pa.record_batch({"variant": ["b", "c"], "x": [1.0, 2.0]}), 1)
    assert caught.value.code == "unknown_variant"


def test_a_batch_or_layout_of_another_shape_is_refused() -> None:
    def refused(run: Any, match: str) -> None:
        with pytest.raises(UsageError, match=match) as caught:
            run()
        assert caught.value.code == "moment_layout"

    refused(lambda: stats.CellSummary(["a"], [("text", 0, 1)], [], grouped=False), "found 'text'")
    refused(lambda: stats.CellSummary(["a"], [NUMBER], [([1], 1)], grouped=False), "sets of the 1 columns")
    refused(lambda: stats.CellSummary(["a"], [NUMBER], [([0], 2)], grouped=False), "2 of them required")
    summary = stats.CellSummary(["a"], [NUMBER], [([0], 1)], grouped=False)
    refused(lambda: summary.add(pa.record_batch({"variant": ["a"]}), 1), "and 1 of numbers, found 1")
    grouped = stats.CellSummary(["a"], [NUMBER], [([0], 1)], grouped=True)
    batch = pa.record_batch({"variant": ["a"], "group": pa.array([-1], pa.int32()), "x": [1.0]})
    refused(lambda: grouped.add(batch, 1), "groups from 0 to 1048575, found -1")
    one = np.zeros(1, np.int32)
    refused(
        lambda: stats.collapse([NUMBER], [([0], 1)], one, 1, np.zeros((1, 3), np.int64), np.zeros((1, 5))),
        "4 counts and 5 figures for each of 1 rows, found 3 and 5",
    )
    with pytest.raises(SourceError, match="expected text in column 'variant'"):
        summary.add(pa.record_batch({"variant": [1], "x": [1.0]}), 1)


@pytest.mark.parametrize(
    "layout",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    ids=str,
)
def test_arms_are_found_in_every_text_layout(layout: pa.DataType) -> None:
    names = pa.array(["x", "control", None, "a name beyond twelve bytes", "control"])
    is_encoded = pa.types.is_dictionary(layout)
    variant = names.dictionary_encode().cast(layout) if is_encoded else pa.array(names.to_pylist(), layout)
    arms = ["control", "a name beyond twelve bytes"]
    summary = stats.CellSummary(arms, [NUMBER], [([0], 1)], grouped=False)
    summary.add(pa.record_batch({"variant": variant.slice(1), "x": [1, 2, 3, 4]}), 2)
    _, counts, figures = summary.totals()
    assert counts[:, 0].tolist() == [2, 1]
    assert figures[:, 0].tolist() == [2.5, 3.0]
