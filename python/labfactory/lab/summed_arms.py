"""Arms of a table with a row for each unit, summed in one native pass."""

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
from labfactory.lab.many_arms import ManyArms, check_rows, check_shares, parted
from labfactory.lab.reading import check_numbers, named_batches
from labfactory.lab.sum_layout import SumLayout, figure_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.many_arms import ArmColumns
    from labfactory.lab.metric import Metric

    Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SummedArms:
    """Sums by experiment, arm, share and segments.

    Args:
        keys: Each cell's `experiment`, `variant`, `share` and segments by name.
        columns: Which columns said what.
        layout: What was summed.
        counts: Counts of each cell, as the core has them.
        figures: Figures of each cell.
        metrics: Metrics by name.
    """

    keys: pl.DataFrame
    columns: ArmColumns
    layout: SumLayout
    counts: NDArray[np.int64]
    figures: Vector
    metrics: Mapping[str, Metric]

    @staticmethod
    def read(
        rows: Any, columns: ArmColumns, *, metrics: Mapping[str, Metric], estimator: Estimator, threads: int
    ) -> SummedArms:
        """Sum up a table.

        Args:
            rows: Anything Arrow; a one-shot stream is used up.
            columns: Which columns say what; rows without experiment or arm are left out.
            metrics: Means, counts, proportions and ratios.
            estimator: Whose covariates are summed too.
            threads: Most threads to use.

        Returns:
            The sums.

        Raises:
            UsageError: `metric`, for a quantile, percentiles or a conversion window.
            StatisticsError: `no_units`, when no row is left; `invalid_outcome`, `overflow`;
                `too_many_segments`, for more arms than sums are kept for.
        """
        for name, metric in metrics.items():
            needs_rows = any(each.percentiles is not None or each.at is not None for each in metric.outcomes)
            if metric.kind == "quantile" or needs_rows:
                found = "quantile" if metric.kind == "quantile" else "percentiles or window of"
                message = f"expected metrics that sums can say, found the {found} {name!r}"
                raise UsageError(message, code="metric")
        layout = SumLayout.of(metrics, {name: estimator.covariates(name) for name in metrics})
        sums = core.CellSummary(["arm"], layout.native_columns, layout.native_sets, grouped=True)
        groups = Groups()
        numbers = [number.column for number in layout.numbers]
        for batch in named_batches(rows, [*columns.all, *numbers]):
            if columns.share is not None:
                check_numbers(batch[columns.share].type, columns.share)
            one = pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(len(batch[columns.experiment]), np.int32)), pa.array(["arm"])
            )
            parts = [
                one,
                groups.codes([batch[name] for name in columns.all]),
                *(batch[name] for name in numbers),
            ]
            sums.add(pa.RecordBatch.from_arrays(parts, names=["arm", "group", *numbers]), threads)
        cells, counts, figures = sums.totals()
        _check(layout, counts, figures)
        values = [groups.values(int(cell)) for cell in cells]
        named = [f"segment {name}" for name in columns.segments]
        names = ["experiment", "variant", *([] if columns.share is None else ["share"]), *named]
        keys = pl.DataFrame(values, schema=dict.fromkeys(names, pl.String), orient="row")
        share = pl.lit(None, pl.Float64) if columns.share is None else pl.col("share").cast(pl.Float64)
        keys = keys.with_columns(share=share)
        known = (
            keys.select(pl.col("experiment").is_not_null() & pl.col("variant").is_not_null())
            .to_series()
            .to_numpy()
        )
        return SummedArms(
            check_rows(keys.filter(known)), columns, layout, counts[known], figures[known], metrics
        )

    def arms(self, dimension: str | None = None) -> ManyArms:
        """The arms of every experiment, or of every segment of every experiment.

        Raises:
            UsageError: `weights`, for shares that are none.
        """
        names = ["experiment", "variant", "share"]
        keys = self.keys
        if dimension is not None:
            keys = keys.rename({f"segment {dimension}": "segment"})
            names.insert(1, "segment")
        targets = keys.select(names)
        whole = targets.unique().sort(names)
        places = targets.join(
            whole.with_row_index("place"), on=names, how="left", nulls_equal=True, maintain_order="left"
        )["place"]
        _, counts, figures = core.collapse(
            self.layout.native_columns,
            self.layout.native_sets,
            places.to_numpy().astype(np.int32),
            whole.height,
            self.counts,
            self.figures,
        )
        samples, moments = {}, {}
        for name, metric in self.metrics.items():
            samples[name] = self._samples(name, metric, counts, figures)
            if len(self.layout.sets[self.layout.place(name)].members) > len(metric.columns):
                moments[name] = self._moments(name, counts, figures)
        experiments, segments, starts = parted(whole.select(names[:-2]))
        shares = self.columns.planned(whole["variant"], whole["share"].fill_null(np.nan).to_numpy())
        units = counts[:, 0].astype(np.float64)
        arms = ManyArms(experiments, segments, starts, whole["variant"], units, shares, samples, moments)
        check_shares(arms, whole, self.columns)
        return arms

    def _samples(
        self, name: str, metric: Metric, counts: NDArray[np.int64], figures: Vector
    ) -> tuple[Vector, Vector, Vector]:
        place = self.layout.place(name)
        count = counts[:, 1 + place].astype(np.float64)
        if metric.kind == "ratio":
            found = [
                each.linearised(metric) if each.count else None
                for each in self._moments(name, counts, figures)
            ]
            mean = np.array([np.nan if each is None else each.means[0] for each in found])
            squares = np.array([np.nan if each is None else each.products[0, 0] for each in found])
        else:
            size, start = self._extent(place)
            mean = np.where(count > 0, figures[:, start], np.nan)
            squares = figures[:, start + 2 * size]
        with np.errstate(divide="ignore", invalid="ignore"):
            return count, mean, np.where(count > 1, squares / (count - 1), np.nan)

    def _moments(self, name: str, counts: NDArray[np.int64], figures: Vector) -> list[CoMoments]:
        place = self.layout.place(name)
        size, start = self._extent(place)
        return [
            CoMoments.of_figures(int(rows), each, size)
            for rows, each in zip(
                counts[:, 1 + place], figures[:, start : start + figure_count(size)], strict=True
            )
        ]

    def _extent(self, place: int) -> tuple[int, int]:
        return len(self.layout.sets[place].members), self.layout.start(place)


def _check(layout: SumLayout, counts: NDArray[np.int64], figures: Vector) -> None:
    invalid = counts[:, 1 + len(layout.sets) + len(layout.numbers) :].sum(axis=0)
    for number, count in zip(layout.numbers, invalid, strict=True):
        if count:
            message = f"expected outcomes of kind {number.kind} in {number.column!r}, found {count} others"
            raise StatisticsError(message, code="invalid_outcome", hint="make unknown outcomes null")
    if not np.isfinite(figures[:, : layout.start(len(layout.sets))]).all():
        message = "expected outcomes whose squares fit a double, found larger"
        raise StatisticsError(message, code="overflow", hint="measure in a larger unit")
