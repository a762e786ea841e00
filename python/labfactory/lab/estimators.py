"""Estimators over summaries: Welch's interval, the lift that agrees with it, the sample-ratio test.

Everything here works on counts, means and variances; nothing looks at rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

# The smallest double above 0: a p-value of exactly 0 would be a claim that no data can make.
SMALLEST_P = 5e-324


@dataclass(frozen=True, slots=True)
class Sample:
    """One arm's outcomes, summed up.

    Args:
        count: Number of values.
        mean: Their mean.
        variance: Their variance with divisor `count - 1`.
        rest: What the mean leaves out where it is known in two doubles: large means differ by less than they
            are rounded by.
    """

    count: int
    mean: float
    variance: float
    rest: float = field(default=0.0, kw_only=True)

    @property
    def mean_variance(self) -> float:
        """Variance of the mean."""
        return self.variance / self.count

    def minus(self, other: Sample) -> float:
        """The difference of both means."""
        return (self.mean - other.mean) + (self.rest - other.rest)


class Difference(NamedTuple):
    """Treatment minus control, with its interval and test.

    Attributes:
        value: Difference of the means.
        lower: Lower bound of the two-sided interval.
        upper: Upper bound.
        p: Two-sided p-value; never 0, tails that underflow give 5e-324.
        critical: Quantile of t behind the interval.
    """

    value: float
    lower: float
    upper: float
    p: float
    critical: float


class Lift(NamedTuple):
    """Difference relative to the control mean.

    Attributes:
        value: Point estimate; 0.02 is two percent.
        lower: Lower bound; None when the set of lifts that the data allow is unbounded.
        upper: Upper bound; None likewise.
    """

    value: float
    lower: float | None
    upper: float | None


class SampleRatio(NamedTuple):
    """Whether units came to the arms in the planned shares.

    Attributes:
        p: p-value of the chi-square test; None when fewer than two arms have planned weight, or nobody came.
        expected: Expected units by arm; 0 for arms of weight 0.
    """

    p: float | None
    expected: tuple[float, ...]


def welch(control: Sample, treatment: Sample, *, alpha: float) -> Difference | None:
    """Welch's t-test and interval, with Satterthwaite's degrees of freedom.

    Args:
        control: Outcomes of the control arm.
        treatment: Outcomes of the treatment arm.
        alpha: Two-sided error level; the interval covers with probability 1 - alpha.

    Returns:
        The difference; None where it has no distribution: an arm of fewer than two values, or no variance in
        either.

    References:
        Welch (1947), "The generalization of Student's problem when several different population variances are
        involved". Satterthwaite (1946), "An approximate distribution of estimates of variance components".

    Example:
        >>> difference = welch(Sample(100, 1.0, 1.0), Sample(100, 1.5, 1.0), alpha=0.05)
        >>> round(difference.lower, 4), round(difference.p, 6)
        (0.2211, 0.000507)
    """
    degrees = welch_degrees(
        (control.mean_variance, control.count - 1), (treatment.mean_variance, treatment.count - 1)
    )
    return None if degrees is None else two_sided(control, treatment, alpha=alpha, degrees=degrees)


def welch_degrees(*parts: tuple[float, int]) -> float | None:
    """Satterthwaite's degrees of freedom of a sum of estimated variances.

    Args:
        *parts: Each variance, and the degrees of freedom that it was estimated with.

    Returns:
        The degrees; None where a part has none, or there is no variance at all.

    Example:
        >>> welch_degrees((1.0, 10), (1.0, 10))
        20.0
    """
    variance = sum(part for part, _ in parts)
    if min(degrees for _, degrees in parts) < 1 or not variance > 0.0:
        return None
    # As shares of the variance, so that neither tiny nor huge units under- or overflow when squared.
    return 1.0 / sum((part / variance) ** 2 / degrees for part, degrees in parts)


def two_sided(
    control: Sample,
    treatment: Sample,
    *,
    alpha: float,
    degrees: float = math.inf,
    covariance: float = 0.0,
) -> Difference:
    """The two-sided test and interval of a difference, by Student's t or the normal distribution.

    Args:
        control: The control.
        treatment: The treatment; one of both has a variance.
        alpha: Two-sided error level.
        degrees: Degrees of freedom of t; infinite for the normal distribution.
        covariance: Of both means; 0 unless they share an adjustment.

    Returns:
        The difference.

    Example:
        >>> round(two_sided(Sample(100, 1.0, 1.0), Sample(100, 1.5, 1.0), alpha=0.05).p, 6)
        0.000407
    """
    error = math.sqrt(control.mean_variance + treatment.mean_variance - 2.0 * covariance)
    value = treatment.minus(control)
    # Survival functions by symmetry, never 1 - cdf, which is 0 beyond eight standard errors.
    if math.isinf(degrees):
        critical, tail = -float(special.ndtri(alpha / 2)), float(special.ndtr(-abs(value) / error))
    else:
        critical = -float(special.stdtrit(degrees, alpha / 2))
        tail = float(special.stdtr(degrees, -abs(value) / error))
    half_width = critical * error
    p = max(min(1.0, 2.0 * tail), SMALLEST_P)
    return Difference(value, value - half_width, value + half_width, p, critical)


def relative_lift(
    control: Sample, treatment: Sample, difference: Difference, *, covariance: float = 0.0
) -> Lift:
    """The lift relative to the control mean, whose interval excludes 0 exactly when the absolute one does.

    The interval holds every lift d for which the test of mean_T - (1 + d) mean_C = 0 is not rejected, with
    the critical value of the absolute test, whichever method that came from. At d = 0 that is the absolute
    test itself, so the two cannot disagree; a delta-method interval can. Where the control mean is itself
    not told from 0, the set is unbounded and no bounds are given.

    Args:
        control: Outcomes of the control arm, of positive mean.
        treatment: Outcomes of the treatment arm.
        difference: The interval of their difference, symmetric about it.
        covariance: Of both means; 0 unless they share an adjustment.

    Returns:
        The lift.

    References:
        Fieller (1954), "Some problems in interval estimation".

    Example:
        >>> control, treatment = Sample(100, 1.0, 1.0), Sample(100, 1.5, 1.0)
        >>> lift = relative_lift(control, treatment, welch(control, treatment, alpha=0.05))
        >>> round(lift.value, 3), round(lift.lower, 3), round(lift.upper, 3)
        (0.5, 0.193, 0.928)
    """
    # In units of the control mean: (v - d)^2 <= t^2 (V_T - 2 (1 + d) C + (1 + d)^2 V_C), which is
    # a d^2 - 2 b d + c <= 0.
    value = difference.value / control.mean
    # Products, not powers: they may become infinite, which is told apart below.
    unit = difference.critical / control.mean
    control_part, treatment_part, shared_part = (
        unit * part * unit for part in (control.mean_variance, treatment.mean_variance, covariance)
    )
    a = 1.0 - control_part
    if not (a > 0.0 and math.isfinite(treatment_part + shared_part)):
        return Lift(value, None, None)
    b = value + control_part - shared_part
    # The product of the absolute bounds, and a times that of both roots: one sign, so one decision.
    c = (difference.lower / control.mean) * (difference.upper / control.mean)
    # b^2 - a c without the terms that cancel.
    square = treatment_part * a + control_part * (1.0 + value) ** 2
    square += shared_part * (shared_part - 2.0 * (1.0 + value))
    root = math.sqrt(max(square, 0.0))
    # The root of larger size first, the other from their product: no cancellation.
    larger = (b + math.copysign(root, b)) / a
    smaller = c / (a * larger) if larger != 0.0 else 0.0
    return Lift(value, min(smaller, larger), max(smaller, larger))


def lift_over(control_mean: float, difference: float) -> float | None:
    """A difference relative to the control mean; None unless that is above 0 and the lift a number."""
    if not control_mean > 0:
        return None
    lift = difference / control_mean
    return lift if math.isfinite(lift) else None


def is_noninferior(difference: Difference, *, direction: str, margin: float) -> bool:
    """Whether the interval rules out a worsening of `margin` or more.

    A two-sided interval at alpha makes this a one-sided test at alpha / 2, as regulators ask of
    non-inferiority trials.

    Args:
        difference: Treatment minus control.
        direction: `increase` or `decrease`, whichever is better.
        margin: Tolerated worsening, above 0, in the metric's unit.

    Returns:
        True when it is shown; False when it is not, which is no proof of harm.

    References:
        ICH E9 (1998), "Statistical principles for clinical trials", 3.3.2 and 5.5.

    Example:
        >>> difference = welch(Sample(100, 1.0, 1.0), Sample(100, 1.0, 1.0), alpha=0.05)
        >>> is_noninferior(difference, direction="increase", margin=0.5)
        True
    """
    return difference.lower > -margin if direction == "increase" else difference.upper < margin


def sample_ratio(observed: Sequence[int], weights: Sequence[float]) -> SampleRatio:
    """Pearson's chi-square test of the units per arm against the planned weights.

    Arms of weight 0 take no part: they have no expectation, count no degree of freedom, and units that
    strayed into them do not make the others look unbalanced.

    Args:
        observed: Units of each arm.
        weights: Planned share of each arm, 0 or more, summing to 1.

    Returns:
        The p-value and the expected units.

    References:
        Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments".

    Example:
        >>> round(sample_ratio([5000, 5200, 0], [0.5, 0.5, 0.0]).p, 4)
        0.0477
    """
    planned = [i for i, weight in enumerate(weights) if weight > 0]
    units = sum(observed[i] for i in planned)
    expected = tuple(units * weight for weight in weights)
    if len(planned) < 2 or units == 0:
        return SampleRatio(None, expected)
    statistic = sum((observed[i] - expected[i]) ** 2 / expected[i] for i in planned)
    return SampleRatio(max(float(special.chdtrc(len(planned) - 1, statistic)), SMALLEST_P), expected)


def heterogeneity(differences: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Cochran's Q: whether differences with these variances may be one and the same.

    Args:
        differences: Difference and its variance, of independent parts.

    Returns:
        Statistic and p-value; None for fewer than two differences with a variance.

    References:
        Cochran (1954), "The combination of estimates from different experiments".

    Example:
        >>> statistic, p = heterogeneity([(0.0731, 0.0046**2), (0.0111, 0.0044**2)])
        >>> round(statistic ** 0.5, 1)
        9.7
    """
    known = [(value, variance) for value, variance in differences if variance > 0]
    if len(known) < 2:
        return None, None
    weight = sum(1 / variance for _, variance in known)
    common = sum(value / variance for value, variance in known) / weight
    statistic = sum((value - common) ** 2 / variance for value, variance in known)
    return statistic, max(float(special.chdtrc(len(known) - 1, statistic)), SMALLEST_P)
