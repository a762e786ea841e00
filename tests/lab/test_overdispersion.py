"""Arms that are alike tell how much too small variances are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from labfactory.base.errors import StatisticsError
from labfactory.lab import overdispersion


def test_the_factor_is_that_of_the_variance_and_its_interval_is_chi_squares() -> None:
    z = np.random.default_rng(5).normal(0.0, math.sqrt(1.75), 4_000)
    found = overdispersion([*z, None, math.nan])
    assert found.pairs == 4_000
    assert found.factor == pytest.approx((z**2).mean())
    assert found.lower == pytest.approx((z**2).sum() / stats.chi2.ppf(0.975, 4_000))
    assert found.upper == pytest.approx((z**2).sum() / stats.chi2.ppf(0.025, 4_000))
    assert found.lower < 1.75 < found.upper
    assert found.beyond == pytest.approx((abs(z) > stats.norm.ppf(0.975)).mean())


def test_no_pairs_say_nothing() -> None:
    with pytest.raises(StatisticsError) as caught:
        overdispersion([None, math.nan])
    assert caught.value.code == "no_pairs"


@pytest.mark.parametrize("z", [[1.0, 1e200], [math.inf], ["x"], [[1.0, 2.0]]])
def test_what_is_no_z_is_refused(z: list[Any]) -> None:
    with pytest.raises(StatisticsError) as caught:
        overdispersion(z)
    assert caught.value.code == "invalid_outcome"
