"""Contact rules bound to columns: for a batch who is reached, and what caps leave."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.assignment import Holdout
from labfactory.base.errors import SelectionError, SourceError, nearest
from labfactory.selection.allowance import Allowance, cap_allowance
from labfactory.selection.contact import CALENDAR, Cap, ContactRules, Rest, Scope
from labfactory.selection.decision import REASONS
from labfactory.selection.send_scores import best_times
from labfactory.selection.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from labfactory._core import select as core
    from labfactory.selection.bound_expression import BoundExpression
    from labfactory.selection.moment import Moment
    from labfactory.selection.one import OneCustomer

# Between them no window of a thousand years reaches past the calendar.
_FIRST_YEAR, _LAST_YEAR = 1100, 8900
UNLIMITED: int = np.iinfo(np.int32).max
"""What a limit leaves those whom it does not stop."""

CODES = {reason: number for number, reason in enumerate(REASONS)}
Members = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class BoundLimit:
    """A rule over the candidates of some slots: (slot, candidate) by position."""

    rule: Cap | Rest
    members: Members

    @property
    def choices(self) -> int:
        """How many choices it can see in one decision: one a slot, and no more than it allows."""
        at_most = self.rule.at_most if isinstance(self.rule, Cap) else 0
        return min(len({slot for slot, _ in self.members}), at_most)


@dataclass(frozen=True)
class Gate:
    """Contact rules bound to columns and candidates.

    Args:
        rules: The rules.
        consent: Conditions, each with the columns that must not be null.
        suppressed: Likewise; none may be true.
        zone: The customer's zone.
        send_hour: The hour to send at.
        send_scores: The column with the scores of hours, instead; `send_times` alone reads it.
        limits: Caps and rests with the candidates that they are about.
        one: Consent, suppressed and zone for one customer; None where a column is no plain one.
        allowances: The limits in the core's form; None without limits.
    """

    rules: ContactRules = field(default_factory=ContactRules)
    consent: tuple[BoundExpression, ...] = ()
    suppressed: tuple[BoundExpression, ...] = ()
    zone: BoundExpression | None = None
    send_hour: BoundExpression | None = None
    send_scores: str | None = None
    limits: tuple[BoundLimit, ...] = ()
    one: OneCustomer | None = None
    allowances: core.Allowances | None = None

    @cached_property
    def holdouts(self) -> tuple[tuple[Holdout, int], ...]:
        """The holdouts, each with the position in REASONS of what it does."""
        reasons = {"nothing": CODES["held_out"], "control": CODES["control"]}
        return tuple(
            (Holdout(rule.salt or rule.name, rule.share), reasons[rule.gives]) for rule in self.rules.holdouts
        )

    @cached_property
    def over_time(self) -> tuple[Cap | Rest, ...]:
        """The rules that count a contact history, in the order of the limits."""
        rules = [limit.rule for limit in self.limits]
        return tuple(rule for rule in rules if isinstance(rule, Rest) or rule.is_over_time)

    @cached_property
    def untouched(self) -> list[int]:
        """What each limit leaves a customer without contacts."""
        rules = (limit.rule for limit in self.limits)
        return [rule.at_most if isinstance(rule, Cap) else UNLIMITED for rule in rules]

    @cached_property
    def unbarred(self) -> list[list[float]]:
        """The bars of each limit for a customer for whom nothing is planned."""
        return [[] for _ in self.limits]

    @property
    def expressions(self) -> tuple[BoundExpression, ...]:
        """All that it reads."""
        single = (self.zone, self.send_hour)
        return (*self.consent, *self.suppressed, *(one for one in single if one is not None))

    @property
    def needs_history(self) -> bool:
        """Whether it reads a contact history."""
        return bool(self.over_time)

    @property
    def needs_planned(self) -> bool:
        """Whether a cap asks for what is planned."""
        return any(isinstance(rule, Cap) and rule.planned for rule in self.over_time)

    @property
    def needs_now(self) -> bool:
        """Whether it depends on the moment."""
        return self.needs_history or self.rules.quiet_hours is not None

    @property
    def is_closed(self) -> bool:
        """Whether it may stop anybody."""
        rules = self.rules
        may_stop = rules.consent or rules.suppressed or rules.holdouts or rules.quiet_hours
        return bool(self.limits or may_stop)

    def check(self, moment: Moment) -> None:
        """Refuses a decision without the moment or the history that the rules need.

        Raises:
            SelectionError: `decision_input`, `history`.
        """
        if self.needs_now:
            _check_now(moment.now)
        if not self.needs_history:
            return
        if moment.history is None:
            message = "expected a contact history, which caps and rests need, found none"
            raise SelectionError(
                message, code="decision_input", hint="an empty table will do for the first run"
            )
        if self.needs_planned and moment.planned is None:
            message = "expected planned contacts, which a cap asks for, found none"
            hint = "an empty table says that nothing is planned"
            raise SelectionError(message, code="decision_input", hint=hint)
        for limit in self.limits:
            needed = limit.rule.columns
            if isinstance(limit.rule, Rest):
                moment.history.check((*needed, "outcome"))
            elif limit.rule.is_over_time:
                moment.history.check(needed)
                if moment.planned is not None:
                    moment.planned.contacts.check(needed)

    def codes(self, batch: pa.RecordBatch, keys: pa.Array, moment: Moment) -> npt.NDArray[np.int8]:
        """For each customer 0, or the position in REASONS of why the contact rules stop it."""
        codes = np.zeros(batch.num_rows, dtype=np.int8)

        def stop(rows: npt.NDArray[np.bool_], reason: str) -> None:
            codes[rows & (codes == 0)] = CODES[reason]

        for condition in self.consent:
            stop(~_known(condition, batch, wanted=True), "no_consent")
        for condition in self.suppressed:
            stop(~_known(condition, batch, wanted=False), "suppressed")
        for holdout, code in self.holdouts:
            stop(holdout.holds(keys).to_numpy(zero_copy_only=False), REASONS[code])
        if self.rules.quiet_hours is not None:
            is_control = codes == CODES["control"]
            quiet = self._is_quiet(batch, moment)
            stop(quiet, "quiet_hours")
            codes[quiet & is_control] = CODES["quiet_hours"]
        return codes

    def allowance(
        self, limit: BoundLimit, batch: pa.RecordBatch, hashes: npt.NDArray[np.uint64], moment: Moment
    ) -> Allowance:
        """What a limit leaves each customer."""
        rule, now, history = limit.rule, moment.now, moment.history
        if isinstance(rule, Cap) and not rule.is_over_time:
            return Allowance(None)
        assert now is not None, "the gate was checked"
        assert history is not None, "the gate was checked"
        if isinstance(rule, Rest):
            is_resting = _counts(history.resting(rule, now), hashes) > 0
            return Allowance(np.where(is_resting, 0, UNLIMITED).astype(np.int32))
        is_rolling = rule.per not in CALENDAR
        zones = (np.zeros(len(hashes), np.int64), ["UTC"]) if is_rolling else self._zones(batch)
        return cap_allowance(rule, limit.choices, hashes, zones, moment)

    def send_times(self, batch: pa.RecordBatch, now: datetime) -> pa.TimestampArray:
        """`Selector.send_times` says what."""
        has_hours = self.send_hour is not None or self.send_scores is not None
        if not has_hours:
            message = "expected contact rules with a send_hour, found none"
            raise SelectionError(message, code="decision_input")
        _check_now(now)
        codes, names = self._zones(batch)
        if self.send_scores is not None:
            if self.send_scores not in batch.schema.names:
                message = f"missing column {self.send_scores!r}"
                hint = nearest(self.send_scores, batch.schema.names)
                raise SourceError(message, code="missing_column", hint=hint)
            return best_times(batch.column(self.send_scores), (codes, names), self.rules.quiet_hours, now)
        assert self.send_hour is not None, "one of the two is there"
        # What is beyond int64 is no hour, whatever it becomes: it is below 0.
        hours = np.asarray(self.send_hour.evaluate(batch).cast(pa.int64(), safe=False).fill_null(-1))
        pairs, places = np.unique(np.stack([codes, hours]), axis=1, return_inverse=True)
        moments = [self._next(names[code], int(hour), now) for code, hour in pairs.T]
        return pa.array([moments[place] for place in places.reshape(-1)], pa.timestamp("us", "UTC"))

    def _next(self, name: str | None, hour: int, now: datetime) -> datetime | None:
        zone = zone_of(name) if name else None
        quiet = self.rules.quiet_hours
        if zone is None or not 0 <= hour < 24 or (quiet is not None and quiet.covers(time(hour))):
            return None
        local = now.astimezone(zone)
        first = local.date() if local.hour <= hour else local.date() + timedelta(days=1)
        for day in (first, first + timedelta(days=1)):
            moment = max(datetime.combine(day, time(hour), zone).astimezone(UTC), now.astimezone(UTC))
            # Later in the hour, or where the clock skips it, it may be quiet.
            if quiet is None or not quiet.covers(moment.astimezone(zone).time()):
                return moment
        return None

    def _zones(self, batch: pa.RecordBatch) -> tuple[npt.NDArray[np.int64], list[str | None]]:
        """For each customer the number of its zone among the batch's; None is one too."""
        if self.zone is None:
            return np.zeros(batch.num_rows, dtype=np.int64), ["UTC"]
        texts = self.zone.evaluate(batch).cast(pa.utf8())
        encoded = texts.dictionary_encode(null_encoding="encode")
        return np.asarray(encoded.indices).astype(np.int64), encoded.dictionary.to_pylist()

    def _is_quiet(self, batch: pa.RecordBatch, moment: Moment) -> npt.NDArray[np.bool_]:
        assert self.rules.quiet_hours is not None
        assert moment.now is not None
        codes, names = self._zones(batch)
        quiet = []
        for name in names:
            zone = zone_of(name) if name else None
            quiet.append(zone is None or self.rules.quiet_hours.covers(moment.now.astimezone(zone).time()))
        return np.array(quiet, dtype=bool)[codes]


def bind_limits(
    rules: ContactRules,
    candidates: Sequence[Sequence[str]],
    names: Sequence[str],
    facts: Sequence[tuple[str | None, str | None]],
    tags: Sequence[Mapping[str, tuple[str, ...]]],
) -> tuple[BoundLimit, ...]:
    """Finds the candidates that each cap and rest is about.

    Args:
        rules: The contact rules.
        candidates: Of each slot the candidates.
        names: Of each slot the name.
        facts: Of each slot its channel and type.
        tags: Of each slot its components' tags.

    Returns:
        A limit for each rule, or for each tag of a rule over `topic:*`; those about nothing are left out.
    """
    known = sorted({tag for of_slot in tags for some in of_slot.values() for tag in some})
    bound = []
    every: tuple[Cap | Rest, ...] = (*rules.caps, *rules.rests)
    for rule in every:
        for one in _over_tags(rule, known):
            members = tuple(
                (slot, number)
                for slot, own in enumerate(candidates)
                for number, component in enumerate(own)
                if _is_about(one, component, names[slot], facts[slot], tags[slot].get(component, ()))
            )
            if members:
                bound.append(BoundLimit(one, members))
    return tuple(bound)


def _check_now(now: object) -> None:
    if not isinstance(now, datetime) or now.tzinfo is None:
        found = "none" if now is None else f"{now} without a zone" if isinstance(now, datetime) else repr(now)
        message = f"expected `now` with a zone, which the contact rules need, found {found}"
        raise SelectionError(message, code="decision_input")
    if not _FIRST_YEAR <= now.year <= _LAST_YEAR:
        message = f"expected `now` in the years {_FIRST_YEAR} to {_LAST_YEAR}, found {now}"
        raise SelectionError(message, code="decision_input")


def _over_tags(rule: Cap | Rest, known: Sequence[str]) -> list[Cap | Rest]:
    if rule.tag is None or not rule.tag.endswith("*"):
        return [rule]
    return [replace(rule, tag=tag) for tag in known if tag.startswith(rule.tag[:-1])]


def _is_about(
    scope: Scope, component: str, slot: str, facts: tuple[str | None, str | None], tags: tuple[str, ...]
) -> bool:
    channel, kind = facts
    return (
        scope.channel in (None, channel)
        and scope.type in (None, kind)
        and (scope.tag is None or scope.tag in tags)
        and (not scope.components or component in scope.components)
        and (not scope.slots or slot in scope.slots)
    )


def _known(condition: BoundExpression, batch: pa.RecordBatch, *, wanted: bool) -> npt.NDArray[np.bool_]:
    """Where a condition is known to be what is wanted: no null in it, nor in any column that it reads."""
    is_wanted = pc.fill_null(pc.equal(condition.evaluate(batch), wanted), pa.scalar(value=False))
    found = np.array(is_wanted.to_numpy(zero_copy_only=False))
    for name in condition.plan.columns:
        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()  # an entry may be null
        if column.null_count:
            found &= column.is_valid().to_numpy(zero_copy_only=False)
    return found


def _counts(sorted_hashes: npt.NDArray[np.uint64], hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    return np.searchsorted(sorted_hashes, hashes, "right") - np.searchsorted(sorted_hashes, hashes, "left")
