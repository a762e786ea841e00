"""One metric in one treatment against the control, from what is known of the responses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from labfactory.lab.adjustment import Contrast
from labfactory.lab.bayes import Bayes
from labfactory.lab.comparison import Comparison
from labfactory.lab.covariates import Regression
from labfactory.lab.estimators import Difference, is_noninferior
from labfactory.lab.history import earlier_looks
from labfactory.lab.judgement import Judgement, by_test, is_testable, untested, with_lift
from labfactory.lab.multiplicity import adjust
from labfactory.lab.quantile import rank_widening
from labfactory.lab.robust import robust_contrast
from labfactory.lab.sequential.exact import ExactRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from labfactory.lab.aggregates import Aggregates
    from labfactory.lab.bootstrap import Replicates
    from labfactory.lab.estimators import Sample
    from labfactory.lab.metric import Metric
    from labfactory.lab.options import Options
    from labfactory.lab.sequential import Look


@dataclass(frozen=True, slots=True)
class RowFigures:
    """What only rows can say.

    Args:
        quantiles: By metric and variant, for metrics that no sums hold.
        replicates: By metric, for a bootstrap.
        numbers: By metric and variant, for errors that follow the covariates.
    """

    quantiles: Mapping[tuple[str, str], Sample | None] = field(default_factory=dict)
    replicates: Mapping[str, Replicates] = field(default_factory=dict)
    numbers: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Responses:
    """What is known of the responses.

    Args:
        sums: Their aggregates, split as was asked for.
        rows: What only rows can say.
        segments: The same of the rows of each segment, by dimension and value.
    """

    sums: Aggregates
    rows: RowFigures = RowFigures()
    segments: Mapping[tuple[str, str | None], RowFigures] = field(default_factory=dict)
    total: Aggregates = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.sums.by())


def compared(metrics: Mapping[str, Metric], responses: Responses, options: Options) -> list[Comparison]:
    """Every treatment against the control on every metric, p-values corrected if that was asked for."""
    rows = [
        comparison(name, metric, treatment, responses, options)
        for name, metric in metrics.items()
        for treatment in options.treatments
    ]
    if options.correction is None:
        return rows
    # One family for each metric: what is said of one does not depend on what else was measured.
    adjusted = adjust([row.p for row in rows], options.correction, families=[row.metric for row in rows])
    return [replace(row, adjusted_p=p) for row, p in zip(rows, adjusted, strict=True)]


def comparison(
    name: str, metric: Metric, treatment: str, responses: Responses, options: Options
) -> Comparison:
    """One metric in one treatment against the control."""
    contrast = _contrast(name, metric, treatment, responses, options)
    counts = [_count(name, metric, variant, responses) for variant in (options.control, treatment)]
    judgement: Judgement | None = None
    if contrast is not None:
        contrast = contrast.scaled(options.variance_factor)
        judgement = _judged(name, metric, treatment, contrast, responses, options)
    values = [_value(name, metric, variant, responses) for variant in (options.control, treatment)]
    if contrast is not None:
        values = [contrast.control.mean, contrast.treatment.mean]
    interval = judgement if judgement is not None and judgement.lower is not None else None
    return Comparison(
        metric=name,
        role=metric.role,
        kind=metric.kind,
        direction=metric.direction,
        variant=treatment,
        control_n=counts[0],
        treatment_n=counts[1],
        control_value=values[0],
        treatment_value=values[1],
        difference=judgement.value if judgement else None,
        lower=judgement.lower if judgement else None,
        upper=judgement.upper if judgement else None,
        relative=judgement.relative if judgement else None,
        relative_lower=judgement.relative_lower if judgement else None,
        relative_upper=judgement.relative_upper if judgement else None,
        p=judgement.p if judgement else None,
        margin=metric.margin,
        noninferior=_noninferior(metric, interval),
        method=_method(name, metric, options),
        standard_error=judgement.standard_error if judgement else None,
        chance_to_win=judgement.chance_to_win if judgement else None,
        expected_loss=judgement.expected_loss if judgement else None,
    )


def _contrast(
    name: str, metric: Metric, treatment: str, responses: Responses, options: Options
) -> Contrast | None:
    if metric.kind == "quantile":
        control, other = (responses.rows.quantiles[name, variant] for variant in (options.control, treatment))
        if control is None or other is None:
            return None
        return Contrast(control, other, math.inf if min(control.count, other.count) > 1 else None)
    if isinstance(options.estimator, Regression) and options.estimator.errors != "residual":
        arms = (responses.rows.numbers[name, variant] for variant in (options.control, treatment))
        return robust_contrast(metric, *arms, errors=options.estimator.errors)
    stratum = options.estimator.stratum
    if stratum is None:
        parts = [responses.total]
    else:
        sums = responses.sums.by(stratum)
        parts = [sums.only(stratum, [value]) for value in sums.values(stratum)]
    strata = [(part.moments(name, options.control), part.moments(name, treatment)) for part in parts]
    return options.estimator.contrast(metric, strata)


def _judged(
    name: str, metric: Metric, treatment: str, contrast: Contrast, responses: Responses, options: Options
) -> Judgement:
    if not is_testable(contrast):
        return untested(contrast)
    if name in responses.rows.replicates:
        return responses.rows.replicates[name].judge(contrast, treatment, alpha=options.alpha)
    if isinstance(options.estimator, Bayes):
        return options.estimator.judge(metric, contrast, alpha=options.alpha)
    rule = options.rules.of_metric(name)
    if rule is None:
        return by_test(contrast, alpha=options.alpha)
    history = earlier_looks(options.earlier, name, treatment, rule=rule.name)

    def look_at(of: Contrast) -> Look:
        share = options.share(treatment)
        return rule.look(of.control, of.treatment, alpha=options.alpha, share=share, history=history)

    look = look_at(contrast)
    if not isinstance(rule, ExactRule):
        widening = rank_widening(contrast, _critical(look, contrast))
        if widening > 1:
            contrast = contrast.scaled(widening**2)
            look = look_at(contrast)
    if look.lower is None or look.upper is None or look.p is None:
        return replace(untested(contrast), p=look.p)
    critical = _critical(look, contrast)
    judged = with_lift(contrast, Difference(look.value, look.lower, look.upper, look.p, critical))
    if contrast.shared is None:
        # The method's own lift, which inverts its own test.
        return replace(
            judged,
            relative=look.relative,
            relative_lower=look.relative_lower,
            relative_upper=look.relative_upper,
        )
    return judged


def _critical(look: Look, contrast: Contrast) -> float:
    """Standard errors from the difference to its bounds; infinite where it has none."""
    if look.lower is None or look.upper is None:
        return math.inf
    return (look.upper - look.lower) / (2 * math.sqrt(contrast.variance))


def _method(name: str, metric: Metric, options: Options) -> str:
    if metric.kind != "quantile":
        return options.method_of(name)
    rule = options.rules.of_metric(name)
    read_by = options.estimator.name if isinstance(options.estimator, Bayes) else rule and rule.name
    return f"quantile, {read_by}" if read_by else "quantile"


def _count(name: str, metric: Metric, variant: str, responses: Responses) -> int:
    if metric.kind == "quantile":
        sample = responses.rows.quantiles[name, variant]
        return 0 if sample is None else sample.count
    return responses.total.moments(name, variant).count


def _value(name: str, metric: Metric, variant: str, responses: Responses) -> float | None:
    if metric.kind == "quantile":
        sample = responses.rows.quantiles[name, variant]
        return None if sample is None else sample.mean
    moments = responses.total.moments(name, variant).linearised(metric)
    return float(moments.means[0]) if moments.count and math.isfinite(moments.means[0]) else None


def _noninferior(metric: Metric, judgement: Judgement | None) -> bool | None:
    if metric.margin is None or judgement is None or judgement.lower is None or judgement.upper is None:
        return None
    difference = Difference(judgement.value, judgement.lower, judgement.upper, 1.0, 0.0)
    return is_noninferior(difference, direction=metric.direction, margin=metric.margin)
