"""What one pass sums: numbers, and which of them together."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labfactory.lab.metric import Limits, Metric, Outcome

NumberKind = Literal["finite", "zero_or_one", "count"]

_KINDS: dict[str, NumberKind] = {"proportion": "zero_or_one", "count": "count"}


@dataclass(frozen=True, slots=True)
class Number:
    """A column as it is summed.

    Args:
        column: Its name.
        kind: What its values may be.
        lower: Values below are moved to it; None for no bound.
        upper: Values above are moved to it; None for no bound.
        at: Column with the time of the outcome, of a conversion window; None without one.
        within_s: Length of that window in seconds.
    """

    column: str
    kind: NumberKind = "finite"
    lower: float | None = None
    upper: float | None = None
    at: str | None = None
    within_s: float | None = None

    @property
    def native(self) -> tuple[str, float, float]:
        """As the core is told of it."""
        lower = -math.inf if self.lower is None else self.lower
        return self.kind, lower, math.inf if self.upper is None else self.upper


@dataclass(frozen=True, slots=True)
class NumberSet:
    """The numbers of one metric, of which all products are summed.

    Args:
        metric: Name of the metric.
        members: Places of its numbers: outcomes, then covariates.
        required: How many are outcomes. Rows where one is null are left out; null covariates are read as 0.
    """

    metric: str
    members: tuple[int, ...]
    required: int


@dataclass(frozen=True, slots=True)
class SumLayout:
    """Numbers and sets, as the core sums them.

    Args:
        numbers: Every column with its bounds and window, once.
        sets: One for each metric.
    """

    numbers: tuple[Number, ...]
    sets: tuple[NumberSet, ...]

    @staticmethod
    def of(
        metrics: Mapping[str, Metric],
        covariates: Mapping[str, Sequence[str]],
        bounds: Mapping[str, Sequence[Limits | None]] | None = None,
    ) -> SumLayout:
        """The layout for metrics that are summed in one pass.

        Args:
            metrics: Metrics by name.
            covariates: Columns of covariates by metric.
            bounds: Bounds found from percentiles, by metric, for each of its columns.

        Returns:
            The layout.
        """
        places: dict[Number, int] = {}
        sets = []
        for name, metric in metrics.items():
            outcomes = metric.outcomes
            found = (bounds or {}).get(name, [None] * len(outcomes))
            wanted = [
                *(_number(metric, each, limits) for each, limits in zip(outcomes, found, strict=True)),
                *(Number(column) for column in covariates.get(name, ())),
            ]
            members = tuple(places.setdefault(number, len(places)) for number in wanted)
            sets.append(NumberSet(name, members, len(metric.columns)))
        return SumLayout(tuple(places), tuple(sets))

    @property
    def native_columns(self) -> list[tuple[str, float, float]]:
        """Its numbers, for the core."""
        return [number.native for number in self.numbers]

    @property
    def native_sets(self) -> list[tuple[list[int], int]]:
        """Its sets, for the core."""
        return [(list(each.members), each.required) for each in self.sets]

    @property
    def counts(self) -> int:
        """Counts of a cell: rows, the rows of each set, nulls and invalid values of each number."""
        return 1 + len(self.sets) + 2 * len(self.numbers)

    @property
    def figures(self) -> int:
        """Figures of a cell: those of each set, then lowest and highest value of each number."""
        return self.start(len(self.sets)) + 2 * len(self.numbers)

    def place(self, metric: str) -> int:
        """Which set is that of the metric."""
        return next(i for i, each in enumerate(self.sets) if each.metric == metric)

    def start(self, place: int) -> int:
        """Where the figures of a set begin: means, rests of means, products."""
        return sum(figure_count(len(each.members)) for each in self.sets[:place])

    def to_dict(self) -> dict[str, Any]:
        """The layout as JSON holds it."""
        return asdict(self)


def figure_count(numbers: int) -> int:
    """Means, rests of means, and the upper triangle of products."""
    return 2 * numbers + numbers * (numbers + 1) // 2


def _number(metric: Metric, outcome: Outcome, found: Limits | None) -> Number:
    lower, upper = found or outcome.bounds or (None, None)
    return Number(
        outcome.column,
        _KINDS.get(metric.kind, "finite"),
        lower,
        upper,
        outcome.at,
        None if outcome.within is None else outcome.within.total_seconds(),
    )
