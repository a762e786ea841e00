"""`labfactory governance`: hold evidence against a graduation policy."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated, Any

import typer

from labfactory.cli.options import Json, Now, moment
from labfactory.cli.output import print_json

app = typer.Typer(no_args_is_help=True, help="Judge what an experiment showed by a graduation policy.")

_REFUSED = 1


@app.command()
def judge(
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="The policy, graduation.toml.")],
    evidence: Annotated[
        Path,
        typer.Argument(metavar="EVIDENCE", help="An evaluation as JSON, as `lab evaluate --out` writes it."),
    ],
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="An arm that would graduate; without it every arm but the control."
        ),
    ] = None,
    playbook: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The playbook, in Markdown, for gates that ask for one."),
    ] = None,
    now: Now = None,
    *,
    as_json: Json = False,
) -> None:
    """Print every gate with its figure and its bound; exit 1 unless all pass."""
    from labfactory.base.canonical import parse_json
    from labfactory.base.settings import read_bounded
    from labfactory.governance import GraduationPolicy, sections

    read: dict[str, Any] = parse_json(read_bounded(evidence))
    if variant:
        read["variants"] = variant
    if playbook is not None:
        read["playbook"] = {"sections": sections(read_bounded(playbook).decode())}
    verdict = GraduationPolicy.load(policy).judge(read, moment(now))
    if as_json:
        print_json(verdict.to_dict())
    else:
        typer.echo(str(verdict))
    if verdict.status != "passed":
        raise typer.Exit(_REFUSED)
