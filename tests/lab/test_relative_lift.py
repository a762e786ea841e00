"""The relative lift: its interval inverts a test, and so agrees with the absolute one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory.lab.estimators import Difference, Lift, Sample, relative_lift, welch


def both(control: Sample, treatment: Sample, alpha: float = 0.05) -> tuple[Difference, Lift]:
    difference = welch(control, treatment, alpha=alpha)
    assert difference is not None
    return difference, relative_lift(control, treatment, difference)


def excludes_zero(lower: float, upper: float) -> bool:
    return lower > 0 or upper < 0


@given(
    st.floats(1e-6, 1e6),
    st.floats(-2, 10),
    st.floats(1e-6, 1e3),
    st.floats(1e-6, 1e3),
    st.integers(2, 10**7),
    st.integers(2, 10**7),
    st.floats(1e-6, 0.9),
)
def test_relative_and_absolute_decisions_always_agree(
    mean: float,
    lift: float,
    control_cv: float,
    treatment_cv: float,
    control_n: int,
    treatment_n: int,
    alpha: float,
) -> None:
    control = Sample(control_n, mean, (control_cv * mean) ** 2)
    treatment = Sample(treatment_n, mean * (1 + lift), (treatment_cv * mean) ** 2)
    difference, relative = both(control, treatment, alpha)
    if relative.lower is None or relative.upper is None:
        # The control itself is not told from 0 at this level.
        assert mean <= difference.critical * math.sqrt(control.mean_variance) * (1 + 1e-12)
        return
    assert relative.lower <= relative.upper
    assert excludes_zero(relative.lower, relative.upper) == excludes_zero(difference.lower, difference.upper)
    if excludes_zero(relative.lower, relative.upper):
        assert (relative.lower > 0) == (difference.lower > 0)


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        (Sample(21_306, 0.65278936, 134.286), Sample(21_307, 1.42261651, 315.212)),
        (Sample(100, 1.0, 4.0), Sample(150, 0.7, 1.0)),
        (Sample(40, 3.0, 30.0), Sample(60, 9.0, 500.0)),
    ],
)
def test_each_bound_is_a_lift_that_the_test_just_rejects(control: Sample, treatment: Sample) -> None:
    """Put back into the test of mean_T - (1 + d) mean_C = 0, a bound gives exactly the critical value."""
    difference, relative = both(control, treatment)
    assert relative.lower is not None
    assert relative.upper is not None
    for bound in (relative.lower, relative.upper):
        gap = treatment.mean - (1 + bound) * control.mean
        error = math.sqrt(treatment.mean_variance + (1 + bound) ** 2 * control.mean_variance)
        assert abs(gap) / error == pytest.approx(difference.critical, rel=1e-9)
    assert relative.lower < relative.value < relative.upper


def test_hillstrom_spend_does_not_disagree_as_the_delta_method_does() -> None:
    """There a widely used engine has p 1.16e-7 for the difference and 2.7e-4 for the lift."""
    control = Sample(21_306, 0.65278936, 134.286)
    treatment = Sample(21_307, 1.42261651, 315.212)
    difference, relative = both(control, treatment, alpha=1e-4)
    assert difference.p < 1e-4
    assert relative.lower is not None
    assert relative.lower > 0


def test_a_control_that_is_not_told_from_zero_gives_no_bounds() -> None:
    _, relative = both(Sample(50, 0.1, 1.0), Sample(50, 1.0, 1.0))
    assert (relative.lower, relative.upper) == (None, None)
    assert relative.value == pytest.approx(9.0)


def test_relative_interval_covers_at_its_level() -> None:
    """4,000 experiments of skewed outcomes with a true lift of 20 percent."""
    random = np.random.default_rng(5)
    runs, units = 4_000, 400
    control = random.gamma(2.0, 1.0, (runs, units))
    treatment = random.gamma(2.0, 1.2, (runs, units))
    covered = 0
    for before, after in zip(control, treatment, strict=True):
        _, relative = both(
            Sample(units, float(before.mean()), float(before.var(ddof=1))),
            Sample(units, float(after.mean()), float(after.var(ddof=1))),
            alpha=0.1,
        )
        assert relative.lower is not None
        assert relative.upper is not None
        covered += relative.lower <= 0.2 <= relative.upper
    # Four standard errors of a share of 4,000.
    assert covered / runs == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / runs))
