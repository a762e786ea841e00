"""From summed responses to an evaluation: every comparison, and every reservation about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labfactory.base.errors import StatisticsError
from labfactory.lab.estimators import Difference, Lift, is_noninferior, relative_lift, sample_ratio, welch
from labfactory.lab.evaluation import Arm, Comparison, Evaluation
from labfactory.lab.flags import Flag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labfactory.lab.estimators import Sample, SampleRatio
    from labfactory.lab.experiment import Experiment
    from labfactory.lab.metric import Metric
    from labfactory.lab.summary import KeyFaults, Summary

# Below this p-value the units are taken not to have come in the planned shares, as GrowthBook and Eppo do.
MISMATCH_P = 0.001
# Cochran 1954: expected counts below 5 make the chi-square distribution a rough one.
_ROUGH_UNITS = 5
# The usual rule for a normal interval of a proportion: ten events and ten non-events.
_ROUGH_EVENTS = 10


def evaluate(experiment: Experiment, summary: Summary, *, control: str, alpha: float) -> Evaluation:
    """Compare every treatment with the control on every metric.

    Args:
        experiment: What was planned.
        summary: What came.
        control: Name of the control.
        alpha: Error level of each two-sided interval.

    Returns:
        The evaluation.

    Raises:
        StatisticsError: `no_units`, when nobody came to the control.
    """
    if summary.units[control] == 0:
        came = ", ".join(f"{name} {units}" for name, units in summary.units.items())
        message = f"expected units in the control {control!r}, found {came}"
        raise StatisticsError(message, code="no_units")
    names = [control, *(name for name in experiment.variants if name != control)]
    observed = [summary.units[name] for name in names]
    ratio = sample_ratio(observed, [experiment.allocation[name] for name in names])
    arms = tuple(Arm(*arm) for arm in zip(names, observed, ratio.expected, strict=True))
    rows = [
        _compared(name, metric, treatment, summary, control=control, alpha=alpha)
        for name, metric in experiment.metrics.items()
        for treatment in names[1:]
    ]
    return Evaluation(
        experiment=experiment.name,
        hypothesis=experiment.hypothesis.text,
        minimum_effect=experiment.hypothesis.minimum_effect,
        preregistration=experiment.preregistration,
        control=control,
        alpha=alpha,
        method="welch",
        arms=arms,
        srm_p=ratio.p,
        looks=1,
        corrections=(),
        flags=(
            *_row_flags(summary),
            *_arm_flags(arms, experiment.allocation, ratio),
            *_metric_flags(experiment.metrics, names, summary),
            *(flag for row in rows for flag in _relative_flags(row)),
        ),
        rows=tuple(rows),
    )


def _row_flags(summary: Summary) -> Iterator[Flag]:
    keys: KeyFaults = summary.keys
    for code, count in (
        ("outcome_without_assignment", summary.unassigned),
        ("missing_key", keys.missing),
        ("duplicate_key", keys.repeated),
        ("multiple_exposure", keys.exposed_twice),
    ):
        if count:
            yield Flag(code, count=count)


def _arm_flags(arms: tuple[Arm, ...], allocation: Mapping[str, float], ratio: SampleRatio) -> Iterator[Flag]:
    for arm in arms:
        if allocation[arm.variant] == 0 and arm.observed:
            yield Flag("unplanned_arm", variant=arm.variant, count=arm.observed)
        if allocation[arm.variant] > 0 and not arm.observed:
            yield Flag("arm_missing", variant=arm.variant)
    if ratio.p is None:
        return
    if ratio.p < MISMATCH_P:
        yield Flag("sample_ratio_mismatch")
    if min(arm.expected for arm in arms if allocation[arm.variant] > 0) < _ROUGH_UNITS:
        yield Flag("sample_ratio_rough")


def _metric_flags(metrics: Mapping[str, Metric], names: list[str], summary: Summary) -> Iterator[Flag]:
    """What is odd about one metric in one arm, treatment or control."""
    for name, metric in metrics.items():
        for variant in names:
            outcomes = summary.outcomes[name, variant]
            if outcomes.missing:
                yield Flag("missing_outcome", name, variant, outcomes.missing)
            sample = outcomes.sample
            if sample is None:
                if summary.units[variant]:
                    yield Flag("no_outcome", name, variant)
            elif sample.count == 1:
                yield Flag("one_unit", name, variant)
            elif metric.kind == "proportion" and (events := _rarer(sample)) < _ROUGH_EVENTS:
                yield Flag("few_events", name, variant, events)
            if sample is not None and sample.count > 1 and sample.variance == 0:
                yield Flag("zero_variance", name, variant)


def _rarer(sample: Sample) -> int:
    """Events or non-events of a proportion, whichever are fewer."""
    events = round(sample.mean * sample.count)
    return min(events, sample.count - events)


def _compared(
    name: str, metric: Metric, treatment: str, summary: Summary, *, control: str, alpha: float
) -> Comparison:
    before = summary.outcomes[name, control].sample
    after = summary.outcomes[name, treatment].sample
    difference = lift = None
    if before is not None and after is not None:
        difference = welch(before, after, alpha=alpha)
        lift = _lift(before, after, difference)
    return Comparison(
        metric=name,
        role=metric.role,
        kind=metric.kind,
        direction=metric.direction,
        variant=treatment,
        control_n=before.count if before else 0,
        treatment_n=after.count if after else 0,
        control_value=before.mean if before else None,
        treatment_value=after.mean if after else None,
        difference=after.mean - before.mean if before and after else None,
        lower=difference.lower if difference else None,
        upper=difference.upper if difference else None,
        relative=lift.value if lift else None,
        relative_lower=lift.lower if lift else None,
        relative_upper=lift.upper if lift else None,
        p=difference.p if difference else None,
        margin=metric.margin,
        noninferior=_noninferior(metric, difference),
    )


def _relative_flags(row: Comparison) -> Iterator[Flag]:
    if row.difference is not None and row.relative is None:
        yield Flag("baseline_not_positive", row.metric, row.variant)
    elif row.lower is not None and row.relative_lower is None:
        yield Flag("relative_unbounded", row.metric, row.variant)


def _lift(before: Sample, after: Sample, difference: Difference | None) -> Lift | None:
    if not before.mean > 0:
        return None
    if difference is None:
        return Lift((after.mean - before.mean) / before.mean, None, None)
    return relative_lift(before, after, difference)


def _noninferior(metric: Metric, difference: Difference | None) -> bool | None:
    if metric.margin is None or difference is None:
        return None
    return is_noninferior(difference, direction=metric.direction, margin=metric.margin)
