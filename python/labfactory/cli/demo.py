"""`labfactory demo`: a concept from its experiment to a million finished assets."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labfactory.base.errors import UsageError
from labfactory.base.storage import write_atomically
from labfactory.cli.memory import use_steady_allocator
from labfactory.cli.options import Json  # noqa: TC001 - typer reads the annotation
from labfactory.cli.output import print_json, print_line, print_table
from labfactory.cli.progress import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    import pyarrow as pa

_REFUSED = 1


def demo(
    *,
    customers: Annotated[int, typer.Option(min=1, help="How many customers to make.")] = 1_000_000,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Customers of your own, .parquet or .csv, with the columns of --schema."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where everything goes; absent or empty.")] = Path(
        "labfactory-demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of the customers and of all draws.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Workers of the Factory run; they change no byte.")] = 2,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the columns of the customers and stop.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take a sample concept from an experiment to a personalised, audited asset for every customer.

    The Lab compares three welcome mails on a sample with simulated responses, a policy judges the package,
    two people sign it, and the Factory verifies it and makes all parts of the winning mail.
    """
    if schema:
        _print_schema(as_json=as_json)
        return
    use_steady_allocator()
    from labfactory.factory import Factory
    from labfactory.reports import story
    from labfactory.samples import pictures, walk

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        message = f"expected an absent or empty folder for the demo, found {out} in use"
        raise UsageError(message, code="out_in_use", hint="delete it, or name another with --out.")
    steps = _Steps(quiet=as_json)
    with steps.timed("customers"):
        source, population = _customers(data, customers, seed)
        sample = walk.sample_of(population)
    with steps.timed("experiment"):
        evaluation = walk.evaluate(sample, seed=seed)
    steps.show("1. Laboratory: the experiment", repr(evaluation))
    with steps.timed("package"):
        draft = walk.draft(evaluation, sample)
        verdict = draft.judge(now=walk.NOW)
    steps.show("2. Governance: the verdict", repr(verdict))
    if verdict.status != "passed":
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "verdict.json", verdict.to_json())
        print_line(
            f"The verdict is {verdict.status}: nothing is handed over. It lies in {out / 'verdict.json'}."
        )
        raise typer.Exit(_REFUSED)
    with steps.timed("handoff"):
        signers = walk.enrol(out / "keys")
        package = walk.seal(draft, verdict, signers)
        package.save(out / "welcome-tone-1.lfpkg")
        package.verify(signers.trust, walk.NOW)
    steps.show("3. Handoff: the package", repr(package))
    with steps.timed("ingest"):
        factory = Factory.create(out / "factory", trust=signers.trust)
        factory.ingest(out / "welcome-tone-1.lfpkg", now=walk.NOW)
    with steps.timed("run"), shown() as progress:
        run = walk.make(
            factory, package, source, out / "run", seed=seed, now=walk.NOW, threads=threads, progress=progress
        )
    with steps.timed("page"):
        page = story(package, out / "run", summary=run.summary, pictures=pictures())
        write_atomically(out / "index.html", page.to_html())
    summary = {
        "out": str(out),
        "page": str(out / "index.html"),
        "steps_s": steps.seconds,
        **run.summary.to_dict(),
    }
    if as_json:
        print_json(summary)
        return
    steps.show("4. Factory: the run", repr(run))
    print_table("Steps", ["step", "seconds>"], [(name, f"{s:.2f}") for name, s in steps.seconds.items()])
    rates = [
        (name, f"{s:.2f}", f"{run.summary.made / s:,.0f}" if s > 0 else "–")
        for name, s in run.summary.seconds.items()
    ]
    print_table("Steps of the run", ["step", "seconds>", "assets a second>"], rates)
    print_line(f"Look at {out / 'index.html'}")


class _Steps:
    """Prints what each step found, and keeps how long it took."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - began

    def show(self, title: str, text: str) -> None:
        if not self._quiet:
            typer.echo(f"\n{title}\n\n{text}\n")


def _customers(data: Path | None, count: int, seed: int) -> tuple[Any, Any]:
    """The customers of the run, and the population that the experiment's sample comes from."""
    from labfactory.samples import customers
    from labfactory.samples.walk import SAMPLE_ROWS

    if data is None:
        # A small demo still has an experiment of full size: more customers of the same making.
        return customers(count, seed=seed), customers(max(count, SAMPLE_ROWS), seed=seed)
    source = _file(data)
    return source, source


def _file(path: Path) -> Any:
    """A customer file; a CSV's columns are read as the sample schema says, lists as JSON text."""
    import polars as pl

    from labfactory.base.columns import check_columns, check_names
    from labfactory.base.files import CsvFile, ParquetFile, check_path
    from labfactory.samples.customers import SCHEMA

    check_path(path)
    if path.suffix.lower() != ".csv":
        check_columns(ParquetFile(path).schema, SCHEMA, name=path.name)
        return path
    check_names(CsvFile(path, {}).schema, SCHEMA.names, name=path.name)
    wanted = pl.DataFrame(SCHEMA.empty_table()).schema
    as_text = {name: pl.String for name, dtype in wanted.items() if dtype.is_nested() or dtype == pl.Datetime}
    return pl.scan_csv(path, schema_overrides={**wanted, **as_text}).select(
        _parsed(name, dtype) if name in as_text else pl.col(name) for name, dtype in wanted.items()
    )


def _parsed(name: str, dtype: pl.DataType) -> pl.Expr:
    import polars as pl

    text = pl.col(name).str
    return text.json_decode(dtype) if dtype.is_nested() else text.to_datetime(time_unit="us", time_zone="UTC")


def _print_schema(*, as_json: bool) -> None:
    from labfactory.samples.customers import SCHEMA

    def kind(field: pa.Field) -> str:
        return f"{field.type}{'' if field.nullable else ', never null'}"

    if as_json:
        print_json({field.name: str(field.type) for field in SCHEMA})
        return
    print_table("Customers of the demo", ["column", "type"], [(field.name, kind(field)) for field in SCHEMA])
