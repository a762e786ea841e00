"""Lowering of statements: output, if, set, with, macros, blocks and the like become instructions."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from markupsafe import escape

from labfactory.compiler.code import Label
from labfactory.compiler.imports import lower_from_import, lower_import, lower_include
from labfactory.compiler.inheritance import lower_block, lower_extends
from labfactory.compiler.loops import Running, lower_break, lower_continue, lower_for
from labfactory.compiler.macros import write_macro
from labfactory.compiler.objects import Macro
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
from labfactory.compiler.skip import lower_skip, skip_reason
from labfactory.compiler.types import NONE, UNDEFINED, UNSET, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labfactory.compiler.code import Code, Instruction
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.fold import Folded
    from labfactory.compiler.inheritance import Rendering
    from labfactory.compiler.lower import Linker

_NOTHING = frozenset({NONE, UNDEFINED, UNSET})


@dataclass(slots=True)
class Statements:
    """Lowers the statements of one template.

    Args:
        values: What lowers its expressions.
        linker: What finds other templates and components.
        rendering: The template that is rendered, with the blocks of its parents.
        is_silent: Whether nothing is written: behind `extends`, outside blocks.
        keeps: Whether its variables outlive it, as those of an imported template.
        running: The loops that `break` may leave.
    """

    values: Expressions
    linker: Linker
    rendering: Rendering
    is_silent: bool = False
    keeps: bool = False
    running: list[Running] = field(default_factory=list)

    @property
    def code(self) -> Code:
        """The code that grows."""
        return self.values.code

    def body(self, body: Sequence[nodes.Node]) -> None:
        """Lowers statements one by one."""
        for node in body:
            lower = _LOWER.get(type(node))
            if lower is None:
                self.values.refuse(type(node).__name__.lower(), node)
            with self.code.scratch():
                lower(self, node)

    # -- output

    def _output(self, node: nodes.Output) -> None:
        if self.is_silent:
            return
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                self.code.write(child.data, self.values.span(child))
            elif (slot := self._slot_name(child)) is not None:
                assert isinstance(child, nodes.Call)
                self.linker.inline(self, child, slot)
            else:
                with self.code.scratch():
                    self._print(child)

    def _print(self, node: nodes.Expr) -> None:
        span = self.values.span(node)
        try:
            self.code.write(self._constant_text(self.values.fold(node)), span)
        except nodes.Impossible:
            if not self.values.objects.write(node):
                self._print_value(node, span)

    def _constant_text(self, folded: Folded) -> str:
        finalize = self.values.tree.jinja.finalize or (lambda value: value)
        if not self.values.autoescape:
            return str(finalize(folded.value))
        # Jinja2 escapes its own constants before it finalizes them, and None is text then.
        return str(finalize(escape(folded.value)) if folded.is_literal else escape(finalize(folded.value)))

    def _print_value(self, node: nodes.Expr, span: int) -> None:
        suffix = "_escaped" if self.values.autoescape else ""
        column = self.values.root_column(node)
        if self.values.tree.jinja.finalize is not None:
            self._print_finalized(node, suffix, span)
            return
        if column is not None:
            static = self.values.table.static(column)
            emitted = self.code.emit(f"emit_column{suffix}", column, span=span)
        else:
            register, static = self.values.operand(node)
            self.values.printable(static, node)
            emitted = self.code.emit(f"emit{suffix}", register, span=span)
        self._review_print(node, static, emitted)

    def _print_finalized(self, node: nodes.Expr, suffix: str, span: int) -> None:
        """Prints a value, and nothing for None."""
        register, static = self.values.operand(node)
        self.values.printable(static, node)
        if static.kinds == {NONE}:
            return
        silent = Label()
        if static.may_be(NONE):
            with self.code.scratch():
                is_none = self.code.take()
                self.code.emit("test", is_none, self.values.test_number("none"), register, span=span)
                self.code.emit("jump_if_true", is_none, silent, span=span)
        emitted = self.code.emit(f"emit{suffix}", register, span=span)
        self.code.place(silent)
        self._review_print(node, static.without(NONE), emitted)

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

    # -- if

    def _if(self, node: nodes.If) -> None:
        done = Label()
        scope = self.values.scope
        known = []
        last = node.elif_[-1] if node.elif_ else node
        for branch in (node, *node.elif_):
            self._review_test(branch.test)
            truth = self.values.objects.truth(branch.test)
            if truth is False:
                continue
            if truth is True:
                self.body(branch.body)
                known.append(scope.snapshot())
                break
            otherwise = Label()
            may_hold = self._test(branch.test, otherwise)
            before = scope.snapshot()
            if may_hold:
                with self._where(branch.test):
                    self.body(branch.body)
                known.append(scope.snapshot())
                scope.restore(before)
                if node.else_ or branch is not last:
                    self.code.emit("jump", done, span=self.values.span(branch.test))
            self.code.place(otherwise)
        else:
            self.body(node.else_)
            known.append(scope.snapshot())
        scope.merge(known)
        self.code.place(done)

    def _test(self, test: nodes.Node, otherwise: Label) -> bool:
        """Jumps where a condition does not hold; whether it may hold at all."""
        with self.code.scratch():
            register, static = self.values.operand(test)
            self.code.emit("jump_if_false", register, otherwise, span=self.values.span(test))
        return not static.kinds <= _NOTHING

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

    # -- assignments

    def _assign(self, node: nodes.Assign) -> None:
        if isinstance(node.target, nodes.Name):
            found = self.values.objects.value(node.node)
            if found is not None:
                variable = self.values.scope.variable(node.target.name)
                variable.object, variable.static = found, Static.of("object")
                self._export(node.target.name, variable)
                return
            if not any(name.name == node.target.name for name in _names(node.node)):
                variable = self.values.scope.variable(node.target.name)
                static = self.values.into(node.node, variable.register, lazily=True)
                self._assigned(node.target.name, static)
                return
        if self._pairwise(node.target, node.node):
            return
        # The old values are read while the new ones are made.
        lazily = isinstance(node.target, nodes.Name)
        register, static = self.values.operand(node.node, lazily=lazily)
        self.store(node.target, register, static)

    def _pairwise(self, target: nodes.Node, value: nodes.Node) -> bool:
        """Assigns `a, b = c, d` value by value; False where that is not what is written."""
        if not (isinstance(target, nodes.Tuple) and isinstance(value, (nodes.Tuple, nodes.List))):
            return False
        if len(target.items) != len(value.items):
            return False
        first = self.code.take(len(value.items))
        statics = [self.values.into(item, first + at) for at, item in enumerate(value.items)]
        for at, (entry, static) in enumerate(zip(target.items, statics, strict=True)):
            self.store(entry, first + at, static)
        return True

    def store(self, target: nodes.Node, register: int, static: Static) -> None:
        """Gives a target of an assignment, a name or a tuple of them, a value."""
        if isinstance(target, nodes.Name):
            variable = self.values.scope.variable(target.name)
            if register != variable.register:
                self.code.emit("move", variable.register, register, span=self.values.span(target))
            self._assigned(target.name, static)
        elif isinstance(target, nodes.NSRef):
            self.values.objects.assign(target, register, static)
        else:
            assert isinstance(target, (nodes.Tuple, nodes.List))
            self._unpack(target, register, static)

    def _unpack(self, target: nodes.Tuple | nodes.List, register: int, static: Static) -> None:
        span = self.values.span(target)
        first = self.code.take(2 + len(target.items))
        self.code.emit("unpack", first, register, len(target.items), span=span)
        items = self.values.unpacked(static, len(target.items), target)
        for at in range(len(target.items)):
            self.values.constant(at, first + 1, target)
            self.code.emit("subscript", first + 2 + at, first, first + 1, span=span)
        for at, (entry, item) in enumerate(zip(target.items, items, strict=True)):
            self.store(entry, first + 2 + at, item)

    def _assigned(self, name: str, static: Static) -> None:
        variable = self.values.scope.variable(name)
        variable.object, variable.static = None, static
        self._export(name, variable)

    def _export(self, name: str, variable: Variable, *, is_public: bool = True) -> None:
        scope = self.values.scope
        if not scope.is_top:
            return
        scope.context.exported[name] = variable
        if is_public and not name.startswith("_"):
            scope.context.public.add(name)
        elif not is_public:
            scope.context.public.discard(name)

    def define(
        self, name: str, found: Any, static: Static | None = None, register: int | None = None
    ) -> None:
        """Gives a name an imported object or value."""
        variable = self.values.scope.variable(name)
        variable.object = found
        variable.static = Static.of("object") if static is None else static
        if register is not None:
            self.code.emit("move", variable.register, register, span=self.code.last().span)
        self._export(name, variable, is_public=False)

    def _assign_block(self, node: nodes.AssignBlock) -> None:
        span = self.values.span(node)
        register = self.code.take()
        scope = self.values.scope.inner(node)
        silent, self.is_silent = self.is_silent, False
        with self.code.capturing(register, markup=self.values.autoescape, span=span), self.within(scope):
            self.enter(scope, node)
            self.body(node.body)
        self.is_silent = silent
        static = Static.of("text")
        if node.filter is not None:
            register, static = self._filtered(node.filter, register)
            if self.values.autoescape:
                self.code.emit("filter", register, self.values.filter_number("safe"), register, 1, span=span)
                static = Static.of("text")
        self.store(node.target, register, static)

    def _filtered(self, node: nodes.Filter, register: int) -> tuple[int, Static]:
        """What the filters of a block make of its text."""
        held = self.values.hold(f"@{register}", register, Static.of("text"), node)
        return self.values.operand(_over(node, held))

    def _filter_block(self, node: nodes.FilterBlock) -> None:
        span = self.values.span(node)
        register = self.code.take()
        scope = self.values.scope.inner(node)
        with self.code.capturing(register, markup=self.values.autoescape, span=span), self.within(scope):
            self.enter(scope, node)
            self.body(node.body)
        register, static = self._filtered(node.filter, register)
        if not static.kinds <= {"text"}:
            # Jinja2 joins what blocks give, and text alone can be joined.
            self.values.refuse("a filter block that gives something else than text", node)
        self.code.emit("emit", register, span=span)

    # -- scopes

    def enter(self, scope: Scope, node: nodes.Node) -> None:
        """Gives every name that a scope assigns its register and its first value."""
        span = self.values.span(node)
        for identifier, name, action, source in list(scope.assigned()):
            register = self.code.keep() if self.keeps and scope.is_top else self.code.take()
            variable = Variable(register, UNASSIGNED)
            outer = scope.binding(source) if action == VAR_LOAD_ALIAS else None
            if action == VAR_LOAD_RESOLVE or (action == VAR_LOAD_ALIAS and outer is None):
                outer = scope.context.lookup(name)
            if isinstance(outer, LoopName):
                self.values.refuse("assigning loop", node)
            if isinstance(outer, Variable):
                self._copy(variable, outer, span)
            elif outer is not None:
                self._load(variable, name, next(_named(node, name), node))
            if variable.static.is_unset and variable.clearing is None:
                self._clear(variable, name, span)
            scope.bindings[identifier] = variable

    def unset(self, name: str, node: nodes.Node) -> Variable:
        """A variable that nothing was assigned to."""
        variable = Variable(self.code.take(), UNASSIGNED)
        self._clear(variable, name, self.values.span(node))
        return variable

    def _clear(self, variable: Variable, name: str, span: int) -> None:
        self.values.undefined(name, variable.register, span)
        variable.clearing = self.code.last()
        variable.clearing.is_needed = False

    def _copy(self, variable: Variable, outer: Variable, span: int) -> None:
        variable.static, variable.object = outer.static, outer.object
        if outer.static.is_unset or outer.object is not None:
            return
        self.values.touched(outer)
        self.code.emit("move", variable.register, outer.register, span=span)

    def _load(self, variable: Variable, name: str, node: nodes.Node) -> None:
        options = self.values.options
        if name in options.constants:
            variable.static = self.values.load_constant(name, variable.register, node)
        elif name in options.columns:
            variable.static = self.values.column(name, variable.register, node)

    @contextmanager
    def within(self, scope: Scope) -> Iterator[None]:
        """Lowers what follows in another scope."""
        outer = self.values.scope
        self.values.scope = scope
        try:
            yield
        finally:
            self.values.scope = outer

    @contextmanager
    def apart(self, scope: Scope, *, autoescape: bool) -> Iterator[None]:
        """Lowers a macro's body: in its own scope, out of all loops, not silent."""
        values = self.values
        outer = (values.autoescape, self.is_silent, self.running)
        values.autoescape, self.is_silent, self.running = autoescape, False, []
        with self.within(scope), self.code.scratch():
            yield
        values.autoescape, self.is_silent, self.running = outer

    def _scope(self, node: nodes.Scope) -> None:
        inner = self.values.scope.inner(node)
        with self.within(inner):
            self.enter(inner, node.body[0] if node.body else node)
            self.body(node.body)

    def _with(self, node: nodes.With) -> None:
        inner = self.values.scope.inner(node)
        self.enter(inner, node)
        for name in _targets(node.targets):
            inner.bind(name.name, Variable(self.code.take(), UNASSIGNED))
        for target, value in zip(node.targets, node.values, strict=True):
            found = self.values.objects.value(value) if isinstance(target, nodes.Name) else None
            if found is not None:
                assert isinstance(target, nodes.Name)
                variable = inner.variable(target.name)
                variable.object, variable.static = found, Static.of("object")
                continue
            register, static = self.values.operand(value)
            with self.within(inner):
                self.store(target, register, static)
        with self.within(inner):
            self.body(node.body)

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
        self.body(node.body)
        self.values.autoescape = outer

    # -- macros and expressions

    def _macro(self, node: nodes.Macro) -> None:
        self._check_macro(node)
        variable = self.values.scope.variable(node.name)
        variable.object = Macro(node.name, node, self, self.values.scope, self.values.autoescape)
        variable.static = Static.of("object")
        self._export(node.name, variable)

    def _check_macro(self, node: nodes.Macro | nodes.CallBlock) -> None:
        names = [argument.name for argument in node.args]
        if "caller" in names and names.index("caller") < len(names) - len(node.defaults):
            self.values.refuse("caller as an argument without default", node)

    def _call_block(self, node: nodes.CallBlock) -> None:
        self._check_macro(node)
        call = node.call
        macro = self.values.objects.of(call.node) if isinstance(call, nodes.Call) else None
        if not isinstance(macro, Macro):
            self.values.refuse("a call block of something else than a macro", call)
        caller = Macro(None, node, self, self.values.scope, self.values.autoescape)
        write_macro(self.values, call, macro, caller)

    def _expression(self, node: nodes.ExprStmt) -> None:
        reason = skip_reason(node)
        if reason is not None:
            lower_skip(self, node, reason)
        elif self.values.objects.value(node.node) is None:
            self.values.operand(node.node)


def _over(node: nodes.Filter, held: nodes.Expr) -> nodes.Filter:
    """The filters of a block over what it holds."""
    inner = held if node.node is None else _over(node.node, held)  # type: ignore[arg-type]
    return nodes.Filter(
        inner, node.name, node.args, node.kwargs, node.dyn_args, node.dyn_kwargs,
        lineno=node.lineno, environment=node.environment,
    )  # fmt: skip


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


def _targets(targets: Sequence[nodes.Node]) -> Iterator[nodes.Name]:
    for target in targets:
        if isinstance(target, nodes.Name):
            yield target
        yield from target.find_all(nodes.Name)


def _named(node: nodes.Node, name: str) -> Iterator[nodes.Name]:
    return (found for found in node.find_all(nodes.Name) if found.name == name)


_LOWER: dict[type[nodes.Node], Callable[[Statements, Any], None]] = {
    nodes.Output: Statements._output,
    nodes.If: Statements._if,
    nodes.Assign: Statements._assign,
    nodes.AssignBlock: Statements._assign_block,
    nodes.FilterBlock: Statements._filter_block,
    nodes.Scope: Statements._scope,
    nodes.With: Statements._with,
    nodes.ScopedEvalContextModifier: Statements._autoescape,
    nodes.Macro: Statements._macro,
    nodes.CallBlock: Statements._call_block,
    nodes.ExprStmt: Statements._expression,
    nodes.For: lower_for,
    nodes.Break: lower_break,
    nodes.Continue: lower_continue,
    nodes.Block: lower_block,
    nodes.Extends: lower_extends,
    nodes.Include: lower_include,
    nodes.Import: lower_import,
    nodes.FromImport: lower_from_import,
}
