"""Responses summed up by arm, in one pass over anything Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base as core_base
from labfactory._core import stats as core
from labfactory.base.columns import cast_values
from labfactory.base.errors import StatisticsError
from labfactory.base.sources import batches
from labfactory.lab.estimators import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labfactory.lab.metric import Metric

# 2^18 rows of some outcomes stay near the cache and give every thread many blocks.
_BATCH_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One metric in one arm.

    Args:
        sample: Count, mean and variance; None when there is no value.
        missing: Units of the arm whose outcome is null.
    """

    sample: Sample | None
    missing: int


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


@dataclass(frozen=True, slots=True)
class Summary:
    """All that an evaluation needs to know of the responses.

    Args:
        units: Rows by variant.
        unassigned: Rows whose variant is null.
        outcomes: By metric and variant.
        keys: Faults of the keys; all 0 when no key column was named.
    """

    units: Mapping[str, int]
    unassigned: int
    outcomes: Mapping[tuple[str, str], Outcomes]
    keys: KeyFaults


def summarise(
    responses: Any,
    *,
    variants: Sequence[str],
    metrics: Mapping[str, Metric],
    variant: str,
    key: str | None = None,
    threads: int = 2,
) -> Summary:
    """Sum up responses by arm: one pass, constant memory, the same bits for any batches and threads.

    Args:
        responses: Anything Arrow with one row per unit; a one-shot stream is used up.
        variants: Names of the arms.
        metrics: Metrics by name; their columns hold booleans or numbers.
        variant: Column with the name of the unit's arm; null where the unit was not assigned.
        key: Column with the unit's key, to find repeated units; this alone takes 10 bytes of memory a row.
            Keys are compared by their 64-bit hashes.
        threads: Most threads to use.

    Returns:
        The summary.

    Raises:
        StatisticsError: `unknown_variant`, `invalid_outcome`, `overflow`.
        SourceError: When a column is missing or of the wrong type, or the source cannot be read.
    """
    sums = core.ArmSummary(list(variants), [_outcome_kind(metric) for metric in metrics.values()])
    keys = _KeyLog()
    outcome_columns = [metric.column for metric in metrics.values()]
    rows = 0
    for batch in _named_batches(responses, [variant, *outcome_columns, *([key] if key else [])]):
        arms = _as_text(batch[0])
        sums.add(_batch([arms, *batch[1 : 1 + len(metrics)]], [variant, *outcome_columns]), threads)
        rows += len(arms)
        if key:
            keys.add(batch[-1], arms, variants)
    totals = sums.totals()
    return Summary(
        units=dict(zip(variants, totals.rows, strict=True)),
        unassigned=rows - sum(totals.rows),
        outcomes=dict(_outcomes(totals.outcomes, variants, metrics)),
        keys=keys.faults(),
    )


def _outcome_kind(metric: Metric) -> str:
    return "zero_or_one" if metric.kind == "proportion" else "number"


def _named_batches(responses: Any, columns: Sequence[str]) -> Iterator[list[pa.Array]]:
    """The columns of each batch, in this order; a column that is named twice is read once."""
    wanted = list(dict.fromkeys(columns))
    for batch in batches(responses, columns=wanted, max_rows=_BATCH_ROWS):
        yield [batch.column(wanted.index(name)) for name in columns]


def _batch(columns: Sequence[pa.Array], names: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns), names=list(names))


def _as_text(variant: pa.Array) -> pa.Array:
    """Arms that are numbered or true and false are known by that text."""
    if pa.types.is_integer(variant.type) or pa.types.is_boolean(variant.type):
        return variant.cast(pa.string())
    return variant


def _outcomes(
    sums: Sequence[core.ArmOutcome], variants: Sequence[str], metrics: Mapping[str, Metric]
) -> Iterator[tuple[tuple[str, str], Outcomes]]:
    places = [(variant, name) for variant in variants for name in metrics]
    for (variant, name), outcome in zip(places, sums, strict=True):
        if outcome.invalid:
            raise _invalid(metrics[name], variant, outcome.invalid)
        yield (name, variant), Outcomes(_sample(outcome.moments, metrics[name], variant), outcome.missing)


def _sample(moments: core.Moments, metric: Metric, variant: str) -> Sample | None:
    if moments.count == 0:
        return None
    variance = moments.squares / (moments.count - 1) if moments.count > 1 else 0.0
    if not np.isfinite([moments.mean, variance]).all():
        message = (
            f"expected outcomes whose squares fit a double, found larger in {metric.column!r} of {variant!r}"
        )
        raise StatisticsError(message, code="overflow", hint="measure in a larger unit")
    return Sample(moments.count, moments.mean, variance)


def _invalid(metric: Metric, variant: str, count: int) -> StatisticsError:
    expected = "0, 1, true or false" if metric.kind == "proportion" else "finite numbers"
    message = f"expected {expected} in {metric.column!r}, found {count} other values in variant {variant!r}"
    hint = "use lf.Mean for amounts" if metric.kind == "proportion" else "make unknown outcomes null"
    return StatisticsError(message, code="invalid_outcome", hint=hint)


class _KeyLog:
    """Hash and arm of every keyed row."""

    def __init__(self) -> None:
        self._hashes: list[np.ndarray[Any, np.dtype[np.uint64]]] = []
        self._arms: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        self._missing = 0

    def add(self, keys: pa.Array, arms: pa.Array, variants: Sequence[str]) -> None:
        hashes = pa.array(core_base.hash_keys(keys))
        self._missing += hashes.null_count
        known = hashes.is_valid()
        names = cast_values(arms, pa.string()).filter(known)
        codes = pc.index_in(names, pa.array(variants, pa.string())).fill_null(-1)
        self._hashes.append(hashes.filter(known).to_numpy(zero_copy_only=False))
        self._arms.append(codes.to_numpy(zero_copy_only=False).astype(np.int16))

    def faults(self) -> KeyFaults:
        if not self._hashes:
            return KeyFaults()
        hashes, arms = np.concatenate(self._hashes), np.concatenate(self._arms)
        order = np.lexsort((arms, hashes))
        hashes, arms = hashes[order], arms[order]
        is_repeat = hashes[1:] == hashes[:-1]
        changes_arm = is_repeat & (arms[1:] != arms[:-1]) & (arms[:-1] >= 0)
        exposed_twice = len(np.unique(hashes[1:][changes_arm]))
        return KeyFaults(self._missing, int(is_repeat.sum()), exposed_twice)
