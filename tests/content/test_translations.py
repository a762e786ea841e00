"""A library carries the translations of its creatives; customers get messages in their own locale."""

from __future__ import annotations

import gettext
import io

import pyarrow as pa
import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from labfactory.base.errors import LabfactoryError
from labfactory.content import Library, LibraryError

CREATIVE = b"""channel = "sms"
locale = "en"
locale_column = "language"

[environment]
extensions = ["jinja2.ext.i18n"]
"""
TEXT = b"{% trans %}Hello{% endtrans %} {{ name }}: {% trans n=points %}{{ n }} point{% pluralize %}{{ n }} points{% endtrans %}"
POLISH = """msgid ""
msgstr ""
"Language: pl\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\\n"

msgid "Hello"
msgstr "Cześć"

msgid "%(n)s point"
msgid_plural "%(n)s points"
msgstr[0] "%(n)s punkt"
msgstr[1] "%(n)s punkty"
msgstr[2] "%(n)s punktów"
""".encode()
GERMAN = POLISH.replace(b"Language: pl", b"Language: de_AT").replace("Cześć".encode(), b"Servus")
FILES = {
    "hello/short/creative.toml": CREATIVE,
    "hello/short/text.j2": TEXT,
    "hello/plain/creative.toml": b'channel = "sms"\n',
    "hello/plain/text.j2": b"Hi",
    "translations/austria.po": GERMAN,
    "translations/pl.po": POLISH,
}
CUSTOMERS = pa.table(
    {
        "name": ["Ann", "Bo", "Cy", "Di", "Ed"],
        "points": [1, 2, 5, 22, 3],
        "language": ["pl", "en", "de_AT", "pl", "fr"],
    }
)


def compiled(po: bytes) -> bytes:
    made = io.BytesIO()
    write_mo(made, read_po(io.BytesIO(po)))
    return made.getvalue()


@pytest.mark.parametrize("ends", ["po", "mo"])
def test_customers_get_messages_in_their_locale(ends: str) -> None:
    files = dict(FILES)
    if ends == "mo":
        files["translations/pl.mo"] = compiled(files.pop("translations/pl.po"))
    library = Library.from_files(files)
    creative = library.creative("hello/short")
    made = creative.compile(CUSTOMERS, **library.spoken(creative)).assemble(CUSTOMERS)
    polish = gettext.GNUTranslations(io.BytesIO(compiled(POLISH)))
    assert [None if one is None else one["text"] for one in made["parts"].to_pylist()] == [
        f"Cześć Ann: {polish.ngettext('%(n)s point', '%(n)s points', 1) % {'n': 1}}",
        "Hello Bo: 2 points",
        "Servus Cy: 5 punktów",
        f"Cześć Di: {polish.ngettext('%(n)s point', '%(n)s points', 22) % {'n': 22}}",
        None,
    ]
    assert made["reason"].to_pylist()[-1] == "language: no translations"


def test_without_a_locale_column_messages_stay_as_they_are_written() -> None:
    files = FILES | {"hello/short/creative.toml": CREATIVE.replace(b'locale_column = "language"\n', b"")}
    library = Library.from_files(files)
    creative = library.creative("hello/short")
    assert library.spoken(creative) == {}
    texts = creative.compile(CUSTOMERS).assemble(CUSTOMERS)["parts"].to_pylist()
    assert texts[0] == {"text": "Hello Ann: 1 point"}


def test_translations_come_back_from_files_and_travel_with_who_needs_them() -> None:
    library = Library.from_files(FILES)
    assert [one.locale for one in library.translations] == ["de_AT", "pl"]
    assert Library.from_files(library.files()) == library
    assert library.files()["hello/short/creative.toml"] == CREATIVE
    assert library.subset(["hello/short"]).translations == library.translations
    assert library.subset(["hello/plain"]).files().keys() == {
        "hello/plain/creative.toml",
        "hello/plain/text.j2",
    }


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("translations/pl.txt", b"", "unknown_file"),
        ("translations/PL.po", POLISH, "unknown_file"),
        ("translations/pl/messages.po", POLISH, "unknown_file"),
        ("translations/pl.mo", b"torn", "catalogue"),
        ("translations/fr.po", b"no such line", "catalogue"),
        ("translations/fr.po", b'msgid "\xff"', "catalogue"),
        ("translations/again.po", POLISH, "duplicate_name"),
        ("translations/short/creative.toml", b'channel = "sms"', "unknown_file"),
    ],
)
def test_wrong_files_are_refused_with_all_else_that_is_wrong(path: str, content: bytes, code: str) -> None:
    files = FILES | {path: content, "hello/plain/text.j2": b"{{"}
    with pytest.raises(LibraryError) as caught:
        Library.from_files(files)
    found = {problem.code: problem for problem in caught.value.problems}
    assert set(found) == {code, "syntax"}
    if code != "duplicate_name":
        assert found[code].template == path


def test_a_customers_table_needs_the_locale_column() -> None:
    library = Library.from_files(FILES)
    creative = library.creative("hello/short")
    with pytest.raises(LabfactoryError, match="language"):
        creative.compile(CUSTOMERS.drop_columns(["language"]), **library.spoken(creative))
