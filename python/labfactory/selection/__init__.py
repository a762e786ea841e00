"""Which component each customer gets: eligibility, scores, exploration, decisions with their propensities."""

from __future__ import annotations

from labfactory.selection.decision import (
    DECISION,
    REASONS,
    decision_log_schema,
    decisions_of,
    slot_columns,
)
from labfactory.selection.exploration import Exploration
from labfactory.selection.model import Feature, LinearModel
from labfactory.selection.policy import SelectionPolicy
from labfactory.selection.rules import ChoiceRule, EligibilityRule
from labfactory.selection.selector import Selector
from labfactory.selection.slot_policy import SlotPolicy

__all__ = [
    "DECISION",
    "REASONS",
    "ChoiceRule",
    "EligibilityRule",
    "Exploration",
    "Feature",
    "LinearModel",
    "SelectionPolicy",
    "Selector",
    "SlotPolicy",
    "decision_log_schema",
    "decisions_of",
    "slot_columns",
]
