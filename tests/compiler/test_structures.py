"""Hypothesis-made templates of macros, blocks, includes, captures and namespaces render as Jinja2's do."""

from __future__ import annotations

from typing import Any

import jinja2
import pyarrow as pa
from hypothesis import given, note, settings
from hypothesis import strategies as st

from labfactory.base.errors import CompileError
from labfactory.compiler import Environment
from labfactory.testing import to_python

UNDEFINED = {
    "default": jinja2.Undefined,
    "strict": jinja2.StrictUndefined,
    "chainable": jinja2.ChainableUndefined,
}
EXTENSIONS = ["jinja2.ext.do", "jinja2.ext.loopcontrols", "jinja2.ext.i18n"]
# Names that templates read and may not have assigned.
NAMES = ["v", "w", "a", "b", "x", "y", "loop", "caller"]
ROWS = pa.table(
    {
        "t": ["<b>", None, "x&y", ""],
        "i": [3, 0, None, -2],
        "xs": [["p", "<", None], [], None, ["one"]],
        "r": [{"k": "&", "n": 1}, None, {"k": None, "n": 2}, {"k": "z", "n": None}],
    }
)
LIBRARY = {
    "base": "<{% block head %}H{{ t }}{% endblock %}|{% block body scoped %}{{ v|d('-') }}{% endblock %}>",
    "mid": "{% extends 'base' %}{% set w = 'mid' %}{% block body %}({{ super() }}{{ w }}){% endblock %}",
    "part": "[{{ t }}{{ v|d('-') }}{{ x|d('-') }}{% if loop is defined %}{{ loop.index }}{% endif %}]",
    "setter": "{% set v = 'inner' %}{% set x %}{{ t }}{% endset %}{{ v }}{{ x }}",
    "lib": "{% macro box(a, b='<') %}<i>{{ a }}{{ b }}{{ v|d('-') }}</i>{% endmacro %}{% set title = 'T&' %}"
    "{% macro wrap(a) %}{{ box(a) }}{{ caller(a) if caller is defined }}{% endmacro %}",
}
HEAD = (
    "{% macro m(a, b=t, c='c<') %}[{{ a }}{{ b }}{{ c }}{% if caller is defined %}{{ caller(a) }}{% endif %}]"
    "{% endmacro %}{% macro n(a) %}{% set v = a %}{{ m(v, c=w|d(1)) }}{{ varargs|length }}{% endmacro %}"
    "{% from 'lib' import box, title %}{% import 'lib' as lib with context %}{% set ns = namespace(u=0) %}"
)
leaf_values = st.sampled_from(
    [
        "t",
        "i",
        "v",
        "w",
        "x",
        "a",
        "1",
        "'<q>'",
        "none",
        "r.k",
        "ns.u",
        "title",
        "xs[0]",
        "loop.index",
        "lib.title",
    ]
)


def values(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return leaf_values
    inner = values(depth - 1)
    return st.one_of(
        leaf_values,
        st.builds("({} ~ {})".format, inner, inner),
        st.builds("({})|upper".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("m({}, {})".format, inner, inner),
        st.builds("n({}, 1)".format, inner),
        st.builds("lib.box({}, b={})".format, inner, inner),
        st.builds("box({})|safe".format, inner),
        st.builds("_('say')|lower ~ ({})".format, inner),
    )


def pieces(depth: int) -> st.SearchStrategy[str]:
    shown = st.builds("{{{{ {} }}}}".format, values(1))
    assigned = st.sampled_from(["v", "w", "x", "t", "ns.u", "ns.q"])
    leaves = st.one_of(
        shown,
        shown,
        st.sampled_from(
            ["text ", "<p>", "{% include 'part' %}", "{% include 'setter' %}", "{{ ns.q }}", "{{ lib.v }}"]
        ),
        st.builds("{{% set {} = {} %}}".format, assigned, values(1)),
        st.builds("{{% set v, w = {}, {} %}}".format, values(1), values(1)),
        st.builds("{{% do {} %}}".format, values(1)),
        st.builds("{{% trans a={} %}}say {{{{ a }}}}{{% endtrans %}}".format, values(1)),
    )
    if depth == 0:
        return st.lists(leaves, min_size=1, max_size=3).map("".join)
    inner = pieces(depth - 1)
    return st.lists(
        st.one_of(
            leaves,
            leaves,
            st.builds("{{% set {} %}}{}{{% endset %}}".format, assigned, inner),
            st.builds("{{% set {} | upper %}}{}{{% endset %}}".format, assigned, inner),
            st.builds("{{% filter replace('a', '<') | trim %}}{}{{% endfilter %}}".format, inner),
            st.builds("{{% with v = {}, w = v|d(0) %}}{}{{% endwith %}}".format, values(1), inner),
            st.builds("{{% call(x) m({}) %}}{}{{% endcall %}}".format, values(1), inner),
            st.builds("{{% call(x, y=1) lib.wrap({}) %}}{}{{% endcall %}}".format, values(1), inner),
            st.builds("{{% for x in xs or [] %}}{}{{% else %}}{}{{% endfor %}}".format, inner, inner),
            st.builds(
                "{{% for v, x in [[{}, 1], (2, {})] %}}{}{{% endfor %}}".format, values(0), values(0), inner
            ),
            st.builds(
                "{{% for x in xs or [] %}}{}{{% if {} %}}{{% {} %}}{{% endif %}}{}{{% else %}}E{{% endfor %}}".format,
                inner,
                values(1),
                st.sampled_from(["break", "continue"]),
                inner,
            ),
            st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, values(1), inner, inner),
            st.builds(
                "{{% autoescape {} %}}{}{{% endautoescape %}}".format,
                st.sampled_from(["true", "false"]),
                inner,
            ),
            st.builds("{{% macro k(a) %}}{}{{% endmacro %}}{{{{ k({}) }}}}".format, inner, values(1)),
            st.builds("{{% filter upper %}}{{% include 'mid' %}}{}{{% endfilter %}}".format, inner),
        ),
        min_size=1,
        max_size=3,
    ).map("".join)


KINDS = {
    jinja2.UndefinedError: "undefined",
    TypeError: "type_error",
    ValueError: "value_error",
    OverflowError: "float_overflow",
    ZeroDivisionError: "zero_division",
}


def oracle(
    source: str, options: dict[str, Any], context: dict[str, Any]
) -> tuple[str | None, str | None, str]:
    """Jinja2's text, or the kind of what it raised."""
    undefined = UNDEFINED[options["undefined"]]
    given = {
        **options,
        "undefined": undefined,
        "loader": jinja2.DictLoader(LIBRARY),
        "extensions": EXTENSIONS,
    }
    environment: Any = jinja2.Environment(**given)
    environment.install_null_translations()
    try:
        return environment.from_string(source).render(context), None, ""
    except RecursionError:
        raise
    except Exception as error:
        return None, KINDS[type(error)], repr(error)


@st.composite
def sources(draw: st.DrawFn) -> str:
    body = draw(pieces(2))
    if draw(st.booleans()):
        return "\n".join(
            [HEAD, body, "{% block z %}{{ w }}{{ ns is defined }}{% endblock %}", draw(pieces(1))]
        )
    parent = draw(st.sampled_from(["base", "mid"]))
    block = f"{{% block body %}}{body}\n{{{{ super() }}}}{{{{ self.head()|upper }}}}{{% endblock %}}"
    library = "{% from 'lib' import box, title %}{% import 'lib' as lib with context %}{% set ns = namespace(u=0) %}"
    macros = HEAD[: HEAD.index("{% from")]
    inside = block.replace("{% block body %}", "{% block body %}" + library)
    return f"before{{% extends '{parent}' %}}\n{macros}{draw(pieces(0)) if draw(st.booleans()) else ''}\n{inside}"


@settings(max_examples=60)
@given(source=sources(), autoescape=st.booleans(), undefined=st.sampled_from(sorted(UNDEFINED)))
def test_made_structures_render_as_jinja2_renders_them(source: str, autoescape: bool, undefined: str) -> None:
    options: dict[str, Any] = {"autoescape": autoescape, "undefined": undefined}
    environment = Environment(**options, loader=LIBRARY, extensions=EXTENSIONS)
    try:
        plan = environment.from_string(source).compile(ROWS, optional=NAMES)
    except CompileError as error:
        if error.code not in ("refused", "unknown_field"):
            raise
        return
    made = plan.assemble(ROWS).to_pylist()
    note(source)
    for row, result in zip(to_python(ROWS), made, strict=True):
        text, code, why = oracle(source, options, row)
        assert (text, code) == (result["asset"], result["code"]), (
            f"{row} under {options}: {why}, found {result}"
        )
