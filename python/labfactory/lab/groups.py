"""Groups of rows by the values of some columns, numbered as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labfactory.base.columns import cast_values, is_text
from labfactory.base.errors import SourceError, StatisticsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Each has its own sums in memory, and a segment of a few units says nothing.
MOST_GROUPS = 100_000


class Groups:
    """Numbers for combinations of values; null is a value too."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str | None, ...], int] = {}
        self._values: list[tuple[str | None, ...]] = []

    def codes(self, columns: list[pa.Array]) -> pa.Array:
        """The group of each row.

        Args:
            columns: Text, integers, booleans or dates, of one length.

        Returns:
            int32 without nulls.

        Raises:
            StatisticsError: `too_many_segments`.
        """
        combined = np.zeros(len(columns[0]), np.int64)
        values: list[tuple[str | None, ...]] = [()]
        for column in columns:
            entries, codes = encoded(column)
            occurring, combined = _compacted(combined * len(entries) + codes, len(values) * len(entries))
            values = [
                (*values[place // len(entries)], entries[place % len(entries)])
                for place in occurring.tolist()
            ]
        numbers = np.array([self._number(value) for value in values], np.int32)
        self._check(len(self._values))
        return pa.array(numbers[combined])

    def values(self, number: int) -> tuple[str | None, ...]:
        """The values of a group; none when there are no columns."""
        return self._values[number] if self._values else ()

    def _number(self, value: tuple[str | None, ...]) -> int:
        number = self._numbers.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number

    def _check(self, groups: int) -> None:
        if groups > MOST_GROUPS:
            message = f"expected at most {MOST_GROUPS:,} segments, found {groups:,}"
            raise StatisticsError(
                message, code="too_many_segments", hint="split by a column of few different values"
            )


def encoded(column: pa.Array) -> tuple[list[str | None], NDArray[np.int64]]:
    """The different values as text, None last, and which of them each row has."""
    try:
        if not pa.types.is_dictionary(column.type):
            column = (column.cast(pa.string()) if is_text(column.type) else column).dictionary_encode()
        entries = cast_values(column.dictionary, pa.string()).to_pylist()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        message = f"expected segments of text, integers, booleans or dates, found {column.type}"
        raise SourceError(message, code="column_type", hint="cast the column before") from error
    codes = column.indices.fill_null(len(entries)).to_numpy(zero_copy_only=False)
    return [*entries, None], codes.astype(np.int64)


def texts(column: pa.ChunkedArray) -> pa.Array:
    """Values as the texts of their groups, null where they are.

    Raises:
        SourceError: `column_type`.
    """
    entries, codes = encoded(column.combine_chunks())
    return pa.array(entries, pa.string()).take(pa.array(codes))


def _compacted(codes: NDArray[np.int64], most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The codes that occur, ascending, and for each row which of these it has."""
    # A list of all codes is faster than sorting the rows, while it is no longer than they are.
    if most > max(len(codes), 1024):
        occurring, places = np.unique(codes, return_inverse=True)
        return occurring, places
    occurring = np.flatnonzero(np.bincount(codes, minlength=most))
    numbers = np.zeros(most, np.int64)
    numbers[occurring] = np.arange(len(occurring))
    return occurring, numbers[codes]
