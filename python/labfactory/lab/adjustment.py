"""Estimators that read moments: the plain difference, and those that take known noise out of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from labfactory.base.errors import UsageError
from labfactory.lab.estimators import Sample, welch_degrees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labfactory.lab.co_moments import CoMoments
    from labfactory.lab.metric import Metric

# A covariate is left out of a fit when the others explain it to this share of its variance.
_COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True)
class Contrast:
    """One metric in a control and a treatment, ready to be tested.

    Args:
        control: The control: units, estimate, and variance such that the variance of the difference is
            the sum of both mean variances.
        treatment: The treatment, likewise.
        degrees: Degrees of freedom of t; infinite for a normal distribution, None where nothing can be
            tested: an arm of one unit, or no variance in either.
        shared: Variances of both estimates and their covariance, where an adjustment makes them dependent;
            what the relative lift needs. None when they are those of `control` and `treatment`.
    """

    control: Sample
    treatment: Sample
    degrees: float | None
    shared: tuple[float, float, float] | None = None

    @property
    def variance(self) -> float:
        """Variance of the difference."""
        return self.control.mean_variance + self.treatment.mean_variance

    def scaled(self, factor: float) -> Contrast:
        """The same estimates, all variances multiplied by a factor."""
        if factor == 1.0:
            return self
        samples = [
            Sample(each.count, each.mean, each.variance * factor) for each in (self.control, self.treatment)
        ]
        shared = None if self.shared is None else tuple(factor * each for each in self.shared)
        return Contrast(samples[0], samples[1], self.degrees, shared)  # type: ignore[arg-type]


class Estimator(Protocol):
    """How two arms are compared: a frozen value that says which sums it needs and makes a contrast of them.

    `Welch`, `ZTest`, `Cuped`, `Regression`, `PostStratified`, `Bayes` and `Bootstrap` are such estimators.
    """

    @property
    def name(self) -> str:
        """Name and settings in one line; every evaluation carries it."""
        ...

    @property
    def stratum(self) -> str | None:
        """Column of strata; None when it needs none."""
        ...

    def covariates(self, metric: str) -> tuple[str, ...]:
        """Columns of covariates for a metric."""
        ...

    def contrast(self, metric: Metric, strata: Sequence[tuple[CoMoments, CoMoments]]) -> Contrast | None:
        """Compare the arms.

        Args:
            metric: What is measured.
            strata: Control and treatment, by stratum; one pair without strata.

        Returns:
            The contrast; None where an arm has no value.
        """
        ...


@dataclass(frozen=True, slots=True)
class Welch:
    """Difference of means by Welch's t-test: what an evaluation does unless told otherwise.

    References:
        Welch (1947), "The generalization of Student's problem when several different population variances are
        involved".

    Example:
        >>> Welch().name
        'welch'
    """

    @property
    def name(self) -> str:
        """Its name."""
        return "welch"

    @property
    def stratum(self) -> None:
        """None."""
        return

    def covariates(self, metric: str) -> tuple[str, ...]:
        """None."""
        del metric
        return ()

    def contrast(self, metric: Metric, strata: Sequence[tuple[CoMoments, CoMoments]]) -> Contrast | None:
        """Means, or ratios by the delta method, with Satterthwaite's degrees of freedom."""
        arms = _linearised(metric, strata[0])
        if arms is None:
            return None
        control, treatment = arms[0].sample, arms[1].sample
        return Contrast(control, treatment, _degrees(control, treatment))


@dataclass(frozen=True, slots=True)
class ZTest(Welch):
    """Difference of means by the normal distribution, for samples so large that t makes no difference.

    Example:
        >>> ZTest().name
        'z'
    """

    @property
    def name(self) -> str:
        """Its name."""
        return "z"

    def contrast(self, metric: Metric, strata: Sequence[tuple[CoMoments, CoMoments]]) -> Contrast | None:
        """Means, or ratios by the delta method."""
        return _normal(Welch.contrast(self, metric, strata))


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
        return f"{self._kind}({_listed(self.named)})"

    @property
    def _kind(self) -> str:
        return "cuped"

    @property
    def stratum(self) -> None:
        """None."""
        return

    def covariates(self, metric: str) -> tuple[str, ...]:
        """Columns of covariates for a metric."""
        return next((columns for name, columns in self.named if name in (None, metric)), ())

    def contrast(self, metric: Metric, strata: Sequence[tuple[CoMoments, CoMoments]]) -> Contrast | None:
        """Adjusted means at the pooled covariates."""
        arms = _linearised(metric, strata[0])
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

    Raises:
        UsageError: `estimator`, when no column is named.

    References:
        Lin (2013), "Agnostic notes on regression adjustments to experimental data", Annals of Applied
        Statistics. Negi and Wooldridge (2021), "Revisiting regression adjustment in experiments with
        heterogeneous treatment effects".

    Example:
        >>> Regression("history").name
        'regression(history)'
    """

    @property
    def _kind(self) -> str:
        return "regression"

    def contrast(self, metric: Metric, strata: Sequence[tuple[CoMoments, CoMoments]]) -> Contrast | None:
        """Predicted means at the pooled covariates, by each arm's own coefficients."""
        arms = _linearised(metric, strata[0])
        if arms is None:
            return None
        together = strata[0][0].merged(strata[0][1]).linearised(metric)
        slopes = [_solved(arm.products[1:, 1:], arm.products[1:, 0]) for arm in arms]
        return _adjusted(arms, together, (slopes[0], slopes[1]), spent=len(slopes[0]))


@dataclass(frozen=True, slots=True)
class PostStratified:
    """Difference of means within strata, weighted by each stratum's share of all units.

    Strata in which an arm has fewer than two units are put together into one; when that one is too small as
    well, the arms are compared without strata.

    Args:
        stratum: Column of strata, fixed before exposure: text, integers or booleans.

    References:
        Miratrix, Sekhon and Yu (2013), "Adjusting treatment effect estimates by post-stratification in
        randomized experiments".

    Example:
        >>> PostStratified("channel").name
        'post_stratified(channel)'
    """

    stratum: str

    @property
    def name(self) -> str:
        """Name and stratum."""
        return f"post_stratified({self.stratum})"

    def covariates(self, metric: str) -> tuple[str, ...]:
        """None."""
        del metric
        return ()

    def contrast(self, metric: Metric, strata: Sequence[tuple[CoMoments, CoMoments]]) -> Contrast | None:
        """Weighted means of the strata."""
        arms = _linearised(metric, _together(strata))
        if arms is None:
            return None
        kept = _large_enough(strata)
        sizes = [control.count + treatment.count for control, treatment in kept]
        shares = [size / sum(sizes) for size in sizes]
        control, control_parts = _weighted(metric, [pair[0] for pair in kept], shares)
        treatment, treatment_parts = _weighted(metric, [pair[1] for pair in kept], shares)
        return Contrast(control, treatment, welch_degrees(*control_parts, *treatment_parts))


def _linearised(metric: Metric, pair: tuple[CoMoments, CoMoments]) -> tuple[CoMoments, CoMoments] | None:
    control, treatment = (arm.linearised(metric) for arm in pair)
    if (
        control.count == 0
        or treatment.count == 0
        or not np.isfinite([control.means[0], treatment.means[0]]).all()
    ):
        return None
    return control, treatment


def _degrees(control: Sample, treatment: Sample) -> float | None:
    return welch_degrees(
        (control.mean_variance, control.count - 1), (treatment.mean_variance, treatment.count - 1)
    )


def _normal(contrast: Contrast | None) -> Contrast | None:
    if contrast is None or contrast.degrees is None:
        return contrast
    return Contrast(contrast.control, contrast.treatment, math.inf, contrast.shared)


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
    values, own = [], []
    for arm, slope in zip(arms, slopes, strict=True):
        distance = (arm.means[1:] - together.means[1:]) + (arm.rests[1:] - together.rests[1:])
        values.append(float(arm.means[0] - slope @ distance))
        residual = (
            arm.products[0, 0] - 2 * (slope @ arm.products[1:, 0]) + slope @ arm.products[1:, 1:] @ slope
        )
        freedom = arm.count - 1 - spent
        own.append(max(float(residual), 0.0) / freedom / arm.count if freedom > 0 else 0.0)
    counts = [arm.count for arm in arms]
    if min(counts) - 1 - spent < 1:
        samples = [Sample(count, value, 0.0) for count, value in zip(counts, values, strict=True)]
        return Contrast(samples[0], samples[1], None)
    gap = slopes[1] - slopes[0]
    mean_covariance = together.covariance[1:, 1:] / together.count
    # What the pooled mean adds where slopes differ is no arm's own: half to each.
    common = float(gap @ mean_covariance @ gap) / 2
    control, treatment = (
        Sample(count, value, (part + common) * count)
        for count, value, part in zip(counts, values, own, strict=True)
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


def _together(strata: Sequence[tuple[CoMoments, CoMoments]]) -> tuple[CoMoments, CoMoments]:
    control, treatment = strata[0]
    for more_control, more_treatment in strata[1:]:
        control, treatment = control.merged(more_control), treatment.merged(more_treatment)
    return control, treatment


def _large_enough(strata: Sequence[tuple[CoMoments, CoMoments]]) -> list[tuple[CoMoments, CoMoments]]:
    large = [pair for pair in strata if min(arm.count for arm in pair) >= 2]
    small = [pair for pair in strata if min(arm.count for arm in pair) < 2]
    if not small:
        return large
    rest = _together(small)
    if min(arm.count for arm in rest) >= 2:
        return [*large, rest]
    return [_together(strata)]


def _weighted(
    metric: Metric, arms: Sequence[CoMoments], shares: Sequence[float]
) -> tuple[Sample, list[tuple[float, int]]]:
    """An arm's mean or ratio over weighted strata, and the part of each in its variance."""
    outcomes = len(metric.columns)
    means = np.array(shares) @ np.array([arm.means[:outcomes] for arm in arms])
    if metric.kind == "ratio":
        value = float(means[0] / means[1])
        gradient = np.array([1.0, -value]) / means[1]
    else:
        value, gradient = float(means[0]), np.ones(1)
    parts = []
    for share, arm in zip(shares, arms, strict=True):
        own = arm.covariance[:outcomes, :outcomes] if arm.count > 1 else np.zeros((outcomes, outcomes))
        variance = max(float(gradient @ own @ gradient), 0.0)
        parts.append((share**2 * variance / arm.count, arm.count - 1))
    count = sum(arm.count for arm in arms)
    return Sample(count, value, math.fsum(part for part, _ in parts) * count), parts


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
