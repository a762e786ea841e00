"""`labfactory factory`: set a Factory up, take packages in, run jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labfactory.cli.memory import use_steady_allocator
from labfactory.cli.options import Json, Now, moment
from labfactory.cli.output import output, print_json, print_table
from labfactory.cli.progress import shown

app = typer.Typer(no_args_is_help=True, help="Take verified packages in and make their assets.")

Folder = Annotated[Path, typer.Option("--factory", metavar="DIR", help="The Factory's folder.")]
_FOLDER = Path("factory")


@app.command()
def create(
    trust: Annotated[Path, typer.Option(metavar="FILE", help="Whom to believe: people, roles, keys.")],
    factory: Folder = _FOLDER,
    *,
    as_json: Json = False,
) -> None:
    """Make a Factory in a new folder that its owner alone may write."""
    from labfactory.factory import Factory

    made = Factory.create(factory, trust=trust)
    if as_json:
        print_json({"factory": str(made.folder)})
        return
    output().print(f"made a Factory in {made.folder}", markup=False)


@app.command()
def ingest(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="The package, a .lfpkg file.")],
    factory: Folder = _FOLDER,
    now: Now = None,
    *,
    as_json: Json = False,
) -> None:
    """Verify a package, make its golden assets again, and take it in; exit 1 when it is refused."""
    from labfactory.factory import Factory

    taken = Factory(factory).ingest(package, now=moment(now))
    if as_json:
        print_json({"id": taken.id, "root": taken.root})
        return
    output().print(f"took {taken.id} in, root sha256:{taken.root}", markup=False)


@app.command()
def packages(factory: Folder = _FOLDER, *, as_json: Json = False) -> None:
    """List the packages that were taken in, with their states."""
    from labfactory.factory import Factory

    opened = Factory(factory)
    states = opened.ledger.states()
    rows = [(one.id, str(states.get(one.id, "")), one.root) for one in opened.registry.packages()]
    if as_json:
        print_json([{"id": name, "state": state, "root": root} for name, state, root in rows])
        return
    print_table(f"{len(rows)} packages in {opened.folder}", ["package", "state", "root"], rows)


@app.command()
def host(factory: Folder = _FOLDER, *, as_json: Json = False) -> None:
    """Show what the Factory gives to templates: functions with the digests of their modules, and tables."""
    from labfactory.factory import Factory

    given = Factory(factory).host
    origins: dict[str, dict[str, str]] = {name: dict(given.origins.get(name, {})) for name in given.functions}
    locales = {name: one.model_dump(exclude_none=True) for name, one in given.locales.items()}
    tables = {name: table.to_dict() for name, table in given.tables.items()}
    if as_json:
        print_json({"functions": origins, "locales": locales, "tables": tables})
        return
    rows = [("function", name, one["module"], one["sha256"]) for name, one in origins.items()]
    rows += [("locale", name, ", ".join(one.values()), "") for name, one in locales.items()]
    rows += [
        ("table", name, f"by {one['key']} on {one['on']}", one["sha256"]) for name, one in tables.items()
    ]
    print_table(f"what {factory} gives", ["what", "name", "from", "sha256"], rows)


@app.command()
def run(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job, job.toml.")],
    factory: Folder = _FOLDER,
    *,
    as_json: Json = False,
) -> None:
    """Make an asset for every customer of a job; run it again to go on after an interruption."""
    from labfactory.factory import Factory

    use_steady_allocator()
    opened = Factory(factory)
    with shown() as progress:
        made = opened.run_job(job, progress=progress)
    if as_json:
        paths = {kind: str(path) for kind, path in made.paths.items()}
        print_json({"run": made.run_id, "package": made.package, "paths": paths, **made.summary.to_dict()})
        return
    typer.echo(repr(made))
