"""Generators: what filters give that Jinja2 runs lazily, and the loops that run it where it is read.

A generator keeps the values that it was made of: the source and the arguments, evaluated where the filter
stands. Its loop is emitted where its items are wanted, so that a chain of filters handles one item after the
other, as Jinja2's do, and an error comes where Jinja2's would, at the place that reads the generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labfactory._core import plan as core
from labfactory.compiler.code import Label
from labfactory.compiler.filters import list_of
from labfactory.compiler.types import GENERATOR, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jinja2 import nodes

    from labfactory.compiler.expressions import Expressions

    Body = Callable[[int, Static], None]
    Step = Callable[[Expressions, int, Static, Body], None]
    Open = Callable[[Expressions, Sequence[int], Label], "Stream"]


@dataclass(frozen=True, slots=True)
class Stream:
    """A generator that was begun: a value to go through, and what comes of each of its items.

    Args:
        register: The value.
        static: What is known of it.
        step: Emits what hands an item on, if it does, as what the generator makes of it; None where each item
            is handed on as it is.
    """

    register: int
    static: Static
    step: Step | None = None

    def hand(self, lowering: Expressions, register: int, static: Static, body: Body) -> None:
        """Emits a body for what comes of an item, behind which lies what it is when nothing comes of it."""
        if self.step is None:
            body(register, static)
        else:
            self.step(lowering, register, static, body)


@dataclass(eq=False, slots=True)
class Lazy:
    """A generator before it is read.

    Args:
        count: How many values it keeps.
        open: Begins it with registers that hold those; a label takes what turns out to be empty.
        loops: How many loops ran where it was made.
        is_spent: Whether a place that reads it was lowered.
    """

    count: int
    open: Open
    loops: int
    is_spent: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """What a filter goes through: a value, or a generator with the values that it keeps.

    Args:
        node: Where it stands.
        registers: The value's register, or those that the generator keeps.
        static: What is known of it.
    """

    node: nodes.Expr
    registers: tuple[int, ...]
    static: Static

    @property
    def is_generator(self) -> bool:
        """Whether it is read by running it."""
        return self.static.lazy is not None

    def open(self, lowering: Expressions, empty: Label) -> Stream:
        """Begins to read it; a label takes what turns out to be empty."""
        if self.static.lazy is None:
            return Stream(self.registers[0], self.static)
        return self.static.lazy.open(lowering, self.registers, empty)

    def each(self, lowering: Expressions, body: Body) -> None:
        """Emits a loop over its items."""
        empty, place = Label(), lowering.read_at
        if self.is_generator and place is None:
            place = lowering.span(self.node)
        with lowering.reading(place):
            stream = self.open(lowering, empty)
            loop_over(
                lowering,
                self.node,
                stream.register,
                stream.static,
                lambda register, static: stream.hand(lowering, register, static, body),
            )
        lowering.code.place(empty)

    def gathered(self, lowering: Expressions) -> tuple[int, Static]:
        """Its items as a list in a register."""
        if not self.is_generator:
            return as_list(lowering, self.node, self.registers[0], self.static)
        return collected(lowering, self.node, self.each)

    def first(self, lowering: Expressions, target: int) -> Static:
        """Leaves a list of its first item alone in a register: what follows is never run."""
        code, span = lowering.code, lowering.span(self.node)
        done = Label()
        found = Static(frozenset())
        code.emit("list", target, 0, 0, span=span)

        def body(register: int, static: Static) -> None:
            nonlocal found
            found = static
            code.emit("append", target, register, span=span)
            code.emit("jump", done, span=span)

        self.each(lowering, body)
        code.place(done)
        return list_of(found)

    def packed(self, lowering: Expressions, target: int) -> Static:
        """Leaves a generator in one register, to be read later."""
        lazy = self.static.lazy
        assert lazy is not None
        span = lowering.span(self.node)
        first = lowering.code.take(len(self.registers))
        for offset, register in enumerate(self.registers):
            lowering.code.emit("move", first + offset, register, span=span)
        lowering.code.emit("tuple", target, first, len(self.registers), span=span)
        kept = Lazy(len(self.registers), lazy.open, lowering.code.depth)
        return Static(frozenset({GENERATOR}), lazy=kept)


def generated(lowering: Expressions, node: nodes.Expr, registers: Sequence[int], begin: Open) -> Source:
    """A generator that is made here, of the values in some registers."""
    lazy = Lazy(len(registers), begin, lowering.code.depth)
    return Source(node, tuple(registers), Static(frozenset({GENERATOR}), lazy=lazy))


def moved(source: Source, registers: Sequence[int]) -> Source:
    """The same source whose values lie elsewhere."""
    return Source(source.node, tuple(registers), source.static)


def loop_over(lowering: Expressions, node: nodes.Expr, register: int, static: Static, body: Body) -> None:
    """Emits a loop over a value in a register."""
    code, span = lowering.code, lowering.span(node)
    if static.may_be("text", "record"):
        register, static = as_list(lowering, node, register, static)
    begin, step, empty = Label(), Label(), Label()
    with code.scratch(), code.loop() as loop:
        item = code.take()
        code.emit("loop_begin", loop, register, item, empty, span=span)
        code.place(begin)
        body(item, static.iterated())
        code.place(step)
        code.emit("loop_next", loop, item, begin, span=span)
        code.place(empty)


def as_list(lowering: Expressions, node: nodes.Expr, register: int, static: Static) -> tuple[int, Static]:
    """A value's items as a list in a register."""
    if static.may_be("record"):
        lowering.whole(static, node)
    target = lowering.code.take()
    emit_filter(lowering, node, "list", [register], target)
    return target, list_of(static.iterated())


def collected(
    lowering: Expressions, node: nodes.Expr, each: Callable[[Expressions, Body], None]
) -> tuple[int, Static]:
    """A list of the items that a loop gives."""
    code, span = lowering.code, lowering.span(node)
    target = code.take()
    code.emit("list", target, 0, 0, span=span)
    found = Static(frozenset())

    def body(register: int, static: Static) -> None:
        nonlocal found
        found = found.join(static)
        code.emit("append", target, register, span=span)

    each(lowering, body)
    return target, list_of(found)


def emit_filter(
    lowering: Expressions, node: nodes.Expr, name: str, values: Sequence[int], target: int
) -> None:
    """Calls a filter of the core on values in registers."""
    code, span = lowering.code, lowering.span(node)
    first = code.take(len(values))
    for offset, register in enumerate(values):
        code.emit("move", first + offset, register, span=span)
    code.emit("filter", target, core.FILTERS[name], first, len(values), span=span)
