"""Golden rows and assets: a few customers and what was made for them, as JSON that loses nothing.

A Factory assembles the rows anew before it takes a package in; every asset must come out byte for byte. Rows
are kept in the plainest Arrow type of their value (text, never a view or a dictionary), one JSON line each:

| Arrow | JSON |
|---|---|
| int64, uint64 beyond 2**53 | digits as text |
| float NaN, infinities, -0.0 | `NaN`, `Infinity`, `-Infinity`, `-0.0` as text |
| decimal128 | its digits as text |
| binary | base64 |
| date, time, timestamp, duration | the integer that Arrow stores |
| struct, map | object; list of pairs |
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from labfactory.base.canonical import MAX_INTEGER, canonical_json, parse_json, sha256_hex
from labfactory.base.columns import cast_values
from labfactory.base.errors import HandoffError, UsageError

__all__ = [
    "check_assets",
    "golden_table",
    "read_assets",
    "read_rows",
    "write_assets",
    "write_rows",
    "write_schema",
]

MAX_ROWS = 4096
STATUSES = ("ok", "skipped", "error")

_PLAIN = {
    "null": pa.null(),
    "bool": pa.bool_(),
    **{
        f"{sign}int{bits}": getattr(pa, f"{sign}int{bits}")()
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date32[day]": pa.date32(),
    "date64[ms]": pa.date64(),
    "time32[s]": pa.time32("s"),
    "time32[ms]": pa.time32("ms"),
    "time64[us]": pa.time64("us"),
    "time64[ns]": pa.time64("ns"),
    **{f"duration[{unit}]": pa.duration(unit) for unit in ("s", "ms", "us", "ns")},
}
_UNITS = ("s", "ms", "us", "ns")
_LOGICAL = (
    (pa.types.is_null, "null"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "floating"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_string, "text"),
    (pa.types.is_binary, "text"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_duration, "duration"),
    (pa.types.is_list, "list"),
    (pa.types.is_struct, "record"),
    (pa.types.is_map, "record"),
)


def golden_table(data: object) -> pa.Table:
    """Golden rows as one table of plain types.

    Args:
        data: A frame, table or batch; a Polars LazyFrame is collected. At most 4,096 rows.

    Returns:
        The table, its columns cast to the plainest type of their values.

    Raises:
        UsageError: `golden_rows` for other data, more rows, or a type that a package cannot hold.
    """
    collect = getattr(data, "collect", None)
    source = collect() if collect is not None else data
    if isinstance(source, pa.RecordBatch):
        table = pa.Table.from_batches([source])
    elif isinstance(source, pa.Table) or hasattr(source, "__arrow_c_stream__"):
        table = pa.table(source)
    else:
        message = f"expected a frame, table or batch of golden rows, found {type(data).__name__}"
        raise UsageError(message, code="golden_rows")
    if table.num_rows > MAX_ROWS or len(set(table.column_names)) != table.num_columns:
        message = (
            f"expected at most {MAX_ROWS} golden rows and distinct columns, found {table.num_rows} rows of "
            f"{', '.join(table.column_names[:12])}"
        )
        raise UsageError(message, code="golden_rows")
    schema = pa.schema([(field.name, _plain(field.type, field.name)) for field in table.schema])
    columns = [cast_values(column, field.type) for column, field in zip(table.columns, schema, strict=True)]
    return pa.table(columns, schema=schema)


def logical_types(table: pa.Table) -> dict[str, str]:
    """The logical type of each column, as a package's inputs name it."""
    return {
        field.name: next(name for is_type, name in _LOGICAL if is_type(field.type)) for field in table.schema
    }


def write_schema(table: pa.Table) -> bytes:
    """The columns of a golden table as canonical JSON."""
    return canonical_json([{"name": field.name, "type": _type_json(field.type)} for field in table.schema])


def write_rows(table: pa.Table) -> bytes:
    """The rows of a golden table, a line of canonical JSON each."""
    columns = [[_to_json(value) for value in column] for column in table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)] or [[] for _ in range(table.num_rows)]
    return b"".join(canonical_json(row) + b"\n" for row in rows)


def read_rows(schema: bytes, rows: bytes) -> pa.Table:
    """The golden table that `write_schema` and `write_rows` wrote.

    Raises:
        HandoffError: `json_malformed`, `too_large`, `golden_malformed`.
    """
    listed = parse_json(schema, canonical=True)
    lines = _lines(rows)
    try:
        fields = [(str(field["name"]), _type_of(field["type"])) for field in listed]
        arrays = [
            pa.array([_from_json(value, kind) for value in column], kind)
            for column, (_, kind) in zip(_columns(lines, len(fields)), fields, strict=True)
        ]
        return pa.table(arrays, schema=pa.schema(fields))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        message = f"expected golden rows of their schema, found a fault: {error}"
        raise HandoffError(message, code="golden_malformed") from None


def write_assets(rendered: Mapping[str, object]) -> bytes:
    """The golden assets, a line of canonical JSON each.

    Args:
        rendered: What the renderer returned: `assets` is a list of dicts, each with a `status` of ok,
            skipped or error, and whatever else JSON can hold.

    Raises:
        UsageError: `golden_render` for another shape.
    """
    assets = rendered.get("assets") if isinstance(rendered, Mapping) else None
    if not isinstance(assets, list | tuple) or not all(_is_asset(asset) for asset in assets):
        message = (
            f"expected the renderer to return assets with a status of {', '.join(STATUSES)}, found another"
        )
        raise UsageError(message, code="golden_render")
    return b"".join(canonical_json(asset) + b"\n" for asset in assets)


def read_assets(data: bytes) -> list[dict[str, Any]]:
    """The golden assets that `write_assets` wrote.

    Raises:
        HandoffError: `json_malformed`, `too_large`, `golden_malformed`.
    """
    assets = _lines(data)
    if not all(_is_asset(asset) for asset in assets):
        message = f"expected golden assets with a status of {', '.join(STATUSES)}, found another"
        raise HandoffError(message, code="golden_malformed")
    return assets


def check_assets(expected: bytes, found: bytes) -> None:
    """Hold assets made here against those of the package, byte for byte.

    Raises:
        HandoffError: `golden_differs` names the first asset that differs, by number and digest.
    """
    if found == expected:
        return
    ours, theirs = found.splitlines(keepends=True), expected.splitlines(keepends=True)
    if len(ours) != len(theirs):
        message = f"expected {len(theirs)} golden assets, found {len(ours)}"
        raise HandoffError(message, code="golden_differs")
    number, (mine, other) = next(
        (number, pair) for number, pair in enumerate(zip(ours, theirs, strict=True), 1) if pair[0] != pair[1]
    )
    message = (
        f"expected golden asset {number} to be sha256:{sha256_hex(other)}, found sha256:{sha256_hex(mine)}"
    )
    raise HandoffError(message, code="golden_differs", hint="the engines differ: see the package's engine")


def _is_asset(asset: object) -> bool:
    return isinstance(asset, Mapping) and asset.get("status") in STATUSES


def _lines(data: bytes) -> list[Any]:
    if data and not data.endswith(b"\n"):
        message = "expected every JSON line to end, found one that does not"
        raise HandoffError(message, code="json_malformed")
    return [parse_json(line, canonical=True) for line in data.split(b"\n")[:-1]]


def _columns(lines: list[Any], count: int) -> list[list[Any]]:
    if any(len(line) != count for line in lines):
        message = f"not every row has {count} values"
        raise ValueError(message)
    return [[line[index] for line in lines] for index in range(count)]


def _plain(kind: pa.DataType, place: str) -> pa.DataType:
    """The plainest type that holds the same values."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type, place)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_plain(kind.value_type, place))
    if pa.types.is_struct(kind) and len({field.name for field in kind}) == kind.num_fields:
        return pa.struct([(field.name, _plain(field.type, place)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type, place), _plain(kind.item_type, place))
    if str(kind) in _PLAIN or pa.types.is_timestamp(kind) or pa.types.is_decimal128(kind):
        return kind
    message = f"expected golden rows of types that a package can hold, found {kind} in {place}"
    raise UsageError(message, code="golden_rows")


def _type_json(kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        return {"timestamp": kind.unit, "zone": kind.tz}
    if pa.types.is_decimal(kind):
        return {"decimal": [kind.precision, kind.scale]}
    if pa.types.is_list(kind):
        return {"list": _type_json(kind.value_type)}
    if pa.types.is_struct(kind):
        return {"struct": [[field.name, _type_json(field.type)] for field in kind]}
    if pa.types.is_map(kind):
        return {"map": [_type_json(kind.key_type), _type_json(kind.item_type)]}
    return str(kind)


def _type_of(value: Any) -> pa.DataType:
    match value:
        case str(name) if name in _PLAIN:
            return _PLAIN[name]
        case {"timestamp": str(unit), "zone": zone} if unit in _UNITS and isinstance(zone, str | None):
            return pa.timestamp(unit, zone)
        case {"decimal": [int(precision), int(scale)]} if 1 <= precision <= 38 and abs(scale) <= 38:
            return pa.decimal128(precision, scale)
        case {"list": item}:
            return pa.list_(_type_of(item))
        case {"struct": list(fields)}:
            return pa.struct([(str(name), _type_of(kind)) for name, kind in fields])
        case {"map": [key, item]}:
            return pa.map_(_type_of(key), _type_of(item))
    message = f"no type is called {value!r}"
    raise ValueError(message)


def _to_json(value: pa.Scalar) -> Any:
    kind = value.type
    if not value.is_valid:
        return None
    if pa.types.is_temporal(kind):
        return _integer_json(value.value)
    if pa.types.is_map(kind):
        return [[_to_json(pair["key"]), _to_json(pair["value"])] for pair in value.values]
    if pa.types.is_list(kind):
        return [_to_json(item) for item in value.values]
    if pa.types.is_struct(kind):
        return {field.name: _to_json(value[field.name]) for field in kind}
    return _leaf_json(value.as_py())


def _leaf_json(value: Any) -> Any:
    match value:
        case bool() | str():
            return value
        case int():
            return _integer_json(value)
        case float():
            return _float_json(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
    return str(value)


def _integer_json(value: int) -> int | str:
    return value if abs(value) <= MAX_INTEGER else str(value)


def _float_json(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 and math.copysign(1, value) < 0:
        return "-0.0"
    # Beyond 2**53 canonical JSON refuses what would print as an integer.
    return value if abs(value) <= MAX_INTEGER else repr(value)


def _from_json(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_temporal(kind) or pa.types.is_integer(kind):
        return int(value)
    if pa.types.is_floating(kind):
        return float(value)
    if pa.types.is_decimal(kind):
        return Decimal(value)
    if pa.types.is_binary(kind):
        return base64.b64decode(value, validate=True)
    if pa.types.is_list(kind):
        return [_from_json(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: _from_json(value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        return [(_from_json(key, kind.key_type), _from_json(item, kind.item_type)) for key, item in value]
    return value
