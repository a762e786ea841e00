"""Moments in time: always aware, always UTC, one text each."""

from __future__ import annotations

from datetime import UTC, datetime

from labfactory.base.errors import UsageError

__all__ = ["instant", "instant_text"]


def instant(value: object, name: str = "now") -> datetime:
    """Read a moment: an aware datetime, or its RFC 3339 text.

    Args:
        value: A datetime with a zone, or text such as `2026-05-01T12:00:00Z`.
        name: What the caller names it, for the error.

    Returns:
        The moment in UTC.

    Raises:
        UsageError: `instant` when there is no zone, or no moment, or none in UTC.

    Example:
        >>> instant("2026-05-01T14:00:00+02:00").isoformat()
        '2026-05-01T12:00:00+00:00'
    """
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if not isinstance(moment, datetime):
        message = f"expected {name} to be a moment, found {value!r}"
        raise UsageError(
            message, code="instant", hint="give an aware datetime, or text as 2026-05-01T12:00:00Z"
        )
    if moment.tzinfo is None:
        message = f"expected {name} to have a time zone, found {moment.isoformat()}"
        raise UsageError(message, code="instant", hint="datetime(..., tzinfo=timezone.utc)")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        message = f"expected {name} within the years 1 to 9999 of UTC, found {moment.isoformat()}"
        raise UsageError(message, code="instant") from error


def instant_text(moment: datetime) -> str:
    """The one text of a moment: RFC 3339 in UTC with a Z.

    Example:
        >>> instant_text(datetime(2026, 5, 1, 12, tzinfo=UTC))
        '2026-05-01T12:00:00Z'
    """
    return instant(moment).isoformat().replace("+00:00", "Z")
