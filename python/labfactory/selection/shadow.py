"""Shadow: an apprentice decides beside the policy that serves; what it decides is logged and never sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from labfactory.base.errors import SelectionError
from labfactory.selection.decision import decisions_of
from labfactory.selection.selector import Selector

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

# What stands before the names of the apprentice's columns.
_PREFIX = "apprentice_"


def shadow(
    serving: Selector,
    apprentice: Selector,
    batch: pa.RecordBatch,
    *,
    keys: pa.Array,
    seed: int,
    threads: int = 1,
    now: datetime | None = None,
    history: object = None,
    planned: object = None,
) -> pl.DataFrame:
    """Lets an apprentice decide beside the policy that serves, and gives both decision logs side by side.

    Each draws by its own version, as it does when it serves, and not by common random numbers as in
    `compare`. So given the customer, the apprentice's choice does not depend on the served one: policies that
    both draw match by chance alone, and the served log can judge an apprentice by its choices.

    Two decisions match where both give the same component. Where both give nothing there is nothing to match
    (`is_match` is null); where one gives nothing they differ.

    Args:
        serving: The selector whose decisions are sent; they are those that it makes alone.
        apprentice: The selector that would take over, over the same slots; its components may be others.
        batch: As `Selector.decide`, with the columns that either reads.
        keys: As `Selector.decide`.
        seed: As `Selector.decide`, for both.
        threads: As `Selector.decide`.
        now: As `Selector.decide`, for both.
        history: As `Selector.decide`, for both: what customers got is what was served.
        planned: As `Selector.decide`, for both.

    Returns:
        A row for each customer and slot, in the order of the decision log: its columns (docs/selection.md) as
        the serving selector fills them, those of the apprentice by the same names after `apprentice_`, and
        `is_match`. `Agreement.of` counts them.

    Raises:
        SelectionError: `decision_input` when one of them is no selector, they fill different slots, or their
            versions are the same, by which both would draw alike; and as `Selector.decide`.
        SourceError: `missing_column`.
    """
    _check(serving, apprentice)
    served, beside = (
        _log(
            selector.version,
            selector.decide(
                batch, keys=keys, seed=seed, threads=threads, now=now, history=history, planned=planned
            ),
            keys,
            list(serving.slots),
        )
        for selector in (serving, apprentice)
    )
    both = served.hstack(beside.drop("key", "slot").rename(lambda name: _PREFIX + name))
    given, offered = (pl.col(name).cast(pl.String) for name in ("component", _PREFIX + "component"))
    is_any = given.is_not_null() | offered.is_not_null()
    return both.with_columns(pl.when(is_any).then(given.eq_missing(offered)).alias("is_match"))


def _log(version: str, decided: pa.RecordBatch, keys: pa.Array, slots: list[str]) -> pl.DataFrame:
    log: Any = pl.from_arrow(decisions_of(decided.select(slots), keys=keys, version=version))
    frame: pl.DataFrame = log
    return frame


def _check(serving: Selector, apprentice: Selector) -> None:
    for selector in (serving, apprentice):
        if not isinstance(selector, Selector):
            message = f"expected two selectors, found {type(selector).__name__}"
            hint = "policy.bind(components, schema) before"
            raise SelectionError(message, code="decision_input", hint=hint)
    if serving.slots.keys() != apprentice.slots.keys():
        message = f"expected an apprentice for slots {list(serving.slots)}, found {list(apprentice.slots)}"
        raise SelectionError(message, code="decision_input")
    if serving.version == apprentice.version:
        message = f"expected another version than {serving.version!r}, found the same: both would draw alike"
        raise SelectionError(message, code="decision_input")
