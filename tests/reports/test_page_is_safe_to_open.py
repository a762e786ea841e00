"""The page is one file that loads nothing, runs nothing, and shows what it is given."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from selectolax.lexbor import LexborHTMLParser

from labfactory.base.errors import UsageError
from labfactory.reports import Gate, Interval, Letter, Page, Table

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</title><script>alert(1)</script>\"'&"
MAIL = (
    '<!DOCTYPE html><p title="a&amp;b">Hi <b>“Zoë” &lt;3</b> <img src="https://x.example/1.png" alt=""></p>'
)


def page(**changed: object) -> Page:
    values: dict[str, object] = {
        "title": "A page",
        "letters": [Letter(title="Ann", parts={"subject": "Hi", "html": MAIL, "text": "Hi\nAnn"})],
        "intervals": [
            Interval(metric="orders", variant="b", role="goal", difference=0.2, lower=0.1, upper=0.3)
        ],
        "verdict": "refused",
        "gates": [Gate(name="srm", status="fail", figure="0", bound="≥ 0.001")],
        "tables": [Table(title="Steps", columns=["step", "seconds"], rows=[["read", "0.8"]])],
        "facts": [("seed", "7")],
    }
    return Page(**{**values, **changed})  # type: ignore[arg-type]


def read(made: Page) -> LexborHTMLParser:
    return LexborHTMLParser(made.to_html().decode())


def test_the_policy_of_the_page_allows_no_script_and_no_address() -> None:
    tree = read(page())
    assert tree.css_first("script") is None
    policy = tree.css_first("meta[http-equiv]").attributes["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert [
        node.tag for node in tree.css("link, script, object, embed, form, base, [onclick], [onload]")
    ] == []


def test_assets_stand_in_sandboxed_frames_exactly_as_they_are() -> None:
    (frame,) = read(page()).css("iframe")
    assert frame.attributes["sandbox"] in ("", None)
    assert frame.attributes["srcdoc"] == MAIL
    assert frame.attributes["title"] == "E-mail: Ann"


def test_what_is_given_is_text_and_never_markup() -> None:
    made = page(
        title=HOSTILE,
        eyebrow=HOSTILE,
        lead=HOSTILE,
        hypothesis=HOSTILE,
        policy=HOSTILE,
        letters=[
            Letter(title=HOSTILE, note=HOSTILE, parts={"subject": HOSTILE, "html": HOSTILE, "x": HOSTILE})
        ],
        intervals=[Interval(metric=HOSTILE, variant=HOSTILE, role="goal", difference=1, lower=0, upper=2)],
        gates=[Gate(name=HOSTILE, status="pass", reason=HOSTILE)],
        facts=[(HOSTILE, HOSTILE)],
    )
    tree = read(made)
    assert tree.css_first("script") is None
    assert tree.css_first("title").text() == HOSTILE
    assert b"<script" not in made.to_html()


def test_pictures_stand_in_place_of_addresses_in_src_alone() -> None:
    made = page(
        letters=[Letter(title="Ann", parts={"html": '<img src="u"><a href="u">u</a><img src="v">'})],
        pictures={"u": "data:image/svg+xml;base64,AA=="},
    )
    (frame,) = read(made).css("iframe")
    expected = '<img src="data:image/svg+xml;base64,AA=="><a href="u">u</a><img src="v">'
    assert frame.attributes["srcdoc"] == expected


def test_a_reader_without_eyes_finds_every_part() -> None:
    tree = read(page())
    assert [node.text() for node in tree.css("h1")] == ["A page"]
    for section in tree.css("main section"):
        assert tree.css_first("#" + section.attributes["aria-labelledby"]).tag == "h2"
    assert all(cell.attributes.get("scope") in ("row", "col") for cell in tree.css("th"))
    plot = tree.css_first("svg.plot")
    assert plot.attributes["role"] == "img"
    assert tree.css_first("#" + plot.attributes["aria-labelledby"]) is not None
    # Colour never carries a status alone.
    assert [node.text() for node in tree.css("tbody .tag")] == ["✕ fail"]


def test_what_is_empty_has_no_section() -> None:
    tree = read(Page(title="Nothing"))
    assert tree.css("section") == []
    assert tree.css("iframe") == []


def test_a_page_that_nobody_could_open_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        page(letters=[Letter(title="Ann", parts={"html": "x" * (1 << 20)})]).to_html()
    assert caught.value.code == "report_size"


@pytest.mark.browser
def test_a_browser_shows_the_page_without_a_complaint(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    assert chromium is not None
    path = tmp_path / "page.html"
    path.write_bytes(
        page(pictures={"https://x.example/1.png": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}).to_html()
    )
    shot = tmp_path / "page.png"
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync", "--no-sandbox"]
    done = subprocess.run(
        [chromium, "--headless", *quiet, f"--user-data-dir={tmp_path}/profile", "--enable-logging=stderr",
         f"--screenshot={shot}", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert shot.stat().st_size > 10_000
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
