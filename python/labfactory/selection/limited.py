"""LimitedSelector: a selector whose decisions keep limits over all customers; price, shortlist, settle."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base
from labfactory.base.errors import SelectionError
from labfactory.selection.allocation import PricedLimits, price_limits
from labfactory.selection.contact import Cap
from labfactory.selection.exploration import Exploration
from labfactory.selection.limits import Limit, Option, bounds_of
from labfactory.selection.model import LinearModel
from labfactory.selection.ruled_worth import ruled_worth
from labfactory.selection.settled import Settled
from labfactory.selection.shortlists import SHORTLIST, SharedCap, Shortlists
from labfactory.selection.slot_lists import SlotLists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from labfactory.compiler import Functions
    from labfactory.selection.bound_slot import Bindable
    from labfactory.selection.contact_gate import BoundLimit
    from labfactory.selection.policy import SelectionPolicy
    from labfactory.selection.selector import Selector
    from labfactory.selection.slot_policy import SlotPolicy

    Values = npt.NDArray[np.float32]

# Prices of limits under caps are learned on so many customers, by so many of the best options of each: every
# step of that looks at a customer's slots together, which takes some microseconds.
_TOGETHER_ROWS = 25_000
_TOGETHER_LISTED = 24


@dataclass(frozen=True, eq=False)
class LimitedSelector:
    """A selector, the limits that its decisions keep together, and what they count.

    Args:
        selector: Decides one customer at a time.
        valuing: The same without exploration: tells what each candidate is worth.
        limits: By name.
        options: The candidates of all slots, slot by slot.
        caps: What the slots of one customer may get together.
        over_time: The caps over time among them, in the order of their columns.
        priced: The limits with their prices, once they are learned.
    """

    selector: Selector
    valuing: Selector
    limits: Mapping[str, Limit]
    options: tuple[Option, ...]
    caps: tuple[SharedCap, ...] = ()
    over_time: tuple[BoundLimit, ...] = ()
    priced: PricedLimits | None = field(default=None)

    @classmethod
    def of(
        cls,
        policy: SelectionPolicy,
        limits: Mapping[str, Limit],
        components: Mapping[str, Sequence[Bindable]],
        schema: pa.Schema,
        constants: Mapping[str, object] | None = None,
        functions: Functions | None = None,
        *,
        channel: str = "",
    ) -> LimitedSelector:
        """Bind a policy whose decisions are to keep limits.

        Args:
            policy: The policy; what a rule's choice is worth, its `ChoiceRule` says.
            limits: By name.
            components: For each slot its components; their `tags` count, where they have any.
            schema: The customers' columns.
            constants: Values that names in expressions stand for.
            functions: What expressions may call.
            channel: The channel that all goes out by.

        Returns:
            The selector.

        Raises:
            SelectionError: `limit` when a slot explores beside rules or a limit names nothing; and as
                `SelectionPolicy.bind`.
        """
        for name, slot in policy.slots.items():
            explores = slot.exploration.mode != "greedy" or slot.exploration.floor > 0
            if slot.rules and explores:
                message = f"expected slot {name!r} to follow its rules under limits, found exploration"
                hint = "what no rule gives has no worth to weigh; a model's scores have"
                raise SelectionError(message, code="limit", hint=hint)
        greedy = {name: _valuing(slot) for name, slot in policy.slots.items()}
        selector = policy.bind(components, schema, constants, functions)
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
        valuing = replace(policy, slots=greedy).bind(components, schema, constants, functions)
        return cls(selector, valuing, dict(limits), options, *_shared_caps(selector))

    def at(
        self, *, now: datetime | None = None, history: object = None, planned: object = None
    ) -> LimitedSelector:
        """The same at a moment, as `Selector.at`."""
        selector, valuing = (
            one.at(now=now, history=history, planned=planned) for one in (self.selector, self.valuing)
        )
        return replace(self, selector=selector, valuing=valuing)

    def values(
        self, batch: pa.RecordBatch, keys: pa.Array, *, seed: int, threads: int = 1, **moment: Any
    ) -> Values:
        """What each option is worth to each customer, by the policy's scores.

        Args:
            batch: Customers.
            keys: Their keys.
            seed: The run's, by which customers of a control arm have the one option that they drew.
            threads: They change nothing.
            moment: `now`, `history` and `planned`, where the policy needs them.

        Returns:
            [customers, options]; NaN where the customer may not have it.
        """
        worth = self._worth(batch, keys, None, seed=seed, threads=threads, **moment)
        return np.concatenate(list(worth.values()), axis=1)

    def left(
        self, batch: pa.RecordBatch, keys: pa.Array, *, seed: int, **moment: Any
    ) -> npt.NDArray[np.int32]:
        """What caps over time leave each customer for its slots together, [customers, caps]."""
        gate = self.selector.gate
        at = self.selector.moment(batch, keys=keys, seed=seed, **moment)
        hashes = np.asarray(pa.array(base.hash_keys(keys)).fill_null(0))
        columns = [gate.allowance(limit, batch, hashes, at).reserved for limit in self.over_time]
        slots = len(self.selector.candidates)
        kept = [np.minimum(column, slots) for column in columns if column is not None]
        found: npt.NDArray[np.int32] = np.zeros((batch.num_rows, len(kept)), np.int32)
        for place, column in enumerate(kept):
            found[:, place] = column
        return found

    def learn(
        self,
        sample: Values,
        *,
        customers: int,
        left: npt.NDArray[np.int32] | None = None,
        threads: int = 2,
    ) -> LimitedSelector:
        """The same selector with prices, learned on a sample of customers.

        Args:
            sample: What the options are worth to them, a row for each: `values` tells.
            customers: How many there are in all.
            left: What caps over time leave them: `left` tells; needed where slots share such caps.
            threads: They change nothing.
        """
        slots = len(self.selector.candidates)
        priced = price_limits(
            self._rows_by_slot(sample),
            self.limits,
            self.options,
            customers=customers * slots,
            threads=threads,
        )
        if self.caps:
            few = sample[:_TOGETHER_ROWS]
            lists = self._lists(priced, few, None, best=_TOGETHER_LISTED, threads=threads)
            # Customers are sampled at the same share where fewer of them are looked at.
            stand_for = max(round(customers * len(few) / max(len(sample), 1)), 1)
            at_most = np.array([getattr(limit.rule, "at_most", 0) for limit in self.over_time], np.int32)
            of_few = np.tile(at_most, (len(few), 1)) if left is None else left[:_TOGETHER_ROWS]
            lists = replace(lists, left=np.ascontiguousarray(of_few))
            priced = replace(priced, caps=self.caps).relearned(lists, customers=stand_for, threads=threads)
        return replace(self, priced=priced)

    def with_prices(self, prices: Sequence[float]) -> LimitedSelector:
        """The same selector at prices that were learned before.

        Args:
            prices: Of each side of the limits, as `PricedLimits` has them.
        """
        bounds = bounds_of(self.limits, self.options)
        priced = PricedLimits(bounds, np.array(prices, np.float64), len(self.options), self.caps)
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
            moment: `now`, `history` and `planned`, where the policy needs them.

        Returns:
            A shortlist for each slot of each customer.
        """
        decided = self.decide(batch, keys=keys, seed=seed, threads=threads, **moment)
        worth = self._worth(batch, keys, decided, seed=seed, threads=threads, **moment)
        values = np.concatenate(list(worth.values()), axis=1)
        lists = self._lists(self.require_priced(), values, decided, best=SHORTLIST, threads=threads)
        hashes = pa.array(base.hash_keys(keys)).to_numpy()
        return replace(lists, keys=hashes, left=self.left(batch, keys, seed=seed, **moment))

    def decide(
        self, batch: pa.RecordBatch, *, keys: pa.Array, seed: int, threads: int = 1, **moment: Any
    ) -> pa.RecordBatch:
        """Choose at the frozen prices, before anything is settled; as `Selector.decide`."""
        prices = {
            name: self.require_priced().option_prices[options] for name, options in self._options_of.items()
        }
        return self.selector.priced(prices).decide(batch, keys=keys, seed=seed, threads=threads, **moment)

    def settled(
        self, choices: npt.NDArray[np.int32], lists: Shortlists, rows: npt.NDArray[np.int64], source_rows: int
    ) -> Settled:
        """Where every row of the source finds what it got.

        Args:
            choices: What `PricedLimits.settle` gave each slot of each customer.
            lists: The shortlists.
            rows: The row of the source that each customer has.
            source_rows: How many the source has.
        """
        names = tuple(self.selector.candidates)
        made = Settled.nothing(names, source_rows)
        self.fill(made, choices, lists, rows)
        return made

    def fill(
        self,
        settled: Settled,
        choices: npt.NDArray[np.int32],
        lists: Shortlists,
        rows: npt.NDArray[np.int64],
    ) -> None:
        """Write what some customers got to their rows; arguments as `settled`."""
        slot_of = np.tile(np.arange(lists.slots), len(lists.keys))
        row_of = np.repeat(rows, lists.slots)
        given = choices >= 0
        entry = (lists.options[given] == choices[given, None]).argmax(axis=1)
        settled.index[row_of[given], slot_of[given]] = self._index_of[choices[given]]
        settled.score[row_of[given], slot_of[given]] = lists.values[given][np.arange(int(given.sum())), entry]
        for place, name in enumerate(settled.slots):
            if name in self._ruled:  # as without limits, where rules have no scores
                settled.score[rows, place] = 0.0

    def require_priced(self) -> PricedLimits:
        """The limits with their prices; `learn` comes first."""
        assert self.priced is not None, "prices are learned first"
        return self.priced

    @property
    def _ruled(self) -> frozenset[str]:
        """The slots that choose by rules."""
        return frozenset(slot.name for slot in self.selector.bound if slot.rules)

    @property
    def _options_of(self) -> dict[str, slice]:
        """Of each slot its options."""
        return options_of(self.selector)

    @property
    def _index_of(self) -> npt.NDArray[np.int32]:
        """Of each option its position among its slot's components."""
        places = [self.selector.slots[option.slot].index(option.component) for option in self.options]
        return np.array(places, np.int32)

    def _worth(
        self,
        batch: pa.RecordBatch,
        keys: pa.Array,
        decided: pa.RecordBatch | None,
        *,
        seed: int,
        threads: int,
        **moment: Any,
    ) -> dict[str, Values]:
        """Of each slot what its candidates are worth."""
        worth = self.valuing.values(batch, keys=keys, seed=seed, threads=threads, **moment)
        for slot in self.selector.bound:
            if slot.rules:
                worth[slot.name] = ruled_worth(slot, batch, worth[slot.name])
        if not any(holdout.gives == "control" for holdout in self.selector.gate.rules.holdouts):
            return worth
        # A control arm's draw does not depend on prices.
        drawn = decided or self.selector.decide(batch, keys=keys, seed=seed, threads=threads, **moment)
        for name, values in worth.items():
            column = drawn.column(name)
            is_control = np.array(column.field("reason").cast(pa.utf8()).to_pylist(), object) == "control"
            index = pc.fill_null(column.field("index"), -1).to_numpy(zero_copy_only=False)
            own = np.array([self.selector.slots[name].index(one) for one in self.selector.candidates[name]])
            values[is_control[:, None] & (index[:, None] != own)] = np.nan
            # What the lot gave though no rule does is worth nothing, and is kept while there is room.
            values[is_control[:, None] & (index[:, None] == own) & np.isnan(values)] = 0.0
        return worth

    def _lists(
        self,
        priced: PricedLimits,
        values: Values,
        decided: pa.RecordBatch | None,
        *,
        best: int,
        threads: int,
    ) -> Shortlists:
        """The shortlists of some customers, whose keys are numbers."""
        parts = []
        for name, options in self._options_of.items():
            part = SlotLists.of(priced, values, options, best=best, threads=threads)
            if decided is not None:
                index = pc.fill_null(decided.column(name).field("index"), -1).to_numpy(zero_copy_only=False)
                of_component = np.full(len(self.selector.slots[name]) + 1, -1, np.int32)
                of_component[self._index_of[options]] = np.arange(options.start, options.stop)
                # Rules draw nothing and know no prices: the best at them is the choice.
                drawn = part.options[:, 0] if name in self._ruled else of_component[index]
                part = part.with_drawn(drawn, values, priced.option_prices)
            parts.append(part)
        keys = np.arange(len(values), dtype=np.uint64)
        return SlotLists.together(keys, parts)

    def _rows_by_slot(self, values: Values) -> Values:
        """A row for each customer and slot, with the other slots' options left out."""
        options = self._options_of
        if len(options) == 1:
            return values
        made = np.full((len(options), *values.shape), np.nan, np.float32)
        for place, part in enumerate(options.values()):
            made[place, :, part] = values[:, part]
        return made.reshape(-1, values.shape[1])


def options_of(selector: Selector) -> dict[str, slice]:
    """Of each slot its part of the options, which count all slots' candidates."""
    found, first = {}, 0
    for name, candidates in selector.candidates.items():
        found[name] = slice(first, first + len(candidates))
        first += len(candidates)
    return found


def _shared_caps(selector: Selector) -> tuple[tuple[SharedCap, ...], tuple[BoundLimit, ...]]:
    """Caps that a choice in one slot can use up for another; others only say what a customer may have."""
    firsts = [options.start for options in options_of(selector).values()]
    caps: list[SharedCap] = []
    over_time: list[BoundLimit] = []
    for limit in selector.gate.limits:
        slots = {slot for slot, _ in limit.members}
        if not isinstance(limit.rule, Cap) or len(slots) < 2:
            continue
        options = tuple(firsts[slot] + candidate for slot, candidate in limit.members)
        if limit.rule.is_over_time:
            caps.append(SharedCap(options, 0, len(over_time)))
            over_time.append(limit)
        elif limit.rule.at_most < len(slots):
            caps.append(SharedCap(options, limit.rule.at_most))
    return tuple(caps), tuple(over_time)


def _valuing(slot: SlotPolicy) -> SlotPolicy:
    """The slot without exploration: by its model, or by the means of its beliefs."""
    if not slot.beliefs:
        return replace(slot, exploration=Exploration())
    means = [slot.beliefs[name][0] / sum(slot.beliefs[name]) for name in slot.components]
    model = LinearModel.of_arrays(np.zeros((len(means), 0)), means)
    return replace(slot, exploration=Exploration(), beliefs={}, model=model)
