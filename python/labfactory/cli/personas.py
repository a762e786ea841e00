"""`labfactory content personas`: hold a selection policy to what it must decide for example customers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from labfactory.cli.content import (
    CreativeName,
    Customers,
    HostFile,
    LibraryFolder,
    load_host,
    load_library,
    rows_of,
)
from labfactory.cli.options import Json, Now, moment
from labfactory.cli.output import print_json

_FAILED = 1


def personas(
    library: LibraryFolder,
    creative: CreativeName,
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="The policy, selection.toml.")],
    examples: Annotated[
        Path, typer.Argument(metavar="PERSONAS", help="What it must decide for whom, personas.toml.")
    ],
    data: Customers = "sample",
    now: Now = None,
    host: HostFile = None,
    *,
    as_json: Json = False,
) -> None:
    """Print what a policy can choose for each persona; exit 1 unless it is what is expected."""
    from labfactory.selection import Personas, SelectionPolicy, check_personas

    loaded = load_library(library)
    made = loaded.creative(creative)
    held = SelectionPolicy.load(policy)
    functions = load_host(host).serve(made, loaded.components, held.calls).functions
    selector = held.bind(
        made.choices(loaded.components), rows_of(data, 1).schema, {"now": moment(now)}, functions
    )
    report = check_personas(selector, Personas.load(examples))
    if as_json:
        print_json([{**asdict(one), "expected": str(one.expected)} for one in report.results])
    else:
        typer.echo(repr(report))
    if report.failed:
        raise typer.Exit(_FAILED)
