"""What Jinja2 itself mixes up is refused, not rendered as one would expect."""

from __future__ import annotations

import contextlib

import jinja2
import pyarrow as pa
import pytest

from labfactory.base.errors import CompileError, UsageError
from labfactory.compiler import Environment, Expression, Template, lower

SCHEMA = pa.schema({"ﬁ": pa.string(), "fi": pa.string(), "x": pa.string()})


@pytest.mark.parametrize("source", ["{{ ﬁ }}{{ fi }}", "{% set ﬁ = 1 %}{{ fi }}", "{{ x|default(fi ~ ﬁ) }}"])
def test_names_that_python_takes_for_one_are_refused(source: str) -> None:
    with pytest.raises(CompileError, match="one to Python") as caught:
        Template(source)
    assert caught.value.code == "refused"


def test_a_name_that_python_writes_differently_is_read_as_it_stands() -> None:
    row = {"ﬁ": "one", "fi": "other", "x": "x"}
    assert Template("{{ ﬁ }}").compile(SCHEMA).assemble_one(row) == "one"
    assert Template("{{ fi }}").compile(SCHEMA).assemble_one(row) == "other"


GATHERED = [
    "{% set v %}a{% include 'part' without context %}{% endset %}{{ v }}",
    "{% filter upper %}a{% include ['none', 'part'] without context %}{% endfilter %}",
    "{% macro m() %}{% if x %}{% include 'part' without context %}{% endif %}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}a{% include 'part' without context %}{% endcall %}",
    "{% for item in [x] recursive %}a{% include 'part' ignore missing without context %}{% endfor %}",
]
AT_ONCE = [
    "{% for item in [x] %}a{% include 'part' without context %}{% endfor %}",
    "{% set v %}a{% block b %}{% include 'part' without context %}{% endblock %}{% endset %}{{ v }}",
    "{% set v %}a{% include 'part' %}{% include 'outer' %}{% endset %}{{ v }}",
]
PARTS = {"part": "p", "outer": "{% include 'part' without context %}"}


def as_jinja2_renders(source: str) -> str:
    return jinja2.Environment(loader=jinja2.DictLoader(PARTS)).from_string(source).render(x="x")


@pytest.mark.parametrize("source", GATHERED)
def test_an_include_without_context_whose_text_jinja2_loses_is_refused(source: str) -> None:
    with contextlib.suppress(TypeError):
        assert "ap" not in as_jinja2_renders(source)
    with pytest.raises(CompileError, match="include without context") as caught:
        Environment(loader=PARTS).from_string(source)
    assert caught.value.code == "refused"
    assert caught.value.line == 1


@pytest.mark.parametrize("source", AT_ONCE)
def test_an_include_without_context_whose_text_goes_out_at_once_renders(source: str) -> None:
    plan = Environment(loader=PARTS).from_string(source).compile(SCHEMA)
    assert plan.assemble_one({"ﬁ": "", "fi": "", "x": "x"}) == as_jinja2_renders(source)


def test_autoescape_by_a_constant_given_to_compile_is_refused() -> None:
    template = Template("{% autoescape html %}{{ '<b>'|safe ~ x }}{% endautoescape %}")
    with pytest.raises(CompileError, match="autoescape by a constant") as caught:
        template.compile(SCHEMA, constants={"html": True})
    assert caught.value.code == "refused"


@pytest.mark.parametrize("made", [Template, Expression])
def test_what_is_no_text_is_no_template(made: type[Template] | type[Expression]) -> None:
    for source in (None, 5, b"x", ["x"]):
        with pytest.raises(UsageError, match="expected the source of a template as text") as caught:
            made(source)  # type: ignore[arg-type]
        assert caught.value.code == "template"


@pytest.mark.parametrize(
    "source", ["\ud800", "{{ '\ud800' ~ x }}", "{{ '\\ud800' }}", "{{ '%s\\ud800' % x }}"]
)
def test_text_that_utf_8_cannot_hold_is_refused(source: str) -> None:
    with pytest.raises(CompileError) as caught:
        Template(source).compile(SCHEMA)
    assert caught.value.code == "encoding"


def test_a_constant_that_utf_8_cannot_hold_is_refused() -> None:
    for constant in ("\ud800", ["a", "\udfff"]):
        for source in ("{{ c|join }}", "{{ [x, c]|length }}"):
            with pytest.raises(CompileError) as caught:
                Template(source).compile(SCHEMA, constants={"c": constant})
            assert caught.value.code == "encoding"


def test_a_template_of_more_columns_than_the_core_counts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower, "_MOST_COLUMNS", 2)
    assert Template("{{ x }}{{ fi }}").compile(SCHEMA).columns == ("x", "fi")
    fields = pa.schema({"s": pa.struct({"a": pa.int8(), "b": pa.int8()})})
    with pytest.raises(CompileError, match="at most 2 columns, found 3") as caught:
        Template("{{ s.a }}{{ s.b }}").compile(fields)
    assert caught.value.code == "plan_too_large"


def test_the_names_of_a_wide_schema_are_compared_once() -> None:
    schema = pa.schema({f"c{at}": pa.int8() for at in range(50_000)})
    assert Template("{{ c1 }}").compile(schema).columns == ("c1",)


@pytest.mark.parametrize(
    "source",
    [
        "{% set o = [] %}{% set p = o %}{% do o.append(1) %}{{ p }}",
        "{% set o = [1] %}{% for x in o %}{% do o.append(x) %}{% endfor %}",
        "{% set o = [1] %}{% for x in xs %}{% do o.append(x) %}{% set p = [o] %}{{ p }}{% endfor %}",
        "{% set o = [1] %}{% for x in xs %}{% set ns = namespace(l=o) %}{% do o.append(x) %}{% endfor %}",
        "{% set o = [1] %}{% set g = o|map('string') %}{% do o.append(2) %}{{ g|join }}",
        "{% macro m(l) %}{% do l.append(1) %}{% endmacro %}{% set o = [] %}{{ m(o) }}{{ o }}",
        "{% set o = [] %}{% set d = {'a': o} %}{% do o.append(1) %}{{ d }}",
        "{% set o = [] %}{% do o.append(o) %}",
        "{% set o = [] %}{% for x in xs %}{% set p = o and o[-1] %}{% do o.append(x) %}{% endfor %}",
        "{% set o = [] %}{% for x in xs|reject('in', o) %}{% do o.append(x) %}{% endfor %}",
        "{% set o = [] %}{% with %}{% do o.append(1) %}{% set o = 2 %}{% endwith %}{{ o }}",
        "{% set o = [] %}{% macro m(l=o) %}{% do l.append(1) %}{% endmacro %}{{ m() }}{{ o }}",
        "{% set o = [] %}{% for x in xs %}{% do o.append(x) %}{% set o = [] %}{% endfor %}{{ o }}",
    ],
)
def test_a_list_that_something_else_holds_does_not_grow(source: str) -> None:
    schema = pa.schema({"xs": pa.list_(pa.string())})
    with pytest.raises(CompileError, match="a list that grows while something else holds it") as caught:
        Template(source, extensions=["jinja2.ext.do"]).compile(schema)
    assert caught.value.code == "refused"


def test_a_list_of_the_row_does_not_grow() -> None:
    schema = pa.schema({"xs": pa.list_(pa.string())})
    for source in ("{% do xs.append(1) %}", "{% set o = xs %}{% do o.extend(xs) %}"):
        with pytest.raises(CompileError, match="a call of the method") as caught:
            Template(source, extensions=["jinja2.ext.do"]).compile(schema)
        assert caught.value.code == "refused"


def test_a_loop_that_looks_ahead_under_another_autoescape_is_refused() -> None:
    schema = pa.schema({"xs": pa.list_(pa.string())})
    source = "{% for x in xs if x %}{% autoescape true %}{{ loop.last }}{% endautoescape %}{% endfor %}"
    with pytest.raises(CompileError, match="looking ahead in a loop under another autoescape") as caught:
        Template(source).compile(schema)
    assert caught.value.code == "refused"


def test_a_list_longer_than_the_core_has_registers_is_refused() -> None:
    source = "{{ [x, " + ", ".join(["x"] * 20000) + "]|length }}"
    with pytest.raises(CompileError, match=r"at most 16,384 values at a time, found 20,0") as caught:
        Template(source).compile(SCHEMA)
    assert caught.value.code == "plan_too_large"


def test_seconds_since_the_epoch_are_refused_where_they_depend_on_the_machine() -> None:
    with pytest.raises(CompileError, match="the method timestamp") as caught:
        Template("{{ at.timestamp() }}").compile(pa.schema({"at": pa.timestamp("us")}))
    assert caught.value.code == "refused"
    assert caught.value.hint is not None
    assert "without a zone it depends on the machine" in caught.value.hint


@pytest.mark.parametrize(
    "body", ["{{ a }}", "{{ a|join }}{{ a|join }}", "{{ [a] }}", "{{ varargs }}{{ kwargs }}"]
)
def test_a_macro_reads_a_generator_once_and_keeps_it_nowhere(body: str) -> None:
    call = "m(1, xs|select)" if "varargs" in body else "m(xs|select)"
    source = f"{{% macro m(a) %}}{body}{{% endmacro %}}{{{{ {call} }}}}"
    with pytest.raises(CompileError) as caught:
        Template(source).compile(pa.schema({"xs": pa.list_(pa.string())}))
    assert caught.value.code == "refused"


def test_what_is_undefined_is_no_text_to_reverse() -> None:
    with pytest.raises(CompileError, match="the generator that reverse gives") as caught:
        Template("{{ gone|reverse }}", undefined="default").compile(SCHEMA)
    assert caught.value.code == "refused"
