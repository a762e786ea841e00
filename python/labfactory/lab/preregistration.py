"""What was planned before the data came, and how what was done departs from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from labfactory.base.canonical import canonical_json, sha256_hex
from labfactory.base.errors import UsageError
from labfactory.lab.departure import Departure
from labfactory.lab.json_record import read_record
from labfactory.lab.stop_rules import StopRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.evaluation import Evaluation
    from labfactory.lab.experiment import Experiment
    from labfactory.lab.multiplicity import Correction
    from labfactory.lab.sequential import StopRule

# Units come in days, not singly: a twentieth more than planned is still the plan.
_OVERRUN = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Preregistration:
    """The plan of an experiment and of its evaluation, fixed by a digest before the data come.

    Args:
        experiment: Name of the experiment.
        hypothesis: What it sets out to show.
        minimum_effect: Smallest relative lift worth acting on.
        plan: Digest of hypothesis, metrics with their roles and margins, variants and shares
            (`Experiment.preregistration`).
        metrics: Names of the metrics.
        variants: Names of the variants.
        control: Name of the control.
        units: Planned units of all variants together.
        alpha: Error level of every interval.
        method: Estimator, and stop rule if any, as the evaluation names them.
        looks: How often the data may be looked at; None for as often as one likes.
        correction: How several comparisons are corrected; None for not at all.
        segments: Columns that will be compared within.

    Raises:
        UsageError: `preregistration`, when the control is no variant or a number cannot be.

    Example:
        >>> from labfactory.lab import AlwaysValid, Experiment, Hypothesis, Mean
        >>> experiment = Experiment(
        ...     "tone",
        ...     hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
        ...     variants=["plain", "warm"],
        ...     metrics={"orders": Mean("orders")},
        ... )
        >>> planned = Preregistration.of(experiment, control="plain", units=20_000, rule=AlwaysValid())
        >>> planned.method, planned.looks, len(planned.digest)
        ('welch, always_valid(horizon=5000)', None, 64)
    """

    experiment: str
    hypothesis: str
    minimum_effect: float
    plan: str
    metrics: tuple[str, ...]
    variants: tuple[str, ...]
    control: str
    units: int
    alpha: float = 0.05
    method: str = "welch"
    looks: int | None = 1
    correction: str | None = None
    segments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.control not in self.variants:
            message = f"expected the control to be one of {', '.join(self.variants)}, found {self.control!r}"
            raise UsageError(message, code="preregistration")
        if not (0 < self.alpha < 1 and self.units > 0 and (self.looks is None or self.looks > 0)):
            found = f"{self.alpha}, {self.units} and {self.looks}"
            message = f"expected alpha between 0 and 1, units and looks above 0, found {found}"
            raise UsageError(message, code="preregistration")

    @staticmethod
    def of(
        experiment: Experiment,
        *,
        control: str,
        units: int,
        alpha: float = 0.05,
        estimator: str | Estimator = "welch",
        rule: StopRule | Mapping[str, StopRule] | None = None,
        correction: Correction | None = None,
        segments: Sequence[str] = (),
    ) -> Preregistration:
        """Plan the evaluation of an experiment.

        Args:
            experiment: What is compared.
            control: Name of the control.
            units: Planned units of all variants together, as `Design.sample_size` gives them.
            alpha: Error level of every interval.
            estimator: The estimator, or its name as evaluations give it under `method`.
            rule: Stop rule, or rules by metric; one look when None. Its own number of looks is the planned
                one, the least of several; rules that may be read at any time have none.
            correction: How several comparisons will be corrected.
            segments: Columns that will be compared within.

        Returns:
            The preregistration.

        Raises:
            UsageError: `preregistration`.
        """
        rules = StopRules.of(rule)
        name = estimator if isinstance(estimator, str) else estimator.name
        return Preregistration(
            experiment=experiment.name,
            hypothesis=experiment.hypothesis.text,
            minimum_effect=experiment.hypothesis.minimum_effect,
            plan=experiment.preregistration,
            metrics=tuple(experiment.metrics),
            variants=experiment.variants,
            control=control,
            units=units,
            alpha=alpha,
            method=f"{name}, {rules.name}" if rules else name,
            looks=rules.looks if rules else 1,
            correction=correction,
            segments=tuple(segments),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        return sha256_hex(self.to_json())

    def compare(self, evaluation: Evaluation) -> tuple[Departure, ...]:
        """Every way in which an evaluation is not the planned one; none is empty.

        Args:
            evaluation: What was done.

        Returns:
            Departures, in the order of their codes in docs/design.md.
        """
        return tuple(sorted(self._departures(evaluation), key=lambda departure: departure.code))

    def recorded(self, evaluation: Evaluation) -> Evaluation:
        """The evaluation together with how it departs from this plan, as a package carries it.

        Args:
            evaluation: What was done.

        Returns:
            The same evaluation with `planned` and `departures`.
        """
        return replace(evaluation, planned=self.digest, departures=self.compare(evaluation))

    def to_dict(self) -> dict[str, Any]:
        """The preregistration as JSON holds it."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Canonical JSON: the same plan has the same bytes."""
        return canonical_json(self.to_dict())

    @staticmethod
    def from_json(data: bytes) -> Preregistration:
        """Read what `to_json` wrote.

        Raises:
            StatisticsError: `preregistration_malformed`, with what is wrong.
            UsageError: `preregistration`.
        """
        return read_record(
            Preregistration, data, expected="a preregistration", code="preregistration_malformed"
        )

    def _departures(self, evaluation: Evaluation) -> Iterator[Departure]:
        for code, planned, found in (
            ("name_changed", self.experiment, evaluation.experiment),
            ("plan_changed", self.plan, evaluation.preregistration),
            ("control_changed", self.control, evaluation.control),
            ("alpha_changed", self.alpha, evaluation.alpha),
            ("method_changed", self.method, evaluation.method),
        ):
            if planned != found:
                yield Departure(code, str(planned), str(found))
        if not _is_corrected(self.correction, evaluation.corrections):
            yield Departure("correction_changed", self.correction or "none", _listed(evaluation.corrections))
        if self.looks is not None and evaluation.looks > self.looks:
            yield Departure("looks_added", str(self.looks), str(evaluation.looks))
        yield from self._unit_departures(evaluation)
        measured = {row.metric for row in evaluation.rows}
        segments = {segment.dimension for segment in getattr(evaluation, "segments", ())}
        for kind, planned_names, found_names in (
            ("metric", set(self.metrics), measured),
            ("variant", set(self.variants), set(evaluation.units)),
        ):
            for name in sorted(found_names - planned_names):
                yield Departure(f"{kind}_added", _listed(sorted(planned_names)), name)
            for name in sorted(planned_names - found_names):
                yield Departure(f"{kind}_missing", name, _listed(sorted(found_names)))
        for name in sorted(segments - set(self.segments)):
            yield Departure("segment_added", _listed(self.segments), name)

    def _unit_departures(self, evaluation: Evaluation) -> Iterator[Departure]:
        units = sum(evaluation.units.values())
        may_stop = self.looks is None or self.looks > 1
        if units < self.units and not (may_stop and _is_decided(evaluation)):
            yield Departure("stopped_early", f"{self.units:,} units", f"{units:,}")
        if units > self.units * _OVERRUN and self.looks is not None:
            yield Departure("ran_on", f"{self.units:,} units", f"{units:,}")


def _is_decided(evaluation: Evaluation) -> bool:
    """Whether a goal is significant for some treatment, at the level of the evaluation."""
    goals = [row.p for row in evaluation.rows if row.role == "goal"]
    return any(p is not None and p <= evaluation.alpha for p in goals)


def _is_corrected(planned: str | None, found: Sequence[str]) -> bool:
    """Whether the corrections that an evaluation names are the planned one."""
    return not found if planned is None else bool(found) and all(name.startswith(planned) for name in found)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
