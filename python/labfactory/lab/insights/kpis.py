"""How fast and how well the Lab learns."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.insights.insight import Outcome

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Finished:
    """What the figures need to know of an experiment.

    Args:
        finished: When it ended.
        started: When it began; None when that is not known.
        outcome: What became of its hypothesis.
        has_won: Whether a treatment confirmed it and harmed no guardrail.
    """

    finished: datetime
    started: datetime | None
    outcome: Outcome
    has_won: bool


@dataclass(frozen=True, slots=True)
class LabKpis:
    """Figures of the Lab over a period; None where nothing defines them.

    Args:
        experiments: Experiments that ended.
        weeks: Weeks of the period.
        experiments_per_week: Their quotient.
        median_days_to_learn: Median of the days from start to end, of experiments whose start is known.
        confirmed: Share of the valid ones whose hypothesis was confirmed.
        disproved: Share of the valid ones whose hypothesis was disproved.
        inconclusive: Share of the valid ones that showed neither.
        learned: Share of the valid ones that showed either: confirmed plus disproved.
        win_rate: Share of the valid ones that a treatment won: confirmed, and no guardrail harmed.
        invalid: Share of all that cannot be believed, such as those with a sample-ratio mismatch.
        by_week: Experiments by the Monday of the week in which they ended, weeks without any included.
    """

    experiments: int
    weeks: float
    experiments_per_week: float | None
    median_days_to_learn: float | None
    confirmed: float | None
    disproved: float | None
    inconclusive: float | None
    learned: float | None
    win_rate: float | None
    invalid: float | None
    by_week: tuple[tuple[str, int], ...]

    @staticmethod
    def of(
        finished: Sequence[Finished], *, since: datetime | None = None, until: datetime | None = None
    ) -> LabKpis:
        """The figures of experiments.

        Args:
            finished: The experiments; those outside the period are left out.
            since: Begin of the period; the Monday before the first end when None.
            until: End of the period, not inside; the Monday after the last end when None.

        Returns:
            The figures.
        """
        inside = [
            one
            for one in finished
            if (since is None or one.finished >= since) and (until is None or one.finished < until)
        ]
        first = since or (_monday(min(one.finished for one in inside)) if inside else None)
        last = until or (_next_monday(max(one.finished for one in inside)) if inside else None)
        weeks = (last - first) / (7 * _DAY) if first and last and last > first else 0.0
        outcomes = Counter(one.outcome for one in inside)
        valid = len(inside) - outcomes["invalid"]
        days = [(one.finished - one.started) / _DAY for one in inside if one.started is not None]
        return LabKpis(
            experiments=len(inside),
            weeks=weeks,
            experiments_per_week=_share(len(inside), weeks),
            median_days_to_learn=median(days) if days else None,
            confirmed=_share(outcomes["confirmed"], valid),
            disproved=_share(outcomes["disproved"], valid),
            inconclusive=_share(outcomes["inconclusive"], valid),
            learned=_share(outcomes["confirmed"] + outcomes["disproved"], valid),
            win_rate=_share(sum(one.has_won for one in inside), valid),
            invalid=_share(outcomes["invalid"], len(inside)),
            by_week=_by_week([one.finished for one in inside], first, last),
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON holds them."""
        return asdict(self) | {"by_week": dict(self.by_week)}

    def to_frame(self) -> pl.DataFrame:
        """Experiments by week."""
        weeks, counts = zip(*self.by_week, strict=True) if self.by_week else ((), ())
        return pl.DataFrame(
            {"week": weeks, "experiments": counts}, schema={"week": pl.String, "experiments": pl.Int64}
        )

    def __repr__(self) -> str:
        def share(value: float | None) -> str:
            return "–" if value is None else f"{100 * value:.1f} %"

        def number(value: float | None) -> str:
            return "–" if value is None else f"{value:.2f}"

        return "\n".join(
            [
                f"experiments           {self.experiments} in {self.weeks:.1f} weeks",
                f"experiments a week    {number(self.experiments_per_week)}",
                f"median days to learn  {number(self.median_days_to_learn)}",
                f"confirmed             {share(self.confirmed)}",
                f"disproved             {share(self.disproved)}",
                f"inconclusive          {share(self.inconclusive)}",
                f"win rate              {share(self.win_rate)}",
                f"invalid               {share(self.invalid)}",
            ]
        )


def _share(part: int, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _monday(moment: datetime) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - day.weekday() * _DAY


def _next_monday(moment: datetime) -> datetime:
    """The end of its week; that of the calendar, in the last one."""
    monday, end = _monday(moment), datetime.max.replace(tzinfo=UTC)
    return monday + 7 * _DAY if end - monday > 7 * _DAY else end


def _by_week(
    ends: Sequence[datetime], first: datetime | None, last: datetime | None
) -> tuple[tuple[str, int], ...]:
    if first is None or last is None:
        return ()
    counts = Counter(_monday(end) for end in ends)
    monday = _monday(first)
    weeks = [monday + number * 7 * _DAY for number in range(-((monday - last) // (7 * _DAY)))]
    return tuple((week.date().isoformat(), counts[week]) for week in weeks)
