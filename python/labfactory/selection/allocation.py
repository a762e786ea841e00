"""Allocation: one option for every customer, within limits that hold for all of them together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from labfactory._core import base as core_base
from labfactory._core import limits as core
from labfactory.base.canonical import canonical_json
from labfactory.base.errors import SelectionError
from labfactory.selection.limits import Bound, Limit, Option, bounds_of
from labfactory.selection.prices import learn_prices, learn_prices_together, option_prices
from labfactory.selection.shortlists import SHORTLIST, SharedCap, Shortlists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

# Customers on whom prices are learned: with 50 limits they leave a gap of some hundredths of a percent.
SAMPLE = 100_000


@dataclass(frozen=True, repr=False)
class Allocation:
    """What customers get within limits, and proof of how good that is.

    Args:
        prices: What a place under each bound is worth, by bound; 0 where there is room.
        used: What customers use of each bound.
        bounds: The bounds.
        value: What the customers' options are worth together.
        bound: No choice within the limits is worth more: the dual at these prices.
        customers: How many there are.
        repaired: How many got another option than they chose at these prices.
        without: How many got nothing; where customers have several slots, how many slots.
        choices: Of each customer its option, -1 for nothing; slot by slot where it has several.
        was_repaired: Whether it is one of the repaired: its propensity is not that of its option.
    """

    prices: Mapping[str, float]
    used: Mapping[str, float]
    bounds: Mapping[str, float]
    value: float
    bound: float
    customers: int
    repaired: int
    without: int
    choices: npt.NDArray[np.int32] = field(compare=False)
    was_repaired: npt.NDArray[np.bool_] = field(compare=False)

    @property
    def gap(self) -> float:
        """How far the value is from the best at most, as a share of the bound; 0.001 is a tenth percent."""
        if self.bound == 0.0:
            return 0.0 if self.value == 0.0 else float("inf")
        return (self.bound - self.value) / abs(self.bound)

    def to_frame(self) -> pl.DataFrame:
        """A row for each bound: its amount, what is used of it, and its price."""
        rows = [(name, self.bounds[name], self.used[name], self.prices[name]) for name in self.bounds]
        kinds = {"limit": pl.String, "bound": pl.Float64, "used": pl.Float64, "price": pl.Float64}
        return pl.DataFrame(rows, schema=kinds, orient="row")

    def to_dict(self) -> dict[str, Any]:
        """The allocation as JSON holds it, without the customers."""
        return {
            "bound": self.bound,
            "bounds": dict(self.bounds),
            "customers": self.customers,
            "gap": self.gap,
            "prices": dict(self.prices),
            "repaired": self.repaired,
            "used": dict(self.used),
            "value": self.value,
            "without": self.without,
        }

    def to_json(self) -> bytes:
        """Canonical JSON: equal allocations have equal bytes."""
        return canonical_json(self.to_dict())

    def __repr__(self) -> str:
        head = (
            f"Allocation: {self.customers:,} customers, value {self.value:,.6g}, "
            f"gap at most {100 * self.gap:.4f} %, {self.repaired:,} repaired, {self.without:,} without"
        )
        cells = [("limit", "bound", "used", "price")]
        cells += [
            (name, f"{self.bounds[name]:,.10g}", f"{self.used[name]:,.10g}", f"{self.prices[name]:.6g}")
            for name in self.bounds
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in cells
        ]
        return "\n".join([head, *lines])


@dataclass(frozen=True, eq=False)
class PricedLimits:
    """Limits with their prices, frozen: every batch is shortlisted by the same.

    Args:
        bounds: The limits' sides over the options.
        prices: Of each bound.
        options: How many options there are.
        caps: What the slots of one customer may get together.
    """

    bounds: tuple[Bound, ...]
    prices: npt.NDArray[np.float64]
    options: int
    caps: tuple[SharedCap, ...] = ()

    @property
    def option_prices(self) -> npt.NDArray[np.float64]:
        """What is taken off each option's value before a customer chooses."""
        return option_prices(self.prices, self.bounds, self.options)

    def relearned(self, lists: Shortlists, *, customers: int, threads: int = 2) -> PricedLimits:
        """The same limits at prices that know of the caps.

        Args:
            lists: Of a sample of the customers, at these prices.
            customers: How many there are in all.
            threads: They change nothing.
        """
        prices = learn_prices_together(
            self.prices, self.bounds, lists, self.caps, customers=max(customers, 1), threads=threads
        )
        return replace(self, prices=prices)

    def shortlists(
        self,
        values: npt.NDArray[np.float32],
        keys: npt.NDArray[np.uint64],
        *,
        best: int = SHORTLIST,
        threads: int = 2,
    ) -> Shortlists:
        """The options of a batch that are worth keeping.

        Args:
            values: [customers, options]; NaN where a customer may not have the option.
            keys: Hashes of the customers' keys.
            best: How many of the best to keep; beside them the best of each minimum.
            threads: They change nothing.

        Returns:
            As many shortlists, in order.
        """
        groups = [np.flatnonzero(bound.costs).tolist() for bound in self.bounds if bound.is_minimum]
        options, kept = core.shortlist(_matrix(values), self.option_prices, best, groups, threads)
        return Shortlists(np.ascontiguousarray(keys, np.uint64), options, kept)

    def settle(self, shortlists: Shortlists) -> Allocation:
        """Give every customer one option, within every limit.

        One process and one thread. Beside the shortlists it holds 37 bytes for each customer and slot, and
        while it fills or repairs 24 for each option that somebody would rather have.

        Args:
            shortlists: Of all customers, in any order.

        Returns:
            The allocation; its choices are in the order of the shortlists, slot by slot of a customer.

        Raises:
            SelectionError: `limits_infeasible` when minimums cannot be met, naming what is short.
        """
        paid = sum(
            bound.sign * price * bound.amount
            for bound, price in zip(self.bounds, self.prices.tolist(), strict=True)
        )
        limits = [(list(bound.costs), bound.bound, bound.is_minimum) for bound in self.bounds]
        found = core.settle(
            shortlists.keys,
            shortlists.options,
            shortlists.values,
            shortlists.chosen,
            self.option_prices,
            limits,
            float(paid),
            list(shortlists.listed),
            [cap.to_core() for cap in self.caps],
            shortlists.left,
        )
        self._refuse_short(found["used"], found["reachable"])
        entries = found["entries"]
        choices = np.full(len(entries), -1, np.int32)
        given = np.flatnonzero(entries >= 0)
        choices[given] = shortlists.options[given, entries[given]]
        names = [bound.name for bound in self.bounds]
        return Allocation(
            prices=dict(zip(names, self.prices.tolist(), strict=True)),
            used={
                bound.name: used / bound.parts for bound, used in zip(self.bounds, found["used"], strict=True)
            },
            bounds={bound.name: bound.amount for bound in self.bounds},
            value=found["value"],
            bound=found["surplus"] + paid,
            customers=len(shortlists.keys),
            repaired=int(found["repaired"].sum()),
            without=int((entries < 0).sum()),
            choices=choices,
            was_repaired=found["repaired"].astype(bool),
        )

    def _refuse_short(self, used: Sequence[int], reachable: Sequence[int]) -> None:
        short = [
            f"{bound.name} {bound.amount:,.10g} reached {amount / bound.parts:,.10g}, "
            f"{most / bound.parts:,.10g} could be had of it alone"
            for bound, amount, most in zip(self.bounds, used, reachable, strict=True)
            if bound.is_minimum and amount < bound.bound
        ]
        if short:
            found_short = "; ".join(short)
            message = f"expected minimums that customers and other limits allow, found short: {found_short}"
            raise SelectionError(
                message, code="limits_infeasible", hint="lower them, or widen who is eligible"
            )


def price_limits(
    sample: npt.NDArray[np.float32],
    limits: Mapping[str, Limit],
    options: Sequence[Option],
    *,
    customers: int,
    threads: int = 2,
) -> PricedLimits:
    """Learn the prices of limits on a sample of the customers.

    Args:
        sample: What each option is worth to each of them, [customers, options]; NaN where they may not have
            it; nothing is worth 0.
        limits: By name.
        options: What customers can be given, in the order of the columns.
        customers: How many there are in all.
        threads: They change nothing.

    Returns:
        The limits, priced.

    Raises:
        SelectionError: `limit`, `allocation_input`.
    """
    matrix = _matrix(sample)
    if matrix.shape[1] != len(options):
        message = f"expected values of {len(options)} options, found {matrix.shape[1]}"
        raise SelectionError(message, code="allocation_input")
    bounds = bounds_of(limits, options)
    prices = learn_prices(matrix, bounds, customers=max(customers, 1), threads=threads)
    return PricedLimits(bounds, prices, len(options))


def allocate(
    values: npt.NDArray[Any],
    limits: Mapping[str, Limit],
    *,
    options: Sequence[Option | str] | None = None,
    keys: npt.NDArray[np.uint64] | None = None,
    sample: int = SAMPLE,
    threads: int = 2,
) -> Allocation:
    """Give every customer one option so that all together are worth the most within the limits.

    Args:
        values: What each option is worth to each customer, [customers, options], on a scale where no option
            is worth 0: probabilities, or money. NaN where the customer may not have it.
        limits: By name.
        options: What the columns are; None names them by number.
        keys: Hashes of the customers' keys, which order what is otherwise equal and draw the sample; None
            numbers the customers, so that their order matters.
        sample: On how many customers prices are learned.
        threads: They change nothing.

    Returns:
        The allocation.

    Raises:
        SelectionError: `limit` where one names nothing; `limits_infeasible` when minimums cannot be met;
            `allocation_input` for values that are infinite or keys of another number.

    Example:
        >>> values = np.array([[0.9, 0.5], [0.8, 0.1], [0.7, 0.6]], np.float32)
        >>> allocation = allocate(values, {"stock": Limit(component="0", maximum=1)})
        >>> allocation.choices.tolist(), round(allocation.value, 6)
        ([1, 0, 1], 1.9)
    """
    matrix = _matrix(values)
    # Numbers are hashed: customers in the order of their values would make the first ones a poor sample.
    numbered = np.asarray(pa.array(core_base.hash_keys(pa.array(np.arange(len(matrix))))))
    hashes = np.ascontiguousarray(numbered if keys is None else keys, np.uint64)
    if len(hashes) != len(matrix):
        message = f"expected a key for each of {len(matrix)} customers, found {len(hashes)}"
        raise SelectionError(message, code="allocation_input")
    named = [
        option if isinstance(option, Option) else Option(component=str(option))
        for option in (range(matrix.shape[1]) if options is None else options)
    ]
    # The customers with the lowest hashes are a sample that no order of theirs changes.
    drawn = np.argsort(hashes, kind="stable")[: max(sample, 1)]
    priced = price_limits(matrix[drawn], limits, named, customers=len(matrix), threads=threads)
    return priced.settle(priced.shortlists(matrix, hashes, threads=threads))


def _matrix(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    matrix = np.ascontiguousarray(values, np.float32)
    if matrix.ndim != 2 or np.isinf(matrix).any():
        found = f"{matrix.ndim} dimensions" if matrix.ndim != 2 else "an infinite one"
        message = f"expected a matrix of numbers, NaN where a customer may not have the option, found {found}"
        raise SelectionError(message, code="allocation_input")
    return matrix
