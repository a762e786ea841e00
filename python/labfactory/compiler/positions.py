"""Exact positions: where each token of a source stands, and so each node.

Syntax nodes of Jinja2 hold only a line number, but the parser passes it through untouched. So the lexer here
yields a place for it, a number below zero that names a token, and the extent of a node is that of its tokens.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from jinja2 import nodes
from jinja2.lexer import newline_re

from labfactory.compiler.children import children

_LINE_END = re.compile("\n")
CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
_BRACKETS = frozenset("()[]{}")
# Nodes whose place is that of one of their own tokens; that of all others may be the token behind them.
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
_LEAVES = (nodes.Name, nodes.Const, nodes.TemplateData)
# Nodes that are one token.
_TOKENS = frozenset({nodes.Name, nodes.TemplateData})


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


def token_of(lineno: int | None) -> int:
    """The index of the token that a line number names; below zero for one that names none.

    Places are plain numbers, as objects that carry a token and a line made a third of what lies about while a
    template compiles.
    """
    return -1 if lineno is None else ~lineno


@dataclass(slots=True)
class Positions:
    """The tokens of one source and where its lines begin; filled while the source is lexed.

    Tokens are columns, as a long e-mail has thousands: their texts, their kinds and where they begin.
    """

    text: str
    texts: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)
    # All tokens that are brackets, and by such a token the one that pairs with it.
    _brackets: list[int] = field(default_factory=list)
    _pairs: dict[int, int] = field(default_factory=dict)
    # Nodes compare by value, so an equal one elsewhere would be taken for another: identity is the key.
    _extents: dict[int, tuple[int, int]] = field(default_factory=dict)
    _known: list[nodes.Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Counts lines as Jinja2 does: only LF, CR LF and CR end one."""
        self.text = "\n".join(newline_re.split(self.text)[::2])
        self._lines = [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    def add(self, kind: str, text: str, start: int) -> int:
        """Adds a token; returns the line number that names it."""
        token = len(self.texts)
        self.texts.append(text)
        self.kinds.append(kind)
        self.starts.append(start)
        if kind == "operator" and text in _BRACKETS:
            self.pair(token)
        return ~token

    def pair(self, token: int) -> None:
        """Finds the bracket that the bracket added last closes."""
        self._brackets.append(token)
        text = self.texts[token]
        if text in CLOSED_BY:
            self._open.append(token)
        elif self._open and CLOSED_BY[self.texts[self._open[-1]]] == text:
            opener = self._open.pop()
            self._pairs[token], self._pairs[opener] = opener, token

    def cut(self, count: int) -> None:
        """Keeps so many tokens, the first; those behind come again."""
        for column in (self.texts, self.kinds, self.starts):
            del column[count:]
        self._brackets = [token for token in self._brackets if token < count]
        self._open = [token for token in self._open if token < count]
        self._pairs = {one: other for one, other in self._pairs.items() if max(one, other) < count}

    def between(self, start: int, end: int) -> Span:
        """The span of two offsets."""
        lines = self._lines
        line = bisect_right(lines, start)
        line_end = lines[line] - 1 if line < len(lines) else len(self.text)
        width = (end if end < line_end else line_end) - start
        return Span(line, start - lines[line - 1] + 1, width if width > 1 else 1)

    def last(self) -> Span:
        """The span of what stands behind the last token: where the lexer stopped."""
        start = self._token_end(len(self.texts) - 1) if self.texts else 0
        while start < len(self.text) and self.text[start].isspace():
            start += 1
        if start >= len(self.text) and self.texts:
            return self.of_token(len(self.texts) - 1)
        return self.between(start, start + 1)

    def of_token(self, index: int) -> Span:
        """The span of one token."""
        start = self.starts[index]
        return self.between(start, start + max(1, len(self.texts[index].rstrip())))

    def at(self, lineno: int | None) -> Span:
        """The span of the token that a line number names."""
        token = token_of(lineno)
        if token >= 0:
            return self.of_token(token)
        return self.last() if lineno is None else Span(lineno, 1, 1)

    def of(self, node: nodes.Node) -> Span:
        """The span of a node: from its first token to its last, brackets balanced."""
        if type(node) in _TOKENS and (token := token_of(node.lineno)) >= 0:
            return self.between(self.starts[token], self._token_end(token))
        if isinstance(node, (nodes.Stmt, nodes.Template)):
            return self.at(node.lineno)
        low, high = self._extent(node)
        return self.last() if low > high else self.between(self.starts[low], self._token_end(high))

    def of_attribute(self, node: nodes.Getattr | nodes.Getitem) -> Span:
        """The span of the name or index that is looked up."""
        if isinstance(node, nodes.Getitem) and not self._is_dotted(node):
            return self.of(node.arg)
        return self.of_token(token_of(node.lineno) + 1)

    def _token_end(self, token: int) -> int:
        return self.starts[token] + len(self.texts[token])

    def _is_dotted(self, node: nodes.Node) -> bool:
        return self.texts[token_of(node.lineno)] == "."

    def _extent(self, node: nodes.Node) -> tuple[int, int]:
        if isinstance(node, _LEAVES):
            return self._extent_of_leaf(node)
        known = self._extents.get(id(node))
        if known is None:
            known = self._extents[id(node)] = self._find_extent(node)
            self._known.append(node)
        return known

    def _extent_of_leaf(self, node: nodes.Node) -> tuple[int, int]:
        token = token_of(node.lineno)
        if token < 0:
            return len(self.texts), -1
        high = self._run_of_strings(token) if isinstance(node, nodes.Const) else token
        # What lowering makes of a call or a literal has the place of that: of its bracket.
        is_bracket = token in self._pairs and not isinstance(node, nodes.Name)
        return self._balance(token, high) if is_bracket else (token, high)

    def _find_extent(self, node: nodes.Node) -> tuple[int, int]:
        low, high = len(self.texts), -1
        for child in children(node):
            first, last = self._extent(child)
            low, high = min(low, first), max(high, last)
        token = token_of(node.lineno)
        if token >= 0 and isinstance(node, _OWN_TOKEN):
            low, high = min(low, token), max(high, self._end(node, token))
        elif token >= 0 and isinstance(node, nodes.Tuple) and not node.items:
            low = high = token
        low, high = self._balance(low, high)
        return self._with_parentheses(low, high) if isinstance(node, nodes.Tuple) else (low, high)

    def _end(self, node: nodes.Node, token: int) -> int:
        """The last token that belongs to a node beside its children."""
        if isinstance(node, nodes.Getattr) or (isinstance(node, nodes.Getitem) and self._is_dotted(node)):
            return token + 1
        if isinstance(node, nodes.NSRef):
            return token + 2
        if isinstance(node, nodes.Test):
            return self._call_end(token + 2 if self._text(token + 1) == "not" else token + 1)
        if isinstance(node, nodes.Filter):
            return self._call_end(token)
        return token

    def _call_end(self, name: int) -> int:
        while self._text(name + 1) == ".":
            name += 2
        return self._pairs.get(name + 1, -1) if self._text(name + 1) == "(" else name

    def _run_of_strings(self, token: int) -> int:
        kinds = self.kinds
        if kinds[token] == "string":
            while token + 1 < len(kinds) and kinds[token + 1] == "string":
                token += 1
        return token

    def _balance(self, low: int, high: int) -> tuple[int, int]:
        brackets = self._brackets
        at = bisect_left(brackets, low)
        while at < len(brackets) and brackets[at] <= high:
            match = self._pairs.get(brackets[at], -1)
            high = max(high, match)
            if 0 <= match < low:
                low = match
                at = bisect_left(brackets, low)
            else:
                at += 1
        return low, high

    def _with_parentheses(self, low: int, high: int) -> tuple[int, int]:
        if self._text(high + 1) == "," and low > 0:
            high += 1
        if low > 0 and self._text(low - 1) == "(" and self._pairs.get(low - 1) == high + 1:
            return low - 1, high + 1
        return low, high

    def _text(self, index: int) -> str:
        return self.texts[index] if index < len(self.texts) else ""
