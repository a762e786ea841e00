"""`labfactory lab`: evaluate experiments."""

from __future__ import annotations

import io
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from labfactory.base.storage import write_atomically
from labfactory.cli import insights, planning
from labfactory.cli.options import Json  # noqa: TC001 - typer reads the annotation
from labfactory.cli.output import output, print_json, print_line

app = typer.Typer(no_args_is_help=True, help="Assign customers, evaluate what they did, keep what it taught.")
app.add_typer(insights.app, name="insights")
for command in (planning.power, planning.design, planning.preregister):
    app.command()(command)


@app.command()
def assign(
    experiment: Annotated[
        Path, typer.Argument(metavar="EXPERIMENT", help="The experiment, experiment.toml.")
    ],
    customers: Annotated[
        str, typer.Argument(metavar="CUSTOMERS", help="A row per customer, .parquet or .csv.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The assignment, .parquet.")],
    key: Annotated[str, typer.Option(help="The column that tells customers apart.")],
    seed: Annotated[int | None, typer.Option(help="Another seed assigns afresh.")] = None,
    bucketing: Annotated[
        str | None, typer.Option("--hash", metavar="NAME", help="The platform whose hash assigns.")
    ] = None,
    coverage: Annotated[float | None, typer.Option(help="The share of customers that take part.")] = None,
    strata: Annotated[
        list[str] | None, typer.Option(help="A column to balance within; may be repeated.")
    ] = None,
    sticky: Annotated[
        str | None, typer.Option(metavar="FILE", help="An earlier assignment, whose customers keep theirs.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Give every customer a variant, by the customer's key alone."""
    import pyarrow.parquet as pq

    from labfactory.cli.experiment_file import ExperimentFile

    assigned = ExperimentFile.load(experiment).assign(
        customers, key=key, seed=seed, hash=bucketing, coverage=coverage, strata=strata, sticky=sticky
    )
    file = io.BytesIO()
    pq.write_table(assigned, file)
    write_atomically(out, file.getvalue())
    counts = {str(one["values"]): one["counts"] for one in assigned["variant"].value_counts().to_pylist()}
    if as_json:
        print_json({"variants": counts, "out": str(out)})
        return
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    output().print(f"{told}\nassignment: {out}", markup=False)


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
    earlier: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="The evaluation of an earlier look; may be repeated, oldest first."
        ),
    ] = None,
    preregistration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Say what departs from this preregistration.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Compare every variant with the control on every metric, with intervals and the sample-ratio check."""
    from labfactory.base.settings import read_bounded
    from labfactory.cli.experiment_file import ExperimentFile
    from labfactory.lab import Evaluation, Preregistration

    file = ExperimentFile.load(experiment)
    planned = None
    if preregistration is not None:
        planned = Preregistration.from_json(read_bounded(preregistration))
    evaluation = file.evaluate(
        responses,
        variant=variant,
        key=key,
        earlier=[Evaluation.from_json(read_bounded(path)) for path in earlier or ()],
        preregistration=planned,
    )
    if out is not None:
        write_atomically(out, evaluation.to_json())
    for departure in evaluation.departures or ():
        print_line(f"departs from the plan: {departure}")
    if as_json:
        print_json(evaluation.to_dict())
        return
    typer.echo(repr(evaluation))
    if out is not None:
        output().print(f"evaluation: {out}", markup=False)
