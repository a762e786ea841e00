"""Audit rules are written strictly: what a file says is what is judged."""

from __future__ import annotations

import dataclasses
import pickle
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from labfactory.audit import AuditRules, Rule
from labfactory.base.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_KIND = """
[[rules]]
part = "html"
kind = "required_text"
text = "Imprint"

[[rules]]
part = "html"
kind = "forbidden_text"
text = "lorem ipsum"
ignore_case = true

[[rules]]
part = "html"
kind = "max_bytes"
limit_bytes = 1000

[[rules]]
part = "subject"
kind = "min_bytes"
limit_bytes = 1

[[rules]]
part = "subject"
kind = "single_line"

[[rules]]
part = "text"
kind = "no_delimiters"

[[rules]]
part = "html"
kind = "link_schemes"
schemes = ["https", "mailto"]
allow_relative = true

[[rules]]
part = "html"
kind = "no_empty_links"

[[rules]]
part = "html"
kind = "required_link"
text = "/unsubscribe"
"""


def refused(call: Callable[[], object]) -> ContentError:
    with pytest.raises(ContentError) as caught:
        call()
    return caught.value


def test_a_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_text(EVERY_KIND, encoding="utf-8")
    rules = AuditRules.load(path)
    assert rules.to_dict() == tomllib.loads(EVERY_KIND)
    assert AuditRules.from_dict(rules.to_dict()) == rules
    assert [rule.kind for rule in rules.rules] == [
        "required_text",
        "forbidden_text",
        "max_bytes",
        "min_bytes",
        "single_line",
        "no_delimiters",
        "link_schemes",
        "no_empty_links",
        "required_link",
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"part": "html", "kind": "max_byte", "limit_bytes": 1}, "unknown kind of audit rule 'max_byte'"),
        ({"part": "html", "kind": "max_bytes"}, "expected 'limit_bytes' in the audit rule 'max_bytes'"),
        ({"part": "html", "kind": "max_bytes", "limit_bytes": -1}, "limit_bytes == -1, must be > 0"),
        ({"part": "html", "kind": "max_bytes", "limit_bytes": "1"}, "expected int for 'limit_bytes'"),
        ({"part": "html", "kind": "max_bytes", "limit_bytes": True}, "expected int for 'limit_bytes'"),
        ({"part": "html", "kind": "single_line", "text": "x"}, "'single_line' of 'html' takes no 'text'"),
        ({"part": "html", "kind": "required_text", "text": ""}, "expected 'text' in the audit rule"),
        ({"part": "html", "kind": "required_text", "txt": "x"}, "unknown key 'txt' in an audit rule"),
        ({"kind": "single_line"}, "expected 'part' in an audit rule, found 'kind'"),
        ({}, "expected 'part' in an audit rule, found nothing"),
        (
            {"part": "html", "kind": "link_schemes", "schemes": "https"},
            "expected a list of text for 'schemes'",
        ),
        ({"part": "html", "kind": "link_schemes", "schemes": ["https:"]}, "found 'https:'"),
    ],
)
def test_a_wrong_rule_is_refused(table: dict[str, Any], message: str) -> None:
    error = refused(lambda: AuditRules.from_dict({"rules": [table]}))
    assert error.code == "audit_rule"
    assert message in str(error)


def test_a_misspelt_kind_gets_the_nearest_as_a_hint() -> None:
    assert "did you mean 'max_bytes'?" in str(refused(lambda: Rule("max_byte", "html", limit_bytes=1)))


@pytest.mark.parametrize("tables", [{"rule": []}, {"rules": {}}, {"rules": [1]}])
def test_anything_but_tables_of_rules_is_refused(tables: dict[str, Any]) -> None:
    assert refused(lambda: AuditRules.from_dict(tables)).code == "audit_rule"


@pytest.mark.parametrize("content", [b"[[rules]", b"\xff", b"[[rules]]\nkind = 'x'\npart = 'y'\n"])
def test_a_wrong_file_is_refused_by_its_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_bytes(content)
    error = refused(lambda: AuditRules.load(path))
    assert (error.code, error.template) == ("audit_rule", str(path))


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path) -> None:
    assert refused(lambda: AuditRules.load(tmp_path / "gone.toml")).template == str(tmp_path / "gone.toml")


@pytest.mark.parametrize("channel", ["email", "sms", "push", "web", "svg"])
def test_every_channel_has_standard_rules_that_a_file_can_hold(channel: str) -> None:
    rules = AuditRules.standard(channel)
    assert rules.rules
    assert AuditRules.from_dict(rules.to_dict()) == rules


def test_standard_rules_leave_out_parts_that_the_creative_lacks() -> None:
    rules = AuditRules.standard("email", parts=["subject", "html"])
    assert {rule.part for rule in rules.rules} == {"subject", "html"}


def test_an_unknown_channel_has_no_standard_rules() -> None:
    assert refused(lambda: AuditRules.standard("fax")).code == "unknown_channel"


def test_rules_are_values() -> None:
    rules = AuditRules.standard("email")
    assert pickle.loads(pickle.dumps(rules)) == rules
    assert hash(rules) == hash(AuditRules.standard("email"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        rules.rules[0].part = "other"  # type: ignore[misc]


def test_rules_print_as_one_line() -> None:
    assert repr(AuditRules.standard("email", parts=["html"])) == "AuditRules: 6 rules over html"
    assert repr(AuditRules(())) == "AuditRules: 0 rules over nothing"
