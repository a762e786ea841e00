"""Which component each customer gets: eligibility, scores, exploration, decisions with their propensities."""

from __future__ import annotations

from labfactory.selection.agreement import Agreement, SlotAgreement
from labfactory.selection.allocation import (
    SAMPLE,
    Allocation,
    PricedLimits,
    allocate,
    price_limits,
)
from labfactory.selection.arbitration import Arbitration
from labfactory.selection.contact import Cap, ContactRules, HoldoutRule, QuietHours, Rest
from labfactory.selection.decision import (
    DECISION,
    REASONS,
    decision_log_schema,
    decisions_of,
    reasons_of,
    slot_columns,
)
from labfactory.selection.explanation import compare, drop_off, explain
from labfactory.selection.exploration import Exploration
from labfactory.selection.history import History
from labfactory.selection.learning import Learned, LearnedComponent, learn_policy
from labfactory.selection.limited import LimitedSelector
from labfactory.selection.limits import Limit, Option
from labfactory.selection.matching import Unmatched, Window
from labfactory.selection.model import Feature, LinearModel
from labfactory.selection.one import Decision
from labfactory.selection.personas import (
    Expectation,
    Persona,
    PersonaReport,
    PersonaResult,
    Personas,
    check_personas,
)
from labfactory.selection.planned import Planned
from labfactory.selection.policy import SelectionPolicy
from labfactory.selection.policy_tables import LimitTable
from labfactory.selection.rules import ChoiceRule, EligibilityRule
from labfactory.selection.selector import Selector
from labfactory.selection.settled import Settled
from labfactory.selection.shadow import shadow
from labfactory.selection.shortlists import Shortlists
from labfactory.selection.slot_policy import SlotPolicy

__all__ = [
    "DECISION",
    "REASONS",
    "SAMPLE",
    "Agreement",
    "Allocation",
    "Arbitration",
    "Cap",
    "ChoiceRule",
    "ContactRules",
    "Decision",
    "EligibilityRule",
    "Expectation",
    "Exploration",
    "Feature",
    "History",
    "HoldoutRule",
    "Learned",
    "LearnedComponent",
    "Limit",
    "LimitTable",
    "LimitedSelector",
    "LinearModel",
    "Option",
    "Persona",
    "PersonaReport",
    "PersonaResult",
    "Personas",
    "Planned",
    "PricedLimits",
    "QuietHours",
    "Rest",
    "SelectionPolicy",
    "Selector",
    "Settled",
    "Shortlists",
    "SlotAgreement",
    "SlotPolicy",
    "Unmatched",
    "Window",
    "allocate",
    "check_personas",
    "compare",
    "decision_log_schema",
    "decisions_of",
    "drop_off",
    "explain",
    "learn_policy",
    "price_limits",
    "reasons_of",
    "shadow",
    "slot_columns",
]
