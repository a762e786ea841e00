"""Send-hour scores: of the coming hours the one that each customer's scores like best."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.selection.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    import numpy.typing as npt

    from labfactory.selection.contact import QuietHours

# How far ahead the scores look, in hours: those of a day's hours one day, those of a week's a week.
_LENGTHS = (24, 168)
# Since 1972 every zone is a multiple of it from UTC, so every hour of a clock begins on one.
_STEP = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class _Hours:
    """The coming hours of a zone that are not quiet, the earliest first.

    Args:
        moments: When each begins, in microseconds since 1970; of the first that is now.
        places: Which hour of the week it is, from Monday 00:00.
    """

    moments: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]

    @classmethod
    def of(cls, zone: tzinfo, quiet: QuietHours | None, now: datetime, length: int) -> _Hours:
        """Those of the next so many hours."""
        found = [
            ((moment - _EPOCH) // _MICROSECOND, local.weekday() * 24 + local.hour)
            for moment, local in _coming(zone, now, timedelta(hours=length))
            if quiet is None or not quiet.covers(local.time())
        ]
        table = np.array(found, dtype=np.int64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1] % length)


def is_scores(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold scores: lists of numbers."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)))


def best_times(
    scores: pa.Array,
    zones: tuple[npt.NDArray[np.int64], Sequence[str | None]],
    quiet: QuietHours | None,
    now: datetime,
) -> pa.TimestampArray:
    """When each customer's best hour begins.

    Args:
        scores: Of each customer a list of 24 numbers, one for each hour of the day, or of 168, one for each
            hour of the week from Monday 00:00, where the customer is.
        zones: Of each customer the number of its zone, and the zones' names.
        quiet: Hours that are never taken.
        now: The moment, with a zone; the hour that it is in counts, and begins then.

    Returns:
        Timestamps in UTC; the earliest of equals. Null for other lists, for those with a null or NaN, for
        zones that are unknown, and where all hours are quiet.
    """
    moments = np.zeros(len(scores), dtype=np.int64)
    is_known = np.zeros(len(scores), dtype=bool)
    lengths = pc.list_value_length(scores).fill_null(0).to_numpy(zero_copy_only=False)
    codes, names = zones
    for length in _LENGTHS:
        rows = np.flatnonzero(lengths == length)
        if not len(rows):
            continue
        table = _matrix(scores if len(rows) == len(scores) else scores.take(pa.array(rows)), length)
        is_whole = ~np.isnan(table).any(axis=1)
        for code in np.unique(codes[rows]):
            name = names[code]
            zone = zone_of(name) if name else None
            if zone is None:
                continue
            hours = _Hours.of(zone, quiet, now, length)
            if not len(hours.moments):
                continue
            own = np.flatnonzero(is_whole & (codes[rows] == code))
            best = np.argmax(table[np.ix_(own, hours.places)], axis=1)
            moments[rows[own]] = hours.moments[best]
            is_known[rows[own]] = True
    return pa.array(moments, mask=~is_known).cast(pa.timestamp("us", "UTC"))


def _matrix(lists: pa.Array, length: int) -> npt.NDArray[np.float64]:
    """Lists of one length as float64, a null as NaN."""
    values = lists.flatten().cast(pa.float64(), safe=False)
    numbers: npt.NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    return numbers.reshape(-1, length)


def _coming(zone: tzinfo, now: datetime, span: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Now and the beginnings of the hours after it, in UTC and where the customer is.

    An hour that the clock skips does not come, and one that it repeats comes twice.
    """
    moment = now.astimezone(UTC)
    yield moment, moment.astimezone(zone)
    step = moment - (moment - _EPOCH) % _STEP + _STEP
    while step < moment + span:
        local = step.astimezone(zone)
        if local.minute == 0:
            yield step, local
        step += _STEP
