"""Rules: who may get which component, and which component a rule gives."""

from __future__ import annotations

from dataclasses import dataclass


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
    """

    component: str
    when: str | None = None
