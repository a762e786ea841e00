"""What golden rows read of tables, as JSON lines: a table each, in the form of the golden rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labfactory.base.canonical import canonical_json, parse_json
from labfactory.base.errors import HandoffError, SourceError, UsageError
from labfactory.compiler import Table
from labfactory.handoff.golden import read_rows, write_rows, write_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labfactory.handoff.needs import TableNeed

__all__ = ["read_tables", "write_tables"]


def write_tables(tables: Mapping[str, Table]) -> bytes:
    """The tables by name, a line of canonical JSON each."""
    return b"".join(canonical_json(_to_json(name, table)) + b"\n" for name, table in sorted(tables.items()))


def read_tables(data: bytes, needs: Sequence[TableNeed]) -> dict[str, Table]:
    """The tables that `write_tables` wrote.

    Args:
        data: The lines.
        needs: How the tables are joined.

    Raises:
        HandoffError: `json_malformed`, `too_large`; `golden_malformed` for other tables than are needed, and
            for keys that are none.
    """
    found = [parse_json(line, canonical=True) for line in data.splitlines()]
    try:
        by_name = {str(one["name"]): one for one in found}
        tables = {need.name: _from_json(by_name[need.name], need) for need in needs}
    except (KeyError, TypeError, ValueError, SourceError, UsageError) as error:
        message = f"expected golden tables as the header names them, found a fault: {error}"
        raise HandoffError(message, code="golden_malformed") from None
    if len(tables) < len(found):
        message = f"expected the golden tables {', '.join(tables) or 'none'}, found {', '.join(by_name)}"
        raise HandoffError(message, code="golden_malformed")
    return tables


def _to_json(name: str, table: Table) -> dict[str, Any]:
    rows = [parse_json(line) for line in write_rows(table.data).splitlines()]
    return {"name": name, "rows": rows, "schema": parse_json(write_schema(table.data))}


def _from_json(told: Mapping[str, Any], need: TableNeed) -> Table:
    rows = b"".join(canonical_json(row) + b"\n" for row in told["rows"])
    data = read_rows(canonical_json(told["schema"]), rows)
    return Table(data, need.key, on=need.on, missing=need.missing)
