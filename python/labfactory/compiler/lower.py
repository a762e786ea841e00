"""Lowering: from syntax trees to the tables and code that the core verifies and runs."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from jinja2 import nodes
from jinja2.idtracking import Symbols

from labfactory._core import plan as core
from labfactory.base.errors import CompileError, nearest
from labfactory.compiler.code import Code, Label
from labfactory.compiler.expressions import Expressions
from labfactory.compiler.hints import meant
from labfactory.compiler.identifiers import analyze_expression
from labfactory.compiler.inheritance import Rendering
from labfactory.compiler.positions import Span
from labfactory.compiler.scope import Context, Options, Scope
from labfactory.compiler.syntax import check_encoding
from labfactory.compiler.types import NONE, UNDEFINED, Static, spoken
from labfactory.compiler.zones import zone_file, zone_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from labfactory.compiler.catalogues import Locales
    from labfactory.compiler.columns import ColumnTable
    from labfactory.compiler.environment import Environment
    from labfactory.compiler.statements import Statements
    from labfactory.compiler.syntax import Reader, SyntaxTree
    from labfactory.compiler.tables import Table

# Steps of loops that one row may take: a thousand items in a thousand loops is no message.
WORK_LIMIT = 1_000_000
# No mail server takes a larger message, no browser wants one.
ASSET_LIMIT_BYTES = 16 << 20
# The core's registers; a list that is written out takes one for each of its values.
_MOST_REGISTERS = 1 << 14
_MOST_COLUMNS = (1 << 16) - 1
# A long e-mail with thirty components has a few thousand instructions.
_MOST_INSTRUCTIONS = 100_000
# Calls of macros, blocks and templates that become part of a plan; those that write nothing count too.
_MOST_INLINED = 20_000
# The literal text of a plan; four times an asset, of which no row gets more than one branch.
_MOST_CHARACTERS = 4 * ASSET_LIMIT_BYTES
# Components within components: deeper is a mistake, and every level multiplies the plan.
_MOST_SLOTS_DEEP = 16


@dataclass(frozen=True, slots=True)
class Component:
    """A component's template for one part, as a slot inlines it.

    Args:
        name: The component's name.
        template: The template's name, as errors print it.
        source: The template; None when the component has none for this part.
    """

    name: str
    template: str
    source: str | None


@dataclass(slots=True)
class Linker:
    """Lowers one part of a creative: its template and the components of its slots, inlined.

    Args:
        code: The code that grows, shared by all parts.
        table: The columns that are read, shared by all parts.
        options: What compile was given.
        environment: How this part's templates are read.
        reader: What reads them.
        slots: The components of each slot, in the order of its decision column.
        used: Slots that templates call, in the order of their first call.
        sources: The sources of all templates, by name.
        locales: The catalogues of the plan; None where its templates have no messages.
        active: Macros and blocks that are being lowered, each within the one before.
        inside: Included and imported templates that are being lowered.
    """

    code: Code
    table: ColumnTable
    options: Options
    environment: Environment
    reader: Reader
    slots: Mapping[str, Sequence[Component]]
    used: dict[str, tuple[str, ...]]
    sources: dict[str, str]
    locales: Locales | None = None
    active: list[nodes.Node] = field(default_factory=list)
    inside: list[SyntaxTree] = field(default_factory=list)
    _trees: dict[str, SyntaxTree | None] = field(default_factory=dict)
    _parsed: dict[str, SyntaxTree] = field(default_factory=dict)
    _within: list[str] = field(default_factory=list)
    _scopes: list[Scope] = field(default_factory=list)
    _inlined: int = 0

    def template(self, tree: SyntaxTree) -> None:
        """Lowers a template; where it has messages once for each catalogue, rows choosing by their locale."""
        if self.locales is None:
            self._render(tree)
        elif self.locales.column is None:
            self.options = replace(self.options, catalogue=self.locales.catalogues[None])
            self._render(tree)
        else:
            self._by_locale(tree, self.locales, self.locales.column)
        self._forget()

    def _forget(self) -> None:
        """Parts macros from the scopes that they hold and that hold them.

        Trees are freed at once then, and do not wait with all their nodes for Python's collector.
        """
        for scope in self._scopes:
            scope.forget()
        self._scopes.clear()

    def _by_locale(self, tree: SyntaxTree, locales: Locales, column: str) -> None:
        code, options = self.code, self.options
        span = code.span(code.template(tree.name), Span(1, 1, 1))
        if column not in options.columns or options.columns[column].kind not in ("text", "null"):
            hint = meant(column, options.columns, "The schema has")
            message = f"expected a locale column {column!r} of text"
            tree.fail(message, Span(1, 1, 1), code="unknown_column", hint=hint)
        done = Label()
        for locale, catalogue in locales.catalogues.items():
            if locale is None:
                continue
            other = Label()
            with code.scratch():
                first = code.take(2)
                code.emit("column", first, self.table.root(column), span=span)
                code.emit("constant", first + 1, code.constant(locale), span=span)
                code.emit("equal", first, first, first + 1, span=span)
                code.emit("jump_if_false", first, other, span=span)
            self.options = replace(options, catalogue=catalogue)
            self._render(tree)
            code.emit("jump", done, span=span)
            code.place(other)
        if None in locales.catalogues:
            self.options = replace(options, catalogue=locales.catalogues[None])
            self._render(tree)
        else:
            code.emit("skip", code.constant(f"{column}: no translations"), span=span)
        self.options = options
        code.place(done)

    def _render(self, tree: SyntaxTree) -> None:
        Rendering(self, Context(self.options)).root(tree)

    def expressions(self, tree: SyntaxTree, scope: Scope) -> Expressions:
        """What lowers the expressions of a template in a scope."""
        self._scopes.append(scope)
        return _expressions(tree, self.code, self.table, scope)

    def check_size(self, values: Expressions, node: nodes.Node, what: str) -> None:
        """Refuses a plan that grows out of all proportion.

        Raises:
            CompileError: `plan_too_large`, at what was inlined last.
        """
        self._inlined += 1
        counts = (
            (self.code.size, _MOST_INSTRUCTIONS, "instructions"),
            (self._inlined, _MOST_INLINED, "calls"),
            (self.code.written, _MOST_CHARACTERS, "characters"),
        )
        passed = next((f"{most:,} {unit}" for count, most, unit in counts if count > most), None)
        if passed is not None:
            message = f"expected a plan of at most {passed}, passed by {what}"
            hint = "macros, blocks and includes within one another multiply; take some of them apart."
            values.tree.fail(message, node, code="plan_too_large", hint=hint)

    @property
    def is_recursing(self) -> bool:
        """Whether a macro is being lowered within itself."""
        return len({id(node) for node in self.active}) < len(self.active)

    # -- other templates

    def named(self, values: Expressions, name: nodes.Expr, node: nodes.Node, what: str) -> SyntaxTree:
        """The template of a constant name."""
        (one,) = self._constants(values, name, node, what, several=False)
        return self._tree(one) or self.missing(values, name, node)

    def first(self, values: Expressions, name: nodes.Expr, node: nodes.Node, what: str) -> SyntaxTree | None:
        """The first template that there is, of a constant name or a list of them."""
        for one in self._constants(values, name, node, what, several=True):
            found = self._tree(one)
            if found is not None:
                return found
        return None

    def missing(self, values: Expressions, name: nodes.Expr, node: nodes.Node) -> NoReturn:
        """Refuses a name that the loader does not know."""
        names = self._constants(values, name, node, "a template", several=True)
        wanted = " or ".join(map(repr, names)) or "of no name"
        hint = nearest(names[0], self.environment.templates()) if names else None
        if self.environment.loader is None:
            hint = "give the environment a loader: a mapping from names to sources, or a folder."
        values.tree.fail(f"no template {wanted}", node, code="template_not_found", hint=hint)

    def _constants(
        self, values: Expressions, name: nodes.Expr, node: nodes.Node, what: str, *, several: bool
    ) -> list[str]:
        try:
            found = values.fold(name).value
        except nodes.Impossible:
            values.refuse(f"{what} of a name that is not constant", node)
        names = list(found) if several and isinstance(found, (list, tuple)) else [found]
        if not all(isinstance(one, str) for one in names):
            values.refuse(f"{what} of a name that is not text", node)
        return names

    def _tree(self, name: str) -> SyntaxTree | None:
        if name not in self._trees:
            source = self.environment.source(name)
            self._trees[name] = None if source is None else self.reader.template(source, name)
            if source is not None:
                self.sources[name] = source
        return self._trees[name]

    # -- slots

    def inline(self, statements: Statements, node: nodes.Call, slot: str) -> None:
        """Lowers every component of a slot where a template calls for it, each in a scope of its own."""
        values = statements.values
        components = self._components(values, node, slot)
        span = values.span(node)
        done = Label()
        labels = [Label() for _ in components]
        self.code.emit("slot", self.table.decision(slot), self.code.table(labels), span=span)
        self._within.append(slot)
        for label, component in zip(labels, components, strict=True):
            self.code.place(label)
            self._component(values, node, slot, component)
            self.code.emit("jump", done, span=span)
        self._within.pop()
        self.code.place(done)

    def _components(self, values: Expressions, node: nodes.Call, slot: str) -> Sequence[Component]:
        if slot not in self.slots:
            hint = meant(slot, self.slots, "The slots are") if self.slots else "this template has no slots."
            values.tree.fail(f"unknown slot {slot!r}", node, code="unknown_slot", hint=hint)
        if slot in self._within or len(self._within) >= _MOST_SLOTS_DEEP:
            way = " → ".join([*self._within, slot])
            message = f"expected slots that end, found a slot within itself: {way}"
            values.tree.fail(message, node, code="slot_recursion")
        components = self.slots[slot]
        if not components:
            values.tree.fail(f"slot {slot!r} has no components", node, code="unknown_slot")
        self.used.setdefault(slot, tuple(component.name for component in components))
        return components

    def _component(self, values: Expressions, node: nodes.Call, slot: str, component: Component) -> None:
        if component.source is None:
            message = f"component {component.name!r} of slot {slot!r} has no template for this part"
            values.tree.fail(message, node, code="component_part")
        with self.code.scratch():
            key = component.template
            if key not in self._parsed:
                self._parsed[key] = self.reader.template(component.source, key)
            self._render(self._parsed[key])


def _expressions(tree: SyntaxTree, code: Code, table: ColumnTable, scope: Scope) -> Expressions:
    options = scope.context.options
    return Expressions(tree, code, table, options, scope, tree.autoescape, code.template(tree.name))


def lower_expression(tree: SyntaxTree, code: Code, table: ColumnTable, options: Options) -> str:
    """Lowers one expression; returns the type of its values.

    Raises:
        CompileError: `expression_type` when they have no one type.
    """
    symbols = Symbols()
    body = tree.body
    assert isinstance(body, nodes.Expr)
    analyze_expression(symbols, body)
    values = _expressions(tree, code, table, Scope(symbols, Context(options)))
    register, static = values.operand(body)
    code.emit("result", register, span=values.span(body))
    return _expression_type(tree, static)


def _expression_type(tree: SyntaxTree, static: Static) -> str:
    kinds = static.without(NONE, UNDEFINED).kinds
    if kinds and kinds <= {"boolean", "integer", "floating"}:
        return next(kind for kind in ("floating", "integer", "boolean") if kind in kinds)
    if kinds == {"text"}:
        return "text"
    found = spoken(*kinds) if kinds else "None"
    message = f"expected an expression of booleans, numbers or text, found {found}"
    raise CompileError(
        message, code="expression_type", template=tree.name, line=1, column=1, source=tree.source
    )


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _texts(value)


def program(code: Code, table: ColumnTable, *, parts: Sequence[str], undefined: str) -> core.Program:
    """The verified program of finished code."""
    if code.registers > _MOST_REGISTERS:
        message = f"expected at most {_MOST_REGISTERS:,} values at a time, found {code.registers:,}"
        hint = "a long list of constants is read from a column, or given as one to compile."
        raise CompileError(message, code="plan_too_large", hint=hint)
    if len(table.entries) > _MOST_COLUMNS:
        message = (
            f"expected a template that reads at most {_MOST_COLUMNS:,} columns, found {len(table.entries):,}"
        )
        raise CompileError(message, code="plan_too_large")
    for text in _texts([code.literals, code.formats, code.constants]):
        check_encoding(text, code.templates[0])
    cells = np.array(code.cells(core.OPCODES), dtype=np.int32).reshape(-1, 6)
    return core.Program(
        columns=table.entries,
        constants=code.constants,
        literals=code.literals,
        formats=code.formats,
        registers=code.registers,
        loops=code.loops,
        tables=[[label.target for label in labels] for labels in code.tables],
        functions=[_function_name(function.name, keywords) for function, keywords in code.functions],
        parts=list(parts),
        code=cells,
        spans=list(code.spans),
        templates=code.templates,
        # What "error" leaves undefined at run time behaves as under "strict".
        undefined="strict" if undefined == "error" else undefined,
        work_limit=WORK_LIMIT,
        asset_limit_bytes=ASSET_LIMIT_BYTES,
        zones=_zone_files(code, table),
    )


def _zone_files(code: Code, table: ColumnTable) -> dict[str, bytes]:
    """The rules of the time zones of columns and constants; UTC and offsets need none."""
    names = table.zones() | set(_zones_within(code.constants))
    files = {name: zone_file(name) for name in sorted(names)}
    return {name: file for name, file in files.items() if file is not None and name != "UTC"}


def _zones_within(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _zones_within(value)
        elif isinstance(value, dict):
            yield from _zones_within([*value, *value.values()])
        elif isinstance(value, datetime.datetime) and (name := zone_name(value)) is not None:
            yield name


def _function_name(name: str, keywords: tuple[str, ...]) -> str:
    return f"{name}({', '.join(keywords)})" if keywords else name


def skip_missing(code: Code, table: ColumnTable, tables: Mapping[str, Table], template: str) -> None:
    """Begins the code of a template: rows that a table has no entry for get no asset, where it says so."""
    for name, joined in tables.items():
        if joined.missing == "skip":
            span = code.span(code.template(template), Span(1, 1, 1))
            present = Label()
            with code.scratch():
                register = code.take()
                code.emit("column", register, table.root(name), span=span)
                code.emit("test", register, core.TESTS["none"], register, span=span)
                code.emit("jump_if_false", register, present, span=span)
            code.emit("skip", code.constant(f"{name}: no entry"), span=span)
            code.place(present)


def finish_template(code: Code) -> None:
    """Ends the code of a template."""
    if not code.templates:
        code.template("<template>")
    code.emit("end", span=code.span(0, Span(1, 1, 1)))
