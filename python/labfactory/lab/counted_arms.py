"""Arms of a table with a row for each arm, or for parts of it, and the units that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.groups import texts
from labfactory.lab.many_arms import ManyArms, check_rows, check_shares, parted
from labfactory.lab.reading import check_numbers, named_batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labfactory.lab.many_arms import ArmColumns
    from labfactory.lab.metric import Metric


@dataclass(frozen=True, slots=True, eq=False)
class CountedArms:
    """The table: `experiment`, `variant`, `share`, segments by name, and `count <column>`.

    Args:
        frame: Its rows.
        columns: Which columns said what.
        units: Column of the units.
        metrics: Proportions, whose column counts the units with an event.
    """

    frame: pl.DataFrame
    columns: ArmColumns
    units: str
    metrics: Mapping[str, Metric]

    @staticmethod
    def read(table: Any, columns: ArmColumns, *, units: str, metrics: Mapping[str, Metric]) -> CountedArms:
        """Read a table.

        Args:
            table: Anything Arrow.
            columns: Which columns say what.
            units: Column with the units that a row stands for.
            metrics: Proportions, whose column counts the units with an event.

        Returns:
            The table; rows in which something is null are left out, but for a segment, where null is one.

        Raises:
            UsageError: `metric`, for another kind of metric.
            StatisticsError: `no_units`, when no row is left.
            SourceError: `column_type`, for units, counts or shares that are no numbers, and for names that
                have no text.
        """
        for name, metric in metrics.items():
            if metric.kind != "proportion":
                message = f"expected proportions of counted units, found the {metric.kind} {name!r}"
                raise UsageError(message, code="metric", hint="without `units` every row is a unit")
        counts = list(dict.fromkeys([units, *(metric.columns[0] for metric in metrics.values())]))
        wanted = [*columns.all, *counts]
        parts = [pa.table(batch) for batch in named_batches(table, wanted)]
        whole = pa.concat_tables(parts)
        for name in [*counts, *([] if columns.share is None else [columns.share])]:
            check_numbers(whole[name].type, name)
        for name in {*columns.all} - {columns.share}:
            whole = whole.set_column(whole.schema.get_field_index(name), name, texts(whole[name]))
        frame = pl.DataFrame(whole)
        told = [name for name in wanted if name not in (*columns.segments, columns.share)]
        frame = check_rows(frame.drop_nulls(told))
        names = frame[columns.experiment]
        is_arm = columns.variant is None
        variant = (
            pl.int_range(pl.len()).over(names).cast(pl.String) if is_arm else pl.col(str(columns.variant))
        )
        share = pl.lit(np.nan) if columns.share is None else pl.col(columns.share).cast(pl.Float64)
        frame = frame.select(
            pl.Series("experiment", names),
            variant=variant,
            share=share,
            **{f"segment {name}": pl.col(name) for name in columns.segments},
            **{f"count {name}": pl.col(name).cast(pl.Float64) for name in counts},
        )
        return CountedArms(frame, columns, units, metrics)

    def arms(self, dimension: str | None = None) -> ManyArms:
        """The arms of every experiment, or of every segment of every experiment.

        Raises:
            StatisticsError: `invalid_outcome`, for counts that cannot be.
            UsageError: `weights`, for shares that are none.
        """
        keys = ["experiment", "variant", "share"]
        frame = self.frame
        if dimension is not None:
            frame = frame.rename({f"segment {dimension}": "segment"})
            keys.insert(1, "segment")
        if self.columns.variant is None and dimension is None:
            frame = frame.sort("experiment", maintain_order=True)
        else:
            frame = frame.group_by(keys).agg(pl.col("^count .*$").sum()).sort(keys)
        total = frame[f"count {self.units}"].to_numpy()
        # Beyond 2^53 a double does not tell one unit from the next.
        is_counted = (total >= 0) & (total == np.floor(total)) & (total <= 2**53)
        if not is_counted.all():
            row = frame.row(int(np.flatnonzero(~is_counted)[0]), named=True)
            found = f"{row[f'count {self.units}']:g} in {row['experiment']!r}"
            message = f"expected whole numbers of units up to 2^53 in {self.units!r}, found {found}"
            raise StatisticsError(message, code="invalid_outcome")
        samples = {}
        for name, metric in self.metrics.items():
            column = f"count {metric.columns[0]}"
            events = frame[column].to_numpy()
            is_wrong = ~((events >= 0) & (events <= total) & (events == np.floor(events)))
            if is_wrong.any():
                row = frame.row(int(np.flatnonzero(is_wrong)[0]), named=True)
                message = (
                    f"expected counts from 0 to the units in {metric.columns[0]!r}, found "
                    f"{row[column]:g} of {row[f'count {self.units}']:g} in {row['experiment']!r}"
                )
                raise StatisticsError(message, code="invalid_outcome")
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = events / total
                samples[name] = (total, mean, mean * (1 - mean) * total / (total - 1))
        shares = self.columns.planned(frame["variant"], frame["share"].to_numpy())
        experiments, segments, starts = parted(frame.select(keys[:-2]))
        arms = ManyArms(experiments, segments, starts, frame["variant"], total, shares, samples)
        check_shares(arms, frame.select(keys), self.columns)
        return arms
