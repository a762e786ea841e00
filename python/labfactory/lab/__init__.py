"""Experiments: what they set out to show, who gets which variant, and what the responses say."""

from __future__ import annotations

from labfactory.lab.adaptive import AdaptiveAllocation, AdaptiveEstimate, AdaptiveLog
from labfactory.lab.adjustment import Estimator, Welch, ZTest
from labfactory.lab.aggregates import Aggregates
from labfactory.lab.bayes import Bayes
from labfactory.lab.bootstrap import Bootstrap
from labfactory.lab.comparison import Arm, Check, Comparison, Interaction, SegmentComparison
from labfactory.lab.covariates import Cuped, Regression
from labfactory.lab.departure import Departure
from labfactory.lab.design import Baseline, Design, Sizing
from labfactory.lab.evaluation import Evaluation
from labfactory.lab.experiment import Experiment
from labfactory.lab.flags import Flag
from labfactory.lab.hypothesis import Hypothesis
from labfactory.lab.insights import Insight, InsightStore, LabKpis, PooledEffect, pool_effects
from labfactory.lab.learned import evaluate_learned
from labfactory.lab.many import Evaluations, evaluate_many
from labfactory.lab.metric import Count, Mean, Proportion, Quantile, Ratio
from labfactory.lab.multiplicity import adjust
from labfactory.lab.off_policy import (
    Estimate,
    LoggedDecisions,
    OffPolicyEvaluation,
    RewardModel,
    TargetPolicy,
    evaluate_policy,
)
from labfactory.lab.overdispersion import Overdispersion, overdispersion
from labfactory.lab.plots import look_plot
from labfactory.lab.preregistration import Preregistration
from labfactory.lab.sequential import (
    AlwaysValid,
    BetaBinomial,
    Betting,
    ExactQuantile,
    GroupSequential,
    Look,
    StopRule,
)
from labfactory.lab.strata import PostStratified

__all__ = [
    "AdaptiveAllocation",
    "AdaptiveEstimate",
    "AdaptiveLog",
    "Aggregates",
    "AlwaysValid",
    "Arm",
    "Baseline",
    "Bayes",
    "BetaBinomial",
    "Betting",
    "Bootstrap",
    "Check",
    "Comparison",
    "Count",
    "Cuped",
    "Departure",
    "Design",
    "Estimate",
    "Estimator",
    "Evaluation",
    "Evaluations",
    "ExactQuantile",
    "Experiment",
    "Flag",
    "GroupSequential",
    "Hypothesis",
    "Insight",
    "InsightStore",
    "Interaction",
    "LabKpis",
    "LoggedDecisions",
    "Look",
    "Mean",
    "OffPolicyEvaluation",
    "Overdispersion",
    "PooledEffect",
    "PostStratified",
    "Preregistration",
    "Proportion",
    "Quantile",
    "Ratio",
    "Regression",
    "RewardModel",
    "SegmentComparison",
    "Sizing",
    "StopRule",
    "TargetPolicy",
    "Welch",
    "ZTest",
    "adjust",
    "evaluate_learned",
    "evaluate_many",
    "evaluate_policy",
    "look_plot",
    "overdispersion",
    "pool_effects",
]
