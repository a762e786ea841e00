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
    from collections.abc import Sequence

    from labfactory.compiler.expressions import Expressions

_CONVERSION = re.compile(r"%[#0\- +]*\d*(?:\.\d*)?[hlL]?([diouxXeEfFgGcrsa%])")


def format_arguments(node: nodes.Expr) -> list[nodes.Expr]:
    """The values on the right of a format."""
    return node.items if isinstance(node, nodes.Tuple) else [node]


def lower_format(
    lowering: Expressions, node: nodes.Expr, text: str, arguments: Sequence[nodes.Expr], target: int
) -> Static:
    """Leaves a formatted text in a register."""
    count = _conversions(lowering, node, text)
    if count != len(arguments):
        message = f"expected {count} value{'' if count == 1 else 's'} for the format, found {len(arguments)}"
        lowering.tree.fail(message, node, code="format")
    is_markup = isinstance(text, Markup)
    kinds = [kind for kind in _CONVERSION.findall(text) if kind != "%"]
    first = lowering.code.take(count)
    for offset, argument in enumerate(arguments):
        static = lowering.into(argument, first + offset)
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
