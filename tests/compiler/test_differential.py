"""Templates and tables that Hypothesis makes render as Jinja2 renders them, in every undefined mode."""

from __future__ import annotations

import datetime as dt
import traceback
from typing import Any

import jinja2
import pyarrow as pa
from hypothesis import given, note, settings
from hypothesis import strategies as st

from labfactory.base.errors import CompileError
from labfactory.compiler import Environment
from labfactory.testing import to_python

UNDEFINED = {
    "error": jinja2.StrictUndefined,
    "default": jinja2.Undefined,
    "strict": jinja2.StrictUndefined,
    "chainable": jinja2.ChainableUndefined,
}
REFUSALS = {"refused", "unknown_field", "unknown_column", "format", "arguments"}
# Past 64 bits and past the limits of an asset we say so where Python goes on.
DOCUMENTED = {"int_overflow", "asset_too_large"}

texts = st.one_of(
    st.sampled_from(
        ["", "a", "<b>", "&amp;", 'it\'s "x"', "hello wORLD foo", " pad\t", "ΑΣ", "ǆo-ﬁ(ß", "%s", "1"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
integers = st.one_of(st.integers(-3, 12), st.sampled_from([10**6, -(2**31), 2**53 + 1, 2**62]))
floats = st.one_of(
    st.sampled_from([0.0, -0.0, 1.5, 2.5, 1e16, 1e-5, 1.005, 0.1]), st.floats(width=32, allow_nan=False)
)


def nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values, values, values)


def list_of_pairs(entries: dict[str, Any]) -> list[tuple[str, Any]]:
    return list(entries.items())


MAP = pa.map_(pa.string(), pa.int64())
products = st.fixed_dictionaries(
    {
        "sku": nullable(texts),
        "price": nullable(floats),
        "tags": nullable(st.lists(nullable(texts), max_size=3)),
    }
)
PRODUCT = pa.struct({"sku": pa.string(), "price": pa.float64(), "tags": pa.list_(pa.string())})
COLUMNS: dict[str, tuple[st.SearchStrategy[Any], list[pa.DataType]]] = {
    "t": (texts, [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]),
    "u": (texts, [pa.string(), pa.dictionary(pa.uint32(), pa.large_string()), pa.binary()]),
    "i": (integers, [pa.int64()]),
    "k": (st.integers(-4, 9), [pa.int8(), pa.int16(), pa.int32(), pa.dictionary(pa.int8(), pa.int64())]),
    "p": (st.integers(0, 200), [pa.uint8(), pa.uint32(), pa.uint64()]),
    "f": (floats, [pa.float64(), pa.float32()]),
    "b": (st.booleans(), [pa.bool_()]),
    "xs": (st.lists(nullable(texts), max_size=4), [pa.list_(pa.string()), pa.large_list(pa.string_view())]),
    "ns": (st.lists(nullable(integers), max_size=4), [pa.list_(pa.int64())]),
    "r": (products, [PRODUCT]),
    "ps": (st.lists(nullable(products), max_size=3), [pa.list_(PRODUCT), pa.large_list(PRODUCT)]),
    "de": (st.decimals(-999, 999, places=2), [pa.decimal128(5, 2), pa.decimal128(20, 4)]),
    "d": (st.dates(), [pa.date32(), pa.date64()]),
    "z": (
        st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2100, 1, 1)),
        [pa.timestamp("us", "UTC"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("us", "-03:30")],
    ),
    "s": (st.timedeltas(dt.timedelta(-99), dt.timedelta(99)), [pa.duration("us")]),
    "h": (st.times(), [pa.time64("us")]),
    "m": (st.dictionaries(texts, nullable(integers), max_size=3).map(list_of_pairs), [MAP]),
}


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    rows = draw(st.integers(1, 5))
    arrays = []
    for values, types in COLUMNS.values():
        column = draw(st.lists(nullable(values), min_size=rows, max_size=rows))
        arrays.append(pa.array(column, draw(st.sampled_from(types))))
    batch = pa.record_batch(arrays, names=list(COLUMNS))
    first = draw(st.integers(0, rows - 1))
    return batch.slice(first, draw(st.integers(1, rows - first)))


def quoted(text: str) -> str:
    escaped = "".join(c if c.isprintable() and c not in "'\\{}%#" else f"\\U{ord(c):08x}" for c in text)
    return f"'{escaped}'"


TEXTS = ["t", "u", "r.sku", "r['sku']", "x", "xs[0]", "q.sku", "v", "gone"]
OTHERS = [
    *(
        "de",
        "d",
        "z",
        "s",
        "h",
        "m",
        "r",
        "ps",
        "xs",
        "ps[-1]",
        "{'a': t, i: xs, k: de}",
        "[r, m]",
        "(t, de, d)",
    ),
    *(
        "m.a",
        "r[t]",
        "m[t]",
        "[s, h]",
        "{'q': r}.q.tags",
        "(r or m)",
        "(ps[0] if b else r)",
        "z.hour",
        "s.days",
    ),
    *(
        "ps[1:]",
        "xs[::-1]",
        "t[1:-1]",
        "(u|e)[:3]",
        "z - s",
        "d + s",
        "s * k",
        "de * k",
        "de + i",
        "de / 7",
        "-s",
    ),
    *(
        "(z - z)",
        "{t: i}[t]",
        "{}",
        "[]",
        "()",
        "d.year",
        "(ns or [])[k:]",
        "z < z",
        "de < f",
        "k ** 2",
        "2 ** p",
    ),
]
NUMBERS = ["i", "k", "p", "f", "b", "r.price", "ns[1]", "q.price", "loop.index", "loop.revindex0", "w", "n"]
LISTS = [
    "(xs or [])",
    "(ns or [])",
    "(r.tags or [])",
    "[t, u]",
    "(k, 2, k)",
    "xs",
    "(q.tags or [])",
    "['<', i]",
]
FILTERS = [
    *(
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "e",
        "safe",
        "string",
        "default('d')",
        "default('<', true)",
    ),
    *("trim('ab')", "truncate(6)", "truncate(5, true, '…', 0)", "string|length", "replace('a', '<')", "d(t)"),
    *("replace('<'|safe, t, 1)", "replace(t, u)", "escape|upper", "truncate(k, leeway=p)", "join('-')"),
    *("center(9)", "indent(2, true)", "striptags", "urlencode", "forceescape", "wordcount", "tojson", "int"),
    *("string|wordwrap(5)", "string|wordwrap(k or 4, false, '<')", "float", "reverse", "first", "last"),
    *("map('upper')|join('<')", "list|tojson", "unique|join", "sort|join", "select|map('e')|join('&')"),
]
LIST_FILTERS = [
    *("sort|join('-')", "unique|join", "reverse|join", "batch(2, '-')|map('join')|join('/')", "max", "min"),
    *("slice(3, t)|map('join')|join('|')", "groupby(0)|map('last')|map('length')|join", "sum", "list|tojson"),
    *("select('string')|map('upper')|join", "reject('none')|sort(true)|first", "map('default', t)|join('<')"),
    *(
        "map('string')|sort(case_sensitive=true)|join",
        "first",
        "last",
        "map('tojson')|join",
        "map('int')|sum",
    ),
]
METHODS = [
    *("upper()", "title()", "swapcase()", "casefold()", "split()|join('/')", "rsplit('a', 1)|join('/')"),
    *("strip(' a')", "replace('a', '<b>')", "find('o')", "count('a')", "startswith(('a', '<'))", "zfill(4)"),
    *("center(7, '*')", "partition('o')|join('|')", "splitlines()|length", "istitle()", "isalnum()"),
    *("join(['<', t|string])", "format(t, u, x=i)", "removeprefix('a')", "islower()", "isnumeric()"),
]
FORMATS = [
    "t",
    "u",
    "('%' ~ u)",
    "(t|e)",
    "'%s|%r|%5.1f'",
    "'%(a)s%(b)d'",
    "'<%-*s>'",
    "'%.3s'",
    "'%05d'",
    "'%x'",
]
FORMATTED = [
    *("t", "i", "f", "de", "z", "r", "xs", "(t, i)", "(k,)", "{'a': t, 'b': i}", "gone", "(ps or [])", "m"),
    *("(k, t)", "(t|e)", "[t]", "(t, z, f)"),
]
SPECS = ["", ">8", "^9.3", "+d", ",", ".2f", "08.1f", "x", "_", "%", "e", "*<7", ".3", "g", "5"]
NUMBER_FILTERS = [
    *("abs", "filesizeformat", "int", "float", "tojson"),
    "round",
    "round(1)",
    "round(k or 0)",
    "round(1, 'floor')",
    "round(method='ceil')",
    "default(0)",
    "string",
]
TESTS = [
    *("defined", "undefined", "none", "boolean", "integer", "float", "number", "string", "sequence", "true"),
    *(
        "sameas none",
        "sameas(true)",
        "callable",
        "false",
        "not none",
        "eq 1",
        "in ns",
        "iterable",
        "mapping",
        "escaped",
        "upper",
        "lower",
    ),
]


def expressions(depth: int) -> st.SearchStrategy[str]:
    return st.one_of(strings(depth), numbers(depth), truths(depth), st.sampled_from(OTHERS))


def strings(depth: int) -> st.SearchStrategy[str]:
    leaves = st.one_of(st.sampled_from(TEXTS), st.sampled_from(TEXTS), texts.map(quoted))
    if depth == 0:
        return leaves
    inner, other = strings(depth - 1), expressions(depth - 1)
    return st.one_of(
        leaves,
        st.builds("({})|{}".format, inner, st.sampled_from(FILTERS)),
        st.builds("({})|{}".format, other, st.sampled_from(FILTERS)),
        st.builds("({} ~ {})".format, other, inner),
        st.builds("({} ~ {} ~ {})".format, other, inner, other),
        st.builds("({} or {})".format, inner, other),
        st.builds("({} and {})".format, other, inner),
        st.builds("({} if {} else {})".format, inner, truths(depth - 1), other),
        st.builds("({} if {})".format, inner, truths(depth - 1)),
        st.builds("({} + {})".format, inner, inner),
        st.builds("{}|join({})".format, st.sampled_from(LISTS), inner),
        st.builds("{}|{}".format, st.sampled_from(LISTS), st.sampled_from(LIST_FILTERS)),
        st.builds("({}|string).{}".format, inner, st.sampled_from(METHODS)),
        st.builds("'{{:{}}}'.format({})".format, st.sampled_from(SPECS), other),
        st.builds("('%s<%5s>' % ({}, {}))".format, other, inner),
        st.builds("('<%s>'|safe % ({}))".format, other),
        st.builds("'%r|%-4s'|format({}, {})".format, other, other),
        st.builds("('%.{}f' % ({}))".format, st.integers(0, 9), numbers(depth - 1)),
        st.builds("('%+05d' % ({}))".format, numbers(depth - 1)),
        st.builds("({} % {})".format, st.sampled_from(FORMATS), st.sampled_from(FORMATTED)),
        st.builds("({}|format(*{}))".format, st.sampled_from(FORMATS), st.sampled_from(LISTS)),
        st.builds("({}|format(a={}, b={}))".format, st.sampled_from(FORMATS), inner, other),
    )


def numbers(depth: int) -> st.SearchStrategy[str]:
    leaves = st.one_of(
        st.sampled_from(NUMBERS), st.integers(0, 99).map(str), st.sampled_from(["1.5", "0.1", "1e3"])
    )
    if depth == 0:
        return leaves
    inner = numbers(depth - 1)
    return st.one_of(
        leaves,
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner),
        st.builds("(-{})".format, inner),
        st.builds("({})|{}".format, inner, st.sampled_from(NUMBER_FILTERS)),
        st.builds("{}|length".format, st.sampled_from(LISTS)),
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, truths(depth - 1), inner),
    )


def truths(depth: int) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["b", "t", "k > 2", "xs", "r", "true", "loop.first", "(gone is defined)", "q"])
    if depth == 0:
        return leaves
    inner, other = truths(depth - 1), expressions(depth - 1)
    number, text = numbers(depth - 1), strings(depth - 1)
    return st.one_of(
        leaves,
        st.builds("(not {})".format, other),
        st.builds("({} {} {})".format, number, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), number),
        st.builds("({} {} {})".format, text, st.sampled_from(["<", ">=", "==", "!=", "in", "not in"]), text),
        st.builds("({} < {} <= {})".format, number, number, number),
        st.builds("({} in {})".format, other, st.sampled_from(LISTS)),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("({} is {})".format, other, st.sampled_from(TESTS)),
        st.builds("(({}) is {})".format, number, st.sampled_from(["odd", "even"])),
        st.builds("({} == {})".format, other, other),
        st.builds("({} {} {})".format, other, st.sampled_from(["in", "<"]), st.sampled_from(OTHERS)),
    )


FOR_KEYS = "{{% for x in {} %}}{{{{ loop.index }}}}{{{{ x }}}}{}{{% endfor %}}"
FOR_ELSE = "{{% for x in {} %}}{}{{% else %}}{}{{% endfor %}}"
FOR_IF = "{{% for q in ps or [] if q and {} %}}{}{{% else %}}E{{% endfor %}}"
FOR_PREVIOUS = "{{% for n in (ns or []) if n %}}{{{{ loop.previtem|d('-') }}}}{}{{% endfor %}}"
AUTOESCAPE = "{{% autoescape {} %}}{}{{% endautoescape %}}"


def statements(depth: int) -> st.SearchStrategy[str]:
    shown = st.builds("{{{{ {} }}}}".format, expressions(2))
    leaves = st.one_of(
        shown,
        shown,
        st.sampled_from(
            ["text ", "<p>", "{# no #}", "{% raw %}{{ x }}{% endraw %}", "{{ t }}", "{{ i }}", "ü😀"]
        ),
        st.builds("{{% set {} = {} %}}".format, st.sampled_from(["v", "w", "t", "x"]), expressions(2)),
    )
    if depth == 0:
        return st.lists(leaves, min_size=1, max_size=3).map("".join)
    inner = statements(depth - 1)
    branches = (truths(1), inner, truths(1), inner, inner)
    return st.lists(
        st.one_of(
            leaves,
            leaves,
            st.builds("{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{% endif %}}".format, *branches),
            st.builds("{{% if {} %}}{}{{% endif %}}".format, truths(2), inner),
            st.builds(FOR_ELSE.format, st.sampled_from(LISTS), inner, inner),
            st.builds("{{% for q in ps or [] %}}{}{{% endfor %}}".format, inner),
            st.builds(
                FOR_KEYS.format, st.sampled_from(["r", "m", "t", "{'a': 1, t: 2}", "ps[0] or r"]), inner
            ),
            st.builds(FOR_IF.format, truths(1), inner),
            st.builds(FOR_PREVIOUS.format, inner),
            st.builds(AUTOESCAPE.format, st.sampled_from(["true", "false"]), inner),
        ),
        min_size=1,
        max_size=4,
    ).map("".join)


def oracle(source: str, options: dict[str, Any], context: dict[str, Any]) -> tuple[str | None, str]:
    environment = jinja2.Environment(**{**options, "undefined": UNDEFINED[options["undefined"]]})
    try:
        return environment.from_string(source).render(context), ""
    except RecursionError:
        raise
    except Exception as error:
        return None, "".join(traceback.format_exception_only(error))


@settings(max_examples=120)
@given(
    source=statements(2),
    batch=batches(),
    autoescape=st.booleans(),
    undefined=st.sampled_from(sorted(UNDEFINED)),
)
def test_made_templates_render_as_jinja2_renders_them(
    source: str, batch: pa.RecordBatch, autoescape: bool, undefined: str
) -> None:
    options = {"autoescape": autoescape, "undefined": undefined}
    optional = ["gone", "x", "q", "v", "w", "n", "loop"]
    try:
        plan = Environment(**options).from_string(source).compile(batch.schema, optional=optional)
    except CompileError as error:
        if error.code not in REFUSALS:
            raise
        return
    made = plan.assemble(batch).to_pylist()
    note(plan.explain())
    for row, result in zip(to_python(batch), made, strict=True):
        if result["code"] in DOCUMENTED:
            continue
        text, why = oracle(source, options, row)
        assert text == result["asset"], (
            f"{source} of {row} under {options}: {why or repr(text)}, found {result}"
        )
        assert result["status"] == ("error" if text is None else "ok")
