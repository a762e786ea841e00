"""Off-policy evaluation: what a policy would have brought, from the decisions that another one made."""

from __future__ import annotations

from labfactory.lab.off_policy.evaluate import evaluate_policy
from labfactory.lab.off_policy.evaluation import Estimate, OffPolicyEvaluation
from labfactory.lab.off_policy.log import LoggedDecisions
from labfactory.lab.off_policy.rewards import RewardModel
from labfactory.lab.off_policy.target import TargetPolicy

__all__ = [
    "Estimate",
    "LoggedDecisions",
    "OffPolicyEvaluation",
    "RewardModel",
    "TargetPolicy",
    "evaluate_policy",
]
