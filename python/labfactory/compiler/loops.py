"""Lowering of for loops: unpacking, conditions, else, break and continue, and recursive loops to a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import nodes
from jinja2.compiler import find_undeclared

from labfactory.compiler.assignments import store
from labfactory.compiler.code import Label
from labfactory.compiler.growing import iterated
from labfactory.compiler.objects import Cycler, Joiner, Macro, Namespace, Recursion
from labfactory.compiler.scope import LoopName, Variable
from labfactory.compiler.types import NONE, TUPLE, UNDEFINED, UNSET, Static

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.scope import Scope
    from labfactory.compiler.statements import Statements

# A recursive loop ends where the schema does; rows that go deeper than this are stopped.
MOST_LEVELS = 24
# Each time that the body is lowered again more is known of what namespaces hold; it ends long before.
_MOST_ROUNDS = 12
_NOTHING = frozenset({NONE, UNDEFINED, UNSET})


@dataclass(frozen=True, slots=True)
class Running:
    """A loop that `break` and `continue` may mean.

    Args:
        step: Where the next item is taken.
        end: What follows the loop.
        captures: Captures that were open where the loop began.
    """

    step: Label
    end: Label
    captures: int


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop that is lowered.

    Args:
        node: The statement.
        source: Register of what it runs over.
        static: What is known of that.
        test: The condition that items must meet; None where the source holds only those.
        uses_loop: Whether the name `loop` is the loop's own.
        depth: How deep within itself a recursive loop is.
    """

    node: nodes.For
    source: int
    static: Static
    test: nodes.Node | None
    uses_loop: bool
    depth: int


def lower_for(statements: Statements, node: nodes.For) -> None:
    """Lowers a loop."""
    for name in node.find_all(nodes.Name) if _mentions(statements, "loop") else ():
        if name.ctx == "store" and name.name == "loop":
            message = "can't assign to special loop variable in for-loop target"
            statements.values.tree.fail(message, name, code="syntax")
    source, static = statements.values.iterable(node.iter)
    with statements.code.going_through(iterated(statements.values, node.iter)):
        _lower_over(statements, node, source, static, 0)


def _mentions(statements: Statements, word: str) -> bool:
    """Whether a word stands anywhere in the source: where it does not, no node needs to be looked at."""
    return word in statements.values.tree.source


def lower_recursion(values: Expressions, node: nodes.Call, loop: LoopName) -> None:
    """Lowers a recursive loop once more, for a call of `loop`."""
    recursion = loop.recursion
    assert recursion is not None
    if loop.depth + 1 >= MOST_LEVELS:
        values.code.emit("fail", values.outcome("work_limit"), span=values.span(node))
        return
    recursion.statements.linker.check_size(values, node, "a recursive loop")
    source, static = values.iterable(node.args[0])
    with recursion.statements.apart(recursion.scope, autoescape=recursion.autoescape):
        _lower_over(recursion.statements, recursion.node, source, static, loop.depth + 1)


def _lower_over(statements: Statements, node: nodes.For, source: int, static: Static, depth: int) -> None:
    uses_loop = (
        node.recursive
        or (
            _mentions(statements, "loop")
            and "loop" in find_undeclared(node.iter_child_nodes(only=("body",)), ("loop",))
        )
        or (_mentions(statements, "block") and any(block.scoped for block in node.find_all(nodes.Block)))
    )
    test, kept = node.test, []
    if test is not None and uses_loop and not static.kinds <= _NOTHING:
        _check_order(statements, node, test)
        kept = iterated(statements.values, test)
        source, static = _filtered(statements, node, source, static)
        test = None
    with statements.code.going_through(kept):
        _settled(statements, _Loop(node, source, static, test, uses_loop, depth))


def _check_order(statements: Statements, node: nodes.For, test: nodes.Node) -> None:
    """Refuses a test that the body changes: beside `loop` all items are tested before the body runs."""
    changes = any(isinstance(found, Macro) for found in _objects(statements, node.body)) or any(
        isinstance(body, nodes.NSRef) or any(body.find_all(nodes.NSRef)) for body in node.body
    )
    changing = (Cycler, Joiner, Namespace) if changes else (Cycler, Joiner)
    if any(isinstance(found, changing) for found in _objects(statements, [test])):
        hint = "put the test into the loop's body, as {% if %}."
        statements.values.refuse("a loop's test that its body changes, beside loop,", test, hint=hint)


def _objects(statements: Statements, parts: list[nodes.Node]) -> Iterator[object]:
    """The objects whose names some code mentions."""
    for part in parts:
        for name in (part, *part.find_all(nodes.Name)):
            found = statements.values.scope.meant(name.name) if isinstance(name, nodes.Name) else None
            if isinstance(found, Variable):
                yield found.object


def _settled(statements: Statements, loop: _Loop) -> None:
    """Lowers a loop until what its body makes of namespaces is what the body took them for."""
    code = statements.code
    for _ in range(_MOST_ROUNDS):
        mark, changes, namespaces = code.mark(), len(code.changes), code.namespaces
        with code.scratch():
            _lower(statements, loop)
        if all(serial > namespaces for serial in code.changes[changes:]):
            return
        code.rewind(mark)
    statements.values.refuse("a namespace that changes its type at each step", loop.node)


def _lower(statements: Statements, loop: _Loop) -> None:
    code, values = statements.code, statements.values
    node, span = loop.node, values.span(loop.node)
    begin, step, empty, end = Label(), Label(), Label(), Label()
    register = code.take()
    ran = _ran_flag(statements, loop, span)
    changed = code.keep() if loop.uses_loop else 0
    if loop.uses_loop:
        values.constant(None, changed, node)
        code.last().is_needed = False
        clearing = code.last()
    with code.loop() as index:
        code.emit("loop_begin", index, loop.source, register, empty, span=values.span(node.iter))
        if _ends_recursion(statements, loop):
            code.emit("fail", values.outcome("unsupported"), span=span)
        elif not loop.static.kinds <= _NOTHING:
            code.place(begin)
            item = values.item(loop.static, node.iter)
            if loop.test is not None:
                _test(statements, node, loop.test, register, item, step)
            scope = values.scope.inner(node, branch="body", loop=loop.uses_loop)
            if loop.uses_loop:
                recursion = (
                    Recursion(node, statements, values.scope, values.autoescape) if node.recursive else None
                )
                scope.bind("loop", LoopName(index, item, loop.depth, (changed, clearing), recursion))
            statements.running.append(Running(step, end, code.captures))
            with statements.within(scope), code.scratch():
                _bind(statements, scope, node.target, register, item)
                statements.enter(scope, node)
                statements.body(node.body)
            statements.running.pop()
            if ran is not None:
                code.emit("constant", ran, code.constant(value=True), span=span)
            code.place(step)
            code.emit("loop_next", index, register, begin, span=span)
    code.place(end)
    _else(statements, loop, empty, ran, span)


def _ends_recursion(statements: Statements, loop: _Loop) -> bool:
    """Whether a loop within itself runs over what can only be empty: `x.kids or []` where the schema ends."""
    is_within = loop.depth > 0 or statements.linker.is_recursing
    is_list = loop.static.kinds <= _NOTHING | {"list", TUPLE}
    return is_within and loop.static.item is None and is_list and not loop.static.kinds <= _NOTHING


def _bind(statements: Statements, scope: Scope, target: nodes.Node, register: int, item: Static) -> None:
    """Gives the names of a loop's target their parts of the item."""
    if isinstance(target, nodes.Name):
        scope.bind(target.name, Variable(register, item))
        return
    for name in target.find_all(nodes.Name):
        scope.bind(name.name, Variable(statements.code.take(), item))
    store(statements, target, register, item)


def _ran_flag(statements: Statements, loop: _Loop, span: int) -> int | None:
    """A register that tells whether a body came to its end, where the loop itself cannot."""
    if not loop.node.else_:
        return None
    if loop.test is None and not any(loop.node.find_all((nodes.Break, nodes.Continue))):
        return None
    ran = statements.code.take()
    statements.code.emit("constant", ran, statements.code.constant(value=False), span=span)
    return ran


def _else(statements: Statements, loop: _Loop, empty: Label, ran: int | None, span: int) -> None:
    code, node = statements.code, loop.node
    if not node.else_:
        code.place(empty)
        return
    done = Label()
    if ran is None:
        if not loop.static.kinds <= _NOTHING:
            code.emit("jump", done, span=span)
        code.place(empty)
    else:
        code.place(empty)
        code.emit("jump_if_true", ran, done, span=span)
    scope = statements.values.scope.inner(node, branch="else")
    with statements.within(scope):
        statements.enter(scope, node)
        statements.body(node.else_)
    code.place(done)


def _test(
    statements: Statements, node: nodes.For, test: nodes.Node, register: int, item: Static, step: Label
) -> None:
    code, values = statements.code, statements.values
    scope = values.scope.inner(node, branch="test")
    with statements.within(scope), code.scratch():
        _bind(statements, scope, node.target, register, item)
        found, _ = values.operand(test)
        code.emit("jump_if_false", found, step, span=values.span(test))


def _filtered(statements: Statements, node: nodes.For, source: int, static: Static) -> tuple[int, Static]:
    """The list of the items that pass the loop's test: `loop` counts those alone."""
    assert node.test is not None
    code, values = statements.code, statements.values
    span = values.span(node.test)
    begin, step, empty = Label(), Label(), Label()
    item = values.item(static, node.iter)
    kept = code.take()
    code.emit("list", kept, 0, 0, span=span)
    with code.scratch(), code.loop() as index:
        register = code.take()
        code.emit("loop_begin", index, source, register, empty, span=values.span(node.iter))
        code.place(begin)
        _test(statements, node, node.test, register, item, step)
        code.emit("append", kept, register, span=span)
        code.place(step)
        code.emit("loop_next", index, register, begin, span=span)
        code.place(empty)
    is_known = static.item is not None or static.may_be("text", "record")
    return kept, Static(frozenset({"list"}), item=item if is_known else None)


def lower_break(statements: Statements, node: nodes.Break) -> None:
    """Lowers `break`: control goes on behind the loop."""
    _leave(statements, node, "break")


def lower_continue(statements: Statements, node: nodes.Continue) -> None:
    """Lowers `continue`: control goes on with the next item."""
    _leave(statements, node, "continue")


def _leave(statements: Statements, node: nodes.Node, what: str) -> None:
    code, values = statements.code, statements.values
    if not statements.running:
        values.tree.fail(f"{what} outside a loop", node, code="syntax")
    loop = statements.running[-1]
    span = values.span(node)
    # What was captured in the loop so far is lost.
    lost = code.take()
    for _ in range(code.captures - loop.captures):
        code.emit("captured", lost, 0, span=span)
    code.emit("jump", loop.end if what == "break" else loop.step, span=span)
