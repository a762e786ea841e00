"""Lowering of expressions: each node of Jinja2's becomes instructions that leave its value in a register."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import jinja2.filters
import jinja2.tests
from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.runtime import LoopContext
from markupsafe import Markup

from labfactory._core import plan as core
from labfactory.compiler.calls import lower_call, lower_filter, lower_test
from labfactory.compiler.code import Label
from labfactory.compiler.fold import Folded, Folder
from labfactory.compiler.formats import format_arguments, lower_format
from labfactory.compiler.hints import meant
from labfactory.compiler.i18n import constant_message, lower_message
from labfactory.compiler.object_calls import ObjectCalls
from labfactory.compiler.scope import LoopName, Options, Scope, Unassigned, Variable
from labfactory.compiler.sequences import iterable
from labfactory.compiler.types import (
    CONTAINERS,
    DATES,
    GENERATOR,
    NONE,
    NOWHERE,
    NUMBERS,
    SEVERAL,
    TUPLE,
    UNDEFINED,
    UNSET,
    Static,
    Type,
    spoken,
    static_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from labfactory.compiler.code import Code
    from labfactory.compiler.columns import ColumnTable
    from labfactory.compiler.positions import Span
    from labfactory.compiler.syntax import SyntaxTree

_INTEGERS = range(-(2**63), 2**63)
_BINARY = {
    nodes.Add: "add",
    nodes.Sub: "subtract",
    nodes.Mul: "multiply",
    nodes.Div: "divide",
    nodes.FloorDiv: "floor_divide",
    nodes.Mod: "modulo",
}
_UNARY = {nodes.Neg: "negate", nodes.Pos: "positive"}
_COMPARE = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "lteq": "less_equal",
    "gt": "greater",
    "gteq": "greater_equal",
    "in": "contains",
    "notin": "not_contains",
}
_MESSAGES = (nodes.Call, nodes.Mod, nodes.MarkSafeIfAutoescape)
# What may have to do with macros, namespaces and other objects.
_OF_OBJECTS = (
    nodes.Call,
    nodes.Getattr,
    nodes.Getitem,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Test,
    nodes.Filter,
)
_LOOP_CONSTANTS = {"depth": 1, "depth0": 0}
_LOOP_ITEMS = ("previtem", "nextitem")
_LOOP_FLAGS = ("first", "last")
_ANY = object()
# Attributes that Python's values of each kind have: methods and such, which a template could call.
_METHODS: dict[str, frozenset[str]] = {
    "boolean": frozenset(dir(bool)),
    "integer": frozenset(dir(int)),
    "floating": frozenset(dir(float)),
    "text": frozenset(dir(Markup)),
    "list": frozenset(dir(list)),
    "tuple": frozenset(dir(tuple)),
    "record": frozenset(dir(dict)),
    "none": frozenset(dir(None)),
    "date": frozenset(dir(datetime.date)),
    "timestamp": frozenset(dir(datetime.datetime)),
    "undefined": frozenset(name for name in dir(jinja2.StrictUndefined) if name.startswith("_")),
}
_NAMES: dict[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.Dict: "a dict literal",
    nodes.Slice: "a slice",
    nodes.Pow: "the operator **",
    nodes.NSRef: "namespace assignment",
}


@dataclass(slots=True)
class Expressions:
    """Lowers the expressions of one template; `scope` and `autoescape` follow the statement being lowered."""

    tree: SyntaxTree
    code: Code
    table: ColumnTable
    options: Options
    scope: Scope
    autoescape: bool
    template: int
    # Values that statements hold in registers, by the names that Jinja2's internal names have.
    held: dict[str, tuple[int, Static, int]] = field(default_factory=dict)

    @property
    def objects(self) -> ObjectCalls:
        """What lowers macros, namespaces and the like."""
        return ObjectCalls(self)

    # -- what statements call

    def span(self, node: nodes.Node) -> int:
        """The index of a node's place."""
        return self.code.span(self.template, self.tree.positions.of(node))

    def fold(self, node: nodes.Node) -> Folded:
        """The constant that an expression is; raises `nodes.Impossible` when it is none."""
        context = nodes.EvalContext(self.tree.jinja, self.tree.name)
        context.autoescape = self.autoescape
        return Folder(context, self._named_constant, partial(constant_message, self)).fold(node)

    def operand(self, node: nodes.Node, *, lazily: bool = False) -> tuple[int, Static]:
        """The register that holds an expression's value: a variable's own, or a fresh one."""
        if isinstance(node, nodes.Name):
            found = self.scope.lookup(node.name)
            if isinstance(found, Variable):
                return found.register, self._settled(node, self._loaded(node, found), lazily=lazily)
        register = self.code.take()
        return register, self.into(node, register, lazily=lazily)

    def into(self, node: nodes.Node, target: int, *, lazily: bool = False) -> Static:
        """Leaves an expression's value in a register.

        Args:
            node: The expression.
            target: The register.
            lazily: Whether a generator may be left there, as one that runs where it is read.
        """
        try:
            folded = self.fold(node)
        except nodes.Impossible:
            with self.code.scratch():
                if lazily and isinstance(node, nodes.Filter):
                    return lower_filter(self, node, target, lazily=True)
                return self._settled(node, self._lower(node, target), lazily=lazily)
        return self.constant(folded.value, target, node)

    def _settled(self, node: nodes.Node, static: Static, *, lazily: bool) -> Static:
        if static.may_be(GENERATOR) and not lazily:
            hint = "make a list of it where it is set, by |list."
            self.refuse("a generator as a value", node, hint=hint)
        return static

    def iterable(self, node: nodes.Node) -> tuple[int, Static]:
        """The register of what a loop goes through; the items of a generator as a list."""
        return iterable(self, node)

    def part(self, node: nodes.Expr, part: str | int, register: int, static: Static, target: int) -> Static:
        """Leaves in a register what an attribute's name or an index finds, as filters by attribute do."""
        if isinstance(part, str):
            return self._attribute(node, part, register, static, target)
        with self.code.scratch():
            at = self.code.take()
            self.constant(part, at, node)
            self.code.emit("subscript", target, register, at, span=self.span(node))
        return self._item_of(static)

    def whole(self, static: Static, node: nodes.Node, what: str) -> Static:
        """Reads all that is in a value; its `item` is then what is known of a struct's values."""
        if static.item is not None:
            self.whole(static.item, node, what)
        for part in static.parts or ():
            self.whole(part, node, what)
        if not static.may_be("record"):
            return static
        if static.source in (SEVERAL, NOWHERE):
            self.refuse(f"{what} structs that may come from several columns", node)
        self.table.whole(static.source)
        values = static.item or Static(frozenset())
        for name, _ in self.table.type(static.source).fields:
            field = self.table.field(static.source, name)
            assert field is not None
            self._readable(self.table.type(field), node)
            values = values.join(self.table.static(field))
        return replace(static, item=values)

    def root_column(self, node: nodes.Expr) -> int | None:
        """The entry of the scalar column that an expression is, if it is one."""
        if not isinstance(node, nodes.Name) or not isinstance(self.scope.lookup(node.name), Unassigned):
            return None
        if node.name in self.options.constants or node.name not in self.options.columns:
            return None
        found = self._readable(self.options.columns[node.name], node)
        return self.table.root(node.name) if found.is_scalar else None

    def printable(self, static: Static, node: nodes.Node, what: str = "printing") -> None:
        """Refuses whole lists and records where text is needed."""
        if static.may_be(*CONTAINERS):
            kinds = spoken(*(static.kinds & CONTAINERS))
            hint = "print its fields or items, or use join." if what == "printing" else None
            self.refuse(f"{what} {kinds}", node, hint=hint)

    def refuse(self, what: str, node: nodes.Node, *, hint: str | None = None) -> NoReturn:
        """Raises the error that names what this version does not cover."""
        self.tree.fail(f"{what} is not covered in this version", node, hint=hint)

    def undefined(self, name: str, target: int, span: int, *, silent: bool = False) -> Static:
        """Leaves an undefined value in a register."""
        self.code.emit("undefined", target, self.code.constant(name), int(silent), span=span)
        return Static.of(UNDEFINED)

    def column(self, name: str, target: int, node: nodes.Node) -> Static:
        """Leaves a column's value in a register."""
        self._readable(self.options.columns[name], node)
        entry = self.table.root(name)
        self.code.emit("column", target, entry, span=self.span(node))
        return self.table.static(entry)

    def load_constant(self, name: str, target: int, node: nodes.Node) -> Static:
        """Leaves a constant that compile was given in a register."""
        return self.constant(self.options.constants[name], target, node)

    # -- names and constants

    def _named_constant(self, node: nodes.Name) -> Any:
        if node.name in self.options.constants and isinstance(self.scope.lookup(node.name), Unassigned):
            return self.options.constants[node.name]
        raise nodes.Impossible

    def constant(self, value: object, target: int, node: nodes.Node) -> Static:
        """Leaves a constant in a register."""
        self._check_constant(value, node)
        self.code.emit("constant", target, self.code.constant(value), span=self.span(node))
        return static_of(value)

    def _check_constant(self, value: object, node: nodes.Node) -> None:
        if isinstance(value, (list, tuple)):
            for entry in value:
                self._check_constant(entry, node)
        elif isinstance(value, int) and value not in _INTEGERS:
            self.refuse("an integer past 64 bits", node)
        elif isinstance(value, float) and not math.isfinite(value):
            self.refuse("a constant that is not finite", node)
        elif isinstance(value, datetime.datetime) and value.tzinfo is not None:
            hint = "give it without zone, or print its parts, as now.year."
            self.refuse("computing with a datetime that has a zone", node, hint=hint)
        elif value is not None and not isinstance(value, (bool, int, float, str, datetime.date)):
            self.refuse(f"a constant of type {type(value).__name__}", node)

    def outcome(self, name: str) -> int:
        """The number of a row's error."""
        return int(core.OUTCOMES[name])

    def is_known(self, name: str) -> bool:
        """Whether a column or a constant has this name."""
        return name in self.options.columns or name in self.options.constants

    def _lower(self, node: nodes.Node, target: int) -> Static:
        if isinstance(node, _MESSAGES) and self.options.catalogue is not None:
            static = lower_message(self, node, target)
            if static is not None:
                return static
        if isinstance(node, _OF_OBJECTS):
            static = self.objects.lower(node, target)
            if static is not None:
                return static
        lower = _LOWER.get(type(node))
        if lower is None:
            self.refuse(_NAMES.get(type(node), type(node).__name__.lower()), node)
        return lower(self, node, target)

    def _name(self, node: nodes.Name, target: int) -> Static:
        found = self.scope.lookup(node.name)
        if isinstance(found, Variable):
            static = self._loaded(node, found)
            self.code.emit("move", target, found.register, span=self.span(node))
            return static
        if isinstance(found, LoopName):
            self.refuse("loop as a value", node, hint="use its attributes, as loop.index.")
        return self._outside(node, target)

    def _outside(self, node: nodes.Name, target: int) -> Static:
        name = node.name
        if name == "self":
            self.refuse("the name self", node)
        if name in self.options.constants:
            return self.load_constant(name, target, node)
        if name in self.options.columns:
            return self.column(name, target, node)
        if name in DEFAULT_NAMESPACE:
            self.refuse(f"the global {name}", node)
        if self.options.undefined == "error" and name not in self.options.optional:
            self._unknown_column(node)
        return self.undefined(name, target, self.span(node))

    def _unknown_column(self, node: nodes.Name) -> None:
        known = [*self.options.columns, *self.options.constants]
        hint = meant(node.name, known, "The schema has")
        message = f"unknown column {node.name!r}"
        if self.options.review is None:
            self.tree.fail(message, node, code="unknown_column", hint=hint)
        self.options.review.note("unknown_column", message, self.tree, node, hint)

    def touched(self, variable: Variable) -> Static:
        """What is known of a variable that is read here."""
        if variable.static.may_be(UNSET) and variable.clearing is not None:
            variable.clearing.is_needed = True
        if variable.copying is not None:
            variable.copying.is_needed = True
        return variable.static.without(UNSET)

    def _loaded(self, node: nodes.Name, variable: Variable) -> Static:
        if variable.object is not None:
            self.objects.refuse(variable.object, node)
        optional = node.name in self.options.optional
        if variable.static.is_unset and self.options.undefined == "error" and not optional:
            self._unknown_column(node)
        return self.touched(variable)

    def _readable(self, found: Type, node: nodes.Node) -> Type:
        inner: Type | None = found
        while inner is not None and inner.kind != "unreadable":
            inner = inner.item
        if inner is not None:
            message = f"expected a column of a type that templates read, found {inner.spelling}"
            hint = "cast it to text, a number, a date or a timestamp without zone."
            self.tree.fail(message, node, code="column_type", hint=hint)
        return found

    # -- attributes and items

    def _getattr(self, node: nodes.Getattr, target: int) -> Static:
        loop = self._loop_of(node.node)
        if loop is not None:
            return self._loop_attribute(node, node.attr, loop, target)
        register, static = self.operand(node.node)
        if static.may_be("record") and node.attr in _METHODS["record"]:
            self.refuse(
                f"the method {node.attr!r}", node, hint=f"a field of that name is read by [{node.attr!r}]."
            )
        return self._attribute(node, node.attr, register, static, target)

    def _getitem(self, node: nodes.Getitem, target: int) -> Static:
        if isinstance(node.arg, nodes.Slice):
            self.refuse("a slice", node)
        try:
            index = self.fold(node.arg).value
        except nodes.Impossible:
            index = _ANY
        loop = self._loop_of(node.node)
        if loop is not None and isinstance(index, str):
            return self._loop_attribute(node, index, loop, target)
        register, static = self.operand(node.node)
        if isinstance(index, str):
            return self._attribute(node, str(index), register, static, target)
        at, known = self.operand(node.arg)
        if static.may_be("record") or known.may_be("text", *CONTAINERS):
            self.refuse("a computed name of a field", node)
        self.code.emit("subscript", target, register, at, span=self.span(node))
        return self._item_of(static)

    def item(self, static: Static) -> Static:
        """What is known of the items of a value that is looped over or unpacked."""
        return static.iterated()

    def unpacked(self, static: Static, count: int) -> list[Static]:
        """What is known of each item of a value that is unpacked."""
        if static.parts is not None and len(static.parts) == count and static.kinds == {TUPLE}:
            return list(static.parts)
        return [self.item(static)] * count

    def filter_number(self, name: str) -> int:
        """The number of a filter."""
        return int(core.FILTERS[name])

    def _item_of(self, static: Static) -> Static:
        found = Static.of(UNDEFINED)
        for part in static.parts or ():
            found = found.join(part)
        if static.item is not None:
            found = found.join(static.item)
        return found.join(Static.of("text")) if static.may_be("text") else found

    def _attribute(self, node: nodes.Expr, name: str, register: int, static: Static, target: int) -> Static:
        if static.names and name in static.names and static.kinds == {TUPLE}:
            return self._named_item(node, name, register, static, target)
        field = self._field(node, name, static)
        if field is not None:
            self._readable(self.table.type(field), node)
            self.code.emit("field", target, register, field, span=self.span(node))
            found = self.table.static(field)
            return found.join(Static.of(UNDEFINED)) if static.may_be(NONE, UNDEFINED) else found
        having = [kind for kind in static.kinds if name in _METHODS[kind]]
        if having:
            self.refuse(f"the attribute {name!r} of {spoken(*having)}", node)
        if self.options.undefined == "error" and static.without(NONE, UNDEFINED).kinds:
            self._unknown_field(node, name, static)
        self.code.emit("absent_field", target, register, self.code.constant(name), span=self.span(node))
        return Static.of(UNDEFINED)

    def _named_item(self, node: nodes.Expr, name: str, register: int, static: Static, target: int) -> Static:
        at = static.names.index(name)
        self.part(node, at, register, static, target)
        return static.parts[at] if static.parts else static.iterated()

    def _field(self, node: nodes.Expr, name: str, static: Static) -> int | None:
        if not static.may_be("record"):
            return None
        if static.source in (SEVERAL, NOWHERE) or static.without("record", NONE, UNDEFINED).kinds:
            self.refuse("an attribute of a value that may come from several columns", node)
        found = self.table.type(static.source).field(name)
        return None if found is None else self.table.field(static.source, name)

    def _unknown_field(self, node: nodes.Expr, name: str, static: Static) -> None:
        place: nodes.Node | Span = node
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            place = self.tree.positions.of_attribute(node)
        hint = None
        if static.may_be("record"):
            hint = meant(
                name, [known for known, _ in self.table.type(static.source).fields], "The struct has"
            )
        message = (
            f"unknown field {name!r}"
            if hint
            else f"unknown field {name!r} of {spoken(*static.without(NONE, UNDEFINED).kinds)}"
        )
        if self.options.review is None:
            self.tree.fail(message, place, code="unknown_field", hint=hint)
        self.options.review.note("unknown_field", message, self.tree, place, hint)

    def _loop_of(self, node: nodes.Node) -> LoopName | None:
        if isinstance(node, nodes.Name) and node.ctx == "load":
            found = self.scope.lookup(node.name)
            return found if isinstance(found, LoopName) else None
        return None

    def _loop_attribute(
        self, node: nodes.Getattr | nodes.Getitem, name: str, loop: LoopName, target: int
    ) -> Static:
        if name in _LOOP_CONSTANTS:
            return self.constant(_LOOP_CONSTANTS[name] + loop.depth, target, node)
        if name in core.LOOP_ATTRIBUTES:
            self.loop_attribute(loop, name, target, self.span(node))
            if name in _LOOP_ITEMS:
                return loop.item.join(Static.of(UNDEFINED))
            return Static.of("boolean" if name in _LOOP_FLAGS else "integer")
        if hasattr(LoopContext, name):
            self.refuse(f"loop.{name}", node)
        if self.options.undefined == "error":
            place = self.tree.positions.of_attribute(node)
            hint = meant(name, core.LOOP_ATTRIBUTES, "loop has")
            self.tree.fail(f"unknown field {name!r} of loop", place, code="unknown_field", hint=hint)
        return self.undefined(name, target, self.span(node))

    def loop_attribute(self, loop: LoopName, name: str, target: int, span: int) -> None:
        """Leaves what a running loop knows of itself in a register."""
        self.code.emit("loop_attribute", target, loop.loop, core.LOOP_ATTRIBUTES[name], span=span)

    def hold(self, name: str, register: int, static: Static, node: nodes.Node) -> nodes.InternalName:
        """An expression that stands for what a register holds."""
        held = object.__new__(nodes.InternalName)
        nodes.Node.__init__(held, name, lineno=node.lineno)
        self.held[name] = (register, static, self.span(node))
        return held

    def _held(self, node: nodes.InternalName, target: int) -> Static:
        register, static, span = self.held[node.name]
        self.code.emit("move", target, register, span=span)
        return static

    # -- operators

    def _binary(self, node: nodes.BinExpr, target: int) -> Static:
        if isinstance(node, nodes.Mod):
            try:
                text = self.fold(node.left).value
            except nodes.Impossible:
                text = None
            if isinstance(text, str):
                return lower_format(self, node, text, format_arguments(node.right), target)
        left, one = self.operand(node.left)
        right, other = self.operand(node.right)
        static = self._binary_static(node, one, other)
        if (
            self.options.review is not None
            and isinstance(node, (nodes.Mul, nodes.Pow))
            and static.may_be("integer")
        ):
            message = "a product of integers past 64 bits is a row error"
            self.options.review.note(
                "int_overflow", message, self.tree, node, "make one a float, as n|float."
            )
        self.code.emit(_BINARY[type(node)], target, left, right, span=self.span(node))
        return static

    def _binary_static(self, node: nodes.BinExpr, left: Static, right: Static) -> Static:
        if left.may_be(*DATES) and right.may_be(*DATES):
            self.refuse("arithmetic of dates", node)
        if isinstance(node, nodes.Mod) and left.may_be("text"):
            self.refuse("a format that is not constant", node)
        found = _number_kinds(node, left, right)
        item = None
        if isinstance(node, nodes.Add):
            same = left.kinds & right.kinds & {"text", "list", TUPLE}
            found |= same
            if same & {"list", TUPLE}:
                item = left.join(right).item
        if isinstance(node, nodes.Mul):
            found |= _repeated(left, right) | _repeated(right, left)
            item = left.item or right.item
        return Static(frozenset(found), NOWHERE, item)

    def _unary(self, node: nodes.UnaryExpr, target: int) -> Static:
        register, static = self.operand(node.node)
        self.code.emit(_UNARY[type(node)], target, register, span=self.span(node))
        kinds = {"integer"} if static.may_be("boolean", "integer") else set()
        return Static(frozenset(kinds | ({"floating"} & static.kinds)))

    def _not(self, node: nodes.Not, target: int) -> Static:
        register, _ = self.operand(node.node)
        self.code.emit("not", target, register, span=self.span(node))
        return Static.of("boolean")

    def _choice(self, node: nodes.BinExpr, target: int) -> Static:
        done = Label()
        left = self.into(node.left, target)
        jump = "jump_if_false" if isinstance(node, nodes.And) else "jump_if_true"
        self.code.emit(jump, target, done, span=self.span(node.left))
        right = self.into(node.right, target)
        self.code.place(done)
        if isinstance(node, nodes.Or):
            # What is false is passed over.
            left = left.without(NONE, UNDEFINED)
        return left.join(right)

    def _inline_if(self, node: nodes.CondExpr, target: int) -> Static:
        otherwise, done = Label(), Label()
        with self.code.scratch():
            test, _ = self.operand(node.test)
            self.code.emit("jump_if_false", test, otherwise, span=self.span(node.test))
        first = self.into(node.expr1, target)
        if self.options.review is not None:
            with self.options.review.where(node.test):
                first = first.without(NONE) if self.options.review.is_guarded(node.expr1) else first
        self.code.emit("jump", done, span=self.span(node))
        self.code.place(otherwise)
        if node.expr2 is None:
            second = self.undefined("the missing else of an inline if", target, self.span(node), silent=True)
        else:
            second = self.into(node.expr2, target)
        self.code.place(done)
        return first.join(second)

    def _concat(self, node: nodes.Concat, target: int) -> Static:
        first = self.code.take(len(node.nodes))
        for offset, part in enumerate(node.nodes):
            self.printable(self.into(part, first + offset), part, "joining")
        count, markup = len(node.nodes), int(self.autoescape)
        self.code.emit("concat", target, first, count, markup, span=self.span(node))
        return Static.of("text")

    def _compare(self, node: nodes.Compare, target: int) -> Static:
        done = Label()
        left, one = self.operand(node.expr)
        for position, operand in enumerate(node.ops):
            if position:
                self.code.emit("jump_if_false", target, done, span=self.span(node))
            right, other = self.operand(operand.expr)
            self.compare_pair(node, _COMPARE[operand.op], (left, one), (right, other), target)
            left, one = right, other
        self.code.place(done)
        return Static.of("boolean")

    def compare_pair(
        self,
        node: nodes.Node,
        opcode: str,
        left: tuple[int, Static],
        right: tuple[int, Static],
        target: int,
    ) -> None:
        """Leaves in a register how two values compare."""
        one, other = left[1], right[1]
        if opcode in ("contains", "not_contains"):
            if other.may_be("record"):
                self.refuse("in over the names of a struct", node)
            other = other.item or Static.of(NONE)
        if _holds_record(one) and _holds_record(other):
            self.refuse("comparing whole structs", node, hint="compare their fields.")
        self.code.emit(opcode, target, left[0], right[0], span=self.span(node))

    def _sequence(self, node: nodes.List | nodes.Tuple, target: int) -> Static:
        kind = "tuple" if isinstance(node, nodes.Tuple) else "list"
        first = self.code.take(len(node.items))
        item: Static | None = None
        for offset, entry in enumerate(node.items):
            static = self.into(entry, first + offset)
            item = static if item is None else item.join(static)
        self.code.emit(kind, target, first, len(node.items), span=self.span(node))
        return Static(frozenset({kind}), NOWHERE, item)


def _number_kinds(node: nodes.BinExpr, left: Static, right: Static) -> set[str]:
    one, other = left.kinds & NUMBERS, right.kinds & NUMBERS
    if not one or not other:
        return set()
    if isinstance(node, nodes.Div):
        return {"floating"}
    kinds = {"floating"} if "floating" in one | other else set()
    return kinds | ({"integer"} if one - {"floating"} and other - {"floating"} else set())


def _repeated(sequence: Static, times: Static) -> set[str]:
    if not times.may_be("integer", "boolean"):
        return set()
    return set(sequence.kinds & {"text", "list", TUPLE})


def _holds_record(static: Static | None) -> bool:
    return static is not None and (static.may_be("record") or _holds_record(static.item))


_LOWER: dict[type[Any], Callable[[Expressions, Any, int], Static]] = {
    nodes.Name: Expressions._name,
    nodes.InternalName: Expressions._held,
    nodes.Getattr: Expressions._getattr,
    nodes.Getitem: Expressions._getitem,
    **dict.fromkeys(_BINARY, Expressions._binary),
    **dict.fromkeys(_UNARY, Expressions._unary),
    nodes.Not: Expressions._not,
    nodes.And: Expressions._choice,
    nodes.Or: Expressions._choice,
    nodes.CondExpr: Expressions._inline_if,
    nodes.Concat: Expressions._concat,
    nodes.Compare: Expressions._compare,
    nodes.List: Expressions._sequence,
    nodes.Tuple: Expressions._sequence,
    nodes.Filter: lower_filter,
    nodes.Test: lower_test,
    nodes.Call: lower_call,
}
