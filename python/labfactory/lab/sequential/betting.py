"""Exact confidence sequences for two means of bounded outcomes, from sums and squares alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.sequential.exact import Bounds, ExactRule, bound, sides
from labfactory.lab.sequential.mixtures import best_rho, log_gamma_exponential_mixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labfactory.lab.estimators import Sample
    from labfactory.lab.metric import Kind
    from labfactory.lab.sequential.look import Alternative

# Lifts beyond a millionfold are not looked for.
_LARGEST_RATIO = 1e6


@dataclass(frozen=True, slots=True)
class Betting(ExactRule):
    """Read bounded outcomes at any time, exactly: orders capped at an amount, shares, conversions.

    With units assigned at random with planned share w, Z = Y (A / w - R (1 - A) / (1 - w)) (Y the outcome, A
    whether treated) has mean mean_T - R mean_C. Whoever bets on Z - d at fixed stakes has a wealth that no
    stopping rule can push up when that mean is d; a gamma mixture of stakes, bounded below by Fan's
    inequality, needs only the sums of Z and of its squares. R = 1 gives the absolute bounds, d = 0 the
    relative ones, both together the test of no difference.

    It needs the planned share to be the true one: after a sample-ratio mismatch it means nothing. It is
    narrow where most outcomes are 0; for zeros and ones `BetaBinomial` is narrower.

    Args:
        bound: No outcome is below 0 or above this; cap them before, or state what cannot be passed.
        horizon: The sum of (outcome / bound)^2 over both arms at which the interval is narrowest for its
            level: for zeros and ones, the conversions.

    Raises:
        UsageError: `stop_rule`, for a setting that is not above 0.

    References:
        Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting". Howard,
        Ramdas, McAuliffe and Sekhon (2021), "Time-uniform, nonparametric, nonasymptotic confidence
        sequences", proposition 9. Fan, Grama and Liu (2015), "Exponential inequalities for martingales with
        applications".

    Example:
        >>> from labfactory.lab.estimators import Sample
        >>> Betting(bound=200).look(Sample(20_000, 0.6, 24.0), Sample(20_000, 1.1, 44.0), alpha=0.05)
        Look 1 of betting(bound=200, horizon=250): significant, two_sided at alpha 0.05
          0.5 [0.2639, 0.736], p 4.45e-06, 20,000 and 20,000 units
    """

    bound: float = 1.0
    horizon: float = 250
    kinds: ClassVar[frozenset[Kind]] = frozenset({"mean", "count", "proportion"})

    def __post_init__(self) -> None:
        for setting, value in (("bound", self.bound), ("horizon", self.horizon)):
            if not (math.isfinite(value) and value > 0):
                message = f"expected a {setting} above 0, found {value}"
                raise UsageError(message, code="stop_rule")

    @property
    def name(self) -> str:
        """Name and settings in one line."""
        return f"betting(bound={self.bound:g}, horizon={self.horizon:g})"

    def log_p(
        self,
        treated: NDArray[np.float64],
        treated_squares: NDArray[np.float64],
        controls: NDArray[np.float64],
        control_squares: NDArray[np.float64],
        *,
        alpha: float,
        alternative: Alternative = "two_sided",
        share: float = 0.5,
        lift: float = 0.0,
    ) -> NDArray[np.float64]:
        """Logarithm of the p-value, at most 0.

        Args:
            treated: Sums of the treatment's outcomes in units of the bound.
            treated_squares: Sums of their squares, same shape.
            controls: Sums of the control's outcomes, same shape.
            control_squares: Sums of their squares, same shape.
            alpha: Error level, which tunes the bets.
            alternative: What the test looks for.
            share: Planned share of the treatment.
            lift: The relative lift that is tested, above -1.
        """
        bets = self._bets(alpha, alternative, share)
        sums = _Wealth(treated, treated_squares, controls, control_squares, 0, bets, self.bound)
        return np.minimum(0.0, -sums.against(ratio=1 + lift, difference=0.0))

    def to_dict(self) -> dict[str, object]:
        """The rule as JSON holds it."""
        return {"kind": "betting", "bound": self.bound, "horizon": self.horizon}

    def _wealth(
        self, control: Sample, treatment: Sample, *, alpha: float, alternative: Alternative, share: float
    ) -> _Wealth:
        return _Wealth(
            *_moments(treatment, self.bound),
            *_moments(control, self.bound),
            control.count + treatment.count,
            self._bets(alpha, alternative, share),
            self.bound,
        )

    def _bets(self, alpha: float, alternative: Alternative, share: float) -> _Bets:
        v = self.horizon / (share * (1 - share))
        return _Bets(best_rho(v, alpha, is_one_sided=alternative != "two_sided"), share, alternative)


@dataclass(frozen=True, slots=True)
class _Bets:
    """How stakes are mixed, on which side."""

    rho: float
    share: float
    alternative: Alternative


@dataclass(frozen=True, slots=True)
class _Wealth:
    """Sums and squares of the outcomes in units of the bound, and how they are bet on."""

    treated: Any
    treated_squares: Any
    controls: Any
    control_squares: Any
    units: int
    bets: _Bets
    largest: float

    def log_p(self) -> float:
        return min(0.0, -self.against_difference(0.0))

    def absolute_bounds(self, threshold: float) -> Bounds:
        w = self.bets.share
        # The difference that nobody has won against.
        center = float((self.treated / w - self.controls / (1 - w)) / self.units)
        found = sides(
            lambda d: self.against_difference(d) - threshold,
            min(max(center, -1.0), 1.0),
            (-1.0, 1.0),
            self.bets.alternative,
        )
        return Bounds(*(None if side is None else side * self.largest for side in found))

    def relative_bounds(self, threshold: float) -> Bounds:
        """None above says that the lift has no bound."""
        alternative, w = self.bets.alternative, self.bets.share

        def excess(log_ratio: float) -> float:
            return float(self.against(ratio=math.exp(log_ratio), difference=0.0)) - threshold

        if self.controls == 0:
            return Bounds(None if alternative == "less" else -1.0, None)
        lower = upper = None
        farthest = math.log(_LARGEST_RATIO)
        won = self.treated / w / (self.controls / (1 - w))
        center = min(max(math.log(won), -farthest), farthest) if won > 0 else -farthest
        if alternative != "less":
            is_bounded = center > -farthest and excess(-farthest) > 0
            lower = math.expm1(bound(excess, center, -farthest)) if is_bounded else -1.0
        if alternative != "greater" and excess(farthest) > 0:
            upper = math.expm1(bound(excess, center, farthest))
        return Bounds(lower, upper)

    def against_difference(self, d: float) -> float:
        """Evidence against a difference of d in units of the bound."""
        return float(self.against(ratio=1.0, difference=d))

    def against(self, *, ratio: float, difference: float) -> NDArray[np.float64]:
        """Evidence against mean_T - ratio mean_C = difference."""
        w, alternative = self.bets.share, self.bets.alternative
        linear = self.treated / w - ratio * self.controls / (1 - w)
        squares = self.treated_squares / w**2 + ratio**2 * self.control_squares / (1 - w) ** 2
        s = linear - self.units * difference
        v = squares - 2 * difference * linear + self.units * difference**2
        # The variance process of a ratio grows with its square: so does the mixture's precision.
        rho = self.bets.rho * (1 + ratio**2) / 2
        # Nothing that is bet on lies more than this below its mean, nor more than that above.
        below, above = ratio / (1 - w) + difference, 1 / w - difference
        if alternative == "greater":
            return log_gamma_exponential_mixture(s, v, rho, below)
        down = log_gamma_exponential_mixture(-s, v, rho, above)
        if alternative == "less":
            return down
        # Half of the money on each side.
        return np.logaddexp(log_gamma_exponential_mixture(s, v, rho, below), down) - math.log(2)


def _moments(arm: Sample, bound: float) -> tuple[float, float]:
    """Sum and sum of squares in units of the bound."""
    total = arm.mean / bound * arm.count
    squares = arm.variance / bound**2 * (arm.count - 1) + (arm.mean / bound) ** 2 * arm.count
    # Outcomes in [0, 1] are at least their squares, and sum to no more than their number.
    if not (0 <= total <= arm.count * (1 + 1e-9) and squares <= total * (1 + 1e-9)):
        message = (
            f"expected outcomes from 0 to {bound}, found others: mean {arm.mean}, variance {arm.variance}"
        )
        raise StatisticsError(message, code="outcome_bound", hint="cap the outcomes or state a larger bound")
    return total, squares
