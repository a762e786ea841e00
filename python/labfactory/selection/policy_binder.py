"""PolicyBinder: compiles a selection policy for components and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from labfactory._core import select as core
from labfactory.base.errors import SelectionError, nearest
from labfactory.selection.bound_expression import ExpressionTable
from labfactory.selection.bound_slot import SlotBinder, bind_condition
from labfactory.selection.contact import Cap
from labfactory.selection.contact_gate import BoundLimit, Gate, bind_limits
from labfactory.selection.one import OneCustomer
from labfactory.selection.selector import Selector
from labfactory.selection.send_scores import is_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labfactory.selection.bound_expression import BoundExpression, Given
    from labfactory.selection.bound_slot import Bindable, BoundSlot
    from labfactory.selection.policy import SelectionPolicy


@dataclass(frozen=True, eq=False)
class PolicyBinder:
    """A policy and what it is bound to; `SelectionPolicy.bind` says how, and what it raises.

    Args:
        policy: The policy.
        components: For each slot its components, in the creative's order.
        schema: The customers' columns.
        given: What names in expressions stand for beside them.
    """

    policy: SelectionPolicy
    components: Mapping[str, Sequence[Bindable]]
    schema: pa.Schema
    given: Given

    def bind(self) -> Selector:
        """What decides batches of such customers."""
        policy = self.policy
        filled = policy.filled
        for name in filled:
            if not self.components.get(name):
                message = f"the policy fills slot {name!r}, which has no components"
                raise SelectionError(message, code="unknown_slot", hint=nearest(name, self.components))
        for name in self.components:
            if name not in filled:
                message = f"slot {name!r} has components, but the policy does not fill it"
                raise SelectionError(message, code="uncovered_slot", hint=nearest(name, filled))
        bound: list[BoundSlot] = []
        groups: list[range] = []
        for name, slot in policy.slots.items():
            fills = slot.fills or (name,)
            groups.append(range(len(bound), len(bound) + len(fills)))
            for fill in fills:
                binder = SlotBinder(name, slot, self.components[fill], self.schema, self.given, policy.text)
                bound.append(binder.bind(fill))
        return Selector(policy.version, bound, self._bind_contact(bound, groups))

    def _bind_contact(
        self,
        slots: Sequence[BoundSlot],
        groups: Sequence[range],
    ) -> Gate:
        contact, text = self.policy.contact, self.policy.text
        table = ExpressionTable(self.schema, self.given)
        lists: dict[str, list[BoundExpression]] = {"consent": [], "suppressed": []}
        single: dict[str, BoundExpression] = {}
        scores = _score_column(contact.send_hour, self.schema)
        for path, source in contact.expressions:
            if path[0] == "send_hour" and scores is not None:
                continue
            where = ("contact", *path)
            with text.at_expression(source, *where):
                expression = text.parse(source, *where)
                if path[0] in lists:
                    bound = table.expressions[bind_condition(expression, table)]
                    _refuse_nested(bound, self.schema)
                    lists[str(path[0])].append(bound)
                else:
                    wanted = "text" if path[0] == "zone" else "integer"
                    number, kind = table.add(expression, lambda _: True)
                    if not kind.startswith(wanted):
                        message = f"expected {wanted} of the contact rule's {path[0]}, found {kind}"
                        raise SelectionError(message, code="condition_type")
                    single[str(path[0])] = table.expressions[number]
        limits = bind_limits(
            contact,
            [slot.candidates for slot in slots],
            [slot.name for slot in slots],
            [slot.facts for slot in slots],
            [slot.tags for slot in slots],
        )
        limits = (*limits, *_once(slots, groups))
        members = [limit.members for limit in limits]
        zone = [single["zone"]] if "zone" in single else []
        return Gate(
            rules=contact,
            consent=tuple(lists["consent"]),
            suppressed=tuple(lists["suppressed"]),
            zone=single.get("zone"),
            one=OneCustomer.of([*lists["consent"], *lists["suppressed"], *zone], self.given.names),
            send_hour=single.get("send_hour"),
            send_scores=scores,
            limits=limits,
            allowances=core.Allowances([slot.core for slot in slots], members) if members else None,
        )


def _once(slots: Sequence[BoundSlot], groups: Sequence[range]) -> list[BoundLimit]:
    """Each component at most once among the slots that one policy fills."""
    limits = []
    for group in groups:
        if len(group) < 2:
            continue
        for component in dict.fromkeys(name for at in group for name in slots[at].candidates):
            members = tuple(
                (at, slots[at].candidates.index(component))
                for at in group
                if component in slots[at].candidates
            )
            limits.append(BoundLimit(Cap(at_most=1, components=(component,)), members))
    return limits


def _score_column(source: str | None, schema: pa.Schema) -> str | None:
    """The column that a send hour names, where it holds the scores of hours."""
    name = (source or "").strip()
    return name if name in schema.names and is_scores(schema.field(name).type) else None


def _refuse_nested(bound: BoundExpression, schema: pa.Schema) -> None:
    for name in bound.plan.columns:
        if pa.types.is_nested(schema.field(name).type):
            message = f"expected consent to read plain columns, found {name!r} of {schema.field(name).type}"
            hint = "what is unknown inside of a nested column cannot be seen"
            raise SelectionError(message, code="condition_type", hint=hint)
