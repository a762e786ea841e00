"""Contact history: what customers got before, joined to them by key."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base
from labfactory.base.errors import SelectionError
from labfactory.selection.contact_table import TEXTS, contact_table, microseconds_in
from labfactory.selection.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    import numpy.typing as npt

    from labfactory.selection.contact import Cap, Rest, Scope

NOUN = "a contact history"
"""What errors call a history."""


@dataclass(frozen=True, eq=False)
class History:
    """A table of contacts: a row for each choice that a customer got.

    | column | type | |
    |---|---|---|
    | key | as the customers' keys | the customer |
    | at | timestamp with a zone | when |
    | channel, type, component, slot, outcome | utf8 | needed where a rule reads them |
    | tags | utf8 or list<utf8> | the component's tags |

    Keys that no customer has are kept and count for nobody.

    Args:
        table: The rows, in any order.
        noun: What errors call it.

    Raises:
        SelectionError: `history` when a column is missing or of another type, or a key or time is null.

    Example:
        >>> from datetime import UTC, datetime
        >>> table = pa.table({"key": [7], "at": pa.array([datetime(2026, 1, 5, tzinfo=UTC)])})
        >>> History.of(table)
        History(rows=1)
    """

    table: pa.Table
    noun: str = field(default=NOUN, repr=False, compare=False)
    hashes: Any = field(init=False)
    moments: Any = field(init=False)
    found: Kept = field(init=False, repr=False, compare=False, default_factory=Kept)

    def __post_init__(self) -> None:
        for name in ("key", "at"):
            if name not in self.table.schema.names:
                message = f"expected {self.noun} with the column {name!r}, found none"
                raise SelectionError(message, code="history")
            if self.table.column(name).null_count:
                message = f"expected no null in {name!r} of {self.noun}, found some"
                raise SelectionError(message, code="history")
        kind = self.table.schema.field("at").type
        if not pa.types.is_timestamp(kind) or kind.tz is None:
            message = f"expected 'at' of {self.noun} as a timestamp with a zone, found {kind}"
            raise SelectionError(message, code="history")
        keys = self.table.column("key").combine_chunks()
        moments = microseconds_in(self.table.column("at"), self.noun)
        object.__setattr__(self, "hashes", np.asarray(pa.array(base.hash_keys(keys))))
        object.__setattr__(self, "moments", moments)

    def __repr__(self) -> str:
        return f"History(rows={self.table.num_rows})"

    @classmethod
    def of(cls, source: Any, *, noun: str = NOUN) -> History:
        """Takes in any table that Arrow can read; a History as it is."""
        if isinstance(source, cls):
            return source
        return cls(contact_table(source, noun), noun)

    @classmethod
    def load(cls, path: str | Path, *, noun: str = NOUN) -> History:
        """Reads a Parquet or CSV file.

        Raises:
            SelectionError: `history` when it cannot be read or is not one.
        """
        try:
            is_csv = str(path).endswith(".csv")
            frame = pl.read_csv(path, try_parse_dates=True) if is_csv else pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            message = f"expected {noun} at {path}, found none that can be read: {error}"
            raise SelectionError(message, code="history") from error
        return cls.of(frame, noun=noun)

    @classmethod
    def empty(cls) -> History:
        """Nobody got anything."""
        texts = {name: pa.array([], pa.utf8()) for name in ("key", *TEXTS, "tags")}
        return cls(pa.table({**texts, "at": pa.array([], pa.timestamp("us", "UTC"))}))

    @cached_property
    def names(self) -> frozenset[str]:
        """The columns that it has."""
        return frozenset(self.table.schema.names)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its rows in their order, for the record of a run."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            for batch in self.table.combine_chunks().to_batches():
                writer.write_batch(batch)
        return sha256(sink.getvalue()).hexdigest()

    def check(self, columns: tuple[str, ...]) -> None:
        """Refuses a history that lacks a column which a rule reads.

        Raises:
            SelectionError: `history`.
        """
        for name in columns:
            if name not in self.names:
                message = f"expected the column {name!r} in {self.noun}, which a rule reads, found none"
                raise SelectionError(message, code="history")

    def matching(self, scope: Scope, *, outcome: str | None = None) -> npt.NDArray[np.bool_]:
        """The rows that a rule is about."""
        found = np.ones(self.table.num_rows, dtype=bool)
        for name, wanted in (
            ("channel", scope.channel and [scope.channel]),
            ("type", scope.type and [scope.type]),
            ("component", scope.components),
            ("slot", scope.slots),
            ("outcome", outcome and [outcome]),
        ):
            if wanted:
                is_in = pc.is_in(self.table.column(name), value_set=pa.array(list(wanted), pa.utf8()))
                found &= is_in.to_numpy()
        if scope.tag is not None:
            found &= _has_tag(self.table.column("tags"), scope.tag)
        return found

    @cached_property
    def by_customer(self) -> ByCustomer:
        """Its rows customer by customer."""
        return ByCustomer.of(self)

    def since(self, rule: Cap, start: datetime, now: datetime) -> npt.NDArray[np.uint64]:
        """The customers' hashes of what a cap counts from a moment to now, sorted; one for each contact."""

        def find() -> npt.NDArray[np.uint64]:
            within = self.matching(rule) & (self.moments >= microseconds_of(start))
            within &= self.moments <= microseconds_of(now)
            return np.sort(self.hashes[within])

        return self.found.get((rule, start, now), find)

    def until(self, rule: Cap, now: datetime) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """What a cap is about up to now: the customers' hashes, ascending, and when, ascending for each."""

        def find() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
            order = self.by_customer.order
            order = order[(self.matching(rule) & (self.moments <= microseconds_of(now)))[order]]
            return self.hashes[order], self.moments[order]

        return self.found.get((rule, now), find)

    def resting(self, rest: Rest, now: datetime) -> npt.NDArray[np.uint64]:
        """The hashes of the customers whom a rule lets rest at a moment, sorted."""
        return self.found.get((rest, now), lambda: self._resting(rest, now))

    def _resting(self, rest: Rest, now: datetime) -> npt.NDArray[np.uint64]:
        rows = self.matching(rest, outcome=rest.outcome) & (self.moments <= microseconds_of(now))
        order = np.lexsort((self.moments[rows], self.hashes[rows]))
        hashes, moments = self.hashes[rows][order], self.moments[rows][order]
        back = rest.times - 1
        if len(hashes) <= back:
            return np.empty(0, np.uint64)
        first, last = slice(None, len(hashes) - back), slice(back, None)
        is_run = hashes[first] == hashes[last]
        is_run &= moments[last] - moments[first] <= _length(rest.within_span)
        is_run &= microseconds_of(now) - moments[last] < _length(rest.rest_span)
        return np.unique(hashes[last][is_run])


@dataclass(frozen=True, eq=False)
class ByCustomer:
    """A history's rows by customer and moment: what one customer got is found by one search.

    Args:
        history: The history.
        order: Its rows in that order.
        customers: The customers' hashes, ascending.
        bounds: Where each customer's rows begin, and where the last one's end.
    """

    history: History
    order: npt.NDArray[np.int64]
    customers: npt.NDArray[np.uint64]
    bounds: npt.NDArray[np.int64]
    found: dict[int, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, history: History) -> ByCustomer:
        """Sorts a history."""
        order = np.lexsort((history.moments, history.hashes))
        customers, first = np.unique(history.hashes[order], return_index=True)
        return cls(history, order, customers, np.append(first, len(order)))

    def contacts(self, key: int | None, rules: Sequence[Cap | Rest]) -> list[list[int]]:
        """When a customer got what each rule is about, in microseconds, ascending.

        Args:
            key: The hash of the customer's key; None has none.
            rules: The same object for the same rules: what they match is found once.
        """
        if key is None:
            return [[] for _ in rules]
        place = int(self.customers.searchsorted(np.uint64(key)))
        if place == len(self.customers) or int(self.customers[place]) != key:
            return [[] for _ in rules]
        # Kept with the rules themselves, so that no other object gets their number.
        _, moments, bounds = self.found.get(id(rules)) or self._find(rules)
        first, last = bounds[place : place + 2].tolist()
        return [
            own[begin:end].tolist() if begin < end else []
            for own, begin, end in zip(moments, first, last, strict=True)
        ]

    def rows(self, key: int | None) -> npt.NDArray[np.int64]:
        """A customer's rows of the history, by moment."""
        place = 0 if key is None else int(self.customers.searchsorted(np.uint64(key)))
        if key is None or place == len(self.customers) or int(self.customers[place]) != key:
            return self.order[:0]
        return self.order[self.bounds[place] : self.bounds[place + 1]]

    def _find(self, rules: Sequence[Cap | Rest]) -> Any:
        """For each rule the moments of what it matches, and where each customer's begin."""
        history = self.history
        matching = [history.matching(rule, outcome=getattr(rule, "outcome", None)) for rule in rules]
        sorted_rows = [self.order[matches[self.order]] for matches in matching]
        before = [np.append(0, np.cumsum(matches[self.order]))[self.bounds] for matches in matching]
        found = (rules, [history.moments[rows] for rows in sorted_rows], np.stack(before, axis=1))
        self.found[id(rules)] = found
        return found


def used_of(contacts: list[int], start: int, now: int) -> int:
    """How many of a customer's contacts a cap counts from a moment to now, all in microseconds."""
    return bisect_right(contacts, now) - bisect_left(contacts, start)


def is_resting(contacts: list[int], rest: Rest, now: int) -> bool:
    """Whether a rule lets a customer with such outcomes rest at a moment, all in microseconds."""
    if len(contacts) < rest.times:
        return False
    within, length = _length(rest.within_span), _length(rest.rest_span)
    past = contacts[: bisect_right(contacts, now)]
    runs = zip(past, past[rest.times - 1 :], strict=False)
    return any(last - first <= within and now - last < length for first, last in runs)


def _has_tag(column: pa.ChunkedArray, tag: str) -> npt.NDArray[np.bool_]:
    if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
        return np.asarray(_is(column.cast(pa.utf8()), tag))
    lists = column.combine_chunks()
    parents = pc.list_parent_indices(lists).to_numpy()
    hits = _is(lists.flatten().cast(pa.utf8()), tag).to_numpy(zero_copy_only=False)
    found = np.zeros(len(lists), dtype=bool)
    found[parents[hits]] = True
    return found


def _is(texts: pa.Array | pa.ChunkedArray, text: str) -> pa.Array | pa.ChunkedArray:
    return pc.fill_null(pc.equal(texts, text), pa.scalar(value=False))


def microseconds_of(moment: datetime) -> int:
    """A moment as `History.moments` has it."""
    return round(moment.timestamp() * 1_000_000)


@lru_cache(maxsize=256)
def _length(span: timedelta) -> int:
    return round(span.total_seconds() * 1_000_000)
