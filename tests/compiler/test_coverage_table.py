"""The table of docs/templates.md says what compiles and what is refused, name by name, and it is so.

With LABFACTORY_WRITE_GOLDEN set the table is written anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import jinja2.filters
import jinja2.tests
import pyarrow as pa
from jinja2.defaults import DEFAULT_NAMESPACE

from labfactory.base.errors import CompileError
from labfactory.compiler import Environment

PAGE = Path(__file__).parents[2] / "docs" / "templates.md"
SCHEMA = pa.schema(
    {
        "t": pa.string(),
        "n": pa.int64(),
        "f": pa.float64(),
        "xs": pa.list_(pa.string()),
        "d": pa.struct({"a": pa.string()}),
        "ps": pa.list_(pa.struct({"a": pa.int64()})),
        "at": pa.timestamp("us"),
        "span": pa.duration("us"),
        "zoned": pa.timestamp("us", "UTC"),
    }
)
# What a filter or test is shown on, where a text alone does not do; `_` stands for its name.
FILTERS = {
    **dict.fromkeys(("abs", "filesizeformat", "round"), "{{ n|_ }}"),
    **dict.fromkeys(("first", "join", "last", "length", "count", "list", "max", "min"), "{{ xs|_ }}"),
    **dict.fromkeys(("map", "reject", "select"), "{{ xs|_('string')|join }}"),
    **dict.fromkeys(("rejectattr", "selectattr"), "{{ ps|_('a')|list }}"),
    **dict.fromkeys(("batch", "slice"), "{{ xs|_(2)|list }}"),
    **dict.fromkeys(("unique", "reverse", "sort"), "{{ xs|_|join }}"),
    **dict.fromkeys(("dictsort", "xmlattr"), "{{ d|_ }}"),
    "attr": "{{ d|_('a') }}",
    "format": "{{ '%s'|_(t) }}",
    "groupby": "{{ ps|_('a')|list }}",
    "items": "{{ d|_|list }}",
    "replace": "{{ t|_('a', 'b') }}",
    "sum": "{{ ps|_(attribute='a') }}",
}
TESTS = {
    **dict.fromkeys(("divisibleby", "even", "odd"), "{{ n is _ }}"),
    "divisibleby": "{{ n is _ 2 }}",
    "in": "{{ t is _ xs }}",
    "sameas": "{{ t is _ none }}",
}
TWO_SIDED = {"==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan"}
TWO_SIDED |= {"<=", "le", "sameas"}
GLOBALS = {
    "cycler": "{% set c = cycler(1, 2) %}{{ c.next() }}",
    "dict": "{{ dict(a=1).a }}",
    "joiner": "{% set j = joiner() %}{{ j() }}",
    "lipsum": "{{ lipsum() }}",
    "namespace": "{% set ns = namespace(a=1) %}{{ ns.a }}",
    "range": "{% for i in range(3) %}{{ i }}{% endfor %}",
}
METHODS = {
    "text.encode": "t.encode()",
    "text.format": "'{:>5} {x}'.format(t, x=n)",
    "text.join": "','.join(xs)",
    "text.lower": "t.lower()",
    "text.replace": "t.replace('a', 'b')",
    "text.split": "t.split(',')",
    "text.startswith": "t.startswith('a')",
    "text.strip": "t.strip()",
    "text.title": "t.title()",
    "text.translate": "t.translate({})",
    "text.upper": "t.upper()",
    "text.zfill": "t.zfill(5)",
    "dict.get": "d.get('a', 'b')",
    "dict.items": "d.items()|list",
    "dict.keys": "d.keys()|list",
    "dict.pop": "d.pop('a')",
    "dict.values": "d.values()|list",
    "list.append": "xs.append(1)",
    "list.count": "xs.count('a')",
    "list.index": "xs.index('a')",
    "datetime.date": "at.date()",
    "datetime.isoformat": "at.isoformat()",
    "datetime.replace": "at.replace(year=2026)",
    "datetime.strftime": "at.strftime('%d %B')",
    "datetime.timetuple": "at.timetuple()",
    "datetime.timestamp": "zoned.timestamp()",
    "datetime.weekday": "at.weekday()",
    "timedelta.total_seconds": "span.total_seconds()",
    "float.is_integer": "f.is_integer()",
}
NODES = {
    "autoescape": "{% autoescape true %}{{ t }}{% endautoescape %}",
    "block": "{% block a %}{{ t }}{% endblock %}",
    "call block": "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ t }}{% endcall %}",
    "call with *, **": "{% macro m(a, b) %}{{ a }}{% endmacro %}{{ m(*(t,), **{'b': n}) }}",
    "call with * of a list of any length": "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*xs) }}",
    "concat": "{{ t ~ n }}",
    "dict": "{{ {'a': n}.a }}",
    "filter block": "{% filter upper %}{{ t }}{% endfilter %}",
    "for": "{% for x in xs if x %}{{ x }}{% else %}{{ t }}{% endfor %}",
    "for, recursive": "{% for x in xs recursive %}{{ x }}{% endfor %}",
    "for, unpacked": "{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}",
    "inline if": "{{ t if n else f }}",
    "list that grows": "{% set o = [] %}{% set _ = o.append(n) %}{{ o }}",
    "macro": "{% macro m(a=1) %}{{ a }}{% endmacro %}{{ m(n) }}",
    "power": "{{ n ** 2 }}",
    "set": "{% set a = n %}{{ a }}",
    "set block": "{% set a %}{{ t }}{% endset %}{{ a }}",
    "slice": "{{ xs[1:] }}",
    "with": "{% with a = n %}{{ a }}{% endwith %}",
}


def sources() -> dict[str, dict[str, str]]:
    filters = {name: FILTERS.get(name, "{{ t|_ }}").replace("_", name) for name in jinja2.filters.FILTERS}
    tests = {}
    for name in jinja2.tests.TESTS:
        shown = "{{ n is _(1) }}" if name in TWO_SIDED else "{{ t is _ }}"
        # A test by a sign is reached by select alone.
        shown = TESTS.get(name, shown) if name.isidentifier() else "{{ ps|selectattr('a', '_', 1)|list }}"
        tests[name] = shown.replace("_", name)
    methods = {name: "{{ " + source + " }}" for name, source in METHODS.items()}
    return {"nodes": NODES, "filters": filters, "tests": tests, "globals": GLOBALS, "methods": methods}


def compiles(source: str) -> str | None:
    """None, or why a template is refused."""
    try:
        Environment(undefined="default").from_string(source).compile(SCHEMA)
    except CompileError as error:
        if error.code != "refused":
            raise
        # A hint that lists other names is no reason.
        return "" if error.hint is None or " are " in error.hint else error.hint
    return None


def table() -> str:
    lines = ["| what | compiles | is refused |", "|---|---|---|"]
    for what, named in sources().items():
        found = {name: compiles(source) for name, source in sorted(named.items())}
        covered = ", ".join(f"`{name}`" for name, why in found.items() if why is None)
        why = {
            name: f" ({told.rstrip('.')})" if told else "" for name, told in found.items() if told is not None
        }
        refused = "; ".join(f"`{name}`{told}" for name, told in why.items())
        lines.append(f"| {what} | {covered} | {refused.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def test_the_table_says_what_compiles_and_what_is_refused() -> None:
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(r"(?<=<!-- coverage -->\n).*?(?=<!-- /coverage -->)", re.DOTALL)
    if os.environ.get("LABFACTORY_WRITE_GOLDEN"):
        page = pattern.sub(lambda _: table(), page)
        PAGE.write_text(page, encoding="utf-8")
    (written,) = pattern.findall(page)
    assert written == table()


def test_the_table_has_every_filter_test_and_global_of_jinja2() -> None:
    found = sources()
    assert found["filters"].keys() == jinja2.filters.FILTERS.keys()
    assert found["tests"].keys() == jinja2.tests.TESTS.keys()
    assert found["globals"].keys() == DEFAULT_NAMESPACE.keys()
