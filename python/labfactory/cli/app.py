"""The `labfactory` command: its groups, and the one place where errors become words and exit codes."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from labfactory.base.errors import LabfactoryError, RunError
from labfactory.cli import content, factory, governance, handoff, lab, report
from labfactory.cli.demo import demo
from labfactory.cli.output import print_error, print_line
from labfactory.cli.personas import personas

_INTERRUPTED = 4


class Face(TyperGroup):
    """Turns every error of labfactory into its printed form on stderr and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        # A command reads its own options later, so the flag is looked for among the words.
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except LabfactoryError as error:
            print_error(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            what = "the system refused" if error.filename is None else f"cannot use {str(error.filename)!r}"
            failed = RunError(f"{what}: {error.strerror or error}", code="system")
            print_error(failed, as_json=as_json)
            raise typer.Exit(failed.exit_code) from error
        except KeyboardInterrupt as error:
            print_line("interrupted")
            raise typer.Exit(_INTERRUPTED) from error


app = typer.Typer(
    cls=Face,
    name="labfactory",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
content.app.command()(personas)
app.add_typer(content.app, name="content")
app.add_typer(lab.app, name="lab")
app.add_typer(governance.app, name="governance")
app.add_typer(handoff.app, name="handoff")
app.add_typer(factory.app, name="factory")
app.add_typer(report.app, name="report")
app.command()(demo)


def _print_version(is_wanted: bool) -> None:  # noqa: FBT001 - typer passes the value by position
    if is_wanted:
        from labfactory.base.identity import engine_identity

        typer.echo(f"labfactory {engine_identity().labfactory}")
        raise typer.Exit


@app.callback()
def labfactory(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """From marketing experiment to governed, personalised content at factory scale.

    Exit codes: 0 done; 1 refused by a gate, an audit or a verification; 2 wrong use; 3 failed; 4 interrupted
    and resumable.
    """
