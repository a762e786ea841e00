"""Intervals of off-policy estimates: clustered normal, bootstrap, and one that holds at every look."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.off_policy.log import Codes, Floats
    from labfactory.lab.off_policy.terms import Terms

# 16 resamples at a time: their counts over a million clusters take 128 MB.
_RESAMPLES_AT_ONCE = 16


class Interval(NamedTuple):
    """Two bounds."""

    lower: float
    upper: float


def standard_error(influence: Floats, cluster: Codes) -> float:
    """Standard error of a mean whose units fall in independent clusters.

    The sum over clusters of the squared sum of influences, over the squared number of units: with clusters of
    one unit that is the variance with divisor n, over n.

    Args:
        influence: Summing to 0.
        cluster: Code of each unit's cluster.

    Returns:
        The error, in the reward's unit.

    References:
        Liang and Zeger (1986), "Longitudinal data analysis using generalized linear models".
    """
    return math.sqrt(float((np.bincount(cluster, influence) ** 2).sum())) / len(influence)


def normal_interval(value: float, error: float, alpha: float) -> Interval:
    """The two-sided interval of a normal estimate."""
    reach = float(special.ndtri(1 - alpha / 2)) * error
    return Interval(value - reach, value + reach)


def anytime_interval(
    value: float, error: float, clusters: int, *, alpha: float, tightest_at: int
) -> Interval:
    """An asymptotic confidence sequence: the interval may be looked at as often as one likes.

    Args:
        value: The estimate.
        error: Its standard error.
        clusters: How many customers it rests on so far.
        alpha: Probability that any of all intervals ever misses.
        tightest_at: At how many customers it is to be as narrow as it can be; to be fixed in advance.

    Returns:
        The interval at this look.

    References:
        Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), "Time-uniform central limit theory and asymptotic
        confidence sequences", Theorem 2.2 and appendix B.2.

    Example:
        >>> low, high = anytime_interval(0.0, 0.01, 10_000, alpha=0.05, tightest_at=10_000)
        >>> round(high, 4)
        0.0304
    """
    spread = error * math.sqrt(clusters)
    level = -2 * math.log(alpha)
    rho2 = (level + math.log(level + 1)) / tightest_at
    seen = clusters * rho2 + 1
    reach = spread * math.sqrt(2 * seen / (clusters**2 * rho2) * math.log(math.sqrt(seen) / alpha))
    return Interval(value - reach, value + reach)


def bootstrap_values(sums: Sequence[Floats], *, resamples: int, seed: int) -> Floats:
    """Estimates from customers drawn anew with replacement, the same draws for all.

    Args:
        sums: Of each estimate `Terms.sums`, [clusters, 4], over the same clusters.
        resamples: How often.
        seed: Of the draws.

    Returns:
        [resamples, estimates]; NaN where a draw holds nothing to divide by.

    References:
        Efron and Tibshirani (1993), "An introduction to the bootstrap", chapter 13.
    """
    stacked = np.concatenate(sums, axis=1)
    clusters = len(stacked)
    random = np.random.default_rng(seed)
    drawn: list[Floats] = []
    for start in range(0, resamples, _RESAMPLES_AT_ONCE):
        count = min(_RESAMPLES_AT_ONCE, resamples - start)
        picks = random.integers(0, clusters, (count, clusters))
        times = np.stack([np.bincount(pick, minlength=clusters) for pick in picks]).astype(np.float64)
        drawn.append(times @ stacked)
    totals = np.concatenate(drawn).reshape(resamples, len(sums), 4)
    base, correction, scale, units = np.moveaxis(totals, 2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        values: Floats = base / units + correction / scale
    return values


def percentiles(values: Floats, alpha: float) -> Interval | None:
    """The middle 1 - alpha of resampled estimates; None when there are none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    lower, upper = np.quantile(known, [alpha / 2, 1 - alpha / 2])
    return Interval(float(lower), float(upper))


def clusters_of(terms: Terms) -> int:
    """How many customers an estimate rests on."""
    return int(terms.cluster.max()) + 1
