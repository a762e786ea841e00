"""How one slot is filled: its candidates, who may get them, and which one of them is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labfactory.base.errors import SelectionError, nearest
from labfactory.selection.exploration import Exploration
from labfactory.selection.model import Feature, LinearModel
from labfactory.selection.rules import ChoiceRule, EligibilityRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from labfactory.selection.arbitration import Arbitration

TIERS = ("eligible", "applicable", "suitable")


@dataclass(frozen=True, kw_only=True)
class SlotPolicy:
    """The policy of one slot.

    Without model and rules every eligible component has score 0: greedy takes the first of them. Rules take
    the place of a model: the first rule that holds, and whose component is eligible, names it; a customer
    for whom no rule does so gets no component.

    Args:
        components: The candidates; the first wins ties. Empty: all components that the slot has when it is
            bound.
        features: What the model reads, in the order of its weights.
        model: A score of each of `components`; None scores all 0.
        exploration: How often another component than the best one is tried.
        eligible: Conditions, beside each component's own: who may get it.
        applicable: Conditions: for whom it makes sense now.
        suitable: Conditions: for whom it is right. The three tiers differ in what they tell; a component
            needs all of them.
        rules: What gives a component by condition; not together with a model.
        arbitration: A formula over the model's score, which is the score without one.
        beliefs: For each of `components` a Beta belief (successes, failures) about its rate, each 1 or more;
            for Thompson sampling without a model.
        channel: What history and caps know the slot's choices by.
        type: Likewise.
        fills: The creative's slots that the policy fills, each with another component, the best one first
            choosing; empty: the slot that it is named by.

    Raises:
        SelectionError: `duplicate_component`, `duplicate_feature`, `unknown_component`, `rules_and_model`,
            `model_shape`, `exploration`, `formula`.
    """

    components: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    model: LinearModel | None = None
    exploration: Exploration = field(default_factory=Exploration)
    eligible: tuple[EligibilityRule, ...] = ()
    applicable: tuple[EligibilityRule, ...] = ()
    suitable: tuple[EligibilityRule, ...] = ()
    rules: tuple[ChoiceRule, ...] = ()
    arbitration: Arbitration | None = None
    beliefs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    channel: str | None = None
    type: str | None = None
    fills: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "beliefs", dict(self.beliefs))
        _refuse_duplicates(self.components, "component")
        _refuse_duplicates(self.fills, "slot")
        _refuse_duplicates([feature.name for feature in self.features], "feature")
        if self.rules and self.model is not None:
            message = "expected rules or a model, found both"
            raise SelectionError(message, code="rules_and_model")
        self._check_model()
        self._check_arbitration()
        self._check_exploration()
        if self.components:
            self.check_names(self.components)
            self.check_floor(len(self.components))

    @classmethod
    def build(
        cls,
        *,
        components: Sequence[str] = (),
        features: Mapping[str, str] | Sequence[Feature] = (),
        weights: npt.ArrayLike | None = None,
        bias: npt.ArrayLike | None = None,
        estimator: object = None,
        kind: Literal["linear", "logistic"] = "linear",
        score: Literal["logit", "probability"] = "logit",
        exploration: Exploration | None = None,
        eligible: Sequence[str | EligibilityRule] = (),
        rules: Sequence[ChoiceRule] = (),
        shared: npt.ArrayLike | None = None,
        uncertainty: npt.ArrayLike | None = None,
        **more: Any,
    ) -> SlotPolicy:
        """Makes a slot's policy from arrays or from fitted linear models.

        Args:
            components: The candidates, in the order of the weights' rows.
            features: Expressions by name, in the order of the weights' columns; or features.
            weights: [components, features]; narrowed to float32.
            bias: [components]; zeros when there are weights alone.
            estimator: In place of weights and bias: what `LinearModel.of` reads.
            kind: Of a model made from weights.
            score: What a logistic score is.
            exploration: Greedy when None.
            eligible: Conditions for all components, or rules.
            rules: What gives a component by condition, in place of a model.
            shared: [features], added to the weights of every component.
            uncertainty: Of the weights, as `LinearModel` has it.
            more: The other arguments of the class.

        Returns:
            The policy of the slot.

        Raises:
            SelectionError: As the class; `model_kind`, `model_value`.

        Example:
            >>> slot = SlotPolicy.build(components=["a", "b"], features={"age": "age"}, weights=[[2], [-2]])
            >>> slot.model.bias
            array([0., 0.], dtype=float32)
        """
        if isinstance(features, Mapping):
            features = [Feature(name=name, expression=expression) for name, expression in features.items()]
        model = None
        if estimator is not None and weights is not None:
            message = "expected weights or an estimator, found both"
            raise SelectionError(message, code="model_shape")
        if estimator is not None:
            model = LinearModel.of(estimator, components, score=score)
        elif weights is not None:
            zeros = np.zeros(len(components))
            given = zeros if bias is None else bias
            model = LinearModel.of_arrays(
                weights, given, kind=kind, score=score, shared=shared, uncertainty=uncertainty
            )
        return cls(
            components=tuple(components),
            features=tuple(features),
            model=model,
            exploration=exploration or Exploration(),
            eligible=tuple(
                EligibilityRule(when=rule) if isinstance(rule, str) else rule for rule in eligible
            ),
            rules=tuple(rules),
            **more,
        )

    def check_names(self, components: Sequence[str]) -> None:
        """Refuses rules that name none of these components.

        Raises:
            SelectionError: `unknown_component`.
        """
        named = [rule.component for _, _, rule in self.conditions]
        named += [rule.component for rule in self.rules]
        named += [] if self.arbitration is None else list(self.arbitration.terms)
        for name in (*named, *self.beliefs):
            if name is not None and name not in components:
                message = f"unknown component {name!r} in a rule"
                raise SelectionError(message, code="unknown_component", hint=nearest(name, components))

    @property
    def conditions(self) -> tuple[tuple[str, int, EligibilityRule], ...]:
        """The conditions of all tiers: the tier, the number in it, the condition."""
        return tuple(
            (tier, number, rule) for tier in TIERS for number, rule in enumerate(getattr(self, tier))
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the numbers that weights are given for, in their order."""
        return tuple(column for feature in self.features for column in feature.columns)

    @property
    def expressions(self) -> tuple[str, ...]:
        """Its expressions."""
        conditions = [rule.when for _, _, rule in self.conditions]
        rules = [*conditions, *(rule.when for rule in self.rules)]
        terms = [] if self.arbitration is None else list(self.arbitration.terms.values())
        values = [value for of_component in terms for value in of_component.values()]
        given = [*rules, *(feature.expression for feature in self.features), *values]
        return tuple(one for one in given if isinstance(one, str))

    def check_floor(self, components: int) -> None:
        """Refuses a floor that so many components cannot all have.

        Raises:
            SelectionError: `exploration`.
        """
        floor = self.exploration.floor
        if floor * components > 1:
            message = f"expected a floor of at most 1/{components} for {components} components, found {floor}"
            raise SelectionError(message, code="exploration")

    def _check_model(self) -> None:
        if self.model is None:
            if self.features:
                message = f"expected a model for {len(self.features)} features, found none"
                raise SelectionError(message, code="model_shape")
            return
        expected = (len(self.components), len(self.inputs))
        if self.model.weights.shape != expected:
            found = " x ".join(str(size) for size in self.model.weights.shape)
            message = f"expected weights of {expected[0]} components x {expected[1]} features, found {found}"
            raise SelectionError(message, code="model_shape")

    def _check_arbitration(self) -> None:
        if self.arbitration is not None and self.model is None:
            message = "expected a model whose score the formula reads, found none"
            raise SelectionError(message, code="formula")

    def _check_exploration(self) -> None:
        mode = self.exploration.mode
        if self.beliefs and (self.model is not None or self.rules or mode != "thompson"):
            message = f"expected beliefs with mode thompson, without model and rules, found mode {mode}"
            raise SelectionError(message, code="exploration")
        if self.beliefs and set(self.beliefs) != set(self.components):
            message = f"expected beliefs of {list(self.components)}, found {list(self.beliefs)}"
            raise SelectionError(message, code="model_shape")
        for name, belief in self.beliefs.items():
            if len(belief) != 2 or not all(1 <= number < float("inf") for number in belief):
                message = f"expected a belief of two numbers of 1 or more of {name!r}, found {belief}"
                raise SelectionError(message, code="model_value")
        if self.exploration.needs_uncertainty and not self.beliefs:
            self._check_uncertain(mode)

    def _check_uncertain(self, mode: str) -> None:
        if self.model is None or self.model.uncertainty is None:
            message = f"expected a model with an uncertainty for mode {mode}, found none"
            raise SelectionError(message, code="exploration")


def _refuse_duplicates(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            message = f"expected each {what} once, found {name!r} again"
            code = "duplicate_feature" if what == "feature" else "duplicate_component"
            raise SelectionError(message, code=code)
        seen.add(name)
