"""Columns that a source must have: their names, and the kind of value that a template sees in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labfactory.base.errors import SourceError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "cast_values",
    "check_columns",
    "check_names",
    "float_values",
    "is_text",
    "plain_table",
    "plain_type",
    "value_type",
]


def check_names(found: pa.Schema, names: Iterable[str], *, name: str = "the source") -> None:
    """Refuse a schema that lacks one of the columns, or has it twice.

    Args:
        found: The schema of the source.
        names: The columns that will be read.
        name: What to call the source in a message.

    Raises:
        SourceError: ``missing_column`` or ``duplicate_column``.
    """
    for column in names:
        count = len(found.get_all_field_indices(column))
        if count == 0:
            message = f"{name} has no column {column!r}"
            raise SourceError(message, code="missing_column", hint=nearest(column, found.names))
        if count > 1:
            message = f"{count} columns of {name} are named {column!r}"
            raise SourceError(message, code="duplicate_column", hint="Rename them.")


def check_columns(found: pa.Schema, expected: pa.Schema, *, name: str = "the source") -> None:
    """Refuse a schema that lacks a column or holds another kind of value than expected.

    Kinds are what a template sees: integers of any width are one kind, as are texts of any layout; a
    dictionary is its values; a column of the null type fits every kind.

    Args:
        found: The schema of the source.
        expected: The columns it must have; it may have more.
        name: What to call the source in a message.

    Raises:
        SourceError: ``missing_column``, ``duplicate_column`` or ``column_type``.
    """
    check_names(found, expected.names, name=name)
    for field in expected:
        other = found.field(field.name)
        if not _fits(other.type, field.type):
            message = f"expected {field.type} in column {field.name!r} of {name}, found {other.type}"
            raise SourceError(
                message,
                code="column_type",
                hint="Cast the column before.",
            )


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values: of a dictionary its entries', else the type itself."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_text(kind: pa.DataType) -> bool:
    """Whether values are text, in any of Arrow's layouts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def plain_type(kind: pa.DataType, *, decoded: bool) -> pa.DataType:
    """The type without views, and without dictionaries where they are to be decoded.

    Views keep whole buffers alive, so a slice of them would be written with all the text of its batch.
    """
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(plain_type(kind.value_type, decoded=decoded)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(plain_type(kind.value_type, decoded=decoded)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(plain_type(field.type, decoded=decoded)) for field in kind.fields])
    if pa.types.is_dictionary(kind):
        values = plain_type(kind.value_type, decoded=decoded)
        return values if decoded else pa.dictionary(kind.index_type, values)
    return kind


def cast_values(values: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> Any:
    """The values in another type of the same kind, by way of plain layouts.

    pyarrow alone cannot decode a dictionary of views, which is how Polars hands its categories over.
    """
    return values.cast(plain_type(values.type, decoded=False)).cast(kind)


def float_values(values: pa.Array | pa.ChunkedArray) -> Any:
    """Numbers as doubles, null where they are; whole ones beyond 2^53 are rounded, which a cast refuses."""
    return values.cast(plain_type(values.type, decoded=True)).cast(pa.float64(), safe=False)


def plain_table(table: pa.Table) -> pa.Table:
    """The table in one piece, without views and dictionaries: Arrow can filter and take all of it."""
    fields = [field.with_type(plain_type(field.type, decoded=True)) for field in table.schema]
    columns = [cast_values(column, field.type) for column, field in zip(table.columns, fields, strict=True)]
    return pa.table(columns, schema=pa.schema(fields)).combine_chunks()


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


_KINDS: tuple[tuple[str, Callable[[pa.DataType], bool]], ...] = (
    ("integer", pa.types.is_integer),
    ("floating", pa.types.is_floating),
    ("text", is_text),
    ("date", pa.types.is_date),
    ("time", pa.types.is_time),
    ("duration", pa.types.is_duration),
    ("decimal", pa.types.is_decimal),
    ("record", pa.types.is_struct),
    ("list", _is_list),
)


def _kind(kind: pa.DataType) -> str:
    return next((name for name, holds in _KINDS if holds(kind)), str(kind))


def _fits(found: pa.DataType, expected: pa.DataType) -> bool:
    found, expected = value_type(found), value_type(expected)
    if pa.types.is_null(found) or pa.types.is_null(expected):
        return True
    if pa.types.is_timestamp(found) and pa.types.is_timestamp(expected):
        return bool(found.tz == expected.tz)
    if _kind(found) != _kind(expected):
        return False
    if _kind(found) == "list":
        return _fits(found.value_type, expected.value_type)
    if _kind(found) == "record":
        fields = {field.name: field.type for field in found}
        return all(field.name in fields and _fits(fields[field.name], field.type) for field in expected)
    return True
