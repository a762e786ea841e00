"""Sequences: what filters and loops go through, a value or a chain of generators."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.applied import FilterCall, is_sequence
from labfactory.compiler.filters import FILTER_ALIASES
from labfactory.compiler.generators import Lazy, Source, Stream
from labfactory.compiler.sequence_filter import SequenceFilter
from labfactory.compiler.spread import spread
from labfactory.compiler.types import GENERATOR, VIEW, Static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.compiler.code import Label
    from labfactory.compiler.expressions import Expressions

_AS_LIST = "make a list of it where it is set, by |list."


def source_of(lowering: Expressions, node: nodes.Expr) -> Source:
    """What an expression gives to be gone through: its values are evaluated, no generator runs yet."""
    if isinstance(node, nodes.Filter) and node.node is not None:
        call = FilterCall(node, FILTER_ALIASES.get(node.name, node.name), *spread(lowering, node))
        if is_sequence(call):
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

    def begin(lowering: Expressions, registers: Sequence[int], empty: Label) -> Stream:
        span = lowering.span(node)
        first = lowering.code.take(lazy.count)
        at = lowering.code.take()
        for offset in range(lazy.count):
            lowering.constant(offset, at, node)
            lowering.code.emit("subscript", first + offset, registers[0], at, span=span)
        return lazy.open(lowering, range(first, first + lazy.count), empty)

    return Static(frozenset({GENERATOR}), lazy=Lazy(1, begin, lazy.loops))


def iterable(lowering: Expressions, node: nodes.Node) -> tuple[int, Static]:
    """The register of what is gone through; a generator's items as a list."""
    assert isinstance(node, nodes.Expr)
    source = source_of(lowering, node)
    return source.gathered(lowering) if source.is_generator else (source.registers[0], source.static)
