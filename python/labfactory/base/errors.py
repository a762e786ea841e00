"""The exception tree and the one printed form of an error.

LabfactoryError
├── UsageError          a call or a file of settings is wrong                    exit 2
├── CompileError        a template or expression cannot become a plan            exit 2
├── ContentError        a library, creative or component is wrong                exit 2
├── SourceError         data cannot be read, or is not what the schema says      exit 3
├── AssemblyError       an asset that was asked for singly could not be made     exit 3
├── StatisticsError     an evaluation is not defined on what it was given        exit 3
├── SelectionError      a selection policy or model is wrong                     exit 2
├── HandoffError        a package is malformed, altered or not trusted           exit 1
├── GovernanceError     a policy, verdict or approval does not allow it          exit 1
└── RunError            a Factory run cannot start, go on or commit              exit 3
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class LabfactoryError(Exception):
    """Base of every error that labfactory raises.

    Args:
        message: Lower case; what was found against what was expected, with both values.
        code: The stable name of this kind of error; docs/errors.md has an entry for each.
        template: Name of the template or file that the error points into, if any.
        line: Line in it, from 1.
        column: Column in the line, from 1, in characters.
        width: Number of characters that the caret underlines.
        source: Whole text of the template, from which the line is quoted.
        hint: The next step, where it is known.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        code: str,
        template: str | None = None,
        line: int | None = None,
        column: int | None = None,
        width: int = 1,
        source: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.template = template
        self.line = line
        self.column = column
        self.width = width
        self.source = source
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join([self.message, *self._quoted(), *([f"  hint: {self.hint}"] if self.hint else [])])

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, {**self.__dict__}))

    def _quoted(self) -> list[str]:
        if self.template is None:
            return []
        place = self.template if self.line is None else f"{self.template}:{self.line}"
        if self.line is not None and self.column is not None:
            place += f":{self.column}"
        arrow = [f"  --> {place}"]
        if self.source is None or self.line is None:
            return arrow
        # Lines as templates count them: str.splitlines also breaks at form feeds and U+2028.
        lines = re.split(r"\r\n|\r|\n", self.source)
        if not 1 <= self.line <= len(lines):
            return arrow
        text = lines[self.line - 1].replace("\t", " ")
        gutter = f"{self.line:>4} | "
        quoted = [*arrow, gutter + text]
        if self.column is not None:
            width = max(1, min(self.width, len(text) - self.column + 1))
            quoted.append(" " * (len(gutter) - 2) + "| " + " " * (self.column - 1) + "^" * width)
        return quoted


def _rebuild(kind: type[LabfactoryError], message: str, fields: dict[str, object]) -> LabfactoryError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(fields)
    return error


class UsageError(LabfactoryError):
    """A call, an option or a file of settings is wrong."""

    exit_code = 2


class CompileError(LabfactoryError):
    """A template or expression cannot become a plan."""

    exit_code = 2


class ContentError(LabfactoryError):
    """A library, creative or component is wrong."""

    exit_code = 2


class SourceError(LabfactoryError):
    """Data cannot be read, or is not what the schema says."""


class AssemblyError(LabfactoryError):
    """An asset that was asked for singly could not be made."""


class StatisticsError(LabfactoryError):
    """An evaluation is not defined on what it was given."""


class SelectionError(LabfactoryError):
    """A selection policy or model is wrong."""

    exit_code = 2


class HandoffError(LabfactoryError):
    """A package is malformed, altered or not trusted."""

    exit_code = 1


class GovernanceError(LabfactoryError):
    """A policy, verdict or approval does not allow what was asked."""

    exit_code = 1


class RunError(LabfactoryError):
    """A Factory run cannot start, go on or commit."""


for _kind in (LabfactoryError, *LabfactoryError.__subclasses__()):
    # Tracebacks name errors as people import them.
    _kind.__module__ = "labfactory"


def nearest(name: str, candidates: Iterable[str]) -> str:
    """A hint that names the candidates nearest to a misspelt name, at most five, nearest first."""
    known = sorted(set(candidates))
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}Known: {listed}." if known else "none are known."
