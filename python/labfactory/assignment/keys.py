"""Keys of any type as what the core hashes: integers, texts and bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from labfactory.base.columns import value_type
from labfactory.base.errors import SourceError

# Two hexadecimal digits for each byte, as pairs of characters.
_HEXADECIMAL = np.frombuffer(bytes(range(256)).hex().encode(), "S2")


def key_texts(keys: pa.Array) -> pa.Array:
    """The keys in the one form by which they are known, whatever type carried them.

    Args:
        keys: Integers; texts and bytes of every layout, plain or in a dictionary; dates, timestamps, decimals
            and `arrow.uuid`. Bytes count as the UTF-8 text that they are.

    Returns:
        As long as `keys`. Integers, texts and bytes come back as they are (7 is the text "7"); a date is
        `2026-02-03`, a timestamp `2026-02-03 04:05:06.000000` and, with a zone, the moment in UTC followed by
        `Z`, a decimal its digits with its scale, a UUID its 36 lower-case characters. Null stays null.

    Raises:
        SourceError: `key_type`, for booleans, floats, nested values and other types, and for timestamps that
            are finer than a microsecond.

    Example:
        >>> from datetime import date
        >>> key_texts(pa.array([date(2026, 2, 3), None])).to_pylist()
        ['2026-02-03', None]
    """
    kind = value_type(keys.type)
    if isinstance(keys.type, pa.UuidType):
        return _uuid_texts(keys.storage)
    if not (pa.types.is_temporal(kind) or pa.types.is_decimal(kind)):
        return keys
    if kind is not keys.type and not kind.equals(keys.type):
        keys = keys.dictionary_decode()
    if pa.types.is_date(kind):
        return keys.cast(pa.date32()).cast(pa.string())
    if pa.types.is_decimal(kind):
        return _decimal_texts(keys)
    if pa.types.is_timestamp(kind):
        return _timestamp_texts(keys)
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


def _timestamp_texts(keys: pa.Array) -> pa.Array:
    zone = "UTC" if keys.type.tz else None
    try:
        return keys.cast(pa.timestamp("us", zone)).cast(pa.string())
    except pa.ArrowInvalid as problem:
        message = f"expected timestamps of whole microseconds as keys, found {keys.type}: {problem}"
        raise SourceError(message, code="key_type", hint="Cast the key to text.") from problem
