"""Filters of sequences that give one value: sort, groupby, min, max, sum, join and list."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from labfactory.compiler.filters import list_of
from labfactory.compiler.generators import Source, collected, emit_filter, loop_over
from labfactory.compiler.paths import (
    NOT_CONSTANT,
    comparison_key,
    constant_of,
    follow,
    path_of,
)
from labfactory.compiler.types import NONE, TUPLE, UNDEFINED, Static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.generators import Body
    from labfactory.compiler.sequence_filter import SequenceFilter

# CPython adds floats with compensation since 3.12.
_COMPENSATED = sys.version_info >= (3, 12)


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
                comparison_key(lowering, node, parts, (register, static), case, key)
                body(key, static)

        loop_over(lowering, node, *items, keyed)

    return collected(lowering, node, each)[0]


def lower_extreme(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """The least or the greatest item."""
    items = source.gathered(lowering)
    keys = _keys(lowering, prepared, registers, items)
    target = lowering.code.take()
    emit_filter(lowering, prepared.call.node, f"{prepared.call.name}_by", [items[0], keys], target)
    return Source(prepared.call.node, (target,), items[1].iterated().join(Static.of(UNDEFINED)))


def lower_sort(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """The items in order, by one attribute or several."""
    node = prepared.call.node
    items = source.gathered(lowering)
    attribute = prepared.given.get("attribute")
    names: Any = None if attribute is None else constant_of(lowering, attribute, NOT_CONSTANT)
    wanted = names.split(",") if isinstance(names, str) else [names]
    paths = [path_of(lowering, nodes.Const(name, lineno=node.lineno)) or [] for name in wanted]
    case = prepared.argument(registers, "case_sensitive")
    reverse, known = prepared.argument(registers, "reverse")
    if not known.kinds <= {"boolean", "integer"}:
        _check_reverse(lowering, node, reverse)

    def each(lowering: Expressions, body: Body) -> None:
        def keyed(register: int, static: Static) -> None:
            with lowering.code.scratch():
                first = lowering.code.take(len(paths))
                for offset, parts in enumerate(paths):
                    comparison_key(lowering, node, parts, (register, static), case, first + offset)
                key = lowering.code.take()
                lowering.code.emit("list", key, first, len(paths), span=lowering.span(node))
                body(key, static)

        loop_over(lowering, node, *items, keyed)

    keys, _ = collected(lowering, node, each)
    target = lowering.code.take()
    emit_filter(lowering, node, "sort_by", [items[0], keys, reverse], target)
    return Source(node, (target,), list_of(items[1].iterated()))


def _check_reverse(lowering: Expressions, node: nodes.Expr, reverse: int) -> None:
    """Python looks at `reverse` before it looks at any item: so does sorting nothing by it."""
    code = lowering.code
    with code.scratch():
        nothing, target = code.take(2), code.take()
        for register in (nothing, nothing + 1):
            code.emit("list", register, 0, 0, span=lowering.span(node))
        emit_filter(lowering, node, "sort_by", [nothing, nothing + 1, reverse], target)


def lower_groupby(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """Pairs of what an attribute is and the items where it is that."""
    node = prepared.call.node
    items = source.gathered(lowering)
    parts = prepared.path(lowering) or []
    default = prepared.default(registers)
    case = prepared.argument(registers, "case_sensitive")

    def groupers(lowering: Expressions, body: Body) -> None:
        def grouped(register: int, static: Static) -> None:
            with lowering.code.scratch():
                found = lowering.code.take()
                body(found, follow(lowering, node, parts, (register, static), found, default))

        loop_over(lowering, node, *items, grouped)

    def keys(lowering: Expressions, body: Body) -> None:
        def keyed(register: int, static: Static) -> None:
            with lowering.code.scratch():
                key = lowering.code.take()
                emit_filter(lowering, node, "sort_key", [register, case[0]], key)
                body(key, static)

        loop_over(lowering, node, found, known, keyed)

    found, known = collected(lowering, node, groupers)
    compared, _ = collected(lowering, node, keys)
    target = lowering.code.take()
    emit_filter(lowering, node, "group_by", [items[0], compared, found], target)
    grouper, members = known.iterated(), list_of(items[1].iterated())
    group = Static(frozenset({TUPLE}), parts=(grouper, members), names=("grouper", "list"))
    return Source(node, (target,), list_of(group))


def lower_sum(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """The sum of the items, or of an attribute of each."""
    node = prepared.call.node
    items = _attributes(lowering, prepared, source)
    start = prepared.argument(registers, "start")
    code = lowering.code
    target, compensated = code.take(), code.take()
    lowering.constant(_COMPENSATED, compensated, node)
    emit_filter(lowering, node, "sum", [items[0], start[0], compensated], target)
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

    return collected(lowering, node, each)


def lower_join(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """The items, or an attribute of each, as one text."""
    node = prepared.call.node
    items = _attributes(lowering, prepared, source)
    separator = prepared.argument(registers, "d")
    lowering.printable(separator[1], node)
    lowering.printable(items[1].iterated(), node)
    code = lowering.code
    target, autoescape = code.take(), code.take()
    lowering.constant(lowering.autoescape, autoescape, node)
    emit_filter(lowering, node, "join", [items[0], separator[0], autoescape], target)
    return Source(node, (target,), Static.of("text"))


def lower_list(lowering: Expressions, prepared: SequenceFilter, _: Sequence[int], source: Source) -> Source:
    """The items as a list."""
    register, static = source.gathered(lowering)
    return Source(prepared.call.node, (register,), static)
