"""Which stop rule reads which metric, and whether it can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labfactory.base.errors import UsageError, nearest
from labfactory.lab.adjustment import Welch, ZTest
from labfactory.lab.bayes import Bayes
from labfactory.lab.bootstrap import Bootstrap
from labfactory.lab.metric import Quantile
from labfactory.lab.sequential import GroupSequential
from labfactory.lab.sequential.exact import ExactRule

if TYPE_CHECKING:
    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.metric import Metric
    from labfactory.lab.sequential import StopRule


@dataclass(frozen=True, slots=True)
class StopRules:
    """Stop rules by metric.

    Args:
        by_metric: Metrics and their rules; those that are not named are read once, by a fixed test.
        every: The rule of every metric; None when they are named.
    """

    by_metric: tuple[tuple[str, StopRule], ...] = ()
    every: StopRule | None = None

    @staticmethod
    def of(sequential: StopRule | Mapping[str, StopRule] | None) -> StopRules:
        """The rules as they were asked for: one for all metrics, or by name."""
        if isinstance(sequential, Mapping):
            return StopRules(tuple(sequential.items()))
        return StopRules(every=sequential)

    def __bool__(self) -> bool:
        return bool(self.by_metric) or self.every is not None

    def of_metric(self, metric: str) -> StopRule | None:
        """The rule of a metric; None for a fixed test."""
        return dict(self.by_metric).get(metric, self.every)

    @property
    def name(self) -> str:
        """All rules in one line; empty without any."""
        if self.every is not None:
            return self.every.name
        return "; ".join(f"{metric}: {rule.name}" for metric, rule in self.by_metric)

    @property
    def looks(self) -> int | None:
        """The least number of looks that a rule plans; None when all may be read at any time."""
        rules = [rule for _, rule in self.by_metric] if self.every is None else [self.every]
        return min((rule.looks for rule in rules if isinstance(rule, GroupSequential)), default=None)

    def check(self, metrics: Mapping[str, Metric], estimator: Estimator, *, variance_factor: float) -> None:
        """Refuse rules that cannot read what they are given: their figures would look fine and mean nothing.

        Raises:
            UsageError: `stop_rule`.
        """
        unknown = [name for name, _ in self.by_metric if name not in metrics]
        if unknown:
            message = f"expected stop rules of the metrics, found one of {unknown[0]!r}"
            raise UsageError(message, code="stop_rule", hint=nearest(unknown[0], list(metrics)))
        if self and isinstance(estimator, Bayes | Bootstrap):
            message = f"expected an estimator whose error a stop rule can read, found {estimator.name}"
            raise UsageError(message, code="stop_rule", hint="lf.Welch, lf.Cuped and others have one")
        for name, metric in metrics.items():
            rule = self.of_metric(name)
            if isinstance(rule, ExactRule):
                _check_exact(rule, name, metric, estimator, variance_factor)


def _check_exact(
    rule: ExactRule, name: str, metric: Metric, estimator: Estimator, variance_factor: float
) -> None:
    if metric.kind not in rule.kinds:
        message = (
            f"expected {' or '.join(sorted(rule.kinds))} for {rule.name}, found the {metric.kind} {name!r}"
        )
        hint = "sequential={...} names rules by metric; lf.AlwaysValid reads every metric"
        raise UsageError(message, code="stop_rule", hint=hint)
    if isinstance(metric, Quantile) and metric.cluster is not None:
        message = (
            f"expected independent rows for {rule.name}, found clusters by {metric.cluster!r} in {name!r}"
        )
        raise UsageError(message, code="stop_rule", hint="lf.AlwaysValid reads clustered quantiles")
    if type(estimator) not in (Welch, ZTest) or variance_factor != 1.0:
        found = estimator.name if variance_factor == 1.0 else f"variance × {variance_factor:g}"
        message = f"expected outcomes as they are for {rule.name}, found {found}"
        raise UsageError(message, code="stop_rule", hint="lf.AlwaysValid reads adjusted figures too")
