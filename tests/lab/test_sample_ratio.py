"""The sample-ratio test against scipy, and against what other engines get wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labfactory.lab.estimators import SMALLEST_P, sample_ratio


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 100)), min_size=2, max_size=14))
def test_any_number_of_arms_with_planned_weights_is_scipys(arms: list[tuple[int, int]]) -> None:
    observed = [units for units, _ in arms]
    weights = [weight / sum(weight for _, weight in arms) for _, weight in arms]
    ratio = sample_ratio(observed, weights)
    if sum(observed) == 0:
        assert ratio.p is None
        return
    expected = np.array(weights) * sum(observed)
    assert ratio.expected == pytest.approx(tuple(expected))
    assert ratio.p == pytest.approx(max(stats.chisquare(observed, expected).pvalue, SMALLEST_P), rel=1e-9)


def test_an_arm_of_weight_zero_costs_no_degree_of_freedom() -> None:
    """[5000, 5200] has p .048; an engine that counts a third, empty arm says .141."""
    two = sample_ratio([5000, 5200], [0.5, 0.5])
    assert two.p == pytest.approx(0.0477, abs=1e-4)
    assert sample_ratio([5000, 5200, 0], [0.5, 0.5, 0.0]).p == two.p


def test_strays_in_an_arm_of_weight_zero_do_not_make_an_imbalance() -> None:
    """5000/5000/300 is balanced; an engine that counts the strays says p .013."""
    ratio = sample_ratio([5000, 5000, 300], [0.5, 0.5, 0.0])
    assert ratio.p == 1.0
    assert ratio.expected == (5000.0, 5000.0, 0.0)


@pytest.mark.parametrize(("observed", "weights"), [([7, 0], [1.0, 0.0]), ([0, 0], [0.5, 0.5])])
def test_nothing_to_compare_has_no_p(observed: list[int], weights: list[float]) -> None:
    assert sample_ratio(observed, weights).p is None
