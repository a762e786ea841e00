"""What an experiment showed: one comparison per metric and treatment, and every reservation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import polars as pl

from labfactory.base.canonical import canonical_json, parse_json
from labfactory.base.errors import HandoffError, StatisticsError
from labfactory.lab.flags import Flag  # noqa: TC001 (pydantic reads annotations at run time)
from labfactory.lab.metric import Direction, Kind, Role  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant's units.

    Args:
        variant: Its name.
        observed: Units that came.
        expected: Units that the planned weights expect, given how many came to variants with weight.
    """

    variant: str
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric in one treatment against the control.

    What is not defined on the data is None, never 0 or infinite; a flag of the evaluation says why.

    Args:
        metric: Name of the metric.
        role: `goal`, `secondary` or `guardrail`.
        kind: `mean` or `proportion`.
        direction: Which way is better.
        variant: Name of the treatment.
        control_n: Units of the control with an outcome.
        treatment_n: Units of the treatment with an outcome.
        control_value: Mean or share in the control.
        treatment_value: Mean or share in the treatment.
        difference: Treatment minus control, in the metric's unit.
        lower: Lower bound of the two-sided interval at 1 - alpha.
        upper: Upper bound.
        relative: Difference over the control value; 0.02 is two percent.
        relative_lower: Lower bound of the relative lift; it excludes 0 exactly when `lower` and `upper` do.
        relative_upper: Upper bound.
        p: Two-sided p-value, not corrected; below 5e-324 it is given as that.
        margin: Tolerated worsening of a guardrail, in the metric's unit.
        noninferior: Whether the interval rules out a worsening of the margin; None without margin or
            interval.
    """

    metric: str
    role: Role
    kind: Kind
    direction: Direction
    variant: str
    control_n: int
    treatment_n: int
    control_value: float | None
    treatment_value: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    relative: float | None
    relative_lower: float | None
    relative_upper: float | None
    p: float | None
    margin: float | None
    noninferior: bool | None


@dataclass(frozen=True, slots=True)
class _Ratio:
    p: float | None
    expected: dict[str, float]
    observed: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Record:
    """An evaluation as JSON holds it."""

    experiment: str
    hypothesis: str
    minimum_effect: float
    preregistration: str
    control: str
    alpha: float
    method: str
    srm: _Ratio
    units: dict[str, int]
    looks: int
    corrections: tuple[str, ...]
    flags: tuple[Flag, ...]
    rows: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """What an experiment showed.

    Args:
        experiment: Name of the experiment.
        hypothesis: What it set out to show.
        minimum_effect: Smallest relative lift that the hypothesis calls worth acting on.
        preregistration: Digest of hypothesis, metrics, variants and weights as they were planned.
        control: Name of the control.
        alpha: Error level of every interval.
        method: Estimator behind every interval: `welch`.
        arms: Units by variant, the control first.
        srm_p: p-value of the sample-ratio test; None where it is not defined.
        looks: How often the data were looked at, this time included.
        corrections: Corrections for multiple comparisons or looks that p-values and intervals carry; none is
            empty.
        flags: Reservations, in a fixed order.
        rows: Comparisons by metric, then by treatment.
    """

    experiment: str
    hypothesis: str
    minimum_effect: float
    preregistration: str
    control: str
    alpha: float
    method: str
    arms: tuple[Arm, ...]
    srm_p: float | None
    looks: int
    corrections: tuple[str, ...]
    flags: tuple[Flag, ...]
    rows: tuple[Comparison, ...]

    @property
    def units(self) -> dict[str, int]:
        """Units by variant."""
        return {arm.variant: arm.observed for arm in self.arms}

    def row(self, metric: str, variant: str) -> Comparison:
        """The comparison of one metric and treatment.

        Args:
            metric: Name of the metric.
            variant: Name of the treatment.

        Returns:
            The comparison.

        Raises:
            StatisticsError: `unknown_comparison`, when there is none.
        """
        for row in self.rows:
            if (row.metric, row.variant) == (metric, variant):
                return row
        message = (
            f"expected a metric and a treatment of {self.experiment!r}, found {metric!r} and {variant!r}"
        )
        known = ", ".join(f"{row.metric} × {row.variant}" for row in self.rows)
        raise StatisticsError(message, code="unknown_comparison", hint=f"it compares {known}")

    def to_frame(self) -> pl.DataFrame:
        """The comparisons as a frame, one row each.

        Returns:
            A column for every field of `Comparison`; null where it is None.
        """
        return pl.DataFrame([asdict(row) for row in self.rows], schema=_FRAME_SCHEMA)

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON holds it.

        Returns:
            Dicts, tuples, texts, numbers, booleans and None only.
        """
        observed = {arm.variant: arm.observed for arm in self.arms}
        expected = {arm.variant: arm.expected for arm in self.arms}
        record = _Record(
            experiment=self.experiment,
            hypothesis=self.hypothesis,
            minimum_effect=self.minimum_effect,
            preregistration=self.preregistration,
            control=self.control,
            alpha=self.alpha,
            method=self.method,
            srm=_Ratio(self.srm_p, expected, observed),
            units=observed,
            looks=self.looks,
            corrections=self.corrections,
            flags=self.flags,
            rows=self.rows,
        )
        return asdict(record)

    def to_json(self) -> bytes:
        """Canonical JSON: equal evaluations have equal bytes.

        Returns:
            UTF-8 bytes.
        """
        return canonical_json(self.to_dict())

    @staticmethod
    def from_json(data: bytes) -> Evaluation:
        """Read what `to_json` wrote.

        Args:
            data: JSON bytes, from a file or a package.

        Returns:
            An evaluation equal to the one that was written.

        Raises:
            StatisticsError: `evaluation_malformed`, naming the first field that is not as expected.
        """
        record = _read(data)
        treatments = dict.fromkeys(row.variant for row in record.rows)
        try:
            arms = [
                Arm(name, record.units[name], record.srm.expected[name])
                for name in (record.control, *treatments)
            ]
        except KeyError as error:
            message = f"expected units of every variant, found none of {error.args[0]!r}"
            raise StatisticsError(message, code="evaluation_malformed") from None
        evaluation = Evaluation(
            experiment=record.experiment,
            hypothesis=record.hypothesis,
            minimum_effect=record.minimum_effect,
            preregistration=record.preregistration,
            control=record.control,
            alpha=record.alpha,
            method=record.method,
            arms=tuple(arms),
            srm_p=record.srm.p,
            looks=record.looks,
            corrections=record.corrections,
            flags=record.flags,
            rows=record.rows,
        )
        if evaluation.to_json() != canonical_json(parse_json(data)):
            message = "expected what an evaluation writes, found fields that it does not have"
            raise StatisticsError(message, code="evaluation_malformed")
        return evaluation

    def __repr__(self) -> str:
        return "\n".join([self._heading(), *_aligned(self._cells()), *(f"! {flag}" for flag in self.flags)])

    def _heading(self) -> str:
        ratio = "not defined" if self.srm_p is None else f"p {self.srm_p:.3g}"
        corrected = ", ".join(self.corrections) or "none"
        return (
            f"{self.experiment}: against {self.control}, alpha {self.alpha:g}, sample ratio {ratio}, "
            f"looks {self.looks}, corrections {corrected}"
        )

    def _cells(self) -> Iterable[tuple[str, ...]]:
        level = f"{100 * (1 - self.alpha):g} %"
        yield (
            "metric",
            "role",
            "variant",
            "control",
            "treatment",
            "difference",
            level,
            "relative",
            level,
            "p",
            "",
        )
        for row in self.rows:
            yield (
                row.metric,
                row.role,
                row.variant,
                _number(row.control_value),
                _number(row.treatment_value),
                _number(row.difference, sign="+"),
                _interval(row.lower, row.upper),
                _percent(row.relative),
                _percent_interval(row.relative_lower, row.relative_upper),
                "–" if row.p is None else f"{row.p:.3g}",
                {None: "", True: "non-inferior", False: "not shown non-inferior"}[row.noninferior],
            )


_FRAME_SCHEMA = {
    field.name: {"int": pl.Int64, "float | None": pl.Float64, "bool | None": pl.Boolean}.get(
        field.type, pl.String
    )
    for field in fields(Comparison)
    if isinstance(field.type, str)
}


def _read(data: bytes) -> _Record:
    # Only reading needs pydantic, and it takes a while to import.
    from pydantic import TypeAdapter, ValidationError

    try:
        parse_json(data)
        return TypeAdapter(_Record).validate_json(data, strict=True)
    except HandoffError as error:
        raise StatisticsError(error.message, code="evaluation_malformed") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = f"expected an evaluation, found at {place}: {first['msg'].lower()}"
        raise StatisticsError(message, code="evaluation_malformed") from error


def _aligned(cells: Iterable[tuple[str, ...]]) -> Iterable[str]:
    rows = list(cells)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        # Names lean left, numbers right.
        padded = [
            cell.ljust(width) if place < 3 or place == len(row) - 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(padded).rstrip()


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.5g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.4g} %"


def _interval(lower: float | None, upper: float | None) -> str:
    return "–" if lower is None or upper is None else f"{lower:+.4g} … {upper:+.4g}"


def _percent_interval(lower: float | None, upper: float | None) -> str:
    return "–" if lower is None or upper is None else f"{100 * lower:+.3g} … {100 * upper:+.3g} %"
