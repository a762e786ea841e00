"""OneSelector: a selector's decisions for one customer from a mapping, without arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from labfactory.selection.one import Decision, Draw, PlainTypes, decide_slot, decide_slots, key_hash
from labfactory.selection.one_gate import OneGate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from labfactory.selection.bound_slot import BoundSlot
    from labfactory.selection.contact_gate import Gate
    from labfactory.selection.moment import Moment


@dataclass(frozen=True, eq=False)
class OneSelector:
    """What decides one customer.

    Args:
        version: The policy's.
        slots: Its slots.
        gate: Its contact rules.
        fields: The columns that it reads.
    """

    version: str
    slots: tuple[BoundSlot, ...]
    gate: Gate
    fields: tuple[pa.Field, ...]

    def decide(
        self, customer: Mapping[str, object], key: object, seed: int, moment: Moment
    ) -> dict[str, Decision] | None:
        """What `Selector.decide` would choose for the row; None where it takes an array to tell.

        Raises:
            SourceError: `missing_column`.
        """
        try:
            if self._is_plain and self._types.hold(customer):
                return self._decided(customer, key, seed, moment)
        except (TypeError, ValueError, OverflowError):
            # A value of another type than its column: told by the row, or taken as Arrow takes it.
            pass
        return None

    @cached_property
    def _is_plain(self) -> bool:
        """Whether all columns are read without arrays."""
        return self.gate.one is not None and all(slot.one is not None for slot in self.slots)

    @cached_property
    def _types(self) -> PlainTypes:
        return PlainTypes(self.fields)

    def _decided(
        self, customer: Mapping[str, object], key: object, seed: int, moment: Moment
    ) -> dict[str, Decision]:
        gate, code, hashed = self.gate, 0, key_hash(key)
        contact = None
        if gate.is_closed:
            assert gate.one is not None, "the caller looked"
            contact = OneGate(gate, moment, customer, gate.one.evaluate(customer), key)
            code = contact.code
        draw = Draw(hashed, seed, self.version, code)
        if contact is None or not gate.limits:
            return {slot.name: decide_slot(slot, customer, draw) for slot in self.slots}
        left, bars = contact.allowances(hashed)
        made = decide_slots(self.slots, gate, customer, draw, left, bars)
        return {slot.name: one for slot, one in zip(self.slots, made, strict=True)}
