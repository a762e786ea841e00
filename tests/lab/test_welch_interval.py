"""Welch's test and interval; scipy computes the same from the raw values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from labfactory.lab.estimators import SMALLEST_P, Sample, is_noninferior, welch


def sample_of(values: Any) -> Sample:
    return Sample(len(values), float(values.mean()), float(values.var(ddof=1)))


@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 60),
    st.integers(2, 60),
    st.floats(0.01, 50),
    st.floats(-3, 3),
    st.floats(0.001, 0.5),
)
def test_difference_interval_and_p_are_scipys(
    seed: int, control_n: int, treatment_n: int, spread: float, shift: float, alpha: float
) -> None:
    random = np.random.default_rng(seed)
    control = random.normal(0.0, 1.0, control_n)
    treatment = random.normal(shift, spread, treatment_n)
    difference = welch(sample_of(control), sample_of(treatment), alpha=alpha)
    assert difference is not None
    expected = stats.ttest_ind(treatment, control, equal_var=False)
    interval = expected.confidence_interval(1 - alpha)
    assert difference.value == pytest.approx(treatment.mean() - control.mean())
    assert difference.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert difference.lower == pytest.approx(interval.low, rel=1e-9, abs=1e-12)
    assert difference.upper == pytest.approx(interval.high, rel=1e-9, abs=1e-12)


@given(
    st.floats(-1, 1),
    st.floats(1e-3, 10),
    st.floats(1e-3, 10),
    st.integers(2, 10**6),
    st.integers(2, 10**6),
)
def test_p_is_below_alpha_exactly_when_the_interval_excludes_no_difference(
    shift: float, control_variance: float, treatment_variance: float, control_n: int, treatment_n: int
) -> None:
    control, treatment = (
        Sample(control_n, 1, control_variance),
        Sample(treatment_n, 1 + shift, treatment_variance),
    )
    difference = welch(control, treatment, alpha=0.05)
    assert difference is not None
    assume(abs(difference.p - 0.05) > 1e-12)
    assert (difference.p < 0.05) == (difference.lower > 0 or difference.upper < 0)


def test_far_tails_do_not_underflow_to_certainty() -> None:
    """1 - cdf is 0 beyond eight standard errors; the survival function is not."""
    difference = welch(Sample(10**6, 0.0, 1.0), Sample(10**6, 0.03, 1.0), alpha=0.05)
    assert difference is not None
    z = 0.03 / math.sqrt(2e-6)
    assert difference.p == pytest.approx(2 * stats.t.sf(z, 2 * 10**6 - 2), rel=1e-9)
    beyond = welch(Sample(10**8, 0.0, 1.0), Sample(10**8, 1.0, 1.0), alpha=0.05)
    assert beyond is not None
    assert beyond.p == SMALLEST_P > 0


@pytest.mark.parametrize("unit", [1e-150, 1e-30, 1e30, 1e150])
def test_the_unit_of_measurement_changes_nothing(unit: float) -> None:
    plain = welch(Sample(30, 1.0, 2.0), Sample(40, 1.5, 1.0), alpha=0.05)
    scaled = welch(Sample(30, unit, 2.0 * unit**2), Sample(40, 1.5 * unit, unit**2), alpha=0.05)
    assert plain is not None
    assert scaled is not None
    assert scaled.p == pytest.approx(plain.p)
    assert scaled.lower == pytest.approx(plain.lower * unit)


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        (Sample(1, 1.0, 0.0), Sample(50, 2.0, 1.0)),
        (Sample(50, 1.0, 1.0), Sample(1, 2.0, 0.0)),
        (Sample(50, 1.0, 0.0), Sample(50, 2.0, 0.0)),
    ],
    ids=["one control", "one treatment", "no variance"],
)
def test_what_has_no_distribution_has_no_interval(control: Sample, treatment: Sample) -> None:
    assert welch(control, treatment, alpha=0.05) is None


@pytest.mark.parametrize(
    ("direction", "shift", "margin", "shown"),
    [
        ("increase", -0.1, 0.3, True),
        ("increase", -0.1, 0.05, False),
        ("increase", 5.0, 0.01, True),
        ("decrease", 0.1, 0.3, True),
        ("decrease", 0.1, 0.05, False),
        ("decrease", -5.0, 0.01, True),
    ],
)
def test_noninferior_when_the_interval_rules_out_the_margin(
    direction: str, shift: float, margin: float, shown: bool
) -> None:
    difference = welch(Sample(1000, 1.0, 1.0), Sample(1000, 1.0 + shift, 1.0), alpha=0.05)
    assert difference is not None
    assert is_noninferior(difference, direction=direction, margin=margin) is shown
