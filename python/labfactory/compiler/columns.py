"""The column table of a plan: the columns, fields and items that it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from labfactory.compiler.types import NONE, Static, Type, joined

if TYPE_CHECKING:
    from collections.abc import Mapping


class ColumnEntry(NamedTuple):
    """One entry, as the core takes it.

    Args:
        name: Name of the column or field; empty for items.
        parent: Entry that it belongs to, -1 for a column of the batch.
        role: "root", "field", "item" (of a list), "key" or "value" (of a map).
        type: Its logical type, with its zone if it has one.
    """

    name: str
    parent: int
    role: str
    type: str


@dataclass(slots=True)
class ColumnTable:
    """Grows as a template is lowered; each column, field and item has one entry."""

    types: Mapping[str, Type]
    # Whether a column that is not nullable holds no null: so a review may read it, a plan may not.
    trusts_schema: bool = False
    entries: list[ColumnEntry] = field(default_factory=list)
    _index: dict[tuple[int, str, str], int] = field(default_factory=dict)
    _types: list[Type] = field(default_factory=list)
    _statics: dict[int, Static] = field(default_factory=dict)

    def root(self, name: str) -> int:
        """The entry of a column of the batch."""
        return self._entry(name, -1, "root", self.types[name])

    def decision(self, slot: str) -> int:
        """The entry of the column that holds a slot's decided component."""
        return self._entry(f"slot:{slot}", -1, "root", Type("integer"))

    def field(self, parent: int, name: str) -> int | None:
        """The entry of a record's field; None when its type has none of that name."""
        found = self._types[parent].field(name)
        return None if found is None else self._entry(name, parent, "field", found)

    def item(self, parent: int) -> int:
        """The entry of a list's items."""
        found = self._types[parent].item
        assert found is not None
        return self._entry("", parent, "item", found)

    def map(self, parent: int) -> tuple[int, int]:
        """The entries of a map's keys and values."""
        found = self._types[parent]
        assert found.item is not None
        assert found.value is not None
        return self._entry("", parent, "key", found.item), self._entry("", parent, "value", found.value)

    def whole(self, entry: int) -> None:
        """Reads all that a value of an entry holds: the core takes a struct for a dict only then."""
        found = self._types[entry]
        if found.kind == "record":
            for name, field_type in found.fields:
                self.whole(self._entry(name, entry, "field", field_type))
        elif found.kind == "list":
            self.whole(self.item(entry))
        elif found.kind == "map":
            for inner in self.map(entry):
                self.whole(inner)

    def values(self, entry: int) -> Static | None:
        """What is known of the fields of a record, one like the other."""
        fields = [self.field(entry, name) for name, _ in self._types[entry].fields]
        return joined(self.static(field) for field in fields if field is not None)

    def type(self, entry: int) -> Type:
        """The logical type of an entry."""
        return self._types[entry]

    def static(self, entry: int) -> Static:
        """What is known of a value read from an entry."""
        if entry not in self._statics:
            self._statics[entry] = self._static(entry)
        return self._statics[entry]

    def _static(self, entry: int) -> Static:
        found = self._types[entry]
        if found.kind == "null":
            return Static.of(NONE)
        kinds = frozenset({found.kind, NONE} if found.nullable or not self.trusts_schema else {found.kind})
        if found.kind == "list":
            return Static(kinds, item=self.static(self.item(entry)))
        if found.kind == "map":
            key, value = self.map(entry)
            return Static(kinds, item=self.static(key), value=self.static(value))
        return Static(kinds, frozenset({entry})) if found.kind == "record" else Static(kinds)

    def zones(self) -> frozenset[str]:
        """Names of the time zones that are read."""
        return frozenset(found.zone for found in self._types if found.zone)

    def roots(self) -> tuple[str, ...]:
        """Names of the columns that are read."""
        return tuple(entry.name for entry in self.entries if entry.role == "root")

    def fields(self, root: str) -> tuple[str, ...]:
        """Names of the fields that are read of a column of the batch."""
        parent = self._index[-1, "root", root]
        return tuple(entry.name for entry in self.entries if entry.role == "field" and entry.parent == parent)

    def paths(self) -> dict[str, tuple[str, ...]]:
        """By column of the batch, the paths of the fields read of it, such as `order.lines[].sku`."""
        found: dict[str, list[str]] = {}
        paths: list[str] = []
        roots: list[str] = []
        for entry in self.entries:
            is_root = entry.parent < 0
            roots.append(entry.name if is_root else roots[entry.parent])
            paths.append(entry.name if is_root else paths[entry.parent] + _below(entry))
            fields = found.setdefault(roots[-1], [])
            if entry.role == "field":
                fields.append(paths[-1])
        return {root: tuple(fields) for root, fields in found.items()}

    def _entry(self, name: str, parent: int, role: str, found: Type) -> int:
        key = (parent, role, name)
        if key not in self._index:
            self._index[key] = len(self.entries)
            kind = f"{found.kind}[{found.zone}]" if found.zone else found.kind
            self.entries.append(ColumnEntry(name, parent, role, kind))
            self._types.append(found)
        return self._index[key]


def _below(entry: ColumnEntry) -> str:
    """What an entry adds to the path of its parent."""
    return {"item": "[]", "key": "{key}", "value": "{value}"}.get(entry.role, f".{entry.name}")
