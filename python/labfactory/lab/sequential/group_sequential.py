"""Group-sequential tests: a few planned looks, and an error that is spent over them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from scipy import optimize, special

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.estimators import SMALLEST_P
from labfactory.lab.sequential.futility import futility_bounds
from labfactory.lab.sequential.look import (
    check_call,
    effective_units,
    normal_look,
    standard_error,
    steadied,
)
from labfactory.lab.sequential.recursion import crossing
from labfactory.lab.sequential.spending import SpendingFunction, spending_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.estimators import Sample
    from labfactory.lab.sequential.look import Alternative, Look, Stop
    from labfactory.lab.sequential.spending import Spending

# Bounds are integrated for levels down to this; p-values below it come from their tails.
_LEAST_ALPHA = 1e-15
_MOST_ALPHA = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class GroupSequential:
    """Read a planned number of times and stop at a bound: a group-sequential test by error spending.

    Bounds are computed for the units that came, by recursive integration, so looks need not come where they
    were planned. Interval and p-value are repeated ones: they hold at all looks together.

    Args:
        looks: Planned number of looks, the last one included.
        spending: `obrien_fleming`, `pocock`, `power` or `hwang_shih_decani`, in the manner of Lan and DeMets.
        shape: Exponent of `power`, parameter of `hwang_shih_decani`, None for the others.
        planned_units: Units of both arms together at the last look, when evenly split. The error is spent by
            the share of them that has come; when None by the share of the looks.
        futility: A spending of the chance to miss an effect, with its bounds for one-sided tests; they are
            not binding, so that ignoring them costs no error. None for no such bounds.
        power: Of the test with these futility bounds; how strong an effect must be not to be given up.

    Raises:
        UsageError: `stop_rule`, for a setting that cannot be.

    References:
        Lan and DeMets (1983), "Discrete sequential boundaries for clinical trials". Jennison and Turnbull
        (2000), "Group Sequential Methods with Applications to Clinical Trials", chapters 7 to 9 and 19.

    Example:
        >>> [round(bound, 4) for bound in GroupSequential(looks=5).bounds(alpha=0.05)]
        [4.8769, 3.357, 2.6803, 2.2898, 2.031]
    """

    looks: int = 5
    spending: Spending = "obrien_fleming"
    shape: float | None = None
    planned_units: float | None = None
    futility: Spending | None = None
    power: float = 0.8

    def __post_init__(self) -> None:
        if self.looks < 1:
            message = f"expected one look or more, found {self.looks}"
            raise UsageError(message, code="stop_rule")
        if self.planned_units is not None and not self.planned_units > 0:
            message = f"expected planned units above 0, found {self.planned_units}"
            raise UsageError(message, code="stop_rule")
        if not 0 < self.power < 1:
            message = f"expected a power above 0 and below 1, found {self.power}"
            raise UsageError(message, code="stop_rule")
        _ = self._spending
        if self.futility is not None:
            SpendingFunction(self.futility)

    @property
    def name(self) -> str:
        """Name and settings in one line."""
        planned = "" if self.planned_units is None else f", planned_units={self.planned_units:g}"
        futility = "" if self.futility is None else f", futility={self.futility} at power {self.power:g}"
        return f"group_sequential(looks={self.looks}, spending={self._spending}{planned}{futility})"

    def bounds(self, *, alpha: float, alternative: Alternative = "two_sided") -> tuple[float, ...]:
        """The bounds of the statistic at evenly spaced looks, as they are planned.

        Args:
            alpha: Error level over all looks together.
            alternative: Two sides or one; one-sided bounds are for the effect that is looked for.
        """
        shares = tuple(look / self.looks for look in range(1, self.looks + 1))
        return spending_bounds(self._spending, shares, shares, alpha, alternative)

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
            control: Outcomes of the control since the start.
            treatment: Outcomes of the treatment since the start.
            alpha: Error level over all looks together.
            alternative: What the test looks for.
            share: Not used: the bounds adapt to the units that came.
            history: All earlier looks; the bounds rest on their units.

        Returns:
            The look; without interval and p-value when the arms have no variance. A stop carries the
            stagewise p-value, if the test has not stopped before.

        Raises:
            UsageError: `alpha`, `alternative`, `share`; `stop_rule`, for futility bounds of a two-sided test.
            StatisticsError: `no_units`; `look_unplanned`, after the last planned look; `look_order`, when no
                units have come since the look before.
        """
        check_call(alpha, alternative, share, control, treatment)
        units = [look.information for look in history]
        units.append(effective_units(control.count, treatment.count))
        self._check_order(units, history)
        shares = self._shares(units)
        error = standard_error(*steadied(control, treatment))
        is_last = shares[-1] >= 1
        if error == 0:
            return normal_look(
                self.name,
                control,
                treatment,
                critical=None,
                log_p=None,
                alpha=alpha,
                alternative=alternative,
                history=history,
                stop="finished" if is_last else None,
            )
        z = treatment.minus(control) / error
        z = -z if alternative == "less" else z
        schedule = tuple(units), tuple(shares)
        bounds = spending_bounds(self._spending, *schedule, alpha, alternative)
        strength = abs(z) if alternative == "two_sided" else z
        log_p = self._log_p(strength, *schedule, alternative)
        # At the bound itself rounding must not part the p-value from the interval.
        is_crossed = strength >= bounds[-1]
        log_p = min(log_p, math.log(alpha)) if is_crossed else max(log_p, math.nextafter(math.log(alpha), 0))
        stop = self._stop(z, *schedule, alpha, alternative, is_last=is_last)
        has_stopped = is_crossed or stop is not None
        is_first_stop = has_stopped and not any(look.stop for look in history)
        return normal_look(
            self.name,
            control,
            treatment,
            critical=bounds[-1] if math.isfinite(bounds[-1]) else None,
            log_p=log_p,
            alpha=alpha,
            alternative=alternative,
            history=history,
            stop=stop,
            stagewise_p=_stagewise_p(strength, units, bounds, alternative) if is_first_stop else None,
        )

    def to_dict(self) -> dict[str, object]:
        """The rule as JSON holds it."""
        return {
            "kind": "group_sequential",
            "looks": self.looks,
            "spending": self.spending,
            "shape": self.shape,
            "planned_units": self.planned_units,
            "futility": self.futility,
            "power": self.power,
        }

    @property
    def _spending(self) -> SpendingFunction:
        return SpendingFunction(self.spending, self.shape)

    def _shares(self, units: Sequence[float]) -> list[float]:
        """The share of the error's time at each look; the last look spends all that is left."""
        shares = [
            place / self.looks if self.planned_units is None else min(1.0, came / self.planned_units)
            for place, came in enumerate(units, 1)
        ]
        return [1.0 if place == self.looks else share for place, share in enumerate(shares, 1)]

    def _check_order(self, units: Sequence[float], history: Sequence[Look]) -> None:
        if len(units) > self.looks or any(share >= 1 for share in self._shares(units)[:-1]):
            found = f"look {len(units)} after {history[-1].control_n + history[-1].treatment_n:,} units"
            message = f"expected {self.looks} looks at most, none after the planned units, found {found}"
            raise StatisticsError(message, code="look_unplanned", hint="all of the error has been spent")
        for before, now in pairwise(units):
            if not now > before:
                message = f"expected more units at each look, found {now:g} after {before:g} effective units"
                raise StatisticsError(message, code="look_order", hint="history holds the earlier looks")

    def _log_p(
        self, strength: float, units: tuple[float, ...], shares: tuple[float, ...], alternative: Alternative
    ) -> float:
        """The smallest level whose bound this look crosses."""

        def excess(log_alpha: float) -> float:
            alpha = math.exp(log_alpha)
            bound = spending_bounds(self._spending, units, shares, alpha, alternative)[-1]
            return min(bound, 1e3) - strength

        least, most = math.log(_LEAST_ALPHA), math.log(_MOST_ALPHA)
        if excess(most) >= 0:
            return 0.0
        if excess(least) > 0:
            return float(optimize.brentq(excess, least, most, xtol=1e-10))
        return min(least, self._log_p_of_tail(strength, shares, alternative))

    def _log_p_of_tail(self, strength: float, shares: tuple[float, ...], alternative: Alternative) -> float:
        """As if nothing had been crossed before, which makes the p-value no smaller."""
        sides = 2 if alternative == "two_sided" else 1
        tail = math.log(sides) + float(special.log_ndtr(-strength))
        before = shares[-2] if len(shares) > 1 else 0.0

        def excess(log_alpha: float) -> float:
            until_now = self._spending.log_spent(shares[-1], log_alpha, sides=sides)
            until_then = self._spending.log_spent(before, log_alpha, sides=sides)
            return until_now + math.log1p(-math.exp(until_then - until_now)) - tail

        least = math.log(_LEAST_ALPHA)
        while excess(least) > 0:
            least *= 2
        return float(optimize.brentq(excess, least, 0.0, xtol=1e-10))

    def _stop(
        self,
        z: float,
        units: tuple[float, ...],
        shares: tuple[float, ...],
        alpha: float,
        alternative: Alternative,
        *,
        is_last: bool,
    ) -> Stop | None:
        """Why a test stops whose data are not significant."""
        if is_last:
            return "finished"
        if self.futility is None:
            return None
        if alternative == "two_sided":
            message = "expected a one-sided test for futility bounds, found a two-sided one"
            raise UsageError(message, code="stop_rule", hint="ask for alternative greater or less")
        lowest = futility_bounds(
            self._spending,
            SpendingFunction(self.futility),
            (*units, *self._units_to_come(units, shares)),
            (*shares, *self._shares_to_come(shares)),
            alpha=alpha,
            power=self.power,
        )
        return "futile" if z <= lowest[len(units) - 1] else None

    def _shares_to_come(self, shares: tuple[float, ...]) -> tuple[float, ...]:
        """Evenly from here to the end."""
        left = self.looks - len(shares)
        return tuple(shares[-1] + (1 - shares[-1]) * place / left for place in range(1, left + 1))

    def _units_to_come(self, units: tuple[float, ...], shares: tuple[float, ...]) -> tuple[float, ...]:
        per_share = units[-1] / shares[-1]
        return tuple(units[-1] + per_share * (share - shares[-1]) for share in self._shares_to_come(shares))


def _stagewise_p(
    strength: float, units: Sequence[float], bounds: Sequence[float], alternative: Alternative
) -> float:
    """The chance, with no effect, of stopping earlier or here with as much (Jennison and Turnbull, 8.4)."""
    is_two_sided = alternative == "two_sided"
    lower = [-bound if is_two_sided else -math.inf for bound in bounds]
    chances = crossing(units, [*bounds[:-1], strength], lower=lower)
    return min(1.0, max(SMALLEST_P, sum(chances.above) * (2 if is_two_sided else 1)))
