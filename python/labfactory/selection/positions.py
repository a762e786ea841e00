"""Where in the text of a TOML file a value stands, as the parser keeps no positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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
