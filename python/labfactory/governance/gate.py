"""Gates: one question each to the evidence, with a figure, a bound, and three possible answers.

A gate whose figure is absent, doubtful or not a finite number is inconclusive, or fails when the policy says
`on_missing = "fail"`. It never passes.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from labfactory.base.settings import Settings
from labfactory.governance.evidence import Evidence, Reading

__all__ = [
    "AssetsGate",
    "ComplianceGate",
    "Gate",
    "GateRow",
    "GuardrailsGate",
    "LiftGate",
    "PlaybookGate",
    "PreregistrationGate",
    "RuntimeGate",
    "SampleGate",
    "SrmGate",
    "Status",
]

Status = Literal["pass", "fail", "inconclusive"]
Relation = Literal[">", ">=", "<="]

_HOLDS = {">": operator.gt, ">=": operator.ge, "<=": operator.le}

Text = Annotated[str, Field(min_length=1, max_length=200)]
Scale = Literal["absolute", "relative"]


@dataclass(frozen=True)
class GateRow:
    """One line of a verdict.

    Attributes:
        name: The gate and what it looked at.
        status: pass, fail or inconclusive.
        figure: What the evidence shows; None when it does not.
        relation: How the figure must stand to the bound.
        bound: What the policy asks.
        reason: What the figure is, or why there is none.
    """

    name: str
    status: Status
    figure: float | None
    relation: Relation
    bound: float | None
    reason: str

    def to_dict(self) -> dict[str, str | float | None]:
        """The row by field, ready for canonical JSON."""
        return {
            "name": self.name,
            "status": self.status,
            "figure": self.figure,
            "relation": self.relation,
            "bound": self.bound,
            "reason": self.reason,
        }


class _Gate(Settings):
    on_missing: Literal["inconclusive", "fail"] = "inconclusive"

    def _row(
        self, name: str, reading: Reading, relation: Relation, bound: float | None, reason: str
    ) -> GateRow:
        figure = reading.figure
        if figure is None or bound is None:
            status: Status = self.on_missing
            return GateRow(name, status, figure, relation, bound, reading.fault or "no bound is set")
        holds = _HOLDS[relation](figure, bound)
        return GateRow(name, "pass" if holds else "fail", figure, relation, bound, reason)


class LiftGate(_Gate):
    """The interval of a metric's improvement lies above a worthwhile lift, for every graduating arm."""

    type: Literal["lift"]
    metric: Text
    min_lower: float
    scale: Scale = "relative"
    max_alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """A row for each graduating arm."""
        reason = f"lower end of the {self.scale} improvement"
        return [
            self._row(
                f"lift {self.metric} {arm}",
                evidence.improvement(self.metric, arm, scale=self.scale, max_alpha=self.max_alpha),
                ">",
                self.min_lower,
                reason,
            )
            for arm in evidence.arms_or_unknown
        ]


class GuardrailsGate(_Gate):
    """No guardrail is worse than its margin allows, for any graduating arm.

    The margin of the experiment and that of the policy both hold: the tighter one is the bound.
    """

    type: Literal["guardrails"]
    metrics: tuple[Text, ...] = ()
    margins: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    scale: Scale = "absolute"
    max_alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """A row for each guardrail and graduating arm; one without evidence when there is no guardrail."""
        wanted = sorted({*self.metrics, *self.margins, *evidence.guardrails})
        if not wanted:
            missing = Reading(None, "the evaluation holds no guardrail")
            return [self._row("guardrails", missing, ">=", None, "")]
        return [
            self._guardrail(evidence, metric, arm) for metric in wanted for arm in evidence.arms_or_unknown
        ]

    def _guardrail(self, evidence: Evidence, metric: str, arm: str) -> GateRow:
        reading = evidence.improvement(metric, arm, scale=self.scale, max_alpha=self.max_alpha)
        margins = [
            self.margins.get(metric),
            evidence.margin(metric, arm) if self.scale == "absolute" else None,
        ]
        known = [margin for margin in margins if margin is not None]
        bound = -min(known) if known else None
        return self._row(
            f"guardrail {metric} {arm}", reading, ">=", bound, f"lower end of the {self.scale} improvement"
        )


class SampleGate(_Gate):
    """Every arm that is compared has enough units."""

    type: Literal["sample"]
    min_per_arm: Annotated[int, Field(ge=1)]

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """A row for the control and for each graduating arm."""
        return [
            self._row(f"sample {arm}", evidence.units(arm), ">=", self.min_per_arm, "units in the arm")
            for arm in evidence.compared_arms
        ]


class SrmGate(_Gate):
    """The arms have the shares that were planned (no sample ratio mismatch)."""

    type: Literal["srm"]
    min_p: Annotated[float, Field(gt=0, lt=1)] = 0.001

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """One row: the p value of the sample ratio check."""
        return [self._row("srm", evidence.srm_p(), ">=", self.min_p, "p of the sample ratio check")]


class RuntimeGate(_Gate):
    """The experiment ran long enough."""

    type: Literal["runtime"]
    min_days: Annotated[float, Field(gt=0)]

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """One row: the days that the experiment ran."""
        return [self._row("runtime", evidence.days(), ">=", self.min_days, "days")]


class PreregistrationGate(_Gate):
    """The experiment was evaluated as it had been planned before the data came."""

    type: Literal["preregistration"]
    allowed: tuple[Text, ...] = ()
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """One row: the departures that are not allowed."""
        reading = evidence.departures(self.allowed, digest=self.digest)
        return [self._row("preregistration", reading, "<=", 0, "departures from the plan")]


class AssetsGate(_Gate):
    """The golden rows assemble, all of them."""

    type: Literal["assets"]
    min_count: Annotated[int, Field(ge=1)] = 1

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """A row for how many golden assets there are, and one for those with an error."""
        return [
            self._row("assets count", evidence.golden("count"), ">=", self.min_count, "golden assets"),
            self._row("assets errors", evidence.golden("errors"), "<=", 0, "golden assets with an error"),
        ]


class ComplianceGate(_Gate):
    """The lint of the golden assets finds no error."""

    type: Literal["compliance"]
    max_errors: Annotated[int, Field(ge=0)] = 0

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """One row: the findings that are errors."""
        return [
            self._row("compliance", evidence.findings(), "<=", self.max_errors, "findings that are errors")
        ]


class PlaybookGate(_Gate):
    """The playbook has the sections that a team needs at night, filled in."""

    type: Literal["playbook"]
    required: Annotated[tuple[Text, ...], Field(min_length=1)]
    min_words: Annotated[int, Field(ge=1)] = 3

    def judge(self, evidence: Evidence) -> list[GateRow]:
        """A row for each required section: its words, none when it only holds the place."""
        return [
            self._row(f"playbook {title}", evidence.section_words(title), ">=", self.min_words, "words")
            for title in self.required
        ]


Gate = Annotated[
    AssetsGate
    | ComplianceGate
    | GuardrailsGate
    | LiftGate
    | PlaybookGate
    | PreregistrationGate
    | RuntimeGate
    | SampleGate
    | SrmGate,
    Field(discriminator="type"),
]
