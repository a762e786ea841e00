"""How a group-sequential test spends its error: spending functions, and the classical constants.

References:
    Lan and DeMets (1983), "Discrete sequential boundaries for clinical trials". Kim and DeMets (1987),
    "Design and analysis of group sequential tests based on the type I error spending rate function". Hwang,
    Shih and DeCani (1990), "Group sequential designs using a family of type I error probability spending
    functions". Wang and Tsiatis (1987), "Approximately optimal one-parameter boundaries for group sequential
    trials".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from scipy import optimize, special

from labfactory.base.errors import UsageError, nearest
from labfactory.lab.sequential.recursion import Going, crossing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.sequential.look import Alternative

Spending = Literal["obrien_fleming", "pocock", "power", "hwang_shih_decani"]

# No bound lies further out than this: its tail is below 1e-300.
_FARTHEST = 37.0
# Hardly any error is spent by the first looks of O'Brien and Fleming; below this there is no bound.
_LEAST_SPENT = 1e-300
_SHAPED = ("power", "hwang_shih_decani")


@dataclass(frozen=True, slots=True)
class SpendingFunction:
    """The part of the error that may be spent until a share of the information has come.

    Args:
        name: `obrien_fleming` keeps nearly all for the end, `pocock` spends evenly, `power` spends
            alpha t^shape, `hwang_shih_decani` lies between the first two by its shape (-4 and 1 are near
            them).
        shape: Exponent of `power`, above 0; parameter of `hwang_shih_decani`, any number; else None.

    Raises:
        UsageError: `stop_rule`, for an unknown name or a shape that does not belong.
    """

    name: Spending
    shape: float | None = None

    def __post_init__(self) -> None:
        if self.name not in get_args(Spending):
            known = get_args(Spending)
            message = f"expected a spending of {', '.join(known)}, found {self.name!r}"
            raise UsageError(message, code="stop_rule", hint=nearest(str(self.name), known))
        if (self.shape is not None) != (self.name in _SHAPED):
            wanted = "a shape" if self.name in _SHAPED else "no shape"
            message = f"expected {wanted} for {self.name} spending, found {self.shape}"
            raise UsageError(message, code="stop_rule", hint="power and hwang_shih_decani alone have a shape")
        if self.shape is not None and not (
            math.isfinite(self.shape) and (self.shape > 0 or self.name != "power")
        ):
            message = f"expected a finite shape, above 0 for power spending, found {self.shape}"
            raise UsageError(message, code="stop_rule")

    def __str__(self) -> str:
        return self.name if self.shape is None else f"{self.name}:{self.shape:g}"

    def spent(self, share: float, alpha: float, *, sides: int) -> float:
        """Error spent when this share of the information has come; two sides spend alike.

        Args:
            share: From 0 to 1; more is 1.
            alpha: All of the error, of both sides together.
            sides: 1 or 2.
        """
        return math.exp(self.log_spent(share, math.log(alpha), sides=sides))

    def log_spent(self, share: float, log_alpha: float, *, sides: int) -> float:
        """The same from the logarithm of alpha, also where alpha underflows."""
        share = min(share, 1.0)
        if share <= 0:
            return -math.inf
        match self.name:
            case "obrien_fleming":
                quantile = special.ndtri_exp(log_alpha - math.log(2 * sides))
                return math.log(2 * sides) + float(special.log_ndtr(quantile / math.sqrt(share)))
            case "pocock":
                return log_alpha + math.log(math.log1p((math.e - 1) * share))
            case "power":
                return log_alpha + float(self.shape or 1.0) * math.log(share)
            case "hwang_shih_decani":
                gamma = float(self.shape or 0.0)
                part = math.expm1(-gamma * share) / math.expm1(-gamma) if gamma else share
                return log_alpha + math.log(part)


@lru_cache(maxsize=512)
def spending_bounds(
    spending: SpendingFunction,
    information: tuple[float, ...],
    shares: tuple[float, ...],
    alpha: float,
    alternative: Alternative,
) -> tuple[float, ...]:
    """The bounds of |Z|, or of Z for one side, that spend as the function says.

    Args:
        spending: The function.
        information: At each look, above 0 and rising, on any scale.
        shares: Share of the error's time that has passed at each look; 1 spends all.
        alpha: Error level over all looks.
        alternative: Two sides or one; one-sided bounds are upper ones, also for `less`.

    Returns:
        A bound a look; infinite where next to nothing is spent.
    """
    is_two_sided = alternative == "two_sided"
    sides = 2 if is_two_sided else 1
    bounds: list[float] = []
    going = Going.from_start()
    before = 0.0
    for place, (at, share) in enumerate(zip(information, shares, strict=True)):
        spent = spending.spent(share, alpha, sides=sides)
        bound = _bound(going, at, (spent - before) / sides)
        bounds.append(bound)
        before = max(before, spent)
        if place + 1 < len(information):
            step = information[place + 1] - at
            going = going.between(at, -bound if is_two_sided else -math.inf, bound, next_step=step)
    return tuple(bounds)


def _bound(going: Going, information: float, chance: float) -> float:
    if chance < _LEAST_SPENT:
        return math.inf
    if going.above(information, -_FARTHEST) <= chance:
        return -_FARTHEST
    return float(
        optimize.brentq(
            lambda z: math.log(max(going.above(information, z), _LEAST_SPENT)) - math.log(chance),
            -_FARTHEST,
            _FARTHEST,
            xtol=1e-12,
        )
    )


def wang_tsiatis_constant(looks: int, *, alpha: float = 0.05, shape: float = 0.5) -> float:
    """The constant C of bounds C (k / K)^(shape - 1/2) at K equally spaced looks, two-sided.

    Args:
        looks: Number of looks K.
        alpha: Error level over all looks.
        shape: 0.5 is Pocock's test, 0 that of O'Brien and Fleming.

    Example:
        >>> round(wang_tsiatis_constant(5), 3), round(wang_tsiatis_constant(5, shape=0), 3)
        (2.413, 2.04)
    """

    def excess(constant: float) -> float:
        bounds = wang_tsiatis_bounds(looks, constant=constant, shape=shape)
        return crossing_chance(range(1, looks + 1), bounds) - alpha

    return float(optimize.brentq(excess, 0.1, _FARTHEST, xtol=1e-10))


def wang_tsiatis_bounds(looks: int, *, constant: float, shape: float) -> tuple[float, ...]:
    """The bounds of |Z| at equally spaced looks.

    Example:
        >>> [round(bound, 2) for bound in wang_tsiatis_bounds(5, constant=2.04, shape=0)]
        [4.56, 3.23, 2.63, 2.28, 2.04]
    """
    return tuple(constant * (look / looks) ** (shape - 0.5) for look in range(1, looks + 1))


def crossing_chance(information: Sequence[float], bounds: Sequence[float], *, drift: float = 0.0) -> float:
    """The chance that |Z| ever crosses its bounds: the error of peeking, or with a drift the power.

    Example:
        >>> round(crossing_chance(range(1, 11), [1.959964] * 10), 4)
        0.1934
    """
    chances = crossing(information, bounds, lower=[-bound for bound in bounds], drift=drift)
    return sum(chances.above) + sum(chances.below)
