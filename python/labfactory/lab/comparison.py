"""What is said of one metric in one treatment, of one segment, and of what may be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from labfactory.lab.metric import Direction, Kind, Role  # noqa: TC001 (pydantic reads annotations at run time)


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant's units.

    Args:
        variant: Its name.
        observed: Units that came.
        expected: Units that the planned weights expect, given how many came to variants with weight.
    """

    variant: str
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric in one treatment against the control.

    What is not defined on the data is None, never 0 or infinite; a flag of the evaluation says why.

    Args:
        metric: Name of the metric.
        role: `goal`, `secondary` or `guardrail`.
        kind: `mean`, `count`, `proportion`, `ratio` or `quantile`.
        direction: Which way is better.
        variant: Name of the treatment.
        control_n: Units of the control with an outcome.
        treatment_n: Units of the treatment with an outcome.
        control_value: The metric in the control, adjusted where the method adjusts.
        treatment_value: The metric in the treatment, likewise.
        difference: Treatment minus control, in the metric's unit.
        lower: Lower bound of the two-sided interval at 1 - alpha.
        upper: Upper bound.
        relative: Difference over the control value; 0.02 is two percent.
        relative_lower: Lower bound of the relative lift; it excludes 0 exactly when `lower` and `upper` do.
        relative_upper: Upper bound.
        p: Two-sided p-value, not corrected; below 5e-324 it is given as that.
        margin: Tolerated worsening of a guardrail, in the metric's unit.
        noninferior: Whether the interval rules out a worsening of the margin; None without margin or
            interval.
        method: What the interval comes from, as `welch` or `cuped(history)`.
        standard_error: Of the difference; None where it has no distribution.
        adjusted_p: p-value after the evaluation's correction for several comparisons; None without one.
        chance_to_win: Posterior probability that the treatment is better; None unless a prior was given.
        expected_loss: Posterior mean of what is lost where it is not, in the metric's unit; None likewise.
    """

    metric: str
    role: Role
    kind: Kind
    direction: Direction
    variant: str
    control_n: int
    treatment_n: int
    control_value: float | None
    treatment_value: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    relative: float | None
    relative_lower: float | None
    relative_upper: float | None
    p: float | None
    margin: float | None
    noninferior: bool | None
    method: str = "welch"
    standard_error: float | None = None
    adjusted_p: float | None = None
    chance_to_win: float | None = None
    expected_loss: float | None = None


@dataclass(frozen=True, slots=True)
class SegmentComparison:
    """One comparison within one segment.

    Args:
        dimension: Column of the segments.
        segment: Its value; None for units without one.
        row: The comparison of its units. `adjusted_p` holds the rate of false discoveries over all segments
            of the evaluation (Benjamini and Hochberg).
    """

    dimension: str
    segment: str | None
    row: Comparison


@dataclass(frozen=True, slots=True)
class Interaction:
    """Whether a treatment does not do the same in all segments.

    Args:
        dimension: Column of the segments.
        metric: Name of the metric.
        variant: Name of the treatment.
        segments: Segments that have an interval.
        statistic: Weighted sum of squared distances of the segments' differences from their common one.
        p: p-value of that sum by chi-square; None for fewer than two segments.
        adjusted_p: With the rate of false discoveries held over all interactions of the evaluation.
    """

    dimension: str
    metric: str
    variant: str
    segments: int
    statistic: float | None
    p: float | None
    adjusted_p: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """A test of whether the figures may be trusted; a flag says when it failed.

    Args:
        name: `sample_ratio`, `pre_period_imbalance`, `novelty` or `outlier_share`.
        metric: The metric or covariate that it concerns; None for all.
        variant: The variant that it concerns; None for all.
        segment: The segment, as `channel=email`; None for all.
        p: p-value, where the check is a test.
        value: Its figure, where it is none: the share of the variance that the farthest unit makes.
    """

    name: str
    metric: str | None = None
    variant: str | None = None
    segment: str | None = None
    p: float | None = None
    value: float | None = None
