"""Adaptive experiments: shares that follow the evidence, and inference that knows they did."""

from __future__ import annotations

from labfactory.lab.adaptive.allocation import AdaptiveAllocation
from labfactory.lab.adaptive.inference import AdaptiveEstimate
from labfactory.lab.adaptive.log import AdaptiveBatch, AdaptiveLog, ArmMoments
from labfactory.lab.adaptive.posterior import BetaPosterior, NormalPosterior, Ranks, rank_probabilities

__all__ = [
    "AdaptiveAllocation",
    "AdaptiveBatch",
    "AdaptiveEstimate",
    "AdaptiveLog",
    "ArmMoments",
    "BetaPosterior",
    "NormalPosterior",
    "Ranks",
    "rank_probabilities",
]
