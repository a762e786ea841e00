"""Posterior of a difference: chance to win and expected loss beside the interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, special

from labfactory.base.errors import UsageError
from labfactory.lab.adjustment import Contrast, Welch
from labfactory.lab.estimators import SMALLEST_P, Difference
from labfactory.lab.judgement import Judgement, with_lift

if TYPE_CHECKING:
    from collections.abc import Callable

    from labfactory.lab.estimators import Sample
    from labfactory.lab.metric import Metric

# Gauss–Legendre nodes over the narrower posterior; 200 give twelve digits where both are bell-shaped.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
# A posterior's mass outside this tail on either side is left out of the quadrature.
_TAIL = 1e-15


class _Beta(NamedTuple):
    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    @property
    def spread(self) -> float:
        total = self.a + self.b
        return math.sqrt(self.a * self.b / (total * total * (total + 1)))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(special.betainc(self.a, self.b, np.clip(x, 0.0, 1.0)))

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Points and weights that sum to 1."""
        low, high = special.betaincinv(self.a, self.b, [_TAIL, 1 - _TAIL])
        points = low + (high - low) * (_NODES + 1) / 2
        log_density = special.xlogy(self.a - 1, points) + special.xlog1py(self.b - 1, -points)
        weights = _WEIGHTS * np.exp(log_density - log_density.max())
        return points, weights / weights.sum()


@dataclass(frozen=True, slots=True)
class Bayes(Welch):
    """Posterior of the difference under a stated prior, with chance to win and expected loss.

    Proportions have independent Beta priors in both arms, unless a prior for the lift is given. Everything
    else has a normal posterior: the difference of means with its estimated variance, and a normal prior of
    the lift; without one the interval is that of the z-test. Intervals are equal-tailed and credible at
    1 - alpha. There is no p-value. A posterior does not make peeking harmless.

    Args:
        prior_sd: Standard deviation of the prior of the relative lift, as 0.3; None for no prior on it.
        prior_mean: Mean of that prior.
        beta: Parameters of the prior of a proportion, both above 0; (1, 1) is uniform.

    Raises:
        UsageError: `estimator`, when a parameter is not as said.

    References:
        Stucchio (2015), "Bayesian A/B testing at VWO", for expected loss. Gelman et al. (2013), "Bayesian
        data analysis", 2.5.

    Example:
        >>> Bayes(prior_sd=0.3).name
        'bayes(lift ~ N(0, 0.3²))'
        >>> Bayes().name
        'bayes(Beta(1, 1), flat)'
    """

    prior_sd: float | None = None
    prior_mean: float = 0.0
    beta: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        is_spread = self.prior_sd is None or (math.isfinite(self.prior_sd) and self.prior_sd > 0)
        if (
            not is_spread
            or not math.isfinite(self.prior_mean)
            or not all(0 < x < math.inf for x in self.beta)
        ):
            message = (
                "expected a prior_sd above 0, a finite prior_mean and a beta of two numbers above 0, found "
                f"{self.prior_sd}, {self.prior_mean} and {self.beta}"
            )
            raise UsageError(message, code="estimator")

    @property
    def name(self) -> str:
        """Name and prior."""
        if self.prior_sd is None:
            return f"bayes(Beta({self.beta[0]:g}, {self.beta[1]:g}), flat)"
        return f"bayes(lift ~ N({self.prior_mean:g}, {self.prior_sd:g}²))"

    def judge(self, metric: Metric, contrast: Contrast, *, alpha: float) -> Judgement:
        """The posterior of a contrast that has a variance.

        Args:
            metric: What is measured, and which way is better.
            contrast: The estimates.
            alpha: The interval is credible at 1 - alpha.

        Returns:
            Interval, lift, chance to win and expected loss.
        """
        if metric.kind == "proportion" and self.prior_sd is None:
            return self._betas(metric, contrast, alpha)
        return self._normal(metric, contrast, alpha)

    def _normal(self, metric: Metric, contrast: Contrast, alpha: float) -> Judgement:
        control, mean = contrast.control.mean, contrast.treatment.minus(contrast.control)
        variance = contrast.variance
        if self.prior_sd is not None and control != 0:
            # Precisions add; the prior of the lift becomes one of the difference by the control's value.
            prior_variance = (self.prior_sd * control) ** 2
            weight = prior_variance / (prior_variance + variance)
            mean = weight * mean + (1 - weight) * self.prior_mean * control
            variance *= weight
        error = math.sqrt(variance)
        critical = -float(special.ndtri(alpha / 2))
        half = critical * error
        shrunk = contrast.scaled(variance / contrast.variance)
        # p is not used: a posterior has none.
        judged = with_lift(shrunk, Difference(mean, mean - half, mean + half, SMALLEST_P, critical))
        gain = mean if metric.direction == "increase" else -mean
        z = gain / error
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return Judgement(
            value=mean,
            standard_error=error,
            lower=judged.lower,
            upper=judged.upper,
            relative=judged.relative,
            relative_lower=judged.relative_lower,
            relative_upper=judged.relative_upper,
            chance_to_win=float(special.ndtr(z)),
            # E max(-gain, 0) of a normal distribution.
            expected_loss=max(error * density - gain * float(special.ndtr(-z)), 0.0),
        )

    def _betas(self, metric: Metric, contrast: Contrast, alpha: float) -> Judgement:
        control, treatment = self._posterior(contrast.control), self._posterior(contrast.treatment)

        def below(difference: float) -> float:
            return _below(control, treatment, shift=difference, ratio=1.0)

        def under(lift: float) -> float:
            return _below(control, treatment, shift=0.0, ratio=1.0 + lift)

        highest = 1.0
        while under(highest) < 1 - alpha / 4:
            highest *= 4
        lower_chance = _above(treatment, control)
        wins = lower_chance if metric.direction == "increase" else 1 - lower_chance
        better, worse = (treatment, control) if metric.direction == "increase" else (control, treatment)
        return Judgement(
            value=treatment.mean - control.mean,
            standard_error=math.hypot(control.spread, treatment.spread),
            lower=_quantile(below, alpha / 2, -1.0, 1.0),
            upper=_quantile(below, 1 - alpha / 2, -1.0, 1.0),
            relative=treatment.mean / control.mean - 1,
            relative_lower=_quantile(under, alpha / 2, -1.0, highest),
            relative_upper=_quantile(under, 1 - alpha / 2, -1.0, highest),
            chance_to_win=wins,
            expected_loss=_loss(better, worse),
        )

    def _posterior(self, sample: Sample) -> _Beta:
        # The units that the variance stands for: those that came, unless it was scaled for overdispersion.
        plain = sample.mean * (1 - sample.mean) * sample.count / max(sample.count - 1, 1)
        units = sample.count * plain / sample.variance if sample.variance > 0 else sample.count
        return _Beta(self.beta[0] + units * sample.mean, self.beta[1] + units * (1 - sample.mean))


def _below(control: _Beta, treatment: _Beta, *, shift: float, ratio: float) -> float:
    """P(treatment <= ratio * control + shift), by quadrature over the narrower of both."""
    if control.spread <= treatment.spread:
        points, weights = control.grid()
        return float(weights @ treatment.cdf(ratio * points + shift))
    points, weights = treatment.grid()
    return float(weights @ (1.0 - control.cdf((points - shift) / ratio))) if ratio > 0 else 0.0


def _above(left: _Beta, right: _Beta) -> float:
    """P(left > right)."""
    return 1.0 - _below(right, left, shift=0.0, ratio=1.0)


def _loss(better: _Beta, worse: _Beta) -> float:
    """E max(worse - better, 0): the mean of one of both, times a chance under a Beta one event richer."""
    lost = worse.mean * _above(_Beta(worse.a + 1, worse.b), better)
    kept = better.mean * (1.0 - _above(_Beta(better.a + 1, better.b), worse))
    return max(lost - kept, 0.0)


def _quantile(cdf: Callable[[float], float], level: float, low: float, high: float) -> float:
    return float(optimize.brentq(lambda x: cdf(x) - level, low, high, xtol=1e-13, rtol=1e-13))
