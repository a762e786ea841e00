"""`labfactory report` writes pages that stand alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selectolax.lexbor import LexborHTMLParser
from typer.testing import CliRunner

from labfactory.base.errors import UsageError
from labfactory.cli.app import app
from labfactory.handoff import Package
from labfactory.reports import story

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()


def test_a_package_is_shown_with_assets_intervals_and_gates(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "package.html"
    command = ["report", "package", str(place / "welcome.lfpkg"), "--out", str(out), "--letters", "3"]
    assert runner.invoke(app, command).exit_code == 0
    tree = LexborHTMLParser(out.read_text(encoding="utf-8"))
    package = Package.open(place / "welcome.lfpkg")
    subjects = [asset["parts"]["subject"] for asset in package.golden_assets()[:3]]
    assert [node.text() for node in tree.css(".letter .subject")] == subjects
    assert tree.css_first("tbody th").text() == "srm"
    assert len(tree.css("text.metric")) == 4
    assert package.root in tree.css_first("footer").text()


def test_an_evaluation_is_shown_by_its_intervals(place: Path, tmp_path: Path) -> None:
    evidence, out = tmp_path / "evaluation.json", tmp_path / "evaluation.html"
    evidence.write_bytes(Package.open(place / "welcome.lfpkg").evaluation_json())
    assert runner.invoke(app, ["report", "evaluation", str(evidence), "--out", str(out)]).exit_code == 0
    tree = LexborHTMLParser(out.read_text(encoding="utf-8"))
    assert tree.css_first("h1").text() == "welcome-tone"
    assert tree.css_first("text.metric").text() == "orders"


@pytest.mark.parametrize(
    ("manifest", "code"), [(None, "run_missing"), ('{"root": "another"}', "run_differs")]
)
def test_a_page_of_a_run_needs_that_packages_finished_run(
    place: Path, tmp_path: Path, manifest: str | None, code: str
) -> None:
    if manifest is not None:
        (tmp_path / "run.json").write_text(manifest)
    with pytest.raises(UsageError) as caught:
        story(Package.open(place / "welcome.lfpkg"), tmp_path)
    assert caught.value.code == code


def test_a_page_that_cannot_be_written_is_a_failure(place: Path) -> None:
    result = runner.invoke(
        app, ["report", "package", str(place / "welcome.lfpkg"), "--out", "/nowhere/x.html"]
    )
    assert result.exit_code == 3
    assert "/nowhere/x.html" in result.stderr
