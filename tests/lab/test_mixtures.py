"""Mixture martingales, held to the values that Howard's confseq publishes in its own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labfactory.lab.sequential.mixtures import (
    best_rho,
    log_beta_binomial_mixture,
    log_gamma_exponential_mixture,
    log_gamma_poisson_mixture,
    log_normal_mixture,
    log_one_sided_normal_mixture,
    mixture_bound,
    normal_mixture_bound,
    poly_stitching_bound,
)

TWO, ONE = best_rho(100, 0.05), best_rho(100, 0.05, is_one_sided=True)
# The mixture at a sum of 10 and variance process 100, and the bound at alpha 0.05; all tuned for 100.
GOLDENS = {
    "normal": (lambda s, v: log_normal_mixture(s, v, TWO), -0.6510052, 30.35209),
    "one-sided normal": (lambda s, v: log_one_sided_normal_mixture(s, v, ONE), -0.06502391, 27.66071),
    "gamma-exponential": (lambda s, v: log_gamma_exponential_mixture(s, v, ONE, 2), -0.2490165, 33.02017),
    "gamma-Poisson": (lambda s, v: log_gamma_poisson_mixture(s, v, ONE, 2), -0.06991219, 30.1949),
    "beta-binomial": (
        lambda s, v: log_beta_binomial_mixture(s, v, TWO, below=0.2, above=0.8),
        -0.6941012,
        31.4308,
    ),
    "one-sided beta-binomial": (
        lambda s, v: log_beta_binomial_mixture(s, v, ONE, below=0.2, above=0.8, is_one_sided=True),
        -0.07134019,
        28.41238,
    ),
}


def test_the_best_precision_is_the_published_one():
    assert best_rho(100, 0.05) == pytest.approx(12.60056, abs=1e-5)


@pytest.mark.parametrize(("mixture", "value", "bound"), GOLDENS.values(), ids=GOLDENS)
def test_mixtures_have_the_published_values(mixture, value, bound):
    assert float(mixture(10.0, 100.0)) == pytest.approx(value, abs=1e-6)
    assert mixture_bound(lambda s: mixture(s, 100.0), 0.05, largest=120.0) == pytest.approx(bound, abs=1e-5)


def test_the_closed_bound_is_the_root():
    root = mixture_bound(lambda s: log_normal_mixture(s, 37.0, TWO), 0.01, largest=1000.0)
    assert normal_mixture_bound(37, 0.01, TWO) == pytest.approx(root, rel=1e-12)


def test_a_bound_beyond_all_sums_is_infinite():
    assert mixture_bound(lambda s: log_normal_mixture(s, 100.0, TWO), 1e-9, largest=20.0) == math.inf


@pytest.mark.parametrize(("scale", "bound"), [(3, 64.48755), (-1, 28.99389)])
def test_stitching_has_the_published_bounds(scale, bound):
    assert poly_stitching_bound(100, 0.05, v_min=10, scale=scale) == pytest.approx(bound, abs=1e-5)


@pytest.mark.parametrize(("mixture", "value", "bound"), GOLDENS.values(), ids=GOLDENS)
def test_arrays_give_what_numbers_give(mixture, value, bound):
    s, v = np.array([-3.0, 0.0, 10.0]), np.array([20.0, 30.0, 100.0])
    assert mixture(s, v).tolist() == [float(mixture(*pair)) for pair in zip(s, v, strict=True)]
