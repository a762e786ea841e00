"""Lowering of printf formats: `'%.2f' % x` and `|format` of a constant text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2 import nodes
from markupsafe import Markup

from labfactory._core import plan as core
from labfactory.base.errors import LabfactoryError
from labfactory.compiler.syntax import check_encoding
from labfactory.compiler.types import CONTAINERS, DATES, TUPLE, UNDEFINED, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labfactory.compiler.expressions import Expressions

_CONVERSION = re.compile(r"%[#0\- +]*\d*(?:\.\d*)?[hlL]?([diouxXeEfFgGcrsa%])")
_STAR = re.compile(r"%(?:\([^()]*\))?[#0\- +]*(?:\*|\d*\.\*)")
_NAMED = re.compile(r"%\(([^()]*)\)")
_NAMED_OR_ESCAPED = re.compile(r"%%|%\(([^()]*)\)")


def lower_modulo_format(lowering: Expressions, node: nodes.Mod, target: int) -> Static | None:
    """Leaves what a constant format makes in a register; None where formats are read as they run."""
    try:
        text = lowering.fold(node.left).value
    except nodes.Impossible:
        return None
    if not isinstance(text, str) or takes_width(text):
        return None
    if is_named(text):
        given = named_values(node.right)
        return None if given is None else lower_named_format(lowering, node, text, given, target)
    if isinstance(node.right, nodes.Tuple):
        return lower_format(lowering, node, text, node.right.items, target)
    return _lone_format(lowering, node, text, target)


def _lone_format(lowering: Expressions, node: nodes.Mod, text: str, target: int) -> Static:
    """A format of one value: of a tuple that means its items, and any number of what may be looked into."""
    first = lowering.code.take()
    static = lowering.into(node.right, first)
    wanted = _conversions(lowering, node, text)
    if static.may_be(TUPLE) or (wanted != 1 and static.may_be(UNDEFINED, *CONTAINERS)):
        lowering.printable(static, node.right)
        return _formatted_late(lowering, node, text, first, target)
    return _formatted(lowering, node, text, 1, lambda *_: (node.right, static), target, first)


def _formatted_late(lowering: Expressions, node: nodes.Expr, text: str, right: int, target: int) -> Static:
    """Leaves in a register what a constant format makes of a value that says only then what it is."""
    left = lowering.code.take()
    lowering.constant(text, left, node)
    lowering.code.emit("modulo", target, left, right, span=lowering.span(node))
    return Static.of("text")


def lower_format(
    lowering: Expressions, node: nodes.Expr, text: str, arguments: Sequence[nodes.Expr], target: int
) -> Static:
    """Leaves a formatted text in a register."""

    def place(offset: int, register: int) -> tuple[nodes.Expr, Static]:
        return arguments[offset], lowering.into(arguments[offset], register)

    return _formatted(lowering, node, text, len(arguments), place, target)


def named_values(node: nodes.Expr) -> dict[str, nodes.Expr] | None:
    """The values that a dict literal gives to names; None for all else."""
    if not isinstance(node, nodes.Dict):
        return None
    pairs = [(pair.key, pair.value) for pair in node.items]
    if not all(isinstance(key, nodes.Const) and isinstance(key.value, str) for key, _ in pairs):
        return None
    return {str(key.value): value for key, value in pairs if isinstance(key, nodes.Const)}


def takes_width(text: str) -> bool:
    """Whether a format takes a width or a precision from its values: `%*d`."""
    return any(_STAR.finditer(text.replace("%%", "")))


def is_named(text: str) -> bool:
    """Whether a format takes its values by name: `%(name)s`."""
    return any(_NAMED.finditer(text.replace("%%", "")))


def lower_named_format(
    lowering: Expressions, node: nodes.Expr, text: str, values: Mapping[str, nodes.Expr], target: int
) -> Static:
    """Leaves a text formatted by name in a register; each value is computed once, in the order given."""
    names: list[str] = []

    def without_name(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%%"
        names.append(found[1])
        return "%"

    plain = _NAMED_OR_ESCAPED.sub(without_name, text)
    missing = next((name for name in names if name not in values), None)
    if missing is not None:
        lowering.tree.fail(f"the format has no value for {missing!r}", node, code="format")
    known = {}
    for name, value in values.items():
        register = lowering.code.take()
        known[name] = register, lowering.into(value, register)

    def place(offset: int, register: int) -> tuple[nodes.Expr, Static]:
        source, static = known[names[offset]]
        value = values[names[offset]]
        lowering.code.emit("move", register, source, span=lowering.span(value))
        return value, static

    made = Markup(plain) if isinstance(text, Markup) else plain  # noqa: S704 - it was markup before
    return _formatted(lowering, node, made, len(names), place, target)


def _formatted(
    lowering: Expressions,
    node: nodes.Expr,
    text: str,
    given: int,
    place: Callable[[int, int], tuple[nodes.Expr, Static]],
    target: int,
    first: int | None = None,
) -> Static:
    count = _conversions(lowering, node, text)
    if count != given:
        message = f"expected {count} value{'' if count == 1 else 's'} for the format, found {given}"
        lowering.tree.fail(message, node, code="format")
    kinds = [kind for kind in _CONVERSION.findall(text) if kind != "%"]
    first = lowering.code.take(count) if first is None else first
    placed = [place(offset, first + offset) for offset in range(count)]
    for argument, static in placed:
        lowering.printable(static, argument)
    span = lowering.span(node)
    is_markup = isinstance(text, Markup)
    if is_markup and not all(
        _is_simple(kind, static) for kind, (_, static) in zip(kinds, placed, strict=True)
    ):
        arguments = lowering.code.take()
        lowering.code.emit("tuple", arguments, first, count, span=span)
        return _formatted_late(lowering, node, text, arguments, target)
    for offset, (argument, _) in enumerate(placed) if is_markup else ():
        if kinds[offset] == "s":
            # MarkupSafe wraps arguments: text comes out escaped, a number asks the wrapped value for itself.
            register, escape = first + offset, core.FILTERS["escape"]
            lowering.code.emit("filter", register, escape, register, 1, span=lowering.span(argument))
    lowering.code.emit("format", target, lowering.code.format(str(text)), first, count, span=span)
    if is_markup:
        lowering.code.emit("filter", target, core.FILTERS["safe"], target, 1, span=span)
    return Static.of("text")


def _is_simple(kind: str, static: Static) -> bool:
    """Whether a conversion of markup is that of text, once the value is escaped."""
    return kind == "s" or (kind in "dieEfFgG" and not static.may_be("text", *DATES, *CONTAINERS))


def _conversions(lowering: Expressions, node: nodes.Expr, text: str) -> int:
    check_encoding(text, lowering.tree.name)
    try:
        return int(core.format_arguments(str(text)))
    except LabfactoryError as error:
        lowering.tree.fail(error.message, node, code="format", hint=error.hint)
