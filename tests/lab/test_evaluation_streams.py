"""The same responses give the same evaluation, in whatever form they come."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labfactory.base.errors import SourceError
from labfactory.lab import Bayes, Cuped, Evaluation, Experiment, Mean, Regression, Welch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def evaluated(experiment: Experiment, data: Any, **options: Any) -> Evaluation:
    return experiment.evaluate(data, control="plain", **options)


def test_categories_of_polars_are_arms_and_keys_are_looked_for(
    three_arms: Experiment, responses: pa.Table
) -> None:
    keyed = responses.append_column("unit", pa.array(range(responses.num_rows)))
    categories = pl.DataFrame(keyed).with_columns(pl.col("variant").cast(pl.Categorical))
    expected = evaluated(three_arms, keyed, key="unit")
    assert evaluated(three_arms, categories, key="unit").to_json() == expected.to_json()


def test_every_figure_is_what_polars_and_scipy_say(three_arms: Experiment, responses: pa.Table) -> None:
    evaluation = evaluated(three_arms, responses)
    frame = pl.DataFrame(responses).with_columns(pl.col("visit", "opted_out").cast(pl.Float64))
    assert evaluation.units == {
        name: frame.filter(pl.col("variant") == name).height for name in ("plain", "warm", "short")
    }
    for row in evaluation.rows:
        column = three_arms.metrics[row.metric].column
        control, treatment = (
            frame.filter(pl.col("variant") == name)[column].drop_nulls().to_numpy()
            for name in ("plain", row.variant)
        )
        expected = stats.ttest_ind(treatment, control, equal_var=False)
        interval = expected.confidence_interval(0.95)
        assert (row.control_n, row.treatment_n) == (len(control), len(treatment))
        assert row.control_value == pytest.approx(control.mean(), rel=1e-12)
        assert row.treatment_value == pytest.approx(treatment.mean(), rel=1e-12)
        assert row.difference == pytest.approx(treatment.mean() - control.mean(), rel=1e-11)
        assert (row.lower, row.upper) == pytest.approx((interval.low, interval.high), rel=1e-9)
        assert row.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert row.relative == pytest.approx(treatment.mean() / control.mean() - 1, rel=1e-9)


SOURCES: dict[str, Callable[[pa.Table, Path], Any]] = {
    "polars frame": lambda table, _: pl.DataFrame(table),
    "polars categorical": lambda table, _: pl.DataFrame(table).cast({"variant": pl.Categorical}),
    "lazy frame": lambda table, _: pl.DataFrame(table).lazy(),
    "reader": lambda table, _: table.to_reader(max_chunksize=777),
    "dataset": lambda table, _: ds.dataset(table),
    "large text": lambda table, _: table.set_column(1, "variant", table["variant"].cast(pa.large_string())),
    "dictionary": lambda table, _: table.set_column(1, "variant", table["variant"].dictionary_encode()),
    "parquet file": lambda table, folder: _written(table, folder),
    "wider columns": lambda table, _: table.set_column(4, "opted_out", table["opted_out"].cast(pa.float64())),
}


def _written(table: pa.Table, folder: Path) -> Path:
    path = folder / "responses.parquet"
    pq.write_table(table, path, row_group_size=5_000)
    return path


@pytest.mark.parametrize("source", SOURCES)
def test_anything_arrow_gives_the_same_bits(
    source: str, three_arms: Experiment, responses: pa.Table, tmp_path: Path
) -> None:
    expected = evaluated(three_arms, responses)
    assert evaluated(three_arms, SOURCES[source](responses, tmp_path)) == expected


@given(st.lists(st.integers(0, 20_000), max_size=9), st.integers(1, 4))
def test_splits_and_threads_change_no_bit(
    three_arms: Experiment, responses: pa.Table, cuts: list[int], threads: int
) -> None:
    bounds = [0, *sorted(cuts), responses.num_rows]
    parts = [responses.slice(first, last - first) for first, last in itertools.pairwise(bounds)]
    split = evaluated(three_arms, pa.concat_tables(parts), threads=threads)
    assert split.to_json() == evaluated(three_arms, responses, threads=1).to_json()


def test_the_order_of_rows_changes_rounding_only(three_arms: Experiment, responses: pa.Table) -> None:
    expected = evaluated(three_arms, responses)
    order = np.random.default_rng(3).permutation(responses.num_rows)
    shuffled = evaluated(three_arms, responses.take(pa.array(order)))
    assert shuffled.units == expected.units
    assert shuffled.flags == expected.flags
    for row, other in zip(expected.rows, shuffled.rows, strict=True):
        assert other.difference == pytest.approx(row.difference, rel=1e-11)
        assert (other.lower, other.upper) == pytest.approx((row.lower, row.upper), rel=1e-11)
        assert other.p == pytest.approx(row.p, rel=1e-9)


def test_a_slice_of_a_table_is_its_rows_only(three_arms: Experiment, responses: pa.Table) -> None:
    sliced = responses.slice(1_003, 9_001)
    rebuilt = sliced.take(pa.array(np.arange(9_001)))
    assert evaluated(three_arms, sliced) == evaluated(three_arms, rebuilt)


def test_columns_of_numbers_and_truths_name_arms_too(make_experiment: Callable[..., Experiment]) -> None:
    rows = {"arm": [0, 1] * 20, "orders": [1.0, 2.0, 3.0, 5.0] * 10}
    numbered = make_experiment(variants=["0", "1"]).evaluate(pl.DataFrame(rows), control="0", variant="arm")
    assert numbered.row("orders", "1").difference == 1.5
    truths = pl.DataFrame(rows).with_columns(pl.col("arm") == 1)
    named = make_experiment(variants=["false", "true"]).evaluate(truths, control="false", variant="arm")
    assert named.row("orders", "true").difference == 1.5


def test_one_column_may_serve_several_metrics(make_experiment: Callable[..., Experiment]) -> None:
    experiment = make_experiment(metrics={"a": Mean("orders"), "b": Mean("orders", role="secondary")})
    data = pl.DataFrame({"variant": ["plain", "warm"] * 4, "orders": [1, 2, 3, 5, 1, 2, 3, 5]})
    evaluation = evaluated(experiment, data)
    assert evaluation.row("a", "warm").p == evaluation.row("b", "warm").p


def test_a_mean_of_1e8_keeps_a_variance_of_1(make_experiment: Callable[..., Experiment]) -> None:
    """Sums of squares lose it: an engine that uses them finds variances of 5.24 and 0."""
    noise = np.random.default_rng(1).normal(0.0, 1.0, (2, 5_000))
    values = 1e8 + noise
    data = pa.table(
        {"variant": pa.array(["plain"] * 5_000 + ["warm"] * 5_000), "orders": pa.array(values.ravel())}
    )
    row = evaluated(make_experiment(), data).row("orders", "warm")
    expected = stats.ttest_ind(values[1] - 1e8, values[0] - 1e8, equal_var=False)
    assert row.p == pytest.approx(expected.pvalue, rel=1e-6)


@pytest.mark.parametrize("offset", [1e8, 1e12, 1e15])
@pytest.mark.parametrize("estimator", [Welch(), Cuped("x"), Regression("x"), Bayes(prior_sd=None)])
def test_a_difference_of_large_means_is_that_of_the_outcomes(
    make_experiment: Callable[..., Experiment], estimator: Any, offset: float
) -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=600)
    y = offset + (x + random.normal(size=600))
    arms = np.array(["plain", "warm"])[random.integers(0, 2, 600)]
    found = evaluated(
        make_experiment(), pa.table({"variant": arms, "orders": y, "x": x}), estimator=estimator
    )
    # Without the offset, which is exact: the outcomes are already rounded by it.
    small = evaluated(
        make_experiment(), pa.table({"variant": arms, "orders": y - offset, "x": x}), estimator=estimator
    )
    row, other = found.row("orders", "warm"), small.row("orders", "warm")
    assert (row.difference, row.lower, row.upper) == pytest.approx(
        (other.difference, other.lower, other.upper), rel=1e-9
    )


def test_a_reader_is_read_once_and_then_refused(three_arms: Experiment, responses: pa.Table) -> None:
    reader = responses.to_reader()
    evaluated(three_arms, reader)
    with pytest.raises(SourceError) as caught:
        evaluated(three_arms, reader)
    assert caught.value.code == "source_consumed"


def test_a_missing_column_is_named(three_arms: Experiment, responses: pa.Table) -> None:
    with pytest.raises(SourceError, match="no column 'visit'") as caught:
        evaluated(three_arms, responses.drop_columns(["visit"]))
    assert caught.value.code == "missing_column"


@pytest.mark.parametrize("column", ["spend", "visit"])
def test_text_is_no_outcome(three_arms: Experiment, responses: pa.Table, column: str) -> None:
    place = responses.schema.get_field_index(column)
    texts = responses.set_column(place, column, pc.cast(responses[column], pa.string()))
    with pytest.raises(SourceError, match=f"in column '{column}'") as caught:
        evaluated(three_arms, texts)
    assert caught.value.code == "column_type"
