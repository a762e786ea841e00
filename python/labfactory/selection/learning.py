"""Learning: a policy and what came of its decisions make a draft of its next version."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base as core_base
from labfactory.assignment import key_texts
from labfactory.base.canonical import canonical_json
from labfactory.base.columns import float_values, plain_table
from labfactory.base.errors import SelectionError
from labfactory.base.sources import batches
from labfactory.compiler import Expression
from labfactory.selection.bound_expression import BoundExpression, BoundFeature, Given
from labfactory.selection.matching import Unmatched, Window, match
from labfactory.selection.posterior import (
    Normal,
    beta_posterior,
    linear_posterior,
    logistic_posterior,
    row_weights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from labfactory.selection.model import Feature, LinearModel
    from labfactory.selection.policy import SelectionPolicy
    from labfactory.selection.slot_policy import SlotPolicy

    Floats = npt.NDArray[np.float64]

# The largest 1 / propensity that a row counts for; beyond it one customer would speak for twenty.
_MOST_WEIGHT = 20.0


@dataclass(frozen=True, slots=True)
class LearnedComponent:
    """What a component's rewards were.

    Args:
        slot: Its slot.
        component: Its name.
        decisions: Decisions that were learned from.
        reward: Their mean reward; None without decisions.
        weight: What they count for together.
    """

    slot: str
    component: str
    decisions: int
    reward: float | None
    weight: float


@dataclass(frozen=True, repr=False, eq=False)
class Learned:
    """A draft of a policy's next version, what it was learned from, and what was kept to judge it by.

    Args:
        policy: The draft. It decides nothing until a graduation policy has passed a package with it.
        current: The version that it was learned from.
        components: What was learned of each component.
        unmatched: What was left out.
        judged_by: Decisions that nothing was learned from: key, slot, component, propensity, reward.
    """

    policy: SelectionPolicy
    current: SelectionPolicy
    components: tuple[LearnedComponent, ...]
    unmatched: Unmatched
    judged_by: pl.DataFrame = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The draft's origin as JSON holds it."""
        return {
            "components": [asdict(row) for row in self.components],
            "current": self.current.version,
            "draft": self.policy.version,
            "judged_by": self.judged_by.height,
            "unmatched": asdict(self.unmatched),
        }

    def to_json(self) -> bytes:
        """Canonical JSON: equal origins have equal bytes."""
        return canonical_json(self.to_dict())

    def to_frame(self) -> pl.DataFrame:
        """A row for each component."""
        kinds = {"slot": pl.String, "component": pl.String, "decisions": pl.Int64}
        return pl.DataFrame(
            [asdict(row) for row in self.components],
            schema={**kinds, "reward": pl.Float64, "weight": pl.Float64},
        )

    def __repr__(self) -> str:
        origin = f"draft {self.policy.version!r}, learned from {self.current.version!r}"
        lines = [f"{origin}; to be judged by {self.judged_by.height:,} decisions"]
        for row in self.components:
            reward = "–" if row.reward is None else f"{row.reward:.5g}"
            lines.append(f"  {row.slot}/{row.component}: {row.decisions:,} decisions, mean reward {reward}")
        left = {
            name: count for name, count in asdict(self.unmatched).items() if isinstance(count, int) and count
        }
        lines += [f"! {name.replace('_', ' ')}: {count:,}" for name, count in left.items()]
        return "\n".join(lines)


def learn_policy(
    policy: SelectionPolicy,
    decisions: Any,
    outcomes: Any,
    *,
    version: str,
    customers: Any = None,
    reward: str = "reward",
    key: str = "key",
    slot: str | None = None,
    window: Window | None = None,
    absent: float | None = None,
    weighting: Literal["none", "propensity"] = "none",
    noise: float | None = None,
    prior_precision: float = 1.0,
    held_out: float = 0.3,
    given: Given,
) -> Learned:
    """Learn the next version of a policy; `SelectionPolicy.learn` says how."""
    if version == policy.version:
        message = f"expected another version than {policy.version!r}, found the same: both would draw alike"
        raise SelectionError(message, code="learning")
    if not 0 <= held_out < 1 or not prior_precision > 0 or (noise is not None and not noise > 0):
        message = (
            "expected held_out from 0 to below 1, noise and prior_precision above 0, "
            f"found {held_out}, {noise} and {prior_precision}"
        )
        raise SelectionError(message, code="learning")
    matched, unmatched = match(
        decisions, outcomes, reward=reward, key=key, slot=slot, window=window, absent=absent
    )
    is_held = _held_out(matched["key"], version, held_out)
    teaching = matched.filter(~is_held)
    people = None if customers is None else _people(customers, key)
    made: dict[str, SlotPolicy] = {}
    rows: list[LearnedComponent] = []
    for name, slot_policy in policy.slots.items():
        lesson = _Lesson(
            name, slot_policy, teaching.filter(pl.col("slot") == name), weighting, noise, prior_precision
        )
        made[name] = lesson.learned(people, given)
        rows += lesson.rows()
    return Learned(
        replace(policy, version=version, slots=made), policy, tuple(rows), unmatched, matched.filter(is_held)
    )


def _held_out(keys: pl.Series, version: str, share: float) -> pl.Series:
    """Which customers the draft is to be judged by: by lot of key and version."""
    texts = keys.cast(pl.String) + f"/{version}/judged"
    hashes = pa.array(core_base.hash_keys(texts.to_arrow())).to_numpy()
    return pl.Series(hashes < np.uint64(min(share * 2.0**64, 2.0**64 - 2048)), dtype=pl.Boolean)


@dataclass(frozen=True, eq=False)
class _Lesson:
    """One slot, and the decisions that it learns from."""

    name: str
    slot: SlotPolicy
    decided: pl.DataFrame
    weighting: Literal["none", "propensity"]
    noise: float | None
    prior_precision: float

    def learned(self, people: pa.Table | None, given: Given) -> SlotPolicy:
        if self.slot.beliefs:
            return replace(self.slot, beliefs=self._beliefs(self.slot.beliefs))
        if self.slot.model is None:
            return self.slot
        return replace(self.slot, model=self._model(self.slot.model, people, given))

    def rows(self) -> list[LearnedComponent]:
        names = self.slot.components or tuple(self.decided["component"].unique().sort().to_list())
        return [self._row(name) for name in names]

    def _row(self, component: str) -> LearnedComponent:
        _, reward, weight = self._of(component)
        mean = float(reward.mean()) if len(reward) else None
        return LearnedComponent(self.name, component, len(reward), mean, float(weight.sum()))

    def _of(self, component: str) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
        """Which rows are a component's, their rewards and weights."""
        chosen = (self.decided["component"].cast(pl.String) == component).to_numpy().astype(bool)
        reward = self.decided["reward"].to_numpy()[chosen]
        propensity = self.decided["propensity"].to_numpy()[chosen]
        return chosen, reward, row_weights(propensity, self.weighting, most=_MOST_WEIGHT)

    def _expect_binary(self) -> None:
        if not self.decided["reward"].is_in([0.0, 1.0]).all():
            message = f"expected rewards of 0 and 1 in slot {self.name!r}, found others"
            raise SelectionError(message, code="outcomes")

    def _beliefs(self, beliefs: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        self._expect_binary()
        return {name: beta_posterior(belief, *self._of(name)[1:]) for name, belief in beliefs.items()}

    def _model(self, model: LinearModel, people: pa.Table | None, given: Given) -> LinearModel:
        if model.kind == "logistic":
            self._expect_binary()
        features, known = self._features(people, given)
        noise = self.noise or self._residual(model)
        posteriors = []
        for place, component in enumerate(self.slot.components):
            chosen, reward, weight = self._of(component)
            rows, kept = features[chosen & known], known[chosen]
            prior = self._prior(model, place)
            bias = float(model.bias[place])
            if model.kind == "logistic":
                found = logistic_posterior(prior, rows, reward[kept], weight[kept], bias=bias)
            else:
                found = linear_posterior(prior, rows, reward[kept] - bias, weight[kept], noise=noise)
            posteriors.append(found)
        weights = np.stack([posterior.mean for posterior in posteriors]) if posteriors else model.weights
        return _with(model, weights, [posterior.covariance for posterior in posteriors])

    def _prior(self, model: LinearModel, place: int) -> Normal:
        mean = model.weights[place].astype(np.float64)
        spread = model.uncertainty
        if spread is None:
            return Normal(mean, self.prior_precision * np.eye(len(mean)))
        if spread.ndim == 2:
            return Normal(mean, np.diag(1.0 / np.maximum(spread[place].astype(np.float64), 1e-12)))
        # One factor for all components is what is believed of each of them before; each learns its own.
        factor = spread[min(place, len(spread) - 1)].astype(np.float64)
        return Normal(mean, np.linalg.inv(factor.T @ factor + 1e-12 * np.eye(len(mean))))

    def _residual(self, model: LinearModel) -> float:
        """The variance of rewards around their component's mean: noise, and what features explain of it."""
        left = [self._of(name)[1] for name in self.slot.components]
        squares = sum(float(((part - part.mean()) ** 2).sum()) for part in left if len(part))
        return max(squares / max(self.decided.height, 1), 1e-12) if model.kind == "linear" else 1.0

    def _features(self, people: pa.Table | None, given: Given) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """The features of each decision's customer, and which rows have all of them."""
        if not self.slot.features:
            return np.zeros((self.decided.height, 0)), np.ones(self.decided.height, bool)
        if people is None:
            message = f"expected the customers for the features of slot {self.name!r}, found none"
            raise SelectionError(message, code="learning", hint="customers=... as they were when decided")
        place = pc.index_in(_texts(self.decided["key"].to_arrow()), _texts(people.column("key")))
        taken = people.take(pc.fill_null(place, 0)).combine_chunks()
        here = taken.to_batches()[0] if taken.num_rows else pa.RecordBatch.from_pylist([], taken.schema)
        columns = [_numbers(feature, here, given) for feature in self.slot.features]
        features = np.concatenate(columns, axis=1)
        known = np.isfinite(features).all(axis=1) & place.is_valid().to_numpy(zero_copy_only=False)
        return np.where(known[:, None], features, 0.0), known


def _with(model: LinearModel, weights: npt.NDArray[Any], covariances: list[Floats]) -> LinearModel:
    """The model with other weights, and with their uncertainty in its form: variances, or a factor each."""
    narrow = np.asarray(weights, np.float32)
    spread = model.uncertainty
    if spread is None or not covariances:
        return replace(model, weights=narrow)
    if spread.ndim == 2:
        kept = np.stack([np.diag(covariance) for covariance in covariances])
    else:
        kept = np.stack([np.linalg.cholesky(covariance).T for covariance in covariances])
    return replace(model, weights=narrow, uncertainty=kept.astype(np.float32))


def _numbers(feature: Feature, people: pa.RecordBatch, given: Given) -> Floats:
    """The columns that a feature becomes, as the policy itself reads them; NaN where a value is missing."""
    plan = given.compile(Expression(feature.expression), people.schema)
    missing = np.nan if feature.missing == "error" else float(feature.missing)
    columns = []
    for values in BoundFeature(feature, BoundExpression(plan)).evaluate(people):
        whole = values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values
        numbers = pc.fill_null(float_values(whole), float("nan")).to_numpy(zero_copy_only=False)
        columns.append(np.where(np.isfinite(numbers), numbers, missing))
    found: Floats = np.stack(columns, axis=1)
    return found


def _people(customers: Any, key: str) -> pa.Table:
    table = plain_table(pa.Table.from_batches(list(batches(customers))))
    names = ["key" if name == key else name for name in table.column_names]
    return table.rename_columns(names)


def _texts(keys: Any) -> pa.Array:
    values = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    return pa.array(core_base.hash_keys(key_texts(values)))
