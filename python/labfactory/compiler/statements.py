"""Lowering of statements: output, if, for, set, autoescape blocks and slots become instructions."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import nodes
from jinja2.compiler import find_undeclared
from markupsafe import escape

from labfactory.compiler.code import Label
from labfactory.compiler.review import printed_bytes
from labfactory.compiler.scope import (
    UNASSIGNED,
    VAR_LOAD_ALIAS,
    VAR_LOAD_RESOLVE,
    LoopName,
    Scope,
    Unassigned,
    Variable,
)
from labfactory.compiler.types import NONE, UNSET, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labfactory.compiler.code import Code, Instruction
    from labfactory.compiler.expressions import Expressions

_NAMES: dict[type[nodes.Node], str] = {
    nodes.AssignBlock: "a set block",
    nodes.Block: "a block",
    nodes.CallBlock: "a call block",
    nodes.ExprStmt: "an expression statement",
    nodes.Extends: "extends",
    nodes.FilterBlock: "a filter block",
    nodes.FromImport: "from import",
    nodes.Import: "import",
    nodes.Include: "include",
    nodes.Macro: "a macro",
    nodes.With: "with",
}


class Slots(Protocol):
    """Who links components into a template."""

    def inline(self, statements: Statements, node: nodes.Call, slot: str) -> None:
        """Lowers every component of a slot where the template calls for it."""


@dataclass(slots=True)
class Statements:
    """Lowers the statements of one template."""

    values: Expressions
    slots: Slots

    @property
    def code(self) -> Code:
        """The code that grows."""
        return self.values.code

    def template(self, node: nodes.Template) -> None:
        """Lowers a whole template in its own outermost scope."""
        self._enter(self.values.scope, node)
        self._all(node.body)

    def _all(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            lower = _LOWER.get(type(node))
            if lower is None:
                self.values.refuse(_NAMES.get(type(node), type(node).__name__.lower()), node)
            with self.code.scratch():
                lower(self, node)

    # -- output

    def _output(self, node: nodes.Output) -> None:
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                self.code.write(child.data, self.values.span(child))
            elif (slot := self._slot_name(child)) is not None:
                assert isinstance(child, nodes.Call)
                self.slots.inline(self, child, slot)
            else:
                with self.code.scratch():
                    self._print(child)

    def _print(self, node: nodes.Expr) -> None:
        span = self.values.span(node)
        try:
            value = self.values.fold(node).value
            self.code.write(str(escape(value) if self.values.autoescape else value), span)
        except nodes.Impossible:
            self._print_value(node, span)

    def _print_value(self, node: nodes.Expr, span: int) -> None:
        suffix = "_escaped" if self.values.autoescape else ""
        column = self.values.root_column(node)
        if column is not None:
            static = self.values.table.static(column)
            emitted = self.code.emit(f"emit_column{suffix}", column, span=span)
        else:
            register, static = self.values.operand(node)
            self.values.printable(static, node)
            emitted = self.code.emit(f"emit{suffix}", register, span=span)
        self._review_print(node, static, emitted)

    def _review_print(self, node: nodes.Expr, static: Static, emitted: Instruction) -> None:
        options = self.values.options
        if options.review is None:
            return
        longest = options.longest.get(node.name) if isinstance(node, nodes.Name) else None
        emitted.most_bytes = printed_bytes(static, longest, escaped=self.values.autoescape)
        if static.may_be(NONE) and not options.review.is_guarded(node):
            message = "prints None where the value is null"
            options.review.note("prints_none", message, self.values.tree, node, "write x|default('…', true).")

    def _slot_name(self, node: nodes.Expr) -> str | None:
        if not (
            isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "slot"
        ):
            return None
        if not isinstance(self.values.scope.lookup("slot"), Unassigned):
            return None
        plain = not (node.kwargs or node.dyn_args or node.dyn_kwargs) and len(node.args) == 1
        if plain and isinstance(node.args[0], nodes.Const) and isinstance(node.args[0].value, str):
            return node.args[0].value
        message = "expected one constant name for slot, as slot('hero')"
        return self.values.tree.fail(message, node, code="slot")

    # -- if and set

    def _if(self, node: nodes.If) -> None:
        done = Label()
        scope = self.values.scope
        known = []
        branches = (node, *node.elif_)
        for branch in branches:
            self._review_test(branch.test)
            otherwise = Label()
            with self.code.scratch():
                test, _ = self.values.operand(branch.test)
                self.code.emit("jump_if_false", test, otherwise, span=self.values.span(branch.test))
            before = scope.snapshot()
            with self._where(branch.test):
                self._all(branch.body)
            known.append(scope.snapshot())
            scope.restore(before)
            if node.else_ or branch is not branches[-1]:
                self.code.emit("jump", done, span=self.values.span(branch.test))
            self.code.place(otherwise)
        self._all(node.else_)
        scope.merge([*known, scope.snapshot()])
        self.code.place(done)

    def _where(self, test: nodes.Node) -> AbstractContextManager[None]:
        review = self.values.options.review
        return nullcontext() if review is None else review.where(test)

    def _review_test(self, node: nodes.Node) -> None:
        review = self.values.options.review
        if review is None:
            return
        with suppress(nodes.Impossible):
            holds = bool(self.values.fold(node).value)
            review.note("dead_branch", f"the test is always {str(holds).lower()}", self.values.tree, node)

    def _assign(self, node: nodes.Assign) -> None:
        if not isinstance(node.target, nodes.Name):
            what = "unpacking" if isinstance(node.target, nodes.Tuple) else "namespace assignment"
            self.values.refuse(what, node.target)
        name = node.target.name
        variable = self.values.scope.variable(name)
        if any(found.name == name for found in _names(node.node)):
            # The old value is read while the new one is made.
            register, static = self.values.operand(node.node)
            if register != variable.register:
                self.code.emit("move", variable.register, register, span=self.values.span(node.node))
        else:
            static = self.values.into(node.node, variable.register)
        variable.static = static

    # -- scopes

    def _enter(self, scope: Scope, node: nodes.Node) -> None:
        """Gives every name that a scope assigns its register and its first value."""
        span = self.values.span(node)
        for identifier, name, action, source in list(scope.assigned()):
            register = self.code.take()
            variable = Variable(register, UNASSIGNED)
            outer = scope.binding(source) if action == VAR_LOAD_ALIAS else None
            if isinstance(outer, LoopName):
                self.values.refuse("assigning loop", node)
            if isinstance(outer, Variable):
                self._copy(variable, outer, span)
            elif action in (VAR_LOAD_RESOLVE, VAR_LOAD_ALIAS):
                first = next((found for found in node.find_all(nodes.Name) if found.name == name), node)
                self._load(variable, name, first)
            if variable.static.is_unset and variable.clearing is None:
                self.values.undefined(name, register, span)
                variable.clearing = self.code.last()
                variable.clearing.is_needed = False
            scope.bindings[identifier] = variable

    def _copy(self, variable: Variable, outer: Variable, span: int) -> None:
        variable.static = outer.static
        if outer.static.is_unset:
            return
        if outer.static.may_be(UNSET) and outer.clearing is not None:
            outer.clearing.is_needed = True
        self.code.emit("move", variable.register, outer.register, span=span)

    def _load(self, variable: Variable, name: str, node: nodes.Node) -> None:
        options = self.values.options
        if name in options.constants:
            variable.static = self.values.load_constant(name, variable.register, node)
        elif name in options.columns:
            variable.static = self.values.column(name, variable.register, node)

    @contextmanager
    def _within(self, scope: Scope) -> Iterator[None]:
        outer = self.values.scope
        self.values.scope = scope
        try:
            yield
        finally:
            self.values.scope = outer

    def _scope(self, node: nodes.Scope) -> None:
        inner = self.values.scope.inner(node)
        with self._within(inner):
            self._enter(inner, node.body[0] if node.body else node)
            self._all(node.body)

    def _autoescape(self, node: nodes.ScopedEvalContextModifier) -> None:
        outer = self.values.autoescape
        for option in node.options:
            try:
                chosen = self.values.fold(option.value)
            except nodes.Impossible:
                self.values.refuse("autoescape that is not constant", option.value)
            if not chosen.is_literal:
                # To Jinja2 it is a variable, and `~` then forgets markup.
                self.values.refuse("autoescape by a constant given to compile", option.value)
            self.values.autoescape = bool(chosen.value)
        self._all(node.body)
        self.values.autoescape = outer

    # -- for

    def _for(self, node: nodes.For) -> None:
        if node.recursive:
            self.values.refuse("a recursive loop", node)
        if not isinstance(node.target, nodes.Name):
            self.values.refuse("unpacking", node.target)
        for name in node.find_all(nodes.Name):
            if name.ctx == "store" and name.name == "loop":
                message = "can't assign to special loop variable in for-loop target"
                self.values.tree.fail(message, name, code="syntax")
        uses_loop = "loop" in find_undeclared(node.iter_child_nodes(only=("body",)), ("loop",))
        source, static = self.values.operand(node.iter)
        self._check_iterable(node.iter, static)
        if node.test is not None and uses_loop:
            source, static = self._filtered(node, source, static)
            self._loop(node, source, static, test=None, uses_loop=True)
        else:
            self._loop(node, source, static, test=node.test, uses_loop=uses_loop)

    def _check_iterable(self, node: nodes.Node, static: Static) -> None:
        if static.may_be("record"):
            self.values.refuse("a loop over the names of a struct", node)
        if static.may_be("text"):
            self.values.refuse("a loop over the characters of text", node)

    def _loop(
        self, node: nodes.For, source: int, static: Static, *, test: nodes.Node | None, uses_loop: bool
    ) -> None:
        item = static.item or Static.of(NONE)
        span = self.values.span(node)
        begin, step, empty = Label(), Label(), Label()
        register = self.code.take()
        ran = self._ran_flag(node, test, span)
        with self.code.loop() as loop:
            self.code.emit("loop_begin", loop, source, register, empty, span=self.values.span(node.iter))
            self.code.place(begin)
            if test is not None:
                self._loop_test(node, test, register, item, step)
            scope = self.values.scope.inner(node, branch="body", loop=uses_loop)
            assert isinstance(node.target, nodes.Name)
            if uses_loop:
                scope.bind("loop", LoopName(loop, item))
            scope.bind(node.target.name, Variable(register, item))
            with self._within(scope), self.code.scratch():
                self._enter(scope, node)
                self._all(node.body)
            if ran is not None:
                self.code.emit("constant", ran, self.code.constant(value=True), span=span)
            self.code.place(step)
            self.code.emit("loop_next", loop, register, begin, span=span)
        self._for_else(node, empty, ran, span)

    def _ran_flag(self, node: nodes.For, test: nodes.Node | None, span: int) -> int | None:
        """A register that tells whether the body ran, where the loop itself cannot."""
        if test is None or not node.else_:
            return None
        ran = self.code.take()
        self.code.emit("constant", ran, self.code.constant(value=False), span=span)
        return ran

    def _for_else(self, node: nodes.For, empty: Label, ran: int | None, span: int) -> None:
        if not node.else_:
            self.code.place(empty)
            return
        done = Label()
        if ran is None:
            self.code.emit("jump", done, span=span)
            self.code.place(empty)
        else:
            self.code.place(empty)
            self.code.emit("jump_if_true", ran, done, span=span)
        scope = self.values.scope.inner(node, branch="else")
        with self._within(scope):
            self._enter(scope, node)
            self._all(node.else_)
        self.code.place(done)

    def _loop_test(self, node: nodes.For, test: nodes.Node, register: int, item: Static, step: Label) -> None:
        scope = self.values.scope.inner(node, branch="test")
        assert isinstance(node.target, nodes.Name)
        scope.bind(node.target.name, Variable(register, item))
        with self._within(scope), self.code.scratch():
            found, _ = self.values.operand(test)
            self.code.emit("jump_if_false", found, step, span=self.values.span(test))

    def _filtered(self, node: nodes.For, source: int, static: Static) -> tuple[int, Static]:
        """The list of the items that pass the loop's test: `loop` counts those alone."""
        assert node.test is not None
        span = self.values.span(node.test)
        begin, step, empty = Label(), Label(), Label()
        item = static.item or Static.of(NONE)
        kept = self.code.take()
        self.code.emit("list", kept, 0, 0, span=span)
        with self.code.scratch(), self.code.loop() as loop:
            register = self.code.take()
            self.code.emit("loop_begin", loop, source, register, empty, span=self.values.span(node.iter))
            self.code.place(begin)
            self._loop_test(node, node.test, register, item, step)
            self.code.emit("append", kept, register, span=span)
            self.code.place(step)
            self.code.emit("loop_next", loop, register, begin, span=span)
            self.code.place(empty)
        return kept, Static(frozenset({"list"}), static.source, static.item)


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


_LOWER: dict[type[nodes.Node], Callable[[Statements, Any], None]] = {
    nodes.Output: Statements._output,
    nodes.If: Statements._if,
    nodes.Assign: Statements._assign,
    nodes.Scope: Statements._scope,
    nodes.ScopedEvalContextModifier: Statements._autoescape,
    nodes.For: Statements._for,
}
