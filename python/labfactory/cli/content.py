"""`labfactory content`: look at a library before anybody else does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labfactory.base.errors import CompileError, LabfactoryError, UsageError
from labfactory.base.storage import write_atomically
from labfactory.cli.options import Json, Now, moment
from labfactory.cli.output import output, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from labfactory.compiler import CreativeOptions, Functions, Plan, Remark, Review
    from labfactory.content import Creative, Host, Library

app = typer.Typer(
    no_args_is_help=True, help="Check, preview and explain the creatives and components of a library."
)

LibraryFolder = Annotated[
    str,
    typer.Argument(metavar="LIBRARY", help="The library's folder, or `sample` for the one that comes along."),
]
CreativeName = Annotated[
    str, typer.Argument(metavar="CREATIVE", help="A creative of it, such as welcome/warm.")
]
Customers = Annotated[
    str,
    typer.Option("--data", metavar="FILE", help="Customers, .parquet or .csv, or `sample` for made-up ones."),
]

HostFile = Annotated[
    Path | None,
    typer.Option("--host", metavar="FILE", help="What gives functions and tables: host.toml."),
]

_SAMPLE = "sample"
_SAMPLE_ROWS = 1000
# Customers that a check looks at: which columns hold nulls, how long texts are.
_LOOKED_AT = 65536


@app.command()
def check(
    library: LibraryFolder,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="Customers, .parquet or .csv, or `sample`: compile every creative against their columns.",
        ),
    ] = None,
    host: HostFile = None,
    now: Now = None,
    *,
    as_json: Json = False,
) -> None:
    """Read a library and tell everything that is wrong with it at once."""
    from labfactory.content import LibraryError

    loaded, serving = load_library(library), load_host(host)
    customers = rows_of(data, _LOOKED_AT) if data is not None else None
    reviews: dict[str, Review] = {}
    problems: list[LabfactoryError] = []
    for creative in loaded.creatives if customers is not None else ():
        try:
            given = _given(serving, creative, loaded, now)
            reviews[creative.name] = creative.check(customers, components=loaded.components, **given)
        except LabfactoryError as problem:
            problems.append(problem)
    problems += [_problem(remark) for review in reviews.values() for remark in review.errors]
    if problems:
        raise LibraryError(problems, place=repr(library))
    plans = {name: _plan(serving, loaded.creative(name), loaded, customers, now) for name in reviews}
    remarks = [*_unused(loaded), *(remark for review in reviews.values() for remark in review.remarks)]
    found = [
        _described(creative, plans.get(creative.name), reviews.get(creative.name))
        for creative in loaded.creatives
    ]
    if as_json:
        components = [one.path for one in loaded.components]
        print_json(
            {"creatives": found, "components": components, "remarks": [_plain(remark) for remark in remarks]}
        )
        return
    _print_check(library, found, remarks)


def _print_check(library: str, found: list[dict[str, Any]], remarks: list[Remark]) -> None:
    with_data = any(one["most_bytes"] for one in found)
    columns = ["creative", "channel", "parts", "slots", *(["columns read", "longest"] if with_data else [])]
    rows = [
        [
            one["name"],
            one["channel"],
            ", ".join(one["parts"]),
            ", ".join(f"{slot} ({len(names)} components)" for slot, names in one["slots"].items()) or "–",
            *([", ".join(one["columns"]), _sizes(one["most_bytes"])] if with_data else []),
        ]
        for one in found
    ]
    print_table(f"{library}: no problems", columns, rows)
    for remark in remarks:
        output().print(str(remark), markup=False, highlight=False)


def _plain(remark: Remark) -> dict[str, Any]:
    return {name: value for name, value in asdict(remark).items() if name != "source"}


def _sizes(most_bytes: dict[str, int | None]) -> str:
    return ", ".join(f"{part} {'–' if size is None else f'{size:,}'}" for part, size in most_bytes.items())


def _unused(library: Library) -> list[Remark]:
    from labfactory.compiler import Remark

    named = {(slot, name) for one in library.creatives for slot, names in one.slots.items() for name in names}
    return [
        Remark("unused_component", f"no creative holds {component.path!r}")
        for component in library.components
        if (component.slot, component.name) not in named
    ]


def _problem(remark: Remark) -> LabfactoryError:
    return CompileError(
        remark.message,
        code=remark.kind,
        template=remark.template,
        line=remark.line,
        column=remark.column,
        width=remark.width,
        source=remark.source,
        hint=remark.hint,
    )


@app.command()
def preview(
    library: LibraryFolder,
    creative: CreativeName,
    data: Customers = _SAMPLE,
    rows: Annotated[int, typer.Option(min=1, max=100, help="How many customers.")] = 1,
    skip: Annotated[int, typer.Option(min=0, help="How many customers to pass over first.")] = 0,
    component: Annotated[
        list[str] | None,
        typer.Option(metavar="SLOT=NAME", help="Show this component; without it the first that is eligible."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that shows the assets side by side.")
    ] = None,
    host: HostFile = None,
    now: Now = None,
    *,
    as_json: Json = False,
) -> None:
    """Assemble a creative for a few customers, and say whether Jinja2 renders the same."""
    loaded = load_library(library)
    chosen = loaded.creative(creative)
    batch = rows_of(data, skip + rows).slice(skip)
    giving = load_host(host)
    plan = _plan(giving, chosen, loaded, batch.schema, now)
    functions = giving.serve(chosen, loaded.components).functions
    batch = _decided(chosen, loaded, plan, batch, _fixed(component or []), functions)
    shown = _previews(plan, batch)
    if page is not None:
        _write_page(page, chosen, shown)
    if as_json:
        print_json(shown)
        return
    console = output()
    for one in shown:
        agrees = "Jinja2 renders the same" if one["agrees"] else "Jinja2 renders something else"
        console.rule(f"row {skip + one['row']}", align="left")
        if one["error"]:
            console.print(f"no asset: {one['error']}", markup=False)
        for part, text in one["parts"].items():
            console.print(f"[bold]{part}[/bold]")
            typer.echo(text)
        console.print(f"({agrees})", style="dim")
    if page is not None:
        console.print(f"page: {page}", markup=False)


@app.command()
def explain(
    library: LibraryFolder,
    creative: CreativeName,
    data: Customers = _SAMPLE,
    host: HostFile = None,
    now: Now = None,
    *,
    as_json: Json = False,
) -> None:
    """Print the plan of a creative: the columns that it reads and the instructions that make an asset."""
    loaded = load_library(library)
    plan = _plan(load_host(host), loaded.creative(creative), loaded, rows_of(data, 1).schema, now)
    if as_json:
        slots = {slot: list(names) for slot, names in plan.slots.items()}
        print_json({"columns": list(plan.columns), "slots": slots, "plan": plan.explain()})
        return
    typer.echo(plan.explain())


def load_library(folder: str) -> Library:
    """The library of a folder, or the one that comes along."""
    from labfactory.content import Library

    if folder == _SAMPLE:
        from labfactory.samples import folder as sample_folder

        return Library.load(sample_folder() / "library")
    return Library.load(folder)


def load_host(file: Path | None) -> Host:
    """The host of a file; one that gives nothing without a file."""
    from labfactory.content import Host

    return Host() if file is None else Host.load(file)


def _given(host: Host, creative: Creative, library: Library, now: str | None) -> CreativeOptions:
    """What a run would give to the creative's templates."""
    served = host.serve(creative, library.components)
    given: CreativeOptions = {"functions": served.functions, "tables": served.tables}
    return {**given, **library.spoken(creative), "constants": {"now": moment(now)}}


def _plan(host: Host, creative: Creative, library: Library, schema: object, now: str | None) -> Plan:
    given = _given(host, creative, library, now)
    return creative.compile(schema, components=library.components, **given)


def rows_of(data: str, count: int) -> pa.RecordBatch:
    """The first customers of a file, or made-up ones."""
    if data == _SAMPLE:
        from labfactory.samples import customers

        return customers(max(count, _SAMPLE_ROWS), seed=0).batch(0).slice(0, count)
    from labfactory.base.sources import batches

    return next(iter(batches(data, max_rows=count)))


def _fixed(choices: Sequence[str]) -> dict[str, str]:
    fixed = {}
    for choice in choices:
        slot, equals, name = choice.partition("=")
        if not (slot and equals and name):
            message = f"expected --component SLOT=NAME, found {choice!r}"
            raise UsageError(message, code="option")
        fixed[slot] = name
    return fixed


def _decided(
    creative: Creative,
    library: Library,
    plan: Plan,
    batch: pa.RecordBatch,
    fixed: dict[str, str],
    functions: Functions,
) -> pa.RecordBatch:
    """The batch with a decision column for each slot: the fixed component, or the first that is eligible."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from labfactory.compiler import Expression

    library.variants(creative.name, components=fixed)  # refuses what the creative does not hold
    filling = creative.choices(library.components)
    for slot, names in plan.slots.items():
        index = np.full(batch.num_rows, -1, np.int32)
        for position, name in enumerate(names):
            component = next(one for one in filling[slot] if one.name == name)
            if slot in fixed:
                index[:] = names.index(fixed[slot])
                break
            eligible = np.ones(batch.num_rows, bool)
            if component.eligible is not None:
                condition = Expression(component.eligible).compile(batch.schema, functions=functions)
                values, _ = condition.evaluate_batch(batch)
                known = pc.fill_null(values, fill_value=False)
                eligible = np.asarray(known.to_numpy(zero_copy_only=False), bool)
            index = np.where((index < 0) & eligible, np.int32(position), index)
        batch = batch.append_column(f"slot:{slot}", pa.array(index, pa.int32()))
    return batch


def _previews(plan: Plan, batch: pa.RecordBatch) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = [
        {"row": row, "parts": {}, "agrees": True, "error": None, "components": {}}
        for row in range(batch.num_rows)
    ]
    for slot, names in plan.slots.items():
        for row, index in enumerate(batch[f"slot:{slot}"].to_pylist()):
            shown[row]["components"][slot] = names[index] if index >= 0 else None
    for found in plan.preview(batch):
        asset = shown[found.row]
        asset["agrees"] &= found.agrees
        asset["error"] = asset["error"] or found.code
        if found.text is not None:
            asset["parts"][found.part] = found.text
    return shown


def _write_page(path: Path, creative: Creative, shown: list[dict[str, Any]]) -> None:
    from labfactory.reports import Letter, Page
    from labfactory.samples import pictures

    letters = [
        Letter(
            title=f"Row {one['row']}",
            note=" · ".join(f"{slot}: {name}" for slot, name in one["components"].items()),
            parts=one["parts"] if not one["error"] else {"error": one["error"]},
        )
        for one in shown
    ]
    page = Page(title=creative.name, eyebrow="Preview", letters=letters, pictures=pictures())
    write_atomically(path, page.to_html())


def _described(creative: Creative, plan: Plan | None, review: Review | None) -> dict[str, Any]:
    return {
        "name": creative.name,
        "channel": creative.channel.name,
        "parts": list(creative.parts),
        "slots": {slot: list(names) for slot, names in creative.slots.items()},
        "columns": [name for name in plan.columns if not name.startswith("slot:")] if plan else [],
        "most_bytes": dict(review.most_bytes) if review else {},
    }
