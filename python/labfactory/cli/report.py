"""`labfactory report`: pages for people to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labfactory.base.storage import write_atomically
from labfactory.cli.output import output

if TYPE_CHECKING:
    from labfactory.governance import Verdict
    from labfactory.handoff import Package
    from labfactory.lab import Evaluation
    from labfactory.reports import Letter

app = typer.Typer(no_args_is_help=True, help="Write pages that show what an experiment or a package holds.")

Out = Annotated[
    Path, typer.Option(metavar="FILE", help="Where the page goes, one HTML file without scripts.")
]

_MOST_LETTERS = 6


@app.command()
def evaluation(
    evidence: Annotated[
        Path,
        typer.Argument(metavar="EVIDENCE", help="An evaluation as JSON, as `lab evaluate --out` writes it."),
    ],
    out: Out,
) -> None:
    """Write a page with the intervals of an evaluation."""
    from labfactory.base.settings import read_bounded
    from labfactory.lab import Evaluation
    from labfactory.reports import Page

    read = Evaluation.from_json(read_bounded(evidence))
    write_atomically(out, Page(title=read.experiment, eyebrow="Evaluation", **_experiment(read)).to_html())
    output().print(f"page: {out}", markup=False)


@app.command()
def package(
    file: Annotated[Path, typer.Argument(metavar="PACKAGE", help="The package, a .lfpkg file.")],
    out: Out,
    letters: Annotated[
        int, typer.Option(min=0, max=24, help="How many golden assets to show.")
    ] = _MOST_LETTERS,
) -> None:
    """Write a page with a package's golden assets, evaluation and verdict; its signatures are not checked."""
    from labfactory.handoff import Package
    from labfactory.lab import Evaluation
    from labfactory.reports import Page
    from labfactory.samples import pictures

    opened = Package.open(file)
    page = Page(
        title=opened.id,
        eyebrow="Package",
        letters=_golden(opened, letters),
        **_experiment(Evaluation.from_json(opened.evaluation_json())),
        **_verdict(opened.verdict),
        facts=[("root", f"sha256:{opened.root}"), ("created", str(opened.header.created))],
        pictures=pictures(),
    )
    write_atomically(out, page.to_html())
    output().print(f"page: {out}", markup=False)


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    package: Annotated[Path, typer.Option(metavar="FILE", help="The package that the run made assets of.")],
    out: Out,
    letters: Annotated[int, typer.Option(min=0, max=24, help="How many finished assets to show.")] = 3,
) -> None:
    """Write a page with a run's finished assets and counts, and its package's evaluation and verdict."""
    from labfactory.handoff import Package
    from labfactory.reports import story
    from labfactory.samples import pictures

    page = story(Package.open(package), folder, letters=letters, pictures=pictures())
    write_atomically(out, page.to_html())
    output().print(f"page: {out}", markup=False)


def _experiment(evaluation: Evaluation) -> dict[str, Any]:
    from labfactory.reports import intervals

    return {
        "intervals": intervals(evaluation),
        "hypothesis": evaluation.hypothesis,
        "control": evaluation.control,
        "alpha": evaluation.alpha,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    from labfactory.base.instants import instant_text
    from labfactory.reports import gates

    ends = f"Policy {verdict.policy}; its verdict ends {instant_text(verdict.expires_at)}."
    return {"verdict": verdict.status, "policy": ends, "gates": gates(verdict)}


def _golden(package: Package, most: int) -> list[Letter]:
    from labfactory.reports import Letter

    made = [asset for asset in package.golden_assets() if isinstance(asset.get("parts"), dict)]
    return [
        Letter(title=f"Golden asset {number}", note=str(asset.get("creative", "")), parts=asset["parts"])
        for number, asset in enumerate(made[:most], start=1)
    ]
