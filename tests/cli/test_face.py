"""The command as a whole: help that reads well, one form of errors, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from labfactory.base.errors import CompileError, GovernanceError, LabfactoryError, RunError
from labfactory.cli import app as app_module
from labfactory.cli.app import Face, app

if TYPE_CHECKING:
    from collections.abc import Iterator

runner = CliRunner()
PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def commands(within: typer.Typer = app, words: str = "") -> Iterator[tuple[str, object]]:
    """Every command by the words that call it."""
    for group in within.registered_groups:
        yield from commands(group.typer_instance, f"{words}{group.name} ")
    for command in within.registered_commands:
        yield f"{words}{command.name or command.callback.__name__}", command


@pytest.mark.parametrize("words", [name for name, _ in commands()])
def test_every_command_has_help_and_a_place_in_the_docs(words: str) -> None:
    result = runner.invoke(app, [*words.split(), "--help"])
    assert result.exit_code == 0
    assert dict(commands())[words].callback.__doc__
    assert f"labfactory {words}" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [name for name, _ in commands()])
def test_every_option_has_help(words: str) -> None:
    command = typer.main.get_command(app)
    for word in words.split():
        command = command.commands[word]
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []
    page = PAGE.read_text(encoding="utf-8")
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert [option for option in sorted(options - {"--help"}) if f"`{option}`" not in page] == []


def test_the_docs_name_no_command_that_is_not_there() -> None:
    documented = set(
        re.findall(r"^### `labfactory ([a-z ]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert documented == {name for name, _ in commands()}


def failing(error: BaseException) -> typer.Typer:
    """A command line of one group whose command fails."""
    broken = typer.Typer(cls=Face)
    group = typer.Typer()

    @group.command()
    def go(*, as_json: bool = typer.Option(False, "--json")) -> None:
        raise error

    @group.command()
    def stay() -> None:
        pass

    broken.add_typer(group, name="group")
    return broken


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GovernanceError("no", code="refused"), 1),
        (CompileError("no", code="syntax"), 2),
        (RunError("no", code="disk"), 3),
        (FileNotFoundError(2, "No such file", "x"), 3),
        (KeyboardInterrupt(), 4),
    ],
)
def test_an_exit_code_says_what_kind_of_end_it_was(error: BaseException, code: int) -> None:
    assert runner.invoke(failing(error), ["group", "go"]).exit_code == code


def test_an_error_has_one_form() -> None:
    error = CompileError(
        "unknown column 'first_nme'",
        code="unknown_column",
        template="welcome/warm.html",
        line=3,
        column=10,
        width=9,
        source="<p>\n\n<p>Hi {{ first_nme }},</p>",
        hint="did you mean 'first_name'?",
    )
    expected = """\
labfactory.CompileError: unknown column 'first_nme'
  --> welcome/warm.html:3:10
   3 | <p>Hi {{ first_nme }},</p>
     |          ^^^^^^^^^
  hint: did you mean 'first_name'?
"""
    result = runner.invoke(failing(error), ["group", "go"])
    assert result.stderr == expected
    assert result.stdout == ""
    machines = json.loads(runner.invoke(failing(error), ["group", "go", "--json"]).stderr)["error"]
    assert (machines["code"], machines["line"], machines["kind"]) == ("unknown_column", 3, "CompileError")


def test_what_the_system_refuses_names_the_file() -> None:
    error = FileNotFoundError(2, "No such file or directory", "absent.csv")
    found = json.loads(runner.invoke(failing(error), ["group", "go", "--json"]).stderr)["error"]
    assert found["code"] == "system"
    assert found["message"] == "cannot use 'absent.csv': No such file or directory"


def test_markup_in_an_error_is_text() -> None:
    error = LabfactoryError("found [bold]x[/] and [/red]", code="x")
    assert "found [bold]x[/] and [/red]" in runner.invoke(failing(error), ["group", "go"]).stderr


def test_the_command_runs_as_a_process() -> None:
    program = [sys.executable, "-c", "from labfactory.cli import main; main()"]
    version = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("labfactory ")
    wrong = subprocess.run([*program, "contnet"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    refused = subprocess.run(
        [*program, "content", "check", "/nowhere"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("labfactory.ContentError: ")


def test_help_does_not_wait_for_heavy_imports() -> None:
    heavy = {"jinja2", "numpy", "polars", "pyarrow", "pydantic", "scipy"}
    program = f"import sys; import labfactory.cli.app; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_app_is_the_face() -> None:
    assert app_module.app.info.cls is Face
