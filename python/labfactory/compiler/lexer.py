"""Jinja2's lexer, made to remember where each token stands, and to take what a tag holds at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TOKEN_BLOCK_BEGIN, TOKEN_VARIABLE_BEGIN, Lexer, _Rule

from labfactory.compiler.positions import CLOSED_BY, Positions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jinja2 import Environment
    from jinja2.lexer import Token

_CLOSING = frozenset(CLOSED_BY.values())
# The kinds of Jinja2's tokens that a tag is made of, beside white space. Where names do not begin with digits
# each kind has first characters of its own, so that those which are likely may be tried first.
_LIKELY = ("name", "operator", "string", "float", "integer")
_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}
_RUN = "run"
_MOST_SHOWN = 24


class _Taken(NamedTuple):
    """What Jinja2's lexer asks of a match."""

    text: str
    stop: int

    def group(self) -> str:
        return self.text

    def end(self) -> int:
        return self.stop


class _TagRun:
    """A rule for Jinja2's lexer that takes many tokens of a tag, where its own rules take one each.

    It stops before the end of the tag, and before all that it is not sure of, such as a bracket that nothing
    closes: what it leaves, Jinja2's own rules take or refuse.

    Args:
        rules: Jinja2's rules of such a tag, of which the first ends it.
    """

    def __init__(self, rules: list[_Rule]) -> None:
        patterns = {str(rule.tokens): rule.pattern for rule in rules}
        within = [_scoped(kind, patterns[kind]) for kind in _LIKELY]
        self._inside = _behind_white_space(within)
        self._outside = _behind_white_space([_scoped("end", rules[0].pattern), *within])
        self.begin(Positions(""))

    def begin(self, positions: Positions) -> None:
        """Makes ready for another source, whose tokens `positions` takes."""
        self._positions = positions
        self._unsure = 0

    def match(self, source: str, start: int) -> _Taken | None:
        """The tokens from a place on; None where there are none that are sure."""
        # What was looked at in vain is left to Jinja2, so that no bracket is sought to its end each time.
        stop = start if start < self._unsure else self._scan(source, start)
        return _Taken(source[start:stop], stop) if stop > start else None

    def _scan(self, source: str, at: int) -> int:
        positions = self._positions
        opened: list[int] = []
        texts, kinds, starts = positions.texts, positions.kinds, positions.starts
        pattern = self._outside
        while (found := pattern.match(source, at)) is not None:
            kind = str(found.lastgroup)
            if kind == "end":
                return found.start(kind)
            text = found[kind]
            is_bracket = kind == "operator" and (text in CLOSED_BY or text in _CLOSING)
            if is_bracket and text in _CLOSING:
                if not opened or CLOSED_BY[texts[opened[-1]]] != text:
                    break
                opened.pop()
            elif is_bracket:
                opened.append(len(texts))
            starts.append(found.start(kind))
            kinds.append(kind)
            texts.append(text)
            if is_bracket:
                positions.pair(len(texts) - 1)
                pattern = self._inside if opened else self._outside
            at = found.end()
        if opened:
            self._unsure = at
            at = starts[opened[0]]
            positions.cut(opened[0])
        return at


def _scoped(kind: str, pattern: re.Pattern[str]) -> str:
    """A pattern as a named part of a larger one."""
    flags = "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
    no_digit = r"(?!\d)" if kind == "name" else ""
    return f"(?P<{kind}>{no_digit}(?{flags}:{pattern.pattern}))"


def _behind_white_space(parts: list[str]) -> re.Pattern[str]:
    return re.compile(rf"\s*(?:{'|'.join(parts)})")


class PositionedLexer(Lexer):
    """Jinja2's lexer, yielding places for line numbers and telling `positions` of every token."""

    positions: Positions

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._runs: list[Any] = []
        # The end of a line statement may be white space, which a run would pass over.
        for state in (TOKEN_BLOCK_BEGIN, TOKEN_VARIABLE_BEGIN):
            end, *within = self.rules[state]
            self._runs.append(_TagRun([end, *within]))
            self.rules[state] = [end, _Rule(self._runs[-1], _RUN, None), *within]

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        """Yields Jinja2's own tokens."""
        positions = self.positions = Positions(source)
        for run in self._runs:
            run.begin(positions)
        whole, texts, kinds = positions.text, positions.texts, positions.kinds
        end = told = 0
        for _, kind, text in super().tokeniter(source, name, filename, state):
            # Only white space that was dropped can stand between two tokens.
            start = end if whole.startswith(text, end) else whole.index(text, end)
            end = start + len(text)
            if kind == _RUN:
                for token in range(told, len(texts)):
                    yield ~token, kinds[token], texts[token]
            elif kind != "whitespace":
                yield positions.add(kind, text, start), kind, text
            told = len(texts)

    def wrap(
        self, stream: Iterable[tuple[int, str, str]], name: str | None = None, filename: str | None = None
    ) -> Iterator[Token]:
        """Yields Jinja2's tokens with their values; refuses the numbers that Python itself cannot read."""
        last = (1, "", "")

        def followed() -> Iterator[tuple[int, str, str]]:
            nonlocal last
            for token in stream:
                last = token
                yield token

        try:
            yield from super().wrap(followed(), name, filename)
        except (SyntaxError, ValueError):
            # Jinja2 lets through the digits of all scripts, and any number of them.
            at, _, number = last
            message = f"expected a number that Python can read, found {number[:_MOST_SHOWN]}"
            raise TemplateSyntaxError(message, at, name, filename) from None
