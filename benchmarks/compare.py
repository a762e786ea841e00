"""Figures beside those of an earlier run: slower beyond the noise, or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.machine import Machine
from benchmarks.timing import Timed

# Below this share no difference counts: code that only moves in memory changes by as much.
LEAST = 0.05
# Half of what lies within one median distance of the median is noise; four distances leave nearly all of it inside.
DISTANCES = 4.0


class NotComparableError(Exception):
    """The file is of another machine, or of other rows."""


def read(path: Path, machine: Machine) -> dict[str, Any]:
    """The file's content.

    Raises:
        NotComparableError: Where it is of another machine.
    """
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    differences = machine.differences(Machine(**content["machine"]))
    if differences:
        raise NotComparableError(f"{path} is of another machine: {'; '.join(differences)}")
    return content


def slower(figures: Sequence[Figure], before: dict[str, Any]) -> list[str]:
    """What became slower, a sentence each.

    Each of our measures is compared once, with itself: its samples before and now.

    Raises:
        NotComparableError: Where nothing is shared, or a workload had other rows.
    """
    old = {one["workload"]: one for one in before["figures"]}
    new = {one.workload: one for one in figures}
    shared = [name for name in new if name in old]
    if not shared:
        raise NotComparableError("the files share no workload")
    found = []
    for name in shared:
        if new[name].rows != old[name]["rows"]:
            message = f"{name}: {new[name].rows:,} rows here, {old[name]['rows']:,} there"
            raise NotComparableError(message)
        now, then = new[name].ours, Timed(tuple(old[name]["ours"]["samples"]))
        allowed = max(LEAST, DISTANCES * (now.spread + then.spread))
        if now.median_ns > then.median_ns * (1 + allowed) and now.low_ns > then.median_ns:
            unit = new[name].unit
            found.append(
                f"{name}: {now} {unit}, was {then}; {now.median_ns / then.median_ns - 1:.0%} more, {allowed:.0%} is noise"
            )
    return found
