"""Contact rules for one customer: what `Gate` says of a row, without arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labfactory.selection.contact import Cap, span_of
from labfactory.selection.contact_gate import CODES, UNLIMITED
from labfactory.selection.history import is_resting, used_of
from labfactory.selection.zones import window_start, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from labfactory.selection.bound_expression import BoundExpression
    from labfactory.selection.contact_gate import BoundLimit, Gate, Moment


@dataclass(frozen=True)
class OneGate:
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

    def left(self, key_hash: int | None) -> list[int]:
        """What each limit leaves the customer, as `Gate.left`."""
        rules, history = self.gate.over_time, self.moment.history
        contacts: Iterator[list[int]] = iter(())
        if rules:
            assert history is not None, "the gate was checked"
            contacts = iter(history.by_customer.contacts(key_hash, rules))
        return [self._left(limit, contacts) for limit in self.gate.limits]

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
        is_wanted = value is wanted or (isinstance(value, np.bool_) and bool(value) is wanted)
        return is_wanted and all(self.customer[name] is not None for name in condition.plan.columns)

    @property
    def _zone(self) -> str | None:
        name = "UTC" if self.gate.zone is None else self.values[-1]
        return name if isinstance(name, str) else None

    def _is_quiet(self) -> bool:
        quiet = self.gate.rules.quiet_hours
        if quiet is None:
            return False
        assert self.moment.now is not None, "the gate was checked"
        zone = zone_of(self._zone) if self._zone else None
        return zone is None or quiet.covers(self.moment.now.astimezone(zone).time())

    def _left(self, limit: BoundLimit, contacts: Iterator[list[int]]) -> int:
        rule, now = limit.rule, self.moment.now
        if isinstance(rule, Cap) and not rule.is_over_time:
            return rule.at_most
        assert now is not None, "the gate was checked"
        own = next(contacts)
        if not isinstance(rule, Cap):
            return 0 if is_resting(own, rule, now) else UNLIMITED
        return max(rule.at_most - used_of(own, self._start(rule, now), now), 0) if own else rule.at_most

    def _start(self, rule: Cap, now: datetime) -> datetime:
        if rule.per not in ("day", "week", "month"):
            return now - span_of(rule.per)
        return window_start(now, rule.per, zone_of(self._zone) if self._zone else None)
