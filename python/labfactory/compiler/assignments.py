"""Lowering of assignments: set, set blocks, with, and the filter blocks that are like them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from labfactory.compiler.growing import owned, share
from labfactory.compiler.makers import assign_attribute, object_given
from labfactory.compiler.scope import UNASSIGNED, Variable
from labfactory.compiler.types import Static

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labfactory.compiler.statements import Statements


def lower_assign(statements: Statements, node: nodes.Assign) -> None:
    """Lowers `{% set a = b %}`."""
    if isinstance(node.target, nodes.Name):
        found = object_given(statements.values, node.node)
        if found is not None:
            variable = statements.values.scope.variable(node.target.name)
            variable.object, variable.static = found, Static.of("object")
            export(statements, node.target.name, variable)
            return
        if not any(name.name == node.target.name for name in _names(node.node)):
            variable = statements.values.scope.variable(node.target.name)
            static = statements.values.into(node.node, variable.register, lazily=True)
            _assigned(statements, node.target.name, owned(statements.values, node.node, static))
            return
    if _pairwise(statements, node.target, node.node):
        return
    # The old values are read while the new ones are made.
    lazily = isinstance(node.target, nodes.Name)
    register, static = statements.values.operand(node.node, lazily=lazily)
    share(statements.values, static, node.node)
    store(statements, node.target, register, static)


def _pairwise(statements: Statements, target: nodes.Node, value: nodes.Node) -> bool:
    """Assigns `a, b = c, d` value by value; False where that is not what is written."""
    if not (isinstance(target, nodes.Tuple) and isinstance(value, (nodes.Tuple, nodes.List))):
        return False
    if len(target.items) != len(value.items):
        return False
    first = statements.code.take(len(value.items))
    statics = [statements.values.into(item, first + at) for at, item in enumerate(value.items)]
    for at, (entry, static) in enumerate(zip(target.items, statics, strict=True)):
        store(statements, entry, first + at, owned(statements.values, value.items[at], static))
    return True


def store(statements: Statements, target: nodes.Node, register: int, static: Static) -> None:
    """Gives a target of an assignment, a name or a tuple of them, a value."""
    if isinstance(target, nodes.Name):
        variable = statements.values.scope.variable(target.name)
        if register != variable.register:
            statements.code.emit("move", variable.register, register, span=statements.values.span(target))
        _assigned(statements, target.name, static)
    elif isinstance(target, nodes.NSRef):
        assign_attribute(statements.values, target, register, static)
    else:
        assert isinstance(target, (nodes.Tuple, nodes.List))
        _unpack(statements, target, register, static)


def _unpack(statements: Statements, target: nodes.Tuple | nodes.List, register: int, static: Static) -> None:
    span = statements.values.span(target)
    first = statements.code.take(2 + len(target.items))
    statements.code.emit("unpack", first, register, len(target.items), span=span)
    items = statements.values.unpacked(static, len(target.items), target)
    for at in range(len(target.items)):
        statements.values.constant(at, first + 1, target)
        statements.code.emit("subscript", first + 2 + at, first, first + 1, span=span)
    for at, (entry, item) in enumerate(zip(target.items, items, strict=True)):
        store(statements, entry, first + 2 + at, item)


def _assigned(statements: Statements, name: str, static: Static) -> None:
    variable = statements.values.scope.variable(name)
    variable.object, variable.static = None, static
    export(statements, name, variable)


def export(statements: Statements, name: str, variable: Variable, *, is_public: bool = True) -> None:
    """Shows what the top level of a template assigned to those that import it."""
    scope = statements.values.scope
    if not scope.is_top:
        return
    scope.context.exported[name] = variable
    if is_public and not name.startswith("_"):
        scope.context.public.add(name)
    elif not is_public:
        scope.context.public.discard(name)


def define(
    statements: Statements, name: str, found: Any, static: Static | None = None, register: int | None = None
) -> None:
    """Gives a name an imported object or value."""
    variable = statements.values.scope.variable(name)
    variable.object = found
    variable.static = Static.of("object") if static is None else static
    if register is not None:
        statements.code.emit("move", variable.register, register, span=statements.code.last().span)
    export(statements, name, variable, is_public=False)


def lower_assign_block(statements: Statements, node: nodes.AssignBlock) -> None:
    """Lowers a set block: what it writes becomes a value."""
    span = statements.values.span(node)
    register = statements.code.take()
    scope = statements.values.scope.inner(node)
    silent, statements.is_silent = statements.is_silent, False
    with (
        statements.code.capturing(register, markup=statements.values.autoescape, span=span),
        statements.within(scope),
    ):
        statements.enter(scope, node)
        statements.body(node.body)
    statements.is_silent = silent
    static = Static.of("text")
    if node.filter is not None:
        register, static = _filtered(statements, node.filter, register)
        if statements.values.autoescape:
            statements.code.emit(
                "filter", register, statements.values.filter_number("safe"), register, 1, span=span
            )
            static = Static.of("text")
    store(statements, node.target, register, static)


def _filtered(statements: Statements, node: nodes.Filter, register: int) -> tuple[int, Static]:
    """What the filters of a block make of its text."""
    held = statements.values.hold(f"@{register}", register, Static.of("text"), node)
    return statements.values.operand(_over(node, held))


def lower_filter_block(statements: Statements, node: nodes.FilterBlock) -> None:
    """Lowers a filter block: what it writes is written as its filters make it."""
    span = statements.values.span(node)
    register = statements.code.take()
    scope = statements.values.scope.inner(node)
    with (
        statements.code.capturing(register, markup=statements.values.autoescape, span=span),
        statements.within(scope),
    ):
        statements.enter(scope, node)
        statements.body(node.body)
    register, static = _filtered(statements, node.filter, register)
    if not static.kinds <= {"text"}:
        # Jinja2 joins what blocks give, and text alone can be joined.
        statements.values.refuse("a filter block that gives something else than text", node)
    statements.code.emit("emit", register, span=span)


def lower_with(statements: Statements, node: nodes.With) -> None:
    """Lowers with: names that hold within it."""
    inner = statements.values.scope.inner(node)
    statements.enter(inner, node)
    for name in _targets(node.targets):
        inner.bind(name.name, Variable(statements.code.take(), UNASSIGNED))
    for target, value in zip(node.targets, node.values, strict=True):
        found = object_given(statements.values, value) if isinstance(target, nodes.Name) else None
        if found is not None:
            assert isinstance(target, nodes.Name)
            variable = inner.variable(target.name)
            variable.object, variable.static = found, Static.of("object")
            continue
        register, static = statements.values.operand(value)
        share(statements.values, static, value)
        static = owned(statements.values, value, static)
        with statements.within(inner):
            store(statements, target, register, static)
    with statements.within(inner):
        statements.body(node.body)


def _over(node: nodes.Filter, held: nodes.Expr) -> nodes.Filter:
    """The filters of a block over what it holds."""
    inner = held if node.node is None else _over(node.node, held)  # type: ignore[arg-type]
    given = (node.name, node.args, node.kwargs, node.dyn_args, node.dyn_kwargs)
    return nodes.Filter(inner, *given, lineno=node.lineno)


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


def _targets(targets: Sequence[nodes.Node]) -> Iterator[nodes.Name]:
    for target in targets:
        if isinstance(target, nodes.Name):
            yield target
        yield from target.find_all(nodes.Name)
