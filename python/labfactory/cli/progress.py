"""How far a run has come: a bar with rate and time left on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from labfactory.cli.output import errors, print_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labfactory.factory import Progress as Told

_NAMES = {
    "spool": "copy the stream",
    "keys": "check the keys",
    "settle": "settle the limits",
    "make": "make the assets",
}
# A line at each tenth: enough to see that it moves, few enough for a log.
_STEPS = 10


@contextmanager
def shown() -> Iterator[Told]:
    """A progress callback for a run that shows on stderr while the block runs."""
    console = errors()
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar)


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}

    def __call__(self, phase: str, rows: int, total: int | None, size_bytes: int) -> None:
        del size_bytes
        if phase not in self._tasks:
            self._tasks[phase] = self._bar.add_task(_NAMES.get(phase, phase), total=total, rate="")
            self._began[phase] = time.perf_counter()
        elapsed = time.perf_counter() - self._began[phase]
        rate = f"{rows / elapsed:,.0f}/s" if elapsed > 0 else ""
        self._bar.update(self._tasks[phase], completed=rows, total=total, rate=rate)


class _Lines:
    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._told: dict[str, int] = {}

    def __call__(self, phase: str, rows: int, total: int | None, size_bytes: int) -> None:
        del size_bytes
        now = time.perf_counter()
        began = self._began.setdefault(phase, now)
        step = rows * _STEPS // total if total else 0
        if step <= self._told.get(phase, 0):
            return
        self._told[phase] = step
        rate = rows / (now - began) if now > began else 0.0
        left = f", {(total - rows) / rate:,.0f} s left" if rate and total else ""
        print_line(f"{_NAMES.get(phase, phase)}: {rows:,} of {total:,} customers, {rate:,.0f}/s{left}")
