"""Types: what the compiler knows of a column, and of a value while a plan runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.types as arrow

if TYPE_CHECKING:
    from labfactory.compiler.sequences import Lazy

Kind = Literal[
    "null", "boolean", "integer", "floating", "text", "date", "timestamp", "list", "record", "unreadable"
]


@dataclass(frozen=True, slots=True)
class Type:
    """The logical type of an Arrow column, whatever its physical layout.

    Args:
        kind: What its values are to a template; "unreadable" for formats that this version does not read.
        nullable: Whether a value may be null.
        fields: Names and types of a record's fields.
        item: Type of a list's items.
        spelling: Arrow's own name of the type, for errors.
    """

    kind: Kind
    nullable: bool = True
    fields: tuple[tuple[str, Type], ...] = ()
    item: Type | None = None
    spelling: str = ""

    @property
    def is_scalar(self) -> bool:
        """Whether a value prints as one text."""
        return self.kind not in ("list", "record", "unreadable")

    def field(self, name: str) -> Type | None:
        """The type of a record's field, if it has it."""
        return next((field for known, field in self.fields if known == name), None)


def type_of(data_type: pa.DataType, *, nullable: bool = True) -> Type:
    """The logical type of an Arrow type."""
    spelling = str(data_type)
    if arrow.is_dictionary(data_type):
        return type_of(data_type.value_type, nullable=nullable)
    if arrow.is_struct(data_type):
        fields = tuple((field.name, type_of(field.type, nullable=field.nullable)) for field in data_type)
        if len({name for name, _ in fields}) < len(fields):
            return Type("unreadable", nullable, spelling=f"{spelling} with a field named twice")
        return Type("record", nullable, fields=fields, spelling=spelling)
    if arrow.is_list(data_type) or arrow.is_large_list(data_type) or arrow.is_fixed_size_list(data_type):
        return Type("list", nullable, item=type_of(data_type.value_type), spelling=spelling)
    return Type(_scalar_kind(data_type), nullable, spelling=spelling)


def _scalar_kind(data_type: pa.DataType) -> Kind:
    kinds: list[tuple[Kind, bool]] = [
        ("null", arrow.is_null(data_type)),
        ("boolean", arrow.is_boolean(data_type)),
        ("integer", arrow.is_integer(data_type)),
        ("floating", arrow.is_floating(data_type)),
        ("text", _is_text(data_type)),
        ("date", arrow.is_date(data_type)),
        ("timestamp", arrow.is_timestamp(data_type) and data_type.tz is None),
    ]
    return next((kind for kind, holds in kinds if holds), "unreadable")


def _is_text(data_type: pa.DataType) -> bool:
    # Binary of every kind is read as UTF-8.
    return bool(
        arrow.is_string(data_type)
        or arrow.is_large_string(data_type)
        or arrow.is_string_view(data_type)
        or arrow.is_binary(data_type)
        or arrow.is_large_binary(data_type)
        or arrow.is_binary_view(data_type)
        or arrow.is_fixed_size_binary(data_type)
    )


def columns_of(schema: pa.Schema) -> dict[str, Type]:
    """The logical types of a schema's columns, in its order."""
    return {field.name: type_of(field.type, nullable=field.nullable) for field in schema}


# Kinds of running values beside those of columns.
UNDEFINED = "undefined"
# Beside "undefined": nothing was assigned to the name on some way here.
UNSET = "unset"
NONE = "none"
TUPLE = "tuple"
NUMBERS = frozenset({"boolean", "integer", "floating"})
GENERATOR = "generator"
CONTAINERS = frozenset({"list", "tuple", "record"})
DATES = ("date", "timestamp")
# The table entry of records and lists that may come from more than one column.
SEVERAL = -2
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Static:
    """What is known of a running value before it runs.

    Args:
        kinds: Kinds that it may have.
        source: Entry of the column table that a record or list comes from; NOWHERE or SEVERAL otherwise.
        item: What is known of a list's items.
        parts: What is known of each item of a tuple whose length is known.
        names: Names of a named tuple's items.
        lazy: How a generator is run where it is read.
    """

    kinds: frozenset[str]
    source: int = NOWHERE
    item: Static | None = None
    parts: tuple[Static, ...] | None = None
    names: tuple[str, ...] = ()
    lazy: Lazy | None = None

    @classmethod
    def of(cls, *kinds: str) -> Static:
        """A value of these kinds."""
        return cls(frozenset(kinds))

    def join(self, other: Static) -> Static:
        """What is known of a value that is one or the other."""
        source = _join_sources(self.source, other.source)
        item = self.item.join(other.item) if self.item and other.item else self.item or other.item
        parts: tuple[Static, ...] | None = None
        names: tuple[str, ...] = ()
        if self.parts is not None and other.parts is not None and len(self.parts) == len(other.parts):
            parts = tuple(one.join(two) for one, two in zip(self.parts, other.parts, strict=True))
            names = self.names if self.names == other.names else ()
        lazy = self.lazy if self.lazy is other.lazy else None
        return Static(self.kinds | other.kinds, source, item, parts, names, lazy)

    def without(self, *kinds: str) -> Static:
        """The same value where it is known not to be of these kinds."""
        return replace(self, kinds=self.kinds - frozenset(kinds))

    def may_be(self, *kinds: str) -> bool:
        """Whether it may be of one of these kinds."""
        return not self.kinds.isdisjoint(kinds)

    def iterated(self) -> Static:
        """What is known of the items that a loop over it gives."""
        found = self.item or Static(frozenset())
        for part in self.parts or ():
            found = found.join(part)
        if self.may_be("text", "record"):
            found = found.join(Static.of("text"))
        return found if found.kinds else Static.of(NONE)

    @property
    def is_unset(self) -> bool:
        """Whether surely nothing was assigned to it."""
        return self.kinds == {UNDEFINED, UNSET}


def _join_sources(one: int, other: int) -> int:
    if one == other or other == NOWHERE:
        return one
    return other if one == NOWHERE else SEVERAL


def static_of(value: object) -> Static:
    """What is known of a constant."""
    match value:
        case None:
            return Static.of(NONE)
        case bool():
            return Static.of("boolean")
        case int():
            return Static.of("integer")
        case float():
            return Static.of("floating")
        case str():
            return Static.of("text")
        case datetime():
            return Static.of("timestamp")
        case date():
            return Static.of("date")
        case list() | tuple():
            kind = TUPLE if isinstance(value, tuple) else "list"
            item: Static | None = None
            for entry in value:
                item = static_of(entry) if item is None else item.join(static_of(entry))
            return Static(frozenset({kind}), NOWHERE, item)
        case _:
            message = f"expected a plain constant, found {type(value).__name__}"
            raise TypeError(message)


_SPOKEN = {
    "boolean": "a boolean",
    "date": "a date",
    "floating": "a float",
    "generator": "a generator",
    "integer": "an integer",
    "list": "a list",
    "none": "None",
    "record": "a struct",
    "text": "text",
    "timestamp": "a timestamp",
    "tuple": "a tuple",
    "undefined": "an undefined value",
}


def spoken(*kinds: str) -> str:
    """Kinds of values as an error names them."""
    return " or ".join(_SPOKEN[kind] for kind in sorted(kinds))
