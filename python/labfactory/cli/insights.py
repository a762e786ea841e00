"""`labfactory lab insights`: what experiments have taught."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labfactory.cli.options import Json  # noqa: TC001 - typer reads the annotation
from labfactory.cli.output import output, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab import PooledEffect

app = typer.Typer(no_args_is_help=True, help="Keep what experiments have taught, and ask for it.")

Store = Annotated[Path, typer.Argument(metavar="STORE", help="The folder of the insight store.")]
Tag = Annotated[str | None, typer.Option(help="A word that the experiments carry.")]
Features = Annotated[
    list[str] | None,
    typer.Option("--feature", metavar="NAME=VALUE", help="What the treatment must have; may be repeated."),
]
Since = Annotated[
    str | None, typer.Option(metavar="MOMENT", help="Ended then or later, such as 2026-05-01T00:00:00Z.")
]
Until = Annotated[str | None, typer.Option(metavar="MOMENT", help="Ended before.")]


@app.command()
def add(
    store: Store,
    evaluation: Annotated[
        Path, typer.Argument(metavar="EVALUATION", help="What the experiment showed, JSON of `lab evaluate`.")
    ],
    finished: Annotated[str, typer.Option(metavar="MOMENT", help="When the experiment ended.")],
    started: Annotated[str | None, typer.Option(metavar="MOMENT", help="When it began.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A word; may be repeated.")] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--feature", metavar="VARIANT:NAME=VALUE", help="What was in a variant; may be repeated."
        ),
    ] = None,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Let another entry of it give way.")] = False,
    as_json: Json = False,
) -> None:
    """Add the entry of a finished experiment, won or lost."""
    from labfactory.base.settings import read_bounded
    from labfactory.lab import Evaluation, InsightStore

    by_variant: dict[str, dict[str, str | float | bool]] = {}
    for text in features or ():
        head, is_pair, value = text.partition("=")
        variant, _, name = head.rpartition(":")
        by_variant.setdefault(variant, {}).update(_pairs([f"{name}{is_pair}{value}"]))
    insight = InsightStore(store).add(
        Evaluation.from_json(read_bounded(evaluation)),
        finished=finished,
        started=started,
        tags=tags or (),
        features=by_variant,
        replace=replace,
    )
    if as_json:
        print_json({"experiment": insight.experiment, "outcome": insight.outcome, "digest": insight.digest})
        return
    output().print(repr(insight), markup=False)


@app.command(name="list")
def list_entries(store: Store, *, as_json: Json = False) -> None:
    """List all entries, those that ended first before the others."""
    from labfactory.lab import InsightStore

    rows = InsightStore(store).to_frame().to_dicts()
    if as_json:
        print_json(rows)
        return
    columns = ("experiment", "outcome", "winner", "finished", "units>", "tags", "hypothesis")
    cells = [[_cell(row[column.removesuffix(">")]) for column in columns] for row in rows]
    print_table(f"{len(rows)} experiments", columns, cells)


@app.command()
def query(
    store: Store,
    metric: Annotated[str | None, typer.Option(help="Name of the metric; all when absent.")] = None,
    tag: Tag = None,
    features: Features = None,
    since: Since = None,
    until: Until = None,
    *,
    pool: Annotated[
        Literal["lift", "difference"] | None,
        typer.Option(help="Pool the effects by random-effects meta-analysis, on this scale."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the effects of the experiments that fit, and what they say together."""
    from dataclasses import asdict

    from labfactory.lab import InsightStore

    opened, wanted = InsightStore(store), _pairs(features or ())
    found = opened.effects(metric=metric, tag=tag, features=wanted, since=since, until=until)
    rows = found.to_dicts()
    pooled: PooledEffect | None = None
    if pool is not None:
        if metric is None:
            message = "pooling needs one metric"
            raise typer.BadParameter(message, param_hint="--metric")
        pooled = opened.pool(metric, scale=pool, tag=tag, features=wanted, since=since, until=until)
    if as_json:
        print_json({"effects": rows, "pooled": None if pooled is None else asdict(pooled)})
        return
    columns = (
        "experiment",
        "outcome",
        "metric",
        "variant",
        "relative>",
        "relative_lower>",
        "relative_upper>",
    )
    cells = [[_cell(row[column.removesuffix(">")]) for column in columns] for row in rows]
    print_table(f"{len(rows)} effects", columns, cells)
    if pooled is not None:
        output().print(repr(pooled), markup=False)


@app.command()
def kpis(store: Store, since: Since = None, until: Until = None, *, as_json: Json = False) -> None:
    """Show how fast and how well the Lab learns."""
    from labfactory.lab import InsightStore

    figures = InsightStore(store).kpis(since=since, until=until)
    if as_json:
        print_json(figures.to_dict())
        return
    output().print(repr(figures), markup=False)


def _pairs(texts: Sequence[str]) -> dict[str, str | float | bool]:
    """NAME=VALUE, the value a number, true or false, or else text."""
    found: dict[str, str | float | bool] = {}
    for text in texts:
        name, is_pair, value = text.partition("=")
        if not is_pair or not name:
            message = f"expected NAME=VALUE, found {text!r}"
            raise typer.BadParameter(message, param_hint="--feature")
        found[name] = _value(value)
    return found


def _value(text: str) -> str | float | bool:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:+.4f}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
