"""`experiment.toml`: an experiment as a file, and how its evaluation is to be read."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from labfactory.base.errors import UsageError, nearest
from labfactory.base.settings import Settings, read_bounded, settings_from
from labfactory.cli.assignment_table import AssignmentTable
from labfactory.lab import (
    AlwaysValid,
    Bayes,
    BetaBinomial,
    Betting,
    Bootstrap,
    Count,
    Cuped,
    ExactQuantile,
    Experiment,
    GroupSequential,
    Hypothesis,
    Mean,
    PostStratified,
    Proportion,
    Quantile,
    Ratio,
    Regression,
    Welch,
    ZTest,
)
from labfactory.lab.multiplicity import Correction  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from labfactory.lab import Estimator, Evaluation, StopRule
    from labfactory.lab.metric import Metric


_RULES: Final[dict[str, Any]] = {
    "always_valid": AlwaysValid,
    "group_sequential": GroupSequential,
    "beta_binomial": BetaBinomial,
    "betting": Betting,
    "exact_quantile": ExactQuantile,
}
_METRICS: Final[dict[str, Any]] = {
    "mean": Mean,
    "count": Count,
    "proportion": Proportion,
    "ratio": Ratio,
    "quantile": Quantile,
}
_ESTIMATORS: Final[dict[str, Any]] = {
    "welch": Welch,
    "z": ZTest,
    "post_stratified": PostStratified,
    "bayes": Bayes,
    "bootstrap": Bootstrap,
}


class HypothesisTable(Settings):
    """The `[hypothesis]` table."""

    text: str
    minimum_effect: float


class StopRuleTable(Settings):
    """The `[stop_rule]` table; what is absent is the rule's own default."""

    kind: Literal["always_valid", "group_sequential", "beta_binomial", "betting", "exact_quantile"]
    horizon: float | None = None
    burn_in: int | None = None
    bound: float | None = None
    looks: int | None = None
    spending: Literal["obrien_fleming", "pocock", "power", "hwang_shih_decani"] | None = None
    shape: float | None = None
    planned_units: float | None = None

    def rule(self) -> StopRule:
        """The stop rule.

        Raises:
            UsageError: `stop_rule`, for a setting that the rule does not have, or one that cannot be.
        """
        given = self.model_dump(exclude={"kind"})
        rule: StopRule = _made(_RULES[self.kind], given, of=self.kind, code="stop_rule")
        return rule


class MetricTable(Settings):
    """A `[metrics.<name>]` table; the column has the metric's name unless it says otherwise."""

    kind: Literal["mean", "count", "proportion", "ratio", "quantile"]
    role: Literal["goal", "secondary", "guardrail"] = "goal"
    column: str | None = None
    direction: Literal["increase", "decrease"] = "increase"
    margin: float | None = None
    numerator: str | None = None
    denominator: str | None = None
    q: float | None = None
    cluster: str | None = None
    lower: float | None = None
    upper: float | None = None
    lower_percentile: float | None = None
    upper_percentile: float | None = None
    within_days: float | None = None
    at: str | None = None
    denominator_lower: float | None = None
    denominator_upper: float | None = None
    denominator_lower_percentile: float | None = None
    denominator_upper_percentile: float | None = None
    denominator_at: str | None = None
    stop_rule: StopRuleTable | None = None

    def metric(self, name: str) -> Metric:
        """The metric of this name.

        Raises:
            UsageError: `metric`, for an option that the kind does not have, or one that cannot be.
        """
        given: dict[str, Any] = self.model_dump(
            include={"margin", "numerator", "denominator", "q", "cluster", "at", "denominator_at"}
        )
        given["column"] = None if self.kind == "ratio" else self.column or name
        given["within"] = None if self.within_days is None else timedelta(days=self.within_days)
        given["bounds"] = _pair(self.lower, self.upper)
        given["percentiles"] = _pair(self.lower_percentile, self.upper_percentile)
        given["denominator_bounds"] = _pair(self.denominator_lower, self.denominator_upper)
        given["denominator_percentiles"] = _pair(
            self.denominator_lower_percentile, self.denominator_upper_percentile
        )
        metric: Metric = _made(
            _METRICS[self.kind], given, of=self.kind, code="metric", role=self.role, direction=self.direction
        )
        return metric


class EstimatorTable(Settings):
    """The `[estimator]` table; what is absent is the estimator's own default."""

    kind: Literal["welch", "z", "cuped", "regression", "post_stratified", "bayes", "bootstrap"]
    covariates: tuple[str, ...] | None = None
    stratum: str | None = None
    prior_sd: float | None = None
    prior_mean: float | None = None
    beta: tuple[float, float] | None = None
    replicates: int | None = None
    seed: int | None = None
    errors: Literal["residual", "hc0", "hc1", "hc2", "hc3"] | None = None

    def estimator(self) -> Estimator:
        """The estimator.

        Raises:
            UsageError: `estimator`, for an option that the kind does not have, or one that cannot be.
        """
        given = self.model_dump(exclude={"kind", "covariates"})
        if self.kind in ("cuped", "regression"):
            kind = Cuped if self.kind == "cuped" else Regression
            columns = self.covariates or ()
            adjusted: Estimator = _made(kind, given, of=self.kind, code="estimator", columns=columns)
            return adjusted
        given["covariates"] = self.covariates
        estimator: Estimator = _made(_ESTIMATORS[self.kind], given, of=self.kind, code="estimator")
        return estimator


class ExperimentFile(Settings):
    """What `experiment.toml` says.

    Attributes:
        name: The experiment's name.
        variants: The arms.
        control: The arm that the others are compared with.
        hypothesis: What the experiment set out to show.
        metrics: Metrics by name.
        allocation: Planned share of each arm; equal shares when absent.
        alpha: Error level of every interval.
        stop_rule: When the data may be read; once, at the end, when absent. A metric may have its own.
        assignment: How customers get their arms; labfactory's own hash when absent.
        correction: How the treatments of a metric are corrected for being several.
        segments: Columns to compare within.
        estimator: How two arms are compared; Welch's t-test when absent.
        exposed_at: Column with the time of exposure.
        started: Start of the experiment; first exposure when absent.
        ended: End of the experiment; last exposure when absent.
        variance_factor: Multiplies every variance, as A/A arms ask for.
    """

    name: str
    variants: tuple[str, ...]
    control: str
    hypothesis: HypothesisTable
    metrics: Annotated[dict[str, MetricTable], Field(min_length=1)]
    allocation: dict[str, float] | None = None
    alpha: float = 0.05
    stop_rule: StopRuleTable | None = None
    assignment: AssignmentTable = AssignmentTable()
    correction: Correction | None = None
    segments: tuple[str, ...] = ()
    estimator: EstimatorTable | None = None
    exposed_at: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    variance_factor: float = 1.0

    @classmethod
    def load(cls, path: Path | str) -> ExperimentFile:
        """Read the file.

        Raises:
            UsageError: `file_unreadable`, or `settings` with every fault of the file.
        """
        return settings_from(cls, read_bounded(path), name=str(path))

    def rule(self) -> StopRule | None:
        """The stop rule; None for one look at the end.

        Raises:
            UsageError: `stop_rule`.
        """
        return None if self.stop_rule is None else self.stop_rule.rule()

    def rules(self) -> StopRule | Mapping[str, StopRule] | None:
        """The stop rule of every metric, or where some have their own the rules by metric.

        Raises:
            UsageError: `stop_rule`.
        """
        if not any(table.stop_rule for table in self.metrics.values()):
            return self.rule()
        rules = {name: self.rule_of(name) for name in self.metrics}
        return {name: rule for name, rule in rules.items() if rule is not None}

    def rule_of(self, metric: str) -> StopRule | None:
        """The stop rule of one metric, its own or that of all.

        Raises:
            UsageError: `stop_rule`.
        """
        own = self.metrics[metric].stop_rule
        return self.rule() if own is None else own.rule()

    def comparer(self) -> Estimator:
        """How two arms are compared.

        Raises:
            UsageError: `estimator`.
        """
        return Welch() if self.estimator is None else self.estimator.estimator()

    def assign(self, customers: Any, *, key: str, sticky: Any = None, **options: Any) -> pa.Table:
        """Assign customers as the file says.

        Args:
            customers: As `Experiment.assign` takes them.
            key: Column that tells customers apart.
            sticky: Earlier assignments.
            **options: `seed`, `hash`, `coverage` and `strata` that stand before the file's; None is none.

        Returns:
            As `Experiment.assign`.

        Raises:
            UsageError: As `Experiment.assign` does.
            SourceError: Likewise.
        """
        chosen = self.assignment.options(self.name) | {
            name: value for name, value in options.items() if value is not None
        }
        return self.experiment().assign(customers, key=key, sticky=sticky, **chosen)

    def evaluate(self, responses: Any, **options: Any) -> Evaluation:
        """Evaluate responses as the file says.

        Args:
            responses: As `Experiment.evaluate` takes them.
            **options: Its options that the file does not hold.

        Returns:
            The evaluation.

        Raises:
            UsageError: As the experiment, its metrics, the stop rule and the estimator do.
            StatisticsError: As `Experiment.evaluate` does.
            SourceError: Likewise.
        """
        return self.experiment().evaluate(
            responses,
            control=self.control,
            alpha=self.alpha,
            estimator=self.comparer(),
            sequential=self.rules(),
            correction=self.correction,
            segments=self.segments,
            exposed_at=self.exposed_at,
            started=self.started,
            ended=self.ended,
            variance_factor=self.variance_factor,
            **options,
        )

    def experiment(self) -> Experiment:
        """The experiment.

        Raises:
            UsageError: As `labfactory.lab.Experiment` and its metrics do.
        """
        return Experiment(
            self.name,
            hypothesis=Hypothesis(self.hypothesis.text, minimum_effect=self.hypothesis.minimum_effect),
            variants=self.variants,
            metrics={name: table.metric(name) for name, table in self.metrics.items()},
            allocation=self.allocation,
        )


def _pair(lower: float | None, upper: float | None) -> tuple[float | None, float | None] | None:
    return None if lower is None and upper is None else (lower, upper)


def _made(kind: Any, given: dict[str, Any], *, of: str, code: str, **always: Any) -> Any:
    """An instance from what the file gives; an option that the kind does not have is refused by name."""
    options = {name: value for name, value in given.items() if value is not None}
    known = [*(field.name for field in fields(kind))]
    for name in options:
        if name not in known:
            message = f"expected settings of {of}, found {name}"
            raise UsageError(message, code=code, hint=nearest(name, known))
    missing = [
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING and field.name not in options
    ]
    columns = always.pop("columns", None)
    if columns is not None:
        return kind(*columns, **options)
    if missing:
        message = f"expected {' and '.join(missing)} for {of}, found none"
        raise UsageError(message, code=code)
    return kind(**options, **always)
