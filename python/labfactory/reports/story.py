"""The story of a run: its package's experiment and verdict, a few of its finished assets, its counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labfactory.base.errors import UsageError
from labfactory.lab import Evaluation
from labfactory.reports.page import Letter, Page, Table
from labfactory.reports.sections import certificate, decisions, gates, intervals, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labfactory.factory.summary import Summary
    from labfactory.handoff import Package

LETTERS = 3


def story(
    package: Package,
    run: Path | str,
    *,
    letters: int = LETTERS,
    summary: Summary | None = None,
    pictures: Mapping[str, str] | None = None,
) -> Page:
    """A page about a finished run.

    Args:
        package: The package that the run made assets of.
        run: The run's folder, with its `run.json`.
        letters: How many finished assets to show, of different components where there are any.
        summary: The run's times, which its folder does not keep.
        pictures: A `data:` URI by the address that assets link to.

    Returns:
        The page.

    Raises:
        UsageError: `run_missing` when the folder holds no finished run, `run_differs` when it is a run of
            another package.
    """
    folder = Path(run)
    manifest = _manifest(folder)
    if manifest["root"] != package.root:
        message = f"expected a run of root {package.root[:16]}, found one of {manifest['root'][:16]}"
        raise UsageError(message, code="run_differs", hint="give the package that the run was made of.")
    evaluation = Evaluation.from_json(package.evaluation_json())
    totals = manifest["totals"]
    aside = sum(sum(codes.values()) for codes in totals["quarantined"].values())
    return Page(
        title=package.name,
        eyebrow=f"{package.id} · run {manifest['run']}",
        lead=f"{totals['assets']:,} assets for {totals['rows']:,} customers.",
        figures=[
            ("assets", f"{totals['assets']:,}"),
            ("quarantined", f"{aside:,}"),
            ("bytes of text", _bytes(totals["size_bytes"])),
            *([("assets a second", f"{summary.assets_per_s:,.0f}")] if summary is not None else []),
        ],
        letters=list(_letters(folder, manifest, letters)),
        intervals=intervals(evaluation),
        hypothesis=evaluation.hypothesis,
        control=evaluation.control,
        alpha=evaluation.alpha,
        verdict=package.verdict.status,
        policy=f"Policy {package.verdict.policy}.",
        gates=gates(package.verdict),
        certificate=certificate(manifest.get("allocation")),
        tables=[
            _counts(totals),
            *decisions(totals.get("decisions", {})),
            *(tables(summary) if summary is not None else ()),
        ],
        facts=[
            ("package root", package.root),
            ("run", manifest["run"]),
            ("seed", str(manifest["seed"])),
            ("moment", manifest["now"]),
            *((f"engine: {name}", str(version)) for name, version in manifest["engine"].items() if version),
        ],
        pictures=pictures or {},
    )


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    if not path.is_file():
        message = f"expected a finished run in {folder}, found no run.json"
        raise UsageError(
            message, code="run_missing", hint="a run writes it last; run the job again to finish it."
        )
    manifest: dict[str, Any] = json.loads(path.read_bytes())
    return manifest


def _letters(folder: Path, manifest: Mapping[str, Any], count: int) -> Iterator[Letter]:
    """Finished assets of the first shard that has any, of as many components as it has."""
    shard = next((shard for shard in manifest["shards"] if shard["counts"]["assets"]), None)
    if shard is None:
        return
    chosen = _first_of_each_component(folder, shard, count)
    wanted = pa.array(list(chosen)) if chosen else None
    with pq.ParquetFile(folder / shard["files"]["assets"]["name"]) as assets:
        found: dict[Any, dict[str, Any]] = {}
        for batch in assets.iter_batches(batch_size=1024):
            rows = batch if wanted is None else batch.filter(pc.is_in(batch["key"], value_set=wanted))
            found |= {row["key"]: row for row in rows.slice(0, count).to_pylist()}
            if len(found) >= min(count, len(chosen) or count):
                break
    for key in list(chosen or found)[:count]:
        if key in found:
            row = found[key]
            parts = {
                name: text
                for name, text in row.items()
                if name not in {"key", "creative"} and text is not None
            }
            yield Letter(title=f"customer {key}", parts=parts, note=chosen.get(key, row["creative"]))


def _first_of_each_component(folder: Path, shard: Mapping[str, Any], count: int) -> dict[Any, str]:
    """Key → a line about its decision, for the first customer of each component."""
    entry = shard["files"].get("decisions")
    if entry is None:
        return {}
    with pq.ParquetFile(folder / entry["name"]) as log:
        if log.metadata.num_rows == 0:
            return {}
        rows = next(log.iter_batches(batch_size=1024)).to_pylist()
    firsts: dict[str, tuple[Any, str]] = {}
    for row in rows:
        if row["component"] is not None and row["component"] not in firsts:
            chance = f"{100 * row['propensity']:.0f} %" if row["propensity"] is not None else "unknown"
            firsts[row["component"]] = (
                row["key"],
                f"{row['slot']}: {row['component']}, chosen with probability {chance}",
            )
    return dict(list(firsts.values())[:count])


def _counts(totals: Mapping[str, Any]) -> Table:
    rows = [("customers", f"{totals['rows']:,}"), ("assets", f"{totals['assets']:,}")]
    rows += [(f"skipped: {reason}", f"{count:,}") for reason, count in sorted(totals["skipped"].items())]
    rows += [
        (f"quarantined: {code} ({stage})", f"{count:,}")
        for stage, codes in sorted(totals["quarantined"].items())
        for code, count in sorted(codes.items())
    ]
    return Table(title="What became of the customers", columns=("outcome", "customers"), rows=rows)


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
