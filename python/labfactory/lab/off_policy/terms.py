"""Terms: every estimator as a mean of known parts plus a ratio of sums, so that all share one inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labfactory.lab.off_policy.log import Codes, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """An estimate before it is summed: value = mean(base) + sum(correction) / sum(scale).

    Args:
        base: What a model expects of the target, for each unit; 0 without a model.
        correction: Weighted rewards, or what a model left of them.
        scale: 1 for each unit, or the weights themselves where the estimator normalises by them.
        weights: Importance weights, for the diagnostics; empty where none are used.
        cluster: The customer of each unit.
    """

    base: Floats
    correction: Floats
    scale: Floats
    weights: Floats
    cluster: Codes

    @property
    def value(self) -> float:
        """The estimate."""
        return float(self.base.mean() + self.correction.sum() / self.scale.sum())

    @property
    def influence(self) -> Floats:
        """What each unit adds to the estimate's error, summing to 0."""
        # Delta method: d(C/S) = (dC - (C/S) dS) / S, in units of a mean over n.
        ratio = self.correction.sum() / self.scale.sum()
        share = len(self.scale) / self.scale.sum()
        found: Floats = self.base - self.base.mean() + share * (self.correction - ratio * self.scale)
        return found

    @property
    def sums(self) -> Floats:
        """By cluster: base, correction, scale and units, [clusters, 4]."""
        clusters = int(self.cluster.max()) + 1
        columns = (self.base, self.correction, self.scale, np.ones(len(self.base)))
        return np.stack([np.bincount(self.cluster, column, clusters) for column in columns], axis=1)

    @property
    def effective(self) -> float | None:
        """Kish's effective sample size, (sum w)^2 / sum w^2; None without weights."""
        squares = float((self.weights**2).sum()) if len(self.weights) else 0.0
        return None if squares == 0 else float(self.weights.sum()) ** 2 / squares


def minus(one: Terms, other: Terms) -> Floats:
    """The influence of a difference of two estimates from the same units."""
    return one.influence - other.influence
