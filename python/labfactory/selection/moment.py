"""Moment: what a decision depends on beside the batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from labfactory.selection.contact import CALENDAR, span_of
from labfactory.selection.history import microseconds_of
from labfactory.selection.zones import window_end, window_start, zone_of

if TYPE_CHECKING:
    from datetime import time, tzinfo

    from labfactory.selection.history import History
    from labfactory.selection.planned import Planned

# There are some 600 zones, but names that are none may be any number.
_MOST_ZONES = 4096


@dataclass(frozen=True)
class Moment:
    """What a decision depends on beside the batch.

    Args:
        now: The moment; kept in UTC, whatever its zone, since there an hour is as long as the clock says, and
            no two moments are equal.
        history: What customers got.
        planned: What they are to get.
    """

    now: datetime | None = None
    history: History | None = None
    planned: Planned | None = None
    starts: dict[tuple[str, str | None], int] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    ends: dict[tuple[str, str | None], int] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    clocks: dict[str, time | None] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        now = self.now
        # `Gate.check` refuses what is no moment, and those at the calendar's ends, which UTC may lack.
        if isinstance(now, datetime) and now.tzinfo is not None and MINYEAR < now.year < MAXYEAR:
            object.__setattr__(self, "now", now.astimezone(UTC))

    @cached_property
    def microseconds(self) -> int:
        """`now`, as a history counts."""
        assert self.now is not None, "the gate was checked"
        return microseconds_of(self.now)

    def clock(self, zone: str) -> time | None:
        """What a zone's clock says; None where there is no such zone."""
        if zone in self.clocks:
            return self.clocks[zone]
        assert self.now is not None, "the gate was checked"
        known = zone_of(zone)
        found = None if known is None else self.now.astimezone(known).time()
        if len(self.clocks) < _MOST_ZONES:
            self.clocks[zone] = found
        return found

    def start(self, per: str, zone: str | None) -> int:
        """When the time began that a cap looks back on, in microseconds; a zone of None is unknown."""
        found = self.starts.get((per, zone))
        if found is None:
            assert self.now is not None, "the gate was checked"
            found = microseconds_of(window_of(per, self.now, zone_of(zone) if zone else None)[0])
            if len(self.starts) < _MOST_ZONES:
                self.starts[per, zone] = found
        return found

    def end(self, per: str, zone: str | None) -> int:
        """Until when what is planned shares a window of a cap with now, in microseconds; as `start`."""
        found = self.ends.get((per, zone))
        if found is None:
            assert self.now is not None, "the gate was checked"
            found = window_of(per, self.now, zone_of(zone) if zone else None)[1]
            if len(self.ends) < _MOST_ZONES:
                self.ends[per, zone] = found
        return found


def window_of(per: str, now: datetime, zone: tzinfo | None) -> tuple[datetime, int]:
    """When a cap's window began, and until when what is planned shares one with now, in microseconds."""
    if per in CALENDAR:
        return window_start(now, per, zone), microseconds_of(window_end(now, per, zone)) - 1
    span = span_of(per)
    return now - span, microseconds_of(now + span)
