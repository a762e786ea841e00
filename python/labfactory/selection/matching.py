"""Matching: decisions and the outcomes that came of them, with a count of everything that has no partner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.assignment import key_texts
from labfactory.base.columns import cast_values, plain_type
from labfactory.base.errors import SelectionError
from labfactory.base.instants import instant
from labfactory.base.sources import batches

if TYPE_CHECKING:
    from datetime import datetime, timedelta

# So many keys without a partner are named; the count tells of the others.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Rows that teach nothing, and why.

    Args:
        undecided: Decisions that chose no component.
        without_propensity: Decisions that nobody drew, such as those that a limit changed.
        young: Decisions whose window is not over yet: their outcome may still come.
        without_outcome: Decisions of which no outcome came.
        late: Outcomes that came after their decision's window.
        without_decision: Outcomes of customers of whom no decision is known.
        keys_without_outcome: Some of their keys, as text.
        keys_without_decision: Likewise.
    """

    undecided: int
    without_propensity: int
    young: int
    without_outcome: int
    late: int
    without_decision: int
    keys_without_outcome: tuple[str, ...]
    keys_without_decision: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """How long an outcome may take.

    Args:
        now: The moment of learning, aware.
        length: From a decision to the last outcome that counts.
        decided_at: Column of the decisions' timestamps, aware.
        came_at: Column of the outcomes' timestamps, aware; None where all came in time.
    """

    now: datetime
    length: timedelta
    decided_at: str = "decided_at"
    came_at: str | None = None


def match(
    decisions: Any,
    outcomes: Any,
    *,
    reward: str,
    key: str,
    slot: str | None,
    window: Window | None,
    absent: float | None,
) -> tuple[pl.DataFrame, Unmatched]:
    """Join outcomes to decisions.

    Args:
        decisions: A decision log.
        outcomes: Rows with the customer's key and a reward; several of one customer add up.
        reward: Column of the reward.
        key: Column of the key in the outcomes.
        slot: Column of the slot in the outcomes; None where an outcome counts for all slots of a customer.
        window: How long outcomes may take; None where all decisions are old enough.
        absent: The reward of a decision without an outcome; None leaves it out.

    Returns:
        Columns key, slot, component, propensity and reward, sorted by key and slot; and what is left out.

    Raises:
        SelectionError: `outcomes` when a decision is logged twice, a reward is not finite, a propensity is
            none, or a time has no zone.
    """
    wanted = ["key", "slot", "component", "propensity", *([window.decided_at] if window else [])]
    log = _frame(decisions, wanted)
    if log.select("key", "slot").is_duplicated().any():
        message = "expected one decision for each customer and slot, found one twice"
        raise SelectionError(message, code="outcomes", hint="learn from one run at a time")
    came = [window.came_at] if window is not None and window.came_at else []
    found = _frame(outcomes, [key, *([slot] if slot else []), reward, *came])
    found = found.rename({key: "key", reward: "reward", **({slot: "slot"} if slot else {})})
    found = found.with_columns(pl.col("reward").cast(pl.Float64)).filter(pl.col("reward").is_not_null())
    if not found["reward"].is_finite().all():
        message = f"expected finite numbers in {reward!r}, found others"
        raise SelectionError(message, code="outcomes", hint="make unknown outcomes null")
    found = found.with_columns(_as_in(log["key"], found["key"]))
    _check_decisions(log, found, window)
    on = ["key", "slot"] if slot else ["key"]
    orphans = found.join(log, on=on, how="anti")
    late = 0
    if window is not None and window.came_at:
        due = log.select(*on, (pl.col(window.decided_at) + window.length).alias("due"))
        dated = found.join(due.group_by(on).agg(pl.col("due").max()), on=on)
        late = dated.filter(pl.col(window.came_at) > pl.col("due")).height
        found = dated.filter(pl.col(window.came_at) <= pl.col("due"))
    decided = log.filter(pl.col("component").is_not_null())
    drawn = decided.filter(pl.col("propensity").is_not_null())
    old = drawn
    if window is not None:
        old = drawn.filter(pl.col(window.decided_at) + window.length <= instant(window.now))
    matched = old.join(found.group_by(on).agg(pl.col("reward").sum()), on=on, how="left")
    without = matched.filter(pl.col("reward").is_null())
    matched = matched.with_columns(pl.col("reward").fill_null(absent)) if absent is not None else matched
    matched = matched.filter(pl.col("reward").is_not_null())
    return matched.select("key", "slot", "component", "propensity", "reward").sort("key", "slot"), Unmatched(
        undecided=log.height - decided.height,
        without_propensity=decided.height - drawn.height,
        young=drawn.height - old.height,
        without_outcome=without.height,
        late=late,
        without_decision=orphans.height,
        keys_without_outcome=_some(without),
        keys_without_decision=_some(orphans),
    )


def _as_in(decided: pl.Series, came: pl.Series) -> pl.Series:
    """The keys of outcomes in the type of the decisions: 7, 7.0 and "7" are one; what is none is null."""
    if came.dtype == decided.dtype:
        return came
    texts = pl.Series("key", pc.cast(key_texts(came.to_arrow()), pa.string()))
    return texts.cast(decided.dtype, strict=False)


def _check_decisions(log: pl.DataFrame, came: pl.DataFrame, window: Window | None) -> None:
    """Refuses propensities that are none, and times without a zone, which a window cannot compare."""
    if not log["propensity"].dtype.is_numeric() and log["propensity"].dtype != pl.Null:
        message = f"expected numbers in 'propensity', found {log['propensity'].dtype}"
        raise SelectionError(message, code="outcomes")
    known = log["propensity"].drop_nulls().cast(pl.Float64)
    wrong = known.filter(~((known > 0) & (known <= 1)).fill_null(value=False))
    if len(wrong):
        message = f"expected propensities above 0 and at most 1, found {wrong[0]} in {len(wrong)} decisions"
        raise SelectionError(message, code="outcomes", hint="make unknown ones null")
    if window is None:
        return
    dated = [(window.decided_at, log), *([(window.came_at, came)] if window.came_at else [])]
    for name, frame in dated:
        kind = frame[name].dtype
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            message = f"expected timestamps with a zone in {name!r}, found {kind}"
            raise SelectionError(message, code="outcomes", hint="Cast the column before.")


def _some(rows: pl.DataFrame) -> tuple[str, ...]:
    return tuple(rows["key"].unique().sort().head(_NAMED).cast(pl.String).to_list())


def _frame(data: Any, columns: list[str]) -> pl.DataFrame:
    table = pa.Table.from_batches(list(batches(data, columns=columns)))
    # pyarrow below 25 gives views that it makes itself a buffer at address 0, which Polars follows.
    plain = [cast_values(column, plain_type(column.type, decoded=True)) for column in table.columns]
    found = pl.from_arrow(pa.table(plain, names=columns))
    assert isinstance(found, pl.DataFrame)
    return found
