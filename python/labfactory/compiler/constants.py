"""Constants: which Python values a plan can hold."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import TYPE_CHECKING

from labfactory.compiler.zones import zone_name

if TYPE_CHECKING:
    from jinja2 import nodes

    from labfactory.compiler.expressions import Expressions

_INTEGERS = range(-(2**63), 2**63)
# A timedelta of this many days has microseconds past 64 bits.
_MOST_DAYS = 106_751_991
# What the core holds of a decimal: decimal128's digits, and exponents far from where contexts end.
_MOST_DIGITS = 38
_MOST_EXPONENT = 100_000
_CONSTANTS = (bool, int, float, str, datetime.date, datetime.time, datetime.timedelta, Decimal)


def check_constant(lowering: Expressions, value: object, node: nodes.Node) -> None:
    """Refuses a constant that no value of a plan holds."""
    if isinstance(value, (list, tuple, dict)):
        for entry in [*value, *(value.values() if isinstance(value, dict) else ())]:
            check_constant(lowering, entry, node)
    elif isinstance(value, int) and value not in _INTEGERS:
        lowering.refuse("an integer past 64 bits", node)
    elif isinstance(value, float) and not math.isfinite(value):
        lowering.refuse("a constant that is not finite", node)
    elif isinstance(value, datetime.datetime) and value.tzinfo is not None and zone_name(value) is None:
        hint = "expected datetime.timezone with whole minutes, or zoneinfo.ZoneInfo of a name in tzdata."
        lowering.refuse("a datetime of this zone", node, hint=hint)
    elif isinstance(value, datetime.time) and value.tzinfo is not None:
        lowering.refuse("a time that has a zone", node)
    elif isinstance(value, (datetime.time, datetime.datetime)) and value.tzinfo is None and value.fold:
        lowering.refuse("a fold without zone", node)
    elif isinstance(value, datetime.timedelta) and abs(value.days) >= _MOST_DAYS:
        lowering.refuse("a timedelta past 64 bits of microseconds", node)
    elif isinstance(value, Decimal) and not _is_content(value):
        lowering.refuse("a decimal that is not finite, or has more than 38 digits", node)
    elif value is not None and not isinstance(value, _CONSTANTS):
        lowering.refuse(f"a constant of type {type(value).__name__}", node)


def _is_content(value: Decimal) -> bool:
    return (
        value.is_finite()
        and len(value.as_tuple().digits) <= _MOST_DIGITS
        and abs(value.adjusted()) < _MOST_EXPONENT
    )
