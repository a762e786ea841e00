"""Responses read once, as a stream, and summed up by arm and segment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import stats as core
from labfactory.base.columns import float_values, is_text, value_type
from labfactory.base.errors import SourceError, StatisticsError
from labfactory.base.sources import batches
from labfactory.lab.aggregates import Aggregates
from labfactory.lab.groups import Groups
from labfactory.lab.keys import KeyLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.sum_layout import Number, SumLayout

# 2^18 rows of some outcomes stay near the cache and give every thread many blocks.
_BATCH_ROWS = 1 << 18

# The dimension that exposure times add: the day, in UTC.
DAY: Final = "exposed on"


@dataclass(frozen=True, slots=True)
class ResponseColumns:
    """Which columns of the responses say what.

    Args:
        variant: The unit's arm; null where the unit was not assigned.
        key: The unit's key, to find repeated units; this alone takes 10 bytes of memory a row. Keys are
            compared by their 64-bit hashes.
        exposed_at: When the unit was exposed: dates or timestamps.
        split: Columns to split the sums by: text, integers or booleans.
    """

    variant: str = "variant"
    key: str | None = None
    exposed_at: str | None = None
    split: tuple[str, ...] = ()

    @staticmethod
    def of(
        estimator: Estimator,
        variant: str,
        key: str | None,
        exposed_at: str | None,
        segments: Sequence[str],
    ) -> ResponseColumns:
        """The columns of an evaluation: split by its segments and by the strata of the estimator."""
        split = [*segments, *([] if estimator.stratum is None else [estimator.stratum])]
        return ResponseColumns(variant, key, exposed_at, tuple(dict.fromkeys(split)))


def summed(
    responses: Any, layout: SumLayout, *, variants: Sequence[str], columns: ResponseColumns, threads: int
) -> Aggregates:
    """Sum up responses: one pass, constant memory, the same bits for any batches and threads.

    Args:
        responses: Anything Arrow with one row per unit; a one-shot stream is used up.
        layout: What to sum.
        variants: Names of the arms.
        columns: Which columns say what.
        threads: Most threads to use.

    Returns:
        The sums by arm, by each column of `split` and, with `exposed_at`, by day.

    Raises:
        StatisticsError: `unknown_variant`, `invalid_outcome`, `overflow`, `too_many_segments`.
        SourceError: When a column is missing or of the wrong type, or the source cannot be read.
    """
    dimensions = (*columns.split, *((DAY,) if columns.exposed_at else ()))
    sums = core.CellSummary(
        list(variants), layout.native_columns, layout.native_sets, grouped=bool(dimensions)
    )
    keys, groups, period = KeyLog(), Groups(), _Period()
    rows = 0
    for batch in named_batches(responses, wanted_columns(layout, columns)):
        arms = as_text(batch[columns.variant])
        exposed = instants(batch, columns.exposed_at)
        split = [batch[name] for name in columns.split]
        if exposed is not None:
            split.append(period.add(exposed))
        leading = [arms, groups.codes(split)] if dimensions else [arms]
        sums.add(core_batch(layout, columns, batch, leading, exposed), threads)
        rows += len(arms)
        if columns.key:
            keys.add(batch[columns.key], arms, variants)
    cells, counts, figures = sums.totals()
    aggregates = Aggregates(
        layout=layout,
        variants=tuple(variants),
        dimensions=dimensions,
        cells=tuple((int(c) % len(variants), *groups.values(int(c) // len(variants))) for c in cells),
        counts=counts,
        figures=figures.reshape(len(cells), layout.figures),
        unassigned=rows - int(counts[:, 0].sum()),
        keys=keys.faults(),
        started=period.first,
        ended=period.last,
    )
    _check(aggregates)
    # In the order of names, so that the order in which they came leaves no trace.
    return aggregates.by(*dimensions)


def named_batches(responses: Any, wanted: Sequence[str]) -> Iterator[dict[str, pa.Array]]:
    """The columns of each batch by name; a column that is named twice is read once."""
    names = list(dict.fromkeys(wanted))
    for batch in batches(responses, columns=names, max_rows=_BATCH_ROWS):
        yield dict(zip(names, batch.columns, strict=True))


def check_numbers(kind: pa.DataType, column: str) -> None:
    """Refuse a column that holds no numbers, as the core does.

    Raises:
        SourceError: `column_type`.
    """
    of = value_type(kind)
    if not (pa.types.is_boolean(of) or pa.types.is_null(of) or pa.types.is_decimal(of) or _is_number(of)):
        message = f"expected booleans or numbers in column {column!r}, found {kind}"
        raise SourceError(message, code="column_type")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def as_text(variant: pa.Array) -> pa.Array:
    """Arms that are numbered or true and false are known by that text."""
    if pa.types.is_integer(variant.type) or pa.types.is_boolean(variant.type):
        # Each number becomes text once, not once a row.
        encoded = variant.dictionary_encode()
        return pa.DictionaryArray.from_arrays(encoded.indices, encoded.dictionary.cast(pa.string()))
    return variant


def wanted_columns(layout: SumLayout, columns: ResponseColumns) -> list[str]:
    """All columns that are read; some may be named twice."""
    named = [columns.variant, *columns.split, columns.key, columns.exposed_at]
    numbers = [name for number in layout.numbers for name in (number.column, number.at)]
    return [name for name in (*named, *numbers) if name is not None]


def core_batch(
    layout: SumLayout,
    columns: ResponseColumns,
    batch: dict[str, pa.Array],
    leading: list[pa.Array],
    exposed: pa.Array | None,
) -> pa.RecordBatch:
    """What the core sums of a batch: arms and groups, then each number with its conversion window."""
    numbers = [
        windowed(
            batch,
            number.column,
            exposed,
            number.at,
            None if number.within_s is None else timedelta(seconds=number.within_s),
        )
        for number in layout.numbers
    ]
    # The core names the column in its errors.
    names = [*[columns.variant, "group"][: len(leading)], *(number.column for number in layout.numbers)]
    return pa.RecordBatch.from_arrays([*leading, *numbers], names=names)


class _Period:
    """First and last exposure, and the day of each."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, instants: pa.Array) -> pa.Array:
        found = pc.min_max(instants).as_py()
        if found["min"] is not None:
            self.first = found["min"] if self.first is None else min(self.first, found["min"])
            self.last = found["max"] if self.last is None else max(self.last, found["max"])
        return instants.cast(pa.date32())


def instants(batch: dict[str, pa.Array], column: str | None) -> pa.Array | None:
    """A column of times as UTC microseconds; those without a zone are taken as UTC."""
    return None if column is None else _utc_instants(batch[column], column)


def _utc_instants(times: pa.Array, column: str) -> pa.Array:
    kind = times.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        message = f"expected dates or timestamps in column {column!r}, found {kind}"
        raise SourceError(message, code="column_type", hint="cast the column before")
    if pa.types.is_date(kind) or kind.tz is None:
        times = times.cast(pa.timestamp("us"), safe=False)
    return times.cast(pa.timestamp("us", "UTC"), safe=False)


def windowed(
    batch: dict[str, pa.Array],
    column: str,
    exposed: pa.Array | None,
    at: str | None,
    within: timedelta | None,
) -> pa.Array:
    """A column of outcomes; those that came before exposure or after the window are 0."""
    values = batch[column]
    if at is None or within is None or exposed is None:
        return values
    first = exposed.cast(pa.int64())
    last = pc.add(first, within // timedelta(microseconds=1))
    happened = _utc_instants(batch[at], at).cast(pa.int64())
    is_inside = pc.and_(pc.greater_equal(happened, first), pc.less_equal(happened, last))
    is_inside = pc.fill_null(is_inside, fill_value=False)
    if (
        pa.types.is_decimal(value_type(values.type))
        or pa.types.is_dictionary(values.type)
        or is_text(values.type)
    ):
        values = float_values(values)
    # A null outcome stays null, whenever it would have been.
    nothing = pa.scalar(0).cast(pa.int8()).cast(values.type)
    return pc.if_else(pc.or_(is_inside, values.is_null()), values, nothing)


def _check(aggregates: Aggregates) -> None:
    layout = aggregates.layout
    for place, number in enumerate(layout.numbers):
        for variant in aggregates.variants:
            if count := aggregates.invalid(variant, place):
                raise _invalid(number, variant, count)
    figures = aggregates.figures[:, : layout.start(len(layout.sets))]
    if not np.isfinite(figures).all():
        cell = aggregates.cells[int(np.flatnonzero(~np.isfinite(figures).all(axis=1))[0])]
        columns = sorted({number.column for number in layout.numbers if number.kind == "finite"})
        found = _overflowing(aggregates, cell[0]) or ", ".join(columns)
        message = (
            "expected outcomes whose squares fit a double, "
            f"found larger in {found!r} of {aggregates.variants[cell[0]]!r}"
        )
        raise StatisticsError(message, code="overflow", hint="measure in a larger unit")


def _overflowing(aggregates: Aggregates, arm: int) -> str | None:
    variant = aggregates.variants[arm]
    for place, number in enumerate(aggregates.layout.numbers):
        lowest, highest = aggregates.range(variant, place)
        if max(abs(lowest), abs(highest)) > 1e150:
            return number.column
    return None


_EXPECTED = {
    "finite": ("finite numbers", "make unknown outcomes null"),
    "zero_or_one": ("0, 1, true or false", "use lf.Mean for amounts"),
    "count": ("counts of 0 or more", "use lf.Mean for amounts"),
}


def _invalid(number: Number, variant: str, count: int) -> StatisticsError:
    expected, hint = _EXPECTED[number.kind]
    message = f"expected {expected} in {number.column!r}, found {count} other values in variant {variant!r}"
    return StatisticsError(message, code="invalid_outcome", hint=hint)


def utc(moment: datetime) -> datetime:
    """The moment in UTC; one without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
