"""Messages are what Jinja2's i18n extension makes of them, row by row in the locale of the row."""

from __future__ import annotations

import gettext
import io
import struct
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labfactory as lf
from labfactory.base.errors import CompileError, UsageError
from labfactory.compiler import Environment
from labfactory.compiler.catalogues import python_rule

if TYPE_CHECKING:
    from pathlib import Path

RULES = {
    "en": "n != 1",
    "fr": "n > 1",
    "ja": "0",
    "pl": "n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2",
    "ar": "(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5)",
    "sl": "n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3",
    "cy": "(n==1) ? 0 : (n==2) ? 1 : (n != 8 && n != 11) ? 2 : 3",
    "odd": "!(n%2) || n/3==1",
}
FORMS = {"en": 2, "fr": 2, "ja": 1, "pl": 3, "ar": 6, "sl": 4, "cy": 4, "odd": 2}


def compiled(locale: str) -> bytes:
    """A catalogue as `msgfmt` compiles it."""
    count = FORMS[locale]
    entries = {
        "": f"Content-Type: text/plain; charset=utf-8\nPlural-Forms: nplurals={count}; plural={RULES[locale]};\n",
        "Hello": f"<{locale}> ćau",
        "Dear %(name)s": f"%(name)s, {locale} 100%% %(name)s",
        "month\x04May": f"May-{locale}",
        "%(n)s apple\0%(n)s apples": "\0".join(f"{at}:%(n)s {locale}" for at in range(count)),
        "box\x04%(num)s\0%(num)s!": "\0".join(f"{at} %(num)s" for at in range(count)),
    }
    keys = sorted(entries)
    heads, texts, at = [], b"", 28 + 16 * len(keys)
    for pieces in (keys, [entries[key] for key in keys]):
        for piece in pieces:
            raw = piece.encode()
            heads.append(struct.pack("<II", len(raw), at + len(texts)))
            texts += raw + b"\0"
    sizes = struct.pack("<7I", 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, 0)
    return sizes + b"".join(heads) + texts


def catalogue(locale: str) -> gettext.GNUTranslations:
    return gettext.GNUTranslations(io.BytesIO(compiled(locale)))


ROWS = pa.table(
    {
        "n": [0, 1, 2, 5, 11, 21, 102, 1003],
        "name": ["Ann", "<Bo>", None, "", "%s", "x", "y", "z"],
        "locale": ["pl", "en", "ar", "fr", None, "pl", "xx", "ja"],
    }
)
TEMPLATES = [
    "{% trans %}Hello{% endtrans %}{{ _('Hello') }}{{ gettext('Hello')|upper }}",
    "{% trans name %}Dear {{ name }}{% endtrans %}{% trans who=name %}Hi {{ who }} 100%{% endtrans %}",
    "{% trans n %}{{ n }} apple{% pluralize %}{{ n }} apples{% endtrans %}",
    "{% trans n=n + 1, name %}{{ n }} {{ name }}{% pluralize %}{{ n }} more {{ name }}{% endtrans %}",
    "{% trans 'month' %}May{% endtrans %}{{ pgettext('month', 'May') }}{{ pgettext('other', 'May') }}",
    "{{ ngettext('one', 'many', n) }}{{ npgettext('box', 'a', 'b', n) }}",
    "{% trans trimmed name %}\n  Dear\n  {{ name }}\n{% endtrans %}",
    "{% set x = _('Hello') %}{{ x }}{% macro m(a) %}{{ _('Hello') }}{{ a }}{% endmacro %}{{ m(_('Hello')) }}",
]


def check(source: str, **given: Any) -> list[Any]:
    options = given.pop("options", {})
    environment = Environment(extensions=["jinja2.ext.i18n"], **options)
    previews = environment.from_string(source).compile(ROWS, **given).preview(ROWS)
    assert [(p.text, p.exception) for p in previews if not p.agrees] == [], previews
    return previews


@pytest.mark.parametrize("source", TEMPLATES)
@pytest.mark.parametrize("newstyle_gettext", [False, True])
@pytest.mark.parametrize("autoescape", [False, True])
def test_messages_are_what_jinja2_makes_of_them(
    source: str, newstyle_gettext: bool, autoescape: bool
) -> None:
    options = {"newstyle_gettext": newstyle_gettext, "autoescape": autoescape}
    check(source, options=options)
    check(source, options=options, translations=catalogue("pl"))
    by_locale = {locale: catalogue(locale) for locale in ("pl", "en", "ar", "fr", "ja")}
    check(
        source, options=options, translations={**by_locale, None: gettext.NullTranslations()}, locale="locale"
    )


def test_old_style_formats_by_name_too() -> None:
    check("{{ gettext('Dear %(name)s') % {'name': name} }}", translations=catalogue("pl"))
    check("{{ ngettext('%(n)s apple', '%(n)s apples', n) % {'n': n} }}", translations=catalogue("pl"))


def test_new_style_knows_number_and_context() -> None:
    source = (
        "{{ ngettext('%(num)s apple', '%(num)s apples', n) }}{{ npgettext('box', '%(num)s', '%(num)s!', n) }}"
    )
    check(source, options={"newstyle_gettext": True}, translations=catalogue("pl"))
    check("{{ gettext('Dear %(name)s', name=name) }}", options={"newstyle_gettext": True})


def test_the_policy_trims_messages() -> None:
    options = {"policies": {"ext.i18n.trimmed": True}}
    previews = check("{% trans %}\n  Hello\n{% endtrans %}", options=options, translations=catalogue("pl"))
    assert previews[0].text == "<pl> ćau"


def test_rows_of_a_locale_without_translations_are_skipped() -> None:
    environment = Environment(extensions=["jinja2.ext.i18n"])
    plan = environment.from_string("{% trans %}Hello{% endtrans %}").compile(
        ROWS, translations={"pl": catalogue("pl")}, locale="locale"
    )
    assert plan.columns == ("locale",)
    made = plan.assemble(ROWS).to_pylist()
    assert [row["asset"] for row in made] == ["<pl> ćau", None, None, None, None, "<pl> ćau", None, None]
    assert made[1]["status"] == "skipped"
    assert made[1]["reason"] == "locale: no translations"


@given(n=st.integers(0, 10**6))
def test_plural_rules_choose_as_gettext_does(n: int) -> None:
    for rule in RULES.values():
        chosen = eval(python_rule(rule).replace("/", "//").replace("////", "//"), {"n": n})
        assert int(chosen) == gettext.c2py(rule)(n)  # type: ignore[attr-defined]


@pytest.mark.parametrize("locale", sorted(RULES))
def test_every_number_takes_the_form_of_gettext(locale: str) -> None:
    rows = pa.table({"n": [*range(130), 1000, 1001, 10**6]})
    environment = Environment(extensions=["jinja2.ext.i18n"])
    source = "{% trans n %}{{ n }} apple{% pluralize %}{{ n }} apples{% endtrans %}"
    plan = environment.from_string(source).compile(rows, translations=catalogue(locale))
    expected = [
        catalogue(locale).ngettext("%(n)s apple", "%(n)s apples", n) % {"n": n} for n in rows["n"].to_pylist()
    ]
    assert plan.assemble(rows)["asset"].to_pylist() == expected


def test_catalogues_are_read_from_a_folder(tmp_path: Path) -> None:
    for locale in ("pl", "fr"):
        (tmp_path / locale / "LC_MESSAGES").mkdir(parents=True)
        (tmp_path / locale / "LC_MESSAGES" / "messages.mo").write_bytes(compiled(locale))
    found = lf.read_translations(tmp_path)
    assert {locale: one.gettext("Hello") for locale, one in found.items()} == {
        "fr": "<fr> ćau",
        "pl": "<pl> ćau",
    }
    with pytest.raises(UsageError, match=r"LC_MESSAGES/other\.mo or \.po in") as caught:
        lf.read_translations(tmp_path, "other")
    assert caught.value.code == "catalogue"


def test_sources_of_catalogues_are_read_with_babel(tmp_path: Path) -> None:
    pytest.importorskip("babel")
    (tmp_path / "de" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "de" / "LC_MESSAGES" / "messages.po").write_text('msgid "Hello"\nmsgstr "Hallo"\n')
    assert lf.read_translations(tmp_path)["de"].gettext("Hello") == "Hallo"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"translations": {"de": gettext.NullTranslations()}},
            "catalogues by locale and a locale column",
        ),
        ({"translations": gettext.NullTranslations(), "locale": "locale"}, "and a locale column"),
        ({"translations": 5}, "expected translations with gettext and ngettext, found int"),
    ],
)
def test_translations_that_cannot_be_used_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        lf.Template("x").compile(ROWS, **given)
    assert caught.value.code == "catalogue"


def test_a_rule_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a plural rule such as n != 1, found 'import os'"):
        python_rule("import os")


class Guessing:
    def gettext(self, message: str) -> str:
        return message.upper()

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return singular if n < 3 else plural


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ _(name) }}", "a message of _ that is not constant is not covered"),
        ("{{ _('a', 'b') }}", r"expected \(singular\) for _"),
        ("{{ ngettext('a', 'b', n) }}", "plural forms of Guessing"),
        ("{{ _('%(x)s') % {'y': n} }}", "expected a value for 'x' in '%\\(X\\)S'|expected a value for 'X'"),
    ],
)
def test_messages_that_cannot_be_known_are_refused(source: str, message: str) -> None:
    environment = Environment(extensions=["jinja2.ext.i18n"])
    with pytest.raises(CompileError, match=message):
        environment.from_string(source).compile(ROWS, translations=Guessing())


def test_a_locale_column_must_be_there() -> None:
    environment = Environment(extensions=["jinja2.ext.i18n"])
    with pytest.raises(CompileError, match="expected a locale column 'local' of text") as caught:
        environment.from_string("x").compile(ROWS, translations={"pl": catalogue("pl")}, locale="local")
    assert caught.value.code == "unknown_column"
