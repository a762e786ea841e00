"""The arms of many experiments in one table: units, means and variances, experiment by experiment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl

from labfactory.base.errors import StatisticsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labfactory.lab.co_moments import CoMoments

    Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ManyArms:
    """Arms of many experiments, those of one side by side.

    Args:
        experiments: Names, ascending; with segments a name stands once for each of its segments.
        segments: The segment of each; None where all units are together.
        starts: First arm of each experiment, and the number of arms.
        variants: Name of each arm.
        units: Units of each arm.
        shares: Planned share of each arm; NaN where none was told.
        samples: By metric: values, mean and variance of each arm; NaN where they are not defined.
        moments: By metric: outcomes and covariates of each arm, where an estimator asked for some.
    """

    experiments: pl.Series
    segments: pl.Series | None
    starts: NDArray[np.int64]
    variants: pl.Series
    units: Vector
    shares: Vector
    samples: Mapping[str, tuple[Vector, Vector, Vector]]
    moments: Mapping[str, list[CoMoments]] = field(default_factory=dict)


class ArmTable(Protocol):
    """A table of many experiments that has been read, and can be parted by any of its segments."""

    def arms(self, dimension: str | None = None) -> ManyArms:
        """The arms of every experiment, or of every segment of every experiment."""
        ...


@dataclass(frozen=True, slots=True)
class ArmColumns:
    """Which columns of the table say what.

    Args:
        experiment: The experiment.
        variant: The arm; None where every row is one.
        share: The arm's planned share; None where none is told, or `shares` tells.
        segments: Columns to split by.
        shares: Planned shares by arm, of every experiment.
    """

    experiment: str
    variant: str | None
    share: str | None = None
    segments: tuple[str, ...] = ()
    shares: Mapping[str, float] | None = None

    @property
    def all(self) -> list[str]:
        """Their names."""
        named = (self.experiment, self.variant, self.share, *self.segments)
        return [name for name in named if name is not None]

    def planned(self, variants: pl.Series, told: Vector) -> Vector:
        """The planned share of each arm, by its name or as the table told it."""
        if self.shares is None:
            return told
        shares = [self.shares.get(name, 0.0) for name in variants.to_list()]
        return np.array(shares, np.float64)


def parted(keys: pl.DataFrame) -> tuple[pl.Series, pl.Series | None, NDArray[np.int64]]:
    """Each experiment (and segment) once, and where it begins.

    Args:
        keys: `experiment`, and `segment` where there are some, sorted, a row for each arm.
    """
    names = keys.columns
    changes = keys.select(pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in names))
    is_new = changes.to_series().to_numpy().copy()
    is_new[:1] = True
    first = np.flatnonzero(is_new)
    whole = keys[first]
    segments = whole["segment"] if "segment" in names else None
    return whole["experiment"], segments, np.append(first, keys.height).astype(np.int64)


def check_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame, unless nothing is in it.

    Raises:
        StatisticsError: `no_units`.
    """
    if frame.height == 0:
        message = "expected rows with an experiment and an arm, found none"
        raise StatisticsError(message, code="no_units")
    return frame


def check_shares(arms: ManyArms, table: pl.DataFrame, columns: ArmColumns) -> None:
    """Refuse an arm that is told two shares, and shares that are none.

    Args:
        arms: The arms.
        table: Their keys, a row for each arm; an arm that was told two shares is there twice.
        columns: Where shares were told, all of them have to be.

    Raises:
        UsageError: `weights`.
    """
    if columns.share is None and columns.shares is None:
        return
    keys = [name for name in table.columns if name != "share"]
    twice = table.filter(table.select(keys).is_duplicated())
    wrong = ~(np.isfinite(arms.shares) & (arms.shares >= 0))
    if twice.height:
        row = twice.row(0, named=True)
        message = f"expected one share of {row['variant']!r} in {row['experiment']!r}, found several"
        raise UsageError(message, code="weights")
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        found = f"{arms.shares[place]:g} of {arms.variants[place]!r}"
        message = f"expected a share of 0 or more of each arm, found {found}"
        raise UsageError(message, code="weights")
