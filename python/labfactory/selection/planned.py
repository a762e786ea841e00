"""Planned contacts: what customers are to get later, which caps keep room for."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labfactory.base.errors import SelectionError
from labfactory.selection.history import History, microseconds_of
from labfactory.selection.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy.typing as npt

    from labfactory.selection.contact import Cap, Rest

_NOUN = "planned contacts"


@dataclass(frozen=True, eq=False)
class Ahead:
    """What is planned that a cap counts, by customer and moment.

    Args:
        hashes: The customers' hashes, ascending.
        moments: Microseconds, ascending for each customer.
        worth: What each is worth.
    """

    hashes: npt.NDArray[np.uint64]
    moments: npt.NDArray[np.int64]
    worth: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Planned:
    """A table of planned contacts: a row for each choice that a customer is to get.

    It has the columns of a `History`; `at` says when. What is planned for the moment of a decision or before
    counts no more: what was sent stands in the history. The column `worth`, a number in the unit of the
    scores, may be left out: a choice that is worth more takes the contact's room under a cap. Where it is
    null nothing does.

    Args:
        contacts: The rows.

    Raises:
        SelectionError: `history` as of a `History`; when a worth is no number or NaN.

    Example:
        >>> from datetime import UTC, datetime
        >>> at = pa.array([datetime(2026, 1, 5, tzinfo=UTC)])
        >>> Planned.of(pa.table({"key": [7], "at": at, "worth": [0.4]}))
        Planned(rows=1)
    """

    contacts: History
    worth: Any = field(init=False)
    found: Kept = field(init=False, repr=False, compare=False, default_factory=Kept)

    def __post_init__(self) -> None:
        table = self.contacts.table
        worth = np.full(table.num_rows, np.inf)
        if "worth" in table.schema.names:
            column = table.column("worth")
            try:
                given = column.cast(pa.float64()).to_numpy()
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                message = f"expected 'worth' of {_NOUN} as numbers, found {column.type}"
                raise SelectionError(message, code="history") from None
            is_given = column.is_valid().to_numpy()
            if np.isnan(given[is_given]).any():
                message = f"expected 'worth' of {_NOUN} as numbers, found NaN"
                hint = "null says that it keeps its room whatever else is worth"
                raise SelectionError(message, code="history", hint=hint)
            worth[is_given] = given[is_given]
        object.__setattr__(self, "worth", worth)

    def __repr__(self) -> str:
        return f"Planned(rows={self.contacts.table.num_rows})"

    @classmethod
    def of(cls, source: Any) -> Planned:
        """Takes in any table that Arrow can read; planned contacts as they are."""
        return source if isinstance(source, cls) else cls(History.of(source, noun=_NOUN))

    @classmethod
    def load(cls, path: str | Path) -> Planned:
        """Reads a Parquet or CSV file.

        Raises:
            SelectionError: `history` when it cannot be read or does not hold planned contacts.
        """
        return cls(History.load(path, noun=_NOUN))

    @classmethod
    def empty(cls) -> Planned:
        """Nothing is planned."""
        return cls(History.empty())

    @property
    def digest(self) -> str:
        """SHA-256 of its rows in their order, for the record of a run."""
        return self.contacts.digest

    def ahead(self, rule: Cap, now: datetime, until: int) -> Ahead:
        """What a cap counts after a moment, up to another one in microseconds."""

        def find() -> Ahead:
            within = self.contacts.matching(rule) & (self.contacts.moments > microseconds_of(now))
            within &= self.contacts.moments <= until
            hashes, moments = self.contacts.hashes[within], self.contacts.moments[within]
            order = np.lexsort((moments, hashes))
            return Ahead(hashes[order], moments[order], self.worth[within][order])

        return self.found.get((rule, now, until), find)

    def of_customer(self, key: int | None, rules: Sequence[Cap | Rest]) -> list[list[tuple[int, float]]]:
        """What each rule is about of what is planned for a customer: microseconds, ascending, and worth.

        Empty where nothing is planned.

        Args:
            key: The hash of the customer's key; None has none.
            rules: The same object for the same rules: what they match is found once.
        """
        rows = self.contacts.by_customer.rows(key)
        if not len(rows):
            return []
        # Kept with the rules themselves, so that no other object gets their number.
        _, matching = self.found.get(
            id(rules), lambda: (rules, [self.contacts.matching(rule) for rule in rules])
        )
        pairs = list(zip(self.contacts.moments[rows].tolist(), self.worth[rows].tolist(), strict=True))
        return [list(compress(pairs, matches[rows].tolist())) for matches in matching]
