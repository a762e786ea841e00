"""Paths: attributes by name, as `attribute='address.city'` of a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from labfactory.compiler.attributes import part_of
from labfactory.compiler.code import Label
from labfactory.compiler.generators import emit_filter
from labfactory.compiler.types import NONE, UNDEFINED, Static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.compiler.expressions import Expressions

NOT_CONSTANT = "an attribute that is not constant"


def path_of(lowering: Expressions, node: nodes.Expr | None) -> list[str | int] | None:
    """The parts of an attribute's name, as Jinja2 splits it; None where there is none."""
    if node is None:
        return None
    value = constant_of(lowering, node, NOT_CONSTANT)
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


def constant_of(lowering: Expressions, node: nodes.Expr, what: str) -> Any:
    """The constant that an argument is; all others are refused as `what`."""
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
        static = part_of(lowering, node, part, register, static, target)
        if default is not None and static.may_be(UNDEFINED):
            static = _or_default(lowering, node, target, static, default)
        register = target
    return static


def _or_default(
    lowering: Expressions, node: nodes.Expr, target: int, static: Static, default: tuple[int, Static]
) -> Static:
    """Puts a default in the place of what is undefined; None is no default."""
    code, none = lowering.code, Label()
    with code.scratch():
        off = code.take()
        if default[1].may_be(NONE):
            span = lowering.span(node)
            code.emit("test", off, lowering.test_number("none"), default[0], span=span)
            code.emit("jump_if_true", off, none, span=span)
        lowering.constant(False, off, node)  # noqa: FBT003
        emit_filter(lowering, node, "default", [target, default[0], off], target)
        code.place(none)
    found = static.without(UNDEFINED).join(default[1].without(NONE))
    return found.join(Static.of(UNDEFINED)) if default[1].may_be(NONE) else found


def comparison_key(
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
        emit_filter(lowering, node, "sort_key", [target, case[0]], target)
