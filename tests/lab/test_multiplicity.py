"""Adjusted p-values, held to statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from labfactory import StatisticsError, UsageError
from labfactory.lab.multiplicity import adjust

ORACLE = {
    "bonferroni": "bonferroni",
    "sidak": "sidak",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "bh": "fdr_bh",
    "by": "fdr_by",
}
METHODS = st.sampled_from(list(ORACLE))
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(P_VALUES, METHODS)
def test_adjusted_p_values_are_those_of_statsmodels(p_values, method):
    with np.errstate(divide="ignore"):  # of the oracle, at p = 1
        expected = multipletests(p_values, method=ORACLE[method])[1].tolist()
    assert adjust(p_values, method) == pytest.approx(expected, rel=1e-9, abs=1e-14)


# What R's p.adjust gives for these, beside the arithmetic of each paper.
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("bonferroni", [0.04, 0.16, 0.12, 0.02]),
        ("sidak", [0.03940399, 0.15065344, 0.11470719, 0.01985050]),
        ("holm", [0.03, 0.06, 0.06, 0.02]),
        ("hochberg", [0.03, 0.04, 0.04, 0.02]),
        ("bh", [0.02, 0.04, 0.04, 0.02]),
        ("by", [0.04166667, 0.08333333, 0.08333333, 0.04166667]),
    ],
)
def test_four_tests_are_adjusted_as_published(method, expected):
    assert adjust([0.01, 0.04, 0.03, 0.005], method) == pytest.approx(expected, abs=1e-8)


@given(P_VALUES, METHODS)
def test_adjusting_never_lowers_a_p_value_nor_changes_their_order(p_values, method):
    adjusted = adjust(p_values, method)
    assert all(p - 1e-15 <= new <= 1 for p, new in zip(p_values, adjusted, strict=True))
    ordered = [new for _, new in sorted(zip(p_values, adjusted, strict=True))]
    assert ordered == sorted(ordered)


@given(P_VALUES, P_VALUES, METHODS)
def test_a_family_does_not_see_another(one, other, method):
    families = ["one"] * len(one) + ["other"] * len(other)
    assert adjust(one + other, method, families=families) == adjust(one, method) + adjust(other, method)


@pytest.mark.parametrize("method", ORACLE)
def test_a_test_without_a_p_value_counts_as_one_that_found_nothing(method):
    with_one = adjust([0.01, 0.02, 1.0], method)
    assert adjust([0.01, None, 0.02], method) == (with_one[0], None, with_one[1])
    assert adjust([0.01, math.nan, 0.02], method) == (with_one[0], None, with_one[1])


@pytest.mark.parametrize("method", ORACLE)
def test_the_smallest_p_values_stay_above_zero(method):
    assert all(p > 0 for p in adjust([5e-324, 1e-200, 1e-20, 1.0], method))
    assert adjust([], method) == ()


def test_what_is_no_p_value_is_refused():
    with pytest.raises(StatisticsError, match=r"from 0 to 1, found 1\.5") as raised:
        adjust([0.2, 1.5], "holm")
    assert raised.value.code == "p_value"


def test_p_values_may_be_a_column_and_nothing_else_than_numbers():
    column = pa.array([0.01, None, 0.02])
    assert adjust(column, "holm") == adjust(pa.chunked_array([column]), "holm") == (0.03, None, 0.04)
    for wrong in (["x"], "0.1x", np.zeros((2, 2)), [[0.1]]):
        with pytest.raises(StatisticsError) as raised:
            adjust(wrong, "holm")
        assert raised.value.code == "p_value"


def test_an_unknown_correction_names_its_neighbour():
    with pytest.raises(UsageError, match="did you mean 'holm'") as raised:
        adjust([0.2], "hom")
    assert raised.value.code == "correction"


def test_each_p_value_has_a_family():
    with pytest.raises(UsageError, match="each of 2 p-values, found 1") as raised:
        adjust([0.2, 0.3], "holm", families=["orders"])
    assert raised.value.code == "families"
