"""Aggregates of parts merge to those of the whole, travel as files, and say all that an evaluation needs."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab import (
    Aggregates,
    Bootstrap,
    Count,
    Cuped,
    Experiment,
    Hypothesis,
    Mean,
    PostStratified,
    Proportion,
    Quantile,
    Ratio,
)

if TYPE_CHECKING:
    from pathlib import Path

    from labfactory.lab import Evaluation

ESTIMATOR = Cuped("history")
EXPERIMENT = Experiment(
    "parts",
    hypothesis=Hypothesis("It helps.", 0.0),
    variants=["plain", "warm"],
    metrics={
        "spend": Mean("spend", bounds=(None, 60.0)),
        "bought": Proportion("bought"),
        "price": Ratio("spend", "orders"),
        "orders": Count("orders"),
    },
)


def rows(count: int, seed: int = 6) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "variant": random.choice(["plain", "warm"], count),
            "spend": random.gamma(2.0, 10.0, count),
            "orders": random.poisson(2.0, count) + 1,
            "bought": random.random(count) < 0.4,
            "history": random.normal(1e6, 5.0, count),
            "channel": pl.Series(random.choice(["email", "sms"], count)).set(
                pl.Series(random.random(count) < 0.05), None
            ),
            "seen": pl.Series(random.integers(0, 20 * 86_400_000_000, count)).cast(pl.Datetime("us")),
        }
    )


def summed(data: Any, **options: Any) -> Aggregates:
    return EXPERIMENT.aggregate(data, estimator=ESTIMATOR, segments=["channel"], exposed_at="seen", **options)


def evaluated(data: Any) -> Evaluation:
    return EXPERIMENT.evaluate(
        data, control="plain", estimator=ESTIMATOR, segments=["channel"], exposed_at="seen"
    )


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return rows(3_000)


def test_an_evaluation_of_aggregates_is_that_of_the_rows(frame: pl.DataFrame) -> None:
    assert evaluated(summed(frame)) == evaluated(frame)


@given(st.lists(st.integers(0, 3_000), max_size=6), st.randoms(use_true_random=False))
def test_parts_merge_in_any_order_to_the_whole(frame: pl.DataFrame, cuts: list[int], random: Any) -> None:
    bounds = [0, *sorted(cuts), 3_000]
    parts = [summed(frame[first:last]) for first, last in itertools.pairwise(bounds) if first < last]
    random.shuffle(parts)
    whole, merged = summed(frame), parts[0].merge(*parts[1:])
    assert (merged.cells, merged.started, merged.ended) == (whole.cells, whole.started, whole.ended)
    assert np.array_equal(merged.counts, whole.counts)
    assert merged.figures == pytest.approx(whole.figures, rel=1e-9, abs=1e-6)
    for row, other in zip(evaluated(merged).rows, evaluated(whole).rows, strict=True):
        assert (row.difference, row.lower, row.p) == pytest.approx(
            (other.difference, other.lower, other.p), rel=1e-8, abs=1e-10
        )


def test_the_same_merge_gives_the_same_bits(frame: pl.DataFrame) -> None:
    parts = [summed(frame[first : first + 500]) for first in range(0, 3_000, 500)]
    assert parts[0].merge(*parts[1:]) == parts[0].merge(*parts[1:])


def test_files_hold_every_bit(frame: pl.DataFrame, tmp_path: Path) -> None:
    # An outcome that is null in all rows of a cell has no range.
    sparse = frame.with_columns(spend=pl.when(pl.col("channel") == "sms").then(None).otherwise("spend"))
    for aggregates in (summed(frame), summed(sparse)):
        assert Aggregates.from_json(aggregates.to_json()) == aggregates
        aggregates.write_parquet(tmp_path / "sums.parquet")
        assert Aggregates.read_parquet(tmp_path / "sums.parquet") == aggregates


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"{",
        lambda data: b"[]",
        lambda data: data.replace(b"aggregates/1", b"aggregates/9"),
        lambda data: data.replace(b'"dimensions":["channel",', b'"dimensions":['),
        lambda data: data.replace(b'"variants":["plain","warm"]', b'"variants":["plain"]'),
    ],
)
def test_what_aggregates_did_not_write_is_refused(frame: pl.DataFrame, spoil: Any) -> None:
    with pytest.raises(StatisticsError) as caught:
        Aggregates.from_json(spoil(summed(frame).to_json()))
    assert caught.value.code == "aggregates_malformed"


def test_a_parquet_file_of_other_things_is_refused(frame: pl.DataFrame, tmp_path: Path) -> None:
    frame.write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(StatisticsError) as caught:
        Aggregates.read_parquet(tmp_path / "rows.parquet")
    assert caught.value.code == "aggregates_malformed"


def test_sums_of_something_else_are_not_merged_or_evaluated(frame: pl.DataFrame) -> None:
    plain = EXPERIMENT.aggregate(frame)
    for run in (
        lambda: summed(frame).merge(plain),
        lambda: evaluated(plain),
        lambda: EXPERIMENT.evaluate(
            EXPERIMENT.aggregate(frame, estimator=ESTIMATOR),
            control="plain",
            estimator=PostStratified("channel"),
        ),
    ):
        with pytest.raises(StatisticsError) as caught:
            run()
        assert caught.value.code == "aggregates_differ"


def test_what_needs_rows_says_so(frame: pl.DataFrame) -> None:
    experiment = Experiment(
        "rows",
        hypothesis=Hypothesis("It helps.", 0.0),
        variants=["plain", "warm"],
        metrics={"spend": Quantile("spend", 0.5)},
    )
    for run in (
        lambda: experiment.aggregate(frame),
        lambda: EXPERIMENT.aggregate(frame, estimator=Bootstrap()),
        lambda: EXPERIMENT.evaluate(EXPERIMENT.aggregate(frame), control="plain", estimator=Bootstrap()),
    ):
        with pytest.raises(UsageError) as caught:
            run()
        assert caught.value.code == "needs_rows"


def test_sums_are_split_as_polars_groups(frame: pl.DataFrame) -> None:
    aggregates = summed(frame).by("channel")
    expected = {
        (variant, channel): (count, mean)
        for variant, channel, count, mean in frame.group_by("variant", "channel")
        .agg(pl.len(), pl.col("orders").mean())
        .rows()
    }
    assert len(aggregates.cells) == len(expected) == 6
    for channel in (None, "email", "sms"):
        part = aggregates.only("channel", [channel])
        for variant in ("plain", "warm"):
            moments = part.moments("orders", variant)
            assert (moments.count, moments.means[0]) == pytest.approx(expected[variant, channel])


@pytest.mark.parametrize("kind", [pl.Int64, pl.Boolean, pl.Categorical, pl.Date], ids=str)
def test_segments_may_be_of_any_type(frame: pl.DataFrame, kind: Any) -> None:
    numbered = frame.with_columns(segment=(pl.col("orders") > 2).cast(pl.Int32))
    text = numbered["segment"].cast(pl.String)
    cast = text.cast(kind) if kind == pl.Categorical else numbered["segment"].cast(kind)
    aggregates = EXPERIMENT.aggregate(numbered.with_columns(segment=cast), segments=["segment"])
    assert len(aggregates.values("segment")) == 2


def test_too_many_segments_are_refused() -> None:
    data = rows(100_100).with_columns(unit=pl.int_range(pl.len()))
    with pytest.raises(StatisticsError) as caught:
        EXPERIMENT.aggregate(data, segments=["unit"])
    assert caught.value.code == "too_many_segments"


def test_the_period_is_that_of_the_exposures(frame: pl.DataFrame) -> None:
    evaluation = evaluated(frame)
    first, last = frame["seen"].min(), frame["seen"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    assert evaluation.started == first.replace(tzinfo=UTC).isoformat()
    assert evaluation.runtime_days == (last - first).total_seconds() / 86_400
    told = EXPERIMENT.evaluate(
        frame,
        control="plain",
        started=datetime(2026, 1, 1, tzinfo=UTC),
        ended=datetime(2026, 1, 15, 12, tzinfo=UTC),
    )
    assert told.runtime_days == 14.5


def test_counts_take_whole_numbers_only() -> None:
    data = pa.table({"variant": ["plain", "warm"] * 2, "orders": [1.0, 0.5, 2.0, -1.0]})
    experiment = Experiment(
        "counts",
        hypothesis=Hypothesis("x", 0.0),
        variants=["plain", "warm"],
        metrics={"orders": Count("orders")},
    )
    with pytest.raises(StatisticsError, match="counts of 0 or more in 'orders', found 2") as caught:
        experiment.evaluate(data, control="plain")
    assert caught.value.code == "invalid_outcome"


def test_sums_of_other_bounds_or_windows_are_refused() -> None:
    def make(metric: Mean) -> Experiment:
        return Experiment(
            "x", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"m": metric}
        )

    data = pl.DataFrame({"variant": ["a", "b"] * 20, "m": [float(x) for x in range(40)]})
    plain, capped = make(Mean("m")).aggregate(data), make(Mean("m", bounds=(0, 9))).aggregate(data)
    at_percentiles = Mean("m", percentiles=(None, 0.9))
    for sums, metric in (
        (plain, Mean("m", bounds=(0, 9))),
        (capped, Mean("m")),
        (capped, Mean("m", bounds=(0, 8))),
    ):
        with pytest.raises(StatisticsError) as caught:
            make(metric).evaluate(sums, control="a")
        assert caught.value.code == "aggregates_differ"
    assert make(Mean("m", bounds=(0, 9))).evaluate(capped, control="a").units == {"a": 20, "b": 20}
    found = make(at_percentiles).evaluate(make(at_percentiles).aggregate(data), control="a")
    assert found.rows == make(at_percentiles).evaluate(data, control="a").rows
