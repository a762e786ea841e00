"""A library is read whole or refused whole, with everything that is wrong at once."""

from __future__ import annotations

import gettext
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory.base.errors import ContentError
from labfactory.compiler import Environment
from labfactory.content import Component, Creative, Library, LibraryError, channel

if TYPE_CHECKING:
    from pathlib import Path

EMAIL = {
    "welcome/plain/creative.toml": b'channel = "email"\n\n[slots]\nhero = ["spring", "loyal"]\n',
    "welcome/plain/subject.j2": b"Hello {{ first_name | default('you', true) }}\n",
    "welcome/plain/html.j2": b"<h1>Hi</h1>\n{{ slot('hero') }}",
    "welcome/plain/text.j2": b"Hi\r\n{{ slot('hero') }}",
    "components/hero/spring/component.toml": b'eligible = "consent_email"\n',
    "components/hero/spring/html.j2": b"<p>Spring</p>",
    "components/hero/spring/text.j2": b"Spring",
    "components/hero/loyal/component.toml": b"",
    "components/hero/loyal/html.j2": b"<p>Thanks</p>",
    "components/hero/loyal/text.j2": b"Thanks",
}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def problems(files: dict[str, bytes]) -> list[tuple[str, str | None]]:
    with pytest.raises(LibraryError) as caught:
        Library.from_files(files)
    assert caught.value.code == "library"
    return [(problem.code, problem.template) for problem in caught.value.problems]


def test_a_folder_is_read_as_its_files_are(tmp_path: Path) -> None:
    library = Library.load(
        write(tmp_path, {**EMAIL, "README.md": b"read me", "welcome/plain/.html.j2.swp": b"\xff"})
    )
    assert library == Library.from_files(EMAIL)
    creative = library.creative("welcome/plain")
    assert list(creative.parts) == ["subject", "html", "text"]
    assert creative.parts["text"] == "Hi\r\n{{ slot('hero') }}"
    assert [one.name for one in library.components_of("hero")] == ["loyal", "spring"]
    assert [one.name for one in creative.choices(library.components)["hero"]] == ["spring", "loyal"]


def test_the_channel_sets_autoescape_part_by_part() -> None:
    environments = Library.from_files(EMAIL).creative("welcome/plain").environments()
    assert {part: one.autoescape for part, one in environments.items()} == {
        "subject": False,
        "html": True,
        "text": False,
    }


def test_files_come_back_exactly() -> None:
    library = Library.from_files(EMAIL)
    files = library.files()
    assert files == EMAIL
    assert list(files) == sorted(files)
    assert Library.from_files(files).files() == files


def test_all_problems_are_told_at_once() -> None:
    files = {
        **EMAIL,
        "welcome/plain/creative.toml": b'channel = "email"\nchanel = 1\n',
        "welcome/loud/creative.toml": b'channel = "emial"\n',
        "welcome/soft/creative.toml": b'channel = "email\n',
        "welcome/text.j2": b"lost",
        "components/hero/spring/html.j2": b"{{ 1 + }}",
        "components/hero/loyal/component.toml": b'tags = "one"\n',
    }
    assert sorted(problems(files)) == sorted(
        [
            ("declaration", "components/hero/loyal/component.toml"),
            ("unknown_file", "welcome/text.j2"),
            ("unknown_channel", "welcome/loud/creative.toml"),
            ("declaration", "welcome/plain/creative.toml"),
            ("toml", "welcome/soft/creative.toml"),
            ("syntax", "components/hero/spring/html.j2"),
        ]
    )


@pytest.mark.parametrize(
    ("declaration", "code"),
    [
        (b'channel = "email"\nchanel = 1\n', "declaration"),
        (b'channel = "emial"\n', "unknown_channel"),
        (b'channel = "push"\n', "unknown_part"),
        (b'channel = "email"\n[needs]\nname = "txt"\n', "declaration"),
    ],
)
def test_templates_are_read_beside_a_wrong_declaration(declaration: bytes, code: str) -> None:
    files = {
        **EMAIL,
        "welcome/plain/creative.toml": declaration,
        "welcome/plain/html.j2": b"{% if x %}",
        "welcome/plain/text.j2": b"{{ 1 + }}",
    }
    found = problems(files)
    assert (code, "welcome/plain/creative.toml") in found or (code, "welcome/plain/html.j2") in found
    assert {("syntax", "welcome/plain/html.j2"), ("syntax", "welcome/plain/text.j2")} <= set(found)


def test_templates_wait_for_their_options() -> None:
    brackets = b'[environment]\nvariable_start_string = "[["\nvariable_end_string = "]]"\n'
    files = {**EMAIL, "welcome/plain/html.j2": b"{{ not Jinja2 [[ name ]]"}
    wrong = {**files, "welcome/plain/creative.toml": b'channel = "email"\nchanel = 1\n' + brackets}
    assert problems(wrong) == [("declaration", "welcome/plain/creative.toml")]
    broken = {**files, "welcome/plain/creative.toml": b"channel = \n" + brackets}
    assert problems(broken) == [("toml", "welcome/plain/creative.toml")]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"welcome/plain/subject.j2": None}, ("missing_part", "welcome/plain/creative.toml")),
        ({"welcome/plain/creative.toml": None}, ("missing_file", "welcome/plain/creative.toml")),
        (
            {"components/hero/loyal/component.toml": None},
            ("missing_file", "components/hero/loyal/component.toml"),
        ),
        ({"welcome/plain/body.j2": b""}, ("unknown_part", "welcome/plain/body.j2")),
        ({"welcome/plain/logo.png": b"x"}, ("unknown_file", "welcome/plain/logo.png")),
        ({"welcome/plain/html.j2": b"\xff{{ slot('hero') }}"}, ("encoding", "welcome/plain/html.j2")),
        ({"welcome/plain/subject.j2": b"one\ntwo"}, ("line_break", "welcome/plain/subject.j2")),
        ({"welcome/plain/text.j2": b"{{ slot('heroes') }}"}, ("unknown_slot", "welcome/plain/text.j2")),
        ({"components/hero/loyal/text.j2": None}, ("missing_part", "welcome/plain/text.j2")),
        (
            {"welcome/plain/html.j2": b"", "welcome/plain/text.j2": b""},
            ("unused_slot", "welcome/plain/creative.toml"),
        ),
        (
            {"welcome/plain/creative.toml": b'channel = "email"\n[slots]\nhero = ["sprang"]\n'},
            ("unknown_component", "welcome/plain/creative.toml"),
        ),
        (
            {"welcome/plain/creative.toml": b'channel = "email"\n[slots]\nhero = ["loyal", "loyal"]\n'},
            ("duplicate_component", "welcome/plain/creative.toml"),
        ),
        (
            {"welcome/plain/creative.toml": b'channel = "email"\n[slots]\nhero = []\n'},
            ("empty_slot", "welcome/plain/creative.toml"),
        ),
        (
            {"components/hero/spring/component.toml": b'eligible = "a +"\n'},
            ("syntax", "components/hero/spring/component.toml"),
        ),
        (
            {"Welcome/plain/creative.toml": b'channel = "sms"\n', "Welcome/plain/text.j2": b""},
            ("name", "Welcome/plain/creative.toml"),
        ),
        (
            {"components/hero/Late/component.toml": b"", "components/hero/Late/text.j2": b""},
            ("name", "components/hero/Late/component.toml"),
        ),
        (
            {"components/hero/bare/component.toml": b""},
            ("missing_part", "components/hero/bare/component.toml"),
        ),
    ],
)
def test_each_problem_names_its_file(changed: dict[str, bytes | None], expected: tuple[str, str]) -> None:
    files = {name: content for name, content in {**EMAIL, **changed}.items() if content is not None}
    assert expected in problems(files)
    assert set(problems(files)) == {expected}


def test_a_wrong_key_is_shown_on_its_line_with_a_hint() -> None:
    files = {**EMAIL, "welcome/plain/creative.toml": b'channel = "email"\n[environment]\ntrim_block = true\n'}
    with pytest.raises(LibraryError) as caught:
        Library.from_files(files)
    problem = caught.value.problems[0]
    assert (problem.line, problem.message) == (3, "unknown key 'environment.trim_block'")
    assert "did you mean 'trim_blocks'?" in str(caught.value)


def test_a_file_too_large_for_a_template_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {**EMAIL, "components/hero/loyal/text.j2": b"x" * ((1 << 20) + 1)})
    with pytest.raises(LibraryError) as caught:
        Library.load(tmp_path)
    assert caught.value.problems[0].code == "file_size"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContentError) as caught:
        Library.load(tmp_path / "nowhere")
    assert caught.value.code == "missing_folder"


def test_a_name_cannot_stand_twice() -> None:
    twice = Component(slot="hero", name="spring", parts={"text": "Spring"})
    with pytest.raises(LibraryError) as caught:
        Library(components=(twice, twice))
    assert [problem.code for problem in caught.value.problems] == ["duplicate_name"]


def test_what_is_not_in_the_library_is_named_with_the_nearest() -> None:
    library = Library.from_files(EMAIL)
    for call, code in (
        (lambda: library.creative("welcome/plian"), "unknown_creative"),
        (lambda: library.components_of("heroes"), "unknown_slot"),
        (lambda: library.component("hero", "sprang"), "unknown_component"),
        (lambda: library.variants("welcome/plain", components={"hero": "sprang"}), "unknown_component"),
    ):
        with pytest.raises(ContentError) as caught:
            call()
        assert caught.value.code == code
        assert "did you mean" in str(caught.value)


def test_variants_fix_the_components_they_are_given() -> None:
    library = Library.from_files(EMAIL)
    (variant,) = library.variants("welcome/plain", components={"hero": "spring"})
    assert (variant.name, variant.creative.name) == ("welcome/plain", "welcome/plain")
    assert variant.components == {"hero": library.component("hero", "spring")}
    assert library.variants("welcome/plain")[0].components == {}


def test_a_variant_shows_only_what_its_creative_holds() -> None:
    files = {**EMAIL, "welcome/plain/creative.toml": b'channel = "email"\n[slots]\nhero = ["spring"]\n'}
    with pytest.raises(ContentError) as caught:
        Library.from_files(files).variants("welcome/plain", components={"hero": "loyal"})
    assert caught.value.code == "unknown_component"


def test_a_subset_keeps_only_the_components_it_needs() -> None:
    files = {**EMAIL, "welcome/sms/creative.toml": b'channel = "sms"\n', "welcome/sms/text.j2": b"Hi"}
    library = Library.from_files(files)
    assert library.subset(["welcome/sms"]).components == ()
    assert library.subset(["welcome/plain"]) == Library.from_files(EMAIL)


segments = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}[a-z0-9]", fullmatch=True)
texts = st.text(st.characters(exclude_characters="{}\r", exclude_categories=["Cs"]), max_size=40)


@given(
    concept=segments.filter(lambda name: name != "components"),
    variant=segments,
    text=texts,
    tags=st.lists(texts, max_size=3),
    locale=st.none() | st.sampled_from(["de_DE", "en"]),
    optional=st.lists(texts, max_size=2),
    trim_blocks=st.booleans(),
    undefined=st.sampled_from(["error", "default", "strict", "chainable"]),
)
def test_any_creative_survives_its_files(
    concept: str,
    variant: str,
    text: str,
    tags: list[str],
    locale: str | None,
    optional: list[str],
    trim_blocks: bool,
    undefined: str,
) -> None:
    creative = Creative(
        name=f"{concept}/{variant}",
        channel=channel("sms"),
        parts={"text": text},
        environment=Environment(trim_blocks=trim_blocks, undefined=undefined),
        tags=tuple(tags),
        locale=locale,
        optional=tuple(optional),
    )
    library = Library((creative,))
    assert Library.from_files(library.files()) == library


def test_what_is_wrong_with_shared_templates_is_told_once_with_all_else() -> None:
    files = {
        "hello/one/creative.toml": b'channel = "sms"\n',
        "hello/one/text.j2": b"{% include 'broken.j2' %}\n{% import 'nowhere.j2' as n %}",
        "hello/two/creative.toml": b'channel = "sms"\n',
        "hello/two/text.j2": b"{% include 'broken.j2' %}{% include 'nowhere.j2' ignore missing %}",
        "shared/broken.j2": b"one\n{% if %}",
        "shared/unused.j2": b"{% extends 'brokn.j2' %}",
    }
    with pytest.raises(LibraryError) as caught:
        Library.from_files(files)
    assert [(problem.code, problem.template, problem.line) for problem in caught.value.problems] == [
        ("syntax", "shared/broken.j2", 2),
        ("template_not_found", "shared/unused.j2", 1),
        ("template_not_found", "hello/one/text.j2", 2),
    ]
    assert "broken.j2" in (caught.value.problems[1].hint or "")


def test_templates_share_what_lies_in_the_shared_folder() -> None:
    shared = {
        "shared/layout.j2": b"<body>{% block main %}{% endblock %}{{ slot('hero') }}</body>",
        "shared/parts/button.j2": b"{% macro button(label) %}<a>{{ label }}</a>{% endmacro %}",
        "welcome/plain/html.j2": b"{% extends 'layout.j2' %}{% block main %}"
        b"{% from 'parts/button.j2' import button %}{{ button(first_name) }}{% endblock %}",
        "components/hero/spring/html.j2": b"{% from 'parts/button.j2' import button %}{{ button('Spring') }}",
    }
    library = Library.from_files({**EMAIL, **shared})
    assert Library.from_files(library.files()) == library
    assert library.files().keys() == {**EMAIL, **shared}.keys()
    plan = library.creative("welcome/plain").compile(
        pa.schema({"first_name": pa.string()}), components=library.components
    )
    made = plan.assemble_one({"first_name": "<Ann>", "slot:hero": 0})
    assert isinstance(made, dict)
    assert made["html"] == "<body><a>&lt;Ann&gt;</a><a>Spring</a></body>"


def test_customers_without_consent_are_skipped_by_their_creative() -> None:
    text = b"{% if not consent %}{% skip 'no consent' %}{% endif %}Hi"
    files = {"sale/plain/creative.toml": b'channel = "sms"\n', "sale/plain/text.j2": text}
    plan = Library.from_files(files).creative("sale/plain").compile(pa.schema({"consent": pa.bool_()}))
    made = plan.assemble(pa.table({"consent": [True, False]})).to_pylist()
    assert [(row["status"], row["reason"]) for row in made] == [("ok", None), ("skipped", "no consent")]


def test_messages_of_a_creative_are_in_the_locale_of_the_customer() -> None:
    files = {
        "sale/plain/creative.toml": b'channel = "sms"\n\n[environment]\nextensions = ["jinja2.ext.i18n"]\n',
        "sale/plain/text.j2": b"{% trans %}Hi{% endtrans %}",
    }

    class German(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return {"Hi": "Hallo"}.get(message, message)

    creative = Library.from_files(files).creative("sale/plain")
    plan = creative.compile(
        pa.schema({"locale": pa.string()}),
        translations={"de": German(), "en": gettext.NullTranslations()},
        locale="locale",
    )
    made = plan.assemble(pa.table({"locale": ["de", "en"]})).to_pylist()
    assert [row["parts"]["text"] for row in made] == ["Hallo", "Hi"]


POLICIES = b"""channel = "sms"

[environment]
extensions = ["jinja2.ext.i18n"]

[environment.policies]
"ext.i18n.trimmed" = true
"""


def test_policies_are_read_and_come_back_from_files() -> None:
    source = b"{% trans %}\n  Hi {{ name }},\n  you\n{% endtrans %}"
    library = Library.from_files({"hello/short/creative.toml": POLICIES, "hello/short/text.j2": source})
    assert library.files()["hello/short/creative.toml"] == POLICIES
    assert Library.from_files(library.files()) == library
    customers = pa.record_batch({"name": ["Ann"]})
    creative = library.creative("hello/short")
    assert creative.compile(customers.schema).assemble(customers)["parts"].to_pylist() == [
        {"text": "Hi Ann, you"}
    ]
    untrimmed = creative.environment.jinja2()
    untrimmed.policies["ext.i18n.trimmed"] = False
    assert untrimmed.from_string(source.decode()).render(name="Ann") != "Hi Ann, you"


@pytest.mark.parametrize(
    ("wrong", "code", "line"),
    [
        (b'"ext.i18n.trimmed" = true', b'"no.such.policy" = true', "refused"),
        (b"[environment.policies]", b"[environment.polices]", "declaration"),
        (b'"ext.i18n.trimmed" = true', b"deep = " + b"[" * 100_000, "toml"),
    ],
)
def test_wrong_policies_are_refused_with_their_line(wrong: bytes, code: bytes, line: str) -> None:
    files = {"hello/short/creative.toml": POLICIES.replace(wrong, code), "hello/short/text.j2": b"Hi"}
    with pytest.raises(LibraryError) as caught:
        Library.from_files(files)
    (problem,) = caught.value.problems
    assert (problem.code, problem.template) == (line, "hello/short/creative.toml")
    assert problem.line in (3, 6, 7)
