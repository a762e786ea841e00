"""The `labfactory` command: its groups, its version, and the one place where errors become words and exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from labfactory.base.errors import LabfactoryError
from labfactory.cli import content
from labfactory.cli.output import errors, print_error

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = 4


class Face(TyperGroup):
    """Turns every error of labfactory into its printed form on stderr and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        # The options of a command are read after this point, so the flag is looked for among the words.
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except LabfactoryError as error:
            print_error(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            errors().print("interrupted")
            raise typer.Exit(_INTERRUPTED) from error


app = typer.Typer(
    cls=Face,
    name="labfactory",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help=(
        "From marketing experiment to governed, personalised content at factory scale.\n\n"
        "Exit codes: 0 done, 1 refused by a gate, an audit or a verification, 2 wrong use, 3 failed, "
        "4 interrupted and resumable."
    ),
)
app.add_typer(content.app, name="content")


def _print_version(is_wanted: bool) -> None:  # noqa: FBT001 - typer passes the value by position
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"labfactory {version('labfactory')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Hold the options of the command as a whole."""
