"""UCB and Thompson sampling under a formula, and by probabilities: normal scores, moved and stretched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import integrate, stats

from labfactory.selection import Arbitration, Exploration, SelectionPolicy, SlotPolicy

NAMES = ("a", "b", "c")
WEIGHTS = np.array([[0.5, 1.0], [1.2, -0.4], [0.8, 0.3]])
VARIANCES = np.array([[0.3, 0.1], [0.05, 0.4], [0.6, 0.2]])
VALUES = (2.0, 1.5, -0.5)
ROWS = 20_000


@dataclass(frozen=True)
class Block:
    name: str
    eligible: str | None = None


def decided(
    exploration: Exploration, features: np.ndarray[Any, Any], formula: str | None = None, **more: Any
) -> pa.RecordBatch:
    terms = {name: {"value": value} for name, value in zip(NAMES, VALUES, strict=True)}
    slot = SlotPolicy.build(
        components=NAMES,
        features={"x": "x", "y": "y"},
        weights=WEIGHTS,
        uncertainty=VARIANCES,
        exploration=exploration,
        arbitration=None if formula is None else Arbitration(formula=formula, terms=terms),
        **more,
    )
    batch = pa.record_batch({"x": features[:, 0], "y": features[:, 1]})
    selector = SelectionPolicy.build("1", hero=slot).bind(
        {"hero": [Block(name) for name in NAMES]}, batch.schema
    )
    return selector.decide(batch, keys=pa.array(range(len(features))), seed=3, threads=2).column("hero")


def chances(means: np.ndarray[Any, Any], deviations: np.ndarray[Any, Any]) -> list[float]:
    """The chance of each normal draw to be the highest, by quadrature of scipy."""
    found = []
    for own in range(3):
        others = [at for at in range(3) if at != own]

        def density(x: float, own: int = own, others: list[int] = others) -> float:
            below = np.prod([stats.norm.cdf(x, means[at], deviations[at]) for at in others])
            return float(stats.norm.pdf(x, means[own], deviations[own]) * below)

        low, high = means[own] - 9 * deviations[own], means[own] + 9 * deviations[own]
        found.append(integrate.quad(density, low, high, limit=200, points=[means[own]])[0])
    return found


@pytest.mark.parametrize(
    ("formula", "stretch", "shift"),
    [("propensity * value", VALUES, 0.0), ("value * propensity / 2 - 1", np.array(VALUES) / 2, -1.0)],
)
def test_thompson_draws_what_the_formula_makes_of_a_draw(formula: str, stretch: Any, shift: float) -> None:
    row = np.array([0.7, 0.4])
    means = np.array(stretch) * (WEIGHTS @ row) + shift
    deviations = np.abs(stretch) * np.sqrt(VARIANCES @ row**2)
    expected = np.array(chances(means, deviations))
    column = decided(Exploration(mode="thompson"), np.tile(row, (ROWS, 1)), formula)
    index = column.field("index").to_numpy()
    np.testing.assert_allclose(column.field("propensity").to_numpy(), expected[index], atol=2e-4)
    counts = np.bincount(index, minlength=3)
    assert stats.chisquare(counts, expected / expected.sum() * ROWS).pvalue > 1e-4


def test_ucb_takes_the_highest_bound_of_the_formula() -> None:
    features = np.random.default_rng(2).random((500, 2))
    means = features @ WEIGHTS.T * VALUES
    bounds = means + 1.5 * np.abs(VALUES) * np.sqrt(features**2 @ VARIANCES.T)
    column = decided(Exploration(mode="ucb", width=1.5), features, "propensity * value")
    assert (column.field("index").to_numpy() == bounds.argmax(axis=1)).mean() > 0.995
    taken = column.field("index").to_numpy()
    np.testing.assert_allclose(column.field("score").to_numpy(), means[np.arange(500), taken], rtol=1e-5)


def test_probabilities_have_the_deviation_of_the_delta_method() -> None:
    features = np.random.default_rng(2).random((500, 2))
    p = 1 / (1 + np.exp(-(features @ WEIGHTS.T)))
    bounds = p + 2.0 * p * (1 - p) * np.sqrt(features**2 @ VARIANCES.T)
    column = decided(Exploration(mode="ucb", width=2.0), features, kind="logistic", score="probability")
    assert (column.field("index").to_numpy() == bounds.argmax(axis=1)).mean() > 0.995


def test_a_formula_that_is_not_linear_has_its_slope_at_the_score() -> None:
    features = np.random.default_rng(2).random((500, 2)) + 0.2
    score = features @ WEIGHTS.T
    deviation = np.sqrt(features**2 @ VARIANCES.T)
    made = np.array(VALUES) * score * score - 1 / (score * score + 1)
    slope = 2 * score * np.array(VALUES) + 2 * score / (score * score + 1) ** 2
    bounds = made + 0.7 * np.abs(slope) * deviation
    formula = "value * propensity * propensity - 1 / (propensity * propensity + 1)"
    column = decided(Exploration(mode="ucb", width=0.7), features, formula)
    assert (column.field("index").to_numpy() == bounds.argmax(axis=1)).mean() > 0.99
