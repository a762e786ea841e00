"""What an experiment showed: one comparison per metric and treatment, and every reservation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from labfactory.base.canonical import canonical_json, parse_json
from labfactory.base.errors import StatisticsError
from labfactory.lab.comparison import (  # pydantic reads annotations at run time
    Arm,
    Check,
    Comparison,
    Interaction,
    SegmentComparison,
)
from labfactory.lab.departure import Departure  # noqa: TC001
from labfactory.lab.evaluation_table import table_of
from labfactory.lab.flags import Flag  # noqa: TC001
from labfactory.lab.json_record import read_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# 2: methods, periods, checks and segments are written; 3: departures from a preregistration. Records without
# it are read as the first.
SCHEMA: Final = 3


@dataclass(frozen=True, slots=True)
class _Ratio:
    p: float | None
    expected: dict[str, float]
    observed: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Record:
    """An evaluation as JSON holds it."""

    experiment: str
    hypothesis: str
    minimum_effect: float
    preregistration: str
    control: str
    alpha: float
    method: str
    srm: _Ratio
    units: dict[str, int]
    looks: int
    corrections: tuple[str, ...]
    flags: tuple[Flag, ...]
    rows: tuple[Comparison, ...]
    schema: int = 1
    adjustments: tuple[str, ...] = ()
    started: str | None = None
    ended: str | None = None
    runtime_days: float | None = None
    checks: tuple[Check, ...] = ()
    segments: tuple[SegmentComparison, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    planned: str | None = None
    departures: tuple[Departure, ...] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """What an experiment showed.

    Args:
        experiment: Name of the experiment.
        hypothesis: What it set out to show.
        minimum_effect: Smallest relative lift that the hypothesis calls worth acting on.
        preregistration: Digest of hypothesis, metrics, variants and weights as they were planned.
        control: Name of the control.
        alpha: Error level of every interval.
        method: Estimator, and sequential method if any, behind the intervals; a row's own `method` says more.
        arms: Units by variant, the control first.
        srm_p: p-value of the sample-ratio test; None where it is not defined.
        looks: How often the data were looked at, this time included.
        corrections: Corrections for multiple comparisons that `adjusted_p` of the rows carries; none is
            empty.
        flags: Reservations, in a fixed order.
        rows: Comparisons by metric, then by treatment.
        adjustments: What was done to outcomes or variances: winsorising with its bounds, conversion windows,
            a variance factor.
        started: Start of the experiment or first exposure, ISO 8601 in UTC; None when not told.
        ended: End of the experiment or last exposure, likewise.
        runtime_days: Days between both; what the gate `runtime` judges.
        checks: Every check with its figure, whether it failed or not.
        segments: Comparisons by segment.
        interactions: Whether treatments differ between segments.
        planned: Digest of the preregistration that it was compared with; None when with none.
        departures: How it departs from that one; empty when it does not, None when it was not compared.
    """

    experiment: str
    hypothesis: str
    minimum_effect: float
    preregistration: str
    control: str
    alpha: float
    method: str
    arms: tuple[Arm, ...]
    srm_p: float | None
    looks: int
    corrections: tuple[str, ...]
    flags: tuple[Flag, ...]
    rows: tuple[Comparison, ...]
    adjustments: tuple[str, ...] = ()
    started: str | None = None
    ended: str | None = None
    runtime_days: float | None = None
    checks: tuple[Check, ...] = ()
    segments: tuple[SegmentComparison, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    planned: str | None = None
    departures: tuple[Departure, ...] | None = None

    @property
    def units(self) -> dict[str, int]:
        """Units by variant."""
        return {arm.variant: arm.observed for arm in self.arms}

    def row(self, metric: str, variant: str) -> Comparison:
        """The comparison of one metric and treatment.

        Args:
            metric: Name of the metric.
            variant: Name of the treatment.

        Returns:
            The comparison.

        Raises:
            StatisticsError: `unknown_comparison`, when there is none.
        """
        for row in self.rows:
            if (row.metric, row.variant) == (metric, variant):
                return row
        message = (
            f"expected a metric and a treatment of {self.experiment!r}, found {metric!r} and {variant!r}"
        )
        known = ", ".join(f"{row.metric} × {row.variant}" for row in self.rows)
        raise StatisticsError(message, code="unknown_comparison", hint=f"it compares {known}")

    def to_frame(self) -> pl.DataFrame:
        """The comparisons as a frame, one row each.

        Returns:
            A column for every field of `Comparison`; null where it is None.
        """
        return pl.DataFrame([asdict(row) for row in self.rows], schema=_FRAME_SCHEMA)

    def segments_frame(self) -> pl.DataFrame:
        """The comparisons by segment as a frame, one row each.

        Returns:
            `dimension` and `segment`, then a column for every field of `Comparison`.
        """
        rows = [
            {"dimension": each.dimension, "segment": each.segment, **asdict(each.row)}
            for each in self.segments
        ]
        return pl.DataFrame(rows, schema={"dimension": pl.String, "segment": pl.String, **_FRAME_SCHEMA})

    def plot(self, metric: str | None = None) -> Figure:
        """Intervals of the relative lift, or of the difference where a lift is not defined.

        Args:
            metric: One metric with its segments; all metrics without segments when None.

        Returns:
            A matplotlib figure.

        Raises:
            UsageError: `missing_extra`, when matplotlib is not installed.
            StatisticsError: `unknown_comparison`, when there is no such metric.
        """
        from labfactory.lab.plots import interval_plot

        return interval_plot(self, metric)

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON holds it.

        Returns:
            Dicts, tuples, texts, numbers, booleans and None only.
        """
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        observed = {arm.variant: arm.observed for arm in own.pop("arms")}
        ratio = _Ratio(own.pop("srm_p"), {arm.variant: arm.expected for arm in self.arms}, observed)
        return asdict(_Record(**own, srm=ratio, units=observed, schema=SCHEMA))

    def to_json(self) -> bytes:
        """Canonical JSON: equal evaluations have equal bytes.

        Returns:
            UTF-8 bytes.
        """
        return canonical_json(self.to_dict())

    @staticmethod
    def from_json(data: bytes) -> Evaluation:
        """Read what `to_json` wrote, in this or an earlier version.

        Args:
            data: JSON bytes, from a file or a package.

        Returns:
            An evaluation equal to the one that was written.

        Raises:
            StatisticsError: `evaluation_malformed`, naming the first field that is not as expected.
        """
        record = read_record(_Record, data, expected="an evaluation", code="evaluation_malformed")
        treatments = dict.fromkeys(row.variant for row in record.rows)
        try:
            arms = [
                Arm(name, record.units[name], record.srm.expected[name])
                for name in (record.control, *treatments)
            ]
        except KeyError as error:
            message = f"expected units of every variant, found none of {error.args[0]!r}"
            raise StatisticsError(message, code="evaluation_malformed") from None
        kept = {
            each.name: getattr(record, each.name)
            for each in fields(record)
            if each.name not in ("srm", "units", "schema")
        }
        evaluation = Evaluation(**kept, arms=tuple(arms), srm_p=record.srm.p)
        _check_complete(evaluation, parse_json(data))
        return evaluation

    def __repr__(self) -> str:
        return table_of(self)


_FRAME_SCHEMA = {
    each.name: {"int": pl.Int64, "float | None": pl.Float64, "bool | None": pl.Boolean}.get(
        each.type, pl.String
    )
    for each in fields(Comparison)
    if isinstance(each.type, str)
}


def _check_complete(evaluation: Evaluation, found: Any) -> None:
    """Refuse fields that an evaluation of that version does not write."""
    expected: Any = evaluation.to_dict()
    version = found.get("schema", 1)
    if version in range(1, SCHEMA):
        expected = _pruned(expected, found) | {name: version for name in ("schema",) if name in found}
    elif version != SCHEMA:
        message = f"expected an evaluation of schema 1 to {SCHEMA}, found {version}"
        raise StatisticsError(message, code="evaluation_malformed", hint="a newer labfactory wrote it")
    if canonical_json(expected) != canonical_json(found):
        message = "expected what an evaluation writes, found fields that it does not have"
        raise StatisticsError(message, code="evaluation_malformed")


def _pruned(record: Any, to: Any) -> Any:
    """A record without the fields that came after its version."""
    if isinstance(record, dict) and isinstance(to, dict):
        return {name: _pruned(value, to[name]) for name, value in record.items() if name in to}
    if isinstance(record, list | tuple) and isinstance(to, list):
        return [_pruned(value, other) for value, other in zip(record, to, strict=False)]
    return record
