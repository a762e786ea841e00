"""Lowering of statements: each becomes instructions, in the scope that it opens or stands in."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from labfactory.compiler.assignments import (
    export,
    lower_assign,
    lower_assign_block,
    lower_filter_block,
    lower_with,
)
from labfactory.compiler.branches import lower_if
from labfactory.compiler.growing import share
from labfactory.compiler.imports import lower_from_import, lower_import, lower_include
from labfactory.compiler.inheritance import lower_block, lower_extends
from labfactory.compiler.loops import Running, lower_break, lower_continue, lower_for
from labfactory.compiler.macros import write_macro
from labfactory.compiler.makers import object_given
from labfactory.compiler.objects import Macro
from labfactory.compiler.output import lower_output
from labfactory.compiler.referents import object_of
from labfactory.compiler.scope import (
    UNASSIGNED,
    VAR_LOAD_ALIAS,
    VAR_LOAD_RESOLVE,
    LoopName,
    Scope,
    Variable,
)
from labfactory.compiler.skip import lower_skip, skip_reason
from labfactory.compiler.types import Static

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labfactory.compiler.code import Code
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.inheritance import Rendering
    from labfactory.compiler.lower import Linker


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
        code = self.code
        for node in body:
            lower = _LOWER.get(type(node))
            if lower is None:
                self.values.refuse(type(node).__name__.lower(), node)
            top = code.top
            lower(self, node)
            code.top = top

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
                self._copy(variable, outer, node)
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

    def _copy(self, variable: Variable, outer: Variable, node: nodes.Node) -> None:
        variable.static, variable.object = outer.static, outer.object
        if outer.static.is_unset or outer.object is not None:
            return
        outer.read()
        share(self.values, outer.static, node)
        self.code.emit("move", variable.register, outer.register, span=self.values.span(node))

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
        with self.within(scope), self.code.scratch(), values.borrowing(borrows=False):
            yield
        values.autoescape, self.is_silent, self.running = outer

    def _scope(self, node: nodes.Scope) -> None:
        inner = self.values.scope.inner(node)
        with self.within(inner):
            self.enter(inner, node.body[0] if node.body else node)
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
        export(self, node.name, variable)

    def _check_macro(self, node: nodes.Macro | nodes.CallBlock) -> None:
        names = [argument.name for argument in node.args]
        if "caller" in names and names.index("caller") < len(names) - len(node.defaults):
            self.values.refuse("caller as an argument without default", node)

    def _call_block(self, node: nodes.CallBlock) -> None:
        self._check_macro(node)
        call = node.call
        macro = object_of(self.values, call.node) if isinstance(call, nodes.Call) else None
        if not isinstance(macro, Macro):
            self.values.refuse("a call block of something else than a macro", call)
        caller = Macro(None, node, self, self.values.scope, self.values.autoescape)
        write_macro(self.values, call, macro, caller)

    def _expression(self, node: nodes.ExprStmt) -> None:
        reason = skip_reason(node)
        if reason is not None:
            lower_skip(self, node, reason)
        elif object_given(self.values, node.node) is None:
            self.values.operand(node.node)


def _named(node: nodes.Node, name: str) -> Iterator[nodes.Name]:
    return (found for found in node.find_all(nodes.Name) if found.name == name)


_LOWER: dict[type[nodes.Node], Callable[[Statements, Any], None]] = {
    nodes.Output: lower_output,
    nodes.If: lower_if,
    nodes.Assign: lower_assign,
    nodes.AssignBlock: lower_assign_block,
    nodes.FilterBlock: lower_filter_block,
    nodes.Scope: Statements._scope,
    nodes.With: lower_with,
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
