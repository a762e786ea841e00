"""Greedy choices among many candidates score only those that may be the best, and are the same as if all were."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import base
from labfactory._core.select import Slot

Numbers = npt.NDArray[np.float32]


def slot(weights: Numbers, bias: Numbers, epsilon: float = 0.0) -> Slot:
    candidates, features = weights.shape
    return Slot(
        name="hero",
        components=[f"block{number}" for number in range(candidates)],
        candidates=range(candidates),
        needed=[[number] for number in range(candidates)],
        rules=None,
        missing=[0.5] + [None] * (features - 1),
        weights=weights,
        bias=bias,
        scale="sum",
        epsilon=epsilon,
    )


def columns_of(features: Numbers, eligible: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    rows = len(features)
    columns = [
        pa.array(np.arange(rows, dtype=np.uint64)),
        *(pa.array(np.ascontiguousarray(column)) for column in features.T),
        *(pa.array(np.ascontiguousarray(column)) for column in eligible.T),
    ]
    return pa.RecordBatch.from_arrays(columns, [str(number) for number in range(len(columns))])


def expect_the_best(made: Slot, columns: pa.RecordBatch, prices: Numbers | None = None) -> None:
    """What is decided has the highest of all scores less prices, the first of equals, at every level."""
    values = made.values(columns, threads=1)
    ranks = values if prices is None else values - prices
    ranks = np.where(np.isnan(ranks), -np.inf, ranks)
    expected = ranks.argmax(axis=1)
    has_any = ~np.isnan(values).all(axis=1)
    try:
        for level in ("baseline", "avx2", "avx512"):
            base.limit_dispatch(level)
            decided = pa.array(made.decide(columns, seed=1, version="1", threads=1, prices=prices))
            assert (
                decided.field("index").is_valid().to_numpy(zero_copy_only=False).tolist() == has_any.tolist()
            )
            index = decided.field("index").fill_null(0).to_numpy()
            assert index[has_any].tolist() == expected[has_any].tolist()
            scores = decided.field("score").fill_null(0).to_numpy()
            assert scores[has_any].tobytes() == values[has_any, index[has_any]].tobytes()
    finally:
        base.limit_dispatch("avx512")


# Plain numbers, and a few that come again and again so that candidates tie.
SOME = st.one_of(
    st.floats(-8, 8, width=32),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, 3.4e38]),
)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(8, 20), st.integers(16, 60)),
    some=st.lists(SOME, min_size=1, max_size=30),
    share=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    kinds=st.integers(1, 60),
)
def test_a_screened_choice_is_that_of_all_scores(seed, shape, some, share, kinds):
    count, candidates = shape
    random = np.random.default_rng(seed)
    features = random.choice(np.array(some, np.float32), (130, count))
    features[random.random(features.shape) < 0.3] = random.normal()
    features[:, 0][random.random(130) < 0.1] = np.nan
    weights = random.normal(size=(candidates, count)).astype(np.float32)
    weights[random.random(weights.shape) < 0.2] = random.choice(np.array(some, np.float32))
    weights = weights[np.arange(candidates) % kinds]
    bias = random.normal(size=candidates).astype(np.float32)[np.arange(candidates) % kinds]
    made = slot(weights, bias)
    expect_the_best(made, columns_of(features, random.random((130, candidates)) < share))


@pytest.mark.parametrize("rows", [4_095, 5_000])
def test_prices_are_screened_too(rows):
    random = np.random.default_rng(2)
    features = random.normal(size=(rows, 12)).astype(np.float32)
    made = slot(random.normal(size=(50, 12)).astype(np.float32), np.zeros(50, np.float32))
    prices = np.abs(random.normal(size=50)).astype(np.float32)
    expect_the_best(made, columns_of(features, random.random((rows, 50)) < 0.7), prices)


def test_near_ties_in_every_row_are_told_apart():
    """Every candidate is another's copy but for the last bit of a weight: a screen leaves nearly all of them."""
    random = np.random.default_rng(3)
    one = random.normal(size=16).astype(np.float32)
    weights = np.repeat(one[None], 40, axis=0)
    weights[np.arange(40), np.arange(40) % 16] = np.nextafter(one[np.arange(40) % 16], np.float32(np.inf))
    features = random.normal(size=(5_000, 16)).astype(np.float32)
    expect_the_best(
        slot(weights, np.zeros(40, np.float32)), columns_of(features, np.ones((5_000, 40), np.bool_))
    )


def test_propensities_and_scores_of_explored_choices_are_those_of_the_scores():
    random = np.random.default_rng(4)
    features = random.normal(size=(2_000, 10)).astype(np.float32)
    columns = columns_of(features, random.random((2_000, 30)) < 0.6)
    made = slot(random.normal(size=(30, 10)).astype(np.float32), np.zeros(30, np.float32), epsilon=0.4)
    values = made.values(columns, threads=1)
    decided = pa.array(made.decide(columns, seed=1, version="1", threads=1))
    index, rows = decided.field("index").to_numpy(), np.arange(2_000)
    assert decided.field("score").to_numpy().tobytes() == values[rows, index].tobytes()
    eligible = (~np.isnan(values)).sum(axis=1)
    is_best = index == np.where(np.isnan(values), -np.inf, values).argmax(axis=1)
    np.testing.assert_allclose(
        decided.field("propensity").to_numpy(), 0.6 * is_best + 0.4 / eligible, rtol=1e-12
    )
