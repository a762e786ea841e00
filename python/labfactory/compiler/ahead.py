"""Loops whose items are found one after the other, and what `loop` asks of those that are still to come.

Jinja2 gives a loop with a test, or over a generator, the next item when its body has run. `loop.last` and
`loop.nextitem` look for one item before it is due, `loop.length` for all of them; what fails on the way fails
there and then. So a plan has two loops over the same value: one finds items wherever they are asked for, the
other counts the turns of the body.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labfactory._core import plan as core
from labfactory.compiler.code import Label
from labfactory.compiler.types import Static

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import nodes

    from labfactory.compiler.code import Instruction
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.generators import Body

    # Emits what hands the item in a register on, where it passes, to a body; for what reads it at a place.
    Hand = Callable[[int, int, Body], None]

# The attributes of `loop` that have to do with other items than that of the turn.
OF_OTHERS = frozenset({"previtem", "nextitem", "last", "length", "revindex", "revindex0"})


@dataclass(eq=False, slots=True)
class _Part:
    """Instructions that are needed where something is asked of a loop alone."""

    is_needed: bool = False
    instructions: list[Instruction] = field(default_factory=list)

    def add(self, instruction: Instruction) -> None:
        instruction.is_needed = self.is_needed
        self.instructions.append(instruction)

    def need(self) -> None:
        self.is_needed = True
        for instruction in self.instructions:
            instruction.is_needed = True


@dataclass(eq=False, slots=True)
class Ahead:
    """A loop that finds its items one after the other.

    Args:
        values: What lowers the template that the loop stands in.
        node: The loop.
        finder: The loop that finds items.
        turns: The loop that counts turns.
        hand: What hands an item on.
        place: The place of the loop, as errors tell it.
        item: What is known of the items that are handed on.
    """

    values: Expressions
    node: nodes.For
    finder: int
    turns: int
    hand: Hand
    place: int
    item: Static = field(default_factory=lambda: Static(frozenset()))
    # Registers: an item that was not tested, the item that comes next, those of this turn and the one before.
    raw: int = field(init=False)
    next: int = field(init=False)
    current: int = field(init=False)
    before: int = field(init=False)
    # Whether the next item was found already; whether there is none; whether all were found.
    is_found: int = field(init=False)
    is_over: int = field(init=False)
    is_listed: int = field(init=False)
    rest: int = field(init=False)
    length: int = field(init=False)
    # What looking back needs, looking one item ahead, and finding all.
    back: _Part = field(default_factory=_Part)
    peek: _Part = field(default_factory=_Part)
    count: _Part = field(default_factory=_Part)

    def __post_init__(self) -> None:
        """Takes the registers."""
        code = self.values.code
        self.raw, self.next, self.current, self.before = (code.take() for _ in range(4))
        self.is_found, self.is_over, self.is_listed, self.rest, self.length = (code.take() for _ in range(5))

    # -- the loop itself

    def begin(self, source: int, empty: Label, span: int) -> None:
        """Emits what stands before the first turn, up to where the turns come back to."""
        values, code = self.values, self.values.code
        values.constant(None, self.next, self.node)
        self.values.undefined("previtem", self.current, self.place)
        self.back.add(code.last())
        self._set(self.is_found, value=False)
        self._set(self.is_over, value=False)
        values.constant(False, self.is_listed, self.node)  # noqa: FBT003
        self.count.add(code.last())
        values.constant(0, self.length, self.node)
        self.count.add(code.last())
        code.emit("loop_begin", self.finder, source, self.raw, empty, span=span)
        code.emit("loop_begin", self.turns, source, code.take(), empty, span=span)

    def turn(self, begin: Label, over: Label, target: int) -> None:
        """Emits what begins a turn: the next item goes to a register; where there is none, control leaves."""
        code, first, have = self.values.code, Label(), Label()
        code.emit("jump", first, span=self.place)
        code.place(begin)
        self.peek.add(code.emit("jump_if_true", self.is_found, have, span=self.place))
        self.peek.add(code.emit("jump_if_true", self.is_over, over, span=self.place))
        self._find(first, over, self.place)
        code.place(have)
        self._set(self.is_found, value=False)
        self.back.add(code.emit("move", self.before, self.current, span=self.place))
        self.back.add(code.emit("move", self.current, self.next, span=self.place))
        code.emit("move", target, self.next, span=self.place)

    def _find(self, test: Label, over: Label, place: int) -> None:
        """Looks for the next item, from the test of an item on where control comes in there."""
        code = self.values.code
        step, unlisted, found = Label(), Label(), Label()
        code.emit("jump", step, span=place)
        code.place(test)
        self.count.add(code.emit("jump_if_false", self.is_listed, unlisted, span=place))
        self.count.add(code.emit("move", self.next, self.raw, span=place))
        self.count.add(code.emit("jump", found, span=place))
        code.place(unlisted)

        def passed(register: int, static: Static) -> None:
            self.item = static
            code.emit("move", self.next, register, span=place)
            code.emit("jump", found, span=place)

        self._hand(place, passed)
        code.place(step)
        code.emit("loop_next", self.finder, self.raw, test, span=place)
        code.emit("jump", over, span=place)
        code.place(found)

    def _hand(self, place: int, body: Body) -> None:
        with self.values.code.scratch():
            self.hand(self.raw, place, body)

    def _set(self, register: int, *, value: bool) -> None:
        self.values.constant(value, register, self.node)
        self.peek.add(self.values.code.last())

    # -- what `loop` asks

    def attribute(self, values: Expressions, name: str, target: int, span: int) -> None:
        """Leaves one of `OF_OTHERS` in a register."""
        code = values.code
        if name == "previtem":
            self.back.need()
            code.emit("move", target, self.before, span=span)
        elif name in ("last", "nextitem"):
            self._look(span)
            if name == "last":
                code.emit("not", target, self.is_found, span=span)
            else:
                self._next_item(values, target, span)
        else:
            self._list(span)
            code.emit("move", target, self.length, span=span)
            if name != "length":
                with code.scratch():
                    index = code.take()
                    gone = "index0" if name == "revindex" else "index"
                    self._turns(gone, index, span)
                    code.emit("subtract", target, target, index, span=span)

    def _next_item(self, values: Expressions, target: int, span: int) -> None:
        code, none, done = values.code, Label(), Label()
        code.emit("jump_if_false", self.is_found, none, span=span)
        code.emit("move", target, self.next, span=span)
        code.emit("jump", done, span=span)
        code.place(none)
        values.undefined("nextitem", target, span)
        code.place(done)

    def _look(self, span: int) -> None:
        """Looks for one item that is not due yet."""
        code, over, known = self.values.code, Label(), Label()
        self.peek.need()
        code.emit("jump_if_true", self.is_found, known, span=span)
        code.emit("jump_if_true", self.is_over, known, span=span)
        self._find(Label(), over, span)
        self._set(self.is_found, value=True)
        code.emit("jump", known, span=span)
        code.place(over)
        self._set(self.is_over, value=True)
        code.place(known)

    def _list(self, span: int) -> None:
        """Finds all items that are still to come; the loop goes through the list of them from here on."""
        code = self.values.code
        found, step, test, listed, none, known = (Label() for _ in range(6))
        self.peek.need()
        self.count.need()
        code.emit("jump_if_true", self.is_listed, known, span=span)
        code.emit("list", self.rest, 0, 0, span=span)
        code.emit("jump_if_false", self.is_found, found, span=span)
        code.emit("append", self.rest, self.next, span=span)
        code.place(found)
        code.emit("jump_if_true", self.is_over, listed, span=span)
        code.emit("jump", step, span=span)
        code.place(test)
        self._hand(span, lambda register, _: self._append(register, span))
        code.place(step)
        code.emit("loop_next", self.finder, self.raw, test, span=span)
        code.place(listed)
        with code.scratch():
            first = code.take(2)
            code.emit("move", first, self.rest, span=span)
            code.emit("filter", self.length, self.values.filter_number("length"), first, 1, span=span)
            self._turns("index", first + 1, span)
            code.emit("add", self.length, self.length, first + 1, span=span)
        self._set(self.is_listed, value=True)
        self._set(self.is_found, value=False)
        self._set(self.is_over, value=True)
        code.emit("loop_begin", self.finder, self.rest, self.next, none, span=span)
        self._set(self.is_found, value=True)
        self._set(self.is_over, value=False)
        code.place(none)
        code.place(known)

    def _append(self, register: int, span: int) -> None:
        self.values.code.emit("append", self.rest, register, span=span)

    def _turns(self, name: str, target: int, span: int) -> None:
        number = core.LOOP_ATTRIBUTES[name]
        self.values.code.emit("loop_attribute", target, self.turns, number, span=span)
