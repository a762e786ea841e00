"""The arms of many experiments in one table: units, means and variances, experiment by experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from labfactory._core import stats as core
from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.co_moments import CoMoments
from labfactory.lab.groups import Groups
from labfactory.lab.reading import named_batches
from labfactory.lab.sum_layout import SumLayout, figure_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labfactory.lab.metric import Metric

    Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ManyArms:
    """Arms of many experiments, those of one side by side.

    Args:
        experiments: Names, ascending.
        starts: First arm of each experiment, and the number of arms.
        variants: Name of each arm.
        units: Units of each arm.
        samples: By metric: values, mean and variance of each arm; NaN where they are not defined.
    """

    experiments: pl.Series
    starts: NDArray[np.int64]
    variants: pl.Series
    units: Vector
    samples: Mapping[str, tuple[Vector, Vector, Vector]]


def counted_arms(
    table: Any, *, experiment: str, variant: str | None, units: str, metrics: Mapping[str, Metric]
) -> ManyArms:
    """Arms of a table with a row for each arm, or for parts of it.

    Args:
        table: Anything Arrow.
        experiment: Column of the experiment.
        variant: Column of the arm; None where every row is an arm, numbered within its experiment.
        units: Column with the units that a row stands for.
        metrics: Proportions, whose column counts the units with an event.

    Returns:
        The arms.

    Raises:
        UsageError: `metric`, for another kind of metric.
        StatisticsError: `invalid_outcome`, for counts that cannot be.
    """
    for name, metric in metrics.items():
        if metric.kind != "proportion":
            message = f"expected proportions of counted units, found the {metric.kind} {name!r}"
            raise UsageError(message, code="metric", hint="without `units` every row is a unit")
    counts = list(dict.fromkeys([units, *(metric.columns[0] for metric in metrics.values())]))
    wanted = [experiment, *([] if variant is None else [variant]), *counts]
    parts = [pa.table(batch) for batch in named_batches(table, wanted)]
    frame = pl.DataFrame(pa.concat_tables(parts)).drop_nulls(wanted)
    names = frame[experiment].cast(pl.String)
    frame = frame.select(
        pl.Series("experiment", names),
        variant=pl.int_range(pl.len()).over(names).cast(pl.String)
        if variant is None
        else pl.col(variant).cast(pl.String),
        **{f"count {name}": pl.col(name).cast(pl.Float64) for name in counts},
    )
    if variant is not None:
        frame = frame.group_by("experiment", "variant").agg(pl.exclude("experiment", "variant").sum())
        frame = frame.sort("experiment", "variant")
    else:
        frame = frame.sort("experiment", maintain_order=True)
    total = frame[f"count {units}"].to_numpy()
    samples = {}
    for name, metric in metrics.items():
        events = frame[f"count {metric.columns[0]}"].to_numpy()
        is_wrong = ~((events >= 0) & (events <= total) & (events == np.floor(events)) & np.isfinite(total))
        if is_wrong.any():
            row = frame.row(int(np.flatnonzero(is_wrong)[0]), named=True)
            message = (
                f"expected counts from 0 to the units in {metric.columns[0]!r}, found "
                f"{row[f'count {metric.columns[0]}']:g} of {row[f'count {units}']:g} in {row['experiment']!r}"
            )
            raise StatisticsError(message, code="invalid_outcome")
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = events / total
            samples[name] = (total, mean, mean * (1 - mean) * total / (total - 1))
    return ManyArms(*_parted(frame["experiment"]), frame["variant"], total, samples)


def summed_arms(
    rows: Any, *, experiment: str, variant: str, metrics: Mapping[str, Metric], threads: int
) -> ManyArms:
    """Arms of a table with a row for each unit, summed in one native pass.

    Args:
        rows: Anything Arrow; a one-shot stream is used up.
        experiment: Column of the experiment; rows without one are left out.
        variant: Column of the arm, likewise.
        metrics: Means, counts, proportions and ratios.
        threads: Most threads to use.

    Returns:
        The arms.

    Raises:
        UsageError: `metric`, for a quantile.
        StatisticsError: `invalid_outcome`; `too_many_segments`, for more arms than sums are kept for.
    """
    for name, metric in metrics.items():
        if metric.kind == "quantile":
            message = f"expected metrics that sums can say, found the quantile {name!r}"
            raise UsageError(message, code="metric")
    layout = SumLayout.of(metrics, {})
    sums = core.CellSummary(["arm"], layout.native_columns, layout.native_sets, grouped=True)
    groups = Groups()
    for batch in named_batches(rows, [experiment, variant, *(number.column for number in layout.numbers)]):
        one = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(len(batch[variant]), np.int32)), pa.array(["arm"])
        )
        columns = [one, groups.codes([batch[experiment], batch[variant]])]
        columns += [batch[number.column] for number in layout.numbers]
        names = ["arm", "group", *(number.column for number in layout.numbers)]
        sums.add(pa.RecordBatch.from_arrays(columns, names=names), threads)
    cells, counts, figures = sums.totals()
    _check(layout, counts, figures)
    keys = [groups.values(int(cell)) for cell in cells]
    arms = sorted(
        (row for row, key in enumerate(keys) if None not in key), key=lambda row: tuple(map(str, keys[row]))
    )
    samples = {
        name: _samples(layout, name, metric, counts[arms], figures[arms]) for name, metric in metrics.items()
    }
    experiments = pl.Series([keys[row][0] for row in arms], dtype=pl.String)
    variants = pl.Series([keys[row][1] for row in arms], dtype=pl.String)
    return ManyArms(*_parted(experiments), variants, counts[arms, 0].astype(np.float64), samples)


def _samples(
    layout: SumLayout, name: str, metric: Metric, counts: NDArray[np.int64], figures: Vector
) -> tuple[Vector, Vector, Vector]:
    place = layout.place(name)
    size = len(layout.sets[place].members)
    start = layout.start(place)
    count = counts[:, 1 + place].astype(np.float64)
    mine = figures[:, start : start + figure_count(size)]
    if metric.kind == "ratio":
        found = [
            CoMoments.of_figures(int(rows), each, size).linearised(metric) if rows else None
            for rows, each in zip(count, mine, strict=True)
        ]
        mean = np.array([np.nan if each is None else each.means[0] for each in found])
        squares = np.array([np.nan if each is None else each.products[0, 0] for each in found])
    else:
        mean, squares = np.where(count > 0, mine[:, 0], np.nan), mine[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return count, mean, np.where(count > 1, squares / (count - 1), np.nan)


def _check(layout: SumLayout, counts: NDArray[np.int64], figures: Vector) -> None:
    invalid = counts[:, 1 + len(layout.sets) + len(layout.numbers) :].sum(axis=0)
    for number, count in zip(layout.numbers, invalid, strict=True):
        if count:
            message = f"expected outcomes of kind {number.kind} in {number.column!r}, found {count} others"
            raise StatisticsError(message, code="invalid_outcome", hint="make unknown outcomes null")
    if not np.isfinite(figures[:, : layout.start(len(layout.sets))]).all():
        message = "expected outcomes whose squares fit a double, found larger"
        raise StatisticsError(message, code="overflow", hint="measure in a larger unit")


def _parted(sorted_names: pl.Series) -> tuple[pl.Series, NDArray[np.int64]]:
    """Each name once, and where it begins."""
    parts = sorted_names.rle().struct.unnest()
    lengths = parts["len"].to_numpy().astype(np.int64)
    return parts["value"].alias("experiment"), np.concatenate([[0], np.cumsum(lengths)])
