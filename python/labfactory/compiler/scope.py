"""Scopes: what a name means where it stands, by Jinja2's own tracking of identifiers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jinja2.idtracking import (
    VAR_LOAD_ALIAS,
    VAR_LOAD_PARAMETER,
    VAR_LOAD_RESOLVE,
    VAR_LOAD_UNDEFINED,
    Symbols,
)

from labfactory.compiler.types import UNDEFINED, UNSET, Static

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import nodes

    from labfactory.compiler.code import Instruction


@dataclass(eq=False, slots=True)
class Variable:
    """A name that a template assigns.

    Args:
        register: Where its value is.
        static: What is known of it at this point of the template.
        clearing: The instruction that makes it undefined at first; dropped when no load needs it.
    """

    register: int
    static: Static
    clearing: Instruction | None = None


@dataclass(frozen=True, slots=True)
class LoopName:
    """The special name `loop`.

    Args:
        loop: Index of the running loop.
        item: What is known of its items.
    """

    loop: int
    item: Static


@dataclass(frozen=True, slots=True)
class Unassigned:
    """A name that comes from outside the template: a column, a constant, or nothing."""

    name: str


Binding = Variable | LoopName | Unassigned


@dataclass(eq=False, slots=True)
class Scope:
    """One frame of Jinja2's: a template, the body of a loop, an autoescape block."""

    symbols: Symbols
    parent: Scope | None = None
    bindings: dict[str, Binding] = field(default_factory=dict)

    def inner(self, node: nodes.Node, *, branch: str | None = None, loop: bool = False) -> Scope:
        """The scope within, for a node or a branch of a loop.

        Args:
            node: The statement that opens it.
            branch: "body", "else" or "test" of a loop.
            loop: Whether the name `loop` is the loop's own.
        """
        symbols = Symbols(parent=self.symbols)
        if loop:
            symbols.declare_parameter("loop")
        if branch is None:
            symbols.analyze_node(node)
        else:
            symbols.analyze_node(node, for_branch=branch)
        return Scope(symbols, self)

    def assigned(self) -> Iterator[tuple[str, str, str, str]]:
        """Identifier, name, action and source of each name that this scope assigns, parameters left out."""
        names = {identifier: name for name, identifier in self.symbols.refs.items()}
        for identifier, (action, source) in self.symbols.loads.items():
            name = names[identifier]
            if action != VAR_LOAD_PARAMETER and name in self.symbols.stores:
                yield identifier, name, action, source or ""

    def lookup(self, name: str) -> Binding:
        """What a name means here."""
        return self.binding(self.symbols.ref(name)) or Unassigned(name)

    def binding(self, identifier: str) -> Binding | None:
        """What an identifier of Jinja2's stands for; None for a name from outside."""
        scope: Scope | None = self
        while scope is not None:
            if identifier in scope.bindings:
                return scope.bindings[identifier]
            scope = scope.parent
        return None

    def bind(self, name: str, binding: Binding) -> None:
        """Gives a name of this scope its meaning."""
        self.bindings[self.symbols.refs[name]] = binding

    def variable(self, name: str) -> Variable:
        """The variable of a name that this scope assigns."""
        found = self.bindings[self.symbols.ref(name)]
        assert isinstance(found, Variable)
        return found

    def snapshot(self) -> dict[str, Static]:
        """What is known of each variable of this scope."""
        return {key: found.static for key, found in self.bindings.items() if isinstance(found, Variable)}

    def restore(self, known: dict[str, Static]) -> None:
        """Goes back to what was known."""
        for key, static in known.items():
            found = self.bindings[key]
            assert isinstance(found, Variable)
            found.static = static

    def merge(self, branches: list[dict[str, Static]]) -> None:
        """Goes on behind branches: a variable is what any of them made it."""
        first, *others = branches
        for key in first:
            for other in others:
                first[key] = first[key].join(other[key])
        self.restore(first)


def template_scope(template: nodes.Template) -> Scope:
    """The outermost scope of a template."""
    symbols = Symbols()
    symbols.analyze_node(template)
    return Scope(symbols)


UNASSIGNED = Static.of(UNDEFINED, UNSET)

__all__ = [
    "UNASSIGNED",
    "VAR_LOAD_ALIAS",
    "VAR_LOAD_RESOLVE",
    "VAR_LOAD_UNDEFINED",
    "Binding",
    "LoopName",
    "Scope",
    "Unassigned",
    "Variable",
    "template_scope",
]
