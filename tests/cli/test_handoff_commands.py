"""`labfactory handoff`: keys are made, packages are looked into and verified."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from labfactory.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()


def test_a_key_is_made_once_and_for_its_owner_alone(place: Path) -> None:
    assert (place / "ana.key").stat().st_mode & 0o777 == 0o600
    again = runner.invoke(app, ["handoff", "keygen", "ana@example.com", "--out", str(place / "ana.key")])
    assert again.exit_code == 2
    private = json.loads((place / "ana.key").read_bytes())["private"]
    assert private not in again.output


def test_a_key_can_have_an_end(tmp_path: Path) -> None:
    command = [
        "handoff",
        "keygen",
        "bo",
        "--out",
        str(tmp_path / "bo.key"),
        "--expires",
        "2027-01-01T00:00:00Z",
    ]
    (key,) = json.loads(runner.invoke(app, command).stdout)["keys"]
    assert key["expires"] == "2027-01-01T00:00:00Z"


def test_inspect_shows_files_verdict_and_approvals(place: Path) -> None:
    package = str(place / "welcome.lfpkg")
    text = runner.invoke(app, ["handoff", "inspect", package])
    assert text.exit_code == 0
    for word in (
        "welcome-tone@1",
        "library/welcome/warm/html.j2",
        "srm",
        "ana@example.com as bridge_manager",
    ):
        assert word in text.stdout
    shown = json.loads(runner.invoke(app, ["handoff", "inspect", package, "--json"]).stdout)
    assert (shown["status"], shown["missing_roles"], shown["overruled"]) == ("passed", [], False)


def verify(place: Path, package: str, *, now: str = "2026-07-02T00:00:00Z") -> tuple[int, str]:
    command = ["handoff", "verify", str(place / package), "--trust", str(place / "trust.json"), "--now", now]
    result = runner.invoke(app, command)
    return result.exit_code, result.output


def test_a_package_that_is_believed_ends_with_zero(place: Path) -> None:
    code, text = verify(place, "welcome.lfpkg")
    assert code == 0
    assert "welcome-tone@1 is verified" in text


def test_a_package_that_is_not_believed_ends_with_one(place: Path) -> None:
    data = bytearray((place / "welcome.lfpkg").read_bytes())
    data[data.index(b"the kettle is on")] ^= 1
    (place / "altered.lfpkg").write_bytes(data)
    assert verify(place, "altered.lfpkg")[0] == 1
    assert verify(place, "welcome.lfpkg", now="2028-01-01T00:00:00Z")[0] == 1


def test_a_package_that_is_not_there_is_wrong_use(place: Path) -> None:
    assert verify(place, "nowhere.lfpkg")[0] == 2
