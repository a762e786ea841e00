"""`experiment.toml`: an experiment as a file, and how its evaluation is to be read."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from labfactory.base.errors import UsageError, nearest
from labfactory.base.settings import Settings, read_bounded, settings_from
from labfactory.lab import (
    AlwaysValid,
    BetaBinomial,
    Betting,
    Experiment,
    GroupSequential,
    Hypothesis,
    Mean,
    Proportion,
)
from labfactory.lab.multiplicity import Correction  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from pathlib import Path


_RULES: Final[dict[str, Any]] = {
    "always_valid": AlwaysValid,
    "group_sequential": GroupSequential,
    "beta_binomial": BetaBinomial,
    "betting": Betting,
}


class HypothesisTable(Settings):
    """The `[hypothesis]` table."""

    text: str
    minimum_effect: float


class MetricTable(Settings):
    """A `[metrics.<name>]` table; the column has the metric's name unless it says otherwise."""

    kind: Literal["mean", "proportion"]
    role: Literal["goal", "secondary", "guardrail"] = "goal"
    column: str | None = None
    direction: Literal["increase", "decrease"] = "increase"
    margin: float | None = None

    def metric(self, name: str) -> Mean | Proportion:
        """The metric of this name."""
        kind = Mean if self.kind == "mean" else Proportion
        return kind(self.column or name, role=self.role, direction=self.direction, margin=self.margin)


class StopRuleTable(Settings):
    """The `[stop_rule]` table; what is absent is the rule's own default."""

    kind: Literal["always_valid", "group_sequential", "beta_binomial", "betting"]
    horizon: float | None = None
    burn_in: int | None = None
    bound: float | None = None
    looks: int | None = None
    spending: Literal["obrien_fleming", "pocock", "power", "hwang_shih_decani"] | None = None
    shape: float | None = None
    planned_units: float | None = None

    def rule(self) -> AlwaysValid | GroupSequential | BetaBinomial | Betting:
        """The stop rule.

        Raises:
            UsageError: `stop_rule`, for a setting that the rule does not have, or one that cannot be.
        """
        kind = _RULES[self.kind]
        given = {
            name: value for name, value in self.model_dump(exclude={"kind"}).items() if value is not None
        }
        known = [field.name for field in fields(kind)]
        for name in given:
            if name not in known:
                message = f"expected settings of {self.kind}, found {name}"
                raise UsageError(message, code="stop_rule", hint=nearest(name, known))
        rule: AlwaysValid | GroupSequential | BetaBinomial | Betting = kind(**given)
        return rule


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
        stop_rule: When the data may be read; once, at the end, when absent.
        correction: How the treatments of a metric are corrected for being several.
        segments: Columns to compare within.
    """

    name: str
    variants: tuple[str, ...]
    control: str
    hypothesis: HypothesisTable
    metrics: Annotated[dict[str, MetricTable], Field(min_length=1)]
    allocation: dict[str, float] | None = None
    alpha: float = 0.05
    stop_rule: StopRuleTable | None = None
    correction: Correction | None = None
    segments: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path | str) -> ExperimentFile:
        """Read the file.

        Raises:
            UsageError: `file_unreadable`, or `settings` with every fault of the file.
        """
        return settings_from(cls, read_bounded(path), name=str(path))

    def rule(self) -> AlwaysValid | GroupSequential | BetaBinomial | Betting | None:
        """The stop rule; None for one look at the end.

        Raises:
            UsageError: `stop_rule`.
        """
        return None if self.stop_rule is None else self.stop_rule.rule()

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
