"""Limits: what all customers together may get of some components, at most or at least."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from labfactory.base.errors import SelectionError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

# Budgets are counted in millionths, so that a sum of costs has one value in any order.
_PARTS = 1_000_000
_MOST = 2**62


@dataclass(frozen=True, kw_only=True)
class Option:
    """What a customer can be given: a component in a slot.

    Args:
        component: Its name.
        slot: The slot that it fills.
        tags: Its tags.
        channel: The channel that it goes out by.
    """

    component: str
    slot: str = ""
    tags: tuple[str, ...] = ()
    channel: str = ""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What all customers together may get of the options that it names.

    It names those with this component, this tag, in this slot and of this channel; what is None names all. A
    customer with two slots counts twice.

    Args:
        component: Name of a component; None for all.
        tag: A tag; None for all.
        slot: Name of a slot; None for all.
        channel: Name of a channel; None for all.
        minimum: How many customers get one of them at least.
        maximum: How many get one of them at most: a volume, or what is in stock.
        budget: What may be spent on them, in the unit of `costs`.
        costs: What one customer's component costs, by component; a component that is not named costs nothing.
            Counted in millionths.

    Raises:
        SelectionError: `limit` when a number is negative or not finite, a minimum exceeds its maximum, there
            is nothing to keep, or budget and costs do not come together.

    Example:
        >>> Limit(tag="seasonal", maximum=20_000).maximum
        20000
    """

    component: str | None = None
    tag: str | None = None
    slot: str | None = None
    channel: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    budget: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "costs", dict(self.costs))
        numbers = {"minimum": self.minimum, "maximum": self.maximum, "budget": self.budget}
        numbers |= {f"the cost of {name!r}": cost for name, cost in self.costs.items()}
        for name, number in numbers.items():
            if number is not None and not (math.isfinite(number) and 0 <= number < _MOST // _PARTS):
                message = f"expected {name} of 0 or more and below 4.6e12, found {number}"
                raise SelectionError(message, code="limit")
        for name in ("minimum", "maximum"):
            number = numbers[name]
            if number is not None and number != int(number):
                message = f"expected a whole number of customers as {name}, found {number}"
                raise SelectionError(message, code="limit")
            object.__setattr__(self, name, None if number is None else int(number))
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            message = f"expected a minimum of at most the maximum, found {self.minimum} above {self.maximum}"
            raise SelectionError(message, code="limit")
        if (self.budget is None) != (not self.costs):
            message = (
                f"expected a budget and the costs that it pays, found {self.budget} and {dict(self.costs)}"
            )
            raise SelectionError(message, code="limit")
        if self.minimum is None and self.maximum is None and self.budget is None:
            message = "expected a minimum, a maximum or a budget, found none"
            raise SelectionError(message, code="limit")

    def names(self, option: Option) -> bool:
        """Whether an option counts."""
        return (
            self.component in (None, option.component)
            and (self.tag is None or self.tag in option.tags)
            and self.slot in (None, option.slot)
            and self.channel in (None, option.channel)
        )


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One side of a limit, over numbered options.

    Args:
        name: `<limit>.minimum`, `.maximum` or `.budget`.
        costs: Of each option, in parts.
        bound: In parts.
        is_minimum: Whether at least or at most.
        parts: How many parts make one customer, or one unit of the budget.
    """

    name: str
    costs: tuple[int, ...]
    bound: int
    is_minimum: bool
    parts: int

    @property
    def sign(self) -> float:
        """+1 for what is dear under its price, -1 for what is cheap."""
        return -1.0 if self.is_minimum else 1.0

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """What an option counts, in customers or units of the budget."""
        return np.array(self.costs, np.float64) / self.parts

    @property
    def amount(self) -> float:
        """The bound, in customers or units of the budget."""
        return self.bound / self.parts


def bounds_of(limits: Mapping[str, Limit], options: Sequence[Option]) -> tuple[Bound, ...]:
    """The sides of limits over numbered options.

    Args:
        limits: By name.
        options: What customers can be given.

    Returns:
        Of each limit its minimum, maximum and budget, as far as it has them.

    Raises:
        SelectionError: `limit` when a limit names no option, or a cost a component that it does not name.
    """
    made: list[Bound] = []
    for name, limit in limits.items():
        counts = [limit.names(option) for option in options]
        if not any(counts):
            wanted = limit.component or limit.tag or limit.slot or limit.channel or ""
            words = {
                word
                for option in options
                for word in (option.component, option.slot, option.channel, *option.tags)
            }
            message = f"limit {name!r} names {wanted!r}, which no component has"
            raise SelectionError(message, code="limit", hint=nearest(wanted, words - {""}))
        volume = tuple(int(counted) for counted in counts)
        if limit.minimum is not None:
            made.append(
                Bound(name=f"{name}.minimum", costs=volume, bound=limit.minimum, is_minimum=True, parts=1)
            )
        if limit.maximum is not None:
            made.append(
                Bound(name=f"{name}.maximum", costs=volume, bound=limit.maximum, is_minimum=False, parts=1)
            )
        if limit.budget is not None:
            made.append(_budget(name, limit, options, counts))
    return tuple(made)


def _budget(name: str, limit: Limit, options: Sequence[Option], counts: Sequence[bool]) -> Bound:
    named = {option.component for option, counted in zip(options, counts, strict=True) if counted}
    for component in limit.costs:
        if component not in named:
            message = f"limit {name!r} has a cost of {component!r}, which it does not name"
            raise SelectionError(message, code="limit", hint=nearest(component, named))
    # Costs round up and the budget down: what is kept in parts is kept in units.
    costs = [
        math.ceil(round(limit.costs.get(option.component, 0.0) * _PARTS, 3)) if counted else 0
        for option, counted in zip(options, counts, strict=True)
    ]
    bound = math.floor(round((limit.budget or 0.0) * _PARTS, 3))
    return Bound(name=f"{name}.budget", costs=tuple(costs), bound=bound, is_minimum=False, parts=_PARTS)
