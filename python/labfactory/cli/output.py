"""What commands print: tables for people, JSON for machines, errors in one form."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labfactory.base.errors import LabfactoryError

# Wide enough that no cell of a table is cut when the output goes into a file.
_WIDE = 200


def output() -> Console:
    """The console on stdout; wide when it is no terminal, so that nothing is cut."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def print_line(text: str) -> None:
    """Print a line for people on stderr."""
    errors().print(text, markup=False)


def print_json(value: object) -> None:
    """Print a value as JSON on stdout.

    Args:
        value: What `json` can write; other objects are written as their text.
    """
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout.

    Args:
        title: A line above it.
        columns: The heads; those that end in `>` hold figures and are set to the right.
        rows: Text, one per column.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    output().print(table)


def print_error(error: LabfactoryError, *, as_json: bool) -> None:
    """Print an error on stderr, in the one form that errors have.

    Args:
        error: The error.
        as_json: Whether to print it for machines.
    """
    if as_json:
        typer.echo(json.dumps({"error": as_dict(error)}, ensure_ascii=False), err=True)
        return
    head, *rest = str(error).split("\n")
    text = Text(f"labfactory.{type(error).__name__}: ", style="bold red")
    text.append(head, style="bold")
    text.append("".join(f"\n{line}" for line in rest), style="not bold")
    errors().print(text, soft_wrap=True)


def as_dict(error: LabfactoryError) -> dict[str, object]:
    """An error for machines: what is known of it, and the problems that it gathers."""
    known: dict[str, object] = {
        "kind": type(error).__name__,
        "code": error.code,
        "message": error.message,
        "template": error.template,
        "line": error.line,
        "column": error.column,
        "hint": error.hint,
    }
    gathered = getattr(error, "problems", None)
    if gathered is not None:
        known["problems"] = [as_dict(problem) for problem in gathered]
    return {name: value for name, value in known.items() if value is not None}


def errors() -> Console:
    """The console on stderr."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _WIDE, highlight=False)
