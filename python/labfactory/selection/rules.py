"""Rules: who may get which component, and which component a rule gives."""

from __future__ import annotations

from dataclasses import dataclass

from labfactory.base.errors import SelectionError

# Well within float32.
_LARGEST = 1e30


@dataclass(frozen=True, kw_only=True)
class EligibilityRule:
    """A condition that a customer must meet; null or an error of the row counts as no.

    Args:
        when: A boolean expression over the customer's columns.
        component: The component that it guards; None guards all of the slot.
    """

    when: str
    component: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChoiceRule:
    """Gives a component to the customers for whom a condition holds; the first rule that can, does.

    Args:
        component: The component that it gives, where it is eligible.
        when: A boolean expression over the customer's columns; None holds for everybody.
        worth: What its choice is worth beside others under limits, in the unit of the scores; without limits
            nothing reads it. None: 1 for a customer's first rule that gives something, half of it for the
            second, and so on.

    Raises:
        SelectionError: `model_value` for a worth below 0 or above what float32 holds.
    """

    component: str
    when: str | None = None
    worth: float | None = None

    def __post_init__(self) -> None:
        if self.worth is not None and not 0 <= self.worth <= _LARGEST:
            message = f"expected a rule's worth of 0 or more, found {self.worth}"
            raise SelectionError(message, code="model_value")
