"""A closer look at one text: what a reader, a screen reader or a mail client would miss."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from selectolax.lexbor import LexborHTMLParser

from labfactory.audit.findings import Finding

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_EXCERPT_CHARACTERS = 80


def lint_html(html: str) -> list[Finding]:
    """What is wrong with an HTML page or e-mail, in the order of the text for each check.

    The text is parsed as browsers parse it, which is too slow for every asset of a run: this is for golden
    assets, previews and samples.

    Args:
        html: The finished text.

    Returns:
        Findings ``lint_lang``, ``lint_title``, ``lint_alt`` and ``lint_link``; none when all is well.

    References:
        Web Content Accessibility Guidelines 2.2: 3.1.1 (language), 2.4.2 (title), 1.1.1 (alternative text),
        2.4.4 (link purpose).

    Example:
        >>> for finding in lint_html('<html lang="en"><title>Hi</title><img src="a.png">'):
        ...     print(finding)
        lint_alt: an img has no alt: <img src="a.png">
    """
    page = LexborHTMLParser(html)
    return [*_check_language(page), *_check_title(page), *_check_images(page), *_check_links(page)]


def lint_svg(svg: str) -> list[Finding]:
    """What keeps an SVG text from being shown: it is no well-formed XML, or not an svg element.

    A document type is refused, since what it declares is read by some viewers and not by others.

    Args:
        svg: The finished text.

    Returns:
        The finding ``lint_xml`` for the first thing wrong; none when all is well.

    References:
        Extensible Markup Language (XML) 1.0, fifth edition; Scalable Vector Graphics (SVG) 2, section 5.

    Example:
        >>> for finding in lint_svg("<svg><text>Fish & chips</text></svg>"):
        ...     print(finding)
        lint_xml: not well-formed (invalid token): line 1, column 17
    """
    elements: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: elements.append(name)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(svg.encode(), True)  # noqa: FBT003 - expat takes no names
    except (expat.ExpatError, ValueError) as problem:
        return [Finding("lint_xml", str(problem))]
    if elements[0] != "svg":
        return [Finding("lint_xml", f"expected an svg element, found {elements[0]!r}")]
    return []


def _refuse_doctype(name: str, *_: object) -> None:
    message = f"a document type ({name}) is declared"
    raise ValueError(message)


def _check_language(page: LexborHTMLParser) -> list[Finding]:
    root = page.css_first("html")
    if root is not None and (root.attributes.get("lang") or "").strip():
        return []
    return [Finding("lint_lang", "the html element has no lang")]


def _check_title(page: LexborHTMLParser) -> list[Finding]:
    title = page.css_first("head > title")
    if title is not None and title.text().strip():
        return []
    return [Finding("lint_title", "the page has no title")]


def _check_images(page: LexborHTMLParser) -> list[Finding]:
    return [
        Finding("lint_alt", "an img has no alt", _excerpt(image))
        for image in page.css("img")
        if "alt" not in image.attributes
    ]


def _check_links(page: LexborHTMLParser) -> list[Finding]:
    return [
        Finding("lint_link", "a link says nothing", _excerpt(link))
        for link in page.css("a[href]")
        if not _speaks(link)
    ]


def _speaks(link: LexborNode) -> bool:
    """Whether a link has words: its own, a label's, a title's or an image's."""
    if link.text().strip():
        return True
    labels = [link.attributes.get(name) for name in ("aria-label", "aria-labelledby", "title")]
    labels += [image.attributes.get("alt") for image in link.css("img")]
    return any(label and label.strip() for label in labels)


def _excerpt(node: LexborNode) -> str:
    text = " ".join((node.html or "").split())
    return text if len(text) <= _EXCERPT_CHARACTERS else text[: _EXCERPT_CHARACTERS - 1] + "…"
