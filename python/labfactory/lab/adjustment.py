"""Estimators that read moments: what each has to say, and the plain difference."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from labfactory.lab.estimators import Sample, welch_degrees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.co_moments import CoMoments
    from labfactory.lab.metric import Metric


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
        samples = [replace(each, variance=each.variance * factor) for each in (self.control, self.treatment)]
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
        arms = linearised_arms(metric, strata[0])
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


def linearised_arms(metric: Metric, pair: tuple[CoMoments, CoMoments]) -> tuple[CoMoments, CoMoments] | None:
    """Both arms with a ratio as one number; None where an arm has no value."""
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
