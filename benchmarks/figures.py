"""Figures: one comparison of a workload with a peer, the table of all, and their file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.timing import Timed

FORMAT = 1


@dataclass(frozen=True)
class Figure:
    """labfactory beside one peer in the same rounds.

    Args:
        workload: What is done.
        rows: How often.
        mean_bytes: UTF-8 bytes of an asset.
        ours: Ours; nanoseconds a row unless `unit` says otherwise.
        peer: What stands beside it.
        theirs: The peer's, in the same unit.
        cores: Cores that ours uses.
        peer_cores: Cores that the peer uses.
        target: The least ratio that is wanted; None where none is.
        is_best: Whether the best rounds are compared, the medians otherwise.
        unit: What is counted.
    """

    workload: str
    rows: int
    mean_bytes: float
    ours: Timed
    peer: str
    theirs: Timed
    cores: int = 2
    peer_cores: int = 2
    target: float | None = None
    is_best: bool = False
    unit: str = "ns a row"

    @property
    def ratio(self) -> float:
        """How many times the peer takes what ours takes."""
        if self.is_best:
            return self.theirs.low_ns / self.ours.low_ns
        return self.theirs.median_ns / self.ours.median_ns

    @property
    def per_core(self) -> float:
        return self.ratio * self.peer_cores / self.cores

    @property
    def spread(self) -> str:
        """Lowest and highest ratio of a round."""
        rounds = [their / our for our, their in zip(self.ours.samples, self.theirs.samples, strict=True)]
        return f"{number(min(rounds))}–{number(max(rounds))}"

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return f"≥ {number(self.target)}: {'met' if self.ratio >= self.target else 'missed'}"


def number(value: float) -> str:
    """Three significant digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def beside(
    timed: dict[str, Timed],
    *,
    workload: str,
    rows: int,
    mean_bytes: float,
    targets: dict[str, float | None],
    single: Sequence[str] = (),
    ours: str = "labfactory",
) -> list[Figure]:
    """A figure for each peer that was timed; those named in `single` use one core."""
    return [
        Figure(
            workload,
            rows,
            mean_bytes,
            timed[ours],
            peer,
            timed[peer],
            cores=1 if ours in single else 2,
            peer_cores=1 if peer in single else 2,
            target=target,
        )
        for peer, target in targets.items()
    ]


def limit(figure: Figure, most: float, words: str) -> Figure:
    """The same workload beside a fixed limit."""
    fixed = Timed((most,) * len(figure.ours.samples))
    return Figure(
        figure.workload,
        figure.rows,
        figure.mean_bytes,
        figure.ours,
        words,
        fixed,
        cores=figure.cores,
        peer_cores=figure.cores,
        target=1.0,
        unit=figure.unit,
    )


def mean_bytes(texts: Sequence[str]) -> float:
    """UTF-8 bytes of a text."""
    return statistics.fmean(len(text.encode()) for text in texts)


def table(figures: Sequence[Figure]) -> str:
    """One Markdown table."""
    lines = [
        "| workload | rows | bytes | labfactory: median (lowest–highest) | GB/s | beside | median (lowest–highest) | ratio | per core | rounds | target |",
        "|---|--:|--:|--:|--:|---|--:|--:|--:|--:|---|",
    ]
    for one in figures:
        is_time = one.unit == "ns a row" and one.mean_bytes > 0
        rate = f"{one.mean_bytes / one.ours.median_ns:.2f}" if is_time else ""
        best = " (best)" if one.is_best else ""
        unit = "" if one.unit == "ns a row" else f" {one.unit}"
        lines.append(
            f"| {one.workload} | {one.rows:,} | {one.mean_bytes:,.0f} | {one.ours}{unit} | {rate} | {one.peer} | {one.theirs}{unit} "
            f"| {number(one.ratio)}x{best} | {number(one.per_core)}x | {one.spread} | {one.verdict} |"
        )
    return "\n".join(lines)


def write(path: Path, figures: Sequence[Figure], machine: Machine, commit: str, **other: Any) -> None:
    """All figures with every sample, as JSON."""
    content = {
        "format": FORMAT,
        "machine": asdict(machine),
        "commit": commit,
        "figures": [asdict(one) | {"ratio": one.ratio, "per_core": one.per_core} for one in figures],
        **other,
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
