"""A linted page tells what its readers would miss."""

from __future__ import annotations

import pytest

from labfactory.audit import Finding, lint_html, lint_svg

HEAD = '<!doctype html><html lang="en"><head><title>Offers</title></head><body>'


def codes(html: str) -> list[str]:
    return [finding.code for finding in lint_html(html)]


@pytest.mark.parametrize(
    "body",
    [
        "<p>Hi</p>",
        '<img src="a.png" alt="a hat">',
        '<img src="line.png" alt="">',
        '<a href="https://x.example">Shop</a>',
        '<a href="https://x.example"><img src="a.png" alt="Shop"></a>',
        '<a href="https://x.example" aria-label="Shop"><svg></svg></a>',
        '<a name="top"></a>',
    ],
)
def test_a_good_page_has_no_findings(body: str) -> None:
    assert lint_html(HEAD + body) == []


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("<html><head><title>Offers</title></head><body>Hi", "lint_lang"),
        ("<html lang=' '><head><title>Offers</title></head><body>Hi", "lint_lang"),
        ("<html lang='en'><body>Hi", "lint_title"),
        ("<html lang='en'><head><title> </title></head><body>Hi", "lint_title"),
        ("<html lang='en'><body><svg><title>Icon</title></svg>", "lint_title"),
        (HEAD + '<img src="a.png">', "lint_alt"),
        (HEAD + '<a href="https://x.example"> </a>', "lint_link"),
        (HEAD + '<a href="https://x.example"><img src="a.png" alt=""></a>', "lint_link"),
    ],
)
def test_each_fault_is_found(html: str, code: str) -> None:
    assert codes(html) == [code]


def test_every_fault_is_told_with_its_place() -> None:
    findings = lint_html(
        HEAD + '<img src="a.png"><img src="b.png">' + '<a href="https://x.example/' + "y" * 100 + '"></a>'
    )
    assert [finding.excerpt for finding in findings[:2]] == ['<img src="a.png">', '<img src="b.png">']
    assert len(findings[2].excerpt) == 80
    assert str(findings[0]) == 'lint_alt: an img has no alt: <img src="a.png">'


def test_an_empty_text_lacks_a_language_and_a_title() -> None:
    assert codes("") == ["lint_lang", "lint_title"]


def test_a_finding_prints_without_an_excerpt() -> None:
    assert (
        str(Finding("lint_lang", "the html element has no lang")) == "lint_lang: the html element has no lang"
    )


@pytest.mark.parametrize(
    ("svg", "message"),
    [
        ("<svg><text>Fish & chips</text></svg>", "not well-formed (invalid token): line 1, column 17"),
        ("<svg><text>&nbsp;</text></svg>", "undefined entity: line 1, column 11"),
        ("<svg><text></svg>", "mismatched tag: line 1, column 13"),
        ("<!DOCTYPE svg><svg></svg>", "a document type (svg) is declared"),
        ("<html></html>", "expected an svg element, found 'html'"),
        ("", "no element found: line 1, column 0"),
    ],
)
def test_a_banner_that_viewers_would_not_show_is_found(svg: str, message: str) -> None:
    assert lint_svg(svg) == [Finding("lint_xml", message)]
    assert lint_svg('<svg xmlns="http://www.w3.org/2000/svg"><text>Fish &#38; chips ü</text></svg>') == []
