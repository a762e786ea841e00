"""Lowering of expressions: each node of Jinja2's becomes instructions that leave its value in a register."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE

from labfactory._core import plan as core
from labfactory.compiler.attributes import lower_getattr, lower_getitem
from labfactory.compiler.calls import lower_call, lower_filter, lower_test
from labfactory.compiler.constants import check_constant
from labfactory.compiler.fold import Folded, Folder, is_loose
from labfactory.compiler.i18n import constant_message, lower_message
from labfactory.compiler.names import loaded, lower_name
from labfactory.compiler.object_values import lower_of_objects
from labfactory.compiler.operators import (
    BINARY,
    UNARY,
    lower_binary,
    lower_choice,
    lower_comparison,
    lower_concat,
    lower_dict,
    lower_inline_if,
    lower_not,
    lower_sequence,
    lower_unary,
)
from labfactory.compiler.scope import Options, Scope, Unassigned, Variable
from labfactory.compiler.sequences import iterable
from labfactory.compiler.types import (
    CONTAINERS,
    GENERATOR,
    TUPLE,
    UNDEFINED,
    VIEW,
    Static,
    Type,
    joined,
    static_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labfactory.compiler.code import Code
    from labfactory.compiler.columns import ColumnTable
    from labfactory.compiler.syntax import SyntaxTree

# What templates write as constants.
_LITERALS = frozenset({str, int, float, bool, type(None)})
_MESSAGES = (nodes.Call, nodes.Mod, nodes.MarkSafeIfAutoescape)
# What may have to do with macros, namespaces and other objects.
_OF_OBJECTS = frozenset(
    {
        nodes.Call,
        nodes.Getattr,
        nodes.Getitem,
        nodes.CondExpr,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Test,
        nodes.Filter,
    }
)
_NAMES: dict[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.Slice: "a slice",
    nodes.NSRef: "namespace assignment",
}


class _Borrowing:
    """How values are read for a while; as most statements begin one, it is no generator."""

    __slots__ = ("_borrows", "_outer", "_values")

    def __init__(self, values: Expressions, borrows: bool) -> None:  # noqa: FBT001 - no one else makes it
        self._values, self._borrows = values, borrows

    def __enter__(self) -> None:
        self._outer, self._values.borrows = self._values.borrows, self._borrows

    def __exit__(self, *_: object) -> None:
        self._values.borrows = self._outer


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
    # Whether what is read now is used there and then, and kept nowhere.
    borrows: bool = False
    # The place of what reads a generator, while what that runs is lowered.
    read_at: int | None = None

    # The places of nodes by their identity; the nodes are kept, so that no other takes it.
    _spans: dict[int, int] = field(default_factory=dict)
    _placed: list[nodes.Node] = field(default_factory=list)

    # -- what statements call

    def span(self, node: nodes.Node) -> int:
        """The index of a node's place."""
        if self.read_at is not None:
            return self.read_at
        known = self._spans.get(id(node))
        if known is None:
            known = self._spans[id(node)] = self.code.span(self.template, self.tree.positions.of(node))
            self._placed.append(node)
        return known

    def fold(self, node: nodes.Node) -> Folded:
        """The constant that an expression is; raises `nodes.Impossible` when it is none."""
        folded = self.folded(node)
        if folded is None:
            raise nodes.Impossible
        return folded

    def folded(self, node: nodes.Node) -> Folded | None:
        """The constant that an expression is; None when it is none."""
        if is_loose(node, self.options.constants, has_messages=self.options.catalogue is not None):
            return None
        if isinstance(node, nodes.Const) and type(node.value) in _LITERALS:
            return Folded(node.value)
        context = nodes.EvalContext(self.tree.jinja, self.tree.name)
        context.autoescape = self.autoescape
        folder = Folder(context, self._named_constant, partial(constant_message, self))
        with suppress(nodes.Impossible):
            return folder.fold(node)
        return None

    def operand(self, node: nodes.Node, *, lazily: bool = False) -> tuple[int, Static]:
        """The register that holds an expression's value: a variable's own, or a fresh one."""
        if isinstance(node, nodes.Name):
            found = self.scope.lookup(node.name)
            if isinstance(found, Variable):
                return found.register, self._settled(node, loaded(self, node, found), lazily=lazily)
        register = self.code.take()
        return register, self.into(node, register, lazily=lazily)

    def into(self, node: nodes.Node, target: int, *, lazily: bool = False) -> Static:
        """Leaves an expression's value in a register.

        Args:
            node: The expression.
            target: The register.
            lazily: Whether a generator may be left there, as one that runs where it is read.
        """
        folded = self.folded(node)
        if folded is not None:
            return self.constant(folded.value, target, node)
        top = self.code.top
        if lazily and isinstance(node, nodes.Filter):
            static = lower_filter(self, node, target, lazily=True)
        else:
            static = self._settled(node, self._lower(node, target), lazily=lazily)
        self.code.top = top
        return static

    def _settled(self, node: nodes.Node, static: Static, *, lazily: bool) -> Static:
        if static.may_be(GENERATOR, VIEW) and not lazily:
            what = "a generator" if static.may_be(GENERATOR) else "a view or range"
            self.refuse(f"{what} as a value", node, hint="make a list of it, by |list.")
        return static

    def borrowing(self, *, borrows: bool = True) -> _Borrowing:
        """What is read within is used there and then: lists that grow may be read so; else it is kept."""
        return _Borrowing(self, borrows)

    @contextmanager
    def reading(self, place: int | None) -> Iterator[None]:
        """What is lowered within runs where a generator is read; None for what stands where it is written."""
        outer, self.read_at = self.read_at, place
        try:
            yield
        finally:
            self.read_at = outer

    def borrow(self, node: nodes.Node, target: int) -> Static:
        """Leaves a value in a register, of which nothing is kept where it is a name's own."""
        with self.borrowing(borrows=self.borrows or isinstance(node, nodes.Name)):
            return self.into(node, target)

    def iterable(self, node: nodes.Node) -> tuple[int, Static]:
        """The register of what is gone through; the items of a generator as a list."""
        return iterable(self, node)

    def root_column(self, node: nodes.Expr) -> int | None:
        """The entry of the scalar column that an expression is, if it is one."""
        if not isinstance(node, nodes.Name) or not isinstance(self.scope.lookup(node.name), Unassigned):
            return None
        if node.name in self.options.constants or node.name not in self.options.columns:
            return None
        found = self.readable(self.options.columns[node.name], node)
        return self.table.root(node.name) if found.is_scalar else None

    def printable(self, static: Static, node: nodes.Node) -> None:
        """Makes ready what is read as text: lists and dicts with all that they hold."""
        if static.may_be(*CONTAINERS):
            self.whole(static, node)

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

    def refuse(self, what: str, node: nodes.Node, *, hint: str | None = None) -> NoReturn:
        """Raises the error that names what this version does not cover."""
        self.tree.fail(f"{what} is not covered in this version", node, hint=hint)

    def undefined(self, name: str, target: int, span: int, *, silent: bool = False) -> Static:
        """Leaves an undefined value in a register."""
        self.code.emit("undefined", target, self.code.constant(name), int(silent), span=span)
        return Static.of(UNDEFINED)

    def column(self, name: str, target: int, node: nodes.Node) -> Static:
        """Leaves a column's value in a register."""
        self.readable(self.options.columns[name], node)
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
        if self.options.catalogue is not None and isinstance(node, _MESSAGES):
            static = lower_message(self, node, target)
            if static is not None:
                return static
        kind = type(node)
        if kind in _OF_OBJECTS:
            static = lower_of_objects(self, node, target)
            if static is not None:
                return static
        lower = _LOWER.get(kind)
        if lower is None:
            self.refuse(_NAMES.get(kind, kind.__name__.lower()), node)
        return lower(self, node, target)

    def readable(self, found: Type, node: nodes.Node) -> Type:
        """The type of a column or field, refused where values of it are not read."""
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


_LOWER: dict[type[Any], Callable[[Expressions, Any, int], Static]] = {
    nodes.Name: lower_name,
    nodes.InternalName: Expressions._held,
    nodes.Getattr: lower_getattr,
    nodes.Getitem: lower_getitem,
    **dict.fromkeys(BINARY, lower_binary),
    **dict.fromkeys(UNARY, lower_unary),
    nodes.Not: lower_not,
    nodes.And: lower_choice,
    nodes.Or: lower_choice,
    nodes.CondExpr: lower_inline_if,
    nodes.Concat: lower_concat,
    nodes.Compare: lower_comparison,
    nodes.Dict: lower_dict,
    nodes.List: lower_sequence,
    nodes.Tuple: lower_sequence,
    nodes.Filter: lower_filter,
    nodes.Test: lower_test,
    nodes.Call: lower_call,
}
