"""Estimators that take out of a difference what covariates foretell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from labfactory.base.errors import UsageError, nearest
from labfactory.lab.adjustment import Contrast, linearised_arms
from labfactory.lab.estimators import Sample, welch_degrees
from labfactory.lab.robust import Errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labfactory.lab.co_moments import CoMoments
    from labfactory.lab.metric import Metric

# A covariate is left out of a fit when the others explain it to this share of its variance.
_COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Cuped:
    """Difference of means, less what covariates from before the experiment foretell of it.

    One set of coefficients for both arms, from their pooled moments, so that the variance falls by the
    square of the multiple correlation. A null covariate, as of a customer without history, is read as 0.

    Args:
        *columns: Columns of covariates for every metric, or a mapping from metric to its columns. They must
            be fixed before exposure: a covariate that the treatment moves makes the difference wrong.

    Raises:
        UsageError: `estimator`, when no column is named.

    References:
        Deng, Xu, Kohavi and Walker (2013), "Improving the sensitivity of online controlled experiments by
        utilizing pre-experiment data", eq. 4.

    Example:
        >>> Cuped("history").name
        'cuped(history)'
        >>> Cuped({"spend": ["spend_before", "visits_before"]}).covariates("spend")
        ('spend_before', 'visits_before')
    """

    named: tuple[tuple[str | None, tuple[str, ...]], ...]

    def __init__(self, *columns: str | Mapping[str, str | Sequence[str]]) -> None:
        object.__setattr__(self, "named", _named_columns(columns))

    def __repr__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Name and covariates."""
        return f"cuped({_listed(self.named)})"

    @property
    def stratum(self) -> None:
        """None."""
        return

    def covariates(self, metric: str) -> tuple[str, ...]:
        """Columns of covariates for a metric."""
        return next((columns for name, columns in self.named if name in (None, metric)), ())

    def contrast(self, metric: Metric, strata: Sequence[tuple[CoMoments, CoMoments]]) -> Contrast | None:
        """Adjusted means at the pooled covariates."""
        arms = linearised_arms(metric, strata[0])
        if arms is None:
            return None
        pooled = strata[0][0].merged(strata[0][1])
        together = pooled.linearised(metric)
        theta = _solved(together.products[1:, 1:], together.products[1:, 0])
        return _adjusted(arms, together, (theta, theta), spent=0)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Regression(Cuped):
    """Difference of means by a regression on covariates within each arm: Lin's interacted least squares.

    The estimate is the coefficient of treatment in least squares with covariates centred at their pooled
    mean and interacted with treatment. Its variance is that of each arm's residuals, which may differ, and of
    the pooled covariate mean; all of it comes from moments. Where arms differ in size or in slope it is
    never less precise than `Cuped` in large samples.

    Args:
        *columns: As in `Cuped`.
        errors: `residual` takes one variance of the residuals for each arm, adds what the covariates' pooled
            mean leaves open, and works on sums. `hc0` to `hc3` let the spread of residuals follow the
            covariates, take that mean as it is, and read the rows, which are held in memory.

    Raises:
        UsageError: `estimator`, when no column is named, or the errors are none of these.

    References:
        MacKinnon and White (1985), "Some heteroskedasticity-consistent covariance matrix estimators with
        improved finite sample properties". Lin (2013), "Agnostic notes on regression adjustments to
        experimental data", Annals of Applied Statistics. Negi and Wooldridge (2021), "Revisiting regression
        adjustment in experiments with heterogeneous treatment effects".

    Example:
        >>> Regression("history").name
        'regression(history)'
        >>> Regression("history", errors="hc2").name
        'regression(history, hc2)'
    """

    errors: Errors

    def __init__(
        self, *columns: str | Mapping[str, str | Sequence[str]], errors: Errors = "residual"
    ) -> None:
        Cuped.__init__(self, *columns)
        if errors not in get_args(Errors):
            message = f"expected errors of {', '.join(get_args(Errors))}, found {errors!r}"
            raise UsageError(message, code="estimator", hint=nearest(str(errors), get_args(Errors)))
        object.__setattr__(self, "errors", errors)

    @property
    def name(self) -> str:
        """Name, covariates, and errors that are not the residuals' own."""
        errors = "" if self.errors == "residual" else f", {self.errors}"
        return f"regression({_listed(self.named)}{errors})"

    def contrast(self, metric: Metric, strata: Sequence[tuple[CoMoments, CoMoments]]) -> Contrast | None:
        """Predicted means at the pooled covariates, by each arm's own coefficients."""
        arms = linearised_arms(metric, strata[0])
        if arms is None:
            return None
        together = strata[0][0].merged(strata[0][1]).linearised(metric)
        slopes = [_solved(arm.products[1:, 1:], arm.products[1:, 0]) for arm in arms]
        return _adjusted(arms, together, (slopes[0], slopes[1]), spent=len(slopes[0]))


def _adjusted(
    arms: tuple[CoMoments, CoMoments],
    together: CoMoments,
    slopes: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    spent: int,
) -> Contrast:
    """Arm means moved along their slopes to the pooled covariates.

    An adjusted mean is (mean - slope x mean of covariates) + slope x pooled mean of covariates. The first
    part belongs to the arm alone; the second is shared, and falls out of the difference when the slopes are
    equal.
    """
    values: list[tuple[float, float]] = []
    own = []
    for arm, slope in zip(arms, slopes, strict=True):
        distance = (arm.means[1:] - together.means[1:]) + (arm.rests[1:] - together.rests[1:])
        moved = float(slope @ distance)
        value = float(arm.means[0]) - moved
        values.append((value, (float(arm.means[0]) - value) - moved + float(arm.rests[0])))
        residual = (
            arm.products[0, 0] - 2 * (slope @ arm.products[1:, 0]) + slope @ arm.products[1:, 1:] @ slope
        )
        freedom = arm.count - 1 - spent
        own.append(max(float(residual), 0.0) / freedom / arm.count if freedom > 0 else 0.0)
    counts = [arm.count for arm in arms]
    if min(counts) - 1 - spent < 1:
        samples = [
            Sample(count, value, 0.0, rest=rest) for count, (value, rest) in zip(counts, values, strict=True)
        ]
        return Contrast(samples[0], samples[1], None)
    gap = slopes[1] - slopes[0]
    mean_covariance = together.covariance[1:, 1:] / together.count
    # What the pooled mean adds where slopes differ is no arm's own: half to each.
    common = float(gap @ mean_covariance @ gap) / 2
    control, treatment = (
        Sample(count, value, (part + common) * count, rest=rest)
        for count, (value, rest), part in zip(counts, values, own, strict=True)
    )
    degrees = welch_degrees(
        (own[0] + common, counts[0] - 1 - spent), (own[1] + common, counts[1] - 1 - spent)
    )
    if spent:
        shared = (
            own[0] + float(slopes[0] @ mean_covariance @ slopes[0]),
            own[1] + float(slopes[1] @ mean_covariance @ slopes[1]),
            float(slopes[0] @ mean_covariance @ slopes[1]),
        )
    else:
        shared = _shared_by_one_slope(arms, together, slopes[0], own)
    return Contrast(control, treatment, degrees, shared)


def _shared_by_one_slope(
    arms: tuple[CoMoments, CoMoments],
    together: CoMoments,
    slope: NDArray[np.float64],
    own: Sequence[float],
) -> tuple[float, float, float]:
    """Variances and covariance of both adjusted means.

    A pooled slope leaves residuals that covary with the covariates of their arm.
    """
    shares = [arm.count / together.count for arm in arms]
    # Of each arm: residual mean with covariate part, and covariate part with itself.
    crossed, squared = [], []
    for arm in arms:
        covariance = arm.covariance / arm.count
        squared.append(float(slope @ covariance[1:, 1:] @ slope))
        crossed.append(float(slope @ covariance[1:, 0]) - squared[-1])
    moved = sum(share**2 * square for share, square in zip(shares, squared, strict=True))
    variances = [
        part + 2 * share * cross + moved for part, share, cross in zip(own, shares, crossed, strict=True)
    ]
    covariance_of_both = moved + sum(share * cross for share, cross in zip(shares, crossed, strict=True))
    return variances[0], variances[1], covariance_of_both


def _solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares coefficients by elimination; a covariate that the earlier ones explain gets 0."""
    work, out = matrix.astype(np.float64).copy(), right.astype(np.float64).copy()
    used = []
    for i in range(len(out)):
        if not work[i, i] > _COLLINEAR * matrix[i, i]:
            continue
        used.append(i)
        for j in range(len(out)):
            if j != i:
                factor = work[j, i] / work[i, i]
                work[j] -= factor * work[i]
                out[j] -= factor * out[i]
    solution = np.zeros(len(out))
    for i in used:
        solution[i] = out[i] / work[i, i]
    return solution


def _named_columns(
    columns: tuple[str | Mapping[str, str | Sequence[str]], ...],
) -> tuple[tuple[str | None, tuple[str, ...]], ...]:
    if len(columns) == 1 and isinstance(columns[0], Mapping):
        return tuple(
            (metric, (names,) if isinstance(names, str) else tuple(names))
            for metric, names in columns[0].items()
        )
    plain = tuple(column for column in columns if isinstance(column, str))
    if not plain or len(plain) < len(columns):
        message = f"expected columns of covariates, found {', '.join(map(repr, columns)) or 'none'}"
        raise UsageError(
            message, code="estimator", hint="name columns, or one mapping from metric to columns"
        )
    return ((None, plain),)


def _listed(named: tuple[tuple[str | None, tuple[str, ...]], ...]) -> str:
    return "; ".join(
        ", ".join(columns) if metric is None else f"{metric}: {', '.join(columns)}"
        for metric, columns in named
    )
