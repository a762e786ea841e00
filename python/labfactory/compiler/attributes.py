"""Lowering of attributes, items and slices, and of what `loop` knows of itself."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import jinja2
from jinja2 import nodes
from jinja2.runtime import LoopContext
from markupsafe import Markup

from labfactory._core import plan as core
from labfactory.compiler.ahead import OF_OTHERS
from labfactory.compiler.hints import meant
from labfactory.compiler.scope import LoopName
from labfactory.compiler.types import (
    DICTS,
    NONE,
    PARTS,
    SEQUENCES,
    TUPLE,
    UNDEFINED,
    Static,
    joined,
    spoken,
)

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.positions import Span

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


def part_of(
    values: Expressions, node: nodes.Expr, part: str | int, register: int, static: Static, target: int
) -> Static:
    """Leaves in a register what an attribute's name or an index finds, as filters by attribute do."""
    if isinstance(part, str):
        return _attribute(values, node, part, register, static, target)
    with values.code.scratch():
        at = values.code.take()
        values.constant(part, at, node)
        values.code.emit("subscript", target, register, at, span=values.span(node))
    return _item_of(values, static)


def lower_getattr(values: Expressions, node: nodes.Getattr, target: int) -> Static:
    """Leaves an attribute of a value in a register."""
    loop = _loop_of(values, node.node)
    if loop is not None:
        return _loop_attribute(values, node, node.attr, loop, target)
    register, static = values.operand(node.node)
    if static.may_be(*DICTS) and node.attr in _METHODS["record"]:
        values.refuse(
            f"the method {node.attr!r}", node, hint=f"a field of that name is read by [{node.attr!r}]."
        )
    return _attribute(values, node, node.attr, register, static, target)


def lower_getitem(values: Expressions, node: nodes.Getitem, target: int) -> Static:
    """Leaves an item of a value, or a slice of it, in a register."""
    if isinstance(node.arg, nodes.Slice):
        return _slice(values, node, node.arg, target)
    try:
        index = values.fold(node.arg).value
    except nodes.Impossible:
        index = _ANY
    loop = _loop_of(values, node.node)
    if loop is not None and isinstance(index, str):
        return _loop_attribute(values, node, index, loop, target)
    register, static = values.operand(node.node)
    if isinstance(index, str) and not static.may_be("dict", "map"):
        return _attribute(values, node, str(index), register, static, target)
    at, known = values.operand(node.arg)
    values.as_dict(static, node)
    parts = [kind for kind in static.kinds if kind in PARTS]
    values.code.emit("subscript", target, register, at, span=values.span(node))
    found = _item_of(values, static)
    return found.join(Static.of("integer")) if parts and known.may_be("text") else found


def _slice(values: Expressions, node: nodes.Getitem, bounds: nodes.Slice, target: int) -> Static:
    first = values.code.take(4)
    static = values.borrow(node.node, first)
    for offset, bound in enumerate((bounds.start, bounds.stop, bounds.step), start=1):
        if bound is None:
            values.constant(None, first + offset, node)
        else:
            values.into(bound, first + offset)
    values.code.emit("slice", target, first, 4, span=values.span(node))
    # The chainable undefined is its own slice.
    return Static(static.kinds & (SEQUENCES | {"text", UNDEFINED}), item=static.items())


def _item_of(values: Expressions, static: Static) -> Static:
    text = Static.of("text") if static.may_be("text") else None
    item = static.items() if static.may_be(*SEQUENCES) else None
    entry = values.values(static) if static.may_be(*DICTS) else None
    found = joined(filter(None, [text, entry, item]))
    return found.join(Static.of(UNDEFINED)) if found else Static.of(UNDEFINED)


def _attribute(
    values: Expressions, node: nodes.Expr, name: str, register: int, static: Static, target: int
) -> Static:
    if static.names and name in static.names and static.kinds == {TUPLE}:
        return _named_item(values, node, name, register, static, target)
    fields = _fields(values, node, name, static)
    having = [kind for kind in static.kinds if name in _METHODS[kind] and name not in PARTS.get(kind, ())]
    if having and not (fields and static.kinds <= {"record", NONE, UNDEFINED}):
        values.refuse(f"the attribute {name!r} of {spoken(*sorted(having))}", node)
    parts = [kind for kind in static.kinds if name in PARTS.get(kind, ())]
    if not fields and not parts and not static.may_be("dict", "map"):
        if values.options.undefined == "error" and static.without(NONE, UNDEFINED).kinds:
            _unknown_field(values, node, name, static)
        values.code.emit("absent_field", target, register, values.code.constant(name), span=values.span(node))
        return Static.of(UNDEFINED)
    found = joined(values.table.static(entry) for entry in fields)
    if fields and len(static.sources) == 1 and static.kinds <= {"record", NONE, UNDEFINED}:
        values.code.emit("field", target, register, fields[0], span=values.span(node))
        is_sure = not static.may_be(NONE, UNDEFINED)
    else:
        values.code.emit("attribute", target, register, values.code.constant(name), span=values.span(node))
        of_dict = static.value if static.may_be("dict", "map") else None
        found = joined(filter(None, [found, of_dict, Static.of("integer") if parts else None]))
        is_sure = static.kinds <= {*parts}
    return found.join(Static.of(UNDEFINED)) if found and not is_sure else found or Static.of(UNDEFINED)


def _fields(values: Expressions, node: nodes.Expr, name: str, static: Static) -> list[int]:
    """The entries of the field in all structs that the value may be."""
    found = [values.table.field(source, name) for source in sorted(static.sources)]
    fields = [entry for entry in found if entry is not None]
    for entry in fields:
        values.readable(values.table.type(entry), node)
    return fields


def _named_item(
    values: Expressions, node: nodes.Expr, name: str, register: int, static: Static, target: int
) -> Static:
    at = static.names.index(name)
    part_of(values, node, at, register, static, target)
    return static.parts[at] if static.parts else static.iterated()


def _unknown_field(values: Expressions, node: nodes.Expr, name: str, static: Static) -> None:
    place: nodes.Node | Span = node
    if isinstance(node, (nodes.Getattr, nodes.Getitem)):
        place = values.tree.positions.of_attribute(node)
    hint = None
    if static.may_be("record"):
        hint = meant(
            name,
            [known for source in static.sources for known, _ in values.table.type(source).fields],
            "The struct has",
        )
    message = (
        f"unknown field {name!r}"
        if hint
        else f"unknown field {name!r} of {spoken(*static.without(NONE, UNDEFINED).kinds)}"
    )
    if values.options.review is None:
        values.tree.fail(message, place, code="unknown_field", hint=hint)
    values.options.review.note("unknown_field", message, values.tree, place, hint)


def _loop_of(values: Expressions, node: nodes.Node) -> LoopName | None:
    if isinstance(node, nodes.Name) and node.ctx == "load":
        found = values.scope.lookup(node.name)
        return found if isinstance(found, LoopName) else None
    return None


def _loop_attribute(
    values: Expressions, node: nodes.Getattr | nodes.Getitem, name: str, loop: LoopName, target: int
) -> Static:
    if name in _LOOP_CONSTANTS:
        return values.constant(_LOOP_CONSTANTS[name] + loop.depth, target, node)
    if name in core.LOOP_ATTRIBUTES:
        loop_attribute(values, loop, name, target, values.span(node))
        if name in _LOOP_ITEMS:
            return loop.item.join(Static.of(UNDEFINED))
        return Static.of("boolean" if name in _LOOP_FLAGS else "integer")
    if hasattr(LoopContext, name):
        values.refuse(f"loop.{name}", node)
    if values.options.undefined == "error":
        place = values.tree.positions.of_attribute(node)
        hint = meant(name, core.LOOP_ATTRIBUTES, "loop has")
        values.tree.fail(f"unknown field {name!r} of loop", place, code="unknown_field", hint=hint)
    return values.undefined(name, target, values.span(node))


def loop_attribute(values: Expressions, loop: LoopName, name: str, target: int, span: int) -> None:
    """Leaves what a running loop knows of itself in a register."""
    if loop.ahead is not None and name in OF_OTHERS:
        loop.ahead.attribute(values, name, target, span)
        return
    values.code.emit("loop_attribute", target, loop.loop, core.LOOP_ATTRIBUTES[name], span=span)
