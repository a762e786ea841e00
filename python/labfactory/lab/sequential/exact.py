"""Stop rules that hold their level exactly: bets on the outcomes, and the differences that they rule out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from scipy import optimize

from labfactory.lab.estimators import lift_over
from labfactory.lab.sequential.look import Look, check_call, has_stopped, plain_p

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labfactory.lab.estimators import Sample
    from labfactory.lab.metric import Kind
    from labfactory.lab.sequential.look import Alternative


class Bounds(NamedTuple):
    """An interval; None on a side that is not bounded or not looked at."""

    lower: float | None
    upper: float | None


class Wealth(Protocol):
    """What bets against a difference have made of the outcomes, and which differences they rule out."""

    def log_p(self) -> float:
        """Logarithm of the p-value of no difference, at most 0."""
        ...

    def absolute_bounds(self, threshold: float) -> Bounds:
        """The differences against which the logarithm of the wealth is below the threshold."""
        ...

    def relative_bounds(self, threshold: float) -> Bounds:
        """The lifts, likewise."""
        ...


class ExactRule(ABC):
    """A stop rule that rests on no limit theorem.

    Attributes:
        kinds: The kinds of metric that it reads.
    """

    kinds: ClassVar[frozenset[Kind]]

    @property
    @abstractmethod
    def name(self) -> str:
        """Name and settings in one line."""

    @abstractmethod
    def _wealth(
        self, control: Sample, treatment: Sample, *, alpha: float, alternative: Alternative, share: float
    ) -> Wealth:
        """The bets of this rule on these outcomes."""

    def look(
        self,
        control: Sample,
        treatment: Sample,
        *,
        alpha: float,
        alternative: Alternative = "two_sided",
        share: float = 0.5,
        history: Sequence[Look] = (),
    ) -> Look:
        """Read all data that have come until now; see `StopRule.look`.

        Args:
            control: Outcomes of the control since the start, of the kind that the rule reads.
            treatment: Outcomes of the treatment since the start, likewise.
            alpha: Error level over all looks together.
            alternative: What the test looks for.
            share: Planned share of the treatment among the units of these two arms.
            history: Earlier looks; they only number this one and keep a decision once it is made.

        Returns:
            The look.

        Raises:
            UsageError: `alpha`, `alternative`, `share`.
            StatisticsError: `no_units`; `invalid_outcome` or `outcome_bound`, when the outcomes cannot be of
                the kind that the rule reads.
        """
        check_call(alpha, alternative, share, control, treatment)
        wealth = self._wealth(control, treatment, alpha=alpha, alternative=alternative, share=share)
        log_p, threshold = wealth.log_p(), -math.log(alpha)
        lower, upper = wealth.absolute_bounds(threshold)
        value = treatment.minus(control)
        relative = lift_over(control.mean, value)
        lifts = Bounds(None, None) if relative is None else wealth.relative_bounds(threshold)
        return Look(
            rule=self.name,
            number=len(history) + 1,
            alternative=alternative,
            alpha=alpha,
            control_n=control.count,
            treatment_n=treatment.count,
            value=value,
            lower=lower,
            upper=upper,
            p=plain_p(log_p),
            log_p=log_p,
            relative=relative,
            relative_lower=lifts.lower,
            relative_upper=lifts.upper,
            stop="significant" if has_stopped(log_p, alpha, history) else None,
        )


def bound(excess: Callable[[float], float], center: float, end: float) -> float:
    """Where evidence against a value, less its threshold, becomes positive on the way to the end."""
    if center == end or excess(end) <= 0:
        return end
    return float(optimize.brentq(excess, center, end, rtol=1e-12))


def sides(
    excess: Callable[[float], float], center: float, ends: tuple[float, float], alternative: Alternative
) -> Bounds:
    """The bounds on both sides of a center that nobody has won against; None where one is not looked for."""
    lower = None if alternative == "less" else bound(excess, center, ends[0])
    upper = None if alternative == "greater" else bound(excess, center, ends[1])
    return Bounds(lower, upper)
