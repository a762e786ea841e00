"""`labfactory content personas` holds a policy to what it must decide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labfactory.cli.app import app

runner = CliRunner()
POLICY = """
version = "1"
[slots.hero]
components = ["garden-season", "bestsellers"]
"""
PERSONAS = """
[[personas]]
name = "a gardener"
row = { favourite_category = "garden", orders_12m = 3 }
expect.hero = "garden-season"

[[personas]]
name = "who never ordered"
row = { favourite_category = "garden", orders_12m = 0 }
expect.hero = "bestsellers"
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The command over the library that comes along."""
    (tmp_path / "selection.toml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "personas.toml").write_text(PERSONAS, encoding="utf-8")
    files = [str(tmp_path / "selection.toml"), str(tmp_path / "personas.toml")]
    return ["content", "personas", "sample", "welcome/warm", *files]


def test_expectations_that_hold_are_listed(words: list[str]) -> None:
    result = runner.invoke(app, words)
    assert result.exit_code == 0
    assert result.stdout.startswith("Personas: 2 of 2 expectations hold\n")


def test_a_broken_expectation_is_told_by_name_and_exits_with_1(words: list[str]) -> None:
    personas = Path(words[-1])
    personas.write_text(PERSONAS.replace("orders_12m = 3", "orders_12m = 0"), encoding="utf-8")
    result = runner.invoke(app, [*words, "--json"])
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert (first["persona"], first["passed"], first["found"]) == ("a gardener", False, ["bestsellers"])
    assert first["why"].endswith(
        "component (favourite_category in ['garden', 'outdoors'] and orders_12m >= 1)"
    )
    assert second["passed"] is True


def test_a_wrong_file_exits_with_2(words: list[str]) -> None:
    Path(words[-1]).write_text(PERSONAS.replace("expect.hero", "expects.hero"), encoding="utf-8")
    result = runner.invoke(app, words)
    assert (result.exit_code, "personas.toml:" in result.stderr) == (2, True)
