"""Filters that go through sequences, as loops; those that Jinja2 runs lazily run where they are read.

A generator keeps the values that it was made of: the source and the arguments, evaluated where the filter
stands. Its loop is emitted where its items are wanted, so that a chain of filters handles one item after the
other, as Jinja2's do, and an error comes where Jinja2's would.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from labfactory._core import plan as core
from labfactory.compiler.applied import AppliedFilter, AppliedTest, FilterCall, is_sequence
from labfactory.compiler.code import Label
from labfactory.compiler.filters import FILTER_ALIASES, MAPPING_FILTERS, SEQUENCE_FILTERS, list_of, pair_of
from labfactory.compiler.types import GENERATOR, NONE, TUPLE, UNDEFINED, VIEW, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labfactory.compiler.expressions import Expressions

    Body = Callable[[int, Static], None]
    Run = Callable[[Expressions, Sequence[int], Body], None]

# CPython adds floats with compensation since 3.12.
_COMPENSATED = sys.version_info >= (3, 12)


@dataclass(eq=False, slots=True)
class Lazy:
    """A generator before it is read.

    Args:
        count: How many values it keeps.
        run: Emits its loop over registers that hold those, with a body for each item.
        loops: How many loops ran where it was made.
        is_spent: Whether a place that reads it was lowered.
    """

    count: int
    run: Run
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

    def each(self, lowering: Expressions, body: Body) -> None:
        """Emits a loop over its items."""
        if self.static.lazy is not None:
            self.static.lazy.run(lowering, self.registers, body)
        else:
            _loop(lowering, self.node, self.registers[0], self.static, body)

    def gathered(self, lowering: Expressions) -> tuple[int, Static]:
        """Its items as a list in a register."""
        if not self.is_generator:
            return _as_list(lowering, self.node, self.registers[0], self.static)
        return _collected(lowering, self.node, self.each)

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
        kept = Lazy(len(self.registers), lazy.run, lowering.code.depth)
        return Static(frozenset({GENERATOR}), lazy=kept)


def source_of(lowering: Expressions, node: nodes.Expr) -> Source:
    """What an expression gives to be gone through: its values are evaluated, no generator runs yet."""
    if isinstance(node, nodes.Filter) and node.node is not None:
        call = FilterCall(node, FILTER_ALIASES.get(node.name, node.name), node.args, node.kwargs)
        if is_sequence(call):
            if node.dyn_args is not None or node.dyn_kwargs is not None:
                lowering.refuse("a call with * or **", node)
            source = source_of(lowering, node.node)
            prepared = SequenceFilter.prepare(lowering, call)
            return prepared.apply(lowering, prepared.registers, source)
    register, static = lowering.operand(node, lazily=True)
    return Source(node, (register,), _unpacking(lowering, node, static))


def _unpacking(lowering: Expressions, node: nodes.Expr, static: Static) -> Static:
    """What is known of a value once a generator in it is about to be read."""
    if static.may_be(VIEW) and not static.may_be(GENERATOR):
        return replace(static, kinds=static.kinds - {VIEW} | {"list"})
    if not static.may_be(GENERATOR):
        return static
    lazy = static.lazy
    if lazy is None or static.kinds != {GENERATOR}:
        lowering.refuse("reading a generator that may be another value too", node, hint=_AS_LIST)
    if lazy.is_spent or lowering.code.depth > lazy.loops:
        lowering.refuse("reading a generator more than once", node, hint=_AS_LIST)
    lazy.is_spent = True

    def run(lowering: Expressions, registers: Sequence[int], body: Body) -> None:
        span = lowering.span(node)
        first = lowering.code.take(lazy.count)
        at = lowering.code.take()
        for offset in range(lazy.count):
            lowering.constant(offset, at, node)
            lowering.code.emit("subscript", first + offset, registers[0], at, span=span)
        lazy.run(lowering, range(first, first + lazy.count), body)

    return Static(frozenset({GENERATOR}), lazy=Lazy(1, run, lazy.loops))


_AS_LIST = "make a list of it where it is set, by |list."


def iterable(lowering: Expressions, node: nodes.Node) -> tuple[int, Static]:
    """The register of what a loop goes through; a generator's items as a list."""
    assert isinstance(node, nodes.Expr)
    source = source_of(lowering, node)
    return source.gathered(lowering) if source.is_generator else (source.registers[0], source.static)


# -- loops


def _loop(lowering: Expressions, node: nodes.Expr, register: int, static: Static, body: Body) -> None:
    code, span = lowering.code, lowering.span(node)
    if static.may_be("text", "record"):
        register, static = _as_list(lowering, node, register, static)
    begin, step, empty = Label(), Label(), Label()
    with code.scratch(), code.loop() as loop:
        item = code.take()
        code.emit("loop_begin", loop, register, item, empty, span=span)
        code.place(begin)
        body(item, static.iterated())
        code.place(step)
        code.emit("loop_next", loop, item, begin, span=span)
        code.place(empty)


def _as_list(lowering: Expressions, node: nodes.Expr, register: int, static: Static) -> tuple[int, Static]:
    if static.may_be("record"):
        lowering.whole(static, node)
    target = lowering.code.take()
    _emit(lowering, node, "list", [register], target)
    return target, list_of(static.iterated())


def _collected(
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


def _emit(lowering: Expressions, node: nodes.Expr, name: str, values: Sequence[int], target: int) -> None:
    """Calls a filter of the core on values in registers."""
    code, span = lowering.code, lowering.span(node)
    first = code.take(len(values))
    for offset, register in enumerate(values):
        code.emit("move", first + offset, register, span=span)
    code.emit("filter", target, core.FILTERS[name], first, len(values), span=span)


# -- attributes

_NOT_CONSTANT = "an attribute that is not constant"


def path_of(lowering: Expressions, node: nodes.Expr | None) -> list[str | int] | None:
    """The parts of an attribute's name, as Jinja2 splits it; None where there is none."""
    if node is None:
        return None
    value = _constant_of(lowering, node, _NOT_CONSTANT)
    if value is None:
        return None
    if isinstance(value, str):
        return [_part(lowering, node, part) for part in value.split(".")]
    if isinstance(value, int):
        return [int(value)]
    return lowering.refuse(f"an attribute of type {type(value).__name__}", node)


def _part(lowering: Expressions, node: nodes.Expr, part: str) -> str | int:
    if part.isdigit() and not part.isascii():
        lowering.refuse("an index in other digits", node)
    return int(part) if part.isdigit() else part


def _constant_of(lowering: Expressions, node: nodes.Expr, what: str) -> Any:
    try:
        return lowering.fold(node).value
    except nodes.Impossible:
        lowering.refuse(what, node)


def follow(
    lowering: Expressions,
    node: nodes.Expr,
    parts: Sequence[str | int],
    item: tuple[int, Static],
    target: int,
    default: tuple[int, Static] | None = None,
) -> Static:
    """Leaves in a register what a path of attributes finds in an item."""
    register, static = item
    if not parts:
        lowering.code.emit("move", target, register, span=lowering.span(node))
    for part in parts:
        static = lowering.part(node, part, register, static, target)
        if default is not None and static.may_be(UNDEFINED):
            with lowering.code.scratch():
                off = lowering.code.take()
                lowering.constant(False, off, node)  # noqa: FBT003
                _emit(lowering, node, "default", [target, default[0], off], target)
            static = static.without(UNDEFINED).join(default[1])
        register = target
    return static


# -- the filters


@dataclass(frozen=True, slots=True)
class SequenceFilter:
    """A filter of sequences whose arguments are evaluated.

    Args:
        call: The filter as it is called.
        given: Arguments by name; empty for those that hand them on.
        registers: What it keeps: its arguments, in the order of `names`.
        names: Names of the arguments that are kept.
        statics: What is known of them.
        applied: The filter or test that it applies to each item.
    """

    call: FilterCall
    given: dict[str, nodes.Expr]
    registers: tuple[int, ...]
    names: tuple[str, ...] = ()
    statics: tuple[Static, ...] = ()
    applied: AppliedFilter | AppliedTest | SequenceFilter | None = None

    @classmethod
    def prepare(cls, lowering: Expressions, call: FilterCall) -> SequenceFilter:
        """Evaluates the arguments."""
        if call.name in MAPPING_FILTERS:
            return _prepare_mapping(lowering, call)
        parameters = SEQUENCE_FILTERS[call.name]
        given = call.bind(lowering, parameters)
        evaluated: dict[str, tuple[int, Static]] = {}
        for name, argument in given.items():
            if name != "attribute":
                register = lowering.code.take()
                evaluated[name] = (register, lowering.into(argument, register))
        for name, default in parameters:
            if name not in given and name != "attribute":
                register = lowering.code.take()
                evaluated[name] = (register, lowering.constant(default, register, call.node))
        return cls(
            call,
            given,
            tuple(register for register, _ in evaluated.values()),
            tuple(evaluated),
            tuple(static for _, static in evaluated.values()),
        )

    def apply(self, lowering: Expressions, registers: Sequence[int], source: Source) -> Source:
        """What it makes of a source; `registers` hold the arguments now."""
        return _APPLY[self.call.name](lowering, self, registers, source)

    def run(
        self, lowering: Expressions, registers: Sequence[int], item: tuple[int, Static], target: int
    ) -> Static:
        """What it makes of an item that is itself a sequence."""
        found = self.apply(lowering, registers, Source(self.call.node, (item[0],), item[1]))
        if found.is_generator:
            lowering.refuse("a generator of generators", self.call.node, hint="write a loop.")
        lowering.code.emit("move", target, found.registers[0], span=lowering.span(self.call.node))
        return found.static

    def argument(self, registers: Sequence[int], name: str) -> tuple[int, Static]:
        """The register of an argument, and what is known of it."""
        at = self.names.index(name)
        return registers[at], self.statics[at]

    def path(self, lowering: Expressions) -> list[str | int] | None:
        """The attribute that it is asked to look at."""
        return path_of(lowering, self.given.get("attribute"))


def _prepare_mapping(lowering: Expressions, call: FilterCall) -> SequenceFilter:
    args, kwargs = [*call.args], {str(k.key): k.value for k in call.kwargs}
    given: dict[str, nodes.Expr] = {}
    if call.name == "map" and not args:
        return _prepare_attribute(lowering, call, kwargs)
    if call.name.endswith("attr"):
        if not args:
            lowering.tree.fail(
                f"expected the name of an attribute for {call.name}", call.node, code="arguments"
            )
        given["attribute"] = args.pop(0)
    if not args:
        if call.kwargs:
            lowering.tree.fail(f"expected a test for {call.name}", call.node, code="arguments")
        return SequenceFilter(call, given, ())
    name = _constant_of(lowering, args.pop(0), "the name of a filter or test that is not constant")
    if not isinstance(name, str):
        lowering.refuse("the name of a filter or test that is not text", call.node)
    applied: AppliedFilter | AppliedTest | SequenceFilter
    if call.name == "map":
        inner = FilterCall(call.node, FILTER_ALIASES.get(name, name), args, call.kwargs)
        if is_sequence(inner):
            applied = SequenceFilter.prepare(lowering, inner)
        else:
            applied = AppliedFilter.prepare(lowering, inner)
    else:
        if call.kwargs:
            args += [keyword.value for keyword in call.kwargs]
        applied = AppliedTest.prepare(lowering, call.node, name, args)
    return SequenceFilter(call, given, tuple(applied.registers), applied=applied)


def _prepare_attribute(
    lowering: Expressions, call: FilterCall, kwargs: dict[str, nodes.Expr]
) -> SequenceFilter:
    if "attribute" not in kwargs or not kwargs.keys() <= {"attribute", "default"}:
        message = "expected the name of a filter, or attribute and default, for map"
        lowering.tree.fail(message, call.node, code="arguments")
    default = kwargs.get("default")
    if default is None:
        return SequenceFilter(call, kwargs, ())
    register = lowering.code.take()
    static = lowering.into(default, register)
    _check_default(lowering, default, static)
    return SequenceFilter(call, kwargs, (register,), ("default",), (static,))


def _check_default(lowering: Expressions, node: nodes.Expr, static: Static) -> None:
    if static.may_be(NONE) and static.kinds != {NONE}:
        lowering.refuse("a default that may be none", node, hint="give it one itself, as (x or '').")


def _default(prepared: SequenceFilter, registers: Sequence[int]) -> tuple[int, Static] | None:
    if "default" not in prepared.names:
        return None
    found = prepared.argument(registers, "default")
    return None if found[1].kinds == {NONE} else found


def _generated(lowering: Expressions, node: nodes.Expr, registers: Sequence[int], run: Run) -> Source:
    lazy = Lazy(len(registers), run, lowering.code.depth)
    return Source(node, tuple(registers), Static(frozenset({GENERATOR}), lazy=lazy))


def _from(source: Source, registers: Sequence[int]) -> Source:
    """The same source whose values lie elsewhere."""
    return Source(source.node, tuple(registers), source.static)


def _map(lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source) -> Source:
    count, node = len(source.registers), prepared.call.node
    parts = prepared.path(lowering) if prepared.applied is None else None

    def run(lowering: Expressions, held: Sequence[int], body: Body) -> None:
        def mapped(register: int, static: Static) -> None:
            with lowering.code.scratch():
                target = lowering.code.take()
                if prepared.applied is not None:
                    found = prepared.applied.run(lowering, held[count:], (register, static), target)
                else:
                    default = _default(prepared, held[count:])
                    found = follow(lowering, node, parts or [], (register, static), target, default)
                body(target, found)

        _each_if_true(lowering, _from(source, held[:count]), mapped)

    return _generated(lowering, node, [*source.registers, *registers], run)


def _each_if_true(lowering: Expressions, source: Source, body: Body) -> None:
    """Goes through a source that is true, as `if value:` before a loop does; a generator is."""
    empty = Label()
    if not source.is_generator:
        span = lowering.span(source.node)
        lowering.code.emit("jump_if_false", source.registers[0], empty, span=span)
    source.each(lowering, body)
    lowering.code.place(empty)


def _select(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    count, node = len(source.registers), prepared.call.node
    parts = prepared.path(lowering) or []
    jump = "jump_if_true" if prepared.call.name.startswith("reject") else "jump_if_false"

    def run(lowering: Expressions, held: Sequence[int], body: Body) -> None:
        def selected(register: int, static: Static) -> None:
            passed = Label()
            with lowering.code.scratch():
                found = lowering.code.take()
                known = follow(lowering, node, parts, (register, static), found)
                if prepared.applied is not None:
                    prepared.applied.run(lowering, held[count:], (found, known), found)
                lowering.code.emit(jump, found, passed, span=lowering.span(node))
            body(register, static)
            lowering.code.place(passed)

        _each_if_true(lowering, _from(source, held[:count]), selected)

    return _generated(lowering, node, [*source.registers, *registers], run)


def _unique(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    count, node = len(source.registers), prepared.call.node
    parts = prepared.path(lowering) or []

    def run(lowering: Expressions, held: Sequence[int], body: Body) -> None:
        code, span = lowering.code, lowering.span(node)
        case = prepared.argument(held[count:], "case_sensitive")
        seen = code.take()
        code.emit("list", seen, 0, 0, span=span)

        def met(register: int, static: Static) -> None:
            passed = Label()
            with code.scratch():
                key, is_new = code.take(), code.take()
                _key(lowering, node, parts, (register, static), case, key)
                _emit(lowering, node, "is_new", [seen, key], is_new)
                code.emit("jump_if_false", is_new, passed, span=span)
                code.emit("append", seen, key, span=span)
            body(register, static)
            code.place(passed)

        _from(source, held[:count]).each(lowering, met)

    return _generated(lowering, node, [*source.registers, *registers], run)


def _key(
    lowering: Expressions,
    node: nodes.Expr,
    parts: Sequence[str | int],
    item: tuple[int, Static],
    case: tuple[int, Static],
    target: int,
) -> None:
    """Leaves what an item is compared by in a register."""
    static = follow(lowering, node, parts, item, target)
    if static.may_be("text"):
        _emit(lowering, node, "sort_key", [target, case[0]], target)


def _keys(
    lowering: Expressions,
    prepared: SequenceFilter,
    registers: Sequence[int],
    items: tuple[int, Static],
) -> int:
    """The list of what each item is compared by."""
    node = prepared.call.node
    parts = prepared.path(lowering) or []
    case = prepared.argument(registers, "case_sensitive")

    def each(lowering: Expressions, body: Body) -> None:
        def keyed(register: int, static: Static) -> None:
            with lowering.code.scratch():
                key = lowering.code.take()
                _key(lowering, node, parts, (register, static), case, key)
                body(key, static)

        _loop(lowering, node, *items, keyed)

    return _collected(lowering, node, each)[0]


def _extreme(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    items = source.gathered(lowering)
    keys = _keys(lowering, prepared, registers, items)
    target = lowering.code.take()
    _emit(lowering, prepared.call.node, f"{prepared.call.name}_by", [items[0], keys], target)
    return Source(prepared.call.node, (target,), items[1].iterated().join(Static.of(UNDEFINED)))


def _sort(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    node = prepared.call.node
    items = source.gathered(lowering)
    attribute = prepared.given.get("attribute")
    names: Any = None if attribute is None else _constant_of(lowering, attribute, _NOT_CONSTANT)
    wanted = names.split(",") if isinstance(names, str) else [names]
    paths = [path_of(lowering, nodes.Const(name, lineno=node.lineno)) or [] for name in wanted]
    case = prepared.argument(registers, "case_sensitive")

    def each(lowering: Expressions, body: Body) -> None:
        def keyed(register: int, static: Static) -> None:
            with lowering.code.scratch():
                first = lowering.code.take(len(paths))
                for offset, parts in enumerate(paths):
                    _key(lowering, node, parts, (register, static), case, first + offset)
                key = lowering.code.take()
                lowering.code.emit("list", key, first, len(paths), span=lowering.span(node))
                body(key, static)

        _loop(lowering, node, *items, keyed)

    keys, _ = _collected(lowering, node, each)
    target = lowering.code.take()
    _emit(lowering, node, "sort_by", [items[0], keys, prepared.argument(registers, "reverse")[0]], target)
    return Source(node, (target,), list_of(items[1].iterated()))


def _groupby(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    node = prepared.call.node
    items = source.gathered(lowering)
    parts = prepared.path(lowering) or []
    default = _default(prepared, registers)
    if default is not None:
        _check_default(lowering, prepared.given["default"], default[1])
    case = prepared.argument(registers, "case_sensitive")

    def groupers(lowering: Expressions, body: Body) -> None:
        def grouped(register: int, static: Static) -> None:
            with lowering.code.scratch():
                found = lowering.code.take()
                body(found, follow(lowering, node, parts, (register, static), found, default))

        _loop(lowering, node, *items, grouped)

    def keys(lowering: Expressions, body: Body) -> None:
        def keyed(register: int, static: Static) -> None:
            with lowering.code.scratch():
                key = lowering.code.take()
                _emit(lowering, node, "sort_key", [register, case[0]], key)
                body(key, static)

        _loop(lowering, node, found, known, keyed)

    found, known = _collected(lowering, node, groupers)
    compared, _ = _collected(lowering, node, keys)
    target = lowering.code.take()
    _emit(lowering, node, "group_by", [items[0], compared, found], target)
    grouper, members = known.iterated(), list_of(items[1].iterated())
    group = Static(frozenset({TUPLE}), parts=(grouper, members), names=("grouper", "list"))
    return Source(node, (target,), list_of(group))


def _sum(lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source) -> Source:
    node = prepared.call.node
    items = _attributes(lowering, prepared, source)
    start = prepared.argument(registers, "start")
    code = lowering.code
    target, compensated = code.take(), code.take()
    lowering.constant(_COMPENSATED, compensated, node)
    _emit(lowering, node, "sum", [items[0], start[0], compensated], target)
    found = items[1].iterated().join(start[1])
    static = found.without(NONE, UNDEFINED, "boolean")
    if found.may_be("boolean"):
        static = static.join(Static.of("integer"))
    return Source(node, (target,), static)


def _attributes(lowering: Expressions, prepared: SequenceFilter, source: Source) -> tuple[int, Static]:
    """The items of a source, or an attribute of each, as a list."""
    parts = prepared.path(lowering)
    if parts is None:
        return source.gathered(lowering)
    node = prepared.call.node

    def each(lowering: Expressions, body: Body) -> None:
        def mapped(register: int, static: Static) -> None:
            with lowering.code.scratch():
                target = lowering.code.take()
                body(target, follow(lowering, node, parts, (register, static), target))

        source.each(lowering, mapped)

    return _collected(lowering, node, each)


def _join(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    node = prepared.call.node
    items = _attributes(lowering, prepared, source)
    separator = prepared.argument(registers, "d")
    lowering.printable(separator[1], node, "join with")
    lowering.printable(items[1].iterated(), node, "joining")
    code = lowering.code
    target, autoescape = code.take(), code.take()
    lowering.constant(lowering.autoescape, autoescape, node)
    _emit(lowering, node, "join", [items[0], separator[0], autoescape], target)
    return Source(node, (target,), Static.of("text"))


def _list(lowering: Expressions, prepared: SequenceFilter, _: Sequence[int], source: Source) -> Source:
    register, static = source.gathered(lowering)
    return Source(prepared.call.node, (register,), static)


def _cut(lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source) -> Source:
    """Batch and slice: all is there before the first list comes."""
    count, node = len(source.registers), prepared.call.node

    def run(lowering: Expressions, held: Sequence[int], body: Body) -> None:
        items = _from(source, held[:count]).gathered(lowering)
        size, fill = (
            prepared.argument(held[count:], name) for name, _ in SEQUENCE_FILTERS[prepared.call.name]
        )
        target = lowering.code.take()
        _emit(lowering, node, prepared.call.name, [items[0], size[0], fill[0]], target)
        item = items[1].iterated()
        if fill[1].kinds != {NONE}:
            item = item.join(fill[1])
        _loop(lowering, node, target, list_of(list_of(item)), body)

    return _generated(lowering, node, [*source.registers, *registers], run)


def _items(lowering: Expressions, prepared: SequenceFilter, _: Sequence[int], source: Source) -> Source:
    node = prepared.call.node
    if source.is_generator:
        lowering.refuse("items of a generator", node)
    static = lowering.whole(source.static, node)

    def run(lowering: Expressions, held: Sequence[int], body: Body) -> None:
        target = lowering.code.take()
        _emit(lowering, node, "items", [held[0]], target)
        _loop(lowering, node, target, list_of(pair_of(static)), body)

    return _generated(lowering, node, source.registers, run)


def _reverse(lowering: Expressions, prepared: SequenceFilter, _: Sequence[int], source: Source) -> Source:
    node, count = prepared.call.node, len(source.registers)
    if not source.is_generator and not source.static.without(NONE, UNDEFINED, "text").kinds:
        target = lowering.code.take()
        _emit(lowering, node, "reverse", source.registers, target)
        return Source(node, (target,), Static.of("text"))
    if source.static.may_be("text"):
        lowering.refuse("reverse of a value that may be text or a list", node)
    if source.is_generator:
        # A generator cannot be read backwards, so Jinja2 makes a list.
        items = source.gathered(lowering)
        target = lowering.code.take()
        _emit(lowering, node, "reverse", [items[0]], target)
        return Source(node, (target,), items[1])

    def run(lowering: Expressions, held: Sequence[int], body: Body) -> None:
        target = lowering.code.take()
        _emit(lowering, node, "reverse", held[:count], target)
        _loop(lowering, node, target, list_of(source.static.iterated()), body)

    return _generated(lowering, node, source.registers, run)


_APPLY: dict[str, Callable[[Expressions, SequenceFilter, Sequence[int], Source], Source]] = {
    "batch": _cut,
    "groupby": _groupby,
    "items": _items,
    "join": _join,
    "list": _list,
    "map": _map,
    "max": _extreme,
    "min": _extreme,
    "reject": _select,
    "rejectattr": _select,
    "reverse": _reverse,
    "select": _select,
    "selectattr": _select,
    "slice": _cut,
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
}
