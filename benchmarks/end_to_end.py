"""The whole Factory run of the sample concept: customers made, decided, assembled, audited, logged and written."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labfactory.factory import Factory, Run
from labfactory.factory.progress import silent
from labfactory.samples import walk
from labfactory.samples.customers import customers as sample_customers

SEED = 7


@dataclass(frozen=True)
class EndToEnd:
    """A run's figures: seconds by step are of one worker, the steps of several workers overlap."""

    customers: int
    assets: int
    mean_bytes: float
    assets_per_s: float
    elapsed_s: float
    seconds: Mapping[str, float]


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
    summary = run.summary
    return EndToEnd(
        customers=summary.rows,
        assets=summary.assets,
        mean_bytes=summary.size_bytes / summary.assets,
        assets_per_s=summary.assets_per_s,
        elapsed_s=summary.elapsed_s,
        seconds=dict(summary.seconds),
    )


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
    ]
    return "\n".join(lines)
