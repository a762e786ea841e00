"""Which arm a customer belongs to, from the key and the experiment alone."""

from __future__ import annotations

from labfactory.assignment.assigner import STATUSES, Assigner
from labfactory.assignment.bucketing import Bucketing, Native, Range, Salting, first_range
from labfactory.assignment.customers import assign_customers
from labfactory.assignment.growthbook import GrowthBook, GrowthBookFilter
from labfactory.assignment.keys import key_texts
from labfactory.assignment.launchdarkly import LaunchDarkly
from labfactory.assignment.layer import Holdout, Layer
from labfactory.assignment.optimizely import Optimizely
from labfactory.assignment.planout import PlanOut
from labfactory.assignment.standards import STANDARDS, bucketing_named
from labfactory.assignment.statsig import Statsig
from labfactory.assignment.sticky import Sticky
from labfactory.assignment.strata import stratified_arms
from labfactory.assignment.unleash import Unleash

__all__ = [
    "STANDARDS",
    "STATUSES",
    "Assigner",
    "Bucketing",
    "GrowthBook",
    "GrowthBookFilter",
    "Holdout",
    "LaunchDarkly",
    "Layer",
    "Native",
    "Optimizely",
    "PlanOut",
    "Range",
    "Salting",
    "Statsig",
    "Sticky",
    "Unleash",
    "assign_customers",
    "bucketing_named",
    "first_range",
    "key_texts",
    "stratified_arms",
]
