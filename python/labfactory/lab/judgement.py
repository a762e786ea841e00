"""What a contrast says at an error level: interval, p-value or posterior, and the lift that agrees."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labfactory.lab.estimators import Difference, Sample, lift_over, relative_lift, two_sided

if TYPE_CHECKING:
    from labfactory.lab.adjustment import Contrast


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one difference; None where it has no distribution.

    Args:
        value: Treatment minus control.
        standard_error: Of the difference.
        lower: Lower bound of the interval.
        upper: Upper bound.
        p: Two-sided p-value; None for posteriors.
        relative: Difference over the control; None when the control is not above 0.
        relative_lower: Lower bound of the lift.
        relative_upper: Upper bound.
        chance_to_win: Posterior probability that the treatment is better; None for tests.
        expected_loss: Posterior mean of what is lost where it is not; None for tests.
    """

    value: float
    standard_error: float | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    relative: float | None = None
    relative_lower: float | None = None
    relative_upper: float | None = None
    chance_to_win: float | None = None
    expected_loss: float | None = None


def untested(contrast: Contrast) -> Judgement:
    """The difference alone, where nothing more is known."""
    value = contrast.treatment.minus(contrast.control)
    return Judgement(value, relative=lift_over(contrast.control.mean, value))


def is_testable(contrast: Contrast) -> bool:
    """Whether the difference has a distribution."""
    return contrast.degrees is not None and contrast.variance > 0


def by_test(contrast: Contrast, *, alpha: float) -> Judgement:
    """The two-sided test of a contrast that has a distribution."""
    degrees = math.inf if contrast.degrees is None else contrast.degrees
    return with_lift(contrast, two_sided(contrast.control, contrast.treatment, alpha=alpha, degrees=degrees))


def with_lift(contrast: Contrast, difference: Difference) -> Judgement:
    """A difference, whichever method gave its interval, and the lift that inverts the same test."""
    lift = None
    if lift_over(contrast.control.mean, difference.value) is not None:
        control, treatment, covariance = _marginal(contrast)
        lift = relative_lift(control, treatment, difference, covariance=covariance)
    return Judgement(
        value=difference.value,
        standard_error=math.sqrt(contrast.variance),
        lower=difference.lower,
        upper=difference.upper,
        p=difference.p,
        relative=lift.value if lift else None,
        relative_lower=lift.lower if lift else None,
        relative_upper=lift.upper if lift else None,
    )


def _marginal(contrast: Contrast) -> tuple[Sample, Sample, float]:
    """Both estimates with their own variances, and their covariance."""
    control, treatment = contrast.control, contrast.treatment
    if contrast.shared is None:
        return control, treatment, 0.0
    first, second, covariance = contrast.shared
    return (
        replace(control, variance=first * control.count),
        replace(treatment, variance=second * treatment.count),
        covariance,
    )
