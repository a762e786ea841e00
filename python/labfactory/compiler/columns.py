"""The column table of a plan: the columns, fields and items that it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from labfactory.compiler.types import NONE, Static, Type

if TYPE_CHECKING:
    from collections.abc import Mapping


class ColumnEntry(NamedTuple):
    """One entry, as the core takes it.

    Args:
        name: Name of the column or field; empty for items.
        parent: Entry that it belongs to, -1 for a column of the batch.
        role: "root", "field" or "item".
        type: Its logical type.
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

    def whole(self, entry: int) -> None:
        """Reads all that is in a record or list."""
        found = self._types[entry]
        for name, _ in found.fields:
            field = self.field(entry, name)
            assert field is not None
            self.whole(field)
        if found.item is not None:
            self.whole(self.item(entry))

    def type(self, entry: int) -> Type:
        """The logical type of an entry."""
        return self._types[entry]

    def static(self, entry: int) -> Static:
        """What is known of a value read from an entry."""
        found = self._types[entry]
        if found.kind == "null":
            return Static.of(NONE)
        kinds = frozenset({found.kind, NONE} if found.nullable or not self.trusts_schema else {found.kind})
        if found.kind == "list":
            return Static(kinds, entry, self.static(self.item(entry)))
        return Static(kinds, entry) if found.kind == "record" else Static(kinds)

    def roots(self) -> tuple[str, ...]:
        """Names of the columns that are read."""
        return tuple(entry.name for entry in self.entries if entry.role == "root")

    def fields(self, root: str) -> tuple[str, ...]:
        """Names of the fields that are read of a column of the batch."""
        parent = self._index[-1, "root", root]
        return tuple(entry.name for entry in self.entries if entry.role == "field" and entry.parent == parent)

    def _entry(self, name: str, parent: int, role: str, found: Type) -> int:
        key = (parent, role, name)
        if key not in self._index:
            self._index[key] = len(self.entries)
            self.entries.append(ColumnEntry(name, parent, role, found.kind))
            self._types.append(found)
        return self._index[key]
