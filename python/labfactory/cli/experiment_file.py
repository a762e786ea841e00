"""`experiment.toml`: an experiment as a file, and how its evaluation is to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from labfactory.base.settings import Settings, read_bounded, settings_from
from labfactory.lab import Experiment, Hypothesis, Mean, Proportion

if TYPE_CHECKING:
    from pathlib import Path


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
    """

    name: str
    variants: tuple[str, ...]
    control: str
    hypothesis: HypothesisTable
    metrics: Annotated[dict[str, MetricTable], Field(min_length=1)]
    allocation: dict[str, float] | None = None
    alpha: float = 0.05

    @classmethod
    def load(cls, path: Path | str) -> ExperimentFile:
        """Read the file.

        Raises:
            UsageError: `file_unreadable`, or `settings` with every fault of the file.
        """
        return settings_from(cls, read_bounded(path), name=str(path))

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
