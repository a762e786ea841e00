"""From summed responses to an evaluation: every comparison, and every reservation about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labfactory.base.errors import StatisticsError
from labfactory.lab.adjustment import ZTest
from labfactory.lab.bayes import Bayes
from labfactory.lab.bootstrap import Bootstrap
from labfactory.lab.checks import Findings, arm_findings, metric_findings, row_findings
from labfactory.lab.compare import compared
from labfactory.lab.comparison import Arm
from labfactory.lab.estimators import sample_ratio
from labfactory.lab.evaluation import Evaluation
from labfactory.lab.flags import Flag
from labfactory.lab.reading import utc
from labfactory.lab.segments import segmented

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from labfactory.lab.aggregates import Aggregates
    from labfactory.lab.compare import Responses
    from labfactory.lab.comparison import Comparison
    from labfactory.lab.experiment import Experiment
    from labfactory.lab.options import Options


# From here on a mean of most outcomes is as good as normal, and its variance as good as known.
_MANY_UNITS = 30


def evaluate(experiment: Experiment, responses: Responses, options: Options) -> Evaluation:
    """Compare every treatment with the control on every metric.

    Args:
        experiment: What was planned.
        responses: What came.
        options: How to compare.

    Returns:
        The evaluation.

    Raises:
        StatisticsError: `no_units`, when nobody came to the control.
    """
    total = responses.total
    units = {name: total.units(name) for name in experiment.variants}
    if units[options.control] == 0:
        came = ", ".join(f"{name} {count}" for name, count in units.items())
        message = f"expected units in the control {options.control!r}, found {came}"
        raise StatisticsError(message, code="no_units")
    names = [options.control, *options.treatments]
    ratio = sample_ratio([units[name] for name in names], [experiment.allocation[name] for name in names])
    arms = tuple(
        Arm(name, units[name], expected) for name, expected in zip(names, ratio.expected, strict=True)
    )
    rows = compared(experiment.metrics, responses, options)
    segments, interactions = segmented(experiment.metrics, responses, options)
    started, ended = _period(responses.sums, options)
    found = Findings()
    row_findings(found, responses.sums)
    found.flags.extend(_peeked(experiment, options))
    arm_findings(found, arms, experiment.allocation, ratio, responses.sums, options)
    metric_findings(found, experiment.metrics, total, responses, names)
    found.flags.extend(_few_units(rows, options))
    for row in rows:
        found.flags.extend([*_untestable(row, found.flags), *_relative_flags(row)])
    return Evaluation(
        experiment=experiment.name,
        hypothesis=experiment.hypothesis.text,
        minimum_effect=experiment.hypothesis.minimum_effect,
        preregistration=experiment.preregistration,
        control=options.control,
        alpha=options.alpha,
        method=options.method,
        arms=arms,
        srm_p=ratio.p,
        looks=options.looks,
        corrections=() if options.correction is None else (options.correction,),
        flags=tuple(found.flags),
        rows=tuple(rows),
        adjustments=_adjustments(total, options),
        started=None if started is None else started.isoformat(),
        ended=None if ended is None else ended.isoformat(),
        runtime_days=(ended - started).total_seconds() / 86_400 if started and ended else None,
        checks=tuple(found.checks),
        segments=segments,
        interactions=interactions,
    )


def _peeked(experiment: Experiment, options: Options) -> list[Flag]:
    """Looks that nothing allows for: at all metrics, or at those without a stop rule."""
    if options.looks == 1:
        return []
    if not options.rules:
        return [Flag("peeking", count=options.looks)]
    bare = [name for name in experiment.metrics if options.rules.of_metric(name) is None]
    return [Flag("peeking", metric=name, count=options.looks) for name in bare]


def _few_units(rows: Sequence[Comparison], options: Options) -> list[Flag]:
    """Arms that are too small for an estimator that takes every sample for a large one."""
    if not isinstance(options.estimator, ZTest | Bayes | Bootstrap):
        return []
    is_exact = isinstance(options.estimator, Bayes) and options.estimator.prior_sd is None
    large = [row for row in rows if not (is_exact and row.kind == "proportion")]
    counts = {(row.metric, options.control): row.control_n for row in large}
    counts |= {(row.metric, row.variant): row.treatment_n for row in large}
    return [Flag("few_units", *place, n) for place, n in counts.items() if 1 < n < _MANY_UNITS]


def _untestable(row: Comparison, flags: Sequence[Flag]) -> list[Flag]:
    """A difference without an interval, where no flag has said yet why."""
    told = {"one_unit", "zero_variance", "underflow", "arm_missing", "coarse_outcome"}
    if row.difference is None or row.lower is not None or row.p is not None:
        return []
    if any(flag.code in told and flag.metric == row.metric for flag in flags):
        return []
    return [Flag("not_testable", row.metric, row.variant)]


def _relative_flags(row: Comparison) -> list[Flag]:
    if row.difference is not None and row.relative is None:
        return [Flag("baseline_not_positive", row.metric, row.variant)]
    if row.lower is not None and row.relative_lower is None:
        return [Flag("relative_unbounded", row.metric, row.variant)]
    return []


def _period(sums: Aggregates, options: Options) -> tuple[datetime | None, datetime | None]:
    started = sums.started if options.started is None else utc(options.started)
    ended = sums.ended if options.ended is None else utc(options.ended)
    return started, ended


def _adjustments(sums: Aggregates, options: Options) -> tuple[str, ...]:
    said = []
    for number in sums.layout.numbers:
        if number.lower is not None or number.upper is not None:
            lower = "no bound" if number.lower is None else f"{number.lower:g}"
            upper = "no bound" if number.upper is None else f"{number.upper:g}"
            said.append(f"{number.column} winsorised to {lower} … {upper}")
        if number.within_s is not None:
            said.append(f"{number.column} within {number.within_s / 86_400:g} days of exposure")
    if options.variance_factor != 1.0:
        said.append(f"variance × {options.variance_factor:g}")
    return tuple(said)
