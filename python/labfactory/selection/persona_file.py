"""The file of personas, `personas.toml`: strict in, with the place of what is wrong."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from labfactory.base.errors import SelectionError
from labfactory.base.toml import TomlFault, parse_toml, value_faults
from labfactory.selection.policy_tables import Table
from labfactory.selection.policy_text import PolicyText

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike


class ContactTable(Table):
    """An entry of a persona's `history`."""

    at: datetime
    channel: str | None = None
    type: str | None = None
    component: str | None = None
    slot: str | None = None
    outcome: str | None = None
    tags: list[str] = Field(default_factory=list)


class PlannedTable(ContactTable):
    """An entry of a persona's `planned`."""

    worth: float | None = None


class PersonaTable(Table):
    """An entry of `[[personas]]`."""

    name: str
    row: dict[str, Any] = Field(default_factory=dict)
    nulls: list[str] = Field(default_factory=list)
    key: str | int | None = None
    now: datetime | None = None
    history: list[ContactTable] = Field(default_factory=list)
    planned: list[PlannedTable] = Field(default_factory=list)
    expect: dict[str, Any]


class PersonasTable(Table):
    """The file."""

    row: dict[str, Any] = Field(default_factory=dict)
    now: datetime | None = None
    personas: list[PersonaTable]


def read_personas(path: str | PathLike[str]) -> tuple[PersonasTable, PolicyText]:
    """Reads the tables of a file of personas, and its text for the places of errors.

    Raises:
        SelectionError: `policy_unreadable`, `policy_syntax`, `policy_field`.
    """
    file = Path(path)
    try:
        text = PolicyText(file.read_bytes().decode(), file.name)
    except OSError as error:
        message = f"cannot read {file}: {error.strerror}"
        raise SelectionError(message, code="policy_unreadable") from None
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, found byte {error.object[error.start]:#04x} at offset {error.start}"
        raise SelectionError(message, code="policy_syntax", template=file.name) from None
    values = parse_toml(text.text)
    if isinstance(values, TomlFault):
        raise values.error(SelectionError, code="policy_syntax", template=text.name, source=text.text)
    try:
        return PersonasTable.model_validate(values), text
    except ValidationError as error:
        first = next(value_faults(error, text.text, _known_keys))
    raise first.error(SelectionError, code="policy_field", template=text.name, source=text.text)


def _known_keys(path: Sequence[str | int]) -> list[str]:
    table: type[Table] = PersonasTable
    if path:
        lists: dict[str | int, type[Table]] = {"history": ContactTable, "planned": PlannedTable}
        table = next((lists[step] for step in path if step in lists), PersonaTable)
    return list(table.model_fields)
