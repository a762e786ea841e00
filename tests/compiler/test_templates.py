"""Templates made of templates, skipped rows, Jinja2's options, and the size of plans."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import jinja2
import pyarrow as pa
import pytest

import labfactory as lf
from labfactory.base.errors import CompileError, UsageError
from labfactory.compiler import CompileOptions, Environment, lower
from labfactory.compiler.given import Given

if TYPE_CHECKING:
    from pathlib import Path

ROWS = pa.table({"name": ["Ann", None, "<Bo>"], "points": [3, 0, 12], "xs": [["a"], [], ["b", "c"]]})


def rendered(source: str, **options: Any) -> list[str]:
    jinja = jinja2.Environment(**{**options, "loader": jinja2.DictLoader(options.get("loader", {}))})
    return [jinja.from_string(source).render(row) for row in ROWS.to_pylist()]


def assembled(source: str, **options: Any) -> list[str]:
    template = Environment(**{"undefined": "default", **options}).from_string(source)
    plan = template.compile(ROWS, optional=["x"])
    made: list[str] = plan.assemble(ROWS)["asset"].to_pylist()
    return made


def size(source: str, **options: Any) -> int:
    return len(Environment(**options).from_string(source).compile(ROWS).explain().splitlines())


@pytest.mark.parametrize(
    "options",
    [
        {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "${"}
        | {"variable_end_string": "}", "comment_start_string": "<#", "comment_end_string": "#>"},
        {"line_statement_prefix": "#", "line_comment_prefix": "##"},
        {"newline_sequence": "\r\n", "keep_trailing_newline": True},
    ],
    ids=["delimiters", "lines", "newlines"],
)
def test_options_of_jinja2_read_templates_as_jinja2_does(options: dict[str, Any]) -> None:
    source = "<% for x in xs %>${ x }<# no #>\n<% endfor %>\n# for x in xs\n{{ x }} ## no\n# endfor\n"
    assert assembled(source, **options) == rendered(source, **options)


@pytest.mark.parametrize("line_break", ["\r\n", "\r", "\n"])
def test_text_is_wrapped_by_the_line_break_of_the_environment(line_break: str) -> None:
    wrapped = "{{ name|wordwrap(2) }}{{ 'a b'|wordwrap(1) }}{{ xs|map('wordwrap', 1)|join }}"
    block = "{% filter wordwrap %}\n{% endfilter %}{{ 'x y'|wordwrap(1, wrapstring='-') }}"
    source = "{% if name %}" + wrapped + block + "{% endif %}"
    options = {"newline_sequence": line_break}
    assert assembled(source, **options) == rendered(source, **options)
    if line_break != "\n":
        with pytest.raises(CompileError, match="a wrapstring that may be none"):
            assembled("{{ 'a b'|wordwrap(1, wrapstring=name) }}", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_start_string": ""}, "expected block_start_string to be a text of one character or more"),
        ({"variable_start_string": "{%"}, "expected different starts of tags, expressions and comments"),
        ({"newline_sequence": "x"}, "expected newline_sequence to be a line break, found 'x'"),
        ({"extensions": "jinja2.ext.do"}, "expected the names of extensions, found 'jinja2.ext.do'"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        Environment(**options)
    assert caught.value.code == "environment"


def test_unusual_options_are_told_and_usual_ones_are_not() -> None:
    assert "block_start_string" not in Environment().to_dict()
    assert Environment(block_start_string="<%").to_dict()["block_start_string"] == "<%"


def test_skipped_rows_get_no_asset_and_say_why() -> None:
    source = "{% if points < 1 %}{% skip 'no points' %}{% endif %}Hi {{ name }}"
    made = lf.Template(source).compile(ROWS).assemble(ROWS).to_pylist()
    assert [row["status"] for row in made] == ["ok", "skipped", "ok"]
    assert [row["reason"] for row in made] == [None, "no points", None]
    assert [row["asset"] for row in made] == ["Hi Ann", None, "Hi <Bo>"]


def test_the_skip_tag_raises_skip_where_jinja2_renders_it() -> None:
    environment = jinja2.Environment(extensions=[lf.SkipTag])
    template = environment.from_string("{% if points < 1 %}{% skip 'no points' %}{% endif %}Hi")
    assert template.render(points=1) == "Hi"
    with pytest.raises(lf.Skip, match="no points") as caught:
        template.render(points=0)
    assert caught.value.reason == "no points"


def test_preview_tells_a_skipped_row_from_a_failed_one() -> None:
    plan = lf.Template("{% if points < 1 %}{% skip 'none' %}{% endif %}{{ name + 'x' }}").compile(ROWS)
    _, skipped, _ = plan.preview(ROWS)
    assert (skipped.code, skipped.exception, skipped.agrees) == ("skipped", "Skip: none", True)


def test_row_errors_name_the_template_that_they_come_from() -> None:
    loader = {"macros": "{% macro m(x) %}\n  {{ x + 1 }}{% endmacro %}", "part": "\n\n{{ name + 'x' }}"}
    source = "{% from 'macros' import m %}{{ m(points) }}{% include 'part' %}"
    plan = Environment(loader=loader).from_string(source, "main").compile(ROWS)
    failed = plan.assemble(ROWS).to_pylist()[1]
    assert (failed["template"], failed["line"], failed["column"]) == ("part", 3, 4)
    with pytest.raises(lf.AssemblyError, match="part:3:4"):
        plan.assemble_one({"name": None, "points": 1})


def test_compile_errors_point_into_the_template_that_has_them() -> None:
    loader = {"base": "{% block a %}{% endblock %}", "part": "a\n  {{ nam }}"}
    source = "{% extends 'base' %}{% block a %}{% include 'part' %}{% endblock %}"
    with pytest.raises(CompileError, match="unknown column 'nam'") as caught:
        Environment(loader=loader).from_string(source, "main").compile(ROWS)
    assert (caught.value.template, caught.value.line, caught.value.column) == ("part", 2, 6)
    assert "2 |   {{ nam }}" in str(caught.value)


@pytest.mark.parametrize("tag", ["extends", "include", "import"])
def test_templates_within_themselves_are_refused(tag: str) -> None:
    suffix = " as k" if tag == "import" else ""
    loader = {
        "a": f"{{% {tag} 'b'{suffix} %}}",
        "b": f"{{% {tag} 'c'{suffix} %}}",
        "c": f"{{% {tag} 'b'{suffix} %}}",
    }
    with pytest.raises(CompileError, match="b → c → b") as caught:
        Environment(loader=loader).get_template("a").compile(ROWS)
    assert caught.value.code == "cycle"


def test_a_folder_is_a_loader_and_nothing_outside_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "part.j2").write_text("part {{ points }}")
    (tmp_path / "outside.j2").write_text("secret")
    environment = Environment(loader=tmp_path / "inner")
    plan = environment.from_string("{% include 'part.j2' %}").compile(ROWS)
    assert plan.assemble(ROWS)["asset"].to_pylist() == ["part 3", "part 0", "part 12"]
    with pytest.raises(CompileError, match=r"no template '\.\./outside.j2'") as caught:
        environment.from_string("{% include '../outside.j2' %}").compile(ROWS)
    assert caught.value.code == "template_not_found"


def test_unions_in_a_row_stay_linear() -> None:
    def unions(count: int) -> int:
        return size("".join(f"{{{{ (name if points > {i} else xs|join) ~ {i} }}}}" for i in range(count)))

    one, ten = unions(20) - unions(10), unions(110) - unions(100)
    assert ten == one


def test_macros_within_macros_stay_linear() -> None:
    def nested(levels: int) -> int:
        macros = "".join(
            f"{{% macro m{i}(x) %}}<p>{{{{ m{i - 1}(x) }}}}{{{{ x }}}}</p>{{% endmacro %}}"
            for i in range(1, levels)
        )
        first = "{% macro m0(x) %}{{ x }}{% endmacro %}"
        return size(f"{first}{macros}{{{{ m{levels - 1}(name) }}}}")

    assert nested(22) - nested(12) == nested(12) - nested(2)


@pytest.mark.parametrize(
    ("bound", "most", "text", "unit"),
    [("_MOST_INLINED", 500, "", "calls"), ("_MOST_CHARACTERS", 5000, "a long text " * 9, "characters")],
)
def test_macros_that_multiply_and_compute_nothing_are_stopped_too(
    bound: str, most: int, text: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lower, bound, most)
    macros = "".join(
        f"{{% macro m{i}() %}}{{{{ m{i - 1}() }}}}{{{{ m{i - 1}() }}}}{{% endmacro %}}" for i in range(1, 30)
    )
    source = f"{{% macro m0() %}}{text}{{% endmacro %}}{macros}{{{{ m29() }}}}"
    with pytest.raises(CompileError, match=rf"at most {most:,} {unit}, passed by the macro 'm\d+'") as caught:
        lf.Template(source).compile(ROWS)
    assert caught.value.code == "plan_too_large"


def test_macros_that_multiply_are_stopped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower, "_MOST_INSTRUCTIONS", 1000)
    macros = "".join(
        f"{{% macro m{i}(x) %}}{{{{ m{i - 1}(x) }}}}{{{{ m{i - 1}(points) }}}}{{% endmacro %}}"
        for i in range(1, 30)
    )
    source = "{% macro m0(x) %}{{ x }}{% endmacro %}" + macros + "{{ m29(name) }}"
    with pytest.raises(
        CompileError, match=r"at most 1,000 instructions, passed by the macro 'm\d'"
    ) as caught:
        lf.Template(source).compile(ROWS)
    assert caught.value.code == "plan_too_large"


def test_captured_text_is_bounded_by_the_asset() -> None:
    source = "{% set x %}{% for i in xs %}{% for j in xs %}{{ name * 4000000 }}{% endfor %}{% endfor %}{% endset %}{{ x|length }}"
    rows = pa.table({"name": ["ab"], "xs": [["a", "b"]]})
    (made,) = lf.Template(source).compile(rows).assemble(rows).to_pylist()
    assert (made["status"], made["code"]) == ("error", "asset_too_large")


def test_long_captures_give_the_same_text_in_every_row() -> None:
    source = "{% set x %}{% for i in xs %}{{ i * 3000 }}{% set y %}{{ i * 9000 }}{% endset %}{{ y }}{% endfor %}{% endset %}{{ x }}"
    assert assembled(source) == rendered(source)


def test_none_prints_as_nothing_where_the_environment_says_so() -> None:
    source = "{{ name }}|{{ none }}|{{ name ~ '' }}|{{ points }}|{{ xs[0]|d(none) }}{% set x %}{{ name }}{% endset %}{{ x }}"
    for autoescape in (False, True):
        jinja = jinja2.Environment(
            autoescape=autoescape, finalize=lambda value: "" if value is None else value
        )
        expected = [jinja.from_string(source).render(row) for row in ROWS.to_pylist()]
        assert assembled(source, autoescape=autoescape, finalize="none_to_empty") == expected
    with pytest.raises(CompileError, match="a finalize function is not covered"):
        Environment(finalize=str)  # type: ignore[arg-type]


def test_compile_and_check_take_what_given_holds_and_nothing_else() -> None:
    assert set(CompileOptions.__annotations__) == {field.name for field in fields(Given)}
    template = lf.Template("{{ name }}")
    for use in (template.compile, template.check):
        with pytest.raises(TypeError, match="constnats"):
            use(pa.schema({"name": pa.string()}), constnats={})  # type: ignore[call-arg]
