"""Prints one Markdown table of ratios, or that of `scaling` or `instructions`: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import end_to_end, figures
from benchmarks.compare import NotComparableError, read, slower
from benchmarks.machine import Machine, commit
from benchmarks.suite import WORKLOADS

# Not a ratio: it has a table of its own.
FACTORY = "factory"


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [*WORKLOADS, FACTORY]
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", default=",".join(names), help=f"workloads of {', '.join(names)}")
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="rows of short messages; larger assets get fewer"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write every sample to this file too")
    parser.add_argument("--compare", type=Path, help="fail where something is slower than in this file")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    unknown = sorted(set(options.only) - set(names))
    if unknown:
        parser.error(f"expected workloads of {', '.join(names)}, found {', '.join(unknown)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = options_of(arguments)
    machine, made_by = Machine.here(), commit()
    try:
        before = read(options.compare, machine) if options.compare else None
    except NotComparableError as error:
        print(error)
        return 2
    print(f"{machine}, commit {made_by}, {options.repeats} rounds\n")
    found = [
        figure
        for name in WORKLOADS
        if name in options.only
        for figure in WORKLOADS[name].figures(options.rows, options.repeats)
    ]
    if found:
        print(figures.table(found), flush=True)
    other = {}
    if FACTORY in options.only:
        whole = end_to_end.measure(customers=max(1, options.rows // 5))
        print(f"\n{end_to_end.table(whole)}")
        other["end_to_end"] = asdict(whole)
    if options.json:
        figures.write(options.json, found, machine, made_by, **other)
    if before is None:
        return 0
    try:
        complaints = slower(found, before)
    except NotComparableError as error:
        print(error)
        return 2
    print("\n" + ("\n".join(["slower:", *complaints]) if complaints else "nothing is slower"))
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
