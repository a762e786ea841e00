"""Explanations: why a component was chosen or not, what each rule drops, what another policy changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from labfactory._core import base

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from labfactory.selection.bound_slot import BoundSlot
    from labfactory.selection.contact_gate import BoundLimit
    from labfactory.selection.moment import Moment
    from labfactory.selection.selector import Selector

OUTRANKED = "outranked"
"""Why an eligible component was not chosen: another one was."""


@dataclass(frozen=True)
class SlotOutcomes:
    """What became of every pair of customer and candidate of a slot.

    Args:
        codes: [customers, candidates], positions in `words`.
        words: (reason, rule) pairs; a rule is empty where none is to blame.
    """

    codes: npt.NDArray[np.int32]
    words: list[tuple[str, str]]

    def mark(self, where: npt.NDArray[np.bool_], reason: str, rule: str = "") -> None:
        """Gives a reason to pairs, or to all of some customers."""
        word = (reason, rule)
        if word not in self.words:
            self.words.append(word)
        self.codes[where] = self.words.index(word)


def explain(
    selector: Selector, batch: pa.RecordBatch, *, keys: pa.Array, seed: int, threads: int = 1
) -> pl.DataFrame:
    """Says of every customer, slot and candidate why it was chosen or not.

    Args:
        selector: The selector; `Selector.at` gives it the moment and the history that its rules need.
        batch: The customers; a row of the answer for each pair, so rather some than all.
        keys: As `Selector.decide`.
        seed: As `Selector.decide`.
        threads: As `Selector.decide`.

    Returns:
        Columns `key`, `slot`, `component`, `reason` and `rule`. The reason is that of the decision for the
        component that was chosen; for another one `eligible`, `applicable`, `suitable` or `component` (its
        own condition) with the first rule that it fails, `no_rule` with the conditions of which none holds
        where rules choose, `capped` or `reserved` with the cap or rest, `missing_feature`, what stops the
        customer altogether, or `outranked`.
    """
    moment = selector.moment(batch, keys=keys, seed=seed)
    decided = selector.decide(batch, keys=keys, seed=seed, threads=threads)
    frames = []
    every = [_outcomes(slot, batch, decided.column(slot.name)) for slot in selector.bound]
    _mark_capped(selector, every, batch, keys, decided, moment)
    for slot, outcomes in zip(selector.bound, every, strict=True):
        column = decided.column(slot.name)
        reasons = np.array(column.field("reason").cast(pa.utf8()).to_pylist(), dtype=object)
        for reason in ("missing_key", "held_out", "no_consent", "suppressed", "quiet_hours"):
            outcomes.mark(reasons == reason, reason)
        taken = column.field("component").to_pylist()
        for number, component in enumerate(slot.candidates):
            is_taken = np.array([one == component for one in taken], dtype=bool)
            for reason in ("chosen", "explored", "control"):
                own = np.zeros_like(outcomes.codes, dtype=bool)
                own[is_taken & (reasons == reason), number] = True
                outcomes.mark(own, reason)
        frames.append(_frame(slot, outcomes, keys))
    return pl.concat(frames)


def drop_off(
    selector: Selector, batch: pa.RecordBatch, *, keys: pa.Array, seed: int, threads: int = 1
) -> pl.DataFrame:
    """Counts the customers by what became of each component: how many every rule drops.

    Args:
        selector: As `explain`.
        batch: As `explain`.
        keys: As `explain`.
        seed: As `explain`.
        threads: As `explain`.

    Returns:
        Columns `slot`, `component`, `reason`, `rule` and `customers`; the customers of a component sum to the
        rows of the batch.
    """
    told = explain(selector, batch, keys=keys, seed=seed, threads=threads)
    groups = ["slot", "component", "reason", "rule"]
    return told.group_by(groups, maintain_order=True).agg(pl.len().alias("customers"))


def compare(
    before: Selector,
    after: Selector,
    batch: pa.RecordBatch,
    *,
    keys: pa.Array,
    seed: int,
    threads: int = 1,
) -> pl.DataFrame:
    """What changes from one policy to another under common random numbers.

    Both draw by the version of the first, so that only what the policies say differs.

    Args:
        before: A selector.
        after: Another one over the same slots.
        batch: The customers.
        keys: As `Selector.decide`.
        seed: As `Selector.decide`.
        threads: As `Selector.decide`.

    Returns:
        Columns `slot`, `before`, `after`, `customers` and `score_change` (the mean; null where one gives
        nothing): a row for each pair of components, those that stay included.
    """
    first = before.decide(batch, keys=keys, seed=seed, threads=threads)
    second = after.renamed(before.version).decide(batch, keys=keys, seed=seed, threads=threads)
    frames = []
    for name in first.schema.names:
        one, other = first.column(name), second.column(name)
        frames.append(
            pl.DataFrame(
                {
                    "slot": [name] * batch.num_rows,
                    "before": one.field("component").to_pylist(),
                    "after": other.field("component").to_pylist(),
                    "score_change": _scores(other) - _scores(one),
                },
                schema={"slot": pl.Utf8, "before": pl.Utf8, "after": pl.Utf8, "score_change": pl.Float64},
            )
        )
    pairs = pl.concat(frames).with_columns(pl.col("score_change").fill_nan(None))
    summary = [pl.len().alias("customers"), pl.col("score_change").mean()]
    return pairs.group_by("slot", "before", "after").agg(summary).sort("slot", "before", "after")


def _outcomes(slot: BoundSlot, batch: pa.RecordBatch, decided: pa.Array) -> SlotOutcomes:
    shape = (batch.num_rows, len(slot.candidates))
    outcomes = SlotOutcomes(np.zeros(shape, dtype=np.int32), [(OUTRANKED, "")])
    is_missing = np.array(decided.field("reason").cast(pa.utf8())) == "missing_feature"
    outcomes.mark(is_missing, "missing_feature")
    holds = [
        np.asarray(condition.evaluate(batch).fill_null(False), dtype=bool)  # noqa: FBT003
        for condition in slot.conditions
    ]
    for number in range(len(slot.candidates)):
        # From the last to the first, so that the first rule that fails is the one that stays.
        pairs = list(zip(slot.needed[number], slot.origins[number], strict=True))
        for condition, (tier, text) in reversed(pairs):
            fails = np.zeros(shape, dtype=bool)
            fails[~holds[condition], number] = True
            outcomes.mark(fails, tier, text)
    if slot.rules:
        _mark_without_rule(slot, outcomes, holds)
    return outcomes


def _mark_without_rule(
    slot: BoundSlot, outcomes: SlotOutcomes, holds: Sequence[npt.NDArray[np.bool_]]
) -> None:
    """Marks the candidates that no rule gives."""
    for number in range(len(slot.candidates)):
        own = [condition for condition, candidate in slot.rules if candidate == number]
        if -1 in own:
            continue
        is_given = np.zeros(len(outcomes.codes), dtype=bool)
        for condition in own:
            is_given |= holds[condition]
        without = np.zeros_like(outcomes.codes, dtype=bool)
        without[:, number] = ~is_given & (outcomes.codes[:, number] == 0)
        outcomes.mark(without, "no_rule", " or ".join(slot.conditions[one].source for one in own))


def _mark_capped(
    selector: Selector,
    every: Sequence[SlotOutcomes],
    batch: pa.RecordBatch,
    keys: pa.Array,
    decided: pa.RecordBatch,
    moment: Moment,
) -> None:
    """Marks what a cap or rest stops, and what makes room for what is planned."""
    keyed = pa.array(base.hash_keys(keys))
    hashes = np.asarray(keyed.fill_null(0))
    taken = [decided.column(slot.name).field("component").to_pylist() for slot in selector.bound]
    for limit in selector.gate.limits:
        own = selector.gate.allowance(limit, batch, hashes, moment)
        at_most = getattr(limit.rule, "at_most", 0)
        allowed = np.full(batch.num_rows, at_most) if own.left is None else own.left
        used = np.zeros(batch.num_rows, dtype=np.int64)
        for slot, number in limit.members:
            component = selector.bound[slot].candidates[number]
            used += np.array([one == component for one in taken[slot]], dtype=bool)
        for slot, number in limit.members:
            is_open = every[slot].codes[:, number] == 0
            _mark_one(every[slot], number, is_open & (used >= allowed), "capped", limit)
            if not own.bars:
                continue
            worth = selector.bound[slot].core.values(selector.bound[slot].columns(batch, keyed), threads=1)
            is_control = np.array(decided.column(selector.bound[slot].name).field("reason")) == "control"
            stopped = own.after(used).stops(worth[:, number], is_control)
            _mark_one(every[slot], number, is_open & (used < allowed) & stopped, "reserved", limit)


def _mark_one(
    outcomes: SlotOutcomes, candidate: int, rows: npt.NDArray[np.bool_], reason: str, limit: BoundLimit
) -> None:
    pairs = np.zeros_like(outcomes.codes, dtype=bool)
    pairs[:, candidate] = rows
    outcomes.mark(pairs, reason, str(limit.rule))


def _frame(slot: BoundSlot, outcomes: SlotOutcomes, keys: pa.Array) -> pl.DataFrame:
    rows, candidates = outcomes.codes.shape
    words = pl.DataFrame(outcomes.words, schema=["reason", "rule"], orient="row")
    key: Any = pl.from_arrow(keys)
    told = words[outcomes.codes.reshape(-1).tolist()]
    return pl.DataFrame(
        {
            "key": key.gather(np.repeat(np.arange(rows), candidates)),
            "slot": [slot.name] * (rows * candidates),
            "component": list(slot.candidates) * rows,
        },
        schema_overrides={"slot": pl.Utf8, "component": pl.Utf8},
    ).hstack(told)


def _scores(decided: pa.Array) -> npt.NDArray[np.float64]:
    scores: npt.NDArray[np.float64] = decided.field("score").to_numpy(zero_copy_only=False).astype(np.float64)
    return scores
