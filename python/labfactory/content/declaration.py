"""The TOML files of a library, `creative.toml` and `component.toml`: strictly read, canonically written."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labfactory.base.errors import ContentError
from labfactory.base.toml import TomlFault, parse_toml, value_faults
from labfactory.content.needs import Need  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class EnvironmentTable(BaseModel):
    """The `[environment]` of a creative: Jinja2's options, save `autoescape`, which the channel sets."""

    model_config = ConfigDict(extra="forbid", strict=True)

    block_end_string: str = "%}"
    block_start_string: str = "{%"
    comment_end_string: str = "#}"
    comment_start_string: str = "{#"
    extensions: list[str] = []
    finalize: Literal["none_to_empty"] | None = None
    keep_trailing_newline: bool = False
    line_comment_prefix: str | None = None
    line_statement_prefix: str | None = None
    lstrip_blocks: bool = False
    newline_sequence: Literal["\n", "\r\n", "\r"] = "\n"
    newstyle_gettext: bool = False
    policies: dict[str, object] = {}
    trim_blocks: bool = False
    undefined: str = "error"
    variable_end_string: str = "}}"
    variable_start_string: str = "{{"


class CreativeDeclaration(BaseModel):
    """What `creative.toml` says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    channel: str
    tags: list[str] = []
    locale: str | None = None
    locale_column: str | None = None
    optional: list[str] = []
    environment: EnvironmentTable = Field(default_factory=EnvironmentTable)
    needs: dict[str, Need] = {}
    slots: dict[str, list[str]] = {}


class ComponentDeclaration(BaseModel):
    """What `component.toml` says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tags: list[str] = []
    locale: str | None = None
    eligible: str | None = None


Declaration = TypeVar("Declaration", CreativeDeclaration, ComponentDeclaration)


def read_declaration(kind: type[Declaration], text: str, *, path: str) -> Declaration | list[ContentError]:
    """Read a declaration, or say everything that is wrong with it.

    Args:
        kind: The declaration that the file should hold.
        text: The text of the file.
        path: The file's path in its library, for errors.

    Returns:
        The declaration, or its problems: `toml` where it is no TOML, `declaration` for each wrong key or
        value.
    """
    values = parse_toml(text)
    if isinstance(values, TomlFault):
        return [values.error(ContentError, code="toml", template=path, source=text)]
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        faults = value_faults(error, text, partial(_keys_at, kind))
        return [fault.error(ContentError, code="declaration", template=path, source=text) for fault in faults]


def write_declaration(values: Mapping[str, object]) -> bytes:
    """Canonical TOML: the values in the order given, then tables; what is empty or null is left out.

    Args:
        values: Text, booleans, numbers, sequences of these, and tables of them.

    Returns:
        UTF-8 that `read_declaration` reads back to the same values.
    """
    return "".join(f"{line}\n" for line in _lines(values, ())).lstrip("\n").encode()


def _lines(values: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    """The lines of a table, and of each table in it behind a header; what holds nothing has none."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    body = [
        f"{_key(key)} = {_literal(value)}"
        for key, value in plain.items()
        if value is not None and value not in ((), [])
    ]
    if path and body:
        yield from ("", f"[{'.'.join(map(_key, path))}]")
    yield from body
    for name, table in values.items():
        if isinstance(table, dict):
            yield from _lines(table, (*path, name))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    message = f"expected text, booleans, numbers or lists in a declaration, found {type(value).__name__}"
    raise TypeError(message)


def _text(value: str) -> str:
    # TOML 1.0, basic strings: quotation mark, backslash and control characters save tab must be escaped.
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    escaped = re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04X}", escaped)
    return f'"{escaped}"'


def _keys_at(kind: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    table = EnvironmentTable if tuple(path) == ("environment",) else kind
    return list(table.model_fields)
