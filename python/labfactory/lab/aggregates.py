"""Responses summed up: all that an evaluation needs, mergeable from anywhere."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labfactory._core import stats as core
from labfactory.base.errors import StatisticsError
from labfactory.lab.co_moments import CoMoments
from labfactory.lab.sum_layout import Number, NumberSet, SumLayout, figure_count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_FORMAT = "labfactory.aggregates/1"


@dataclass(frozen=True, slots=True)
class KeyFaults:
    """What a key column says about units that are not one row each.

    Args:
        missing: Rows without a key.
        repeated: Rows beyond the first of their key.
        exposed_twice: Keys that are found in more than one arm.
    """

    missing: int = 0
    repeated: int = 0
    exposed_twice: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Aggregates:
    """Count, means and centred products of every metric and its covariates, by arm and segment.

    Parts of the responses may be summed wherever they lie and merged in any order: the figures then differ
    from those of one pass in rounding only, about 1e-13 of the larger one. Merged in the same order, every
    bit is the same. Repeated keys are found within a part, never across parts.

    Args:
        layout: What was summed.
        variants: Names of the arms.
        dimensions: Names of what the sums are split by, beside the arm.
        cells: By row of `counts`: the arm's place, then its value in each dimension; None where it is null.
        counts: By cell: rows, rows of each metric, nulls and invalid values of each number.
        figures: By cell: means, rests of means and products of each metric, lowest and highest values.
        unassigned: Rows whose variant is null.
        keys: Faults of the keys; all 0 when no key column was named.
        started: First exposure; None when no time was given.
        ended: Last exposure, likewise.
    """

    layout: SumLayout
    variants: tuple[str, ...]
    dimensions: tuple[str, ...]
    cells: tuple[tuple[Any, ...], ...]
    counts: NDArray[np.int64]
    figures: NDArray[np.float64]
    unassigned: int = 0
    keys: KeyFaults = KeyFaults()
    started: datetime | None = None
    ended: datetime | None = None
    # Moments that were asked for; what merges or splits the sums begins anew.
    _known: dict[tuple[str, str], CoMoments] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        metrics = ", ".join(each.metric for each in self.layout.sets)
        split = "".join(f" × {name}" for name in self.dimensions)
        rows = f"{self.counts[:, 0].sum():,} rows of {metrics}"
        return f"Aggregates({rows}, by variant{split}: {len(self.cells)} cells)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Aggregates):
            return NotImplemented
        return (
            self._head() == other._head()
            and bool(np.array_equal(self.counts, other.counts))
            and bool(np.array_equal(self.figures, other.figures))
        )

    __hash__ = None  # type: ignore[assignment]

    def merge(self, *others: Aggregates) -> Aggregates:
        """The sums of all rows of these parts.

        Args:
            *others: Parts of the same experiment, summed with the same options.

        Returns:
            The sums; cells are ordered by arm and value, whatever the order of the parts.

        Raises:
            StatisticsError: `aggregates_differ`, when a part was summed otherwise.
        """
        for other in others:
            for what in ("layout", "variants", "dimensions"):
                if getattr(other, what) != getattr(self, what):
                    message = f"expected parts with the same {what}, found two that differ"
                    raise StatisticsError(message, code="aggregates_differ", hint=_hint(self, other, what))
        parts = (self, *others)
        started = [part.started for part in parts if part.started]
        ended = [part.ended for part in parts if part.ended]
        joined = replace(
            self,
            cells=tuple(cell for part in parts for cell in part.cells),
            counts=np.concatenate([part.counts for part in parts]),
            figures=np.concatenate([part.figures for part in parts]),
            unassigned=sum(part.unassigned for part in parts),
            keys=KeyFaults(*(sum(column) for column in zip(*(_faults(part) for part in parts), strict=True))),
            started=min(started, default=None),
            ended=max(ended, default=None),
        )
        return joined.by(*self.dimensions)

    def by(self, *dimensions: str) -> Aggregates:
        """The sums split by these dimensions only.

        Args:
            *dimensions: Some of its dimensions; none leaves the split by arm alone.

        Returns:
            The sums.
        """
        places = [0, *(1 + self.dimensions.index(name) for name in dimensions)]
        targets = [tuple(cell[place] for place in places) for cell in self.cells]
        # None before every text.
        ordered = sorted(set(targets), key=lambda cell: [(value is not None, value) for value in cell])
        numbered = {cell: number for number, cell in enumerate(ordered)}
        _, counts, figures = core.collapse(
            self.layout.native_columns,
            self.layout.native_sets,
            np.array([numbered[cell] for cell in targets], np.int32),
            len(ordered),
            self.counts,
            self.figures,
        )
        # Without any number to sum the core has no figures, not even rows of none.
        figures = figures.reshape(len(ordered), self.layout.figures)
        return replace(self, dimensions=dimensions, cells=tuple(ordered), counts=counts, figures=figures)

    def values(self, dimension: str) -> list[Any]:
        """Values of a dimension, ascending; None first."""
        place = 1 + self.dimensions.index(dimension)
        return sorted({cell[place] for cell in self.cells}, key=lambda value: (value is not None, value))

    def only(self, dimension: str, values: Sequence[Any]) -> Aggregates:
        """The cells with one of these values, without that dimension."""
        place = 1 + self.dimensions.index(dimension)
        rows = [row for row, cell in enumerate(self.cells) if cell[place] in values]
        kept = replace(
            self,
            cells=tuple(self.cells[row] for row in rows),
            counts=self.counts[rows],
            figures=self.figures[rows],
        )
        return kept.by(*(name for name in self.dimensions if name != dimension))

    def units(self, variant: str) -> int:
        """Rows of an arm."""
        return sum(int(self.counts[row, 0]) for row in self._rows(variant))

    def nulls(self, variant: str, number: int) -> int:
        """Nulls of a number in an arm."""
        return self._count(variant, 1 + len(self.layout.sets) + number)

    def invalid(self, variant: str, number: int) -> int:
        """Values of a number in an arm that its kind does not allow."""
        return self._count(variant, 1 + len(self.layout.sets) + len(self.layout.numbers) + number)

    def moments(self, metric: str, variant: str) -> CoMoments:
        """The moments of a metric in an arm, over all dimensions."""
        if (known := self._known.get((metric, variant))) is None:
            known = self._known[metric, variant] = self._moments(metric, variant)
        return known

    def _moments(self, metric: str, variant: str) -> CoMoments:
        place = self.layout.place(metric)
        size = len(self.layout.sets[place].members)
        start = self.layout.start(place)
        total: CoMoments | None = None
        for row in self._rows(variant):
            figures = self.figures[row, start : start + figure_count(size)]
            part = CoMoments.of_figures(int(self.counts[row, 1 + place]), figures, size)
            total = part if total is None else total.merged(part)
        return total or CoMoments.of_figures(0, np.zeros(figure_count(size)), size)

    def range(self, variant: str, number: int) -> tuple[float, float]:
        """Lowest and highest value of a number in an arm."""
        start = self.layout.start(len(self.layout.sets))
        rows = self._rows(variant)
        lowest = self.figures[rows, start + number]
        highest = self.figures[rows, start + len(self.layout.numbers) + number]
        return float(min(lowest, default=0.0)), float(max(highest, default=0.0))

    def to_json(self) -> bytes:
        """JSON with every bit of the figures.

        Returns:
            UTF-8 bytes.
        """
        # Where a number is null in every row of a cell its range is infinite, which JSON cannot say.
        figures = [[None if np.isinf(x) else x for x in row] for row in self.figures.tolist()]
        record = {"format": _FORMAT, **self._head(), "counts": self.counts.tolist(), "figures": figures}
        return json.dumps(record, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()

    @staticmethod
    def from_json(data: bytes) -> Aggregates:
        """Read what `to_json` wrote.

        Args:
            data: JSON bytes.

        Returns:
            Equal aggregates.

        Raises:
            StatisticsError: `aggregates_malformed`.
        """
        with _reading():
            record = json.loads(data)
            return _restored(record, record["counts"], record["figures"])

    def write_parquet(self, path: Path | str) -> None:
        """Write a Parquet file with a row for each cell.

        Args:
            path: Where to; what is there is replaced.
        """
        table = pa.table(
            {"counts": pa.array(self.counts.tolist()), "figures": pa.array(self.figures.tolist())},
            metadata={_FORMAT: json.dumps(self._head())},
        )
        pq.write_table(table, path)

    @staticmethod
    def read_parquet(path: Path | str) -> Aggregates:
        """Read what `write_parquet` wrote.

        Args:
            path: The file.

        Returns:
            Equal aggregates.

        Raises:
            StatisticsError: `aggregates_malformed`.
        """
        with _reading():
            table = pq.read_table(path)
            head = json.loads(table.schema.metadata[_FORMAT.encode()])
            record = {"format": _FORMAT, **head}
            return _restored(record, table["counts"].to_pylist(), table["figures"].to_pylist())

    def _rows(self, variant: str) -> list[int]:
        arm = self.variants.index(variant)
        return [row for row, cell in enumerate(self.cells) if cell[0] == arm]

    def _count(self, variant: str, place: int) -> int:
        return int(self.counts[self._rows(variant), place].sum())

    def _head(self) -> dict[str, Any]:
        return {
            "layout": self.layout.to_dict(),
            "variants": list(self.variants),
            "dimensions": list(self.dimensions),
            "cells": [list(cell) for cell in self.cells],
            "unassigned": self.unassigned,
            "keys": asdict(self.keys),
            "started": None if self.started is None else self.started.isoformat(),
            "ended": None if self.ended is None else self.ended.isoformat(),
        }


class _reading:  # noqa: N801 - a context manager
    """What is not as an Aggregates writes it is one error, whatever it makes fail."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        expected = (ValueError, KeyError, TypeError, IndexError, AttributeError, pa.ArrowInvalid)
        if isinstance(error, expected):
            message = f"expected what Aggregates writes, found {type(error).__name__}: {error}"
            raise StatisticsError(message, code="aggregates_malformed") from error


def _restored(record: dict[str, Any], counts: list[list[int]], figures: list[list[Any]]) -> Aggregates:
    if record["format"] != _FORMAT:
        message = f"format {record['format']!r}, must be {_FORMAT!r}"
        raise ValueError(message)
    layout = SumLayout(
        tuple(Number(**number) for number in record["layout"]["numbers"]),
        tuple(
            NumberSet(each["metric"], tuple(each["members"]), each["required"])
            for each in record["layout"]["sets"]
        ),
    )
    cells = tuple(tuple(cell) for cell in record["cells"])
    ranges = len(layout.numbers)
    # The infinite ranges: lowest above, highest below everything.
    empty = [np.inf if i < ranges else -np.inf for i in range(2 * ranges)]
    start = layout.figures - 2 * ranges
    filled = [
        [empty[i - start] if x is None and i >= start else float(x) for i, x in enumerate(row)]
        for row in figures
    ]
    restored = Aggregates(
        layout=layout,
        variants=tuple(record["variants"]),
        dimensions=tuple(record["dimensions"]),
        cells=cells,
        counts=np.array(counts, np.int64).reshape(len(cells), layout.counts),
        figures=np.array(filled, np.float64).reshape(len(cells), layout.figures),
        unassigned=int(record["unassigned"]),
        keys=KeyFaults(**record["keys"]),
        started=_time(record["started"]),
        ended=_time(record["ended"]),
    )
    if any(len(cell) != 1 + len(restored.dimensions) for cell in cells) or any(
        not 0 <= cell[0] < len(restored.variants) for cell in cells
    ):
        message = "cells that are not of its variants and dimensions"
        raise ValueError(message)
    return restored


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _faults(part: Aggregates) -> tuple[int, int, int]:
    return part.keys.missing, part.keys.repeated, part.keys.exposed_twice


def _hint(left: Aggregates, right: Aggregates, what: str) -> str:
    return f"one has {getattr(left, what)}, the other {getattr(right, what)}"
