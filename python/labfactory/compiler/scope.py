"""Scopes: what a name means where it stands, by Jinja2's own tracking of identifiers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from jinja2.compiler import find_undeclared
from jinja2.idtracking import (
    VAR_LOAD_ALIAS,
    VAR_LOAD_PARAMETER,
    VAR_LOAD_RESOLVE,
    VAR_LOAD_UNDEFINED,
    Symbols,
)

from labfactory.compiler.functions import Functions
from labfactory.compiler.identifiers import analyze
from labfactory.compiler.types import UNDEFINED, UNSET, Static

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jinja2 import nodes

    from labfactory.compiler.ahead import Ahead
    from labfactory.compiler.catalogues import Catalogue
    from labfactory.compiler.code import Instruction
    from labfactory.compiler.objects import Object, Recursion
    from labfactory.compiler.review import Reviewer
    from labfactory.compiler.types import Type


@dataclass(frozen=True, slots=True)
class Options:
    """What compile was given beside the template.

    Args:
        columns: Types of the schema's columns.
        optional: Columns that may be absent.
        constants: Values that names stand for.
        undefined: The environment's mode.
        functions: Functions that templates may call.
        review: Who collects remarks, where a template is looked at and not run.
        longest: The longest text of some columns, in bytes; for reviews.
        catalogue: The messages of the locale; None where templates have none.
    """

    columns: Mapping[str, Type]
    optional: frozenset[str]
    constants: Mapping[str, object]
    undefined: str
    functions: Functions = field(default_factory=Functions)
    review: Reviewer | None = None
    longest: Mapping[str, int] = field(default_factory=dict)
    catalogue: Catalogue | None = None


@dataclass(eq=False, slots=True)
class Variable:
    """A name that a template assigns.

    Args:
        register: Where its value is.
        static: What is known of it at this point of the template.
        clearing: The instruction that makes it undefined at first; dropped when no load needs it.
        object: What it is while the template compiles, such as a macro; its register holds nothing then.
        copying: The instruction that fills its register; dropped when no load needs it.
    """

    register: int
    static: Static
    clearing: Instruction | None = None
    object: Object | LoopName | None = None
    copying: Instruction | None = None

    def read(self) -> Static:
        """What is known of its value where it is read; the instructions that fill it at first are needed."""
        if self.static.may_be(UNSET) and self.clearing is not None:
            self.clearing.is_needed = True
        if self.copying is not None:
            self.copying.is_needed = True
        return self.static.without(UNSET)


@dataclass(frozen=True, slots=True)
class LoopName:
    """The special name `loop`.

    Args:
        loop: Index of the running loop.
        item: What is known of its items.
        depth: How deep a recursive loop is, from 0.
        changed: Register of what `loop.changed` saw last, and the instruction that clears it.
        recursion: What a call of it runs, where the loop is recursive.
        ahead: What finds its items, where they come one after the other.
    """

    loop: int
    item: Static
    depth: int = 0
    changed: tuple[int, Instruction] | None = None
    recursion: Recursion | None = None
    ahead: Ahead | None = None


class Unassigned:
    """A name that comes from outside the template: a column, a constant, or nothing."""

    __slots__ = ()


_OUTSIDE = Unassigned()
Binding = Variable | LoopName | Unassigned


class Known(NamedTuple):
    """What is known of a variable at one point."""

    static: Static
    object: Object | LoopName | None


@dataclass(eq=False, slots=True)
class Context:
    """Jinja2's context of one template: what names mean that it does not assign.

    Args:
        options: The columns and constants that it sees.
        outer: The scope of the template that includes it; None where it is on its own.
        exported: The variables that its top level assigned so far.
        snapshot: What names meant where it was imported.
        public: The names that importing templates see.
        is_shared: Whether Jinja2 runs it once for all rows: a module without context.
        is_open: Whether its top level runs still.
    """

    options: Options
    outer: Scope | None = None
    exported: dict[str, Variable] = field(default_factory=dict)
    snapshot: Mapping[str, Binding] | None = None
    public: set[str] = field(default_factory=set)
    is_shared: bool = False
    is_open: bool = True

    def lookup(self, name: str) -> Binding:
        """What a name means to a template that does not assign it."""
        if name in self.exported:
            return self.exported[name]
        if self.snapshot is not None and name in self.snapshot:
            return self.snapshot[name]
        return _OUTSIDE if self.outer is None else self.outer.visible(name)


@dataclass(eq=False, slots=True)
class Scope:
    """One frame of Jinja2's: a template, the body of a loop, a macro, an autoescape block."""

    symbols: Symbols
    context: Context
    parent: Scope | None = None
    is_top: bool = False
    bindings: dict[str, Binding] = field(default_factory=dict)
    _macros: dict[int, tuple[nodes.Node, Symbols, frozenset[str]]] = field(default_factory=dict)

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
            analyze(symbols, node)
        else:
            analyze(symbols, node, for_branch=branch)
        return Scope(symbols, self.context, self)

    def of_macro(self, node: nodes.Macro | nodes.CallBlock) -> tuple[Scope, frozenset[str]]:
        """The scope of a macro's body, and which of caller, kwargs and varargs it takes beside its own."""
        known = self._macros.get(id(node))
        if known is None:
            known = self._macros[id(node)] = (node, *self._macro_symbols(node))
        _, symbols, special = known
        return Scope(symbols, self.context, self), special

    def _macro_symbols(self, node: nodes.Macro | nodes.CallBlock) -> tuple[Symbols, frozenset[str]]:
        symbols = Symbols(parent=self.symbols)
        analyze(symbols, node)
        given = {argument.name for argument in node.args}
        special = find_undeclared(node.body, ("caller", "kwargs", "varargs")) - given
        for name in ("caller", "kwargs", "varargs"):
            if name in special:
                symbols.declare_parameter(name)
        analyze(symbols, node)
        return symbols, frozenset(special)

    def assigned(self) -> Iterator[tuple[str, str, str, str]]:
        """Identifier, name, action and source of each name that this scope assigns, parameters left out."""
        names = {identifier: name for name, identifier in self.symbols.refs.items()}
        for identifier, (action, source) in self.symbols.loads.items():
            name = names.get(identifier)
            if name is not None and action != VAR_LOAD_PARAMETER and name in self.symbols.stores:
                yield identifier, name, action, source or ""

    def lookup(self, name: str) -> Binding:
        """What a name means here."""
        return _meant(self.binding(self.symbols.ref(name))) or self.context.lookup(name)

    def meant(self, name: str) -> Binding:
        """What a name means here that may be written in an inner scope alone."""
        identifier = self.symbols.find_ref(name)
        found = None if identifier is None else self.binding(identifier)
        return _meant(found) or self.context.lookup(name)

    def visible(self, name: str) -> Binding:
        """What a name means to a template that is included here, whether this one mentions it or not."""
        symbols: Symbols | None = self.symbols
        while symbols is not None:
            if name in symbols.stores:
                found = self.binding(symbols.refs[name])
                if found is not None and not (isinstance(found, Variable) and found.static.is_unset):
                    return _meant(found) or found
                break
            symbols = symbols.parent
        return self.context.lookup(name)

    def visible_names(self) -> set[str]:
        """The names that templates assigned which one that is imported here sees."""
        names = set(self.context.exported) | set(self.context.snapshot or ())
        if self.context.outer is not None:
            names |= self.context.outer.visible_names()
        symbols: Symbols | None = self.symbols
        while symbols is not None:
            names |= symbols.stores
            symbols = symbols.parent
        return names

    def binding(self, identifier: str) -> Binding | None:
        """What an identifier of Jinja2's stands for; None for a name from outside."""
        scope: Scope | None = self
        while scope is not None:
            if identifier in scope.bindings:
                return scope.bindings[identifier]
            scope = scope.parent
        return None

    def forget(self) -> None:
        """Lets go of all that names mean here; nothing is looked up any more."""
        self.bindings.clear()
        self.context.exported.clear()

    def bind(self, name: str, binding: Binding) -> None:
        """Gives a name of this scope its meaning."""
        self.bindings[self.symbols.refs[name]] = binding

    def variable(self, name: str) -> Variable:
        """The variable of a name that this scope assigns."""
        found = self.bindings[self.symbols.ref(name)]
        assert isinstance(found, Variable)
        return found

    def snapshot(self) -> dict[str, Known]:
        """What is known of each variable of this scope."""
        return {
            key: Known(found.static, found.object)
            for key, found in self.bindings.items()
            if isinstance(found, Variable)
        }

    def restore(self, known: Mapping[str, Known]) -> None:
        """Goes back to what was known."""
        for key, (static, its_object) in known.items():
            found = self.bindings[key]
            assert isinstance(found, Variable)
            found.static, found.object = static, its_object

    def merge(self, branches: list[dict[str, Known]]) -> None:
        """Goes on behind branches: a variable is what any of them made it."""
        first, *others = branches
        for key in first:
            for other in others:
                first[key] = _join(first[key], other[key])
        self.restore(first)


def _meant(found: Binding | None) -> Binding | None:
    """A loop where a template gave it another name, as in `{% set outer = loop %}`."""
    if isinstance(found, Variable) and isinstance(found.object, LoopName):
        return found.object
    return found


def _join(one: Known, other: Known) -> Known:
    if one.object is other.object:
        return Known(one.static.join(other.static), one.object)
    from labfactory.compiler.objects import Several

    return Known(one.static.join(other.static), Several())


def template_scope(template: nodes.Template, context: Context, *, has_self: bool) -> Scope:
    """The outermost scope of a template; `has_self` says whether its source holds that word at all."""
    symbols = Symbols()
    if has_self and "self" in find_undeclared(template.body, ("self",)):
        symbols.declare_parameter("self")
    analyze(symbols, template)
    return Scope(symbols, context, is_top=True)


def block_scope(block: nodes.Block, context: Context) -> Scope:
    """The scope of a block: it sees its template's context, not the scope that it stands in."""
    symbols = Symbols()
    for name in sorted(find_undeclared(block.body, ("self", "super"))):
        symbols.declare_parameter(name)
    analyze(symbols, block)
    return Scope(symbols, context)


def expression_scope(options: Options) -> Scope:
    """The scope of a lone expression."""
    return Scope(Symbols(), Context(options))


UNASSIGNED = Static.of(UNDEFINED, UNSET)

__all__ = [
    "UNASSIGNED",
    "VAR_LOAD_ALIAS",
    "VAR_LOAD_RESOLVE",
    "VAR_LOAD_UNDEFINED",
    "Binding",
    "Context",
    "Known",
    "LoopName",
    "Options",
    "Scope",
    "Unassigned",
    "Variable",
    "block_scope",
    "expression_scope",
    "template_scope",
]
