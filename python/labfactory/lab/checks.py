"""Whether the figures may be trusted: tests of the assignment, the units, the covariates and the time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labfactory.lab.comparison import Check
from labfactory.lab.estimators import Sample, heterogeneity, sample_ratio, welch
from labfactory.lab.flags import Flag
from labfactory.lab.metric import Quantile
from labfactory.lab.reading import DAY
from labfactory.lab.sequential.exact_quantile import QuantileSample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labfactory.lab.aggregates import Aggregates
    from labfactory.lab.co_moments import CoMoments
    from labfactory.lab.compare import Responses
    from labfactory.lab.comparison import Arm
    from labfactory.lab.estimators import SampleRatio
    from labfactory.lab.metric import Metric
    from labfactory.lab.options import Options

# Below this p-value the units are taken not to have come in the planned shares, as GrowthBook and Eppo do.
MISMATCH_P = 0.001
# Below this p-value a covariate from before the experiment, or time, is taken to matter.
SUSPICIOUS_P = 0.001
# Cochran 1954: expected counts below 5 make the chi-square distribution a rough one.
_ROUGH_UNITS = 5
# The usual rule for a normal interval of a proportion: ten events and ten non-events.
_ROUGH_EVENTS = 10
# A mean of which one unit makes a tenth of the variance is far from normal.
_LARGE_SHARE = 0.1
# From here on doubles hold not every integer; rounded to a tenth of a deviation they vary a thousandth more.
_LEAST_ROUNDED, _COARSE = 2.0**53, 0.1


@dataclass(slots=True)
class Findings:
    """What the checks found, in order."""

    flags: list[Flag] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def row_findings(found: Findings, sums: Aggregates) -> None:
    """Rows that are not one assigned unit each."""
    for code, count in (
        ("outcome_without_assignment", sums.unassigned),
        ("missing_key", sums.keys.missing),
        ("duplicate_key", sums.keys.repeated),
        ("multiple_exposure", sums.keys.exposed_twice),
        ("missing_exposure", _unexposed(sums)),
    ):
        if count:
            found.flags.append(Flag(code, count=count))


def _unexposed(sums: Aggregates) -> int:
    if DAY not in sums.dimensions:
        return 0
    place = 1 + sums.dimensions.index(DAY)
    return sum(int(sums.counts[row, 0]) for row, cell in enumerate(sums.cells) if cell[place] is None)


def arm_findings(
    found: Findings,
    arms: Sequence[Arm],
    allocation: Mapping[str, float],
    ratio: SampleRatio,
    sums: Aggregates,
    options: Options,
) -> None:
    """Whether units came to the arms as planned, over all and in each segment."""
    for arm in arms:
        if allocation[arm.variant] == 0 and arm.observed:
            found.flags.append(Flag("unplanned_arm", variant=arm.variant, count=arm.observed))
        if allocation[arm.variant] > 0 and not arm.observed:
            found.flags.append(Flag("arm_missing", variant=arm.variant))
    if ratio.p is not None:
        found.checks.append(Check("sample_ratio", p=ratio.p))
        if ratio.p < MISMATCH_P:
            found.flags.append(Flag("sample_ratio_mismatch"))
        if min(arm.expected for arm in arms if allocation[arm.variant] > 0) < _ROUGH_UNITS:
            found.flags.append(Flag("sample_ratio_rough"))
    names = [arm.variant for arm in arms]
    _stratum_findings(found, names, sums, options.estimator.stratum)
    for dimension in options.segments:
        split = sums.by(dimension)
        values = split.values(dimension)
        for value in values:
            part = split.only(dimension, [value])
            p = sample_ratio([part.units(name) for name in names], [allocation[name] for name in names]).p
            if p is None:
                continue
            segment = f"{dimension}={'' if value is None else value}"
            found.checks.append(Check("sample_ratio", segment=segment, p=p))
            # One of many segments fails more easily: Bonferroni over those of the dimension.
            if p < MISMATCH_P / len(values):
                found.flags.append(Flag("sample_ratio_mismatch", segment=segment))


def _stratum_findings(found: Findings, names: Sequence[str], sums: Aggregates, stratum: str | None) -> None:
    if stratum is None:
        return
    split = sums.by(stratum)
    parts = [split.only(stratum, [value]) for value in split.values(stratum)]
    if small := sum(min(part.units(name) for name in names) < 2 for part in parts):
        found.flags.append(Flag("strata_pooled", count=small))


def metric_findings(
    found: Findings,
    metrics: Mapping[str, Metric],
    sums: Aggregates,
    responses: Responses,
    names: Sequence[str],
) -> None:
    """What is odd about one metric in one arm, or between arms."""
    for name, metric in metrics.items():
        if isinstance(metric, Quantile):
            _quantile_findings(found, name, metric, responses, sums, names)
            continue
        for variant in names:
            _arm_metric_findings(found, name, metric, variant, sums)
        for treatment in names[1:]:
            _novelty(found, name, metric, responses.sums, names[0], treatment)
    _covariate_findings(found, sums, names)


def _quantile_findings(
    found: Findings, name: str, metric: Quantile, responses: Responses, sums: Aggregates, names: Sequence[str]
) -> None:
    for variant in names:
        sample = responses.rows.quantiles[name, variant]
        if sample is None:
            if sums.units(variant):
                found.flags.append(Flag("no_outcome", name, variant))
        elif sample.count == 1:
            found.flags.append(Flag("one_unit", name, variant))
        elif isinstance(sample, QuantileSample) and sample.values[0] == sample.values[-1]:
            found.flags.append(Flag("zero_variance", name, variant))
        elif (beyond := math.floor(min(metric.q, 1 - metric.q) * sample.count)) < _ROUGH_EVENTS:
            found.flags.append(Flag("few_events", name, variant, beyond))


def _arm_metric_findings(found: Findings, name: str, metric: Metric, variant: str, sums: Aggregates) -> None:
    moments = sums.moments(name, variant)
    missing = sums.units(variant) - moments.count
    if missing:
        found.flags.append(Flag("missing_outcome", name, variant, missing))
    if moments.count == 0:
        if sums.units(variant):
            found.flags.append(Flag("no_outcome", name, variant))
        return
    if metric.kind == "ratio" and moments.means[1] == 0:
        found.flags.append(Flag("no_denominator", name, variant))
        return
    sample = moments.linearised(metric).sample
    if sample.count == 1:
        found.flags.append(Flag("one_unit", name, variant))
        return
    if metric.kind == "proportion" and (events := _rarer(sample)) < _ROUGH_EVENTS:
        found.flags.append(Flag("few_events", name, variant, events))
    if metric.kind in ("mean", "count") and _is_coarse(sums, name, variant, sample):
        found.flags.append(Flag("coarse_outcome", name, variant))
    elif sample.variance == 0:
        found.flags.append(
            Flag("underflow" if _differ(sums, name, variant) else "zero_variance", name, variant)
        )
    elif metric.kind in ("mean", "count"):
        _outlier_share(found, name, variant, moments, sums)


def _is_coarse(sums: Aggregates, name: str, variant: str, sample: Sample) -> bool:
    """Whether doubles tell outcomes apart by no less than they lie apart."""
    place = sums.layout.sets[sums.layout.place(name)].members[0]
    largest = max(map(abs, sums.range(variant, place)))
    return largest >= _LEAST_ROUNDED and math.ulp(largest) >= _COARSE * math.sqrt(sample.variance)


def _differ(sums: Aggregates, name: str, variant: str) -> bool:
    """Whether outcomes whose squares are all 0 differ after all; those of a ratio may, in one proportion."""
    (place, *more) = sums.layout.sets[sums.layout.place(name)].members
    lowest, highest = sums.range(variant, place)
    return not more and lowest < highest


def _outlier_share(found: Findings, name: str, variant: str, moments: CoMoments, sums: Aggregates) -> None:
    """How much of the variance the one unit farthest from the mean makes."""
    place = sums.layout.sets[sums.layout.place(name)].members[0]
    mean = float(moments.means[0])
    farthest = max((bound - mean) ** 2 for bound in sums.range(variant, place))
    share = min(farthest / float(moments.products[0, 0]), 1.0)
    found.checks.append(Check("outlier_share", name, variant, value=share))
    # Among fewer units each one has its share, outlier or not.
    if share >= _LARGE_SHARE and moments.count > 10 / _LARGE_SHARE:
        found.flags.append(Flag("outlier_share", name, variant))


def _rarer(sample: Sample) -> int:
    """Events or non-events of a proportion, whichever are fewer."""
    events = round(sample.mean * sample.count)
    return min(events, sample.count - events)


def _covariate_findings(found: Findings, sums: Aggregates, names: Sequence[str]) -> None:
    """Covariates that are missing, or differ between arms before anything was done."""
    seen: set[int] = set()
    for each in sums.layout.sets:
        for offset, place in enumerate(each.members[each.required :], start=each.required):
            if place in seen:
                continue
            seen.add(place)
            column = sums.layout.numbers[place].column
            samples: list[Sample | None] = []
            for variant in names:
                if nulls := sums.nulls(variant, place):
                    found.flags.append(Flag("missing_covariate", column, variant, nulls))
                samples.append(_covariate_sample(sums.moments(each.metric, variant), offset))
            for variant, sample in zip(names[1:], samples[1:], strict=True):
                if samples[0] is None or sample is None:
                    continue
                difference = welch(samples[0], sample, alpha=SUSPICIOUS_P)
                if difference is None:
                    continue
                found.checks.append(Check("pre_period_imbalance", column, variant, p=difference.p))
                if difference.p < SUSPICIOUS_P:
                    found.flags.append(Flag("pre_period_imbalance", column, variant))


def _covariate_sample(moments: CoMoments, place: int) -> Sample | None:
    if moments.count < 2:
        return None
    variance = float(moments.products[place, place]) / (moments.count - 1)
    return Sample(
        moments.count, float(moments.means[place]), max(variance, 0.0), rest=float(moments.rests[place])
    )


def _novelty(
    found: Findings, name: str, metric: Metric, sums: Aggregates, control: str, treatment: str
) -> None:
    """Whether the difference of units exposed early is that of units exposed late."""
    if DAY not in sums.dimensions:
        return
    days = [day for day in sums.values(DAY) if day is not None]
    if len(days) < 2:
        return
    halves = days[: len(days) // 2], days[len(days) // 2 :]
    by_day = sums.by(DAY)
    differences = []
    for half in halves:
        part = by_day.only(DAY, half)
        before, after = (part.moments(name, each).linearised(metric).sample for each in (control, treatment))
        if min(before.count, after.count) < 2 or math.isnan(before.mean + after.mean):
            return
        differences.append((after.minus(before), before.mean_variance + after.mean_variance))
    _, p = heterogeneity(differences)
    if p is None:
        return
    found.checks.append(Check("novelty", name, treatment, p=p))
    if p < SUSPICIOUS_P:
        found.flags.append(Flag("novelty", name, treatment))
