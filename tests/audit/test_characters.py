"""Rules about single characters refuse exactly what the standards name."""

from __future__ import annotations

import json
from xml.parsers import expat

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory.audit import AuditRules, Rule, lint_svg
from labfactory.base.errors import ContentError
from labfactory.content import Channel, Creative, Part, channel

CHARACTERS = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
# Unicode Standard Annex 14, LineBreak.txt: the classes BK, CR, LF and NL.
LINE_BREAKS = {"\n", "\v", "\f", "\r", "\x85", "\u2028", "\u2029"}


def broken(rule: Rule, texts: list[str]) -> set[str]:
    found = AuditRules((rule,)).audit_batch(pa.record_batch({rule.part: texts}))
    return {text for text, at in zip(texts, found.rule.to_pylist(), strict=True) if at is not None}


def is_xml(text: str) -> bool:
    try:
        expat.ParserCreate().Parse(f"<a>{text}</a>".encode(), True)
    except expat.ExpatError:
        return False
    return True


def test_a_single_line_is_broken_by_the_seven_characters_that_end_lines() -> None:
    assert broken(Rule("single_line", "asset"), CHARACTERS) == LINE_BREAKS
    between = [f"Hi{character}Bcc" for character in LINE_BREAKS]
    assert broken(Rule("single_line", "asset"), [*between, "Hi Bcc", "€ Â â", ""]) == set(between)


def test_controls_are_what_an_xml_parser_refuses() -> None:
    # Expat lets U+FFFE and U+FFFF pass that XML 1.0, production 2, leaves out in these two planes' ends.
    low = [character for character in CHARACTERS if ord(character) < 0x2000 and character not in "<&"]
    expected = {character for character in low if not is_xml(character)}
    assert broken(Rule("no_controls", "asset"), CHARACTERS) == expected | {"\ufffe", "\uffff"}


@given(st.text())
def test_bytes_of_json_are_those_that_json_writes(text: str) -> None:
    exact = len(json.dumps(text, ensure_ascii=False).encode())
    assert broken(Rule("max_json_bytes", "asset", limit_bytes=exact), [text]) == set()
    assert broken(Rule("max_json_bytes", "asset", limit_bytes=exact - 1), [text]) == {text}


@pytest.mark.parametrize("character", sorted(LINE_BREAKS))
@pytest.mark.parametrize("part", ["subject", "preheader"])
def test_a_line_break_of_a_customer_never_reaches_a_header(part: str, character: str) -> None:
    texts = {"subject": "Hi", "preheader": "Hi", "html": "Hi", "text": "Hi"} | {part: "Hi {{ name }}"}
    creative = Creative(name="hello/warm", channel=channel("email"), parts=texts)
    customers = pa.record_batch({"name": ["Ann", f"Ann{character}Bcc: everybody@shop.example"]})
    assets = creative.compile(customers.schema).assemble(customers)
    found = AuditRules.demanded(creative).audit_batch(assets)
    assert found.codes.to_pylist() == [None, "audit_single_line"]


def test_an_sms_of_more_than_ten_messages_is_refused() -> None:
    creative = Creative(name="hello/sms", channel=channel("sms"), parts={"text": "{{ text }}"})
    customers = pa.record_batch({"text": ["a" * 1530, "a" * 1531, "ç" * 670, "a" * 670 + "ç"]})
    assets = creative.compile(customers.schema).assemble(customers)
    found = AuditRules.demanded(creative).audit_batch(assets)
    assert found.codes.to_pylist() == [None, "audit_max_segments", None, "audit_max_segments"]


def test_a_push_is_measured_as_the_json_it_becomes() -> None:
    creative = Creative(
        name="hello/push", channel=channel("push"), parts={"title": "Hi", "body": "{{ name }}"}
    )
    customers = pa.record_batch({"name": ["a" * 2046, "a" * 2047, '"' * 1024, "Ann\0"]})
    assets = creative.compile(customers.schema).assemble(customers)
    found = AuditRules.demanded(creative).audit_batch(assets)
    assert found.codes.to_pylist() == [
        None, "audit_max_json_bytes", "audit_max_json_bytes", "audit_no_controls",
    ]  # fmt: skip


@given(st.text(), st.text(), st.integers(-1, 1))
def test_the_parts_together_are_measured_as_the_json_object_that_they_become(
    title: str, body: str, beside: int
) -> None:
    note = Channel("note", (Part(name="title"), Part(name="body", required=False)), max_payload_bytes=1)
    exact = len(
        json.dumps({"title": title, "body": body}, ensure_ascii=False, separators=(",", ":")).encode()
    )
    rule = Rule("max_payload_bytes", "*", limit_bytes=exact + beside)
    parts = pa.StructArray.from_arrays([pa.array([title, title]), pa.array([body, None])], ["title", "body"])
    found = AuditRules((rule,)).audit_batch(pa.record_batch({"parts": parts}))
    shorter = exact - len(json.dumps(body, ensure_ascii=False).encode()) + 2
    told = ["audit_max_payload_bytes" if size > exact + beside else None for size in (exact, shorter)]
    assert found.codes.to_pylist() == told
    creative = Creative(name="hello/note", channel=note, parts={"title": "Hi"})
    assert [one.kind for one in AuditRules.demanded(creative).rules][-1] == "max_payload_bytes"


def test_a_payload_rule_is_about_all_parts_and_no_other_rule_is() -> None:
    assert (
        Rule("max_payload_bytes", "*", limit_bytes=10).reason
        == "the parts together take more than 10 bytes of JSON"
    )
    for kind, part in (("max_payload_bytes", "title"), ("max_bytes", "*")):
        with pytest.raises(ContentError) as caught:
            Rule(kind, part, limit_bytes=10)
        assert caught.value.code == "audit_rule"
    lone = pa.record_batch({"asset": ["Hi"]})
    with pytest.raises(ContentError) as alone:
        AuditRules((Rule("max_payload_bytes", "*", limit_bytes=10),)).audit_batch(lone)
    assert alone.value.code == "audit_part"


def test_a_banner_escapes_markup_and_refuses_controls() -> None:
    source = '<svg xmlns="http://www.w3.org/2000/svg"><text x="{{ x }}">{{ name }}</text></svg>'
    creative = Creative(name="hello/banner", channel=channel("svg"), parts={"svg": source})
    customers = pa.record_batch({"x": ['"', "'", "1"], "name": ["<&>", "Ann", "Ann\x07"]})
    assets = creative.compile(customers.schema).assemble(customers)
    assert AuditRules.demanded(creative).audit_batch(assets).codes.to_pylist() == [
        None, None, "audit_no_controls",
    ]  # fmt: skip
    drawn = [part["svg"] for part in assets["parts"].to_pylist()]
    assert [len(lint_svg(svg)) for svg in drawn] == [0, 0, 1]
