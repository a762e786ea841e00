"""A loop takes its items one after the other, as Jinja2's does: what fails, or changes, comes in its order."""

from __future__ import annotations

import itertools
import traceback
from contextlib import suppress
from typing import Any

import jinja2
import pyarrow as pa
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from labfactory import CompileError, Environment
from labfactory.testing import to_python

EXTENSIONS = ["jinja2.ext.do", "jinja2.ext.loopcontrols"]
UNDEFINED = {
    "error": jinja2.StrictUndefined,
    "default": jinja2.Undefined,
    "strict": jinja2.StrictUndefined,
    "chainable": jinja2.ChainableUndefined,
}
CODES = {
    "FilterArgumentError": "filter_argument",
    "TypeError": "type_error",
    "UndefinedError": "undefined",
    "ValueError": "value_error",
    "ZeroDivisionError": "zero_division",
}
ROWS = pa.RecordBatch.from_pylist(
    [
        {"xs": [1, 2, 0, 3], "ts": ["a", None, "<b>"], "ps": [[1, 2], [0, 3], [4, 5]], "t": "a<c", "k": 2},
        {"xs": [2, 0], "ts": [None], "ps": [[0, 1]], "t": "", "k": 0},
        {"xs": [], "ts": [], "ps": [], "t": None, "k": 1},
        {"xs": None, "ts": ["x", "y", None], "ps": [[1, 1], [2]], "t": "xyz", "k": None},
        {"xs": [0, 0, 5, 7], "ts": None, "ps": [None, [3, 4]], "t": "0", "k": 5},
        {"xs": [3, 3, 3, 3, 3], "ts": ["a", "a", "b"], "ps": None, "t": "  ", "k": 3},
    ]
)


def oracle(template: jinja2.Template, row: dict[str, Any]) -> tuple[Any, ...]:
    """Jinja2's text, or the code and the line of what it raises."""
    try:
        return template.render(row), None, None
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == "<template>"]
        return None, CODES.get(type(error).__name__, type(error).__name__), lines[-1]


MODES = list(itertools.product([False, True], UNDEFINED))


def check(source: str, modes: list[tuple[bool, str]] = MODES, batch: pa.RecordBatch = ROWS) -> None:
    for autoescape, undefined in modes:
        options = {"autoescape": autoescape, "undefined": undefined, "extensions": EXTENSIONS}
        plan = Environment(**options).from_string(source).compile(batch.schema)
        theirs = jinja2.Environment(**{**options, "undefined": UNDEFINED[undefined]}).from_string(source)
        expected = [oracle(theirs, row) for row in to_python(batch)]
        made = plan.assemble(batch).to_pylist()
        assert expected == [(row["asset"], row["code"], row["line"]) for row in made], options


@pytest.mark.parametrize(
    "source",
    [
        # The body of one item comes before the test of the next.
        "{% for x in xs if\n 1 // x %}\n{{ loop.index }}\n{{ 1 // (x - 1) }}\n{% endfor %}",
        "{% for x in xs if 1 // x or true %}{{ loop.index }}{% break %}{% endfor %}",
        "{% for x in xs if 1 // x or true %}{{ x }}{% if loop.index == k %}{% break %}{% endif %}{% endfor %}",
        "{% for x in xs if 6 // x > 1 %}{{ loop.index }}{% else %}none{% endfor %}",
        "{% for x in xs if 6 // x > 1 %}{{ loop.index }}{% continue %}{% else %}none{% endfor %}",
        # loop.last and loop.nextitem look one item ahead, and no further.
        "{% for x in xs if 6 // x > 1 %}\n{{ x }}{{ loop.first }}\n{{ loop.last }}{% endfor %}",
        "{% for x in xs if 6 // x > 1 %}{{ loop.nextitem }}{{ loop.previtem }}{{ loop.nextitem }},{% endfor %}",
        "{% for x in xs if 6 // x or 1 %}{{ loop.nextitem|d('-') }}{% if loop.last %}L{% break %}{% endif %}{% endfor %}",
        "{% for x in xs if x != 1 %}{{ loop.previtem|d('-') }}{{ x }}{{ loop.nextitem|d('-') }};{% endfor %}",
        "{% for x in ts if x != k %}{{ loop.last }}{{ x|length }}{{ loop.first }}{% endfor %}",
        # loop.length and loop.revindex look at all.
        "{% for x in xs if 6 // x > 1 %}\n{{ x }}{% if x == k %}\n{{ loop.length }}{% endif %}{% endfor %}",
        "{% for x in xs if x %}{{ x }}{{ loop.revindex }}{{ loop.nextitem|d('-') }}{{ loop.last }},{% endfor %}",
        "{% for x in xs if x > 1 %}{{ loop.last }}{{ loop.length }}{{ loop.nextitem|d('-') }},{% endfor %}",
        "{% for x in xs if x %}{{ loop.nextitem|d }}{{ loop.revindex0 }}{{ loop.previtem|d }}{{ loop|length }};{% endfor %}",
        "{% for x in xs if x > 1 %}{{ x }}{% if loop.index == 2 %}{{ loop.length }}{% endif %}{% endfor %}",
        "{% for x in xs if x %}{{ loop.length }}{% else %}none{% endfor %}",
        # The body assigns what the loop goes on from.
        "{% for x in xs if x %}{% set x = 9 %}{{ x }}{{ loop.previtem|d }}{{ loop.nextitem|d }}{% endfor %}",
        # The body changes what the test asks.
        "{% set n = namespace(a=0) %}{% for x in xs if x != n.a %}{{ loop.index }}{% set n.a = x %}{% endfor %}",
        "{% set n = namespace(a=0) %}{% for x in xs if x != n.a %}{{ loop.last }}{% set n.a = x %}{{ loop.length }}{% endfor %}",
        "{% set n = namespace(a='') %}{% for x in xs if x != n.a %}{{ loop.nextitem|d }}{% set n.a = n.a ~ x %}{{ n.a }}{% endfor %}",
        "{% set c = cycler(1, 0) %}{% for x in xs if c.next() %}{{ x }}{{ loop.last }}{{ c.current }}{% endfor %}",
        "{% set j = joiner('x') %}{% for x in xs if j() or x %}{{ j() }}{{ x }}{{ loop.index }}{% endfor %}",
        "{% set o = [] %}{% for x in xs if x not in o %}{{ loop.index }}{% do o.append(x) %}{{ o }}{% endfor %}",
        "{% set o = [] %}{% for x in xs if x not in o %}{{ loop.nextitem|d }}{% do o.append(x) %}{{ o }}{% endfor %}",
        # Loops within loops, and the outer one asked from within.
        "{% for x in xs if x %}{% set o = loop %}{% for y in xs if 6 // y %}{{ o.last }}{{ loop.last }}{{ y }}{% endfor %}{% endfor %}",
        "{% for x in xs if x %}{% set o = loop %}{% for y in ts %}{{ o.nextitem|d('-') }}{{ o.length }}{{ y }}{% endfor %};{% endfor %}",
        "{% for x in xs if 6 // x %}{% set o = loop %}{% for y in xs if y > 1 and not o.last %}{{ loop.revindex }}{% endfor %}{% endfor %}",
        "{% macro m(l) %}{{ l.last }}{{ l.length }}{{ l.previtem|d }}{% endmacro %}{% for x in xs if x %}{{ m(loop) }},{% endfor %}",
        "{% for x in xs if x %}{% set c %}{{ loop.last }}{{ 1 // (x - 3) }}{% endset %}{{ c }}{% endfor %}",
        # What a test hands on is unpacked.
        "{% for a, b in ps if a %}{{ loop.previtem|d }}{{ loop.nextitem|d }}{{ a }}{{ b }}{% endfor %}",
        "{% for a, (b, c) in [(1, [k, 2]), (0, 'xy'), (3, xs[:2])] if a %}{{ loop.nextitem|d }}{{ loop.length }}{{ b }}{{ c }}{% endfor %}",
        "{% for c in t if c != 'a' %}{{ loop.last }}{{ c }}{{ loop.nextitem|d }}{{ loop.length }}{% endfor %}",
        # Generators are read as the loop goes on.
        "{% for x in ts|map('length') %}\n{{ x }}{% if x == k %}{% break %}{% endif %}{% endfor %}",
        "{% for x in ts|map('length') %}\n{{ x }}\n{{ 1 // k }}\n{% endfor %}",
        "{% for x in ts|map('length') %}\n{{ loop.index }}{% break %}{% endfor %}",
        "{% for x in ts|map('upper') %}\n{{ x }}\n{{ loop.last }}{{ loop.nextitem|d }}{% else %}none{% endfor %}",
        "{% for x in ts|map('length') %}\n{{ x }}\n{{ loop.revindex }}{% endfor %}",
        "{% set g = ts|map('length') %}\n{% for x in g %}\n{{ x }}\n{{ loop.last }}{% endfor %}",
        "{% set g = ts|map('length') %}\n{% for x in g if\n x == 1 %}{{ loop.last }}{% endfor %}",
        "{% set g = ts|map('length') %}\n{{ 'a' }}\n{{ g|join }}",
        "{% set g = ts|map('length') %}\n{{ 'a' }}\n{{ g|list|length }}",
        "{% for x in xs|select('gt', 1)|unique %}{{ x }}{{ loop.last }}{{ loop.length }}{% endfor %}",
        "{% for x in xs|unique %}{{ x }}{{ loop.nextitem|d('-') }}{{ 6 // x }}{% endfor %}",
        "{% for x in xs|map('string')|reject('eq', '1') if x != '3' %}{{ x }}{{ loop.length }}{{ loop.last }}{% endfor %}",
        "{% for a in ps|map('first') %}{{ a }}{{ loop.nextitem|d }}{% endfor %}",
        "{% for a in ps|map(attribute=1) if a %}{{ a }}{{ loop.last }}{% endfor %}",
        "{% for b in xs|batch(2) %}{{ b }}{{ loop.last }}{{ loop.length }}{% else %}none{% endfor %}",
        "{% for x in xs|reverse %}{{ x }}{{ loop.last }}{{ loop.length }}{{ loop.nextitem|d }}{% endfor %}",
        "{% for k, v in {'a': 1, 'b': k}|items %}{{ k }}{{ loop.nextitem|d }}{{ loop.length }}{% endfor %}",
        # Loops that call themselves.
        "{% for x in [xs, [k]] if x recursive %}{{ loop.last }}{{ x if x is number else loop(x) }}{% endfor %}",
        "{% for x in [xs, ts] if x recursive %}{{ loop.depth }}{{ x if x is not sequence or x is string else loop(x) }}{{ loop.length }}{% endfor %}",
        "{% for x in [ts] if x recursive %}{{ x if x is string else loop(x|map('length')|map('string')) }}{{ loop.nextitem|d('-') }}{% endfor %}",
    ],
)
def test_a_loop_takes_its_items_when_jinja2_does(source: str) -> None:
    check(source)


SOURCES = ["xs", "ts", "ps", "t", "(xs or [])", "(ts or [])|map('length')", "(xs or [])|unique", "[1, k, 0]"]
SOURCES += [
    "xs|map('string')|map('length')",
    "(xs or [])|select('gt', 1)",
    "g",
    "ps|map('first')",
    "(ps or [])",
]
TESTS = ["x", "x != k", "6 // x > 1", "x|length", "n.a != x", "x not in o", "c.next()", "x is not none"]
TESTS += ["1 // (k or 0)", "x is number", "not outer.last", "x[0]"]
SHOWN = ["x", "loop.last", "loop.nextitem", "loop.previtem|d('-')", "loop.nextitem|d('-')", "loop.length"]
SHOWN += [
    "loop.revindex",
    "loop.revindex0",
    "loop.index",
    "loop.first",
    "1 // x",
    "x|length",
    "m(loop)",
    "n.a",
]
SHOWN += ["outer.last", "outer.nextitem|d", "loop|length", "loop.changed(x)", "loop.cycle(1, 2)", "o", "x[0]"]
HEAD = (
    "{% macro m(l) %}{{ l.last }}{{ l.revindex0 }}{% endmacro %}{% set n = namespace(a=0) %}{% set o = [] %}"
    "{% set c = cycler(1, 0, 1) %}{% set g = (ts or [])|map('upper') %}{% for outer in [0] %}{% set outer = loop %}\n"
)


def bodies(depth: int) -> st.SearchStrategy[str]:
    leaves = st.one_of(
        st.sampled_from(SHOWN).map("{{{{ {} }}}}\n".format),
        st.sampled_from(SHOWN).map("{{{{ {} }}}}\n".format),
        st.builds("{{% if {} %}}{{% {} %}}{{% endif %}}".format, st.sampled_from(SHOWN), st.sampled_from(["break", "continue"])),
        st.sampled_from(["{% set n.a = x %}", "{% set x = k %}", "{% do o.append(1) %}"]),
    )  # fmt: skip
    if depth == 0:
        return leaves
    return st.one_of(leaves, leaves, loops(depth - 1))


def loops(depth: int) -> st.SearchStrategy[str]:
    return st.builds(
        "{{% for x in {}{} %}}{}{{% else %}}\nnone{{{{ 1 // (k or 0) }}}}{{% endfor %}}\n".format,
        st.sampled_from([source for source in SOURCES if depth == 2 or source != "g"]),
        st.one_of(st.just(""), st.sampled_from(TESTS).map(" if\n {}".format)),
        st.lists(bodies(depth), min_size=1, max_size=4).map("".join),
    )


@settings(max_examples=150)
@given(loop=loops(2), mode=st.sampled_from(MODES))
def test_any_loop_takes_its_items_when_jinja2_does(loop: str, mode: tuple[bool, str]) -> None:
    source = HEAD + loop + "{% endfor %}"
    note(source)
    with suppress(CompileError):
        # A generator is read once, and a list grows no more where something else holds it.
        check(source, [mode])
