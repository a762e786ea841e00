"""Selector: a policy bound to components and columns; decides batch after batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from labfactory._core import base
from labfactory._core import select as core
from labfactory.base.errors import CompileError, SelectionError, SourceError, nearest
from labfactory.compiler import Expression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from labfactory.compiler import ExpressionPlan
    from labfactory.selection.policy_text import PolicyText
    from labfactory.selection.slot_policy import SlotPolicy

_SEEDS = range(2**64)


class Bindable(Protocol):
    """What a slot can be filled with: a component has a name and perhaps a condition of its own."""

    @property
    def name(self) -> str:
        """The component's name."""

    @property
    def eligible(self) -> str | None:
        """The condition that a customer must meet; None for everybody."""


@dataclass(frozen=True)
class BoundExpression:
    """An expression over the customers' columns; a bare column is taken as it lies."""

    plan: ExpressionPlan
    column: str | None = None

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        """The values, null where they are null or the row failed."""
        return self.plan.evaluate_batch(batch)[0] if self.column is None else batch.column(self.column)


@dataclass
class ExpressionTable:
    """The expressions of a policy, each compiled and evaluated once."""

    schema: pa.Schema
    constants: Mapping[str, object]
    expressions: list[BoundExpression] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, expression: Expression, is_readable: Callable[[pa.DataType], bool]) -> tuple[int, str]:
        """The number of an expression in the table, and the type of its values."""
        source = expression.source
        if source not in self.numbers:
            plan = expression.compile(self.schema, constants=self.constants)
            is_bare = plan.columns == (source,) and is_readable(self.schema.field(source).type)
            self.numbers[source] = len(self.expressions)
            self.expressions.append(BoundExpression(plan, source if is_bare else None))
        number = self.numbers[source]
        return number, self.expressions[number].plan.type


@dataclass(frozen=True)
class BoundSlot:
    """A slot, ready to decide: its core, and the expressions that become the core's columns."""

    name: str
    components: tuple[str, ...]
    core: core.Slot
    expressions: tuple[BoundExpression, ...]
    candidates: tuple[str, ...]
    prices: npt.NDArray[np.float32] | None = None

    def decide(
        self, batch: pa.RecordBatch, hashes: pa.Array, *, seed: int, version: str, threads: int
    ) -> pa.Array:
        """The decisions of every row, as an array of `DECISION`."""
        arrays = [hashes, *(expression.evaluate(batch) for expression in self.expressions)]
        columns = pa.RecordBatch.from_arrays(arrays, [str(number) for number in range(len(arrays))])
        decided = self.core.decide(columns, seed=seed, version=version, threads=threads, prices=self.prices)
        return pa.array(decided)


class Selector:
    """A selection policy bound to the components of a creative and the columns of its customers.

    Immutable; shared by any number of threads.
    """

    def __init__(self, version: str, slots: Sequence[BoundSlot]) -> None:
        self._version = version
        self._slots = tuple(slots)

    def __repr__(self) -> str:
        slots = ", ".join(f"{slot.name}: {len(slot.components)} components" for slot in self._slots)
        return f"Selector(version={self._version!r}, {slots})"

    @property
    def version(self) -> str:
        """The version of the policy."""
        return self._version

    @property
    def slots(self) -> dict[str, tuple[str, ...]]:
        """For each slot its components: what a decision's index counts."""
        return {slot.name: slot.components for slot in self._slots}

    @property
    def columns(self) -> tuple[str, ...]:
        """The customers' columns that it reads, sorted."""
        return tuple(
            sorted(
                {name for slot in self._slots for bound in slot.expressions for name in bound.plan.columns}
            )
        )

    @property
    def candidates(self) -> dict[str, tuple[str, ...]]:
        """For each slot the components that are chosen from: what prices and scores count."""
        return {slot.name: slot.candidates for slot in self._slots}

    def priced(self, prices: Mapping[str, npt.ArrayLike]) -> Selector:
        """The same selector, with what each candidate costs taken off its score when candidates are compared.

        A decision's score stays that of the model; its propensity is the one at these prices. For limits
        with dual prices λ the price of a component is Σ λ·(what one choice of it uses up).

        Args:
            prices: For some slots a number for each of its `candidates`, in the units of the score; slots
                that are left out have none.

        Returns:
            A selector of the same version.

        Raises:
            SelectionError: `unknown_slot`; `decision_input` when prices and candidates differ in number, or
                a price is not finite as float32.
        """
        for name in prices:
            if name not in self.candidates:
                message = f"expected prices for the slots {list(self.candidates)}, found {name!r}"
                raise SelectionError(message, code="unknown_slot", hint=nearest(name, self.candidates))
        slots = [
            replace(slot, prices=_prices(slot, prices[slot.name]) if slot.name in prices else None)
            for slot in self._slots
        ]
        return Selector(self._version, slots)

    def decide(self, batch: pa.RecordBatch, *, keys: pa.Array, seed: int, threads: int = 1) -> pa.RecordBatch:
        """Chooses a component for every customer and slot.

        Args:
            batch: The customers, with the columns that it reads.
            keys: The key of each row, text or integer; a null gets no component.
            seed: The run's seed, from 0 to 2^64 - 1.
            threads: How many threads share the rows; the decisions do not depend on it.

        Returns:
            As many rows in the same order; for each slot a struct column of type `DECISION`, named by the
            slot.

        Raises:
            SelectionError: `decision_input` when keys and rows differ in number or the seed is out of range.
            SourceError: `missing_column`.
        """
        if len(keys) != batch.num_rows:
            message = f"expected a key for each of {batch.num_rows} rows, found {len(keys)}"
            raise SelectionError(message, code="decision_input")
        if seed not in _SEEDS:
            message = f"expected a seed from 0 to 2^64 - 1, found {seed}"
            raise SelectionError(message, code="decision_input")
        for column in self.columns:
            if column not in batch.schema.names:
                message = f"missing column {column!r}"
                raise SourceError(message, code="missing_column", hint=nearest(column, batch.schema.names))
        hashes = pa.array(base.hash_keys(keys))
        decided = [
            slot.decide(batch, hashes, seed=seed, version=self._version, threads=threads)
            for slot in self._slots
        ]
        return pa.RecordBatch.from_arrays(decided, [slot.name for slot in self._slots])


def bind_slot(
    name: str,
    slot: SlotPolicy,
    components: Sequence[Bindable],
    *,
    schema: pa.Schema,
    constants: Mapping[str, object],
    text: PolicyText,
) -> BoundSlot:
    """Compiles one slot's policy; `SelectionPolicy.bind` says how, and what it raises."""
    names = tuple(component.name for component in components)
    candidates = slot.components or names
    with text.at("slots", name):
        for candidate in candidates:
            if candidate not in names:
                message = f"slot {name!r} has no component {candidate!r}"
                raise SelectionError(message, code="unknown_component", hint=nearest(candidate, names))
        slot.check_names(candidates)
        slot.check_floor(len(candidates))
    features = _bind_features(name, slot, ExpressionTable(schema, constants), text)
    conditions = ExpressionTable(schema, constants)
    needed = _bind_eligibility(
        name, slot, candidates, {part.name: part for part in components}, conditions, text
    )
    rules = _bind_rules(name, slot, candidates, conditions, text)
    exploration, model = slot.exploration, slot.model
    made = core.Slot(
        name=name,
        components=names,
        candidates=[names.index(candidate) for candidate in candidates],
        needed=needed,
        rules=rules if slot.rules else None,
        missing=[None if feature.missing == "error" else feature.missing for feature in slot.features],
        weights=np.zeros((len(candidates), 0), np.float32) if model is None else model.weights,
        bias=np.zeros(len(candidates), np.float32) if model is None else model.bias,
        scale="sum" if model is None or model.score == "logit" else "probability",
        temperature=exploration.temperature,
        epsilon=exploration.rate,
        floor=exploration.floor,
    )
    return BoundSlot(name, names, made, (*features, *conditions.expressions), candidates)


def _prices(slot: BoundSlot, prices: npt.ArrayLike) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        numbers = np.array(prices, dtype=np.float32)
    if numbers.shape != (len(slot.candidates),):
        message = f"expected {len(slot.candidates)} prices for slot {slot.name!r}, found {numbers.shape}"
        raise SelectionError(message, code="decision_input")
    if not np.isfinite(numbers).all():
        message = f"expected finite prices, found {numbers[~np.isfinite(numbers)][0]}"
        raise SelectionError(message, code="decision_input")
    return numbers


def _bind_features(
    name: str, slot: SlotPolicy, table: ExpressionTable, text: PolicyText
) -> list[BoundExpression]:
    bound = []
    for number, feature in enumerate(slot.features):
        path = ("slots", name, "features", number, "expression")
        with text.at_expression(feature.expression, *path):
            at, kind = table.add(text.parse(feature.expression, *path), _is_number)
            if kind not in ("boolean", "integer", "floating"):
                message = f"expected numbers or booleans of feature {feature.name!r}, found {kind}"
                raise SelectionError(message, code="feature_type")
            bound.append(table.expressions[at])
    return bound


def _bind_eligibility(
    name: str,
    slot: SlotPolicy,
    candidates: Sequence[str],
    components: Mapping[str, Bindable],
    table: ExpressionTable,
    text: PolicyText,
) -> list[list[int]]:
    needed: list[list[int]] = []
    for candidate in candidates:
        own = components[candidate].eligible
        needed.append([] if own is None else [_bind_own_condition(name, candidate, own, table)])
    for number, rule in enumerate(slot.eligible):
        path = ("slots", name, "eligible", number, "when")
        with text.at_expression(rule.when, *path):
            condition = _bind_condition(text.parse(rule.when, *path), table)
        for at, candidate in enumerate(candidates):
            if rule.component in (None, candidate):
                needed[at].append(condition)
    return needed


def _bind_own_condition(slot: str, component: str, source: str, table: ExpressionTable) -> int:
    place = f"{slot}/{component}: eligible"
    try:
        return _bind_condition(Expression(source, name=place), table)
    except (CompileError, SelectionError) as error:
        if error.template is None:
            error.template, error.source, error.line = place, source, 1
        raise


def _bind_rules(
    name: str, slot: SlotPolicy, candidates: Sequence[str], table: ExpressionTable, text: PolicyText
) -> list[tuple[int, int]]:
    bound = []
    for number, rule in enumerate(slot.rules):
        condition = -1
        if rule.when is not None:
            path = ("slots", name, "rules", number, "when")
            with text.at_expression(rule.when, *path):
                condition = _bind_condition(text.parse(rule.when, *path), table)
        bound.append((condition, candidates.index(rule.component)))
    return bound


def _bind_condition(expression: Expression, table: ExpressionTable) -> int:
    number, kind = table.add(expression, pa.types.is_boolean)
    if kind != "boolean":
        message = f"expected a condition that is true or false, found {kind}"
        hint = "compare it, as in `orders > 0`"
        raise SelectionError(message, code="condition_type", hint=hint)
    return number


def _is_number(kind: pa.DataType) -> bool:
    # The compiler makes row errors of uint64 above the signed maximum, so those go through it.
    is_integer = pa.types.is_integer(kind) and not pa.types.is_uint64(kind)
    return is_integer or pa.types.is_boolean(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind)
