"""TOML texts that people write: their values, and what is wrong with them at its place."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from labfactory.base.errors import LabfactoryError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import ValidationError

_PLACE_OF_SYNTAX_ERROR = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_HEADER = re.compile(r"\s*(\[{1,2})([^\[\]]+)\]{1,2}\s*(#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_NAME = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


@dataclass(frozen=True)
class Position:
    """A place in a text, counted from 1."""

    line: int
    column: int
    width: int


_Error = TypeVar("_Error", bound=LabfactoryError)


@dataclass(frozen=True)
class TomlFault:
    """What is wrong with a TOML text.

    Args:
        message: What was found against what was expected.
        position: Where; None for the whole file.
        hint: The next step, where it is known.
    """

    message: str
    position: Position | None = None
    hint: str | None = None

    def error(self, kind: type[_Error], *, code: str, template: str, source: str) -> _Error:
        """The fault as an error of a file.

        Args:
            kind: The error's class.
            code: Its code.
            template: The file's name.
            source: The text.
        """
        error = kind(self.message, code=code, template=template, source=source, hint=self.hint)
        if self.position is not None:
            error.line, error.column = self.position.line, self.position.column
            error.width = self.position.width
        return error


def parse_toml(text: str) -> dict[str, Any] | TomlFault:
    r"""The values of a TOML text, or why it is none.

    Example:
        >>> parse_toml("a = 1\n[b}").position
        Position(line=2, column=3, width=1)
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # beside its own error, digits or nesting without end
        place = _PLACE_OF_SYNTAX_ERROR.search(str(error))
        reason = _PLACE_OF_SYNTAX_ERROR.sub("", str(error))
        line = int(place[1]) if place and place[1] else max(1, len(text.splitlines()))
        column = int(place[2]) if place and place[2] else 1
        return TomlFault(f"expected TOML, found {_lower(reason)}", Position(line, column, 1))


def value_faults(
    error: ValidationError, text: str, known_keys: Callable[[Sequence[int | str]], Sequence[str]]
) -> Iterator[TomlFault]:
    """What a model says against the values of a text.

    Args:
        error: What pydantic raised.
        text: The text that the values are from.
        known_keys: The keys of the table at a path, for hints.

    Yields:
        A fault for each wrong value, unknown or missing key.
    """
    positions = TomlPositions(text)
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        name, hint = ".".join(str(step) for step in path), None
        if detail["type"] == "extra_forbidden":
            message = f"unknown key {name!r}"
            hint = nearest(str(path[-1]), known_keys(path[:-1]))
        elif detail["type"] == "missing":
            message = f"expected the key {name!r}, found none"
        else:
            message = f"{name}: {_lower(detail['msg'])}, found {detail['input']!r}"
        yield TomlFault(message, positions.of(path), hint)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


class TomlPositions:
    r"""The lines of a TOML text by the path of the value that begins there.

    Args:
        text: The file's text; it has been parsed before.

    Example:
        >>> TomlPositions("[slots.hero]\nfloor = 2").of(["slots", "hero", "floor"])
        Position(line=2, column=1, width=5)
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._keys = list(_keys(self._lines))

    def of(self, path: Sequence[str | int]) -> Position | None:
        """The key at this path, or the nearest one above it that is written out; None for the whole file."""
        best: tuple[int, Position] | None = None
        for known, position in self._keys:
            is_above = known == tuple(path[: len(known)])
            if is_above and (best is None or len(known) > best[0]):
                best = (len(known), position)
        return None if best is None else best[1]

    def of_text(self, path: Sequence[str | int], value: str) -> Position | None:
        """The place of a quoted text at or below this path, or of its key where escapes hide it."""
        position = self.of(path)
        if position is None:
            return None
        for number in range(position.line, len(self._lines) + 1):
            at = self._lines[number - 1].find(value)
            if at >= 0:
                return Position(number, at + 1, len(value))
        return position


def _keys(lines: Sequence[str]) -> list[tuple[tuple[str | int, ...], Position]]:
    found: list[tuple[tuple[str | int, ...], Position]] = []
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(lines, start=1):
        if header := _HEADER.match(line):
            table = _names(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.append((table, Position(number, header.start(1) + 1, len(line.strip()))))
        elif key := _KEY.match(line):
            found.append(((*table, *_names(key[1])), Position(number, key.start(1) + 1, len(key[1]))))
    return found


def _names(dotted: str) -> tuple[str | int, ...]:
    return tuple(name.strip("\"'") for name in _NAME.findall(dotted))
