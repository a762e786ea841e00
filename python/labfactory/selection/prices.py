"""Prices: what a place under each limit is worth, learned on a sample of customers.

At given prices every customer takes what is worth most to it after them, by itself. What all take then
differs from the limits, and that difference is the slope of the dual: prices go down it until limits are met.
The dual is made smooth by a small ridge, whose weight is taken back step by step, and followed by accelerated
gradient steps, as in Basu, Ghoting, Mazumder, Pan (2020), "ECLIPSE: an extreme scale linear program solver
for web-applications", and its successor DuaLip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labfactory._core import limits as core

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from labfactory.selection.limits import Bound
    from labfactory.selection.shortlists import SharedCap, Shortlists

    Floats = npt.NDArray[np.float64]

# Ridges as shares of the mean value of a customer's best option. A smoothed choice loses at most half the
# ridge, so the last one costs at most a 20,000th.
_RIDGES = (0.1, 0.02, 0.004, 0.0008, 0.0001)
_STEPS = 150
_TOGETHER_RIDGE = 0.0008
# Steps stop where they gain less than this share of the dual.
_ENOUGH = 1e-8


def learn_prices(
    values: npt.NDArray[np.float32], bounds: Sequence[Bound], *, customers: int, threads: int = 2
) -> Floats:
    """The price of each bound, on which a sample would keep its share of it.

    Args:
        values: What each option is worth to each customer of the sample, [customers, options]; NaN where the
            customer may not have it; nothing is worth 0.
        bounds: Of all customers.
        customers: How many there are, of whom the sample is a part.
        threads: They change no bit.

    Returns:
        Prices of 0 or more, in the unit of the values per customer or unit of the budget: of a maximum or
        budget it is taken off, of a minimum it is added.
    """
    dual = _Dual(values, bounds, len(values) / customers, threads, values.shape[1])
    best = (
        float(np.nanmax(np.where(np.isnan(values), 0.0, values), axis=1, initial=0.0).mean())
        if values.size
        else 0.0
    )
    prices = np.zeros(len(bounds))
    if best <= 0.0 or not bounds:
        return prices
    for share in _RIDGES:
        prices = _descend(dual, prices, share * best)
    return prices


def learn_prices_together(
    prices: Floats,
    bounds: Sequence[Bound],
    lists: Shortlists,
    caps: Sequence[SharedCap],
    *,
    customers: int,
    threads: int = 2,
) -> Floats:
    """The price of each bound where a customer's slots share caps.

    Args:
        prices: Learned as if they shared none.
        bounds: Of all customers.
        lists: Of a sample of the customers.
        caps: What a customer's slots may get together.
        customers: How many there are.
        threads: They change no bit.

    Returns:
        Prices, as `learn_prices`. The dual is not smoothed: so many customers make it smooth enough.
    """
    if not bounds:
        return prices
    share = len(lists.keys) / customers
    dual = _JointDual(lists.values, bounds, share, threads, len(bounds[0].costs), lists, caps)
    best = float(np.nan_to_num(lists.values).max(axis=1, initial=0.0).mean()) if lists.values.size else 0.0
    return prices if best <= 0.0 else _descend(dual, prices, _TOGETHER_RIDGE * best)


def option_prices(prices: Floats, bounds: Sequence[Bound], options: int) -> Floats:
    """What all bounds together take off each option."""
    total = np.zeros(options)
    for price, bound in zip(prices, bounds, strict=True):
        total += bound.sign * price * bound.weights
    return total


@dataclass(frozen=True, eq=False)
class _Dual:
    """The dual of a sample: by weak duality its value bounds that of every choice within the limits."""

    values: npt.NDArray[np.float32]
    bounds: Sequence[Bound]
    share: float
    threads: int
    options: int

    def demand(self, taken_off: Floats, ridge: float) -> tuple[float, Floats]:
        """What the sample is worth after prices, and how many take each option."""
        return core.demand(self.values, taken_off, ridge, self.threads)

    def at(self, prices: Floats, ridge: float) -> tuple[float, Floats]:
        """Value and slope."""
        surplus, amounts = self.demand(option_prices(prices, self.bounds, self.options), ridge)
        left = np.array(
            [
                bound.sign * (self.share * bound.amount - float(bound.weights @ amounts))
                for bound in self.bounds
            ]
        )
        limits = [bound.sign * self.share * bound.amount for bound in self.bounds]
        return surplus + float(prices @ np.array(limits)), left


@dataclass(frozen=True, eq=False)
class _JointDual(_Dual):
    """The dual of a sample whose slots share caps; it knows no ridge."""

    lists: Shortlists
    caps: Sequence[SharedCap]

    def demand(self, taken_off: Floats, ridge: float) -> tuple[float, Floats]:
        del ridge
        return core.demand_together(
            self.lists.keys,
            self.lists.options,
            self.lists.values,
            taken_off,
            list(self.lists.listed),
            [cap.to_core() for cap in self.caps],
            self.lists.left,
            self.threads,
        )


def _descend(dual: _Dual, prices: Floats, ridge: float) -> Floats:
    """Nesterov's accelerated projected descent, with steps found by doubling and restarts when it climbs."""
    # Rows of different size (a budget in pence, a volume in customers) get steps of one size.
    scale = np.array([1.0 / max(float(np.abs(bound.weights).max()), 1e-12) for bound in dual.bounds])
    rows = max(len(dual.values), 1)
    steepness = rows / ridge / 8.0
    momentum, previous = 1.0, prices
    ahead = prices
    value, _ = dual.at(prices, ridge)
    for _ in range(_STEPS):
        here, slope = dual.at(ahead, ridge)
        while True:
            moved = np.maximum(ahead - slope * scale**2 / steepness, 0.0)
            reached, _ = dual.at(moved, ridge)
            step = (moved - ahead) / scale
            if reached <= here + float(slope @ (moved - ahead)) + steepness / 2 * float(
                step @ step
            ) + 1e-12 * abs(here):
                break
            steepness *= 2.0
        if reached > value:
            momentum, ahead, previous = 1.0, prices, prices
            if np.array_equal(moved, prices):
                break
            steepness *= 1.5
            if steepness > rows / ridge * 1e6:
                break
            continue
        gained = value - reached
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        previous, prices, value = prices, moved, reached
        ahead = np.maximum(prices + (momentum - 1) / following * (prices - previous), 0.0)
        momentum = following
        steepness *= 0.9
        if gained < _ENOUGH * max(abs(value), 1e-300) and momentum > 3:
            break
    return prices
