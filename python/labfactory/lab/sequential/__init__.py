"""Stop rules: when a running experiment may be read, and what it says then."""

from __future__ import annotations

from labfactory.lab.sequential.always_valid import AlwaysValid
from labfactory.lab.sequential.beta_binomial import BetaBinomial
from labfactory.lab.sequential.betting import Betting
from labfactory.lab.sequential.exact_quantile import ExactQuantile, quantile_sequence
from labfactory.lab.sequential.group_sequential import GroupSequential
from labfactory.lab.sequential.look import Look, StopRule
from labfactory.lab.sequential.one_arm import betting_sequence, proportion_sequence

__all__ = [
    "AlwaysValid",
    "BetaBinomial",
    "Betting",
    "ExactQuantile",
    "GroupSequential",
    "Look",
    "StopRule",
    "betting_sequence",
    "proportion_sequence",
    "quantile_sequence",
]
