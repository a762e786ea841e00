"""Syntax trees: what Jinja2's own parser makes of a source, with the exact position of every node."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser

from labfactory.base.errors import CompileError, UsageError
from labfactory.compiler.lexer import PositionedLexer
from labfactory.compiler.positions import Positions, Span, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labfactory.compiler.environment import Environment

# Their text is gathered before it goes anywhere.
_GATHERING = (nodes.AssignBlock, nodes.CallBlock, nodes.FilterBlock, nodes.Macro)
# Python's parser and ours recurse once a nesting level; a source nested deeper than this is no content.
_TOO_DEEP = "nested too deeply, expected at most a few hundred levels"


class _PositionedEnvironment(jinja2.Environment):
    """Jinja2's environment with a lexer of its own per source, so that nothing is shared."""

    positioned: PositionedLexer

    @property
    def lexer(self) -> PositionedLexer:
        return self.positioned


@dataclass(frozen=True, slots=True)
class SyntaxTree:
    """A parsed source.

    Args:
        name: The template's name, as errors print it.
        source: Its whole text.
        body: The statements of a template; of an expression the one expression.
        positions: Where each node stands.
        jinja: The Jinja2 environment that read it.
        autoescape: Whether its text is escaped where it begins.
    """

    name: str
    source: str
    body: nodes.Template | nodes.Expr
    positions: Positions
    jinja: jinja2.Environment
    autoescape: bool

    def fail(
        self, message: str, at: nodes.Node | Span, *, code: str = "refused", hint: str | None = None
    ) -> NoReturn:
        """Raises a compile error that points at a node."""
        line, column, width = at if isinstance(at, Span) else self.positions.of(at)
        raise CompileError(
            message,
            code=code,
            template=self.name,
            line=line,
            column=column,
            width=width,
            source=self.source,
            hint=hint,
        ) from None


class Reader:
    """Reads the sources of one environment, one after the other.

    Args:
        environment: How they are read.
    """

    def __init__(self, environment: Environment) -> None:
        self.autoescape = environment.autoescape
        self.jinja = environment.jinja2(_PositionedEnvironment)
        # Making a lexer takes longer than reading a component.
        self.lexer = self.jinja.positioned = PositionedLexer(self.jinja)

    def template(self, source: str, name: str) -> SyntaxTree:
        """Parses a template.

        Raises:
            CompileError: `syntax` where Jinja2 would refuse it, `too_deep` for absurd nesting.
        """
        return _parse(source, name, self, None)


def parse_template(source: str, name: str, environment: Environment) -> SyntaxTree:
    """Parses a template.

    Raises:
        CompileError: `syntax` where Jinja2 would refuse it, `too_deep` for absurd nesting.
    """
    return Reader(environment).template(source, name)


def parse_expression(source: str, name: str, environment: Environment) -> SyntaxTree:
    """Parses one expression.

    Raises:
        CompileError: `syntax` where Jinja2 would refuse it, `too_deep` for absurd nesting.
    """
    return _parse(source, name, Reader(environment), "variable")


def _parse(source: str, name: str, reader: Reader, state: str | None) -> SyntaxTree:
    _check_text(source, name)
    jinja, lexer = reader.jinja, reader.lexer
    lexer.positions = Positions("")
    try:
        parser = Parser(jinja, source, name, state=state)
        body: nodes.Template | nodes.Expr
        if state is None:
            # Parser.parse gives each node its environment, too: a long walk for what folding hands over.
            body = nodes.Template(parser.subparse(), lineno=1)
        else:
            body = parser.parse_expression()
            if not parser.stream.eos:
                parser.fail("chunk after expression")
    except TemplateSyntaxError as error:
        raise _syntax_error(error, lexer.positions, source, name) from None
    except RecursionError:
        raise CompileError(_TOO_DEEP, code="too_deep", template=name) from None
    tree = SyntaxTree(name, source, body, lexer.positions, jinja, reader.autoescape)
    try:
        _check_names(tree)
        if "without" in source:
            _check_includes(tree, tree.body)
    except RecursionError:
        raise CompileError(_TOO_DEEP, code="too_deep", template=name) from None
    return tree


def _check_text(source: str, name: str) -> None:
    for what, text in (("source", source), ("name", name)):
        if not isinstance(text, str):
            message = f"expected the {what} of a template as text, found {type(text).__name__}"
            raise UsageError(message, code="template")
    check_encoding(source, name)
    check_encoding(name, name)


def check_encoding(text: str, template: str) -> None:
    """Refuses text that has no UTF-8.

    Raises:
        CompileError: `encoding` where a template or a constant holds half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"expected text that UTF-8 can hold, found the surrogate {text[error.start]!a}"
        raise CompileError(message, code="encoding", template=ascii(template)[1:-1]) from None


def _check_names(tree: SyntaxTree) -> None:
    """Refuses what Jinja2 mixes up: names that Python, to which it compiles, takes for one."""
    if tree.source.isascii():
        return
    known: dict[str, str] = {}
    for node in _nodes(tree.body):
        if isinstance(node, nodes.Name):
            other = known.setdefault(unicodedata.normalize("NFKC", node.name), node.name)
            if other != node.name:
                message = f"the names {other!r} and {node.name!r}, which are one to Python, are not covered"
                tree.fail(message, node)


def _check_includes(tree: SyntaxTree, node: nodes.Node, *, is_gathered: bool = False) -> None:
    """Refuses includes without context whose text is gathered: Jinja2 puts it before what gathers it."""
    if isinstance(node, nodes.Include) and is_gathered and not node.with_context:
        message = "an include without context inside what gathers its text, which Jinja2 puts elsewhere,"
        hint = "include it with context, or outside of macros, call, set and filter blocks, recursive loops."
        tree.fail(f"{message} is not covered", node, hint=hint)
    if isinstance(node, nodes.Block):
        is_gathered = False
    elif isinstance(node, _GATHERING) or (isinstance(node, nodes.For) and node.recursive):
        is_gathered = True
    for child in node.iter_child_nodes():
        _check_includes(tree, child, is_gathered=is_gathered)


def _nodes(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _nodes(child)


def _syntax_error(error: TemplateSyntaxError, positions: Positions, source: str, name: str) -> CompileError:
    exact = token_of(error.lineno) >= 0
    line, column, width = positions.at(error.lineno) if exact else positions.last()
    message = str(error.message or "invalid syntax").strip()
    return CompileError(
        message[:1].lower() + message[1:].removesuffix("."),
        code="syntax",
        template=name,
        line=line,
        column=column,
        width=width,
        source=source,
    )
