"""The chance to find an effect: by the noncentral t, by recursion over looks, by simulation."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

from labfactory.lab.sequential.recursion import crossing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.sequential import BetaBinomial, Betting
    from labfactory.lab.sequential.look import Alternative


class Power(NamedTuple):
    """What a design achieves.

    Attributes:
        power: Chance to find the effect.
        expected_share: Share of the planned units that are used on average, as looks may stop.
        method: How it was computed.
    """

    power: float
    expected_share: float
    method: str


def fixed_power(strength: float, degrees: float, *, alpha: float, alternative: Alternative) -> Power:
    """Of one look.

    Args:
        strength: The effect over its standard error, positive where it is looked for.
        degrees: Degrees of freedom of the standard error.
        alpha: Error level.
        alternative: Two sides or one.
    """
    level = alpha / 2 if alternative == "two_sided" else alpha
    critical = -float(special.stdtrit(degrees, level))
    # The upper tail as the lower tail of the mirror image, which does not cancel.
    above = float(special.nctdtr(degrees, -strength, -critical))
    below = float(special.nctdtr(degrees, strength, -critical))
    if not math.isfinite(above + below):  # SciPy gives up on strong effects and many degrees
        above = float(special.ndtr(strength - critical))
        below = float(special.ndtr(-critical - strength))
    power = above + below if alternative == "two_sided" else above
    return Power(min(power, 1.0), 1.0, "noncentral t")


def sequential_power(
    strength: float, shares: Sequence[float], bounds: Sequence[float], *, alternative: Alternative
) -> Power:
    """Of several looks, exactly for a normal statistic.

    Args:
        strength: The effect over its standard error at the last look.
        shares: Share of the information at each look, rising to 1.
        bounds: Bounds of the statistic at each.
        alternative: Two sides or one.
    """
    lower = [-bound if alternative == "two_sided" else -math.inf for bound in bounds]
    chances = crossing(shares, bounds, lower=lower, drift=strength)
    stops = np.array(chances.above) + (np.array(chances.below) if alternative == "two_sided" else 0.0)
    expected = float(stops @ np.array(shares)) + 1.0 - float(stops.sum())
    return Power(float(stops.sum()), expected, f"recursion over {len(shares)} looks")


def simulated_power(
    rule: BetaBinomial | Betting,
    rates: tuple[float, float],
    units: tuple[int, int],
    *,
    alpha: float,
    alternative: Alternative,
    looks: int,
    runs: int,
    seed: int,
) -> Power:
    """Of the exact rules on conversions, by simulation.

    Args:
        rule: The rule.
        rates: Conversion rates of control and treatment.
        units: Units of control and treatment at the last look.
        alpha: Error level over all looks.
        alternative: Two sides or one.
        looks: Evenly spaced looks.
        runs: Simulated experiments; the standard error of the power is at most 0.5 / sqrt(runs).
        seed: Of the simulation.
    """
    random = np.random.default_rng(seed)
    share = units[1] / sum(units)
    controls, treated = (
        np.cumsum(random.binomial(_parts(arm, looks), rate, (runs, looks)), axis=1).astype(np.float64)
        for rate, arm in zip(rates, units, strict=True)
    )
    sums = (treated, treated, controls, controls) if hasattr(rule, "bound") else (treated, controls)
    log_p = rule.log_p(*sums, alpha=alpha, alternative=alternative, share=share)
    is_found = log_p <= math.log(alpha)
    first = np.where(is_found.any(axis=1), is_found.argmax(axis=1), looks - 1)
    expected = float((first + 1).mean()) / looks
    return Power(float(is_found.any(axis=1).mean()), expected, f"simulation of {runs:,} runs, seed {seed}")


def _parts(units: int, looks: int) -> list[int]:
    """Units that come between looks."""
    edges = [round(units * look / looks) for look in range(looks + 1)]
    return [later - earlier for earlier, later in pairwise(edges)]
