"""`labfactory lab`: evaluate experiments."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from labfactory.base.storage import write_atomically
from labfactory.cli.options import Json  # noqa: TC001 - typer reads the annotation
from labfactory.cli.output import output, print_json

app = typer.Typer(no_args_is_help=True, help="Evaluate what customers did in an experiment.")


@app.command()
def evaluate(
    experiment: Annotated[
        Path, typer.Argument(metavar="EXPERIMENT", help="The experiment, experiment.toml.")
    ],
    responses: Annotated[
        str, typer.Argument(metavar="RESPONSES", help="A row per assigned customer, .parquet or .csv.")
    ],
    variant: Annotated[str, typer.Option(help="The column with each customer's variant.")] = "variant",
    key: Annotated[
        str | None, typer.Option(help="The column that tells customers apart, to flag those who came twice.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the evaluation as JSON, the evidence of a verdict."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Compare every variant with the control on every metric, with intervals and the sample-ratio check."""
    from labfactory.cli.experiment_file import ExperimentFile

    file = ExperimentFile.load(experiment)
    evaluation = file.experiment().evaluate(
        responses, control=file.control, variant=variant, key=key, alpha=file.alpha
    )
    if out is not None:
        write_atomically(out, evaluation.to_json())
    if as_json:
        print_json(evaluation.to_dict())
        return
    typer.echo(repr(evaluation))
    if out is not None:
        output().print(f"evaluation: {out}", markup=False)
