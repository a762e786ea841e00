"""Lexing: what takes the tokens of a tag at once gives Jinja2's own, and refuses what Jinja2 refuses."""

from __future__ import annotations

import time
from typing import Any

import jinja2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2.lexer import Lexer

from labfactory import CompileError, Template
from labfactory.compiler.lexer import PositionedLexer

_PIECES = (
    *("{{", "}}", "{%", "%}", "{#", "#}", "{{-", "-}}", "{%+", "+%}", "-%}", "{% raw %}", "{% endraw %}"),
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        " ",
        "\n",
        "\t ",
        "\u2003",
        "\x1c",
        ".",
        ",",
        "~",
        "|",
        "-",
        "+",
        "%",
        "=",
        "==",
    ),
    *(
        "a",
        "loop",
        "é",
        "0",
        "1_0",
        "0x1F",
        "1.5",
        "1.e",
        ".5",
        "2e3",
        "٣",
        "٣.٥",
        "1a",
        "a1",
        "\u0301",
        "$",
        "\\",
    ),
    *("'b'", '"c"', "'it\\'s'", "'", '"', "'two\nlines'", "# x", "## y", "text", "<b>", "\r\n"),
)
_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True},
    {"line_statement_prefix": "#", "line_comment_prefix": "##"},
    {"variable_start_string": "<%=", "variable_end_string": "%>", "block_start_string": "<%"}
    | {"block_end_string": "%>"},
    {"variable_start_string": "(", "variable_end_string": ")"},
    {"block_start_string": "[% ", "block_end_string": " %]", "variable_end_string": "''"},
)


def _told(lexer: Lexer, source: str, state: str | None) -> tuple[list[tuple[str, str]], str | None]:
    """Kinds and texts of the tokens, white space left out, and what ended them."""
    tokens: list[tuple[str, str]] = []
    try:
        for _, kind, text in lexer.tokeniter(source, "t", None, state):
            if kind != "whitespace":
                tokens.append((kind, text))
    except jinja2.TemplateSyntaxError as error:
        return tokens, error.message
    return tokens, None


@given(
    pieces=st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=3)), max_size=30),
    options=st.sampled_from(_OPTIONS),
    state=st.sampled_from([None, "variable", "block"]),
)
@example(pieces=["{{ ((a) }} ) ]"], options={}, state=None)
@example(pieces=["{{ {'a': [1, {}]} }} {% if (a]) %}"], options={}, state=None)
def test_tokens_are_jinja2s(pieces: list[str], options: dict[str, Any], state: str | None) -> None:
    source = "".join(pieces)
    environment = jinja2.Environment(**options)
    ours, its_own = PositionedLexer(environment), Lexer(environment)
    found = _told(ours, source, state)
    assert found == _told(its_own, source, state)
    positions = ours.positions
    assert list(zip(positions.kinds, positions.texts, strict=True)) == found[0]
    ends = [0]
    for start, text in zip(positions.starts, positions.texts, strict=True):
        assert positions.text[start : start + len(text)] == text
        assert positions.text[ends[-1] : start].strip() == ""
        ends.append(start + len(text))


@pytest.mark.parametrize("opened", ["(", "[", "{{'a': ("])
def test_brackets_without_end_take_no_time(opened: str) -> None:
    started = time.process_time()
    with pytest.raises(CompileError):
        Template("{{ " + opened * 100_000)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("number", ["٣.٥", "1e٣", "9" * 5000])
def test_a_number_that_python_cannot_read_is_refused_where_it_stands(number: str) -> None:
    with pytest.raises(CompileError, match="expected a number that Python can read") as caught:
        Template(f"x\n{{{{ 1 + {number} }}}}")
    assert (caught.value.code, caught.value.line, caught.value.column) == ("syntax", 2, 8)
