"""Many experiments in one table, evaluated at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import polars as pl

from labfactory.base.errors import UsageError, nearest
from labfactory.lab.adjustment import Welch, ZTest
from labfactory.lab.checks import MISMATCH_P
from labfactory.lab.counted_arms import CountedArms
from labfactory.lab.covariates import Cuped
from labfactory.lab.many_arms import ArmColumns
from labfactory.lab.many_groups import ExperimentGroup, by_size
from labfactory.lab.multiplicity import Correction, adjust
from labfactory.lab.summed_arms import SummedArms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.many_arms import ArmTable, ManyArms
    from labfactory.lab.metric import Metric


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluations:
    """What many experiments showed.

    Args:
        tests: A row for each experiment and metric: `experiment`, `metric`, `arms`, `units`, `srm_p` (arms
            came in the planned shares, or equal ones), `is_mismatched` (srm_p below 0.001), `statistic`, `p`
            (whether all arms are alike: Pearson's chi-square for proportions, Welch's F else; without
            covariates).
        pairs: A row for each pair of arms and metric: `experiment`, `metric`, `control`, `treatment`,
            `control_n`, `treatment_n`, `control_value`, `treatment_value`, `difference`, `standard_error`,
            `lower`, `upper`, `relative`, `relative_lower`, `relative_upper`, `p`, `adjusted_p` (over the
            pairs of one experiment and metric). Null is not defined.
        segments: The pairs within each segment: `dimension`, `segment`, and the columns of `pairs`;
            `adjusted_p` holds the rate of false discoveries over all of an experiment.
        alpha: Error level of each interval.
        correction: Behind `adjusted_p`.
        method: Behind the intervals.
    """

    tests: pl.DataFrame
    pairs: pl.DataFrame
    alpha: float
    correction: Correction
    method: str
    segments: pl.DataFrame

    def __repr__(self) -> str:
        tests = self.tests
        found = self.pairs.filter(pl.col("adjusted_p") <= self.alpha)
        metrics = tests["metric"].n_unique()
        mismatched = tests.unique("experiment")["is_mismatched"].sum()
        return (
            f"{tests['experiment'].n_unique():,} experiments, {metrics} metrics, {self.pairs.height:,} "
            f"comparisons by {self.method}, alpha {self.alpha:g}, "
            f"{self.correction} by experiment\n"
            f"  sample ratio below {MISMATCH_P:g}: {mismatched:,}\n"
            f"  arms not all alike: {(tests['p'] <= self.alpha).sum():,}\n"
            f"  differences: {(self.pairs['p'] <= self.alpha).sum():,}, corrected {found.height:,}"
        )


def evaluate_many(
    table: Any,
    *,
    experiment: str,
    metrics: Mapping[str, Metric],
    variant: str | None = None,
    units: str | None = None,
    control: str | None = None,
    shares: str | Mapping[str, float] | None = None,
    estimator: Estimator = Welch(),  # noqa: B008 - a frozen value
    segments: Sequence[str] = (),
    alpha: float = 0.05,
    correction: Correction = "holm",
    threads: int = 2,
) -> Evaluations:
    """Evaluate every experiment of a table: sample ratio, omnibus test, and all pairs of arms.

    Args:
        table: Anything Arrow: a row for each unit, or with `units` a row for each arm or part of it.
        experiment: Column of the experiment.
        metrics: Metrics by name. With `units` these are proportions, whose column counts the units with an
            event.
        variant: Column of the arm; may be None with `units`, where every row then is an arm of its own,
            numbered from 0 within its experiment.
        units: Column with the units that a row stands for; None where every row is a unit.
        control: Arm that the others are compared with; all pairs when None, the earlier name as the control.
        shares: Planned shares for the sample-ratio test: a column with that of the row's arm, or shares by
            name of the arm, of which an experiment has those whose arms came; equal shares when None. They
            need not sum to 1; an arm of share 0 takes no part.
        estimator: `Welch`, `ZTest`, `Cuped` or `Regression` on moments; with `units` one of the first two.
        segments: Columns to compare within as well.
        alpha: Two-sided error level of each interval.
        correction: Over the pairs of one experiment and metric.
        threads: Most threads to use.

    Returns:
        Tests and pairs, experiments and arms ascending.

    Raises:
        UsageError: `alpha`, `correction`, `metric`, `needs_variant`; `estimator`, for another one; `weights`,
            for shares below 0 or several of one arm.
        StatisticsError: `no_units`, `invalid_outcome`, `overflow`, `too_many_segments`.
        SourceError: When a column is missing or of the wrong type, or the source cannot be read.

    References:
        Welch (1951), "On the comparison of several mean values: an alternative approach".

    Example:
        >>> import polars as pl
        >>> from labfactory.lab import Proportion
        >>> table = pl.DataFrame(
        ...     {
        ...         "test": ["a", "a", "b", "b"],
        ...         "arm": ["old", "new"] * 2,
        ...         "shown": [1000, 1020, 900, 700],
        ...         "clicks": [100, 160, 90, 70],
        ...     }
        ... )
        >>> clicks = {"clicks": Proportion("clicks")}
        >>> found = evaluate_many(table, experiment="test", variant="arm", units="shown", metrics=clicks)
        >>> found.tests.select("experiment", "is_mismatched").rows()
        [('a', False), ('b', True)]
    """
    if not 0 < alpha < 1:
        message = f"expected alpha above 0 and below 1, found {alpha}"
        raise UsageError(message, code="alpha")
    if correction not in get_args(Correction):
        message = f"expected a correction of {', '.join(get_args(Correction))}, found {correction!r}"
        raise UsageError(message, code="correction", hint=nearest(str(correction), get_args(Correction)))
    if not metrics:
        message = "expected one metric or more, found none"
        raise UsageError(message, code="metric")
    _check_estimator(estimator, counted=units is not None)
    columns = ArmColumns(
        experiment,
        variant,
        share=shares if isinstance(shares, str) else None,
        segments=tuple(segments),
        shares=None if isinstance(shares, str) else shares,
    )
    read: ArmTable
    if units is not None:
        read = CountedArms.read(table, columns, units=units, metrics=metrics)
    elif variant is None:
        message = "expected the column of the variant where every row is a unit, found none"
        raise UsageError(message, code="needs_variant")
    else:
        read = SummedArms.read(table, columns, metrics=metrics, estimator=estimator, threads=threads)

    def grouped(arms: ManyArms, name: str) -> list[ExperimentGroup]:
        return [
            ExperimentGroup(arms, name, metrics[name], places, control=control, estimator=estimator)
            for places in by_size(arms)
        ]

    def paired(arms: ManyArms) -> pl.DataFrame:
        parts = [[group.pairs(alpha, correction) for group in grouped(arms, name)] for name in metrics]
        return pl.concat([_framed(name, arms, part) for name, part in zip(metrics, parts, strict=True)])

    whole = read.arms()
    tests = pl.concat(
        [_framed(name, whole, [each.tests() for each in grouped(whole, name)]) for name in metrics]
    )
    pairs = paired(whole).select(_PAIRS)
    return Evaluations(
        tests.with_columns(is_mismatched=pl.col("srm_p") < MISMATCH_P).select(_TESTS),
        pairs,
        alpha,
        correction,
        estimator.name,
        _segmented({dimension: paired(read.arms(dimension)) for dimension in segments}, like=pairs),
    )


def _check_estimator(estimator: Estimator, *, counted: bool) -> None:
    is_plain = type(estimator) in (Welch, ZTest)
    is_adjusted = isinstance(estimator, Cuped) and getattr(estimator, "errors", "residual") == "residual"
    if not (is_plain or (is_adjusted and not counted)):
        known = "Welch or ZTest" if counted else "Welch, ZTest, Cuped or Regression"
        message = f"expected {known} for many experiments, found {estimator.name}"
        raise UsageError(message, code="estimator")


def _segmented(frames: Mapping[str, pl.DataFrame], *, like: pl.DataFrame) -> pl.DataFrame:
    """Pairs within segments, adjusted over all those of an experiment; none has the columns all the same."""
    if not frames:
        return like.clear().select(
            pl.lit(None, pl.String).alias("dimension"), pl.lit(None, pl.String).alias("segment"), pl.all()
        )
    rows = pl.concat([frame.with_columns(dimension=pl.lit(name)) for name, frame in frames.items()])
    adjusted = adjust(rows["p"].to_list(), "bh", families=rows["experiment"].to_list())
    rows = rows.with_columns(adjusted_p=pl.Series(adjusted, dtype=pl.Float64))
    return rows.select("dimension", "segment", *_PAIRS)


_TESTS = ["experiment", "metric", "arms", "units", "srm_p", "is_mismatched", "statistic", "p"]
_PAIRS = [
    *("experiment", "metric", "control", "treatment", "control_n", "treatment_n", "control_value"),
    *("treatment_value", "difference", "standard_error", "lower", "upper", "relative", "relative_lower"),
    *("relative_upper", "p", "adjusted_p"),
]


def _framed(name: str, arms: ManyArms, parts: list[dict[str, NDArray[Any]]]) -> pl.DataFrame:
    """The parts as one frame, in the order of experiments, places as names."""
    joined = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
    order = np.argsort(joined["order"], kind="stable")
    place = joined.pop("order")[order]
    columns: dict[str, Any] = {
        "experiment": arms.experiments.gather(place),
        **({} if arms.segments is None else {"segment": arms.segments.gather(place)}),
        "metric": pl.repeat(name, len(order), dtype=pl.String, eager=True),
    }
    for column, values in joined.items():
        if column in ("control", "treatment"):
            columns[column] = arms.variants.gather(values[order])
        elif column in ("arms", "units", "control_n", "treatment_n"):
            columns[column] = values[order].astype(np.int64)
        else:
            columns[column] = values[order]
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
