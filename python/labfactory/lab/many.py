"""Many experiments in one table, evaluated at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import polars as pl
from scipy import special

from labfactory.base.errors import UsageError, nearest
from labfactory.lab.checks import MISMATCH_P
from labfactory.lab.estimators import SMALLEST_P
from labfactory.lab.many_arms import ManyArms, counted_arms, summed_arms
from labfactory.lab.multiplicity import Correction, adjust_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from labfactory.lab.metric import Metric

    Vector = NDArray[np.float64]

# From here on a quantile of t is its expansion about the normal one to the last digits of a double.
_MANY_DEGREES = 1_000.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluations:
    """What many experiments showed.

    Args:
        tests: A row for each experiment and metric: `experiment`, `metric`, `arms`, `units`, `srm_p` (arms
            came in equal shares), `is_mismatched` (srm_p below 0.001), `statistic`, `p` (whether all arms
            are alike: Pearson's chi-square for proportions, Welch's F else).
        pairs: A row for each pair of arms and metric: `experiment`, `metric`, `control`, `treatment`,
            `control_n`, `treatment_n`, `control_value`, `treatment_value`, `difference`, `standard_error`,
            `lower`, `upper`, `relative`, `relative_lower`, `relative_upper`, `p`, `adjusted_p` (over the
            pairs of one experiment and metric). Null is not defined.
        alpha: Error level of each interval.
        correction: Behind `adjusted_p`.
    """

    tests: pl.DataFrame
    pairs: pl.DataFrame
    alpha: float
    correction: Correction

    def __repr__(self) -> str:
        tests = self.tests
        found = self.pairs.filter(pl.col("adjusted_p") <= self.alpha)
        metrics = tests["metric"].n_unique()
        mismatched = tests.unique("experiment")["is_mismatched"].sum()
        return (
            f"{tests['experiment'].n_unique():,} experiments, {metrics} metrics, {self.pairs.height:,} "
            f"comparisons, alpha {self.alpha:g}, {self.correction} by experiment\n"
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
    alpha: float = 0.05,
    correction: Correction = "holm",
    threads: int = 2,
) -> Evaluations:
    """Evaluate every experiment of a table: sample ratio, omnibus test, and pairs by Welch's t-test.

    Args:
        table: Anything Arrow: a row for each unit, or with `units` a row for each arm or part of it.
        experiment: Column of the experiment.
        metrics: Metrics by name. With `units` these are proportions, whose column counts the units with an
            event.
        variant: Column of the arm; may be None with `units`, where every row then is an arm of its own,
            numbered from 0 within its experiment.
        units: Column with the units that a row stands for; None where every row is a unit.
        control: Arm that the others are compared with; all pairs when None, the earlier name as the control.
        alpha: Two-sided error level of each interval.
        correction: Over the pairs of one experiment and metric.
        threads: Most threads to use.

    Returns:
        Tests and pairs, experiments and arms ascending.

    Raises:
        UsageError: `alpha`, `correction`, `metric`, `needs_variant`.
        StatisticsError: `invalid_outcome`, `overflow`, `too_many_segments`.
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
    if units is not None:
        arms = counted_arms(table, experiment=experiment, variant=variant, units=units, metrics=metrics)
    elif variant is None:
        message = "expected the column of the variant where every row is a unit, found none"
        raise UsageError(message, code="needs_variant")
    else:
        arms = summed_arms(table, experiment=experiment, variant=variant, metrics=metrics, threads=threads)
    tests, pairs = [], []
    for name, metric in metrics.items():
        groups = [_Group(arms, name, metric, places, control) for places in _by_size(arms)]
        tests.append(_framed(name, arms, [group.tests() for group in groups]))
        pairs.append(_framed(name, arms, [group.pairs(alpha, correction) for group in groups]))
    mismatched = pl.concat(tests).with_columns(is_mismatched=pl.col("srm_p") < MISMATCH_P)
    return Evaluations(mismatched.select(_TESTS), pl.concat(pairs).select(_PAIRS), alpha, correction)


class _Group:
    """Experiments with the same number of arms, as matrices: experiments by arms."""

    def __init__(
        self, arms: ManyArms, name: str, metric: Metric, places: NDArray[np.int64], control: str | None
    ) -> None:
        self._arms = arms
        self._metric = metric
        self._places = places
        size = places.shape[1]
        self._experiments = np.flatnonzero(np.diff(arms.starts) == size)
        self._units = arms.units[places]
        self._count, self._mean, self._variance = (each[places] for each in arms.samples[name])
        self._control = control

    def tests(self) -> dict[str, Vector]:
        """Sample ratio and omnibus test of each experiment."""
        total = self._units.sum(axis=1)
        size = self._units.shape[1]
        statistic, p = self._omnibus()
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = (total / size)[:, None]
            distance = ((self._units - expected) ** 2 / expected).sum(axis=1)
        srm_p = _tail(special.chdtrc(size - 1, distance)) if size > 1 else np.full(len(total), np.nan)
        return {
            "order": self._experiments,
            "arms": np.full(len(total), size),
            "units": total,
            "srm_p": srm_p,
            "statistic": statistic,
            "p": p,
        }

    def _omnibus(self) -> tuple[Vector, Vector]:
        size = self._units.shape[1]
        if size < 2:
            nothing = np.full(len(self._units), np.nan)
            return nothing, nothing
        with np.errstate(divide="ignore", invalid="ignore"):
            if self._metric.kind == "proportion":
                pooled = (self._mean * self._count).sum(axis=1) / self._count.sum(axis=1)
                spread = (pooled * (1 - pooled))[:, None] / self._count
                statistic = ((self._mean - pooled[:, None]) ** 2 / spread).sum(axis=1)
                return statistic, _tail(special.chdtrc(size - 1, statistic))
            weight = self._count / self._variance
            total = weight.sum(axis=1)[:, None]
            common = (weight * self._mean).sum(axis=1)[:, None] / total
            between = (weight * (self._mean - common) ** 2).sum(axis=1) / (size - 1)
            lost = ((1 - weight / total) ** 2 / (self._count - 1)).sum(axis=1)
            statistic = between / (1 + 2 * (size - 2) * lost / (size**2 - 1))
            return statistic, _tail(special.fdtrc(size - 1, (size**2 - 1) / (3 * lost), statistic))

    def pairs(self, alpha: float, correction: Correction) -> dict[str, Vector]:
        """Every pair of arms of each experiment, arms by their places."""
        left, right = self._pairs()
        mine = np.arange(len(self._places))[:, None]
        (n0, n1), (m0, m1), (v0, v1) = (
            (each[mine, left], each[mine, right]) for each in (self._count, self._mean, self._variance)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            v0, v1 = v0 / n0, v1 / n1
            variance = v0 + v1
            share = v0 / variance
            degrees = 1.0 / (share**2 / (n0 - 1) + (1 - share) ** 2 / (n1 - 1))
            is_known = (n0 > 1) & (n1 > 1) & (variance > 0)
            error = np.sqrt(np.where(is_known, variance, np.nan))
            difference = m1 - m0
            p = _tail(2 * special.stdtr(degrees, -np.abs(difference) / error))
            critical = _critical(degrees, alpha)
            half = critical * error
            relative, low, high = _lifts(m0, difference, v0, v1, critical, half)
        order = np.broadcast_to(self._experiments[:, None], left.shape)
        return {
            "order": order.ravel(),
            "control": self._places[mine, left].ravel(),
            "treatment": self._places[mine, right].ravel(),
            "control_n": n0.ravel(),
            "treatment_n": n1.ravel(),
            "control_value": m0.ravel(),
            "treatment_value": m1.ravel(),
            "difference": difference.ravel(),
            "standard_error": error.ravel(),
            "lower": (difference - half).ravel(),
            "upper": (difference + half).ravel(),
            "relative": relative.ravel(),
            "relative_lower": low.ravel(),
            "relative_upper": high.ravel(),
            "p": p.ravel(),
            "adjusted_p": adjust_rows(p, correction).ravel(),
        }

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        size = self._places.shape[1]
        if self._control is None:
            left, right = np.triu_indices(size, 1)
            shape = (len(self._places), len(left))
            return np.broadcast_to(left, shape), np.broadcast_to(right, shape)
        is_control = (self._arms.variants == self._control).to_numpy()[self._places]
        has_control = is_control.any(axis=1)
        self._places, self._experiments = self._places[has_control], self._experiments[has_control]
        self._count, self._mean, self._variance = (
            each[has_control] for each in (self._count, self._mean, self._variance)
        )
        others = np.argsort(is_control[has_control], axis=1, kind="stable")
        return np.broadcast_to(others[:, -1:], (len(others), size - 1)), others[:, :-1]


def _by_size(arms: ManyArms) -> Iterator[NDArray[np.int64]]:
    """Places of arms, experiments by arms, for each number of arms that occurs."""
    sizes = np.diff(arms.starts)
    for size in np.unique(sizes):
        yield arms.starts[:-1][sizes == size][:, None] + np.arange(size)


def _tail(p: Vector) -> Vector:
    """Never 0, which would be a claim that no data can make; NaN stays."""
    return np.maximum(np.minimum(p, 1.0), SMALLEST_P)


def _critical(degrees: Vector, alpha: float) -> Vector:
    """Upper quantiles of t at alpha / 2."""
    z = -float(special.ndtri(alpha / 2))
    # Abramowitz and Stegun 1964, 26.7.5.
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    critical = np.full_like(degrees, z)
    for power, term in enumerate(terms, start=1):
        critical += term / degrees**power
    few = degrees < _MANY_DEGREES
    critical[few] = -special.stdtrit(degrees[few], alpha / 2)
    return critical


def _lifts(
    control: Vector, difference: Vector, v0: Vector, v1: Vector, critical: Vector, half: Vector
) -> tuple[Vector, Vector, Vector]:
    """`relative_lift` of the estimators for many pairs at once."""
    value = difference / control
    scale = (critical / control) ** 2
    control_part, treatment_part = scale * v0, scale * v1
    a = 1.0 - control_part
    b = value + control_part
    c = ((difference - half) / control) * ((difference + half) / control)
    root = np.sqrt(treatment_part * a + control_part * (1.0 + value) ** 2)
    larger = (b + np.copysign(root, b)) / a
    smaller = np.where(larger != 0.0, c / (a * larger), 0.0)
    is_bounded = (control > 0) & (a > 0)
    bounds = np.minimum(smaller, larger), np.maximum(smaller, larger)
    return (
        np.where(control > 0, value, np.nan),
        np.where(is_bounded, bounds[0], np.nan),
        np.where(is_bounded, bounds[1], np.nan),
    )


_TESTS = ["experiment", "metric", "arms", "units", "srm_p", "is_mismatched", "statistic", "p"]
_PAIRS = [
    *("experiment", "metric", "control", "treatment", "control_n", "treatment_n", "control_value"),
    *("treatment_value", "difference", "standard_error", "lower", "upper", "relative", "relative_lower"),
    *("relative_upper", "p", "adjusted_p"),
]


def _framed(name: str, arms: ManyArms, parts: list[dict[str, Vector]]) -> pl.DataFrame:
    """The parts as one frame, in the order of experiments, places as names."""
    joined = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
    order = np.argsort(joined["order"], kind="stable")
    columns: dict[str, Any] = {
        "experiment": arms.experiments.gather(joined.pop("order")[order]),
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
