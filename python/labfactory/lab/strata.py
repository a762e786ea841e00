"""The estimator that compares within strata."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labfactory.lab.adjustment import Contrast, linearised_arms
from labfactory.lab.estimators import Sample, welch_degrees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.co_moments import CoMoments
    from labfactory.lab.metric import Metric


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
        arms = linearised_arms(metric, _together(strata))
        if arms is None:
            return None
        kept = _large_enough(strata)
        sizes = [control.count + treatment.count for control, treatment in kept]
        shares = [size / sum(sizes) for size in sizes]
        control, control_parts = _weighted(metric, [pair[0] for pair in kept], shares)
        treatment, treatment_parts = _weighted(metric, [pair[1] for pair in kept], shares)
        return Contrast(control, treatment, welch_degrees(*control_parts, *treatment_parts))


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
