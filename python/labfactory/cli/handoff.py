"""`labfactory handoff`: keys, and a look into packages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labfactory.cli.options import Json, Now, moment
from labfactory.cli.output import output, print_json, print_table

if TYPE_CHECKING:
    from labfactory.handoff import Package

app = typer.Typer(no_args_is_help=True, help="Make keys, and inspect and verify packages.")

PackageFile = Annotated[Path, typer.Argument(metavar="PACKAGE", help="The package, a .lfpkg file.")]


@app.command()
def keygen(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="The person's id, as trust files list it.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the private key goes; the file must be new.")
    ],
    role: Annotated[
        list[str] | None, typer.Option(metavar="ROLE", help="A role in which the person may sign; repeat it.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="When the key ends, such as 2027-01-01T00:00:00Z.")
    ] = None,
) -> None:
    """Make a signing key, and print the person's entry for a trust file."""
    from labfactory.base.instants import instant
    from labfactory.handoff import Signer

    end = instant(expires, "expires") if expires is not None else None
    signer = Signer.generate(person)
    entry = signer.enrol(role or [], expires=end)
    signer.save(out)
    print_json(entry.model_dump(mode="json", exclude_none=True))


@app.command()
def inspect(package: PackageFile, *, as_json: Json = False) -> None:
    """Show what a package holds; its digests are checked, its signatures are not."""
    from labfactory.handoff import Package

    opened = Package.open(package)
    if as_json:
        print_json(_described(opened))
        return
    console = output()
    console.print(f"{opened.id}, root sha256:{opened.root}", markup=False)
    rows = [[file.path, f"{file.size:,}", file.sha256[:16]] for file in opened.manifest.entries]
    print_table(f"{len(rows)} files", ["file", "bytes>", "sha256"], rows)
    for need in (*opened.header.functions, *opened.header.tables):
        console.print(f"needs of its host: {need}", markup=False)
    typer.echo(str(opened.verdict))
    signed = ", ".join(f"{one.person} as {one.role}" for one in opened.approvals)
    console.print(f"approved by: {signed or 'nobody'}", markup=False)


@app.command()
def verify(
    package: PackageFile,
    trust: Annotated[Path, typer.Option(metavar="FILE", help="Whom to believe: people, roles, keys.")],
    now: Now = None,
    *,
    as_json: Json = False,
) -> None:
    """Ask everything that a Factory asks before it believes a package; exit 1 when it must not."""
    from labfactory.handoff import Package, Trust

    opened = Package.open(package, trust=Trust.load(trust), now=moment(now))
    if as_json:
        print_json(_described(opened))
        return
    signed = ", ".join(f"{one.person} as {one.role}" for one in opened.approvals)
    output().print(f"{opened.id} is verified: root sha256:{opened.root}, approved by {signed}", markup=False)


def _described(package: Package) -> dict[str, Any]:
    return {
        "id": package.id,
        "root": package.root,
        "status": package.verdict.status,
        "roles": list(package.verdict.roles),
        "missing_roles": list(package.missing_roles),
        "approvals": [{"person": one.person, "role": one.role} for one in package.approvals],
        "overruled": package.override is not None,
        "functions": [need.model_dump(exclude_none=True) for need in package.header.functions],
        "tables": [need.model_dump() for need in package.header.tables],
        "files": [
            {"path": one.path, "size": one.size, "sha256": one.sha256} for one in package.manifest.entries
        ],
        "verdict": package.verdict.to_dict(),
    }
