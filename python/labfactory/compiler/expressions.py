"""Lowering of expressions: each node of Jinja2's becomes instructions that leave its value in a register."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from decimal import Decimal
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
from labfactory.compiler.constants import check_constant
from labfactory.compiler.fold import Folded, Folder
from labfactory.compiler.formats import (
    format_arguments,
    is_named,
    lower_format,
    lower_named_format,
    named_values,
)
from labfactory.compiler.hints import meant
from labfactory.compiler.i18n import constant_message, lower_message
from labfactory.compiler.object_calls import ObjectCalls
from labfactory.compiler.results import holds_dict, result_of
from labfactory.compiler.scope import LoopName, Options, Scope, Unassigned, Variable
from labfactory.compiler.sequences import iterable
from labfactory.compiler.types import (
    CONTAINERS,
    DICTS,
    GENERATOR,
    NONE,
    PARTS,
    SEQUENCES,
    TUPLE,
    UNDEFINED,
    UNSET,
    VIEW,
    Static,
    Type,
    joined,
    spoken,
    static_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from labfactory.compiler.code import Code
    from labfactory.compiler.columns import ColumnTable
    from labfactory.compiler.positions import Span
    from labfactory.compiler.review import Reviewer
    from labfactory.compiler.syntax import SyntaxTree

_BINARY = {
    nodes.Add: "add",
    nodes.Sub: "subtract",
    nodes.Mul: "multiply",
    nodes.Div: "divide",
    nodes.FloorDiv: "floor_divide",
    nodes.Mod: "modulo",
    nodes.Pow: "power",
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
    "decimal": frozenset(dir(Decimal)),
    "list": frozenset(dir(list)),
    "tuple": frozenset(dir(tuple)),
    **dict.fromkeys(DICTS, frozenset(dir(dict))),
    "none": frozenset(dir(None)),
    "date": frozenset(dir(datetime.date)),
    "timestamp": frozenset(dir(datetime.datetime)),
    "zoned": frozenset(dir(datetime.datetime)),
    "time": frozenset(dir(datetime.time)),
    "duration": frozenset(dir(datetime.timedelta)),
    "undefined": frozenset(name for name in dir(jinja2.StrictUndefined) if name.startswith("_")),
}
_NAMES: dict[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.Slice: "a slice",
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
        if static.may_be(GENERATOR, VIEW) and not lazily:
            what = "a generator" if static.may_be(GENERATOR) else "a view or range"
            self.refuse(f"{what} as a value", node, hint="make a list of it, by |list.")
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

    def root_column(self, node: nodes.Expr) -> int | None:
        """The entry of the scalar column that an expression is, if it is one."""
        if not isinstance(node, nodes.Name) or not isinstance(self.scope.lookup(node.name), Unassigned):
            return None
        if node.name in self.options.constants or node.name not in self.options.columns:
            return None
        found = self._readable(self.options.columns[node.name], node)
        return self.table.root(node.name) if found.is_scalar else None

    def printable(self, static: Static, node: nodes.Node, what: str = "printing") -> None:
        """Makes ready what is read as text: lists and dicts with all that they hold."""
        if static.may_be(*CONTAINERS):
            self.whole(static, node)
            if self._holds(static, "zoned"):
                # Its repr names an object that Arrow does not tell: timezone.utc, ZoneInfo(key='UTC').
                hint = "print it by itself."
                self.refuse(f"{what} a list or dict that holds a timestamp with zone", node, hint=hint)

    def whole(self, static: Static, node: nodes.Node) -> Static:
        """Reads all that a value may hold, and tells what is known of a dict's values.

        The core takes a struct for a dict only when it has all of it.
        """
        self.as_dict(static, node)
        item = static.item if static.may_be(*CONTAINERS) else None
        value = static.value if static.may_be("dict", "map") else None
        for inner in filter(None, [item, value, *(static.parts or ())]):
            self.whole(inner, node)
        return replace(static, value=self.values(static))

    def as_dict(self, static: Static, node: nodes.Node) -> None:
        """Reads all fields of the structs that a value may be."""
        for source in static.sources if static.may_be("record") else ():
            self._readable_within(self.table.type(source), node)
            self.table.whole(source)

    def values(self, static: Static) -> Static | None:
        """What is known of the values of a dict."""
        return joined(filter(None, [static.value, *map(self.table.values, sorted(static.sources))]))

    def _holds(self, static: Static, kind: str) -> bool:
        within = filter(None, [static.item, self.values(static), *(static.parts or ())])
        return any(inner.may_be(kind) or self._holds(inner, kind) for inner in within)

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
        check_constant(self, value, node)
        self.code.emit("constant", target, self.code.constant(value), span=self.span(node))
        return static_of(value)

    def outcome(self, name: str) -> int:
        """The number of a row's error."""
        return int(core.OUTCOMES[name])

    def is_known(self, name: str) -> bool:
        """Whether a column or a constant has this name."""
        return name in self.options.columns or name in self.options.constants

    def is_absent(self, name: str) -> bool:
        """Whether a name from outside is undefined for every row, and may be."""
        given = self.is_known(name) or name in DEFAULT_NAMESPACE or name in ("slot", "self")
        if given or self.options.functions.get(name) is not None:
            return False
        return self.options.undefined != "error" or name in self.options.optional

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
        inner = found.item if found.kind == "list" else found
        while inner is not None and inner.kind == "list":
            inner = inner.item
        if inner is not None and inner.kind != "record":
            self._readable_within(inner, node)
        return found

    def _readable_within(self, found: Type, node: nodes.Node) -> None:
        unreadable = found.unreadable
        if unreadable is not None:
            message = f"expected a column of a type that templates read, found {unreadable.spelling}"
            hint = "cast it to text, a number, a date or a timestamp."
            self.tree.fail(message, node, code="column_type", hint=hint)

    # -- attributes and items

    def _getattr(self, node: nodes.Getattr, target: int) -> Static:
        loop = self._loop_of(node.node)
        if loop is not None:
            return self._loop_attribute(node, node.attr, loop, target)
        register, static = self.operand(node.node)
        if static.may_be(*DICTS) and node.attr in _METHODS["record"]:
            self.refuse(
                f"the method {node.attr!r}", node, hint=f"a field of that name is read by [{node.attr!r}]."
            )
        return self._attribute(node, node.attr, register, static, target)

    def _getitem(self, node: nodes.Getitem, target: int) -> Static:
        if isinstance(node.arg, nodes.Slice):
            return self._slice(node, node.arg, target)
        try:
            index = self.fold(node.arg).value
        except nodes.Impossible:
            index = _ANY
        loop = self._loop_of(node.node)
        if loop is not None and isinstance(index, str):
            return self._loop_attribute(node, index, loop, target)
        register, static = self.operand(node.node)
        if isinstance(index, str) and not static.may_be("dict", "map"):
            return self._attribute(node, str(index), register, static, target)
        at, known = self.operand(node.arg)
        self.as_dict(static, node)
        parts = [kind for kind in static.kinds if kind in PARTS]
        self.code.emit("subscript", target, register, at, span=self.span(node))
        found = self._item_of(static)
        return found.join(Static.of("integer")) if parts and known.may_be("text") else found

    def _slice(self, node: nodes.Getitem, bounds: nodes.Slice, target: int) -> Static:
        first = self.code.take(4)
        static = self.into(node.node, first)
        for offset, bound in enumerate((bounds.start, bounds.stop, bounds.step), start=1):
            if bound is None:
                self.constant(None, first + offset, node)
            else:
                self.into(bound, first + offset)
        self.code.emit("slice", target, first, 4, span=self.span(node))
        # The chainable undefined is its own slice.
        return Static(static.kinds & (SEQUENCES | {"text", UNDEFINED}), item=static.items())

    def item(self, static: Static, node: nodes.Node) -> Static:
        """What is known of the items of a value that is looped over or unpacked."""
        self.as_dict(static, node)
        return static.iterated()

    def unpacked(self, static: Static, count: int, node: nodes.Node) -> list[Static]:
        """What is known of each item of a value that is unpacked."""
        if static.parts is not None and len(static.parts) == count and static.kinds == {TUPLE}:
            return list(static.parts)
        return [self.item(static, node)] * count

    def filter_number(self, name: str) -> int:
        """The number of a filter."""
        return int(core.FILTERS[name])

    def test_number(self, name: str) -> int:
        """The number of a test."""
        return int(core.TESTS[name])

    def _item_of(self, static: Static) -> Static:
        text = Static.of("text") if static.may_be("text") else None
        item = static.items() if static.may_be(*SEQUENCES) else None
        values = self.values(static) if static.may_be(*DICTS) else None
        found = joined(filter(None, [text, values, item]))
        return found.join(Static.of(UNDEFINED)) if found else Static.of(UNDEFINED)

    def _attribute(self, node: nodes.Expr, name: str, register: int, static: Static, target: int) -> Static:
        if static.names and name in static.names and static.kinds == {TUPLE}:
            return self._named_item(node, name, register, static, target)
        fields = self._fields(node, name, static)
        having = [kind for kind in static.kinds if name in _METHODS[kind] and name not in PARTS.get(kind, ())]
        if having and not (fields and static.kinds <= {"record", NONE, UNDEFINED}):
            self.refuse(f"the attribute {name!r} of {spoken(*sorted(having))}", node)
        parts = [kind for kind in static.kinds if name in PARTS.get(kind, ())]
        if not fields and not parts and not static.may_be("dict", "map"):
            if self.options.undefined == "error" and static.without(NONE, UNDEFINED).kinds:
                self._unknown_field(node, name, static)
            self.code.emit("absent_field", target, register, self.code.constant(name), span=self.span(node))
            return Static.of(UNDEFINED)
        found = joined(self.table.static(entry) for entry in fields)
        if fields and len(static.sources) == 1 and static.kinds <= {"record", NONE, UNDEFINED}:
            self.code.emit("field", target, register, fields[0], span=self.span(node))
            is_sure = not static.may_be(NONE, UNDEFINED)
        else:
            self.code.emit("attribute", target, register, self.code.constant(name), span=self.span(node))
            of_dict = static.value if static.may_be("dict", "map") else None
            found = joined(filter(None, [found, of_dict, Static.of("integer") if parts else None]))
            is_sure = static.kinds <= {*parts}
        return found.join(Static.of(UNDEFINED)) if found and not is_sure else found or Static.of(UNDEFINED)

    def _fields(self, node: nodes.Expr, name: str, static: Static) -> list[int]:
        """The entries of the field in all structs that the value may be."""
        found = [self.table.field(source, name) for source in sorted(static.sources)]
        fields = [entry for entry in found if entry is not None]
        for entry in fields:
            self._readable(self.table.type(entry), node)
        return fields

    def _named_item(self, node: nodes.Expr, name: str, register: int, static: Static, target: int) -> Static:
        at = static.names.index(name)
        self.part(node, at, register, static, target)
        return static.parts[at] if static.parts else static.iterated()

    def _unknown_field(self, node: nodes.Expr, name: str, static: Static) -> None:
        place: nodes.Node | Span = node
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            place = self.tree.positions.of_attribute(node)
        hint = None
        if static.may_be("record"):
            hint = meant(
                name,
                [known for source in static.sources for known, _ in self.table.type(source).fields],
                "The struct has",
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
            if isinstance(text, str) and is_named(text):
                values = named_values(node.right)
                if values is None:
                    self.refuse("a format by name of what is no dict literal", node)
                return lower_named_format(self, node, text, values, target)
            if isinstance(text, str):
                return lower_format(self, node, text, format_arguments(node.right), target)
        left, one = self.operand(node.left)
        right, other = self.operand(node.right)
        static = self._binary_static(node, one, other)
        if self.options.review is not None and static.may_be("integer"):
            self._review_product(node, self.options.review)
        self.code.emit(_BINARY[type(node)], target, left, right, span=self.span(node))
        return static

    def _review_product(self, node: nodes.BinExpr, review: Reviewer) -> None:
        small = any(isinstance(side, nodes.Const) for side in (node.left, node.right))
        if isinstance(node, nodes.Pow) or (isinstance(node, nodes.Mul) and not small):
            message = "a product of integers past 64 bits is a row error"
            review.note("int_overflow", message, self.tree, node, "make one a float, as n|float.")

    def _binary_static(self, node: nodes.BinExpr, left: Static, right: Static) -> Static:
        if isinstance(node, nodes.Pow) and left.join(right).may_be("decimal"):
            self.refuse("** of decimals", node)
        if isinstance(node, nodes.Mod) and left.may_be("text"):
            self.refuse("a format that is not constant", node)
        return result_of(node, left, right)

    def _unary(self, node: nodes.UnaryExpr, target: int) -> Static:
        register, static = self.operand(node.node)
        self.code.emit(_UNARY[type(node)], target, register, span=self.span(node))
        kinds = {"integer"} if static.may_be("boolean", "integer") else set()
        return Static(frozenset(kinds | ({"floating", "decimal", "duration"} & static.kinds)))

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
            # What is looked into may be a view, a range or a generator.
            is_search = operand.op in ("in", "notin")
            right, other = (self.iterable if is_search else self.operand)(operand.expr)
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
            self.as_dict(other, node)
            other = other.iterated()
        if holds_dict(one) and holds_dict(other):
            self.whole(one, node)
            self.whole(other, node)
        self.code.emit(opcode, target, left[0], right[0], span=self.span(node))

    def _sequence(self, node: nodes.List | nodes.Tuple, target: int) -> Static:
        kind = "tuple" if isinstance(node, nodes.Tuple) else "list"
        first = self.code.take(len(node.items))
        items = [self.into(entry, first + offset) for offset, entry in enumerate(node.items)]
        self.code.emit(kind, target, first, len(node.items), span=self.span(node))
        parts = tuple(items) if kind == "tuple" else None
        return Static(frozenset({kind}), item=joined(items), parts=parts)

    def _dict(self, node: nodes.Dict, target: int) -> Static:
        first = self.code.take(2 * len(node.items))
        keys, values = [], []
        for at, pair in enumerate(node.items):
            keys.append(self.into(pair.key, first + 2 * at))
            values.append(self.into(pair.value, first + 2 * at + 1))
        self.code.emit("dict", target, first, 2 * len(node.items), span=self.span(node))
        return Static(frozenset({"dict"}), item=joined(keys), value=joined(values))


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
    nodes.Dict: Expressions._dict,
    nodes.List: Expressions._sequence,
    nodes.Tuple: Expressions._sequence,
    nodes.Filter: lower_filter,
    nodes.Test: lower_test,
    nodes.Call: lower_call,
}
