"""The concept that a package is built of: its creatives, what fills their slots, and what they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from labfactory.base.canonical import canonical_json
from labfactory.compiler import Table
from labfactory.handoff.content import FINDINGS, GOLDEN_ASSETS, GOLDEN_ROWS, GOLDEN_SCHEMA, GOLDEN_TABLES
from labfactory.handoff.golden import golden_table, read_rows, write_assets, write_rows, write_schema
from labfactory.handoff.golden_tables import read_tables, write_tables
from labfactory.handoff.needs import FunctionNeed, TableNeed
from labfactory.handoff.renderer import golden_renderer
from labfactory.handoff.tooling import Tooling

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa

    from labfactory.content import Host, Library
    from labfactory.handoff.renderer import Renderer
    from labfactory.selection import SelectionPolicy

__all__ = ["Concept"]


@dataclass(frozen=True)
class Concept:
    """Creatives with all that decides what they become.

    Args:
        library: The creatives and the components of their slots.
        creatives: Their names.
        selection: Fills their slots; None for creatives without slots.
        host: Gives their functions and tables.
    """

    library: Library
    creatives: tuple[str, ...]
    selection: SelectionPolicy | None
    host: Host

    def files(self) -> dict[str, bytes]:
        """The files that travel: library and selection policy."""
        selection = {} if self.selection is None else self.selection.files()
        return {**_placed("library", self.library.files()), **_placed("selection", selection)}

    def needs(self) -> dict[str, list[dict[str, Any]]]:
        """What the creatives ask of a host by name, as a header lists it."""
        served = [tooling.served for tooling in self._tools()]
        functions = {
            (name, one.origins[name].get("locale") or "") for one in served for name in one.functions
        }
        tables = {name: table for one in served for name, table in one.tables.items()}
        called = [FunctionNeed(name=name, locale=locale or None) for name, locale in sorted(functions)]
        return {
            "functions": [need.model_dump(exclude_none=True) for need in called],
            "tables": [need.model_dump() for need in table_needs(tables)],
        }

    def golden_files(self, golden: pa.Table, render: Renderer | None, *, now: datetime) -> dict[str, bytes]:
        """The golden rows, what they read of tables, and the assets that they become.

        Args:
            golden: The golden rows.
            render: Makes the assets; None for the renderer that every Factory has.
            now: When the package is built.
        """
        files = {GOLDEN_SCHEMA: write_schema(golden), GOLDEN_ROWS: write_rows(golden)}
        # What is rendered is what a Factory will read back, not what the caller happened to hold.
        rows = read_rows(files[GOLDEN_SCHEMA], files[GOLDEN_ROWS])
        host = self.host
        if tables := self._tables_read(rows, now):
            files[GOLDEN_TABLES] = write_tables(tables)
            host = host.with_tables(read_tables(files[GOLDEN_TABLES], table_needs(tables)))
        if render is None:
            render = golden_renderer(self.library, self.creatives, self.selection, now=now, host=host)
        rendered = render(rows)
        files[GOLDEN_ASSETS] = write_assets(rendered)
        if rendered.get("findings") is not None:
            files[FINDINGS] = canonical_json(rendered["findings"])
        return files

    def _tools(self) -> list[Tooling]:
        # A host that gives nothing is asked nothing.
        names = self.creatives if self.host.functions or self.host.locales or self.host.tables else ()
        return [
            Tooling(self.library, self.library.creative(name), self.selection, self.host) for name in names
        ]

    def _tables_read(self, rows: pa.Table, now: datetime) -> dict[str, Table]:
        """Of each table the entries of the golden rows, with the fields that templates read."""
        fields: dict[str, set[str]] = {}
        for tooling in self._tools():
            if tooling.served.tables:
                read = tooling.plan(rows.schema, now=now).tables
                for name in tooling.served.tables:
                    fields.setdefault(name, set()).update(read.get(name, ()))
        return {name: _excerpt(self.host.tables[name], read, rows) for name, read in fields.items()}


def table_needs(tables: Mapping[str, Table]) -> list[TableNeed]:
    """How tables are joined, by name."""
    return [
        TableNeed(name=name, key=table.key, on=table.on, missing=table.missing)
        for name, table in sorted(tables.items())
    ]


def _excerpt(table: Table, fields: set[str], rows: pa.Table) -> Table:
    names = [name for name in table.data.column_names if name in fields or name == table.key]
    wanted = table.as_keys(rows.column(table.on))
    kept = table.data.select(names).filter(pc.is_in(table.keys, value_set=wanted))
    return Table(golden_table(kept), table.key, on=table.on, missing=table.missing)


def _placed(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{path}": data for path, data in files.items()}
