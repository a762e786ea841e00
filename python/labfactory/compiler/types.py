"""Types: what the compiler knows of a column, and of a value while a plan runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, reduce
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.types as arrow

from labfactory.compiler.zones import zone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labfactory.compiler.generators import Lazy
    from labfactory.compiler.growing import Growing

Kind = Literal[
    "null",
    "boolean",
    "integer",
    "floating",
    "text",
    "decimal",
    "date",
    "timestamp",
    "zoned",
    "time",
    "duration",
    "list",
    "map",
    "record",
    "unreadable",
]


@dataclass(frozen=True, slots=True)
class Type:
    """The logical type of an Arrow column, whatever its physical layout.

    Args:
        kind: What its values are to a template; "unreadable" for formats that this version does not read.
        nullable: Whether a value may be null.
        fields: Names and types of a record's fields.
        item: Type of a list's items, or of a map's keys.
        value: Type of a map's values.
        zone: Name of the time zone of what is "zoned".
        spelling: Arrow's own name of the type, for errors.
    """

    kind: Kind
    nullable: bool = True
    fields: tuple[tuple[str, Type], ...] = ()
    item: Type | None = None
    spelling: str = ""
    value: Type | None = None
    zone: str = ""

    @property
    def is_scalar(self) -> bool:
        """Whether a value holds no others."""
        return self.kind not in ("list", "map", "record", "unreadable")

    @property
    def unreadable(self) -> Type | None:
        """The type within this one that this version does not read, if there is one."""
        if self.kind == "unreadable":
            return self
        inner = [self.item, self.value, *(found for _, found in self.fields)]
        return next((found.unreadable for found in inner if found and found.unreadable), None)

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
    if arrow.is_map(data_type):
        key, value = type_of(data_type.key_type, nullable=False), type_of(data_type.item_type)
        # A list or dict is no key of a dict.
        kind: Kind = "map" if key.is_scalar else "unreadable"
        return Type(kind, nullable, item=key, value=value, spelling=spelling)
    if arrow.is_timestamp(data_type) and data_type.tz is not None:
        known = zone(data_type.tz) is not None
        return Type("zoned" if known else "unreadable", nullable, zone=data_type.tz, spelling=spelling)
    return Type(_scalar_kind(data_type), nullable, spelling=spelling)


def _scalar_kind(data_type: pa.DataType) -> Kind:
    kinds: list[tuple[Kind, bool]] = [
        ("null", arrow.is_null(data_type)),
        ("boolean", arrow.is_boolean(data_type)),
        ("integer", arrow.is_integer(data_type)),
        ("floating", arrow.is_floating(data_type)),
        ("text", _is_text(data_type)),
        ("date", arrow.is_date(data_type)),
        ("timestamp", arrow.is_timestamp(data_type)),
        ("time", arrow.is_time(data_type)),
        ("duration", arrow.is_duration(data_type)),
        ("decimal", arrow.is_decimal128(data_type)),
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
VIEW = "view"
SEQUENCES = frozenset({"list", "tuple"})
# What a template takes for a dict: made by it or given as a constant, an Arrow map, a struct.
DICTS = frozenset({"dict", "map", "record"})
CONTAINERS = SEQUENCES | DICTS
DATES = ("date", "timestamp", "zoned", "time", "duration")
# The parts of dates and times that are numbers.
PARTS: dict[str, frozenset[str]] = {
    "date": frozenset({"year", "month", "day"}),
    "time": frozenset({"hour", "minute", "second", "microsecond"}),
    "duration": frozenset({"days", "seconds", "microseconds"}),
}
PARTS["timestamp"] = PARTS["zoned"] = PARTS["date"] | PARTS["time"]
# The register of what is no value.
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Static:
    """What is known of a running value before it runs.

    Args:
        kinds: Kinds that it may have.
        sources: Entries of the column table that a record may come from.
        item: What is known of a list's items and a dict's keys.
        value: What is known of a dict's values; those of a record are its fields.
        parts: What is known of each item of a tuple whose length is known.
        names: Names of a named tuple's items.
        lazy: How a generator is run where it is read.
        entries: Names and values of a dict whose keys are known, in its order.
        growing: The list that it is, where that may grow in place.
    """

    kinds: frozenset[str]
    sources: frozenset[int] = frozenset()
    item: Static | None = None
    value: Static | None = None
    parts: tuple[Static, ...] | None = None
    names: tuple[str, ...] = ()
    lazy: Lazy | None = None
    entries: tuple[tuple[str, Static], ...] | None = None
    growing: Growing | None = None

    @staticmethod
    @cache
    def of(*kinds: str) -> Static:
        """A value of these kinds."""
        return Static(frozenset(kinds))

    def join(self, other: Static) -> Static:
        """What is known of a value that is one or the other."""
        parts: tuple[Static, ...] | None = None
        names: tuple[str, ...] = ()
        if self.parts is not None and other.parts is not None and len(self.parts) == len(other.parts):
            parts = tuple(one.join(two) for one, two in zip(self.parts, other.parts, strict=True))
            names = self.names if self.names == other.names else ()
        # What is known item by item of one alone is known of any item of both.
        loose = () if parts is not None else (*(self.parts or ()), *(other.parts or ()))
        return Static(
            self.kinds | other.kinds,
            self.sources | other.sources,
            joined(filter(None, [self.item, other.item, *loose])),
            _join(self.value, other.value),
            parts,
            names,
            self.lazy if self.lazy is other.lazy else None,
            _join_entries(self.entries, other.entries),
            self.growing if self.growing is other.growing else None,
        )

    def without(self, *kinds: str) -> Static:
        """The same value where it is known not to be of these kinds."""
        return replace(self, kinds=self.kinds.difference(kinds)) if self.may_be(*kinds) else self

    def may_be(self, *kinds: str) -> bool:
        """Whether it may be of one of these kinds."""
        return not self.kinds.isdisjoint(kinds)

    def items(self) -> Static | None:
        """What is known of any item of a list or tuple; None of an empty one."""
        return joined(filter(None, [self.item, *(self.parts or ())]))

    def iterated(self) -> Static:
        """What is known of the items that a loop over it gives."""
        text = Static.of("text") if self.may_be("text", "record") else None
        return _join(self.items(), text) or Static.of(NONE)

    @property
    def is_unset(self) -> bool:
        """Whether surely nothing was assigned to it."""
        return self.kinds == {UNDEFINED, UNSET}


def _join(one: Static | None, other: Static | None) -> Static | None:
    return one.join(other) if one and other else one or other


def _join_entries(
    one: tuple[tuple[str, Static], ...] | None, other: tuple[tuple[str, Static], ...] | None
) -> tuple[tuple[str, Static], ...] | None:
    if one is None or other is None or [name for name, _ in one] != [name for name, _ in other]:
        return None
    return tuple((name, left.join(right)) for (name, left), (_, right) in zip(one, other, strict=True))


def joined(statics: Iterable[Static]) -> Static | None:
    """What is known of a value that is one of some; None of none."""
    return reduce(_join, statics, None)


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
            return Static.of("timestamp" if value.tzinfo is None else "zoned")
        case date():
            return Static.of("date")
        case time():
            return Static.of("time")
        case timedelta():
            return Static.of("duration")
        case Decimal():
            return Static.of("decimal")
        case list() | tuple():
            items = tuple(map(static_of, value))
            if isinstance(value, tuple):
                return Static(frozenset({TUPLE}), item=joined(items), parts=items)
            return Static(frozenset({"list"}), item=joined(items))
        case dict():
            values = joined(map(static_of, value.values()))
            known = all(isinstance(key, str) for key in value)
            entries = tuple((key, static_of(entry)) for key, entry in value.items()) if known else None
            item = joined(map(static_of, value))
            return Static(frozenset({"dict"}), item=item, value=values, entries=entries)
        case _:
            message = f"expected a plain constant, found {type(value).__name__}"
            raise TypeError(message)


_SPOKEN = {
    "boolean": "a boolean",
    "date": "a date",
    "decimal": "a decimal",
    "dict": "a dict",
    "duration": "a duration",
    "floating": "a float",
    "generator": "a generator",
    "view": "a view of a dict",
    "integer": "an integer",
    "list": "a list",
    "map": "a map",
    "none": "None",
    "record": "a struct",
    "text": "text",
    "time": "a time",
    "timestamp": "a timestamp",
    "tuple": "a tuple",
    "undefined": "an undefined value",
    "zoned": "a timestamp with zone",
}


def spoken(*kinds: str) -> str:
    """Kinds of values as an error names them."""
    return " or ".join(_SPOKEN[kind] for kind in sorted(kinds))
