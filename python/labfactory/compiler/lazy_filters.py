"""Filters of sequences that give generators: map, select, unique, batch and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labfactory.compiler.code import Label
from labfactory.compiler.filters import SEQUENCE_FILTERS, list_of, pair_of
from labfactory.compiler.generators import Source, Stream, emit_filter, generated, moved
from labfactory.compiler.paths import comparison_key, follow
from labfactory.compiler.types import NONE, UNDEFINED, Static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.generators import Body
    from labfactory.compiler.sequence_filter import SequenceFilter


def lower_map(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """What a filter makes of each item, or an attribute of each."""
    count, node = len(source.registers), prepared.call.node
    parts = prepared.path(lowering) if prepared.applied is None else None

    def begin(lowering: Expressions, held: Sequence[int], empty: Label) -> Stream:
        inner = _open_if_true(lowering, moved(source, held[:count]), empty)

        def step(lowering: Expressions, item: int, known: Static, body: Body) -> None:
            def mapped(register: int, static: Static) -> None:
                with lowering.code.scratch():
                    target = lowering.code.take()
                    if prepared.applied is not None:
                        found = prepared.applied.run(lowering, held[count:], (register, static), target)
                    else:
                        default = prepared.default(held[count:])
                        found = follow(lowering, node, parts or [], (register, static), target, default)
                    body(target, found)

            inner.hand(lowering, item, known, mapped)

        return Stream(inner.register, inner.static, step)

    return generated(lowering, node, [*source.registers, *registers], begin)


def _open_if_true(lowering: Expressions, source: Source, empty: Label) -> Stream:
    """Begins a source that is true, as `if value:` before a loop does; a generator is."""
    if not source.is_generator:
        span = lowering.span(source.node)
        lowering.code.emit("jump_if_false", source.registers[0], empty, span=span)
    return source.open(lowering, empty)


def lower_select(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """The items that pass a test, or fail it."""
    count, node = len(source.registers), prepared.call.node
    parts = prepared.path(lowering) or []
    jump = "jump_if_true" if prepared.call.name.startswith("reject") else "jump_if_false"

    def begin(lowering: Expressions, held: Sequence[int], empty: Label) -> Stream:
        inner = _open_if_true(lowering, moved(source, held[:count]), empty)

        def step(lowering: Expressions, item: int, known: Static, body: Body) -> None:
            def selected(register: int, static: Static) -> None:
                passed = Label()
                with lowering.code.scratch():
                    found = lowering.code.take()
                    value = follow(lowering, node, parts, (register, static), found)
                    if prepared.applied is not None:
                        prepared.applied.run(lowering, held[count:], (found, value), found)
                    lowering.code.emit(jump, found, passed, span=lowering.span(node))
                body(register, static)
                lowering.code.place(passed)

            inner.hand(lowering, item, known, selected)

        return Stream(inner.register, inner.static, step)

    return generated(lowering, node, [*source.registers, *registers], begin)


def lower_unique(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """The items that are met for the first time."""
    count, node = len(source.registers), prepared.call.node
    parts = prepared.path(lowering) or []

    def begin(lowering: Expressions, held: Sequence[int], empty: Label) -> Stream:
        case = prepared.argument(held[count:], "case_sensitive")
        seen = lowering.code.take()
        lowering.code.emit("list", seen, 0, 0, span=lowering.span(node))
        inner = moved(source, held[:count]).open(lowering, empty)

        def step(lowering: Expressions, item: int, known: Static, body: Body) -> None:
            def met(register: int, static: Static) -> None:
                code, span = lowering.code, lowering.span(node)
                passed = Label()
                with code.scratch():
                    key, is_new = code.take(), code.take()
                    comparison_key(lowering, node, parts, (register, static), case, key)
                    emit_filter(lowering, node, "is_new", [seen, key], is_new)
                    code.emit("jump_if_false", is_new, passed, span=span)
                    code.emit("append", seen, key, span=span)
                body(register, static)
                code.place(passed)

            inner.hand(lowering, item, known, met)

        return Stream(inner.register, inner.static, step)

    return generated(lowering, node, [*source.registers, *registers], begin)


def lower_cut(
    lowering: Expressions, prepared: SequenceFilter, registers: Sequence[int], source: Source
) -> Source:
    """Batch and slice: all is there before the first list comes."""
    count, node = len(source.registers), prepared.call.node

    def begin(lowering: Expressions, held: Sequence[int], _: Label) -> Stream:
        items = moved(source, held[:count]).gathered(lowering)
        size, fill = (
            prepared.argument(held[count:], name) for name, _ in SEQUENCE_FILTERS[prepared.call.name]
        )
        target = lowering.code.take()
        emit_filter(lowering, node, prepared.call.name, [items[0], size[0], fill[0]], target)
        item = items[1].iterated()
        if fill[1].kinds != {NONE}:
            item = item.join(fill[1])
        return Stream(target, list_of(list_of(item)))

    return generated(lowering, node, [*source.registers, *registers], begin)


def lower_items(lowering: Expressions, prepared: SequenceFilter, _: Sequence[int], source: Source) -> Source:
    """The pairs of a dict."""
    node = prepared.call.node
    if source.is_generator:
        lowering.refuse("items of a generator", node)
    static = lowering.whole(source.static, node)

    def begin(lowering: Expressions, held: Sequence[int], _: Label) -> Stream:
        target = lowering.code.take()
        emit_filter(lowering, node, "items", [held[0]], target)
        return Stream(target, list_of(pair_of(static)))

    return generated(lowering, node, source.registers, begin)


def lower_reverse(
    lowering: Expressions, prepared: SequenceFilter, _: Sequence[int], source: Source
) -> Source:
    """The items from the last on; of a text its characters, as a text."""
    node, count = prepared.call.node, len(source.registers)
    is_text = source.static.may_be("text") and source.static.kinds <= {"text", NONE, UNDEFINED}
    if not source.is_generator and is_text:
        target = lowering.code.take()
        emit_filter(lowering, node, "reverse", source.registers, target)
        return Source(node, (target,), Static.of("text"))
    if source.static.may_be("text"):
        lowering.refuse("reverse of a value that may be text or a list", node)
    if source.is_generator:
        # A generator cannot be read backwards, so Jinja2 makes a list.
        items = source.gathered(lowering)
        target = lowering.code.take()
        emit_filter(lowering, node, "reverse", [items[0]], target)
        return Source(node, (target,), items[1])

    def begin(lowering: Expressions, held: Sequence[int], _: Label) -> Stream:
        target = lowering.code.take()
        emit_filter(lowering, node, "reverse", held[:count], target)
        return Stream(target, list_of(source.static.iterated()))

    return generated(lowering, node, source.registers, begin)
