"""Random-effects meta-analysis: one effect from many experiments, and how much they differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy import optimize, special

from labfactory.base.errors import StatisticsError, UsageError, nearest
from labfactory.lab.estimators import SMALLEST_P
from labfactory.lab.multiplicity import numbers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

Heterogeneity = Literal["paule_mandel", "dersimonian_laird", "reml", "none"]
# Squares of effects over squares of errors fit a double.
_LARGEST = 1e70

IntervalKind = Literal["hartung_knapp", "normal"]


@dataclass(frozen=True, slots=True)
class PooledEffect:
    """What several experiments say together.

    Args:
        count: Experiments pooled.
        value: Mean effect.
        standard_error: Of the mean effect.
        lower: Lower bound of its two-sided interval at 1 - alpha.
        upper: Upper bound.
        p: Two-sided p-value of a mean effect of 0; never 0.
        tau2: Variance of the true effects between experiments; None of a single experiment.
        q: Cochran's Q; None of a single experiment.
        q_p: p-value of Q under equal true effects.
        i2: Share of the variation that is between experiments, (Q - df) / Q, from 0 to 1.
        prediction_lower: Lower bound of the effect that a new experiment will have, at 1 - alpha; None of
            fewer than three experiments.
        prediction_upper: Upper bound.
        alpha: Error level of the intervals.
        heterogeneity: Estimator of tau2.
        interval: Kind of interval.
        scale: What the effects are: `difference`, or `lift`, where value and bounds are lifts again.
    """

    count: int
    value: float
    standard_error: float
    lower: float
    upper: float
    p: float
    tau2: float | None
    q: float | None
    q_p: float | None
    i2: float | None
    prediction_lower: float | None
    prediction_upper: float | None
    alpha: float
    heterogeneity: Heterogeneity
    interval: IntervalKind
    scale: Literal["difference", "lift"] = "difference"

    def __repr__(self) -> str:
        sign, unit = (100.0, " %") if self.scale == "lift" else (1.0, "")

        def text(value: float | None) -> str:
            return "–" if value is None else f"{sign * value:+.4g}{unit}"

        level = f"{100 * (1 - self.alpha):g} %"
        lines = [
            f"{self.count} experiments: {text(self.value)} ({text(self.lower)} … {text(self.upper)})",
            f"p {self.p:.3g}, {level} interval by {self.interval}, tau2 by {self.heterogeneity}",
        ]
        if self.q is not None and self.tau2 is not None and self.i2 is not None and self.q_p is not None:
            lines.append(
                f"tau2 {self.tau2:.4g}, I2 {100 * self.i2:.3g} %, Q {self.q:.4g} (p {self.q_p:.3g}), "
                f"a new experiment: {text(self.prediction_lower)} … {text(self.prediction_upper)}"
            )
        return "\n".join(lines)


def pool_effects(
    effects: Sequence[float],
    standard_errors: Sequence[float],
    *,
    heterogeneity: Heterogeneity = "paule_mandel",
    interval: IntervalKind = "hartung_knapp",
    alpha: float = 0.05,
) -> PooledEffect:
    """Pool effects of independent experiments by a random-effects model.

    Args:
        effects: One of each experiment, all on one scale.
        standard_errors: Of the effects, above 0.
        heterogeneity: How the variance between experiments is estimated; `none` takes it for 0, which is the
            fixed-effect model.
        interval: `hartung_knapp` (t with k - 1 degrees of freedom, the variance from the spread of the
            effects), or `normal` (which covers too little with few experiments).
        alpha: Error level, above 0 and below 1.

    Returns:
        The pooled effect. Of one experiment it is that experiment's, with a normal interval.

    Raises:
        StatisticsError: `no_effects`, when there are none, or one is not finite or has no standard error.
        UsageError: `alpha`; `insights`, for an unknown estimator or interval.

    References:
        DerSimonian and Laird (1986), "Meta-analysis in clinical trials". Paule and Mandel (1982), "Consensus
        values and weighting factors". Viechtbauer (2005) for REML. Hartung and Knapp (2001), "A refined
        method for the meta-analysis of controlled clinical trials". Higgins, Thompson and Spiegelhalter
        (2009) for the prediction interval.

    Example:
        >>> pooled = pool_effects([0.1, 0.3, 0.35, 0.65], [0.17, 0.15, 0.2, 0.12])
        >>> round(pooled.value, 4), round(pooled.tau2, 4), round(pooled.i2, 3)
        (0.3707, 0.0317, 0.623)
    """
    _check(effects, standard_errors, heterogeneity, interval, alpha)
    values, variances = np.asarray(effects, float), np.square(np.asarray(standard_errors, float))
    count = len(values)
    q = _spread(values, 1.0 / variances)
    tau2 = _BETWEEN[heterogeneity](values, variances) if count > 1 else 0.0
    weights = 1.0 / (variances + tau2)
    mean = float(weights @ values / weights.sum())
    error = math.sqrt(1.0 / weights.sum())
    by_spread = interval == "hartung_knapp" and count > 1
    if by_spread:
        error *= math.sqrt(_spread(values, weights) / (count - 1))
    critical = _t_quantile(count - 1, alpha) if by_spread else -float(special.ndtri(alpha / 2))
    prediction = None
    if count > 2:
        prediction = _t_quantile(count - 2, alpha) * math.sqrt(tau2 + error**2)
    return PooledEffect(
        count=count,
        value=mean,
        standard_error=error,
        lower=mean - critical * error,
        upper=mean + critical * error,
        p=_p_value(mean, error, count - 1 if by_spread else None),
        tau2=tau2 if count > 1 else None,
        q=q if count > 1 else None,
        q_p=float(special.chdtrc(count - 1, q)) if count > 1 else None,
        i2=max(0.0, (q - (count - 1)) / q) if count > 1 and q > 0 else 0.0 if count > 1 else None,
        prediction_lower=None if prediction is None else mean - prediction,
        prediction_upper=None if prediction is None else mean + prediction,
        alpha=alpha,
        heterogeneity=heterogeneity,
        interval=interval if count > 1 else "normal",
    )


def _check(
    effects: Sequence[float],
    standard_errors: Sequence[float],
    heterogeneity: str,
    interval: str,
    alpha: float,
) -> None:
    if not 0 < alpha < 1:
        message = f"expected alpha above 0 and below 1, found {alpha}"
        raise UsageError(message, code="alpha")
    for found, known in ((heterogeneity, get_args(Heterogeneity)), (interval, get_args(IntervalKind))):
        if found not in known:
            message = f"expected one of {', '.join(known)}, found {found!r}"
            raise UsageError(message, code="insights", hint=nearest(found, known))
    values, errors = (
        numbers_of(each, what="effects with standard errors", code="no_effects")
        for each in (effects, standard_errors)
    )
    is_sound = len(values) == len(errors) > 0 and all(
        abs(value) <= _LARGEST and 1 / _LARGEST <= error <= _LARGEST
        for value, error in zip(values, errors, strict=True)
    )
    if not is_sound:
        pairs = list(zip(effects, standard_errors, strict=False))
        message = f"expected effects, each with a standard error above 0, found {pairs[:5] or 'none'}"
        raise StatisticsError(message, code="no_effects")


def _spread(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    """The weighted sum of squares around the weighted mean."""
    return float(weights @ np.square(values - weights @ values / weights.sum()))


def _none(values: npt.NDArray[np.float64], variances: npt.NDArray[np.float64]) -> float:
    del values, variances
    return 0.0


def _dersimonian_laird(values: npt.NDArray[np.float64], variances: npt.NDArray[np.float64]) -> float:
    weights = 1.0 / variances
    total = float(weights.sum())
    surplus = _spread(values, weights) - (len(values) - 1)
    return max(0.0, surplus / (total - float(weights @ weights) / total))


def _paule_mandel(values: npt.NDArray[np.float64], variances: npt.NDArray[np.float64]) -> float:
    def surplus(tau2: float) -> float:
        return _spread(values, 1.0 / (variances + tau2)) - (len(values) - 1)

    return _root(surplus, values)


def _reml(values: npt.NDArray[np.float64], variances: npt.NDArray[np.float64]) -> float:
    def score(tau2: float) -> float:
        # Viechtbauer 2005, eq. 11, as the derivative of the restricted likelihood.
        weights = 1.0 / (variances + tau2)
        total = weights.sum()
        residuals = values - weights @ values / total
        fit = np.square(weights) @ np.square(residuals)
        return float(fit - total + np.square(weights).sum() / total)

    return _root(score, values)


def _root(falling: Callable[[float], float], values: npt.NDArray[np.float64]) -> float:
    """The variance at which a falling function is 0, or 0 when it is below 0 there."""
    if falling(0.0) <= 0:
        return 0.0
    most = float(np.var(values, ddof=1))
    while falling(most) > 0:
        most *= 2.0
    return float(optimize.brentq(falling, 0.0, most, xtol=1e-14, rtol=1e-13, maxiter=500))


_BETWEEN = {
    "none": _none,
    "dersimonian_laird": _dersimonian_laird,
    "paule_mandel": _paule_mandel,
    "reml": _reml,
}


def _t_quantile(degrees: int, alpha: float) -> float:
    return -float(special.stdtrit(degrees, alpha / 2))


def _p_value(mean: float, error: float, degrees: int | None) -> float:
    if error == 0.0:
        return 1.0 if mean == 0.0 else SMALLEST_P
    tail = -abs(mean) / error
    p = 2.0 * float(special.ndtr(tail) if degrees is None else special.stdtr(degrees, tail))
    return min(1.0, max(p, SMALLEST_P))
