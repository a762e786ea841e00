"""The code of a plan while it grows: instructions with labels, interned tables and a stack of registers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from labfactory.compiler.functions import Function
    from labfactory.compiler.growing import Growing
    from labfactory.compiler.positions import Span

_T = TypeVar("_T")
# Kept registers are numbered from here until the code is finished; no table grows this long.
_KEPT = 1 << 24
_NO_OPERANDS = (0,) * 4


@dataclass(eq=False, slots=True)
class Label:
    """A place in the code that jumps name before it is known."""

    target: int = -1


@dataclass(eq=False, slots=True)
class Instruction:
    """One instruction; operands are numbers, labels until the code is finished.

    Args:
        opcode: Its name.
        operands: Its operands.
        span: Where it comes from.
        is_needed: Whether it stays when the code is finished.
        most_bytes: Text that it writes at most, where it writes any.
    """

    opcode: str
    operands: tuple[int | Label, ...]
    span: int
    is_needed: bool = True
    most_bytes: float = inf


class Mark(NamedTuple):
    """How far the code had grown."""

    label: Label
    tables: int


class _Scratch:
    """Registers that are given back; as every statement and value opens one, it is no generator."""

    __slots__ = ("_code", "_top")

    def __init__(self, code: Code) -> None:
        self._code = code

    def __enter__(self) -> None:
        self._top = self._code.top

    def __exit__(self, *_: object) -> None:
        self._code.top = self._top


@dataclass(slots=True)
class Code:
    """Instructions and the tables that they index; `written` counts the characters of literal output."""

    constants: list[object] = field(default_factory=list)
    literals: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    # Template, line, column and width of each place that instructions come from, with its index.
    spans: dict[tuple[int, int, int, int], int] = field(default_factory=dict)
    templates: list[str] = field(default_factory=list)
    tables: list[list[Label]] = field(default_factory=list)
    functions: list[tuple[Function, tuple[str, ...]]] = field(default_factory=list)
    loops: int = 0
    captures: int = 0
    namespaces: int = 0
    changes: list[int] = field(default_factory=list)
    iterated: list[Growing] = field(default_factory=list)
    _most: int = 0
    _rows: list[Instruction | Label] = field(default_factory=list)
    _keys: dict[str, dict[Hashable, int]] = field(default_factory=dict)
    top: int = 0
    _depth: int = 0
    written: int = 0
    _text: list[str] = field(default_factory=list)
    _text_span: int = 0
    _kept: int = 0
    _drops: bool = False

    def emit(self, opcode: str, *operands: int | Label, span: int) -> Instruction:
        """Adds an instruction."""
        self._flush()
        instruction = Instruction(opcode, operands, span)
        self._rows.append(instruction)
        return instruction

    def last(self) -> Instruction:
        """The instruction emitted last."""
        row = self._rows[-1]
        assert isinstance(row, Instruction)
        return row

    def place(self, label: Label) -> None:
        """Puts a label before the next instruction."""
        self._flush()
        self._rows.append(label)

    def write(self, text: str, span: int) -> None:
        """Adds literal output; neighbours become one literal."""
        if text and not self._drops:
            if not self._text:
                self._text_span = span
            self._text.append(text)
            self.written += len(text)

    def _flush(self) -> None:
        if self._text:
            text = "".join(self._text)
            self._text.clear()
            self.emit(
                "emit_literal", self._intern("literal", text, self.literals, text), span=self._text_span
            )

    def constant(self, value: object) -> int:
        """The index of a constant."""
        return self._intern("constant", _key(value), self.constants, value)

    def format(self, text: str) -> int:
        """The index of a printf format."""
        return self._intern("format", text, self.formats, text)

    def function(self, function: Function, keywords: tuple[str, ...]) -> int:
        """The index of a function, called with some keywords last."""
        key = (function.name, keywords)
        return self._intern("function", key, self.functions, (function, keywords))

    def template(self, name: str) -> int:
        """The index of a template's name."""
        return self._intern("template", name, self.templates, name)

    def span(self, template: int, span: Span) -> int:
        """The index of a place in a template."""
        return self.spans.setdefault((template, *span), len(self.spans))

    def table(self, labels: list[Label]) -> int:
        """Adds a jump table."""
        self.tables.append(labels)
        return len(self.tables) - 1

    def _intern(self, table: str, key: Hashable, entries: list[_T], entry: _T) -> int:
        index = self._keys.setdefault(table, {}).setdefault(key, len(entries))
        if index == len(entries):
            entries.append(entry)
        return index

    def take(self, count: int = 1) -> int:
        """The first of `count` consecutive fresh registers."""
        first = self.top
        self.top += count
        if self.top > self._most:
            self._most = self.top
        return first

    def keep(self) -> int:
        """A register that is never given back: what it holds outlives the statement that made it."""
        self._kept += 1
        return _KEPT + self._kept - 1

    @property
    def registers(self) -> int:
        """Registers that the code needs."""
        return self._most + self._kept

    @property
    def size(self) -> int:
        """Instructions and labels so far."""
        return len(self._rows)

    def mark(self) -> Mark:
        """A place to go back to."""
        self._flush()
        label = Label()
        self._rows.append(label)
        return Mark(label, len(self.tables))

    def rewind(self, mark: Mark) -> None:
        """Forgets all code behind a mark; what was interned stays."""
        self._text.clear()
        while self._rows[-1] is not mark.label:
            self._rows.pop()
        del self.tables[mark.tables :]

    def insert(self, before: Instruction, instruction: Instruction) -> None:
        """Adds an instruction before one that stands."""
        at = next(i for i in reversed(range(len(self._rows))) if self._rows[i] is before)
        self._rows.insert(at, instruction)

    @contextmanager
    def capturing(self, target: int, *, markup: bool, span: int) -> Iterator[None]:
        """Leaves what is written within as text in a register."""
        self.emit("capture", span=span)
        self.captures += 1
        dropped, self._drops = self._drops, False
        try:
            yield
        finally:
            self.captures -= 1
            self._drops = dropped
        self.emit("captured", target, int(markup), span=span)

    @contextmanager
    def dropping(self, lost: int, span: int) -> Iterator[None]:
        """Runs what is within for its values and its errors; what it writes is lost."""
        first = self.emit("capture", span=span)
        start = len(self._rows)
        self.captures += 1
        dropped, self._drops = self._drops, True
        try:
            yield
        finally:
            self.captures -= 1
            self._drops = dropped
        last = self.emit("captured", lost, 0, span=span)
        # Most imported templates hold macros and nothing that is written.
        writes = any(
            isinstance(row, Instruction) and row.opcode.startswith("emit") for row in self._rows[start:]
        )
        first.is_needed = last.is_needed = writes

    def scratch(self) -> _Scratch:
        """Gives back, at its end, every register taken within."""
        return _Scratch(self)

    @contextmanager
    def loop(self) -> Iterator[int]:
        """The index of a loop that runs within."""
        index = self._depth
        self._depth += 1
        self.loops = max(self.loops, self._depth)
        try:
            yield index
        finally:
            self._depth -= 1

    @contextmanager
    def going_through(self, lists: list[Growing]) -> Iterator[None]:
        """Keeps lists as they are while a loop goes through them."""
        count = len(self.iterated)
        self.iterated += lists
        try:
            yield
        finally:
            del self.iterated[count:]

    def most_bytes(self) -> list[float]:
        """Bytes that each part has at most, by the longest way through finished code; else infinite."""
        rows = [row for row in self._rows if isinstance(row, Instruction) and row.is_needed]
        own = [self._own_bytes(row) for row in rows]
        for at, row in enumerate(rows):
            if row.opcode == "loop_next" and any(own[_target(row.operands[-1]) : at]):
                own[at] = inf
        ahead = [0.0] * (len(rows) + 1)
        parts: list[float] = []
        for at in range(len(rows) - 1, -1, -1):
            ahead[at] = own[at] + max((ahead[to] for to in self._successors(rows[at], at)), default=0.0)
            if rows[at].opcode == "part":
                parts.append(ahead[at])
                ahead[at] = 0.0
        return parts[::-1] or ahead[:1]

    def _own_bytes(self, row: Instruction) -> float:
        if row.opcode == "emit_literal":
            return len(self.literals[_target(row.operands[0])].encode())
        return row.most_bytes if row.opcode.startswith("emit") else 0

    def _successors(self, row: Instruction, at: int) -> list[int]:
        targets = [operand.target for operand in row.operands if isinstance(operand, Label)]
        if row.opcode == "slot":
            return [label.target for label in self.tables[_target(row.operands[1])]]
        if row.opcode in ("end", "skip", "skip_as", "fail", "result"):
            return []
        if row.opcode == "jump":
            return targets
        return [at + 1] if row.opcode == "loop_next" else [at + 1, *targets]

    @property
    def depth(self) -> int:
        """How many loops run here."""
        return self._depth

    def finish(self) -> list[Instruction]:
        """The instructions that are needed; labels know their places from here on."""
        self._flush()
        needed: list[Instruction] = []
        for row in self._rows:
            if isinstance(row, Label):
                row.target = len(needed)
            elif row.is_needed:
                needed.append(row)
        return needed

    def cells(self, opcodes: Mapping[str, int]) -> list[int]:
        """The finished code as the core takes it: opcodes, each with four operands and a span."""
        cells: list[int] = []
        for row in self.finish():
            cells.append(opcodes[row.opcode])
            cells += [
                operand if type(operand) is int and operand < _KEPT else self._resolved(operand)
                for operand in row.operands
            ]
            cells += _NO_OPERANDS[len(row.operands) :]
            cells.append(row.span)
        return cells

    def _resolved(self, operand: int | Label) -> int:
        if isinstance(operand, Label):
            return operand.target
        return operand if operand < _KEPT else self._most + operand - _KEPT


def _target(operand: int | Label) -> int:
    return operand.target if isinstance(operand, Label) else operand


def _key(value: object) -> Hashable:
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(_key(entry) for entry in value))
    if isinstance(value, dict):
        return ("dict", tuple((_key(key), _key(entry)) for key, entry in value.items()))
    # 1, 1.0 and True are equal but not the same constant; repr tells -0.0 from 0.0 and zones from each other.
    kind = "Markup" if isinstance(value, Markup) else type(value).__name__
    return (kind, str(value) if isinstance(value, str) else repr(value))
