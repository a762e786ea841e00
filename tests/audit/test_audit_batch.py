"""Every row of a batch is judged by every rule, and the first one it breaks is told."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import audit as core
from labfactory.audit import AuditRules, Findings, Rule
from labfactory.base.errors import ContentError, SourceError

LAYOUTS = {
    "utf8": pa.utf8(),
    "large_utf8": pa.large_utf8(),
    "utf8_view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int32(), pa.utf8()),
}


def texts(values: list[str | None], layout: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(layout):
        return pa.array(values, pa.utf8()).dictionary_encode()
    return pa.array(values, layout)


def assembled(
    parts: dict[str, list[str | None]],
    statuses: list[str] | None = None,
    layout: pa.DataType = LAYOUTS["utf8"],
) -> pa.RecordBatch:
    """A batch as the assembler makes it."""
    struct = pa.StructArray.from_arrays(
        [texts(values, layout) for values in parts.values()], names=list(parts)
    )
    status = statuses or ["ok"] * len(struct)
    return pa.record_batch({"status": pa.array(status).dictionary_encode(), "parts": struct})


def audit(rule: Rule, values: list[str | None]) -> list[bool]:
    """Whether each text breaks the rule."""
    found = AuditRules((rule,)).audit_batch(assembled({rule.part: values}))
    return [code is not None for code in found.codes.to_pylist()]


def breaks(rule: Rule, value: str | None) -> bool:
    return audit(rule, [value])[0]


def html(kind: str, **options: Any) -> Rule:
    return Rule(kind, "html", **options)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (html("required_text", text="Imprint"), "see Imprint.", "see imprint."),
        (html("required_text", text="Imprint", ignore_case=True), "SEE IMPRINT", "see impr"),
        (html("forbidden_text", text="TODO"), "todo", "a TODO b"),
        (html("forbidden_text", text="todo", ignore_case=True), "to do", "a ToDo b"),
        (html("max_bytes", limit_bytes=4), "üü", "üüx"),
        (html("min_bytes", limit_bytes=4), "üü", "üx"),
        (html("min_bytes", limit_bytes=1), "x", None),
        (html("single_line"), "one line", "two\nlines"),
        (html("single_line"), "one line", "two\rlines"),
        (html("no_delimiters"), "{ { a } } { %", "Hi {{ name }}"),
        (html("no_delimiters"), "{", "{% if %}"),
        (html("no_delimiters"), "", "{{{"),
        (html("no_empty_links"), "<a href='x'>", "<a href=''>"),
        (html("no_empty_links"), "<a href='#top'>", "<a href=' # '>"),
        (html("no_empty_links"), "<a>", "<a href>"),
        (html("no_empty_links"), "<a hrefs=''>", "<img src=>"),
        (html("required_link", text="unsubscribe"), '<A HREF="https://x.y/unsubscribe?u=1">', "unsubscribe"),
        (html("required_link", text="Opt-Out", ignore_case=True), "<a href=/OPT-OUT>", "<img src='opt-out'>"),
        (html("required_link", text="x"), "<a href=x>", "</a href=x>"),
    ],
)
def test_each_kind_of_rule_tells_good_from_bad(rule: Rule, good: str | None, bad: str | None) -> None:
    assert audit(rule, [good, bad]) == [False, True]


HTTPS = html("link_schemes", schemes=("https", "mailto"))
RELATIVE = html("link_schemes", schemes=("https",), allow_relative=True)


@pytest.mark.parametrize(
    "link",
    [
        "https://shop.example/a?b=c&amp;d#e",
        "HTTPS://SHOP.EXAMPLE",
        " https://shop.example ",
        "\nhttps://shop.example/\t",
        "mailto:a@b.example",
        "#part",
        "",
    ],
)
def test_links_of_an_allowed_scheme_pass(link: str) -> None:
    assert not breaks(HTTPS, f'<a class="x" href="{link}">')


@pytest.mark.parametrize(
    "link",
    [
        "http://shop.example",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "java\nscript:alert(1)",
        "&#106;avascript:alert(1)",
        "javascript&colon;alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "https:",
        "https://",
        "https:///path",
        "https://?q",
        "https:\\\\shop.example",
    ],
)
@pytest.mark.parametrize("rule", [HTTPS, RELATIVE], ids=["absolute", "relative"])
def test_links_of_another_scheme_are_refused_however_they_are_dressed(link: str, rule: Rule) -> None:
    assert breaks(rule, f'<a href="{link}">')
    assert breaks(rule, f"<img alt='>' src='{link}'>")


@pytest.mark.parametrize("link", ["/path", "page.html", "//shop.example/a:b", "?q=a:b&amp;c", "../a/b:c"])
def test_relative_links_pass_only_where_they_are_allowed(link: str) -> None:
    assert breaks(HTTPS, f'<a href="{link}">')
    assert not breaks(RELATIVE, f'<a href="{link}">')


@pytest.mark.parametrize(
    "text",
    [
        "<a href=javascript:x>",
        "<a href = 'javascript:x'>",
        '<a\nhref\n=\n"javascript:x">',
        '<a title="a > b" href="javascript:x">',
        '<a/href="javascript:x">',
        '<form action="javascript:x">',
        '<button formaction="javascript:x">',
        '<body background="javascript:x">',
        '<use xlink:href="javascript:x"/>',
        "<!--[if mso]><a href='javascript:x'><![endif]-->",
        "a < b <a href='javascript:x'>",
        "<a href='javascript:x",
        "<a href=javascript:x",
        "<<a href=javascript:x>",
    ],
)
def test_links_are_found_wherever_a_client_may_find_them(text: str) -> None:
    assert breaks(HTTPS, text)


@pytest.mark.parametrize(
    "text", ["href='javascript:x'", "<a", "<", "< a href='javascript:x'>", "<a title=\"href='x:y'\">"]
)
def test_text_that_is_no_link_is_none(text: str) -> None:
    assert not breaks(HTTPS, text)


class Links(HTMLParser):
    """The links of a text by Python's own parser."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name == "href"]

    handle_startendtag = handle_starttag


PIECES = st.sampled_from(
    [
        "<p>", "</p>", "text ", "<a href='#'>", '<A HREF = "x">', "<a href>", "<br/>", "<b title='>' href=y>",
        "<a data-x=1 href=''>", "<a href=\"it's\">", "&amp;", "<u title=href>", "\n",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12))
def test_links_are_the_ones_that_pythons_parser_finds(pieces: list[str]) -> None:
    text = "".join(pieces)
    expected = any(link.strip() in {"", "#"} for link in Links(text).found)
    assert breaks(html("no_empty_links"), text) == expected


@given(
    st.text("abAB<", min_size=1, max_size=4), st.lists(st.none() | st.text("abABk<", max_size=40), max_size=8)
)
def test_text_is_found_as_python_finds_it(needle: str, values: list[str | None]) -> None:
    rule = html("forbidden_text", text=needle)
    assert audit(rule, values) == [needle in (value or "") for value in values]
    folded = html("forbidden_text", text=needle, ignore_case=True)
    assert audit(folded, values) == [needle.lower() in (value or "").lower() for value in values]


def test_only_ascii_letters_fold() -> None:
    assert not breaks(html("forbidden_text", text="ü", ignore_case=True), "Ü")
    assert not breaks(html("forbidden_text", text="[", ignore_case=True), "{")


RULES = AuditRules(
    (
        Rule("min_bytes", "subject", limit_bytes=1),
        Rule("forbidden_text", "html", text="bad"),
        Rule("single_line", "subject"),
        Rule("forbidden_text", "html", text="worse"),
    )
)
PARTS: dict[str, list[str | None]] = {
    "subject": ["Hi", "", None, "a\nb", "a\nb", "Hi"],
    "html": ["good", "bad", "good", "bad worse", "worse", "bad"],
}
STATUSES = ["ok", "ok", "ok", "ok", "ok", "error"]
FIRST = [None, 0, 0, 1, 2, None]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_broken_rule_is_told_and_all_are_counted(layout: str, threads: int) -> None:
    found = RULES.audit_batch(assembled(PARTS, STATUSES, LAYOUTS[layout]), threads=threads)
    assert found.rule.to_pylist() == FIRST
    assert found.broken == (2, 2, 2, 2)
    assert (found.audited, found.refused) == (5, 4)
    assert found.codes.to_pylist() == [
        None,
        "audit_min_bytes",
        "audit_min_bytes",
        "audit_forbidden_text",
        "audit_single_line",
        None,
    ]
    assert found.reasons.to_pylist()[3:5] == ["html holds 'bad'", "subject has a line break"]


@pytest.mark.parametrize("start", range(7))
def test_a_sliced_batch_is_judged_as_its_rows(start: int) -> None:
    assert RULES.audit_batch(assembled(PARTS, STATUSES).slice(start)).rule.to_pylist() == FIRST[start:]


def test_the_findings_do_not_depend_on_threads_or_batches() -> None:
    parts = {name: values * 3000 for name, values in PARTS.items()}
    batch = assembled(parts, STATUSES * 3000)
    one, two = RULES.audit_batch(batch, threads=1), RULES.audit_batch(batch, threads=2)
    assert one.rule.equals(two.rule)
    assert (one.broken, one.audited) == (two.broken, two.audited)
    pieces = [RULES.audit_batch(batch.slice(at, 5000)).rule for at in range(0, len(batch), 5000)]
    assert pa.concat_arrays(pieces).equals(one.rule)


def test_a_lone_template_is_audited_as_the_part_asset() -> None:
    batch = pa.record_batch({"status": ["ok", "skipped", "ok"], "asset": ["fine", None, "{{"]})
    found = AuditRules((Rule("no_delimiters", "asset"),)).audit_batch(batch)
    assert found.rule.to_pylist() == [None, None, 0]
    assert found.audited == 2


def test_a_row_of_null_parts_is_empty_text() -> None:
    struct = pa.array([{"html": "x"}, None], pa.struct([("html", pa.utf8())]))
    found = AuditRules((html("min_bytes", limit_bytes=1),)).audit_batch(pa.record_batch({"parts": struct}))
    assert found.rule.to_pylist() == [None, 0]


def test_no_rules_refuse_nothing() -> None:
    found = AuditRules(()).audit_batch(assembled(PARTS))
    assert found.codes.to_pylist() == [None] * 6
    assert repr(found) == "0 of 6 assets refused"


def test_an_empty_batch_has_no_findings() -> None:
    found = RULES.audit_batch(assembled(PARTS).slice(0, 0))
    assert (len(found.rule), found.audited) == (0, 0)


def test_findings_print_as_a_table() -> None:
    found = RULES.audit_batch(assembled({"subject": ["Hi", "x"], "html": ["bad", "fine"]}))
    assert repr(found) == "1 of 2 assets refused\n        1  html holds 'bad'"
    assert found.to_dicts()[1] == {
        "part": "html",
        "code": "audit_forbidden_text",
        "reason": "html holds 'bad'",
        "broken": 1,
    }
    assert isinstance(found, Findings)


def test_a_rule_about_an_absent_part_is_refused() -> None:
    with pytest.raises(ContentError, match="rule 1 audits the part 'subject'") as caught:
        RULES.audit_batch(assembled({"html": ["x"]}))
    assert caught.value.code == "audit_part"


def test_a_part_that_is_no_text_is_refused() -> None:
    with pytest.raises(SourceError, match="expected text in 'asset', found int64") as caught:
        AuditRules((Rule("single_line", "asset"),)).audit_batch(pa.record_batch({"asset": [1]}))
    assert caught.value.code == "column_type"


def test_the_core_knows_no_other_kinds() -> None:
    with pytest.raises(ContentError, match="unknown kind of audit rule 'spelling'") as caught:
        core.Auditor([("spelling", "html", "", False, 0, [], False)])
    assert caught.value.code == "audit_rule"


GOOD_EMAIL = {
    "subject": "Hi Ann",
    "preheader": "",
    "html": '<p>Hi <a href="https://shop.example/unsubscribe?u=1">stop</a></p>',
    "text": "Hi. Unsubscribe: https://shop.example/unsubscribe?u=1",
}


@pytest.mark.parametrize(
    ("part", "value", "code"),
    [
        ("subject", "Hi Ann", None),
        ("subject", "", "audit_min_bytes"),
        ("subject", "Hi\nAnn", "audit_single_line"),
        ("preheader", "{{ x }}", "audit_no_delimiters"),
        ("html", GOOD_EMAIL["html"] + " " * 102_400, "audit_max_bytes"),
        ("html", GOOD_EMAIL["html"] + "<img src='http://x.example/a.png'>", "audit_link_schemes"),
        ("html", GOOD_EMAIL["html"] + "<a href='#'>", "audit_no_empty_links"),
        ("html", "<p>Hi</p>", "audit_required_link"),
        ("text", "Hi", "audit_required_text"),
    ],
)
def test_the_standard_rules_of_email_hold(part: str, value: str, code: str | None) -> None:
    email: dict[str, list[str | None]] = {name: [text] for name, text in {**GOOD_EMAIL, part: value}.items()}
    assert AuditRules.standard("email").audit_batch(assembled(email)).codes.to_pylist() == [code]
