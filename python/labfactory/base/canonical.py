"""Canonical JSON: one value has one sequence of bytes, and only those bytes are read back.

What is signed and hashed is written by `canonical_json`; what comes from outside is read by `parse_json`,
which refuses whatever two JSON readers might read differently.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from labfactory.base.errors import HandoffError, UsageError

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER",
    "MAX_JSON_BYTES",
    "canonical_json",
    "number_text",
    "parse_json",
    "sha256_hex",
]

MAX_INTEGER = 2**53  # the largest range in which every integer is one double, RFC 8785 section 3.2.2.3
MAX_DEPTH = 32  # far above any file of ours, far below the interpreter's recursion limit
MAX_JSON_BYTES = 1 << 20

_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_LONGEST_INTEGER = 17  # a sign and the sixteen digits of 2**53


def canonical_json(value: object) -> bytes:
    """Write a value as canonical JSON.

    Args:
        value: None, bool, int within ±2**53, finite float, str, list, tuple, or mapping with str keys, at
            most 32 deep. A float that would print as an integer beyond 2**53 is refused: it could not be
            read.

    Returns:
        UTF-8 bytes: keys sorted by UTF-16 code units, no spaces, numbers as ECMAScript prints them.

    Raises:
        UsageError: `json_value` names the place of what JSON cannot hold without loss.

    References:
        RFC 8785, JSON Canonicalization Scheme.

    Example:
        >>> canonical_json({"b": 1.0, "a": [True, None]})
        b'{"a":[true,null],"b":1}'
    """
    pieces: list[str] = []
    _write(value, pieces.append, "$", MAX_DEPTH)
    return "".join(pieces).encode("utf-8")


def parse_json(
    data: bytes, *, max_bytes: int = MAX_JSON_BYTES, max_depth: int = MAX_DEPTH, canonical: bool = False
) -> Any:
    """Read JSON that may come from an enemy.

    Args:
        data: The bytes, UTF-8 without a byte order mark.
        max_bytes: Largest size read.
        max_depth: Deepest nesting read.
        canonical: Whether bytes other than `canonical_json` of the value are refused.

    Returns:
        Dicts, lists, str, int, float, bool and None.

    Raises:
        HandoffError: `json_malformed` for a syntax error, a duplicate key, NaN, an infinity, an integer
            beyond 2**53, a lone surrogate, or bytes that are not canonical; `too_large` for size or depth.

    Example:
        >>> parse_json(b'{"a": [1, 2.5]}')
        {'a': [1, 2.5]}
    """
    if len(data) > max_bytes:
        message = f"expected at most {max_bytes} bytes of JSON, found {len(data)}"
        raise HandoffError(message, code="too_large")
    _check_depth(data, max_depth)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        message = f"expected JSON in UTF-8, found a fault: {error}"
        raise HandoffError(message, code="json_malformed") from None
    if b"\\u" in data or b"\\U" in data:
        _check_text(value)
    if canonical and canonical_json(value) != data:
        message = "expected canonical JSON, found other bytes for the same value"
        raise HandoffError(message, code="json_malformed")
    return value


def sha256_hex(data: bytes) -> str:
    """The SHA-256 digest of bytes, as 64 lower-case hexadecimal digits.

    Example:
        >>> sha256_hex(b"")[:16]
        'e3b0c44298fc1c14'
    """
    return hashlib.sha256(data).hexdigest()


def number_text(value: float) -> str:
    """A finite float as ECMAScript's Number::toString prints it.

    References:
        ECMA-262, Number::toString, radix 10; RFC 8785 appendix B holds its test values.

    Example:
        >>> number_text(1e21), number_text(0.000001), number_text(-0.0)
        ('1e+21', '0.000001', '0')
    """
    if value == 0:
        return "0"
    # repr has the shortest digits that read back as the same double, as ECMAScript has; the layout differs.
    parts = Decimal(float.__repr__(abs(value))).as_tuple()
    written = "".join(map(str, parts.digits))
    point = len(written) + int(parts.exponent)
    digits = written.rstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def _write(value: object, put: Any, place: str, depth: int) -> None:
    if value is None:
        put("null")
    elif isinstance(value, bool):
        put("true" if value else "false")
    elif isinstance(value, str):
        put(_text(value, place))
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise _refused(place, f"the integer {value}", "an integer within ±2**53")
        put(int.__repr__(value))
    elif isinstance(value, float):
        put(_float_text(value, place))
    elif isinstance(value, Mapping | list | tuple):
        if depth == 0:
            raise _refused(place, "deeper nesting", f"at most {MAX_DEPTH} levels")
        _write_nested(value, put, place, depth)
    else:
        raise _refused(place, type(value).__name__, "a value that JSON can hold")


def _write_nested(
    value: Mapping[object, object] | list[object] | tuple[object, ...], put: Any, place: str, depth: int
) -> None:
    if not isinstance(value, Mapping):
        put("[")
        for index, item in enumerate(value):
            if index:
                put(",")
            _write(item, put, f"{place}[{index}]", depth - 1)
        put("]")
        return
    names: list[str] = []
    for key in value:
        if not isinstance(key, str):
            raise _refused(place, f"the key {key!r}", "keys of text")
        names.append(key)
    put("{")
    for index, key in enumerate(sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))):
        put("," if index else "")
        put(_text(key, place) + ":")
        _write(value[key], put, f"{place}.{key}", depth - 1)
    put("}")


def _text(value: str, place: str) -> str:
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise _refused(place, "a lone surrogate", "text that UTF-8 can hold")
    return json.dumps(value, ensure_ascii=False)


def _float_text(value: float, place: str) -> str:
    if not math.isfinite(value):
        raise _refused(place, repr(float(value)), "a finite number")
    text = number_text(value)
    if abs(value) > MAX_INTEGER and "e" not in text:
        raise _refused(place, f"the number {text}", "a number that does not print as an integer beyond 2**53")
    return text


def _refused(place: str, found: str, expected: str) -> UsageError:
    return UsageError(f"expected {expected} at {place}, found {found}", code="json_value")


def _check_depth(data: bytes, max_depth: int) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(data):
        token = match[0]
        if token in b"[{":
            depth += 1
            if depth > max_depth:
                message = f"expected JSON nested at most {max_depth} deep, found more at byte {match.start()}"
                raise HandoffError(message, code="too_large")
        elif token in b"]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [key for key, _ in pairs]
        double = next(key for key in found if names.count(key) > 1)
        message = f"the key {double!r} occurs twice"
        raise ValueError(message)
    return found


def _integer(text: str) -> int:
    if len(text) <= _LONGEST_INTEGER and abs(int(text)) <= MAX_INTEGER:
        return int(text)
    message = f"the integer {text[:24]} lies beyond 2**53"
    raise ValueError(message)


def _float(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        return value
    message = f"the number {text[:24]} is not finite"
    raise ValueError(message)


def _constant(text: str) -> float:
    message = f"{text} is not JSON"
    raise ValueError(message)


def _check_text(value: Any) -> None:
    """Escapes can spell lone surrogates, which UTF-8 cannot hold and other readers replace."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            message = "expected text that UTF-8 can hold, found a lone surrogate"
            raise HandoffError(message, code="json_malformed") from None
    elif isinstance(value, list):
        for item in value:
            _check_text(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check_text(item)
