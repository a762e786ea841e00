"""Items of loops: what they must pass to reach the body, and the names that they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.assignments import store
from labfactory.compiler.scope import Variable
from labfactory.compiler.types import TUPLE, Static

if TYPE_CHECKING:
    from labfactory.compiler.code import Label
    from labfactory.compiler.generators import Body, Source, Stream
    from labfactory.compiler.scope import Scope
    from labfactory.compiler.statements import Statements


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that is lowered.

    Args:
        node: The statement.
        source: What it runs over.
        uses_loop: Whether the name `loop` is the loop's own.
        depth: How deep within itself a recursive loop is.
    """

    node: nodes.For
    source: Source
    uses_loop: bool
    depth: int


def hand_on(
    statements: Statements,
    loop: Loop,
    stream: Stream,
    item: tuple[int, Static],
    passed: Label,
    place: int,
    body: Body,
) -> None:
    """Emits a body for an item that passes what a generator and the loop's test ask."""
    values, test = statements.values, loop.node.test

    def handed(register: int, static: Static) -> None:
        with values.reading(None):
            if test is not None:
                register, static = _test(statements, loop, test, (register, static), passed)
            body(register, static)

    # A test runs in a function of its own, which reads the generator.
    with values.reading(place if test is None else values.span(test)):
        stream.hand(values, *item, handed)


def _test(
    statements: Statements, loop: Loop, test: nodes.Node, item: tuple[int, Static], otherwise: Label
) -> tuple[int, Static]:
    """Jumps where an item fails the loop's test; else the item as the test hands it on."""
    code, values, target = statements.code, statements.values, loop.node.target
    scope = values.scope.inner(loop.node, branch="test")
    made = code.take() if loop.uses_loop else None
    with statements.within(scope), code.scratch():
        bind_item(statements, scope, target, *item)
        found, _ = values.operand(test)
        code.emit("jump_if_false", found, otherwise, span=values.span(test))
        if made is None or isinstance(target, nodes.Name):
            return item
        return made, _repacked(statements, scope, target, made)


def _repacked(statements: Statements, scope: Scope, target: nodes.Node, register: int) -> Static:
    """Leaves in a register what the names of a target hold: a tuple, whatever was unpacked."""
    code, span = statements.code, statements.values.span(target)
    if isinstance(target, nodes.Name):
        variable = scope.variable(target.name)
        code.emit("move", register, variable.register, span=span)
        return variable.static
    assert isinstance(target, nodes.Tuple)
    first = code.take(len(target.items))
    parts = [_repacked(statements, scope, inner, first + at) for at, inner in enumerate(target.items)]
    code.emit("tuple", register, first, len(parts), span=span)
    return Static(frozenset({TUPLE}), parts=tuple(parts))


def bind_item(statements: Statements, scope: Scope, target: nodes.Node, register: int, item: Static) -> None:
    """Gives the names of a loop's target their parts of the item."""
    if isinstance(target, nodes.Name):
        scope.bind(target.name, Variable(register, item))
        return
    for name in target.find_all(nodes.Name):
        scope.bind(name.name, Variable(statements.code.take(), item))
    store(statements, target, register, item)
