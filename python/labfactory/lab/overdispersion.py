"""How much more units vary than their own spread says, learnt from arms that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from labfactory.base.errors import StatisticsError
from labfactory.lab.multiplicity import numbers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# Two-sided at five percent, where a well-behaved test of alike arms is significant in one of twenty pairs.
_Z = -float(special.ndtri(0.025))
# Sums of squares of as many as there are fit a double.
_LARGEST = 1e145


@dataclass(frozen=True, slots=True)
class Overdispersion:
    """What comparisons of alike arms say of the variance.

    Args:
        factor: Mean of z squared: what variances have to be multiplied by; `variance_factor` of an
            evaluation, where it is above 1.
        lower: Lower bound of its 95 % interval, if z is normal and pairs are independent.
        upper: Upper bound.
        pairs: Comparisons behind it.
        beyond: Share of the pairs whose |z| is above 1.96: 0.05 if nothing is wrong.
    """

    factor: float
    lower: float
    upper: float
    pairs: int
    beyond: float


def overdispersion(z: Sequence[float | None]) -> Overdispersion:
    """The factor by which variances are too small, from arms that are known to be alike.

    Duplicate arms and A/A tests differ by chance alone. Where their differences are larger than the standard
    errors say, units are not independent (several page views of one person, days that differ) and every
    interval is too narrow.

    Args:
        z: Difference over standard error of each pair; None or NaN is left out.

    Returns:
        The factor with its interval.

    Raises:
        StatisticsError: `no_pairs`, when nothing is left; `invalid_outcome`, when one is infinite.

    Example:
        >>> found = overdispersion([0.5, -1.2, 2.4, -0.3, 1.9, -2.1, 0.2, 0.9])
        >>> round(found.factor, 2), found.pairs, found.beyond
        (2.05, 8, 0.25)
    """
    given = np.array(numbers_of(z, what="z", code="invalid_outcome"), np.float64)
    known = given[~np.isnan(given)]
    is_wrong = np.abs(known) > _LARGEST
    if is_wrong.any():
        message = f"expected finite z, found {known[is_wrong][0]} ({int(is_wrong.sum())} such)"
        raise StatisticsError(message, code="invalid_outcome", hint="leave out pairs without variance")
    if not known.size:
        message = f"expected pairs with a difference and its error, found none in {len(z)}"
        raise StatisticsError(message, code="no_pairs")
    squares = float(known @ known)
    return Overdispersion(
        factor=squares / known.size,
        lower=squares / float(special.chdtri(known.size, 0.025)),
        upper=squares / float(special.chdtri(known.size, 0.975)),
        pairs=known.size,
        beyond=float((np.abs(known) > _Z).mean()),
    )
