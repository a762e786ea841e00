"""Mixture martingales of Howard et al.: how much evidence a sum holds against its null, at any time.

Each takes the sum `s` of centred observations and its variance process `v`, numbers or arrays of them, and
gives the logarithm of a nonnegative supermartingale that starts at 1. By Ville's inequality it reaches 1 /
alpha, ever, with probability alpha at most.

References:
    Howard, Ramdas, McAuliffe and Sekhon (2021), "Time-uniform, nonparametric, nonasymptotic confidence
    sequences". Robbins (1970), "Statistical methods related to the law of the iterated logarithm".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize, special

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = float | NDArray[np.float64]

# Relative precision of bounds that are found as roots.
_PRECISION = 1e-13


def best_rho(v: float, alpha: float, *, is_one_sided: bool = False) -> float:
    """The precision of the mixture that makes the boundary lowest at one value of the variance process.

    Args:
        v: The value, above 0.
        alpha: Error level; below 0.5 for one side.
        is_one_sided: Whether all of alpha lies on one side.

    Example:
        >>> round(best_rho(100, 0.05), 5)
        12.60056
    """
    log_alpha = math.log(2 * alpha if is_one_sided else alpha)
    return v / (-2 * log_alpha + math.log1p(-2 * log_alpha))  # Howard et al. 2021, proposition 3


def log_normal_mixture(s: Floats, v: Floats, rho: float) -> NDArray[np.float64]:
    """Two-sided normal mixture, for sums that are normal or, in the limit, anything."""
    return np.asarray(s * s / (2 * (v + rho)) - 0.5 * np.log1p(v / rho))


def normal_mixture_bound(v: float, alpha: float, rho: float) -> float:
    """The sum at which the two-sided normal mixture reaches 1 / alpha.

    Example:
        >>> round(normal_mixture_bound(100, 0.05, best_rho(100, 0.05)), 5)
        30.35209
    """
    return math.sqrt((v + rho) * (math.log1p(v / rho) - 2 * math.log(alpha)))


def log_one_sided_normal_mixture(s: Floats, v: Floats, rho: float) -> NDArray[np.float64]:
    """Normal mixture over positive means only."""
    return np.asarray(math.log(2) + log_normal_mixture(s, v, rho) + special.log_ndtr(s / np.sqrt(v + rho)))


def log_gamma_exponential_mixture(s: Floats, v: Floats, rho: float, scale: float) -> NDArray[np.float64]:
    """One-sided mixture for sums of bounded observations.

    Args:
        s: Sum of observations of mean 0 or less under the null, none of them below `-scale`.
        v: Sum of their squares.
        rho: Precision of the mixture.
        scale: Above 0.
    """
    # Howard et al. 2021, proposition 9; by Fan's inequality it lies below the wealth of a mixture of bets.
    shape = rho / scale**2
    start: Any = shape * np.log(shape) - special.gammaln(shape) - _log(special.gammainc(shape, shape))
    reach = (v + rho) / scale**2
    x = (scale * s + v + rho) / scale**2
    inside = np.maximum(x, np.finfo(np.float64).tiny)  # below 0 the integral is empty
    log_mass: Any = special.gammaln(reach) + _log(special.gammainc(reach, inside))
    return np.asarray(start + log_mass - reach * np.log(inside) + inside - shape)


def log_gamma_poisson_mixture(s: Floats, v: Floats, rho: float, scale: float) -> NDArray[np.float64]:
    """One-sided mixture for sums of observations that are bounded above by `scale`, `v` their variance."""
    shape = rho / scale**2
    start: Any = shape * np.log(shape) - special.gammaln(shape) - _log(special.gammaincc(shape, shape))
    reach = (v + rho) / scale**2
    x = s / scale + reach
    log_mass: Any = special.gammaln(x) + _log(special.gammaincc(x, reach))
    return np.asarray(start + log_mass - x * np.log(reach) + v / scale**2)


def log_beta_binomial_mixture(
    s: Floats, v: Floats, rho: float, *, below: float, above: float, is_one_sided: bool = False
) -> NDArray[np.float64]:
    """Mixture for sums of observations of two values, such as centred zeros and ones.

    Args:
        s: Sum of observations of mean 0.
        v: `below * above` times their number.
        rho: Precision of the mixture.
        below: Distance from 0 to the smaller value.
        above: Distance from 0 to the larger value.
        is_one_sided: Whether only positive means are mixed.
    """
    g, h = below, above  # Howard et al. 2021, proposition 7
    r = max(rho - g * h, 1e-3 * g * h)
    x = h / (g + h) if is_one_sided else 1.0
    prior = _log_incomplete_beta(r / (g * (g + h)), r / (h * (g + h)), x)
    ups, downs = (v / h + s) / (g + h), (v / g - s) / (g + h)
    posterior = _log_incomplete_beta((r + v - g * s) / (g * (g + h)), (r + v + h * s) / (h * (g + h)), x)
    null = v / (g * h) * math.log(g + h) - ups * math.log(g) - downs * math.log(h)
    return np.asarray(posterior - prior + null)


def poly_stitching_bound(
    v: float, alpha: float, *, v_min: float, scale: float = 0.0, s: float = 1.4, eta: float = 2.0
) -> float:
    """The polynomial stitched boundary, in the long run as low as the law of the iterated logarithm allows.

    Args:
        v: Variance process.
        alpha: Error level of this side.
        v_min: Below this the boundary is flat.
        scale: Sub-gamma scale; 0 for sub-Gaussian sums.
        s: Exponent of the spending over epochs, above 1.
        eta: Ratio of one epoch to the one before, above 1.

    Example:
        >>> round(poly_stitching_bound(100, 0.05, v_min=10, scale=3), 5)
        64.48755
    """
    v = max(v, v_min)
    # Howard et al. 2021, theorem 1 with h(k) = (k + 1)^s zeta(s).
    k1 = (eta**0.25 + eta**-0.25) / math.sqrt(2)
    k2 = (math.sqrt(eta) + 1) / 2
    level = s * math.log(math.log(eta * v / v_min)) + math.log(
        float(special.zeta(s)) / (alpha * math.log(eta) ** s)
    )
    linear = k2 * scale * level
    return math.sqrt(k1**2 * v * level + linear**2) + linear


def mixture_bound(
    log_mixture: Callable[[float], float | NDArray[np.float64]], alpha: float, *, largest: float
) -> float:
    """The sum, from 0 to `largest`, at which a mixture reaches 1 / alpha; infinite when it does not.

    Args:
        log_mixture: The logarithm of the mixture as a rising function of the sum.
        alpha: Error level.
        largest: The largest sum that can be.
    """
    threshold = -math.log(alpha)
    if float(log_mixture(largest)) < threshold:
        return math.inf
    return float(optimize.brentq(lambda s: float(log_mixture(s)) - threshold, 0.0, largest, rtol=_PRECISION))


def _log(x: Any) -> Any:
    with np.errstate(divide="ignore"):  # no mass is no evidence
        return np.log(x)


def _log_incomplete_beta(a: Floats, b: Floats, x: float) -> Any:
    whole: Any = special.betaln(a, b)
    return whole if x == 1.0 else whole + _log(special.betainc(a, b, x))
