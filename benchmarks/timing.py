"""Timing: interleaved repeats, medians and spread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """What one of the works took, a row and round.

    Args:
        samples: Nanoseconds a row, in the order of the rounds.
    """

    samples: tuple[float, ...]

    @property
    def median_ns(self) -> float:
        return statistics.median(self.samples)

    @property
    def low_ns(self) -> float:
        return min(self.samples)

    @property
    def high_ns(self) -> float:
        return max(self.samples)

    @property
    def spread(self) -> float:
        """Median distance from the median, as a share of it."""
        middle = self.median_ns
        return statistics.median(abs(sample - middle) for sample in self.samples) / middle

    def __str__(self) -> str:
        return f"{self.median_ns:,.1f} ({self.low_ns:,.1f}–{self.high_ns:,.1f})"


# A call that takes less is called once more before it is timed: caches and pages that another work left behind would
# be most of its time. Longer calls warm up within.
BRIEF_S = 0.3


def interleaved(
    work: Mapping[str, tuple[Callable[[], object], int]], *, repeats: int, warm: bool = True
) -> dict[str, Timed]:
    """Runs each of the works once a round, so that a slow moment of the machine hits all alike.

    Args:
        work: By name, a call and how many rows it does.
        repeats: Rounds after one that is not counted.
        warm: Whether brief calls are called once more, untimed, right before.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats + 1):
        for name, (call, _) in work.items():
            gc.collect()
            if warm and seconds[name] and seconds[name][-1] < BRIEF_S:
                call()
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timed(tuple(1e9 * s / work[name][1] for s in times[1:])) for name, times in seconds.items()}
