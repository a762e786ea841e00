"""Estimates from adaptive batches: augmented inverse propensity scores, weighted to a stable variance.

The mean of an arm whose share followed its outcomes is biased downwards: an arm that begins badly is given
fewer units to recover. Scores that divide by the propensity are unbiased whatever the shares followed. Their
variance grows where a propensity is small, so batches are weighted by its inverse root: the weighted sum is a
martingale with a stable variance, and normal in the limit.

References:
    Hadad, Hirshberg, Zhan, Wager, Athey (2021), "Confidence intervals for policy evaluation in adaptive
    experiments", PNAS 118(15). Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), "Time-uniform central
    limit theory and asymptotic confidence sequences", Annals of Statistics 52(6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

from labfactory.base.errors import StatisticsError
from labfactory.lab.estimators import SMALLEST_P

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.adaptive.log import AdaptiveBatch, ArmMoments


@dataclass(frozen=True, slots=True)
class AdaptiveEstimate:
    """One variant's mean, or its difference from the control.

    Args:
        variant: Its name.
        value: The estimate.
        standard_error: Of the estimate.
        lower: Lower bound of the two-sided interval at 1 - alpha.
        upper: Upper bound.
        p: Two-sided p-value of 0 at one look; of a sequence, of 0 at every look. Never 0.
        units: Units of the batches that counted.
        naive: What the plain means say, which is biased; None when an arm has no units.
        is_sequence: Whether the interval holds after every batch at once.
    """

    variant: str
    value: float
    standard_error: float
    lower: float
    upper: float
    p: float
    units: int
    naive: float | None
    is_sequence: bool


@dataclass(frozen=True, slots=True)
class _Scores:
    """The scores of one batch, summed up, and their weight."""

    weight: float
    count: int
    total: float
    squares: float  # of the scores themselves


def estimate(
    batches: Sequence[AdaptiveBatch],
    arm: int,
    control: int | None,
    *,
    name: str,
    alpha: float,
    horizon: int | None,
) -> AdaptiveEstimate:
    """The mean of an arm, or its difference from the control.

    A unit's score for an arm is m + (y - m) / e where it is in the arm and m elsewhere, with e the propensity
    and m the arm's mean over earlier batches (in the first, which nothing could follow, over that batch); for
    a difference, the one score minus the other. Batches in which a compared arm had no probability do not
    count.

    Args:
        batches: In their order.
        arm: Position of the arm.
        control: Position of the control; None for the arm's own mean.
        name: Name of the arm.
        alpha: Error level of the interval.
        horizon: Units at which a confidence sequence is narrowest; None for a fixed end.

    Returns:
        The estimate.

    Raises:
        StatisticsError: `no_units`, when no batch counts.
    """
    arms = [arm] if control is None else [arm, control]
    scored: list[_Scores] = []
    known: dict[int, ArmMoments] = {}
    for batch in batches:
        if batch.count and all(batch.propensities[place] > 0 for place in arms):
            scored.append(_scored(batch, arms, known))
        for place in arms:
            before = known.get(place)
            known[place] = batch.arms[place] if before is None else before.merged(batch.arms[place])
    if not scored:
        message = f"expected a batch with units in which {name!r} could be assigned, found none"
        raise StatisticsError(message, code="no_units")
    value, error, units = _weighted(scored)
    half = _half_width(error, units, alpha, horizon)
    return AdaptiveEstimate(
        variant=name,
        value=value,
        standard_error=error,
        lower=value - half,
        upper=value + half,
        p=_p_value(value, error, units, horizon, alpha),
        units=units,
        naive=_naive(known, arms),
        is_sequence=horizon is not None,
    )


def _scored(batch: AdaptiveBatch, arms: Sequence[int], known: dict[int, ArmMoments]) -> _Scores:
    """Sums of the batch's scores: a unit in an arm adds (y - m) / e to what all units have."""
    signs = (1.0, -1.0)
    earlier = [known[place] if place in known and known[place].count else batch.arms[place] for place in arms]
    centres = [moments.mean for moments in earlier]
    shared = sum(sign * centre for sign, centre in zip(signs, centres, strict=False))
    total, squares, elsewhere = 0.0, 0.0, batch.count
    variance = 0.0
    for sign, centre, place in zip(signs, centres, arms, strict=False):
        moments, propensity = batch.arms[place], batch.propensities[place]
        mean = shared + sign * (moments.mean - centre) / propensity
        total += moments.count * mean
        squares += moments.squares / propensity**2 + moments.count * mean**2
        elsewhere -= moments.count
        variance += 1.0 / propensity
    total += elsewhere * shared
    squares += elsewhere * shared**2
    return _Scores(1.0 / math.sqrt(variance), batch.count, total, squares)


def _weighted(scored: Sequence[_Scores]) -> tuple[float, float, int]:
    """The weighted mean of all scores, its standard error, and their number."""
    whole = math.fsum(batch.weight * batch.count for batch in scored)
    value = math.fsum(batch.weight * batch.total for batch in scored) / whole
    # Hadad et al. 2021, eq. 7: squared distances of the scores from the estimate.
    spread = math.fsum(
        batch.weight**2 * (batch.squares - 2 * value * batch.total + batch.count * value**2)
        for batch in scored
    )
    return value, math.sqrt(max(spread, 0.0)) / whole, sum(batch.count for batch in scored)


def _half_width(error: float, units: int, alpha: float, horizon: int | None) -> float:
    if horizon is None:
        return -float(special.ndtri(alpha / 2)) * error
    # Waudby-Smith et al. 2024, eq. 12, in standard errors.
    mass = units * _rho2(alpha, horizon)
    return error * math.sqrt((mass + 1) / mass * math.log((mass + 1) / alpha**2))


def _rho2(alpha: float, horizon: int) -> float:
    """The mixture that makes the sequence narrowest at the horizon (the same paper, appendix B.2)."""
    level = -2.0 * math.log(alpha)
    return (level + math.log(level + 1.0)) / horizon


def _p_value(value: float, error: float, units: int, horizon: int | None, alpha: float) -> float:
    if error == 0.0:
        return 1.0 if value == 0.0 else SMALLEST_P
    z = value / error
    if horizon is None:
        return min(1.0, max(2.0 * float(special.ndtr(-abs(z))), SMALLEST_P))
    # The alpha at which the sequence's bound is the estimate, for the mixture that was chosen.
    mass = units * _rho2(alpha, horizon)
    log = 0.5 * math.log(mass + 1) - 0.5 * z * z * mass / (mass + 1)
    return min(1.0, max(math.exp(min(log, 0.0)), SMALLEST_P))


def _naive(known: dict[int, ArmMoments], arms: Sequence[int]) -> float | None:
    if any(known[place].count == 0 for place in arms):
        return None
    return known[arms[0]].mean - (known[arms[1]].mean if len(arms) > 1 else 0.0)
