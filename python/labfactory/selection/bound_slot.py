"""A slot's policy bound to the components of a creative and the columns of its customers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from labfactory._core import select as core
from labfactory.base.errors import CompileError, SelectionError, nearest
from labfactory.compiler import Expression
from labfactory.selection.arbitration import TERMS
from labfactory.selection.bound_expression import (
    BoundExpression,
    BoundFeature,
    ExpressionTable,
    Given,
    is_number,
)
from labfactory.selection.one import OneCustomer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from labfactory.selection.policy_text import PolicyText
    from labfactory.selection.slot_policy import SlotPolicy

Condition = tuple[str, str]
"""Where a condition comes from (`component` or a tier), and its text."""


class Bindable(Protocol):
    """What a slot can be filled with: a component has a name and perhaps a condition of its own."""

    @property
    def name(self) -> str:
        """The component's name."""

    @property
    def eligible(self) -> str | None:
        """The condition that a customer must meet; None for everybody."""


@dataclass(frozen=True)
class BoundSlot:
    """A slot, ready to decide: its core, and the expressions that become the core's columns."""

    name: str
    components: tuple[str, ...]
    core: core.Slot
    candidates: tuple[str, ...]
    features: tuple[BoundFeature, ...]
    terms: tuple[BoundExpression, ...]
    conditions: tuple[BoundExpression, ...]
    needed: tuple[tuple[int, ...], ...]
    origins: tuple[tuple[Condition, ...], ...]
    rules: tuple[tuple[int, int], ...] = ()
    worths: tuple[float | None, ...] = ()
    facts: tuple[str | None, str | None] = (None, None)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prices: npt.NDArray[np.float32] | None = None
    one: OneCustomer | None = None

    @cached_property
    def has_numbers_alone(self) -> bool:
        """Whether no feature is encoded."""
        return all(bound.feature.encoding == "number" for bound in self.features)

    @property
    def expressions(self) -> tuple[BoundExpression, ...]:
        """All that it reads."""
        return (*(feature.expression for feature in self.features), *self.terms, *self.conditions)

    def columns(self, batch: pa.RecordBatch, hashes: pa.Array) -> pa.RecordBatch:
        """What the core decides by: hashes of the keys, features, terms, conditions."""
        arrays = [hashes]
        for feature in self.features:
            arrays.extend(feature.evaluate(batch))
        arrays.extend(term.evaluate(batch) for term in self.terms)
        arrays.extend(condition.evaluate(batch) for condition in self.conditions)
        return pa.RecordBatch.from_arrays(arrays, [str(number) for number in range(len(arrays))])

    def priced(self, prices: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Prices in the core's form.

        Raises:
            SelectionError: `decision_input` when their number is another, or one is not finite as float32.
        """
        try:
            with np.errstate(over="ignore"):
                numbers = np.array(prices, dtype=np.float32)
        except (TypeError, ValueError):
            message = f"expected numbers as prices for slot {self.name!r}, found {prices!r}"
            raise SelectionError(message, code="decision_input") from None
        if numbers.shape != (len(self.candidates),):
            message = f"expected {len(self.candidates)} prices for slot {self.name!r}, found {numbers.shape}"
            raise SelectionError(message, code="decision_input")
        if not np.isfinite(numbers).all():
            message = f"expected finite prices, found {numbers[~np.isfinite(numbers)][0]}"
            raise SelectionError(message, code="decision_input")
        return numbers


@dataclass(frozen=True)
class SlotBinder:
    """Compiles the policy of one slot; `SelectionPolicy.bind` says how, and what it raises."""

    name: str
    slot: SlotPolicy
    components: Sequence[Bindable]
    schema: pa.Schema
    given: Given
    text: PolicyText

    @property
    def path(self) -> tuple[str, str]:
        """Where the slot stands in the file."""
        return ("slots", self.name)

    def bind(self, fill: str) -> BoundSlot:
        """The policy for one of the slots that it fills."""
        names = tuple(component.name for component in self.components)
        candidates = self.slot.components or names
        self._check(names, candidates)
        features = tuple(self._bind_features())
        terms = ExpressionTable(self.schema, self.given)
        arbitration = self._bind_arbitration(candidates, terms)
        conditions = ExpressionTable(self.schema, self.given)
        needed, origins = self._bind_eligibility(candidates, conditions)
        rules = self._bind_rules(candidates, conditions)
        made = core.Slot(
            name=fill,
            components=names,
            candidates=[names.index(candidate) for candidate in candidates],
            needed=needed,
            rules=rules if self.slot.rules else None,
            missing=[
                None if feature.missing == "error" else feature.missing
                for feature in self.slot.features
                for _ in feature.columns
            ],
            **self._numbers(candidates),
            arbitration=arbitration,
        )
        bound = BoundSlot(
            name=fill,
            components=names,
            core=made,
            candidates=tuple(candidates),
            features=features,
            terms=tuple(terms.expressions),
            conditions=tuple(conditions.expressions),
            needed=tuple(tuple(numbers) for numbers in needed),
            origins=tuple(tuple(where) for where in origins),
            rules=tuple(rules),
            worths=tuple(rule.worth for rule in self.slot.rules),
            facts=(self.slot.channel, self.slot.type),
            tags={part.name: tuple(getattr(part, "tags", ())) for part in self.components},
        )
        return replace(bound, one=OneCustomer.of(bound.expressions, self.given.names))

    def _numbers(self, candidates: Sequence[str]) -> dict[str, Any]:
        model, exploration = self.slot.model, self.slot.exploration
        bases = {"softmax": "softmax", "squarecb": "squarecb", "ucb": "ucb", "thompson": "thompson"}
        base = "beta" if self.slot.beliefs else bases.get(exploration.mode, "best")
        none = np.zeros((len(candidates), 0), np.float32)
        return {
            "weights": none if model is None else model.weights,
            "bias": np.zeros(len(candidates), np.float32) if model is None else model.bias,
            "scale": "sum" if model is None or model.score == "logit" else "probability",
            "base": base,
            "strength": exploration.strength,
            "epsilon": exploration.rate,
            "floor": exploration.floor,
            "uncertainty": None if model is None or not exploration.needs_uncertainty else model.uncertainty,
            "beliefs": [self.slot.beliefs[candidate] for candidate in candidates]
            if self.slot.beliefs
            else [],
        }

    def _check(self, names: Sequence[str], candidates: Sequence[str]) -> None:
        with self.text.at(*self.path):
            for name in names:
                if names.count(name) > 1:
                    message = f"expected each component of slot {self.name!r} once, found {name!r} again"
                    raise SelectionError(message, code="duplicate_component")
            for candidate in candidates:
                if candidate not in names:
                    message = f"slot {self.name!r} has no component {candidate!r}"
                    raise SelectionError(message, code="unknown_component", hint=nearest(candidate, names))
            self.slot.check_names(candidates)
            self.slot.check_floor(len(candidates))

    def _bind_features(self) -> list[BoundFeature]:
        table = ExpressionTable(self.schema, self.given)
        bound = []
        for number, feature in enumerate(self.slot.features):
            path = (*self.path, "features", number, "expression")
            is_encoded = feature.encoding != "number"
            with self.text.at_expression(feature.expression, *path):
                expression = self.text.parse(feature.expression, *path)
                at, kind = table.add(expression, _is_category if is_encoded else is_number)
                wanted = ("text", "boolean", "integer") if is_encoded else ("boolean", "integer", "floating")
                if not any(kind.startswith(one) for one in wanted):
                    what = "text, integers or booleans" if is_encoded else "numbers or booleans"
                    message = f"expected {what} of feature {feature.name!r}, found {kind}"
                    raise SelectionError(message, code="feature_type")
            bound.append(BoundFeature(feature, table.expressions[at]))
        return bound

    def _bind_arbitration(
        self, candidates: Sequence[str], table: ExpressionTable
    ) -> tuple[list[tuple[str, float]], list[tuple[float, int]]] | None:
        arbitration = self.slot.arbitration
        if arbitration is None:
            return None
        terms: list[tuple[float, int]] = []
        for candidate in candidates:
            given = arbitration.terms.get(candidate, {})
            for term in TERMS:
                value = given.get(term, 1.0)
                if not isinstance(value, str):
                    terms.append((float(value), -1))
                    continue
                path = (*self.path, "arbitration", "components", candidate, term)
                with self.text.at_expression(value, *path):
                    at, kind = table.add(self.text.parse(value, *path), is_number)
                    if kind not in ("boolean", "integer", "floating"):
                        message = f"expected numbers of the {term} of {candidate!r}, found {kind}"
                        raise SelectionError(message, code="feature_type")
                terms.append((1.0, at))
        return arbitration.steps(), terms

    def _bind_eligibility(
        self, candidates: Sequence[str], table: ExpressionTable
    ) -> tuple[list[list[int]], list[list[Condition]]]:
        components = {part.name: part for part in self.components}
        needed: list[list[int]] = []
        origins: list[list[Condition]] = []
        for candidate in candidates:
            own = components[candidate].eligible
            needed.append([] if own is None else [self._bind_own(candidate, own, table)])
            origins.append([] if own is None else [("component", own)])
        for tier, number, rule in self.slot.conditions:
            path = (*self.path, tier, number, "when")
            with self.text.at_expression(rule.when, *path):
                condition = bind_condition(self.text.parse(rule.when, *path), table)
            for at, candidate in enumerate(candidates):
                if rule.component in (None, candidate):
                    needed[at].append(condition)
                    origins[at].append((tier, rule.when))
        return needed, origins

    def _bind_own(self, component: str, source: str, table: ExpressionTable) -> int:
        place = f"{self.name}/{component}: eligible"
        try:
            return bind_condition(Expression(source, name=place), table)
        except (CompileError, SelectionError) as error:
            if error.template is None:
                error.template, error.source, error.line = place, source, 1
            raise

    def _bind_rules(self, candidates: Sequence[str], table: ExpressionTable) -> list[tuple[int, int]]:
        bound = []
        for number, rule in enumerate(self.slot.rules):
            condition = -1
            if rule.when is not None:
                path = (*self.path, "rules", number, "when")
                with self.text.at_expression(rule.when, *path):
                    condition = bind_condition(self.text.parse(rule.when, *path), table)
            bound.append((condition, candidates.index(rule.component)))
        return bound


def bind_condition(expression: Expression, table: ExpressionTable) -> int:
    """The number of a condition in a table.

    Raises:
        SelectionError: `condition_type` when it is not boolean.
    """
    number, kind = table.add(expression, pa.types.is_boolean)
    if kind != "boolean":
        message = f"expected a condition that is true or false, found {kind}"
        hint = "compare it, as in `orders > 0`"
        raise SelectionError(message, code="condition_type", hint=hint)
    return number


def _is_category(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return bool(is_text or pa.types.is_integer(kind) or pa.types.is_boolean(kind))
