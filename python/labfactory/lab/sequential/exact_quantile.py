"""Exact confidence sequences of quantiles, of one arm and between two, from the order of values alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import optimize

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.estimators import Sample
from labfactory.lab.sequential.exact import Bounds, ExactRule
from labfactory.lab.sequential.mixtures import best_rho, log_beta_binomial_mixture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from labfactory.lab.metric import Kind
    from labfactory.lab.sequential.look import Alternative


@dataclass(frozen=True, slots=True, eq=False)
class QuantileSample(Sample):
    """An arm's quantile together with the values that it is of.

    Args:
        q: Which quantile.
        values: All values, ascending.
    """

    q: float
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ExactQuantile(ExactRule):
    """Read quantiles at any time, exactly: no density, no limit theorem, no planned shares.

    Each value lies at or below an arm's quantile with probability q, so their number is a coin's, and a Beta
    prior gives a martingale in closed form. The evidence against a difference d is that of both arms together
    at the pair of quantiles, d apart, that it speaks least against. p is the evidence at d = 0; the bounds of
    the difference and of the lift invert the same test.

    Rows have to be independent: a quantile with clusters is for `AlwaysValid`.

    Args:
        horizon: Values of an arm at which its bounds are closest, above 0.

    Raises:
        UsageError: `stop_rule`, for a horizon that is not above 0.

    References:
        Howard and Ramdas (2022), "Sequential estimation of quantiles with applications to A/B testing and
        best-arm identification", Bernoulli.

    Example:
        >>> import numpy as np
        >>> from labfactory.lab.quantile import quantile_sample
        >>> control, treatment = (quantile_sample(np.arange(1, 1001.0) + by, 0.5) for by in (0, 100))
        >>> ExactQuantile(horizon=100).look(control, treatment, alpha=0.05)
        Look 1 of exact_quantile(horizon=100): significant, two_sided at alpha 0.05
          100 [12, 188], p 0.00549, 1,000 and 1,000 units
    """

    horizon: float = 1000
    kinds: ClassVar[frozenset[Kind]] = frozenset({"quantile"})

    def __post_init__(self) -> None:
        if not (math.isfinite(self.horizon) and self.horizon > 0):
            message = f"expected a horizon above 0 values, found {self.horizon}"
            raise UsageError(message, code="stop_rule")

    @property
    def name(self) -> str:
        """Name and settings in one line."""
        return f"exact_quantile(horizon={self.horizon:g})"

    def _wealth(
        self, control: Sample, treatment: Sample, *, alpha: float, alternative: Alternative, share: float
    ) -> _Pair:
        del share  # the order of the values knows nothing of it
        if alternative != "two_sided":
            message = f"expected the alternative two_sided for {self.name}, found {alternative!r}"
            raise UsageError(message, code="alternative")
        if not (isinstance(control, QuantileSample) and isinstance(treatment, QuantileSample)):
            message = f"expected quantiles with their values for {self.name}, found count, mean and variance"
            raise StatisticsError(message, code="invalid_outcome", hint="lf.AlwaysValid reads those")
        before, after = (_Ranks.of(arm.values, arm.q, self.horizon, alpha) for arm in (control, treatment))
        return _Pair(before, after)

    def to_dict(self) -> dict[str, object]:
        """The rule as JSON holds it."""
        return {"kind": "exact_quantile", "horizon": self.horizon}


def quantile_sequence(
    values: ArrayLike, q: float, *, alpha: float, horizon: float = 1000
) -> tuple[float, float]:
    """Bounds of a quantile that hold exactly, however often they are read.

    Args:
        values: All that have come until now, in any order; at least one, none NaN.
        q: Which quantile, above 0 and below 1.
        alpha: Error level over all looks together.
        horizon: Values at which the bounds are closest.

    Returns:
        Lower and upper bound, infinite on a side where the values reach no further.

    Raises:
        UsageError: `stop_rule`, for a q that is no share.
        StatisticsError: `no_units`, `invalid_outcome`.

    References:
        Howard and Ramdas (2022), "Sequential estimation of quantiles with applications to A/B testing and
        best-arm identification", Bernoulli.

    Example:
        >>> quantile_sequence(range(1, 1001), 0.5, alpha=0.05)
        (453.0, 548.0)
    """
    if not 0 < q < 1:
        message = f"expected q above 0 and below 1, found {q}"
        raise UsageError(message, code="stop_rule")
    ordered = np.sort(np.asarray(values, np.float64))
    if not ordered.size:
        message = "expected one value or more, found none"
        raise StatisticsError(message, code="no_units")
    if np.isnan(ordered[-1]):  # numpy sorts them last
        message = f"expected numbers, found {int(np.isnan(ordered).sum())} NaN"
        raise StatisticsError(message, code="invalid_outcome")
    ranks = _Ranks.of(ordered, q, horizon, alpha)
    lowest, highest = ranks.range_below(np.array([-math.log(alpha)]))
    return float(lowest[0]), float(highest[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Ranks:
    """The evidence of an arm against its quantile being this value.

    Args:
        values: Ascending, with an infinity at both ends.
        evidence: Against a quantile with k of the values below it, k from 0 to their number.
        center: The share that the evidence speaks least against, as a number of values.
        least: The evidence there.
    """

    values: NDArray[np.float64]
    evidence: NDArray[np.float64]
    center: float
    least: float

    @staticmethod
    def of(values: NDArray[np.float64], q: float, horizon: float, alpha: float) -> _Ranks:
        count = len(values)
        rho = best_rho(horizon * q * (1 - q), alpha)

        def log_wealth(below: float | NDArray[np.float64]) -> NDArray[np.float64]:
            v = q * (1 - q) * count
            return log_beta_binomial_mixture(below - q * count, v, rho, below=q, above=1 - q)

        found = optimize.minimize_scalar(
            lambda below: float(log_wealth(below)),
            bounds=(0, count),
            method="bounded",
            options={"xatol": 1e-8},
        )
        ends = np.array([-np.inf]), np.array([np.inf])
        evidence = log_wealth(np.arange(count + 1, dtype=np.float64))
        return _Ranks(np.concatenate([ends[0], values, ends[1]]), evidence, float(found.x), float(found.fun))

    def against(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evidence against each point: a value that equals it may count as below or above."""
        inner = self.values[1:-1]
        fewest, most = (np.searchsorted(inner, points, side) for side in ("left", "right"))
        nearer = np.where(most < self.center, most, fewest)
        is_center = (fewest <= self.center) & (self.center <= most)
        return np.where(is_center, self.least, self.evidence[nearer])

    def range_below(self, threshold: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The lowest and the highest point with evidence below each threshold, all of them above `least`."""
        first = math.ceil(self.center)  # values at or below this one may all count as below the center
        falling = np.minimum.accumulate(self.evidence[: first + 1])
        lowest = np.searchsorted(-falling, -threshold, side="right")
        last = math.floor(self.center)
        rising = np.maximum.accumulate(self.evidence[last:])
        highest = last + np.searchsorted(rising, threshold, side="left") - 1
        return self.values[np.minimum(lowest, first)], self.values[np.maximum(highest, last) + 1]

    def steps_above(self, threshold: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each value from the center up with evidence below the threshold, and that evidence."""
        last = math.floor(self.center)
        evidence = np.concatenate([[self.least], self.evidence[last + 1 :]])
        is_kept = evidence < threshold
        return self.values[last + 1 :][is_kept], evidence[is_kept]

    def steps_below(self, threshold: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each value from the center down, likewise."""
        first = math.ceil(self.center)
        evidence = np.concatenate([self.evidence[:first], [self.least]])
        is_kept = evidence < threshold
        return self.values[: first + 1][is_kept], evidence[is_kept]


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Both arms: the pairs of quantiles that their evidence together allows."""

    control: _Ranks
    treatment: _Ranks

    def log_p(self) -> float:
        points = np.concatenate([self.control.values[1:-1], self.treatment.values[1:-1]])
        # Against one quantile of both arms, where it is least.
        return min(0.0, -float((self.control.against(points) + self.treatment.against(points)).min()))

    def absolute_bounds(self, threshold: float) -> Bounds:
        low, highest, high, lowest = self._ends(threshold)
        if not low.size:
            return Bounds(None, None)
        return Bounds(_finite((lowest - high).min()), _finite((highest - low).max()))

    def relative_bounds(self, threshold: float) -> Bounds:
        low, highest, high, lowest = self._ends(threshold)
        if not low.size or low.min() <= 0 or lowest.min() <= 0:
            return Bounds(None, None)
        return Bounds(_finite((lowest / high).min() - 1), _finite((highest / low).max() - 1))

    def _ends(self, threshold: float) -> tuple[NDArray[np.float64], ...]:
        """Quantiles of the control downward, each with the highest that it allows the treatment; and upward.

        Empty where too few values have come for their order to speak at all.
        """
        left = threshold - self.treatment.least
        low, cost_below = self.control.steps_below(left)
        high, cost_above = self.control.steps_above(left)
        _, highest = self.treatment.range_below(threshold - cost_below)
        lowest, _ = self.treatment.range_below(threshold - cost_above)
        return low, highest, high, lowest


def _finite(bound: np.float64) -> float | None:
    return float(bound) if np.isfinite(bound) else None
