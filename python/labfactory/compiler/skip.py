"""The tag `{% skip 'reason' %}`: the row gets no asset, and its reason says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from jinja2 import nodes
from jinja2.exceptions import TemplateRuntimeError
from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2.parser import Parser

    from labfactory.compiler.statements import Statements

_NAME = "raise_skip"


class Skip(TemplateRuntimeError):  # noqa: N818 - a row without asset is no error
    """What `{% skip 'reason' %}` raises where Jinja2 renders the template.

    Args:
        reason: Why there is no asset.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SkipTag(Extension):
    """The tag as a Jinja2 extension, for those who render by Jinja2 what is assembled by the Factory.

    Example:
        >>> import jinja2
        >>> environment = jinja2.Environment(extensions=[SkipTag])
        >>> environment.from_string("{% skip 'no consent' %}").render()
        Traceback (most recent call last):
            ...
        labfactory.compiler.skip.Skip: no consent
    """

    tags = {"skip"}  # noqa: RUF012 - as Jinja2 declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """Parses the tag and its reason."""
        line = next(parser.stream).lineno
        call = self.call_method(_NAME, [parser.parse_expression()], lineno=line)
        return nodes.ExprStmt(call, lineno=line)

    def raise_skip(self, reason: object) -> NoReturn:
        """Ends the rendering."""
        raise Skip(str(reason))


def skip_reason(node: nodes.ExprStmt) -> nodes.Expr | None:
    """The reason of a skip tag; None for other statements."""
    call = node.node
    if not (isinstance(call, nodes.Call) and isinstance(call.node, nodes.ExtensionAttribute)):
        return None
    is_skip = call.node.identifier == SkipTag.identifier and call.node.name == _NAME
    return call.args[0] if is_skip else None


def lower_skip(statements: Statements, node: nodes.ExprStmt, reason: nodes.Expr) -> None:
    """Lowers the tag: the reason is a constant, or what the row makes of it."""
    values, code = statements.values, statements.code
    try:
        text = str(values.fold(reason).value)
    except nodes.Impossible:
        register, static = values.operand(reason)
        values.printable(static, reason)
        code.emit("skip_as", register, span=values.span(node))
    else:
        code.emit("skip", code.constant(text), span=values.span(node))
