"""Prints one Markdown table of ratios: `python -m benchmarks [--rows N] [--repeats N] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path

from benchmarks import assembly, end_to_end
from benchmarks.data import EMAIL, SMS

# E-mails are larger, so fewer of them fill the memory that DuckDB and Polars need for theirs.
WORKLOADS = ((SMS, 1.0), (EMAIL, 0.2))


def machine() -> dict[str, object]:
    """What a figure depends on beside the code."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip() or "not a checkout",
    }


def table(comparison: assembly.Comparison) -> str:
    ours = comparison.timed["labfactory, streamed"].median_ns
    lines = [
        f"### {comparison.workload}: {comparison.rows:,} rows, {comparison.mean_bytes:,.0f} bytes each",
        "",
        "| engine | ns a row: median (lowest–highest) | GB/s | labfactory is faster by |",
        "|---|--:|--:|--:|",
    ]
    for name, timed in sorted(comparison.timed.items(), key=lambda item: item[1].median_ns):
        rate = comparison.mean_bytes / timed.median_ns
        lines.append(f"| {name} | {timed} | {rate:.2f} | {timed.median_ns / ours:.2f}x |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="rows of the short message; others are scaled"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all figures to this file too")
    options = parser.parse_args()
    about = machine()
    print(
        f"{about['processor']}, {about['cores']} cores, Python {about['python']}, commit {about['commit']}\n"
    )
    comparisons = [
        assembly.compare(workload, rows=int(options.rows * share), repeats=options.repeats)
        for workload, share in WORKLOADS
    ]
    print("\n\n".join(table(comparison) for comparison in comparisons))
    whole = end_to_end.measure(customers=options.rows // 5)
    print(f"\n{end_to_end.table(whole)}")
    if options.json:
        figures = {
            "machine": about,
            "assembly": [asdict(c) for c in comparisons],
            "end_to_end": asdict(whole),
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
