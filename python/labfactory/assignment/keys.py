"""Keys of any type as what the core hashes: integers, texts and bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labfactory.base.columns import value_type
from labfactory.base.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Two hexadecimal digits for each byte, as pairs of characters.
_HEXADECIMAL = np.frombuffer(bytes(range(256)).hex().encode(), "S2")
# Floats below are whole without gaps, and are written like integers.
_WHOLE = 2.0**53
# Between these JavaScript writes no exponent.
_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-6, 1e21


def key_texts(keys: pa.Array) -> pa.Array:
    """The keys in the one form by which they are known, whatever type carried them.

    Args:
        keys: Integers, floats, booleans; texts and bytes of every layout, plain or in a dictionary; dates,
            times, timestamps, decimals and `arrow.uuid`. Bytes count as the UTF-8 text that they are.

    Returns:
        As long as `keys`. Integers, texts and bytes come back as they are (7 is the text "7"). A float is
        what JavaScript writes, so 7.0 is 7; one that is not finite is no key: null. A boolean is `true` or
        `false`, a date `2026-02-03`, a time `04:05:06.000000`, a timestamp `2026-02-03 04:05:06.000000` and,
        with a zone, the moment in UTC followed by `Z`, a decimal its digits with its scale, a UUID its 36
        lower-case characters. Null stays null.

    Raises:
        SourceError: `key_type`, for nested values and other types, for times that are finer than a
            microsecond, and for what is no array of Arrow's.

    Example:
        >>> from datetime import date
        >>> key_texts(pa.array([date(2026, 2, 3), None])).to_pylist()
        ['2026-02-03', None]
        >>> key_texts(pa.array([7.0, 0.5, float("nan")])).to_pylist()
        ['7', '0.5', None]
    """
    if not isinstance(keys, pa.Array | pa.ChunkedArray):
        found = f"{type(keys).__module__.partition('.')[0]}.{type(keys).__name__}"
        message = f"expected keys as a pyarrow.Array, found {found}"
        raise SourceError(message, code="key_type", hint="pa.array(keys), or series.to_arrow()")
    if isinstance(keys.type, pa.UuidType):
        return _uuid_texts(keys.storage)
    kind = value_type(keys.type)
    if not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind)) or pa.types.is_integer(kind):
        return keys
    if pa.types.is_dictionary(keys.type):
        keys = keys.dictionary_decode()
    if pa.types.is_floating(kind):
        return _float_texts(keys)
    if pa.types.is_boolean(kind):
        return keys.cast(pa.string())
    if pa.types.is_date(kind):
        return keys.cast(pa.date32()).cast(pa.string())
    if pa.types.is_decimal(kind):
        return _decimal_texts(keys)
    if pa.types.is_timestamp(kind):
        return _moment_texts(keys, pa.timestamp("us", "UTC" if kind.tz else None))
    if pa.types.is_time(kind):
        return _moment_texts(keys, pa.time64("us"))
    message = f"expected keys that have a text, found {keys.type}"
    raise SourceError(message, code="key_type", hint="Cast the key to text.")


def _uuid_texts(storage: pa.Array) -> pa.Array:
    count = len(storage)
    size = 16 * count
    raw = np.frombuffer(storage.buffers()[1] or b"", np.uint8, size, 16 * storage.offset) if count else None
    if raw is None:
        return pa.array([], pa.string())
    digits = _HEXADECIMAL[raw].reshape(count, 16).view("S1").reshape(count, 32)
    texts = np.full((count, 36), b"-", "S1")
    for start, end, at in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        texts[:, at : at + end - start] = digits[:, start:end]
    offsets = np.arange(0, 36 * count + 1, 36, dtype=np.int64)
    plain = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(texts))
    return plain if storage.null_count == 0 else _keep_nulls(plain, storage)


def _keep_nulls(texts: pa.Array, like: pa.Array) -> pa.Array:
    return pa.compute.if_else(like.is_valid(), texts, pa.scalar(None, texts.type))


def _decimal_texts(keys: pa.Array) -> pa.Array:
    # Python's own digits: pyarrow's cast writes small numbers with an exponent.
    return pa.array([None if key is None else format(key, "f") for key in keys.to_pylist()], pa.string())


def _moment_texts(keys: pa.Array, whole: pa.DataType) -> pa.Array:
    try:
        return keys.cast(whole).cast(pa.string())
    except pa.ArrowInvalid as problem:
        message = f"expected keys of whole microseconds, found {keys.type}: {problem}"
        raise SourceError(message, code="key_type", hint="Cast the key to text.") from problem


def _float_texts(keys: pa.Array) -> pa.Array:
    numbers: NDArray[np.float64] = keys.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    is_known = np.isfinite(numbers)
    known = np.where(is_known, numbers, 0.0)
    # As integers, whose digits the core writes as it hashes.
    if (known == np.trunc(known)).all() and (np.abs(known) < _WHOLE).all():
        return pa.array(known.astype(np.int64), mask=~is_known)
    texts = [_number_text(number) for number in known.tolist()]
    return pa.array(texts, pa.string(), mask=~is_known)


def _number_text(number: float) -> str:
    """ECMAScript's Number::toString: the shortest digits that give the number back."""
    if number == 0.0:
        return "0"
    if _SMALLEST_PLAIN <= abs(number) < _LARGEST_PLAIN:
        return format(Decimal(repr(number)), "f").removesuffix(".0")
    digits, exponent = repr(number).split("e")
    return f"{digits}e{int(exponent):+d}"
