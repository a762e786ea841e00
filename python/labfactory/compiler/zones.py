"""Time zones: their rules come from the `tzdata` package, never from the system."""

from __future__ import annotations

import datetime
import re
from functools import cache
from importlib import resources
from io import BytesIO
from zoneinfo import ZoneInfo

_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*")


@cache
def zone_file(name: str) -> bytes | None:
    """The TZif file of a zone; None when there is none of that name.

    Args:
        name: An IANA name, as "Europe/Berlin".
    """
    if not _NAME.fullmatch(name):
        return None
    found = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    if not found.is_file():
        return None
    content = found.read_bytes()
    return content if content.startswith(b"TZif") else None


@cache
def zone(name: str) -> datetime.tzinfo | None:
    """What Python makes of an Arrow time zone; None when nothing is known of it.

    Args:
        name: "UTC", an offset as "+05:30", or an IANA name.

    Returns:
        `datetime.timezone` for UTC and offsets, `zoneinfo.ZoneInfo` for names.
    """
    if name == "UTC":
        return datetime.UTC
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign = -1 if offset[1] == "-" else 1
        return datetime.timezone(sign * datetime.timedelta(hours=int(offset[2]), minutes=int(offset[3])))
    content = zone_file(name)
    return None if content is None else ZoneInfo.from_file(BytesIO(content), key=name)


def zone_name(moment: datetime.datetime) -> str | None:
    """The name of an aware datetime's zone, as the core knows it; None when it is of no known kind."""
    tzinfo = moment.tzinfo
    if isinstance(tzinfo, ZoneInfo):
        name = tzinfo.key
        return name if isinstance(name, str) and zone_file(name) is not None else None
    if not isinstance(tzinfo, datetime.timezone):
        return None
    spelled = str(tzinfo)
    name = spelled.removeprefix("UTC") or "UTC"
    # A name of its own, or seconds, are no fixed offset of Arrow's.
    return name if zone(name) == tzinfo and str(zone(name)) == spelled else None
