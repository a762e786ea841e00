"""The TOML files of a library, `creative.toml` and `component.toml`: strictly read, canonically written."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labfactory.base.errors import ContentError, nearest
from labfactory.content.needs import Need  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LINE_OF_SYNTAX_ERROR = re.compile(r" \(at line (\d+), column (\d+)\)")


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
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [_syntax_problem(str(error), text, path=path)]
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        return list(_value_problems(error, kind, text, path=path))


def write_declaration(values: Mapping[str, object]) -> bytes:
    """Canonical TOML: the values in the order given, then tables; what is empty or null is left out.

    Args:
        values: Text, booleans, sequences of text, and one level of tables of these.

    Returns:
        UTF-8 that `read_declaration` reads back to the same values.
    """
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = list(_assignments(plain))
    for name, table in values.items():
        if isinstance(table, dict) and (body := list(_assignments(table))):
            lines += ["", f"[{_key(name)}]", *body]
    return "".join(f"{line}\n" for line in lines).lstrip("\n").encode()


def _assignments(values: Mapping[str, object]) -> Iterator[str]:
    for key, value in values.items():
        if value is None or value in ((), []):
            continue
        yield f"{_key(key)} = {_literal(value)}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    message = f"expected text, a boolean or a sequence of text in a declaration, found {type(value).__name__}"
    raise TypeError(message)


def _text(value: str) -> str:
    # TOML 1.0, basic strings: quotation mark, backslash and control characters save tab must be escaped.
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    escaped = re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04X}", escaped)
    return f'"{escaped}"'


def _syntax_problem(message: str, text: str, *, path: str) -> ContentError:
    place = _LINE_OF_SYNTAX_ERROR.search(message)
    reason = _LINE_OF_SYNTAX_ERROR.sub("", message).removesuffix(" (at end of document)")
    return ContentError(
        f"expected TOML, found {reason[:1].lower() + reason[1:]}",
        code="toml",
        template=path,
        line=int(place[1]) if place else None,
        column=int(place[2]) if place else None,
        source=text,
    )


def _value_problems(
    error: ValidationError, kind: type[BaseModel], text: str, *, path: str
) -> Iterator[ContentError]:
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        key = ".".join(str(step) for step in location)
        hint = None
        if detail["type"] == "extra_forbidden":
            message = f"unknown key {key!r}"
            hint = nearest(str(location[-1]), _keys_at(kind, location[:-1]))
        elif detail["type"] == "missing":
            message = f"expected the key {key!r}, found none"
        else:
            expected = detail["msg"][:1].lower() + detail["msg"][1:]
            message = f"{key!r}: {expected}, found {detail['input']!r}"
        line = line_of_key(text, [str(step) for step in location])
        yield ContentError(message, code="declaration", template=path, line=line, source=text, hint=hint)


def _keys_at(kind: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    table = EnvironmentTable if location == ("environment",) else kind
    return list(table.model_fields)


def line_of_key(text: str, location: Sequence[str]) -> int | None:
    """The line, from 1, where the last key of a location that can be found is written; null when none can."""
    lines = text.splitlines()
    for step in reversed(location):
        pattern = re.compile(rf'\s*(?:\[\s*)?["\']?{re.escape(step)}["\']?\s*[=\]]')
        for number, line in enumerate(lines, start=1):
            if pattern.match(line):
                return number
    return None
