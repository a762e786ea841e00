"""What one creative needs to be made: its plan, and the selection that fills its slots."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from labfactory.base.errors import SelectionError, UsageError
from labfactory.base.instants import instant
from labfactory.content import Host
from labfactory.selection import LimitedSelector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa

    from labfactory.compiler import CreativeOptions, Plan
    from labfactory.content import Creative, Library, Served
    from labfactory.selection import History, Limit, Planned, SelectionPolicy, Selector

__all__ = ["Selectors", "Tooling"]


class Selectors(NamedTuple):
    """What chooses for customers: each alone, and all of them within limits; None where nothing does."""

    each: Selector | None = None
    limited: LimitedSelector | None = None


@dataclass(frozen=True)
class Tooling:
    """A creative with its library, the policy that fills its slots, and the host that it is made on.

    Args:
        library: Where its components are.
        creative: What is made.
        selection: Fills its slots; None for a creative without slots.
        host: Gives its functions and tables.
    """

    library: Library
    creative: Creative
    selection: SelectionPolicy | None = None
    host: Host = field(default_factory=Host)

    @cached_property
    def served(self) -> Served:
        """What the host gives to the creative, and to the policy that fills its slots."""
        calls = self._policy().calls if self.creative.slots and self.selection is not None else ()
        return self.host.serve(self.creative, self.library.components, calls)

    def plan(self, schema: pa.Schema, *, now: datetime) -> Plan:
        """Compile the creative for customers of a schema.

        Args:
            schema: The columns as the templates name them.
            now: The moment of the run, the constant `now` in templates.

        Raises:
            CompileError: A template cannot become a plan on this schema.
        """
        given: CreativeOptions = {
            "functions": self.served.functions,
            "constants": _constants(now),
            "tables": self.served.tables,
        }
        given = {**given, **self.library.spoken(self.creative)}
        return self.creative.compile(schema, components=self.library.components, **given)

    def selectors(
        self,
        schema: pa.Schema,
        *,
        now: datetime,
        history: History | None = None,
        planned: Planned | None = None,
        limits: Mapping[str, Limit] | None = None,
    ) -> Selectors:
        """Bind what fills the creative's slots, for customers of a schema.

        Args:
            schema: The columns as the policy names them.
            now: The moment of the run.
            history: What customers got before.
            planned: What they are to get later.
            limits: What all customers together may get, beside the limits of the policy itself.

        Raises:
            SelectionError: The selection policy does not fit the creative's slots.
            UsageError: `selection_missing` when slots are to be filled and there is no policy.
        """
        if not self.creative.slots:
            return Selectors()
        policy, choices = self._policy(), self.creative.choices(self.library.components)
        constants = _constants(now)
        moment = {"now": constants["now"], "history": history, "planned": planned}
        each = policy.bind(choices, schema, constants, self.served.functions).at(**moment)
        if each.needs_history and history is None:
            message = "expected a contact history for the policy's caps and rests, found none"
            raise SelectionError(message, code="decision_input")
        if each.needs_planned and planned is None:
            message = "expected planned contacts for the policy's caps, found none"
            raise SelectionError(message, code="decision_input")
        held = _limits(policy, limits or {})
        if not held:
            return Selectors(each)
        channel = self.creative.channel.name
        functions = self.served.functions
        limited = LimitedSelector.of(policy, held, choices, schema, constants, functions, channel=channel)
        return Selectors(each, limited.at(**moment))

    def _policy(self) -> SelectionPolicy:
        """The part of the policy that fills its slots: a package's other creatives may have others."""
        slots = list(self.creative.slots)
        if self.selection is None:
            message = f"expected a selection policy for the slots {', '.join(slots)}, found none"
            raise UsageError(message, code="selection_missing")
        filled = {
            name: slot
            for name, slot in self.selection.slots.items()
            if set(slots) & set(slot.fills or (name,))
        }
        return replace(self.selection, slots=filled)


def _constants(now: datetime) -> dict[str, Any]:
    return {"now": instant(now)}


def _limits(policy: SelectionPolicy, asked: Mapping[str, Limit]) -> dict[str, Limit]:
    """The policy's limits and those that a run adds: it can tighten what is signed, never loosen it."""
    signed = {name: limit for name, limit in policy.limits.items() if limit.slot in (None, *policy.filled)}
    return signed | {f"{name} (run)" if name in signed else name: limit for name, limit in asked.items()}
