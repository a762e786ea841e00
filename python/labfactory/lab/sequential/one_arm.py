"""Confidence sequences of one arm: a share of units, or the mean of outcomes in the order they came."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.sequential.mixtures import best_rho, log_beta_binomial_mixture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Candidate means; the bounds are given outward to the next one.
_CANDIDATES = 1001
# Waudby-Smith and Ramdas 2024, section 4.3: no stake loses more than half at once.
_MOST_STAKED = 0.5
# Outcomes a block: 2^10 x 1001 candidates are 8 MB.
_BLOCK = 1 << 10


def proportion_sequence(
    conversions: int, units: int, *, alpha: float, horizon: float = 1000
) -> tuple[float, float]:
    """Bounds of a share that hold exactly, however often they are read.

    Args:
        conversions: Units that converted.
        units: All units, one or more.
        alpha: Error level over all looks together.
        horizon: Units at which the bounds are closest.

    Returns:
        Lower and upper bound.

    Raises:
        StatisticsError: `invalid_outcome`, unless 0 <= conversions <= units and units is above 0.

    References:
        Howard, Ramdas, McAuliffe and Sekhon (2021), "Time-uniform, nonparametric, nonasymptotic confidence
        sequences", proposition 7.

    Example:
        >>> [round(bound, 4) for bound in proportion_sequence(700, 1000, alpha=0.05, horizon=100)]
        [0.6516, 0.7459]
    """
    if not 0 <= conversions <= units or units < 1:
        message = f"expected conversions from 0 to the units, found {conversions} of {units}"
        raise StatisticsError(message, code="invalid_outcome")

    def excess(p: float) -> float:
        rho = best_rho(p * (1 - p) * horizon, alpha)
        s, v = conversions - units * p, units * p * (1 - p)
        return float(log_beta_binomial_mixture(s, v, rho, below=p, above=1 - p)) + math.log(alpha)

    share, edge = conversions / units, 1e-12
    center = min(max(share, edge), 1 - edge)
    lower = optimize.brentq(excess, edge, center) if share > edge and excess(edge) > 0 else 0.0
    upper = optimize.brentq(excess, center, 1 - edge) if share < 1 - edge and excess(1 - edge) > 0 else 1.0
    return float(lower), float(upper)


def betting_sequence(
    outcomes: ArrayLike, *, alpha: float, bound: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of a mean after each outcome, exactly, by bets whose stakes learn from what came before.

    The hedged capital process: one bettor for, one against each candidate mean, each with half of the money.

    Args:
        outcomes: From 0 to the bound, in the order they came.
        alpha: Error level over all looks together.
        bound: No outcome is above it.

    Returns:
        Lower and upper bounds after each outcome, to a thousandth of the bound; they never widen.

    Raises:
        UsageError: `stop_rule`, for a bound that is not above 0.
        StatisticsError: `outcome_bound`, for an outcome outside.

    References:
        Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting", theorem 3.

    Example:
        >>> lower, upper = betting_sequence([0.2, 0.4, 0.3, 0.1] * 200, alpha=0.05)
        >>> round(float(lower[-1]), 3), round(float(upper[-1]), 3)
        (0.237, 0.263)
    """
    if not bound > 0:
        message = f"expected a bound above 0, found {bound}"
        raise UsageError(message, code="stop_rule")
    x = np.asarray(outcomes, np.float64) / bound
    if not ((x >= 0) & (x <= 1)).all():
        message = (
            f"expected outcomes from 0 to {bound}, found {float(x.min()) * bound} to {float(x.max()) * bound}"
        )
        raise StatisticsError(message, code="outcome_bound")
    stakes = _stakes(x, alpha)
    means = np.linspace(0, 1, _CANDIDATES)
    log_for, log_against = np.zeros(_CANDIDATES), np.zeros(_CANDIDATES)
    lower, upper = np.empty_like(x), np.empty_like(x)
    is_in = np.ones(_CANDIDATES, np.bool_)
    with np.errstate(divide="ignore"):  # a mean of 0 or 1 limits one of the stakes not at all
        most_for, most_against = _MOST_STAKED / means, _MOST_STAKED / means[::-1]
    for start in range(0, len(x), _BLOCK):
        block = slice(start, start + _BLOCK)
        away = x[block, None] - means
        gains = np.log1p(np.minimum(stakes[block, None], most_for) * away).cumsum(axis=0) + log_for
        losses = np.log1p(-np.minimum(stakes[block, None], most_against) * away).cumsum(axis=0) + log_against
        log_for, log_against = gains[-1], losses[-1]
        stays = np.maximum(gains, losses) < math.log(2 / alpha)
        stays = np.logical_and.accumulate(stays, axis=0) & is_in
        is_in = stays[-1]
        lower[block], upper[block] = _ends(stays, x[:start].mean() if start else x[0])
    return lower * bound, upper * bound


def _stakes(x: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Each from the outcomes before it (Waudby-Smith and Ramdas 2024, eq. 26)."""
    count = np.arange(1, len(x) + 1)
    means = (0.5 + np.cumsum(x)) / (count + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    return np.asarray(np.sqrt(2 * math.log(2 / alpha) / (before * count * np.log1p(count))))


def _ends(stays: NDArray[np.bool_], mean: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last candidate that stays, outward by one; all of a row gone leaves the mean."""
    last = stays.shape[1] - 1
    low, high = stays.argmax(axis=1), last - stays[:, ::-1].argmax(axis=1)
    is_empty = ~stays.any(axis=1)
    lower = np.where(is_empty, mean, np.maximum(low - 1, 0) / last)
    upper = np.where(is_empty, mean, np.minimum(high + 1, last) / last)
    return lower, upper
