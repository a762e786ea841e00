"""Prints one Markdown table of ratios, or that of `scaling` or `instructions`: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import end_to_end, figures, instructions, scaling
from benchmarks.compare import NotComparableError, read, slower
from benchmarks.machine import Machine, commit
from benchmarks.suite import WORKLOADS

# Not a ratio: it has a table of its own.
FACTORY = "factory"


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [*WORKLOADS, FACTORY]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("ratios", "scaling", "instructions"), default="ratios")
    parser.add_argument("--only", default=",".join(names), help=f"workloads of {', '.join(names)}")
    parser.add_argument(
        "--rows",
        type=int,
        default=1_000_000,
        help="rows of short messages, larger assets get fewer; most rows of scaling",
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--json", type=Path, help="write ratios with every sample, or instructions, to this file too"
    )
    parser.add_argument(
        "--compare", type=Path, help="exit with 1 where something is slower than in this file"
    )
    options = parser.parse_args(arguments)
    if options.what == "scaling" and (options.json or options.compare):
        parser.error("scaling prints a table only")
    options.only = options.only.split(",")
    unknown = sorted(set(options.only) - set(names))
    if unknown:
        parser.error(f"expected workloads of {', '.join(names)}, found {', '.join(unknown)}")
    return options


def ratios(options: argparse.Namespace, machine: Machine, made_by: str) -> list[str]:
    """Prints the table; what is slower than before."""
    before = read(options.compare, machine) if options.compare else None
    found: list[figures.Figure] = []
    for name, workload in WORKLOADS.items():
        if name in options.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            found += workload.figures(options.rows, options.repeats)
    if found:
        print(figures.table(found), flush=True)
    other = {}
    if FACTORY in options.only:
        whole = end_to_end.measure(customers=max(1, options.rows // 5))
        print(f"\n{end_to_end.table(whole)}")
        other["end_to_end"] = asdict(whole)
    if options.json:
        figures.write(options.json, found, machine, made_by, **other)
    return slower(found, before) if before else []


def counted(options: argparse.Namespace, made_by: str) -> list[str]:
    """Prints instructions a row; what takes more than before."""
    counts = instructions.measure()
    print(instructions.table(counts))
    if options.json:
        instructions.write(options.json, counts, made_by)
    return instructions.more(counts, instructions.read(options.compare)) if options.compare else []


def main(arguments: Sequence[str] | None = None) -> int:
    options = options_of(arguments)
    machine, made_by = Machine.here(), commit()
    print(f"{machine}, commit {made_by}\n")
    try:
        if options.what == "scaling":
            grown = scaling.measure(rows=options.rows // 10, most=options.rows, repeats=options.repeats)
            print(scaling.table(grown))
            return 0
        worse = (
            counted(options, made_by) if options.what == "instructions" else ratios(options, machine, made_by)
        )
    except NotComparableError as error:
        print(error)
        return 2
    if options.compare:
        print("\n" + ("\n".join(["worse:", *worse]) if worse else "nothing is worse"))
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
