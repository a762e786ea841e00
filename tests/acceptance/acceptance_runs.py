"""Factory runs of the sample concept over a few customers, and what they leave on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from labfactory.factory import Factory, ParquetSink
from labfactory.samples import BadRows, customers
from labfactory.samples.walk import KEY, NOW

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labfactory.factory import Run

CUSTOMERS = 2_000
SEED = 7
PACKAGE = "welcome-tone@1"
KINDS = ("assets", "decisions", "quarantine")
# More bad rows than the demo has, so that every kind is among 2,000.
BAD = BadRows(null_key=0.01, duplicate_key=0.01, null_price=0.01)
# Small, so that 2,000 customers make several shards of several batches.
SHAPE = {"shard_rows": 600, "batch_rows": 250}


def population(count: int = CUSTOMERS, bad: BadRows = BAD) -> pa.Table:
    """The same customers each time, bad rows among them."""
    return pa.Table.from_batches(customers(count, seed=SEED, bad=bad).batches())


def made(demo: Path, folder: Path, source: Any, **how: Any) -> Run:
    """Make the assets of a source in the demo's Factory; `how` may change threads and the run's shape."""
    options = {**SHAPE, "threads": 2, **how}
    factory = Factory(demo / "factory")
    return factory.run(PACKAGE, source, key=KEY, seed=SEED, now=NOW, sink=ParquetSink(folder), **options)


def job(
    folder: Path, source: Path, *, sink: str = "out", shape: Mapping[str, int] = SHAPE, extra: str = ""
) -> Path:
    """Write the file of a job that runs the package over a source file."""
    path = folder / "job.toml"
    limits = "\n".join(f"{name} = {value}" for name, value in shape.items())
    path.write_text(
        f"""package = "{PACKAGE}"
key = "{KEY}"
seed = {SEED}
now = {NOW.isoformat()}
{extra}
[source]
path = "{source}"
[sink]
path = "{sink}"
[limits]
{limits}
""",
        encoding="utf-8",
    )
    return path


def files(folder: Path) -> dict[str, bytes]:
    """Every file that a run left, hidden ones too, by its path; empty when there is no folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def output(folder: Path) -> dict[str, bytes]:
    """A run's Parquet files by kind and name."""
    return {name: data for name, data in files(folder).items() if name.split("/")[0] in KINDS}


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    """All rows of one of `KINDS`, in source order."""
    paths = sorted((folder / kind).glob("shard-*.parquet"))
    found = [row for path in paths for row in pq.read_table(path).to_pylist()]
    # Quarantine is written stage by stage, batch by batch.
    return sorted(found, key=lambda row: row["row"]) if kind == "quarantine" else found


def values(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything that a run decided and made, whatever files hold it."""
    return {kind: rows(folder, kind) for kind in KINDS}
