"""LimitedSelector: a selector whose decisions keep limits over all customers; price, shortlist, settle."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base
from labfactory.base.errors import SelectionError
from labfactory.selection.allocation import SHORTLIST, PricedLimits, Shortlists, price_limits
from labfactory.selection.decision import REASONS
from labfactory.selection.exploration import Exploration
from labfactory.selection.limits import Limit, Option, bounds_of
from labfactory.selection.model import LinearModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from labfactory.selection.bound_slot import Bindable
    from labfactory.selection.policy import SelectionPolicy
    from labfactory.selection.selector import Selector
    from labfactory.selection.slot_policy import SlotPolicy

    Values = npt.NDArray[np.float32]

LIMITED = "limited"
"""The reason of a decision that a limit changed."""

# Taken off every candidate but one, so that it is chosen where it is eligible: beyond any score, far from the
# largest float32.
_FAR = 1e30


@dataclass(frozen=True, eq=False)
class Settled:
    """What each row of a source got, for each slot.

    Args:
        slots: Names of the slots.
        index: [rows, slots], position among the slot's components; -1 for none.
        score: [rows, slots]; 0 for none.
    """

    slots: tuple[str, ...]
    index: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]

    def apply(self, decided: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> pa.RecordBatch:
        """Put what was settled in the place of what was decided.

        Args:
            decided: What the priced selector decided of some rows.
            rows: Which rows of the source they are.

        Returns:
            The same, where a limit changed nothing; elsewhere the settled component, reason `limited`, and no
            propensity, since nobody drew it.
        """
        columns = [
            _settled_column(decided.column(name), self.index[rows, place], self.score[rows, place])
            for place, name in enumerate(self.slots)
        ]
        return pa.RecordBatch.from_arrays(columns, list(self.slots))


@dataclass(frozen=True, eq=False)
class LimitedSelector:
    """A selector, the limits that its decisions keep together, and what they count.

    Args:
        selector: Decides one customer at a time.
        valuing: The same without exploration: tells what each candidate is worth.
        limits: By name.
        options: The candidates of all slots, slot by slot.
        customers: How many there are in all, once prices are learned.
        priced: The limits with their prices, once they are learned.
    """

    selector: Selector
    valuing: Selector
    limits: Mapping[str, Limit]
    options: tuple[Option, ...]
    priced: PricedLimits | None = field(default=None)

    @classmethod
    def of(
        cls,
        policy: SelectionPolicy,
        limits: Mapping[str, Limit],
        components: Mapping[str, Sequence[Bindable]],
        schema: pa.Schema,
        constants: Mapping[str, object] | None = None,
        *,
        channel: str = "",
    ) -> LimitedSelector:
        """Bind a policy whose decisions are to keep limits.

        Args:
            policy: The policy; limits need scores, so no slot may choose by rules.
            limits: By name.
            components: For each slot its components; their `tags` count, where they have any.
            schema: The customers' columns.
            constants: Values that names in expressions stand for.
            channel: The channel that all goes out by.

        Returns:
            The selector.

        Raises:
            SelectionError: `limit` when a slot has rules or a limit names nothing; and as
                `SelectionPolicy.bind`.
        """
        if len(policy.filled) > 1 and (policy.contact.caps or len(policy.filled) > len(policy.slots)):
            message = "expected one slot under limits, or slots without caps and candidates in common"
            message = f"{message}, found {len(policy.filled)} slots that share them"
            raise SelectionError(message, code="limit")
        for name, slot in policy.slots.items():
            if slot.rules:
                message = f"expected slot {name!r} to choose by scores under limits, found rules"
                raise SelectionError(
                    message, code="limit", hint="a model with the rules' conditions as features"
                )
        greedy = {name: _valuing(slot) for name, slot in policy.slots.items()}
        selector = policy.bind(components, schema, constants)
        tags = {
            (slot, component.name): tuple(getattr(component, "tags", ()))
            for slot, parts in components.items()
            for component in parts
        }
        options = tuple(
            Option(component=candidate, slot=slot, tags=tags[slot, candidate], channel=channel)
            for slot, candidates in selector.candidates.items()
            for candidate in candidates
        )
        bounds_of(limits, options)
        valuing = replace(policy, slots=greedy).bind(components, schema, constants)
        return cls(selector, valuing, dict(limits), options)

    def values(
        self, batch: pa.RecordBatch, keys: pa.Array, *, seed: int, threads: int = 1, **moment: Any
    ) -> Values:
        """What each option is worth to each customer, by the policy's scores.

        Args:
            batch: Customers.
            keys: Their keys.
            seed: The run's, by which customers of a control arm have the one option that they drew.
            threads: They change nothing.
            moment: `now` and `history`, where the policy needs them.

        Returns:
            [customers, options]; NaN where the customer may not have it.
        """
        worth = np.full((batch.num_rows, len(self.options)), np.nan, np.float32)
        slots = self.valuing.candidates
        firsts = self._firsts()
        for turn in range(max(map(len, slots.values()))):
            prices = {
                name: [0.0 if place == turn else _FAR for place in range(len(candidates))]
                for name, candidates in slots.items()
            }
            decided = self.valuing.priced(prices).decide(
                batch, keys=keys, seed=seed, threads=threads, **moment
            )
            for name, candidates in slots.items():
                if turn < len(candidates):
                    wanted = self.valuing.slots[name].index(candidates[turn])
                    worth[:, firsts[name] + turn] = _scores_of(decided.column(name), wanted)
        return worth

    def at(self, *, now: datetime | None = None, history: object = None) -> LimitedSelector:
        """The same at a moment, as `Selector.at`."""
        selector = self.selector.at(now=now, history=history)
        return replace(self, selector=selector, valuing=self.valuing.at(now=now, history=history))

    def learn(self, sample: Values, *, customers: int, threads: int = 2) -> LimitedSelector:
        """The same selector with prices, learned on a sample of customers.

        Args:
            sample: What the options are worth to them, a row for each: `values` tells.
            customers: How many there are in all.
            threads: They change nothing.
        """
        slots = self._rows_by_slot(sample)
        priced = price_limits(
            slots, self.limits, self.options, customers=customers * self._slots, threads=threads
        )
        return replace(self, priced=priced)

    def shortlists(
        self, batch: pa.RecordBatch, keys: pa.Array, *, seed: int, threads: int = 1, **moment: Any
    ) -> Shortlists:
        """What each customer and slot could get, and what was drawn at the frozen prices.

        Args:
            batch: Customers.
            keys: Their keys, none of them null.
            seed: The run's.
            threads: They change nothing.
            moment: `now` and `history`, where the policy needs them.

        Returns:
            A shortlist for each customer in the first slot, then in the second.
        """
        priced = self.require_priced()
        values = self._rows_by_slot(self.values(batch, keys, seed=seed, threads=threads, **moment))
        hashes = np.tile(pa.array(base.hash_keys(keys)).to_numpy(), self._slots)
        lists = priced.shortlists(values, hashes, best=SHORTLIST, threads=threads)
        decided = self.decide(batch, keys=keys, seed=seed, threads=threads, **moment)
        drawn = np.concatenate(
            [self._option_of(name, decided.column(name)) for name in self.selector.candidates]
        )
        return _with_drawn(lists, drawn, values, priced.option_prices)

    def decide(
        self, batch: pa.RecordBatch, *, keys: pa.Array, seed: int, threads: int = 1, **moment: Any
    ) -> pa.RecordBatch:
        """Choose at the frozen prices, before anything is settled; as `Selector.decide`."""
        prices, first = {}, 0
        for name, candidates in self.selector.candidates.items():
            prices[name] = self.require_priced().option_prices[first : first + len(candidates)]
            first += len(candidates)
        return self.selector.priced(prices).decide(batch, keys=keys, seed=seed, threads=threads, **moment)

    def settled(
        self, choices: npt.NDArray[np.int32], lists: Shortlists, rows: npt.NDArray[np.int64], source_rows: int
    ) -> Settled:
        """Where every row of the source finds what it got.

        Args:
            choices: What `PricedLimits.settle` gave each shortlist.
            lists: The shortlists.
            rows: The row of the source that each belongs to; the slots of a batch come one after another.
            source_rows: How many the source has.
        """
        names = tuple(self.selector.candidates)
        index = np.full((source_rows, len(names)), -1, np.int32)
        score = np.zeros((source_rows, len(names)), np.float32)
        slot_of, index_of = self._places()
        given = choices >= 0
        entry = (lists.options[given] == choices[given, None]).argmax(axis=1)
        index[rows[given], slot_of[choices[given]]] = index_of[choices[given]]
        score[rows[given], slot_of[choices[given]]] = lists.values[given][np.arange(int(given.sum())), entry]
        return Settled(names, index, score)

    def require_priced(self) -> PricedLimits:
        """The limits with their prices; `learn` comes first."""
        assert self.priced is not None, "prices are learned first"
        return self.priced

    @property
    def _slots(self) -> int:
        return len(self.selector.candidates)

    def _firsts(self) -> dict[str, int]:
        """Where each slot's options begin."""
        firsts, first = {}, 0
        for name, candidates in self.selector.candidates.items():
            firsts[name] = first
            first += len(candidates)
        return firsts

    def _places(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Of each option its slot, and its position among the slot's components."""
        slots = list(self.selector.candidates)
        slot_of = np.array([slots.index(option.slot) for option in self.options])
        index_of = [self.selector.slots[option.slot].index(option.component) for option in self.options]
        return slot_of, np.array(index_of, np.int32)

    def _rows_by_slot(self, values: Values) -> Values:
        """A row for each customer and slot: slot by slot, with the other slots' options left out."""
        parts = []
        for name, candidates in self.selector.candidates.items():
            part = np.full_like(values, np.nan)
            first = self._firsts()[name]
            part[:, first : first + len(candidates)] = values[:, first : first + len(candidates)]
            parts.append(part)
        return np.concatenate(parts)

    def _option_of(self, slot: str, column: pa.Array) -> npt.NDArray[np.int32]:
        """The option that was decided on; -1 for none."""
        names = self.selector.slots[slot]
        candidates = self.selector.candidates[slot]
        of_component = np.full(len(names) + 1, -1, np.int32)
        for place, candidate in enumerate(candidates):
            of_component[names.index(candidate)] = self._firsts()[slot] + place
        index = pc.fill_null(column.field("index"), -1).to_numpy(zero_copy_only=False)
        found: npt.NDArray[np.int32] = of_component[index]
        return found


def _valuing(slot: SlotPolicy) -> SlotPolicy:
    """The slot without exploration: by its model, or by the means of its beliefs."""
    if not slot.beliefs:
        return replace(slot, exploration=Exploration())
    means = [slot.beliefs[name][0] / sum(slot.beliefs[name]) for name in slot.components]
    model = LinearModel.of_arrays(np.zeros((len(means), 0)), means)
    return replace(slot, exploration=Exploration(), beliefs={}, model=model)


def _scores_of(column: pa.Array, wanted: int) -> Values:
    index = pc.fill_null(column.field("index"), -1).to_numpy(zero_copy_only=False)
    scores = pc.fill_null(column.field("score"), float("nan")).to_numpy(zero_copy_only=False)
    worth: Values = np.where(index == wanted, scores, np.float32(np.nan)).astype(np.float32)
    return worth


def _with_drawn(
    lists: Shortlists, drawn: npt.NDArray[np.int32], values: Values, prices: npt.NDArray[np.float64]
) -> Shortlists:
    """The shortlists with what was drawn as their choice; what is worth less than its price is not taken."""
    rows = np.arange(len(drawn))
    options, worth = lists.options.copy(), lists.values.copy()
    is_drawn = drawn >= 0
    lacks = is_drawn & ~(options == drawn[:, None]).any(axis=1)
    # An unlikely draw takes the place of the last of the best.
    last = min(SHORTLIST, values.shape[1]) - 1
    options[lacks, last] = drawn[lacks]
    worth[lacks, last] = values[rows[lacks], drawn[lacks]]
    entry = (options == drawn[:, None]).argmax(axis=1).astype(np.int32)
    net = worth[rows, entry].astype(np.float64) - prices[np.maximum(drawn, 0)]
    return Shortlists(lists.keys, options, worth, np.where(is_drawn & (net >= 0), entry, -1).astype(np.int32))


def _settled_column(
    column: pa.Array, index: npt.NDArray[np.int32], score: npt.NDArray[np.float32]
) -> pa.Array:
    before = pc.fill_null(column.field("index"), -1).to_numpy(zero_copy_only=False)
    changed = before != index
    if not changed.any():
        return column
    is_given = index >= 0
    mask = pa.array(changed)
    nothing = pa.array(changed & ~is_given)
    component = column.field("component")
    reason = column.field("reason")
    words = [*reason.dictionary.to_pylist(), LIMITED]
    codes = np.where(changed, len(words) - 1, reason.indices.to_numpy(zero_copy_only=False))
    made = {
        "component": pa.DictionaryArray.from_arrays(pa.array(index, mask=~is_given), component.dictionary),
        "index": pa.array(index, mask=~is_given),
        "score": _but(nothing, pc.if_else(mask, pa.array(score), column.field("score"))),
        "propensity": _but(mask, column.field("propensity")),
        "reason": pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), words),
    }
    names = [field.name for field in column.type]
    arrays = [made.get(name, column.field(name)) for name in names]
    return pa.StructArray.from_arrays(arrays, fields=list(column.type))


def _but(where: pa.Array, values: pa.Array) -> pa.Array:
    """The values, null where a mask holds."""
    return pc.if_else(where, pa.scalar(None, values.type), values)


assert LIMITED not in REASONS
