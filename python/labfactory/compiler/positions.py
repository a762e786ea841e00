"""Exact positions: Jinja2's lexer, made to remember where each token stands.

Syntax nodes of Jinja2 hold only a line number, but the parser passes it through untouched. So the lexer here
yields an int that also knows its token, and the extent of a node is the extent of its tokens.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import nodes
from jinja2.lexer import Lexer, newline_re

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LINE_END = re.compile("\n")
_OPENERS = {"(": ")", "[": "]", "{": "}"}
# Nodes whose line number is that of one of their own tokens; that of all others may be the token behind them.
_OWN_TOKEN = (
    nodes.Stmt,
    nodes.Name,
    nodes.NSRef,
    nodes.Const,
    nodes.TemplateData,
    nodes.List,
    nodes.Dict,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Call,
    nodes.Filter,
    nodes.Test,
    nodes.Not,
    nodes.Neg,
    nodes.Pos,
)


class Span(NamedTuple):
    """A place in a template.

    Args:
        line: Line, from 1.
        column: Column in it, from 1, in characters.
        width: Characters up to the end of the construct or of its first line.
    """

    line: int
    column: int
    width: int


class Place(int):
    """A line number that knows the index of its token."""

    token: int


_new_int: Callable[[type[Place], int], Place] = int.__new__


@dataclass(slots=True)
class Token:
    """One token of the source with its offsets; `match` is the index of the bracket that pairs with it."""

    kind: str
    text: str
    start: int
    end: int
    match: int = -1


@dataclass(slots=True)
class Positions:
    """The tokens of one source and where its lines begin; filled while the source is lexed."""

    text: str
    tokens: list[Token] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)
    # Nodes compare by value, so an equal one elsewhere would be taken for another: identity is the key.
    _extents: dict[int, tuple[nodes.Node, int, int]] = field(default_factory=dict)
    _spans: dict[int, tuple[nodes.Node, Span]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Counts lines as Jinja2 does: only LF, CR LF and CR end one."""
        self.text = "\n".join(newline_re.split(self.text)[::2])
        self._lines = [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    def pair(self, token: Token, index: int) -> None:
        """Finds the bracket that a bracket closes."""
        if token.text in _OPENERS:
            self._open.append(index)
        elif self._open and _OPENERS[self.tokens[self._open[-1]].text] == token.text:
            token.match = self._open.pop()
            self.tokens[token.match].match = index

    def between(self, start: int, end: int) -> Span:
        """The span of two offsets."""
        line = bisect_right(self._lines, start)
        line_end = self.text.find("\n", start)
        stop = min(end, len(self.text) if line_end < 0 else line_end)
        return Span(line, start - self._lines[line - 1] + 1, max(1, stop - start))

    def last(self) -> Span:
        """The span of what stands behind the last token: where the lexer stopped."""
        start = self.tokens[-1].end if self.tokens else 0
        while start < len(self.text) and self.text[start].isspace():
            start += 1
        if start >= len(self.text) and self.tokens:
            return self.of_token(len(self.tokens) - 1)
        return self.between(start, start + 1)

    def of_token(self, index: int) -> Span:
        """The span of one token."""
        token = self.tokens[index]
        return self.between(token.start, token.start + max(1, len(token.text.rstrip())))

    def at(self, lineno: int | None) -> Span:
        """The span of the token that a line number came from."""
        if isinstance(lineno, Place):
            return self.of_token(lineno.token)
        return self.last() if lineno is None else Span(lineno, 1, 1)

    def of(self, node: nodes.Node) -> Span:
        """The span of a node: from its first token to its last, brackets balanced."""
        known = self._spans.get(id(node))
        if known is None:
            known = self._spans[id(node)] = (node, self._find(node))
        return known[1]

    def _find(self, node: nodes.Node) -> Span:
        if isinstance(node, (nodes.Stmt, nodes.Template)):
            return self.at(node.lineno)
        low, high = self._extent(node)
        return self.last() if low > high else self.between(self.tokens[low].start, self.tokens[high].end)

    def of_attribute(self, node: nodes.Getattr | nodes.Getitem) -> Span:
        """The span of the name or index that is looked up."""
        if isinstance(node, nodes.Getitem) and not self._is_dotted(node):
            return self.of(node.arg)
        return self.of_token(_token(node) + 1)

    def _is_dotted(self, node: nodes.Node) -> bool:
        return self.tokens[_token(node)].text == "."

    def _extent(self, node: nodes.Node) -> tuple[int, int]:
        known = self._extents.get(id(node))
        if known is None:
            known = self._extents[id(node)] = (node, *self._find_extent(node))
        return known[1:]

    def _find_extent(self, node: nodes.Node) -> tuple[int, int]:
        if isinstance(node, nodes.Name) and isinstance(node.lineno, Place):
            return node.lineno.token, node.lineno.token
        low, high = len(self.tokens), -1
        for child in _children(node):
            first, last = self._extent(child)
            low, high = min(low, first), max(high, last)
        if isinstance(node, _OWN_TOKEN) and isinstance(node.lineno, Place):
            token = node.lineno.token
            low, high = min(low, token), max(high, token)
            high = max(high, self._end(node, token))
        elif isinstance(node, nodes.Tuple) and isinstance(node.lineno, Place) and not node.items:
            low = high = node.lineno.token
        low, high = self._balance(low, high)
        return self._with_parentheses(low, high) if isinstance(node, nodes.Tuple) else (low, high)

    def _end(self, node: nodes.Node, token: int) -> int:
        """The last token that belongs to a node beside its children."""
        if isinstance(node, nodes.Getattr) or (isinstance(node, nodes.Getitem) and self._is_dotted(node)):
            return token + 1
        if isinstance(node, nodes.NSRef):
            return token + 2
        if isinstance(node, nodes.Const):
            return self._run_of_strings(token)
        if isinstance(node, nodes.Test):
            return self._call_end(token + 2 if self._text(token + 1) == "not" else token + 1)
        if isinstance(node, nodes.Filter):
            return self._call_end(token)
        return token

    def _call_end(self, name: int) -> int:
        while self._text(name + 1) == ".":
            name += 2
        return self.tokens[name + 1].match if self._text(name + 1) == "(" else name

    def _run_of_strings(self, token: int) -> int:
        while self.tokens[token].kind == "string" and self._kind(token + 1) == "string":
            token += 1
        return token

    def _balance(self, low: int, high: int) -> tuple[int, int]:
        at = low
        while at <= high:
            match = self.tokens[at].match
            if match >= 0:
                high = max(high, match)
                if match < low:
                    low = at = match
                    continue
            at += 1
        return low, high

    def _with_parentheses(self, low: int, high: int) -> tuple[int, int]:
        if self._text(high + 1) == "," and low > 0:
            high += 1
        if low > 0 and self._text(low - 1) == "(" and self.tokens[low - 1].match == high + 1:
            return low - 1, high + 1
        return low, high

    def _text(self, index: int) -> str:
        return self.tokens[index].text if index < len(self.tokens) else ""

    def _kind(self, index: int) -> str:
        return self.tokens[index].kind if index < len(self.tokens) else ""


def _children(node: nodes.Node) -> Iterable[nodes.Node]:
    """The nodes within one; the common kinds are told apart, as Jinja2 looks through all attributes."""
    match node:
        case nodes.Const() | nodes.TemplateData():
            return ()
        case nodes.Getattr():
            return (node.node,)
        case nodes.BinExpr():
            return (node.left, node.right)
        case nodes.Compare():
            return (node.expr, *node.ops)
        case nodes.Operand():
            return (node.expr,)
        case nodes.Keyword():
            return (node.value,)
        case nodes.Call() | nodes.Filter():
            given = (node.node, *node.args, *node.kwargs, node.dyn_args, node.dyn_kwargs)
            return [child for child in given if child is not None]
        case _:
            return node.iter_child_nodes()


def _token(node: nodes.Node) -> int:
    assert isinstance(node.lineno, Place)
    return node.lineno.token


class PositionedLexer(Lexer):
    """Jinja2's lexer, yielding places for line numbers and telling `positions` of every token."""

    positions: Positions

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        """Yields Jinja2's own tokens."""
        positions = self.positions = Positions(source)
        whole, tokens, end = positions.text, positions.tokens, 0
        for line, kind, text in super().tokeniter(source, name, filename, state):
            if kind == "whitespace":
                continue
            # Only white space that was dropped can stand between two tokens.
            start = end if whole.startswith(text, end) else whole.index(text, end)
            end = start + len(text)
            place = _new_int(Place, line)
            place.token = len(tokens)
            token = Token(kind, text, start, end)
            tokens.append(token)
            if kind == "operator":
                positions.pair(token, place.token)
            yield place, kind, text
