"""Design of experiments: how many units, how long, and what could be found with fewer."""

from __future__ import annotations

from labfactory.lab.design.baseline import Baseline
from labfactory.lab.design.design import Design, Rule
from labfactory.lab.design.sizing import Sizing

__all__ = ["Baseline", "Design", "Rule", "Sizing"]
