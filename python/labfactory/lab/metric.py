"""What is measured: an outcome column, what it is for, and which way is better."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal, get_args

from labfactory.base.errors import UsageError, nearest

Role = Literal["goal", "secondary", "guardrail"]
Direction = Literal["increase", "decrease"]
Kind = Literal["mean", "proportion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    role: Role = "goal"
    margin: float | None = None
    direction: Direction = "increase"
    kind: ClassVar[Kind]

    def to_dict(self) -> dict[str, str | float | None]:
        """The metric as JSON holds it."""
        return {"kind": self.kind, **asdict(self)}

    def __post_init__(self) -> None:
        _expect("role", self.role, get_args(Role))
        _expect("direction", self.direction, get_args(Direction))
        if self.margin is None:
            return
        if self.role != "guardrail":
            message = f"expected a margin on a guardrail only, found margin {self.margin} on a {self.role}"
            raise UsageError(message, code="metric")
        if not (math.isfinite(self.margin) and self.margin > 0):
            message = f"expected a margin above 0, found {self.margin}"
            raise UsageError(
                message, code="metric", hint="it is the harm that is tolerated, in the metric's own unit"
            )


@dataclass(frozen=True, slots=True)
class Mean(_Metric):
    """The mean of a numeric outcome per unit, such as spend or orders.

    Args:
        column: Column of outcomes: booleans, integers, floats or decimals. Nulls are left out and flagged.
        role: `goal` decides the hypothesis, `secondary` informs, `guardrail` must not get worse.
        margin: For a guardrail: the worsening of the mean that is tolerated, absolute, in the outcome's unit.
        direction: Which way is better.

    Raises:
        UsageError: `metric`, when an option is not one of these.

    Example:
        >>> Mean("spend")
        Mean(role='goal', margin=None, direction='increase', column='spend')
    """

    column: str
    kind: ClassVar[Kind] = "mean"


@dataclass(frozen=True, slots=True)
class Proportion(_Metric):
    """The share of units for which an outcome is true, such as visits or opt-outs.

    Args:
        column: Column of outcomes: booleans, or numbers that are all 0 or 1. Nulls are left out and flagged.
        role: `goal` decides the hypothesis, `secondary` informs, `guardrail` must not get worse.
        margin: For a guardrail: the worsening of the share that is tolerated, absolute; 0.002 is 0.2 points.
        direction: Which way is better.

    Raises:
        UsageError: `metric`, when an option is not one of these.

    Example:
        >>> Proportion("opted_out", role="guardrail", direction="decrease", margin=0.002).margin
        0.002
    """

    column: str
    kind: ClassVar[Kind] = "proportion"


Metric = Mean | Proportion


def _expect(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        message = f"expected {option} to be one of {', '.join(known)}, found {value!r}"
        raise UsageError(message, code="metric", hint=nearest(str(value), known))
