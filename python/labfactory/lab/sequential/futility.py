"""Futility bounds: where an effect worth finding would have shown by now."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from scipy import optimize

from labfactory.lab.sequential.recursion import Going
from labfactory.lab.sequential.spending import SpendingFunction, spending_bounds

if TYPE_CHECKING:
    from collections.abc import Callable

# Standardised effects at the last look between which every sensible test finds its own.
_LEAST_DRIFT, _MOST_DRIFT = 0.01, 20.0
_FARTHEST = 37.0


@lru_cache(maxsize=64)
def futility_bounds(
    spending: SpendingFunction,
    futility: SpendingFunction,
    information: tuple[float, ...],
    shares: tuple[float, ...],
    *,
    alpha: float,
    power: float,
) -> tuple[float, ...]:
    """Lower bounds of a one-sided test that spend the chance of missing the effect it has this power for.

    The upper bounds are those of the test without them, so they need not be obeyed. At the last look the two
    meet.

    Args:
        spending: How the error is spent.
        futility: How the chance of a miss is spent.
        information: At each look, rising, on any scale.
        shares: Share of the error's time at each look, ending with 1.
        alpha: One-sided error level over all looks.
        power: Of the test when the lower bounds are obeyed.

    Returns:
        A bound of the statistic a look; minus infinity where next to nothing is spent.

    References:
        Pampallona, Tsiatis and Kim (2001), "Interim monitoring of group sequential trials using spending
        functions for the type I and type II error probabilities".
    """
    upper = spending_bounds(spending, information, shares, alpha, "greater")

    def bounds(strength: float) -> tuple[float, ...]:
        drift = strength / math.sqrt(information[-1])
        return _lower_bounds(futility, information, shares, upper, drift=drift, miss=1 - power)

    strength = float(
        optimize.brentq(lambda drift: bounds(drift)[-1] - upper[-1], _LEAST_DRIFT, _MOST_DRIFT, xtol=1e-8)
    )
    return (*bounds(strength)[:-1], upper[-1])


def _lower_bounds(
    futility: SpendingFunction,
    information: tuple[float, ...],
    shares: tuple[float, ...],
    upper: tuple[float, ...],
    *,
    drift: float,
    miss: float,
) -> tuple[float, ...]:
    bounds: list[float] = []
    going = Going.from_start(drift=drift)
    before = 0.0
    steps = [now - then for then, now in zip(information, (*information[1:], information[-1]), strict=True)]
    for at, share, high, next_step in zip(information, shares, upper, steps, strict=True):
        spent = futility.spent(share, miss, sides=1)
        bound = _root(partial(going.below, at), spent - before)
        bounds.append(bound)
        before = spent
        going = going.between(at, bound, high, next_step=next_step)
    return tuple(bounds)


def _root(chance: Callable[[float], float], wanted: float) -> float:
    if chance(-_FARTHEST) >= wanted:
        return -math.inf
    if chance(_FARTHEST) <= wanted:
        return _FARTHEST
    return float(optimize.brentq(lambda z: chance(z) - wanted, -_FARTHEST, _FARTHEST, xtol=1e-10))
