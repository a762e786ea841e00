"""The whole Factory run of the sample concept: customers made, decided, assembled, audited, logged and written."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from labfactory.factory import Factory, Run
from labfactory.factory.progress import silent
from labfactory.factory.sinks import KINDS, parquet_writer
from labfactory.samples import walk
from labfactory.samples.customers import customers as sample_customers

SEED = 7


@dataclass(frozen=True)
class EndToEnd:
    """A run's figures: seconds by step are of one worker, the steps of several workers overlap.

    Args:
        customers: Rows of the source.
        assets: Those that were made.
        mean_bytes: UTF-8 bytes of an asset.
        assets_per_s: Of the whole run.
        elapsed_s: Of the whole run.
        seconds: By step.
        pyarrow_write_s: What one thread takes that writes the same tables again, with the same options of pyarrow.
    """

    customers: int
    assets: int
    mean_bytes: float
    assets_per_s: float
    elapsed_s: float
    seconds: Mapping[str, float]
    pyarrow_write_s: float


def measure(*, customers: int) -> EndToEnd:
    """Makes the winning mail of the sample concept for so many customers, on two workers."""
    sample = walk.sample_of(sample_customers(walk.SAMPLE_ROWS, seed=SEED))
    draft = walk.draft(walk.evaluate(sample, seed=SEED), sample)
    with tempfile.TemporaryDirectory() as place:
        signers = walk.enrol(Path(place) / "keys")
        package = walk.seal(draft, draft.judge(now=walk.NOW), signers)
        factory = Factory.create(Path(place) / "factory", trust=signers.trust)
        factory.ingest(package, now=walk.NOW)
        run = _run(factory, package.id, Path(place) / "out", customers)
        again_s = sum(
            _written_again_s(file, Path(place) / "again.parquet")
            for kind in KINDS
            for file in sorted((Path(place) / "out" / kind).glob("*.parquet"))
        )
    summary = run.summary
    return EndToEnd(
        customers=summary.rows,
        assets=summary.assets,
        mean_bytes=summary.size_bytes / summary.assets,
        assets_per_s=summary.assets_per_s,
        elapsed_s=summary.elapsed_s,
        seconds=dict(summary.seconds),
        pyarrow_write_s=again_s,
    )


def _written_again_s(file: Path, again: Path) -> float:
    """Seconds that pyarrow takes to write a file's row groups as they were written."""
    elapsed_s = 0.0
    with pq.ParquetFile(file) as source, pa.OSFile(str(again), "wb") as sink:
        writer = parquet_writer(sink, source.schema_arrow)
        for group in range(source.num_row_groups):
            table = source.read_row_group(group)
            started = time.perf_counter()
            writer.write_table(table, row_group_size=table.num_rows)
            elapsed_s += time.perf_counter() - started
        started = time.perf_counter()
        writer.close()
        elapsed_s += time.perf_counter() - started
    with pq.ParquetFile(file) as ours, pq.ParquetFile(again) as theirs:
        for group in range(ours.num_row_groups):
            assert theirs.read_row_group(group).equals(ours.read_row_group(group)), (
                "pyarrow writes other rows"
            )
    return elapsed_s


def _run(factory: Factory, package_id: str, out: Path, customers: int) -> Run:
    package = factory.registry.open(package_id, trust=factory.trust, now=walk.NOW)
    source = sample_customers(customers, seed=SEED)
    return walk.make(factory, package, source, out, seed=SEED, now=walk.NOW, threads=2, progress=silent)


def table(whole: EndToEnd) -> str:
    """The figures as Markdown."""
    lines = [
        f"### Factory run: {whole.customers:,} customers, {whole.mean_bytes:,.0f} bytes an asset",
        "",
        f"{whole.assets_per_s:,.0f} assets/s ({whole.elapsed_s:.1f} s, customers made, decisions logged, Parquet written)",
        "",
        "| step | µs a customer and worker |",
        "|---|--:|",
        *(f"| {step} | {1e6 * seconds / whole.customers:.2f} |" for step, seconds in whole.seconds.items()),
        f"| beside `write`: pyarrow, the same tables and options | {1e6 * whole.pyarrow_write_s / whole.customers:.2f} |",
    ]
    return "\n".join(lines)
