"""What is measured: outcome columns, what they are for, and which way is better."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Literal, get_args

from labfactory.base.errors import UsageError, nearest

Role = Literal["goal", "secondary", "guardrail"]
Direction = Literal["increase", "decrease"]
Kind = Literal["mean", "count", "proportion", "ratio", "quantile"]
Limits = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A column of outcomes as a metric reads it.

    Args:
        column: Its name.
        bounds: Outcomes beyond are moved to the bound; None is no bound.
        percentiles: Where the bounds lie among all outcomes; None when they are stated, or there are none.
        within: Outcomes count up to this long after exposure; None for always.
        at: Column with their time; None without a window.
    """

    column: str
    bounds: Limits | None = None
    percentiles: Limits | None = None
    within: timedelta | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    role: Role = "goal"
    margin: float | None = None
    direction: Direction = "increase"
    kind: ClassVar[Kind]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of outcomes; a unit takes part when none of them is null."""
        raise NotImplementedError

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The same columns, each with its bounds and its window."""
        return tuple(
            Outcome(column, **{name: getattr(self, name, None) for name in _OUTCOME_OPTIONS})
            for column in self.columns
        )

    def to_dict(self) -> dict[str, Any]:
        """The metric as JSON holds it: its kind, and the options that are set."""
        options = {
            name: value for name, value in asdict(self).items() if value is not None or name == "margin"
        }
        if "within" in options:
            options["within"] = options["within"].total_seconds()
        return {"kind": self.kind, **options}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windowed(_Metric):
    within: timedelta | None = None
    at: str | None = None

    def __post_init__(self) -> None:
        # Not super(): a dataclass with slots is another class than the one that super() remembers.
        _Metric.__post_init__(self)
        if (self.within is None) != (self.at is None):
            message = (
                f"expected both within and at, or neither, found within {self.within} and at {self.at!r}"
            )
            raise UsageError(message, code="metric", hint="at names the column with the outcome's time")
        if self.within is not None and self.within <= timedelta(0):
            message = f"expected a window longer than nothing, found {self.within}"
            raise UsageError(message, code="metric")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Amount(_Windowed):
    bounds: Limits | None = None
    percentiles: Limits | None = None

    def __post_init__(self) -> None:
        _Windowed.__post_init__(self)
        _expect_limits("bounds", self.bounds, "percentiles", self.percentiles)


@dataclass(frozen=True, slots=True)
class Mean(_Amount):
    """The mean of a numeric outcome per unit, such as spend.

    Args:
        column: Column of outcomes: booleans, integers, floats or decimals. Nulls are left out and flagged.
        role: `goal` decides the hypothesis, `secondary` informs, `guardrail` must not get worse.
        margin: For a guardrail: the worsening of the mean that is tolerated, absolute, in the outcome's unit.
        direction: Which way is better.
        bounds: Winsorise: outcomes beyond the lower or upper bound are moved to it; None is no bound.
        percentiles: Winsorise at these shares of the outcomes of all variants pooled, such as (None, 0.99).
            They are found by a pass of their own, which holds the outcomes in memory.
        within: Outcomes count up to this long after exposure, others are 0; needs `at`, and `exposed_at` of
            the evaluation.
        at: Column with the time of the outcome; null where there was none.

    Raises:
        UsageError: `metric`, when an option is not one of these.

    Example:
        >>> Mean("spend", bounds=(0, 500)).columns
        ('spend',)
    """

    column: str
    kind: ClassVar[Kind] = "mean"

    @property
    def columns(self) -> tuple[str, ...]:
        """The outcome."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Count(_Amount):
    """The mean number of events per unit, such as orders: whole numbers of 0 or more.

    Args:
        column: Column of counts; other values than 0, 1, 2 … are an error. Nulls are left out and flagged.
        role: `goal` decides the hypothesis, `secondary` informs, `guardrail` must not get worse.
        margin: For a guardrail: the worsening of the mean count that is tolerated, absolute.
        direction: Which way is better.
        bounds: Winsorise, as in `Mean`.
        percentiles: Winsorise, as in `Mean`.
        within: Conversion window, as in `Mean`.
        at: Column with the time of the outcome, as in `Mean`.

    Raises:
        UsageError: `metric`, when an option is not one of these.

    Example:
        >>> Count("orders", role="secondary").kind
        'count'
    """

    column: str
    kind: ClassVar[Kind] = "count"

    @property
    def columns(self) -> tuple[str, ...]:
        """The outcome."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Proportion(_Windowed):
    """The share of units for which an outcome is true, such as visits or opt-outs.

    Args:
        column: Column of outcomes: booleans, or numbers that are all 0 or 1. Nulls are left out and flagged.
        role: `goal` decides the hypothesis, `secondary` informs, `guardrail` must not get worse.
        margin: For a guardrail: the worsening of the share that is tolerated, absolute; 0.002 is 0.2 points.
        direction: Which way is better.
        within: Conversion window, as in `Mean`.
        at: Column with the time of the outcome, as in `Mean`.

    Raises:
        UsageError: `metric`, when an option is not one of these.

    Example:
        >>> Proportion("opted_out", role="guardrail", direction="decrease", margin=0.002).margin
        0.002
    """

    column: str
    kind: ClassVar[Kind] = "proportion"

    @property
    def columns(self) -> tuple[str, ...]:
        """The outcome."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Ratio(_Amount):
    """A sum over a sum, such as revenue per order, where units were randomised and not orders.

    Its variance is that of the delta method, with the unit as the cluster. Bounds, percentiles and the
    conversion window are those of the numerator; the denominator has its own.

    Args:
        numerator: Column of what is counted, per unit.
        denominator: Column of what it is counted over, per unit. A unit where either is null is left out.
        role: `goal` decides the hypothesis, `secondary` informs, `guardrail` must not get worse.
        margin: For a guardrail: the worsening of the ratio that is tolerated, absolute.
        direction: Which way is better.
        bounds: Winsorise the numerator, as in `Mean`.
        percentiles: Winsorise the numerator, as in `Mean`.
        within: Conversion window of the numerator and, where `denominator_at` is told, of the denominator.
        at: Column with the time of the numerator, as in `Mean`.
        denominator_bounds: Winsorise the denominator.
        denominator_percentiles: Winsorise the denominator.
        denominator_at: Column with the time of the denominator, which then counts within the same window;
            None when it always counts, such as units or sessions that were shown something.

    Raises:
        UsageError: `metric`, when an option is not one of these.

    References:
        Deng, Knoblich and Lu (2018), "Applying the delta method in metric analytics".

    Example:
        >>> Ratio("revenue", "orders").columns
        ('revenue', 'orders')
    """

    numerator: str
    denominator: str
    denominator_bounds: Limits | None = field(default=None, kw_only=True)
    denominator_percentiles: Limits | None = field(default=None, kw_only=True)
    denominator_at: str | None = field(default=None, kw_only=True)
    kind: ClassVar[Kind] = "ratio"

    def __post_init__(self) -> None:
        _Amount.__post_init__(self)
        _expect_limits(
            "denominator_bounds",
            self.denominator_bounds,
            "denominator_percentiles",
            self.denominator_percentiles,
        )
        if self.denominator_at is not None and self.within is None:
            message = f"expected within with denominator_at, found {self.denominator_at!r} alone"
            raise UsageError(message, code="metric", hint="within is how long outcomes count")

    @property
    def columns(self) -> tuple[str, ...]:
        """Numerator and denominator."""
        return (self.numerator, self.denominator)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Both columns, each with its own bounds and time."""
        within = None if self.denominator_at is None else self.within
        return (
            Outcome(self.numerator, self.bounds, self.percentiles, self.within, self.at),
            Outcome(
                self.denominator,
                self.denominator_bounds,
                self.denominator_percentiles,
                within,
                self.denominator_at,
            ),
        )


@dataclass(frozen=True, slots=True)
class Quantile(_Metric):
    """A quantile of a numeric outcome, such as the 90th percentile of waiting time.

    Its outcomes are held in memory: 8 bytes a row, 16 with clusters.

    Args:
        column: Column of outcomes. Nulls are left out and flagged.
        q: Which quantile, above 0 and below 1.
        cluster: Column that tells the randomised units apart, of any type, where a unit has several rows.
        role: `goal` decides the hypothesis, `secondary` informs, `guardrail` must not get worse.
        margin: For a guardrail: the worsening of the quantile that is tolerated, absolute.
        direction: Which way is better.

    Raises:
        UsageError: `metric`, when an option is not one of these.

    Example:
        >>> Quantile("wait_s", 0.9, direction="decrease").q
        0.9
    """

    column: str
    q: float
    cluster: str | None = None
    kind: ClassVar[Kind] = "quantile"

    def __post_init__(self) -> None:
        _Metric.__post_init__(self)
        if not 0 < self.q < 1:
            message = f"expected q above 0 and below 1, found {self.q}"
            raise UsageError(message, code="metric", hint="the median is 0.5")

    @property
    def columns(self) -> tuple[str, ...]:
        """The outcome."""
        return (self.column,)


_OUTCOME_OPTIONS = ("bounds", "percentiles", "within", "at")

Metric = Mean | Count | Proportion | Ratio | Quantile


def _expect(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        message = f"expected {option} to be one of {', '.join(known)}, found {value!r}"
        raise UsageError(message, code="metric", hint=nearest(str(value), known))


def _expect_limits(stated: str, bounds: Limits | None, found: str, percentiles: Limits | None) -> None:
    if bounds is not None and percentiles is not None:
        message = f"expected {stated} or {found}, found both: {bounds} and {percentiles}"
        raise UsageError(message, code="metric")
    if bounds is not None:
        _expect_range(stated, bounds, -math.inf, math.inf)
    if percentiles is not None:
        _expect_range(found, percentiles, 0.0, 1.0)


def _expect_range(option: str, found: Limits, lowest: float, highest: float) -> None:
    lower = lowest if found[0] is None else found[0]
    upper = highest if found[1] is None else found[1]
    if not lowest <= lower < upper <= highest:
        message = f"expected {option} in ascending order from {lowest} to {highest}, found {found}"
        raise UsageError(message, code="metric")
