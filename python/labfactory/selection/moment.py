"""Moment: what a decision depends on beside the batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from labfactory.selection.contact import span_of
from labfactory.selection.history import microseconds_of
from labfactory.selection.zones import window_start, zone_of

if TYPE_CHECKING:
    from datetime import datetime, time

    from labfactory.selection.history import History
    from labfactory.selection.planned import Planned

# There are some 600 zones, but names that are none may be any number.
_MOST_ZONES = 4096


@dataclass(frozen=True)
class Moment:
    """What a decision depends on beside the batch."""

    now: datetime | None = None
    history: History | None = None
    planned: Planned | None = None
    starts: dict[tuple[str, str | None], int] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    clocks: dict[str, time | None] = field(init=False, repr=False, compare=False, default_factory=dict)

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
            is_rolling = per not in ("day", "week", "month")
            known = zone_of(zone) if zone else None
            start = self.now - span_of(per) if is_rolling else window_start(self.now, per, known)
            found = microseconds_of(start)
            if len(self.starts) < _MOST_ZONES:
                self.starts[per, zone] = found
        return found
