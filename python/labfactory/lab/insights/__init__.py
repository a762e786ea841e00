"""What experiments have taught: an entry for each, won or lost, and what they say together."""

from __future__ import annotations

from labfactory.lab.insights.insight import Insight, Outcome
from labfactory.lab.insights.kpis import LabKpis
from labfactory.lab.insights.meta_analysis import PooledEffect, pool_effects
from labfactory.lab.insights.store import InsightStore

__all__ = ["Insight", "InsightStore", "LabKpis", "Outcome", "PooledEffect", "pool_effects"]
