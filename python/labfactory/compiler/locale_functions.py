"""The functions of a locale: money, numbers, dates and plurals by Unicode's CLDR, and links."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from labfactory.base.errors import UsageError
from labfactory.compiler.functions import Function, function

if TYPE_CHECKING:
    from collections.abc import Callable

Number = int | float | Decimal
Moment = datetime.date | datetime.datetime
_Moment = TypeVar("_Moment", datetime.date, datetime.datetime)


def standard_functions(locale: str, currency: str | None, zone: str) -> list[Function]:
    """The functions that `lf.Functions.standard` gives."""
    try:
        import babel
        import babel.dates
        import babel.numbers
    except ImportError as error:
        message = "the functions of a locale need Babel"
        raise UsageError(message, code="missing_extra", hint="pip install 'labfactory[i18n]'") from error
    try:
        spoken = babel.Locale.parse(locale)
        where = ZoneInfo(zone)
    except (babel.UnknownLocaleError, ValueError, ZoneInfoNotFoundError) as error:
        message = f"expected a locale and a zone that are known, found {locale!r} and {zone!r}"
        raise UsageError(message, code="locale") from error

    def money(amount: Number | None, currency: str | None = currency) -> str | None:
        if currency is None:
            message = "expected a currency, as money(amount, 'EUR')"
            raise ValueError(message)
        return _given(amount, lambda n: babel.numbers.format_currency(n, currency, locale=spoken))

    def number(value: Number | None, digits: int | None = None) -> str | None:
        if digits is None:
            return _given(value, lambda n: babel.numbers.format_decimal(n, locale=spoken))
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return _given(value, lambda n: babel.numbers.format_decimal(n, pattern, locale=spoken))

    def percent(value: Number | None, digits: int = 0) -> str | None:
        pattern = spoken.percent_formats[None].pattern
        if digits:
            pattern = pattern.replace("#,##0", "#,##0." + "0" * digits)
        return _given(value, lambda n: babel.numbers.format_percent(n, pattern, locale=spoken))

    def date(value: Moment | None, format: str = "medium") -> str | None:  # noqa: A002 - what templates write
        return _given(value, lambda at: babel.dates.format_date(_local(at, where), format, locale=spoken))

    def time(value: datetime.datetime | None, format: str = "short") -> str | None:  # noqa: A002 - what templates write
        return _given(value, lambda at: babel.dates.format_time(_local(at, where), format, locale=spoken))

    def datetime_(value: Moment | None, format: str = "medium") -> str | None:  # noqa: A002 - what templates write
        return _given(value, lambda at: babel.dates.format_datetime(_local(at, where), format, locale=spoken))

    def plural(count: Number | None, other: str, **forms: str) -> str | None:
        return _given(count, lambda n: forms.get(spoken.plural_form(abs(n)), other))

    return [
        *(
            _text(made, made.__name__.rstrip("_"))
            for made in (money, number, percent, date, time, datetime_, plural)
        ),
        _text(url, "url"),
    ]


def url(base: str | None, **query: Any) -> str | None:
    """A link with a query: what the base has stays, what is None is left out, the last of a name wins."""
    if base is None:
        return None
    parts = urlsplit(base)
    pairs = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in query
    ]
    pairs += [(name, _query_text(value)) for name, value in query.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode(pairs, quote_via=quote)))


def _query_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(call: Callable[..., Any], name: str) -> Function:
    return function(returns=pa.string(), name=name, scalar=True)(call)


def _given(value: Any, written: Callable[[Any], str]) -> str | None:
    return None if value is None else written(value)


def _local(at: _Moment, zone: ZoneInfo) -> _Moment:
    """A moment in the zone; a date, and a datetime without zone, as it stands."""
    if isinstance(at, datetime.datetime) and at.tzinfo:
        return at.astimezone(zone).replace(tzinfo=None)
    return at
