"""Lowering of for loops: unpacking, conditions, else, break and continue, and recursive loops to a bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jinja2 import nodes
from jinja2.compiler import find_undeclared

from labfactory.compiler.ahead import Ahead
from labfactory.compiler.code import Label
from labfactory.compiler.growing import iterated
from labfactory.compiler.loop_items import Loop, bind_item, hand_on
from labfactory.compiler.objects import Recursion
from labfactory.compiler.scope import LoopName
from labfactory.compiler.sequences import source_of
from labfactory.compiler.types import NONE, TUPLE, UNDEFINED, UNSET, Static

if TYPE_CHECKING:
    from labfactory.compiler.code import Instruction
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.generators import Body, Source, Stream
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
class _Ways:
    """Where a loop's control goes.

    Args:
        ran: A register that tells whether a body came to its end, where that is asked.
        empty: Where there are no items, or no more.
        step: Where the next item is taken.
        end: What follows the loop.
    """

    ran: int | None
    empty: Label = field(default_factory=Label)
    step: Label = field(default_factory=Label)
    end: Label = field(default_factory=Label)


def lower_for(statements: Statements, node: nodes.For) -> None:
    """Lowers a loop."""
    for name in node.find_all(nodes.Name) if _mentions(statements, "loop") else ():
        if name.ctx == "store" and name.name == "loop":
            message = "can't assign to special loop variable in for-loop target"
            statements.values.tree.fail(message, name, code="syntax")
    assert isinstance(node.iter, nodes.Expr)
    source = source_of(statements.values, node.iter)
    with statements.code.going_through(iterated(statements.values, node.iter)):
        _lower_over(statements, node, source, 0)


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
    source = source_of(values, node.args[0])
    with recursion.statements.apart(recursion.scope, autoescape=recursion.autoescape):
        _lower_over(recursion.statements, recursion.node, source, loop.depth + 1)


def _lower_over(statements: Statements, node: nodes.For, source: Source, depth: int) -> None:
    uses_loop = (
        node.recursive
        or (
            _mentions(statements, "loop")
            and "loop" in find_undeclared(node.iter_child_nodes(only=("body",)), ("loop",))
        )
        or (_mentions(statements, "block") and any(block.scoped for block in node.find_all(nodes.Block)))
    )
    _settled(statements, Loop(node, source, uses_loop, depth))


def _settled(statements: Statements, loop: Loop) -> None:
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


def _lower(statements: Statements, loop: Loop) -> None:
    code, values = statements.code, statements.values
    span = values.span(loop.node)
    ways = _Ways(_ran_flag(statements, loop, span))
    changed = _changed(statements, loop) if loop.uses_loop else None
    with values.reading(span if loop.source.is_generator else None):
        stream = loop.source.open(values, ways.empty)
    runs = not stream.static.kinds <= _NOTHING
    if not runs or _ends_recursion(statements, loop, stream.static):
        with code.loop() as index:
            _begin(statements, loop, index, stream, code.take(), ways.empty)
        if runs:
            code.emit("fail", values.outcome("unsupported"), span=span)
    elif changed is not None and (loop.node.test is not None or stream.step is not None):
        _lower_finding(statements, loop, stream, changed, ways)
    else:
        _lower_plain(statements, loop, stream, changed, ways)
    code.place(ways.end)
    _else(statements, loop, ways, span, runs=runs)


def _changed(statements: Statements, loop: Loop) -> tuple[int, Instruction]:
    """The register of what `loop.changed` saw last, and what clears it."""
    register = statements.code.keep()
    statements.values.constant(None, register, loop.node)
    statements.code.last().is_needed = False
    return register, statements.code.last()


def _begin(
    statements: Statements, loop: Loop, index: int, stream: Stream, register: int, empty: Label
) -> None:
    place = statements.values.span(loop.node.test or loop.node.iter)
    statements.code.emit("loop_begin", index, stream.register, register, empty, span=place)


def _lower_plain(
    statements: Statements,
    loop: Loop,
    stream: Stream,
    changed: tuple[int, Instruction] | None,
    ways: _Ways,
) -> None:
    """Lowers a loop that runs its body for each item as that comes by."""
    code, values = statements.code, statements.values
    begin, register, span = Label(), code.take(), values.span(loop.node)
    with code.loop() as index:
        _begin(statements, loop, index, stream, register, ways.empty)
        code.place(begin)
        item = values.item(stream.static, loop.node.iter)

        def run(register: int, item: Static) -> None:
            name = None if changed is None else _loop_name(statements, loop, index, item, changed)
            _body(statements, loop, (register, item), name, ways)

        hand_on(statements, loop, stream, (register, item), ways.step, span, run)
        code.place(ways.step)
        code.emit("loop_next", index, register, begin, span=span)


def _lower_finding(
    statements: Statements, loop: Loop, stream: Stream, changed: tuple[int, Instruction], ways: _Ways
) -> None:
    """Lowers a loop whose body may ask `loop` for items that are to come."""
    code, values, node = statements.code, statements.values, loop.node
    begin, span = Label(), values.span(node)
    item = values.item(stream.static, node.iter)
    scope, autoescape = values.scope, values.autoescape

    def hand(register: int, place: int, body: Body) -> None:
        if values.autoescape is not autoescape:
            values.refuse("looking ahead in a loop under another autoescape", node)
        statements.linker.check_size(values, node, "a loop that looks ahead")
        passed = Label()
        with statements.within(scope), values.borrowing(borrows=False):
            hand_on(statements, loop, stream, (register, item), passed, place, body)
        code.place(passed)

    with code.loop() as finder, code.loop() as turns:
        ahead = Ahead(values, node, finder, turns, hand, span)
        ahead.begin(stream.register, ways.empty, values.span(node.test or node.iter))
        register = code.take()
        ahead.turn(begin, ways.empty, register)
        name = _loop_name(statements, loop, turns, ahead.item, changed, ahead)
        _body(statements, loop, (register, ahead.item), name, ways)
        code.place(ways.step)
        code.emit("loop_next", turns, code.take(), begin, span=span)


def _loop_name(
    statements: Statements,
    loop: Loop,
    index: int,
    item: Static,
    changed: tuple[int, Instruction],
    ahead: Ahead | None = None,
) -> LoopName:
    values, recursion = statements.values, None
    if loop.node.recursive:
        recursion = Recursion(loop.node, statements, values.scope, values.autoescape)
    return LoopName(index, item, loop.depth, changed, recursion, ahead)


def _body(
    statements: Statements, loop: Loop, item: tuple[int, Static], name: LoopName | None, ways: _Ways
) -> None:
    """Lowers what a loop runs for an item."""
    code, node = statements.code, loop.node
    scope = statements.values.scope.inner(node, branch="body", loop=loop.uses_loop)
    if name is not None:
        scope.bind("loop", name)
    statements.running.append(Running(ways.step, ways.end, code.captures))
    with statements.within(scope), code.scratch():
        bind_item(statements, scope, node.target, *item)
        statements.enter(scope, node)
        statements.body(node.body)
    statements.running.pop()
    if ways.ran is not None:
        code.emit("constant", ways.ran, code.constant(value=True), span=statements.values.span(node))


def _ends_recursion(statements: Statements, loop: Loop, static: Static) -> bool:
    """Whether a loop within itself runs over what can only be empty: `x.kids or []` where the schema ends."""
    is_within = loop.depth > 0 or statements.linker.is_recursing
    is_list = static.kinds <= _NOTHING | {"list", TUPLE}
    return is_within and static.item is None and is_list and not static.kinds <= _NOTHING


def _ran_flag(statements: Statements, loop: Loop, span: int) -> int | None:
    """A register that tells whether a body came to its end, where the loop itself cannot."""
    if not loop.node.else_:
        return None
    finds_items = loop.node.test is not None or loop.source.is_generator
    if not finds_items and not any(loop.node.find_all((nodes.Break, nodes.Continue))):
        return None
    ran = statements.code.take()
    statements.code.emit("constant", ran, statements.code.constant(value=False), span=span)
    return ran


def _else(statements: Statements, loop: Loop, ways: _Ways, span: int, *, runs: bool) -> None:
    code, node = statements.code, loop.node
    if not node.else_:
        code.place(ways.empty)
        return
    done = Label()
    if ways.ran is None:
        if runs:
            code.emit("jump", done, span=span)
        code.place(ways.empty)
    else:
        code.place(ways.empty)
        code.emit("jump_if_true", ways.ran, done, span=span)
    scope = statements.values.scope.inner(node, branch="else")
    with statements.within(scope):
        statements.enter(scope, node)
        statements.body(node.else_)
    code.place(done)


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
