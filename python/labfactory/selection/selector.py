"""Selector: a policy bound to components and columns; decides batch after batch."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from labfactory.base.errors import SelectionError, nearest
from labfactory.selection.batch_selector import BatchSelector
from labfactory.selection.contact_gate import Gate
from labfactory.selection.decision_input import check_batch, check_seed, check_threads, row_of
from labfactory.selection.history import History
from labfactory.selection.moment import Moment
from labfactory.selection.one import Decision
from labfactory.selection.one_selector import OneSelector
from labfactory.selection.planned import Planned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy as np
    import numpy.typing as npt

    from labfactory.selection.bound_expression import BoundExpression
    from labfactory.selection.bound_slot import BoundSlot


class Selector:
    """A selection policy bound to the components of a creative and the columns of its customers.

    Immutable; shared by any number of threads.
    """

    def __init__(
        self,
        version: str,
        slots: Sequence[BoundSlot],
        gate: Gate | None = None,
        moment: Moment | None = None,
    ) -> None:
        self._version = version
        self._slots = tuple(slots)
        self._gate = gate or Gate()
        self._moment = moment or Moment()
        self._is_checked = False

    def __repr__(self) -> str:
        slots = ", ".join(f"{slot.name}: {len(slot.components)} components" for slot in self._slots)
        return f"Selector(version={self._version!r}, {slots})"

    @property
    def version(self) -> str:
        """The version of the policy."""
        return self._version

    @property
    def slots(self) -> dict[str, tuple[str, ...]]:
        """For each slot its components: what a decision's index counts."""
        return {slot.name: slot.components for slot in self._slots}

    @property
    def candidates(self) -> dict[str, tuple[str, ...]]:
        """For each slot the components that are chosen from: what prices count."""
        return {slot.name: slot.candidates for slot in self._slots}

    @property
    def columns(self) -> tuple[str, ...]:
        """The customers' columns that it reads, sorted."""
        return tuple(sorted({name for bound in self._expressions for name in bound.plan.columns}))

    @property
    def needs_history(self) -> bool:
        """Whether `decide` needs a contact history."""
        return self._gate.needs_history

    @property
    def needs_planned(self) -> bool:
        """Whether `decide` needs to be told what is planned."""
        return self._gate.needs_planned

    @property
    def needs_now(self) -> bool:
        """Whether `decide` needs the moment."""
        return self._gate.needs_now

    @property
    def bound(self) -> tuple[BoundSlot, ...]:
        """Its slots."""
        return self._slots

    @property
    def gate(self) -> Gate:
        """Its contact rules."""
        return self._gate

    def renamed(self, version: str) -> Selector:
        """The same selector under another version, so that it draws as that one."""
        return Selector(version, self._slots, self._gate, self._moment)

    def send_times(self, batch: pa.RecordBatch, *, now: datetime) -> pa.TimestampArray:
        """When to send to each customer: the next time that it is the `send_hour`, or the best-scored hour.

        Hours are those of the customer's clock. A `send_hour` comes within a day, or a day later where that
        would be in quiet hours: the rest of the present hour, or an hour that the clock skips. Scores are a
        list of 24 numbers, one for each hour of the day, or of 168, one for each hour of the week from Monday
        00:00: of the hours that begin within the next 24 or 168 hours, and of the one that it is now, the
        best-scored that is not quiet, the earliest of equals. An hour is quiet when its beginning is, the
        present one when now is. Of scored hours, what the clock skips is not taken, and what it repeats comes
        twice.

        Args:
            batch: The customers, with the columns that the contact rules read, and that of the scores.
            now: The moment, with a zone; what is sent is sent then or later.

        Returns:
            Timestamps in UTC; null where the hour or the zone is unknown, or the hour is quiet. Scores of
            another number, or with a null or NaN, are unknown.

        Raises:
            SelectionError: `decision_input` when the policy has no `send_hour`, or `now` no zone.
            SourceError: `missing_column` when the batch lacks the column of the scores.
        """
        return self._gate.send_times(batch, now)

    def priced(self, prices: Mapping[str, npt.ArrayLike]) -> Selector:
        """The same selector, with what each candidate costs taken off its score when candidates are compared.

        A decision's score stays that of the model; its propensity is the one at these prices. For limits
        with dual prices λ the price of a component is Σ λ·(what one choice of it uses up).

        Args:
            prices: For some slots a number for each of its `candidates`, in the units of the score; slots
                that are left out have none.

        Returns:
            A selector of the same version.

        Raises:
            SelectionError: `unknown_slot`; `decision_input` when prices and candidates differ in number, or
                a price is not finite as float32.
        """
        for name in prices:
            if name not in self.candidates:
                message = f"expected prices for the slots {list(self.candidates)}, found {name!r}"
                raise SelectionError(message, code="unknown_slot", hint=nearest(name, self.candidates))
        slots = [
            replace(slot, prices=slot.priced(prices[slot.name]) if slot.name in prices else None)
            for slot in self._slots
        ]
        return Selector(self._version, slots, self._gate, self._moment)

    def decide(
        self,
        batch: pa.RecordBatch,
        *,
        keys: pa.Array,
        seed: int,
        threads: int = 1,
        now: datetime | None = None,
        history: object = None,
        planned: object = None,
        estimates: bool = True,
    ) -> pa.RecordBatch:
        """Chooses a component for every customer and slot.

        Args:
            batch: The customers, with the columns that it reads.
            keys: The key of each row, text or integer; a null gets no component.
            seed: The run's seed, from 0 to 2^64 - 1.
            threads: How many threads share the rows; the decisions do not depend on it.
            now: The moment, with a zone; for quiet hours, caps over time and rests, which need it.
            history: A `History` or a table that it takes in; for caps over time and rests, which need it.
            planned: `Planned` contacts or a table that it takes in, which caps over time keep room for; those
                that ask for it need it.
            estimates: Whether to find propensities that are estimates, those of normal Thompson sampling,
                which take longer than the decisions. Without, they are null, and the decisions are the
                same: who wants them later decides again.

        Returns:
            As many rows in the same order; for each slot a struct column of type `DECISION`, named by the
            slot.

        Raises:
            SelectionError: `decision_input` when keys and rows differ in number, the seed is out of range, or
                the moment or the history is missing; `history` when the history lacks what a rule reads.
            SourceError: `missing_column`.
        """
        check_threads(threads)
        moment = self.moment(batch, keys=keys, seed=seed, now=now, history=history, planned=planned)
        return self._every.decide(batch, keys, moment, seed=seed, threads=threads, estimates=estimates)

    def values(
        self,
        batch: pa.RecordBatch,
        *,
        keys: pa.Array,
        seed: int,
        threads: int = 1,
        now: datetime | None = None,
        history: object = None,
        planned: object = None,
    ) -> dict[str, npt.NDArray[np.float32]]:
        """What each candidate is worth to each customer: its score, before exploration and prices.

        Args:
            batch: As `decide`.
            keys: As `decide`.
            seed: As `decide`.
            threads: As `decide`.
            now: As `decide`.
            history: As `decide`.
            planned: As `decide`.

        Returns:
            For each slot [customers, candidates]; NaN where the customer may not have it, by itself: what
            another slot of the same decision uses up of a cap is left out.

        Raises:
            SelectionError: As `decide`.
            SourceError: As `decide`.
        """
        check_threads(threads)
        moment = self.moment(batch, keys=keys, seed=seed, now=now, history=history, planned=planned)
        return self._every.values(batch, keys, moment, threads=threads)

    def at(self, *, now: datetime | None = None, history: object = None, planned: object = None) -> Selector:
        """The same selector at a moment: what `decide` takes when it is not told another.

        Args:
            now: The moment, with a zone.
            history: A `History` or a table that it takes in.
            planned: `Planned` contacts or a table that it takes in.

        Returns:
            A selector of the same version and prices.
        """
        past = None if history is None else History.of(history)
        frozen = Moment(now, past, None if planned is None else Planned.of(planned))
        return Selector(self._version, self._slots, self._gate, frozen)

    def decide_one(
        self,
        customer: Mapping[str, object],
        *,
        key: object,
        seed: int,
        now: datetime | None = None,
        history: object = None,
        planned: object = None,
    ) -> dict[str, Decision]:
        """Chooses for one customer what `decide` would choose for the row.

        With columns of numbers, booleans and text no array is made, and a decision among 100 components takes
        some 25 microseconds, with contact rules some 45; else it goes through a batch of one row.

        Args:
            customer: The values of the columns that it reads; others are ignored.
            key: The customer's key, text or integer; None gets no component.
            seed: As `decide`.
            now: As `decide`.
            history: As `decide`; a `History` is indexed once, a table each time.
            planned: As `decide`; likewise.

        Returns:
            The decision for each slot.

        Raises:
            SourceError: `missing_column`, `column_type`.
            SelectionError: As `decide`.
        """
        check_seed(seed)
        moment = self._at(now, history, planned)
        made = self._one.decide(customer, key, seed, moment)
        return self._decide_row(customer, key, seed, moment) if made is None else made

    def row(self, customer: Mapping[str, object]) -> pa.RecordBatch:
        """The batch of one row that a mapping is.

        Args:
            customer: As `decide_one`.

        Returns:
            The columns that it reads, of their types.

        Raises:
            SourceError: `missing_column`, `column_type`.
        """
        return row_of(customer, self._fields)

    @cached_property
    def _fields(self) -> tuple[pa.Field, ...]:
        fields = {field.name: field for bound in self._expressions for field in bound.fields}
        return tuple(fields.values())

    @cached_property
    def _every(self) -> BatchSelector:
        return BatchSelector(self._version, self._slots, self._gate)

    @cached_property
    def _one(self) -> OneSelector:
        return OneSelector(self._version, self._slots, self._gate, self._fields)

    def _decide_row(
        self, customer: Mapping[str, object], key: object, seed: int, moment: Moment
    ) -> dict[str, Decision]:
        batch = self.row(customer)
        keys = pa.array([None if key is None else str(key)], pa.utf8())
        decided = self._every.decide(batch, keys, moment, seed=seed, threads=1, estimates=True)
        return {
            name: Decision(**column[0].as_py())
            for name, column in zip(decided.schema.names, decided.columns, strict=True)
        }

    @property
    def _expressions(self) -> list[BoundExpression]:
        return [*self._gate.expressions, *(one for slot in self._slots for one in slot.expressions)]

    def moment(
        self,
        batch: pa.RecordBatch,
        *,
        keys: pa.Array,
        seed: int,
        now: datetime | None = None,
        history: object = None,
        planned: object = None,
    ) -> Moment:
        """What `decide` depends on beside the batch, checked as `decide` does."""
        check_batch(batch, keys, seed, self.columns)
        return self._at(now, history, planned)

    def _at(self, now: datetime | None, history: object, planned: object) -> Moment:
        if now is None and history is None and planned is None and self._is_checked:
            return self._moment
        past, ahead = self._moment.history, self._moment.planned
        if history is not None and self.needs_history:
            past = History.of(history)
        if planned is not None and self.needs_history:
            ahead = Planned.of(planned)
        moment = Moment(now or self._moment.now, past, ahead)
        self._gate.check(moment)
        self._is_checked = self._is_checked or moment == self._moment
        return moment
