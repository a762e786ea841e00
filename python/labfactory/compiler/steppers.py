"""What steps from call to call: cyclers and joiners, and the cycles and changes of loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labfactory.compiler.attributes import loop_attribute
from labfactory.compiler.code import Label
from labfactory.compiler.objects import Cycler, Joiner, Namespace
from labfactory.compiler.operators import compare_pair
from labfactory.compiler.spread import listed, spread
from labfactory.compiler.types import TUPLE, Static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import nodes

    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.scope import LoopName


def no_arguments(values: Expressions, node: nodes.Call, what: str) -> None:
    """Refuses arguments where none are taken."""
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        values.tree.fail(f"expected no arguments for {what}", node, code="arguments")


def home_of(values: Expressions) -> Any:
    """The module that an object belongs to which every row of Jinja2's would share."""
    context = values.scope.context
    return context if context.is_shared else None


def check_home(values: Expressions, found: Namespace | Cycler | Joiner, node: nodes.Node) -> None:
    """Refuses to change what one row would hand to the next."""
    if found.home is not None and not found.home.is_open:
        values.refuse(f"{found.spoken} that one row would hand to the next", node)


def _tuple(
    values: Expressions, entries: Sequence[nodes.Expr], node: nodes.Node, target: int
) -> Static | None:
    """A tuple of values in a register; what is known of its items."""
    first = values.code.take(len(entries))
    item: Static | None = None
    for offset, entry in enumerate(entries):
        with values.borrowing(borrows=False):
            static = values.into(entry, first + offset)
        item = static if item is None else item.join(static)
    values.code.emit("tuple", target, first, len(entries), span=values.span(node))
    return item


def make_cycler(values: Expressions, node: nodes.Call) -> Cycler:
    """Makes a cycler."""
    code = values.code
    args, keywords = spread(values, node)
    if keywords or not args:
        values.tree.fail("expected the items of the cycler", node, code="arguments")
    items, position = code.keep(), code.keep()
    item = _tuple(values, args, node, items)
    assert item is not None
    values.constant(0, position, node)
    return Cycler(items, position, len(args), item, home_of(values))


def step_cycler(values: Expressions, node: nodes.Call, cycler: Cycler, name: str, target: int) -> Static:
    """Leaves the next item of a cycler in a register, or begins it anew."""
    no_arguments(values, node, f"cycler.{name}")
    check_home(values, cycler, node)
    code = values.code
    if name == "reset":
        values.constant(0, cycler.position, node)
        return values.constant(None, target, node)
    span = values.span(node)
    one = code.take(2)
    values.constant(1, one, node)
    values.constant(cycler.count, one + 1, node)
    code.emit("subscript", target, cycler.items, cycler.position, span=span)
    code.emit("add", cycler.position, cycler.position, one, span=span)
    code.emit("modulo", cycler.position, cycler.position, one + 1, span=span)
    return cycler.item


def make_joiner(values: Expressions, node: nodes.Call) -> Joiner:
    """Makes a joiner."""
    code = values.code
    args, keywords = spread(values, node)
    given = [*args, *(keyword.value for keyword in keywords)]
    known = all(keyword.key == "sep" for keyword in keywords)
    if len(given) > 1 or not known:
        values.tree.fail("expected (sep) for the joiner", node, code="arguments")
    separator, was_called = code.keep(), code.keep()
    static = values.into(given[0], separator) if given else values.constant(", ", separator, node)
    values.constant(value=False, target=was_called, node=node)
    return Joiner(separator, was_called, static, home_of(values))


def step_joiner(values: Expressions, node: nodes.Call, joiner: Joiner, target: int) -> Static:
    """Leaves a joiner's separator in a register, and nothing at its first call."""
    no_arguments(values, node, "a joiner")
    check_home(values, joiner, node)
    code = values.code
    span = values.span(node)
    first, done = Label(), Label()
    code.emit("jump_if_false", joiner.was_called, first, span=span)
    code.emit("move", target, joiner.separator, span=span)
    code.emit("jump", done, span=span)
    code.place(first)
    values.constant(value=True, target=joiner.was_called, node=node)
    static = values.constant("", target, node)
    code.place(done)
    return static.join(joiner.static)


def cycle(values: Expressions, node: nodes.Call, loop: LoopName, target: int) -> Static:
    """Leaves the item of `loop.cycle(…)` in a register."""
    code = values.code
    if node.dyn_args is not None and not node.kwargs and node.dyn_kwargs is None:
        return _cycle_list(values, node, loop, target)
    args, keywords = spread(values, node)
    if keywords:
        values.refuse("a call by name", node)
    span = values.span(node)
    if not args:
        code.emit("fail", values.outcome("type_error"), span=span)
        return values.undefined("cycle", target, span)
    items, index, count = code.take(), code.take(), code.take()
    item = _tuple(values, args, node, items)
    assert item is not None
    loop_attribute(values, loop, "index0", index, span)
    values.constant(len(args), count, node)
    code.emit("modulo", index, index, count, span=span)
    code.emit("subscript", target, items, index, span=span)
    return item


def _cycle_list(values: Expressions, node: nodes.Call, loop: LoopName, target: int) -> Static:
    """A cycle over as many items as rows have."""
    code, span = values.code, values.span(node)
    first = code.take(3)
    static = values.into(listed(values, node), first)
    code.emit("filter", first + 1, values.filter_number("length"), first, 1, span=span)
    some = Label()
    code.emit("jump_if_true", first + 1, some, span=span)
    code.emit("fail", values.outcome("type_error"), span=span)
    code.place(some)
    loop_attribute(values, loop, "index0", first + 2, span)
    code.emit("modulo", first + 1, first + 2, first + 1, span=span)
    code.emit("subscript", target, first, first + 1, span=span)
    return static.iterated()


def changed(values: Expressions, node: nodes.Call, loop: LoopName, target: int) -> Static:
    """Leaves in a register whether `loop.changed(…)` sees other values than at its last call."""
    code = values.code
    args, keywords = spread(values, node)
    if keywords:
        values.refuse("a call by name", node)
    assert loop.changed is not None
    last, clearing = loop.changed
    clearing.is_needed = True
    now = code.take()
    static = Static(frozenset({TUPLE}), item=_tuple(values, args, node, now))
    compare_pair(values, node, "not_equal", (last, static), (now, static), target)
    code.emit("move", last, now, span=values.span(node))
    return Static.of("boolean")
