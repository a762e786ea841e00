"""Lowering of printf formats: `'%.2f' % x` and `|format` of a constant text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2 import nodes
from markupsafe import Markup

from labfactory._core import plan as core
from labfactory.base.errors import LabfactoryError
from labfactory.compiler.syntax import check_encoding
from labfactory.compiler.types import CONTAINERS, DATES, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labfactory.compiler.expressions import Expressions

_CONVERSION = re.compile(r"%[#0\- +]*\d*(?:\.\d*)?[hlL]?([diouxXeEfFgGcrsa%])")
_NAMED = re.compile(r"%\(([^()]*)\)")
_NAMED_OR_ESCAPED = re.compile(r"%%|%\(([^()]*)\)")


def format_arguments(node: nodes.Expr) -> list[nodes.Expr]:
    """The values on the right of a format."""
    return node.items if isinstance(node, nodes.Tuple) else [node]


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
) -> Static:
    count = _conversions(lowering, node, text)
    if count != given:
        message = f"expected {count} value{'' if count == 1 else 's'} for the format, found {given}"
        lowering.tree.fail(message, node, code="format")
    is_markup = isinstance(text, Markup)
    kinds = [kind for kind in _CONVERSION.findall(text) if kind != "%"]
    first = lowering.code.take(count)
    for offset in range(count):
        argument, static = place(offset, first + offset)
        lowering.printable(static, argument, "formatting")
        if kinds[offset] == "r" and static.may_be("zoned"):
            lowering.refuse("%r of a timestamp with zone", argument)
        if is_markup:
            _markup_argument(lowering, argument, kinds[offset], first + offset, static)
    index = lowering.code.format(str(text))
    lowering.code.emit("format", target, index, first, count, span=lowering.span(node))
    if is_markup:
        lowering.code.emit("filter", target, core.FILTERS["safe"], target, 1, span=lowering.span(node))
    return Static.of("text")


def _conversions(lowering: Expressions, node: nodes.Expr, text: str) -> int:
    check_encoding(text, lowering.tree.name)
    try:
        return int(core.format_arguments(str(text)))
    except LabfactoryError as error:
        lowering.tree.fail(error.message, node, code="format", hint=error.hint)


def _markup_argument(
    lowering: Expressions, node: nodes.Expr, kind: str, register: int, static: Static
) -> None:
    # MarkupSafe wraps arguments: text comes out escaped, a number asks the wrapped value for itself.
    if kind == "s":
        span = lowering.span(node)
        lowering.code.emit("filter", register, core.FILTERS["escape"], register, 1, span=span)
    elif kind not in "dieEfFgG" or static.may_be("text", *DATES, *CONTAINERS):
        lowering.refuse(f"%{kind} of this value in a format that is markup", node)
