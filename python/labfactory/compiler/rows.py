"""Rows as Python values: what Jinja2 sees of an Arrow batch, the meaning that plans are held to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.types as arrow

from labfactory.compiler.zones import zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_python(batch: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """The rows of a batch as the Python values that Jinja2 sees.

    Args:
        batch: A batch or table. Null is None; integers are int; floats of any width the double they widen to;
            text and binary str; dates and times datetime's types; lists list; structs and maps dict; a
            dictionary its values.

    Returns:
        A dict for each row, in order.

    Raises:
        ValueError: A timestamp, time or duration is finer than a microsecond, or a map has a key twice.
        UnicodeDecodeError: A binary value is not UTF-8.

    Example:
        >>> to_python(pa.record_batch({"tags": [["a", None]]}))
        [{'tags': ['a', None]}]
    """
    columns = [_values(batch.column(at)) for at in range(batch.num_columns)]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)] or [
        {} for _ in range(batch.num_rows if not columns else 0)
    ]


def _values(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in _values(chunk)]
    kind = array.type
    if arrow.is_dictionary(kind):
        # Arrow's own decoding knows no views.
        entries = _values(array.dictionary)
        return [None if at is None else entries[at] for at in array.indices.to_pylist()]
    if arrow.is_struct(kind):
        return _records(array)
    if arrow.is_map(kind):
        return [None if pairs is None else _mapping(pairs) for pairs in _lists(array)]
    if arrow.is_list(kind) or arrow.is_large_list(kind) or arrow.is_fixed_size_list(kind):
        return _lists(array)
    return _scalars(array)


def _scalars(array: pa.Array) -> list[Any]:
    if arrow.is_timestamp(array.type) and array.type.tz is not None:
        return _instants(array)
    values: list[Any] = _plain(array).to_pylist()
    if _is_binary(array.type):
        return [None if value is None else value.decode() for value in values]
    return values


def _instants(array: pa.Array) -> list[Any]:
    """Aware datetimes: pyarrow would take the zone's rules from the system."""
    found = zone(array.type.tz)
    if found is None:
        message = f"unknown time zone {array.type.tz!r}"
        raise ValueError(message)
    elapsed = array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64()).to_pylist()
    return [
        None if value is None else (_EPOCH + timedelta(microseconds=value)).astimezone(found)
        for value in elapsed
    ]


def _plain(array: pa.Array) -> pa.Array:
    """The same values in the type whose Python values are the plain ones."""
    kind = array.type
    if arrow.is_floating(kind):
        return array.cast(pa.float64())
    if arrow.is_date(kind):
        return array.cast(pa.date32())
    if arrow.is_timestamp(kind) and kind.unit == "ns":
        return array.cast(pa.timestamp("us"))
    if arrow.is_time64(kind):
        return array.cast(pa.time64("us"))
    if arrow.is_duration(kind):
        return array.cast(pa.duration("us"))
    return array


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        arrow.is_binary(kind)
        or arrow.is_large_binary(kind)
        or arrow.is_binary_view(kind)
        or arrow.is_fixed_size_binary(kind)
    )


def _records(array: pa.StructArray) -> list[Any]:
    names = [field.name for field in array.type]
    # flatten keeps the nulls of the struct in its children, and the slice's rows.
    columns = [_values(child) for child in array.flatten()]
    valid = array.is_valid().to_pylist()
    rows = zip(*columns, strict=True) if columns else iter(() for _ in valid)
    return [
        dict(zip(names, row, strict=True)) if is_valid else None
        for is_valid, row in zip(valid, rows, strict=True)
    ]


def _lists(array: Any) -> list[Any]:
    return [None if not scalar.is_valid else _values(scalar.values) for scalar in array]


def _mapping(pairs: list[dict[str, Any]]) -> dict[Any, Any]:
    mapping = {pair["key"]: pair["value"] for pair in pairs}
    if len(mapping) < len(pairs):
        message = "a map has a key twice"
        raise ValueError(message)
    return mapping
