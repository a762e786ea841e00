"""Exact confidence sequences for two proportions, from the counts of conversions alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import optimize, special

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.sequential.exact import Bounds, ExactRule, bound, sides
from labfactory.lab.sequential.mixtures import best_rho

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from labfactory.lab.estimators import Sample
    from labfactory.lab.metric import Kind
    from labfactory.lab.sequential.look import Alternative

# Beyond a fall of e^-40 from its mode a log-concave integrand adds nothing that a double could hold.
_NEGLIGIBLE = 40.0
# 96 nodes integrate a normal peak of 18 standard deviations, and an exponential fall of e^-40, to 1e-13.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
# A mean times its count is a whole number, save for rounding of this relative size.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class BetaBinomial(ExactRule):
    """Read conversions at any time, exactly: no limit theorem, no smallest number of units.

    With units assigned at random, a conversion falls to the treatment with probability
    q = w R / (w R + 1 - w), w the planned share and R the ratio of the rates, whatever the rates are. So the
    arms of the conversions are a coin, and a Beta prior on q gives a martingale in closed form: the bounds of
    the relative lift. The same bets on the arms, placed on Y (A / w - (1 - A) / (1 - w)) - d (Y the outcome,
    A whether treated), whose mean is 0 when the rates differ by d, give the absolute bounds; at d = 0 they
    are the same test.

    It needs the planned share to be the true one: after a sample-ratio mismatch it means nothing. Units that
    do not convert tell it little, so it is for rare conversions: at a rate of p it needs about 1 / (1 - p)
    times the units of a test that uses both.

    Args:
        horizon: Conversions of both arms together at which the interval is narrowest for its level, above 0.

    Raises:
        UsageError: `stop_rule`, for a horizon that is not above 0.

    References:
        Robbins (1970), "Statistical methods related to the law of the iterated logarithm". Waudby-Smith and
        Ramdas (2024), "Estimating means of bounded random variables by betting". Lindon and Malek (2022),
        "Anytime-valid inference for multinomial count data".

    Example:
        >>> from labfactory.lab.estimators import Sample
        >>> control = Sample(20_000, 0.005, 0.005 * 0.995 * 20_000 / 19_999)
        >>> treatment = Sample(20_000, 0.008, 0.008 * 0.992 * 20_000 / 19_999)
        >>> BetaBinomial().look(control, treatment, alpha=0.05)
        Look 1 of beta_binomial(horizon=250): significant, two_sided at alpha 0.05
          0.003 [0.0005678, 0.005502], p 0.00592, 20,000 and 20,000 units
    """

    horizon: float = 250
    kinds: ClassVar[frozenset[Kind]] = frozenset({"proportion"})

    def __post_init__(self) -> None:
        if not (math.isfinite(self.horizon) and self.horizon > 0):
            message = f"expected a horizon above 0 conversions, found {self.horizon}"
            raise UsageError(message, code="stop_rule")

    @property
    def name(self) -> str:
        """Name and settings in one line."""
        return f"beta_binomial(horizon={self.horizon:g})"

    def log_p(
        self,
        treated: NDArray[Any],
        controls: NDArray[Any],
        *,
        alpha: float,
        alternative: Alternative = "two_sided",
        share: float = 0.5,
        lift: float = 0.0,
    ) -> NDArray[np.float64]:
        """Logarithm of the p-value, at most 0.

        Args:
            treated: Conversions of the treatment.
            controls: Conversions of the control, same shape.
            alpha: Error level, which tunes the prior.
            alternative: What the test looks for.
            share: Planned share of the treatment.
            lift: The relative lift that is tested, above -1.
        """
        prior = self._prior(alpha, alternative, share)
        q = share * (1 + lift) / (1 + share * lift)
        return np.minimum(0.0, -prior.log_wealth(treated, controls, q))

    def to_dict(self) -> dict[str, object]:
        """The rule as JSON holds it."""
        return {"kind": "beta_binomial", "horizon": self.horizon}

    def _wealth(
        self, control: Sample, treatment: Sample, *, alpha: float, alternative: Alternative, share: float
    ) -> _Wealth:
        return _Wealth(
            _conversions(treatment),
            _conversions(control),
            control.count + treatment.count,
            self._prior(alpha, alternative, share),
        )

    def _prior(self, alpha: float, alternative: Alternative, share: float) -> _Prior:
        # A Beta of mean w and this weight has the variance that the normal mixture's best precision asks for.
        weight = best_rho(self.horizon, alpha, is_one_sided=alternative != "two_sided") - 1
        # At least 1 in both parameters: the wealth is a log-concave integral then.
        weight = max(weight, 1 / share, 1 / (1 - share))
        return _Prior(weight * share, weight * (1 - share), share, alternative)


@dataclass(frozen=True, slots=True)
class _Prior:
    """Beta(a, b) of the chance that a conversion is the treatment's, cut to the side that is looked for."""

    a: float
    b: float
    share: float
    alternative: Alternative

    def log_wealth(
        self, treated: NDArray[Any], controls: NDArray[Any], q: NDArray[Any] | float
    ) -> NDArray[np.float64]:
        """Evidence against conversions falling to the treatment with chance q."""
        a, b = self.a + treated, self.b + controls
        wealth = special.betaln(a, b) - special.betaln(self.a, self.b)
        wealth = wealth - special.xlogy(treated, q) - special.xlog1py(controls, -np.asarray(q))
        if self.alternative == "two_sided":
            return np.asarray(wealth)
        beyond = special.betaincc if self.alternative == "greater" else special.betainc
        mass, cut = beyond(a, b, q), beyond(self.a, self.b, q)
        with np.errstate(divide="ignore", invalid="ignore"):  # no mass is no evidence
            return np.where(cut > 0, wealth + np.log(mass) - np.log(cut), -np.inf)


@dataclass(frozen=True, slots=True)
class _Wealth:
    """Conversions of both arms, and the prior by which they are bet on."""

    treated: int
    controls: int
    units: int
    prior: _Prior

    def log_p(self) -> float:
        return min(0.0, -float(self._against(self.prior.share)))

    def absolute_bounds(self, threshold: float) -> Bounds:
        w = self.prior.share
        # Where the mean of what is bet on is 0: no bet has won there.
        center = (self.treated / w - self.controls / (1 - w)) / self.units
        return sides(
            lambda d: self.against_difference(d) - threshold,
            min(max(center, -1.0), 1.0),
            (-1.0, 1.0),
            self.prior.alternative,
        )

    def relative_bounds(self, threshold: float) -> Bounds:
        """A lift is -1 or more; None above says that it has no bound."""
        alternative, w = self.prior.alternative, self.prior.share
        total = self.treated + self.controls
        if total == 0:
            return Bounds(None if alternative == "less" else -1.0, None)

        def excess(q: float) -> float:
            return float(self._against(q)) - threshold

        def lift(q: float) -> float:
            return q / (1 - q) * (1 - w) / w - 1

        center, tiny = self.treated / total, 1e-300
        lower = upper = None
        if alternative != "less":
            lower = lift(bound(excess, center, tiny)) if self.treated else -1.0
        if alternative != "greater" and self.controls:
            # Toward 1 the floats run out; beyond a lift of 1e15 nobody asks.
            upper = lift(bound(excess, center, 1 - 1e-15))
        return Bounds(lower, upper)

    def _against(self, q: float) -> NDArray[np.float64]:
        return self.prior.log_wealth(np.array(self.treated), np.array(self.controls), q)

    def against_difference(self, d: float) -> float:
        """Evidence against it: the bets on Y (A / w - (1 - A) / (1 - w)) - d, mixed.

        A bet is lowest + (highest - lowest) u, u from the prior; all that keep the wealth above 0 are there.
        """
        prior, w = self.prior, self.prior.share
        win, loss = 1 / w - d, 1 / (1 - w) + d
        lowest, width = -1 / win, 1 / win + 1 / loss
        idle = self.units - self.treated - self.controls

        # u^m (1 - u)^n (p - r u)^idle, up to a constant; its mode solves a quadratic.
        m, n = prior.a - 1 + self.treated, prior.b - 1 + self.controls
        p, r = 1 - d * lowest, d * width

        def log_integrand(u: NDArray[Any] | float) -> NDArray[np.float64]:
            wealth = special.xlogy(m, u) + special.xlog1py(n, -np.asarray(u))
            return np.asarray(wealth + idle * np.log(p - r * u))

        linear = m * (p + r) + n * p + idle * r
        root = math.sqrt(max(0.0, linear**2 - 4 * r * (m + n + idle) * m * p))
        mode = 2 * m * p / (linear + root) if m > 0 else 0.0
        no_bet = -lowest / width
        start = no_bet if prior.alternative == "greater" else 0.0
        stop = no_bet if prior.alternative == "less" else 1.0
        constant = self.treated * math.log(win * width) + self.controls * math.log(loss * width)
        mode = min(max(mode, start), stop)
        mass = _log_integral(log_integrand, start, mode, stop) - special.betaln(prior.a, prior.b)
        cut = special.betainc(prior.a, prior.b, stop) - special.betainc(prior.a, prior.b, start)
        return float(constant + mass - math.log(cut))


def _conversions(arm: Sample) -> int:
    conversions = round(arm.mean * arm.count)
    is_whole = abs(arm.mean * arm.count - conversions) <= _ROUNDING * max(1, conversions)
    # Zeros and ones, and nothing else in [0, 1], have squares that sum to what they themselves do.
    squares = arm.variance * (arm.count - 1) + arm.mean**2 * arm.count
    if not (is_whole and 0 <= conversions <= arm.count and math.isclose(squares, conversions, rel_tol=1e-6)):
        message = (
            f"expected outcomes of 0 and 1, found mean {arm.mean} and variance {arm.variance} of {arm.count}"
        )
        raise StatisticsError(
            message, code="invalid_outcome", hint="lf.Betting and lf.AlwaysValid read amounts"
        )
    return conversions


def _log_integral(log_integrand: Callable[[Any], Any], start: float, mode: float, stop: float) -> float:
    """Logarithm of the integral of a log-concave function from start to stop, highest at the mode."""
    peak = float(log_integrand(mode))
    left, right = (
        _fall(lambda u: float(log_integrand(u)) - peak + _NEGLIGIBLE, mode, end) for end in (start, stop)
    )
    # u = sin^2 t: what behaves as a root of u or of 1 - u at an end is smooth in t.
    first, last = math.asin(math.sqrt(left)), math.asin(math.sqrt(right))
    t = first + (last - first) * (_NODES + 1) / 2
    steps = _WEIGHTS * (last - first) / 2 * np.sin(2 * t)
    return float(special.logsumexp(log_integrand(np.sin(t) ** 2), b=steps))


def _fall(height: Callable[[float], float], mode: float, end: float) -> float:
    """Where the height becomes negative on the way to the end; the end when it does not."""
    if height(end) >= 0:
        return end
    return float(optimize.brentq(height, mode, end, xtol=1e-15, rtol=1e-6))
