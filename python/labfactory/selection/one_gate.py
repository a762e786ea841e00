"""Contact rules for one customer: what `Gate` says of a row, without arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from labfactory.selection.allowance import bars_of
from labfactory.selection.contact import Cap
from labfactory.selection.contact_gate import CODES, UNLIMITED
from labfactory.selection.history import is_resting, used_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labfactory.selection.bound_expression import BoundExpression
    from labfactory.selection.contact_gate import BoundLimit, Gate
    from labfactory.selection.moment import Moment


class OneGate(NamedTuple):
    """What the contact rules say of one customer at a moment.

    Args:
        gate: The contact rules.
        moment: The moment, as `Gate.check` wants it.
        customer: The values of the columns.
        values: Those of the gate's expressions: consent, suppressed, zone.
        key: The customer's key; None where there is none.
    """

    gate: Gate
    moment: Moment
    customer: Mapping[str, object]
    values: Sequence[Any]
    key: object

    @property
    def code(self) -> int:
        """As `Gate.codes`."""
        code = self._stopped()
        is_reached = code in (0, CODES["control"])
        return CODES["quiet_hours"] if is_reached and self._is_quiet() else code

    def allowances(self, key_hash: int | None) -> tuple[list[int], list[list[float]]]:
        """What each limit leaves the customer, and the bars of its choices, as `Gate.allowance`."""
        gate, rules = self.gate, self.gate.over_time
        if not rules:
            return gate.untouched, gate.unbarred
        assert self.moment.history is not None, "the gate was checked"
        contacts = self.moment.history.by_customer.contacts(key_hash, rules)
        left = gate.untouched
        if any(contacts):
            own = iter(contacts)
            left = [self._left(limit, own) for limit in gate.limits]
        if self.moment.planned is None:
            return left, gate.unbarred
        planned = self.moment.planned.of_customer(key_hash, rules)
        return left, self._bars(contacts, planned) if planned else gate.unbarred

    def _bars(self, contacts: list[list[int]], planned: list[list[tuple[int, float]]]) -> list[list[float]]:
        bars = list(self.gate.unbarred)
        moment, zone, place = self.moment, self._zone, 0
        for number, limit in enumerate(self.gate.limits):
            rule = limit.rule
            if isinstance(rule, Cap):
                if not rule.is_over_time:
                    continue
                if planned[place]:
                    window = moment.start(rule.per, zone), moment.end(rule.per, zone)
                    past = contacts[place]
                    bars[number] = bars_of(
                        rule, past, planned[place], window, moment.microseconds, limit.choices
                    )
            place += 1
        return bars

    def _stopped(self) -> int:
        gate = self.gate
        consent, suppressed = self.values, self.values[len(gate.consent) :]
        for condition, value in zip(gate.consent, consent, strict=False):
            if not self._is_known(condition, value, wanted=True):
                return CODES["no_consent"]
        for condition, value in zip(gate.suppressed, suppressed, strict=False):
            if not self._is_known(condition, value, wanted=False):
                return CODES["suppressed"]
        for holdout, code in gate.holdouts:
            if holdout.holds_one(self.key):
                return code
        return 0

    def _is_known(self, condition: BoundExpression, value: Any, *, wanted: bool) -> bool:
        if value is not wanted and not (isinstance(value, np.bool_) and bool(value) is wanted):
            return False
        return None not in [self.customer[name] for name in condition.columns]

    @property
    def _zone(self) -> str | None:
        name = "UTC" if self.gate.zone is None else self.values[-1]
        return name if isinstance(name, str) else None

    def _is_quiet(self) -> bool:
        quiet = self.gate.rules.quiet_hours
        if quiet is None:
            return False
        zone = self._zone
        clock = None if zone is None else self.moment.clock(zone)
        return clock is None or quiet.covers(clock)

    def _left(self, limit: BoundLimit, contacts: Iterator[list[int]]) -> int:
        rule, moment = limit.rule, self.moment
        if isinstance(rule, Cap):
            own = next(contacts) if rule.is_over_time else []
            if not own:
                return rule.at_most
            start = moment.start(rule.per, self._zone)
            return max(rule.at_most - used_of(own, start, moment.microseconds), 0)
        return 0 if is_resting(next(contacts), rule, moment.microseconds) else UNLIMITED
