"""Experiments: what they set out to show, who gets which variant, and what the responses say."""

from __future__ import annotations

from labfactory.lab.design import Baseline, Design, Sizing
from labfactory.lab.evaluation import Arm, Comparison, Evaluation
from labfactory.lab.experiment import Experiment
from labfactory.lab.flags import Flag
from labfactory.lab.hypothesis import Hypothesis
from labfactory.lab.metric import Mean, Proportion
from labfactory.lab.multiplicity import adjust
from labfactory.lab.off_policy import (
    Estimate,
    LoggedDecisions,
    OffPolicyEvaluation,
    RewardModel,
    TargetPolicy,
    evaluate_policy,
)
from labfactory.lab.sequential import AlwaysValid, BetaBinomial, Betting, GroupSequential, Look, StopRule

__all__ = [
    "AlwaysValid",
    "Arm",
    "Baseline",
    "BetaBinomial",
    "Betting",
    "Comparison",
    "Design",
    "Estimate",
    "Evaluation",
    "Experiment",
    "Flag",
    "GroupSequential",
    "Hypothesis",
    "LoggedDecisions",
    "Look",
    "Mean",
    "OffPolicyEvaluation",
    "Proportion",
    "RewardModel",
    "Sizing",
    "StopRule",
    "TargetPolicy",
    "adjust",
    "evaluate_policy",
]
