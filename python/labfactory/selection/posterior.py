"""Posteriors: what a batch of rewards makes of a Beta belief or of a linear or logistic model.

References:
    Bishop (2006), "Pattern recognition and machine learning", sections 2.1, 3.3 and 4.5. Chapelle and Li
    (2011), "An empirical evaluation of Thompson sampling", algorithm 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

# Newton's method for a logistic posterior, which is convex, is done in some ten steps.
_MOST_STEPS = 50
_ENOUGH = 1e-10


@dataclass(frozen=True, eq=False)
class Normal:
    """A normal belief about weights: mean [features] and precision [features, features]."""

    mean: Floats
    precision: Floats

    @property
    def covariance(self) -> Floats:
        """The inverse of the precision."""
        found: Floats = np.linalg.inv(self.precision).astype(np.float64)
        return found


def beta_posterior(belief: tuple[float, float], rewards: Floats, weights: Floats) -> tuple[float, float]:
    """A Beta belief after rewards of 0 and 1.

    Example:
        >>> beta_posterior((1.0, 1.0), np.array([1.0, 0.0, 0.0]), np.ones(3))
        (2.0, 3.0)
    """
    successes = float(weights @ rewards)
    return belief[0] + successes, belief[1] + float(weights.sum()) - successes


def linear_posterior(
    prior: Normal, features: Floats, rewards: Floats, weights: Floats, *, noise: float
) -> Normal:
    """A normal belief after rewards with normal noise.

    Args:
        prior: The belief before.
        features: [rows, features].
        rewards: What the features explain: rewards less the bias.
        weights: Of the rows.
        noise: Variance of a reward around its expectation.

    Returns:
        The belief after; exact.
    """
    weighted = features.T * (weights / noise)
    precision = prior.precision + weighted @ features
    mean = np.linalg.solve(precision, prior.precision @ prior.mean + weighted @ rewards)
    return Normal(mean.astype(np.float64), precision)


def logistic_posterior(
    prior: Normal, features: Floats, rewards: Floats, weights: Floats, *, bias: float
) -> Normal:
    """A normal belief about log-odds after rewards of 0 and 1, by Laplace's approximation at the mode.

    Args:
        prior: The belief before.
        features: [rows, features].
        rewards: 0 or 1.
        weights: Of the rows.
        bias: Log-odds without features.

    Returns:
        The mode, and the curvature there as precision.
    """
    mean = prior.mean.copy()
    for _ in range(_MOST_STEPS):
        chance = 0.5 * (1 + np.tanh(0.5 * (features @ mean + bias)))
        slope = features.T @ (weights * (rewards - chance)) - prior.precision @ (mean - prior.mean)
        precision = prior.precision + (features.T * (weights * chance * (1 - chance))) @ features
        step = np.linalg.solve(precision, slope)
        # No weight moves by more than 4 log-odds at once: far from the mode the curvature says too little.
        mean = mean + step / max(1.0, float(np.abs(step).max(initial=0.0)) / 4.0)
        if float(np.abs(step).max(initial=0.0)) < _ENOUGH:
            break
    chance = 0.5 * (1 + np.tanh(0.5 * (features @ mean + bias)))
    return Normal(mean, prior.precision + (features.T * (weights * chance * (1 - chance))) @ features)


def row_weights(propensity: Floats, kind: Literal["none", "propensity"], *, most: float) -> Floats:
    """The weight of each row.

    Args:
        propensity: With which each component was chosen.
        kind: "none" weighs all alike, right where the model holds for whoever got the component; "propensity"
            weighs by 1 / propensity, for means over all customers, such as Beta beliefs about rates.
        most: Largest of those weights.

    Returns:
        Weights that sum to their effective sample size: evidence is not made of weights.
    """
    if kind == "none" or not len(propensity):
        return np.ones(len(propensity))
    weights = np.minimum(1.0 / propensity, most)
    found: Floats = weights * (weights.sum() / float((weights**2).sum()))
    return found
