"""What one creative of a package needs to be made: its plan, its selection, its audit, for one schema."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labfactory.base.errors import SelectionError, UsageError, nearest
from labfactory.base.instants import instant
from labfactory.content import Library
from labfactory.factory.line import Line
from labfactory.selection import History, LimitedSelector, SelectionPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from labfactory.content import Creative
    from labfactory.factory.line import Auditor
    from labfactory.handoff import Package
    from labfactory.selection import Limit

_SLOT = "slot:"


@dataclass(frozen=True)
class Tooling:
    """A creative with its library and the policy that fills its slots.

    Args:
        library: Where its components are.
        creative: What is made.
        selection: Fills its slots; None for a creative without slots.
    """

    library: Library
    creative: Creative
    selection: SelectionPolicy | None

    @classmethod
    def of(cls, package: Package, creative: str | None) -> Tooling:
        """The tooling for one creative of a package.

        Args:
            package: A verified package.
            creative: The creative's name; None takes the only one.

        Raises:
            UsageError: `creative_unknown` when there is no such creative, or several and none is named.
        """
        names = list(package.header.creatives)
        if creative is None and len(names) > 1:
            message = f"expected one of the {len(names)} creatives of {package.id} to be named, found none"
            raise UsageError(message, code="creative_unknown", hint=f"creative=... one of {', '.join(names)}")
        chosen = names[0] if creative is None else creative
        if chosen not in names:
            message = f"expected a creative of {package.id}, found {chosen!r}"
            raise UsageError(message, code="creative_unknown", hint=nearest(chosen, names))
        library = Library.from_files(package.library_files())
        return cls(library, library.creative(chosen), selection_of(package))

    def line(
        self,
        schema: pa.Schema,
        *,
        key: pa.Field,
        columns: Mapping[str, str],
        seed: int,
        now: datetime,
        auditor: Auditor | None,
        batch_rows: int,
        batch_bytes: int,
        metadata: Mapping[str, str],
        limits: Mapping[str, Limit] | None = None,
        history: History | None = None,
    ) -> Line:
        """Compile the creative and bind its selection, for customers of a schema.

        Args:
            schema: The columns as the templates name them.
            key: The key, as `key_field` gives it: its column in the source, its type in the output.
            columns: Names that templates use → the source's columns, where they differ.
            seed: Of all draws.
            now: The moment of the run, the constant `now` in templates.
            auditor: Checks finished assets; None for no checks.
            batch_rows: Rows that pass together.
            batch_bytes: Most bytes of assets in one row group.
            metadata: Written into every file.
            limits: What all customers together may get, beside the limits of the policy itself.
            history: What customers got before.

        Raises:
            CompileError: A template or expression cannot become a plan on this schema.
            SelectionError: The selection policy does not fit the creative's slots.
            UsageError: `selection_missing` when slots are to be filled and the package has no policy.
        """
        constants: dict[str, Any] = {"now": instant(now)}
        components = self.library.components
        plan = self.creative.compile(schema, components=components, constants=constants)
        slots = list(self.creative.slots)
        decider = limited = None
        read = [name for name in plan.columns if not name.startswith(_SLOT)]
        if slots:
            policy, choices = self._policy(slots), self.creative.choices(components)
            decider = policy.bind(choices, schema, constants).at(now=constants["now"], history=history)
            if decider.needs_history and history is None:
                message = "expected a contact history for the policy's caps and rests, found none"
                raise SelectionError(message, code="decision_input")
            held = self._limits(policy, limits or {})
            if held:
                channel = self.creative.channel.name
                limited = LimitedSelector.of(policy, held, choices, schema, constants, channel=channel)
                limited = limited.at(now=constants["now"], history=history)
            read += [name for name in decider.columns if name not in read]
        return Line(
            creative=self.creative.name,
            parts=plan.parts,
            key=key.name,
            key_type=key.type,
            columns={name: columns.get(name, name) for name in read},
            decider=decider,
            assembler=plan,
            auditor=auditor,
            seed=seed,
            batch_rows=batch_rows,
            batch_bytes=batch_bytes,
            metadata=metadata,
            limited=limited,
        )

    def _limits(self, policy: SelectionPolicy, asked: Mapping[str, Limit]) -> dict[str, Limit]:
        """The policy's limits and those that a run adds: it can tighten what is signed, never loosen it."""
        signed = {
            name: limit for name, limit in policy.limits.items() if limit.slot in (None, *policy.filled)
        }
        return signed | {f"{name} (run)" if name in signed else name: limit for name, limit in asked.items()}

    def _policy(self, slots: Sequence[str]) -> SelectionPolicy:
        """The part of the policy that fills these slots: a package's other creatives may have others."""
        if self.selection is None:
            message = f"expected a selection policy for the slots {', '.join(slots)}, found none"
            raise UsageError(message, code="selection_missing")
        filled = {
            name: slot
            for name, slot in self.selection.slots.items()
            if set(slots) & set(slot.fills or (name,))
        }
        return replace(self.selection, slots=filled)


def selection_of(package: Package) -> SelectionPolicy | None:
    """The package's selection policy, if it has one."""
    files = package.selection_files()
    return SelectionPolicy.from_files(files) if files else None
