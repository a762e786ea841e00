"""Two threads beside one: where computing is the limit, and where memory is."""

from __future__ import annotations

from collections.abc import Callable

import labfactory as lf
from benchmarks.assembly import drain
from benchmarks.copies import RecycledCopy
from benchmarks.data import EMAIL, SMS, customers
from benchmarks.figures import Figure, beside, mean_bytes
from benchmarks.timing import Timed, interleaved


def measure(rows: int, repeats: int) -> list[Figure]:
    """The short message computes; the e-mail copies, beside how a plain copy gains from a second thread."""
    return [*_compute_bound(rows, repeats), *_memory_bound(max(1, rows // 5), repeats)]


def _compute_bound(rows: int, repeats: int) -> list[Figure]:
    arrow = customers(rows).to_arrow()
    plan = lf.Template(SMS.template, autoescape=True).compile(arrow.schema)
    work: dict[str, tuple[Callable[[], object], int]] = {
        "labfactory": (lambda: drain(plan, arrow, threads=2), rows),
        "1 thread": (lambda: drain(plan, arrow, threads=1), rows),
    }
    return beside(
        interleaved(work, repeats=repeats),
        workload="SMS, 2 threads",
        rows=rows,
        mean_bytes=mean_bytes(plan.assemble(arrow.slice(0, 1000))["asset"].to_pylist()),
        targets={"1 thread": 1.8},
        single=("1 thread",),
    )


def _memory_bound(rows: int, repeats: int) -> list[Figure]:
    arrow = customers(rows).to_arrow()
    plan = lf.Template(EMAIL.template, autoescape=True).compile(arrow.schema)
    sample = plan.assemble(arrow.slice(0, 1000))["asset"].combine_chunks()
    work: dict[str, tuple[Callable[[], object], int]] = {
        "labfactory": (lambda: drain(plan, arrow, threads=2), rows),
        "1 thread": (lambda: drain(plan, arrow, threads=1), rows),
        "copy": (RecycledCopy(sample, rows=rows, threads=2), rows),
        "copy, 1 thread": (RecycledCopy(sample, rows=rows, threads=1), rows),
    }
    timed = interleaved(work, repeats=repeats)
    gain = timed["copy, 1 thread"].median_ns / timed["copy"].median_ns
    # As one thread would be if it gained from a second what the copy gains: the ratio is ours over the copy's.
    scaled = Timed(tuple(sample / gain for sample in timed["1 thread"].samples))
    peer = f"1 thread / memcpy's gain of {gain:.2f}"
    size = mean_bytes(sample.to_pylist())
    name = "e-mail of 2.4 KB, 2 threads"
    plain = Figure(name, rows, size, timed["labfactory"], "1 thread", timed["1 thread"], peer_cores=1)
    return [plain, Figure(name, rows, size, timed["labfactory"], peer, scaled, peer_cores=1, target=0.95)]
