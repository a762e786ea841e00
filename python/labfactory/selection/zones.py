"""Time zones by name, from the tzdata package alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo

# The zones furthest from UTC are 14 hours ahead: midnight anywhere is at most so long before midnight in UTC.
_FURTHEST = timedelta(hours=14)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The names that the tzdata package knows."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo | None:
    """The zone of a name, None where there is none; never the system's rules.

    Example:
        >>> zone_of("Europe/Berlin")
        zoneinfo.ZoneInfo(key='Europe/Berlin')
        >>> zone_of("Europe/../etc") is None
        True
    """
    if name not in zone_names():
        return None
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@lru_cache(maxsize=1024)
def window_start(now: datetime, per: str, zone: tzinfo | None) -> datetime:
    """When the calendar day, week or month of a moment began in a zone; the earliest anywhere without one."""
    if zone is None:
        utc = zone_of("UTC")
        return min(window_start(moment, per, utc) for moment in (now - _FURTHEST, now)) - _FURTHEST
    local = now.astimezone(zone)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if per == "week":
        day = (day.replace(tzinfo=None) - timedelta(days=day.weekday())).replace(tzinfo=zone)
    elif per == "month":
        day = day.replace(day=1)
    return day


@lru_cache(maxsize=1024)
def window_end(now: datetime, per: str, zone: tzinfo | None) -> datetime:
    """When the calendar day, week or month of a moment ends in a zone; the latest anywhere without one."""
    if zone is None:
        return window_end(now + _FURTHEST, per, zone_of("UTC")) + _FURTHEST
    start = window_start(now, per, zone).replace(tzinfo=None)
    # Of the longest the next one has begun, of the shortest it has not ended.
    length = timedelta(days={"day": 1, "week": 7, "month": 31}[per])
    end = start + length
    return (end.replace(day=1) if per == "month" else end).replace(tzinfo=zone)
