"""The text of a selection policy: errors that are raised while it is read or bound get their place in it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labfactory.base.errors import CompileError, SelectionError, SourceError
from labfactory.base.toml import TomlPositions
from labfactory.compiler import Expression

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class PolicyText:
    """The text that a policy was read from.

    Args:
        text: The text of selection.toml; empty when the policy was built by code.
        name: The file's name, as errors print it.
    """

    text: str = ""
    name: str = "selection.toml"

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Gives an error about a value from inside the line of the value at this path."""
        try:
            yield
        except (SelectionError, SourceError) as error:
            if error.template is None:
                self.place(error, *path)
            raise

    @contextmanager
    def at_expression(self, expression: str, *path: str | int) -> Iterator[None]:
        """Gives errors about an expression from inside their place in this text."""
        try:
            yield
        except (CompileError, SelectionError) as error:
            within = (error.line, error.column or 1, error.width)
            self.place(error, *path)
            found = TomlPositions(self.text).of_text(path, expression)
            if found is not None and "\n" not in expression and within[0] in (None, 1):
                error.line = found.line
                error.column = found.column + within[1] - 1
                error.width = len(expression) if within[0] is None else within[2]
            raise

    def parse(self, expression: str, *path: str | int) -> Expression:
        """The expression at this path.

        Raises:
            CompileError: Jinja2 would refuse it; with its place in this text.
        """
        with self.at_expression(expression, *path):
            return Expression(expression, name=".".join(str(step) for step in path))

    def place(self, error: CompileError | SelectionError | SourceError, *path: str | int) -> None:
        """Points an error at the value of this path."""
        if not self.text:
            if error.template is None:
                error.template = ".".join(str(step) for step in path)
            return
        error.template, error.source = self.name, self.text
        position = TomlPositions(self.text).of(path)
        if position is not None:
            error.line, error.column, error.width = position.line, position.column, position.width
