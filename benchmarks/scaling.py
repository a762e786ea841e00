"""How cost grows: rows, template size, branches, loops, strings and escapes, one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

import labfactory as lf
from benchmarks.assembly import THREADS, drain
from benchmarks.data import FILLER, SMS, customers
from benchmarks.figures import mean_bytes, number
from benchmarks.growth import endless
from benchmarks.timing import Timed, interleaved

# Text of one measurement, about: more of it, fewer rows.
TEXT = 64 << 20
LEAST_ROWS = 500
# Fewer rows are assembled again and again until there are so many: a call of 1,000 rows is too short to be timed.
MANY_ROWS = 100_000


@dataclass(frozen=True)
class Point:
    """One measurement of an axis: its value, and what that costs."""

    axis: str
    value: float
    rows: int
    mean_bytes: float
    timed: Timed


@dataclass(frozen=True)
class Case:
    """A template and its columns at one value of an axis."""

    value: float
    template: str
    column: Callable[[int], pa.Table]


def texts(length: int, share: float = 0.0) -> Callable[[int], pa.Table]:
    """A column of texts of a length, so many of them with a character to escape in the middle."""

    def made(rows: int) -> pa.Table:
        random = np.random.default_rng(19)
        plain, other = "x" * length, "x" * (length // 2) + "&" + "x" * (length - length // 2 - 1)
        return pa.table({"text": pa.array(np.where(random.random(rows) < share, other, plain))})

    return made


def numbers(rows: int) -> pa.Table:
    return customers(rows).select("points").to_arrow()


def lists(length: int) -> Callable[[int], pa.Table]:
    """A column of lists of texts."""

    def made(rows: int) -> pa.Table:
        offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * length)
        entries = pa.array([f"entry {one % 97}" for one in range(rows * length)], pa.string())
        return pa.table({"entries": pa.ListArray.from_arrays(offsets, entries)})

    return made


def _sized(size: int) -> str:
    filler = (FILLER * (size // len(FILLER) + 1))[: size - 20]
    return filler + "{{ text }}"


def _branches(count: int) -> str:
    return "".join(
        f"{{% if points > {1000 * one} %}}more {one}{{% else %}}less{{% endif %}}" for one in range(count)
    )


AXES: dict[str, list[Case]] = {
    "bytes of template": [Case(n, _sized(n), texts(20)) for n in (100, 1_000, 10_000, 100_000)],
    "branches": [Case(n, _branches(n), numbers) for n in (1, 4, 16, 64, 256)],
    "turns of a loop": [
        Case(n, "{% for entry in entries %}<li>{{ entry }}</li>{% endfor %}", lists(n)) for n in (1, 4, 16, 64, 256)
    ],
    "bytes of a string": [Case(n, "{{ text }}", texts(n)) for n in (16, 64, 256, 1_024, 4_096, 16_384)],
    "percent of strings to escape": [
        Case(share, "{{ text }}", texts(64, share / 100)) for share in (1, 10, 50, 100)
    ],
}  # fmt: skip


def along(axis: str, cases: Sequence[Case], *, rows: int, repeats: int) -> Iterator[Point]:
    """Measures an axis, all of its values in each round."""
    work: dict[str, tuple[Callable[[], object], int]] = {}
    sizes = {}
    for case in cases:
        plan = lf.Template(case.template, autoescape=True).compile(case.column(1).schema)
        sizes[case] = mean_bytes(plan.assemble(case.column(100))["asset"].to_pylist())
        count = max(min(LEAST_ROWS, rows), min(rows, int(TEXT / sizes[case])))
        table = case.column(count)
        work[f"{case.value}"] = (partial(drain, plan, table, threads=THREADS), count)
    timed = interleaved(work, repeats=repeats)
    for case in cases:
        yield Point(axis, case.value, work[f"{case.value}"][1], sizes[case], timed[f"{case.value}"])


def by_rows(most: int, *, repeats: int) -> Iterator[Point]:
    """The short message, from a thousand rows to the most, ten times as many at each step."""
    plan = lf.Template(SMS.template, autoescape=True).compile(customers(1))
    size = mean_bytes(plan.assemble(customers(1000))["asset"].to_pylist())
    counts = [10**power for power in range(3, int(math.log10(most) + 1e-9) + 1)]
    endless(1)  # makes the batch that is given again and again

    def drained(count: int, calls: int) -> None:
        for _ in range(calls):
            drain(plan, endless(count))

    work: dict[str, tuple[Callable[[], object], int]] = {}
    for count in counts:
        calls = max(1, min(most, MANY_ROWS) // count)
        work[f"{count}"] = (partial(drained, count, calls), calls * count)
    timed = interleaved(work, repeats=repeats)
    for count in counts:
        yield Point("rows", count, count, size, timed[f"{count}"])


def measure(*, rows: int, most: int, repeats: int) -> list[Point]:
    """All axes.

    Args:
        rows: Rows of a measurement at most, of all axes but that of rows.
        most: Where the axis of rows ends.
        repeats: Rounds.
    """
    points = list(by_rows(most, repeats=repeats))
    for axis, cases in AXES.items():
        points += along(axis, cases, rows=rows, repeats=repeats)
    return points


def table(points: Sequence[Point]) -> str:
    """Markdown; the exponent says how cost grows from the value before: 1 is linear, less is cheaper than that."""
    lines = [
        "| grows | value | rows | bytes | ns a row: median (lowest–highest) | GB/s | exponent |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    before: Point | None = None
    for point in points:
        exponent = number(growth(before, point)) if before and before.axis == point.axis else ""
        rate = point.mean_bytes / point.timed.median_ns
        lines.append(
            f"| {point.axis} | {point.value:,} | {point.rows:,} | {point.mean_bytes:,.0f} | {point.timed} | {rate:.2f} | {exponent} |"
        )
        before = point
    return "\n".join(lines)


def growth(before: Point, point: Point) -> float:
    """The power of the axis' value with which cost grows: of all rows on the axis of rows, of a row elsewhere."""
    rows = point.rows / before.rows if point.axis == "rows" else 1.0
    cost = rows * point.timed.median_ns / before.timed.median_ns
    return math.log(cost) / math.log(point.value / before.value)
