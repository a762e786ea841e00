"""`labfactory content personas` holds a policy to what it must decide."""

from __future__ import annotations

import hashlib
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


def test_functions_that_a_policy_calls_come_from_a_host(words: list[str], tmp_path: Path) -> None:
    module = (
        "import labfactory as lf, pyarrow as pa\n"
        "@lf.function(returns=pa.bool_(), scalar=True)\n"
        "def is_green(category):\n"
        "    return category == 'garden'\n"
        "functions = lf.Functions(is_green)\n"
    )
    (tmp_path / "shop.py").write_text(module, encoding="utf-8")
    digest = hashlib.sha256(module.encode()).hexdigest()
    host = tmp_path / "host.toml"
    host.write_text(f'[functions.shop]\nmodule = "shop.py"\nsha256 = "{digest}"\n', encoding="utf-8")
    called = POLICY + "suitable = [{ component = 'garden-season', when = 'is_green(favourite_category)' }]\n"
    Path(words[-2]).write_text(called, encoding="utf-8")
    assert runner.invoke(app, words).exit_code == 2
    assert runner.invoke(app, [*words, "--host", str(host)]).exit_code == 0
