"""What may leave the Lab: policies, gates, verdicts, roles, states and the ledger of it all."""

from __future__ import annotations

from labfactory.governance.evidence import Evidence, sections
from labfactory.governance.gate import GateRow
from labfactory.governance.ledger import Entry, Head, Ledger
from labfactory.governance.lifecycle import TRANSITIONS, State
from labfactory.governance.policy import GraduationPolicy
from labfactory.governance.roles import Approval, Override
from labfactory.governance.statement import Statement
from labfactory.governance.verdict import Verdict

__all__ = [
    "TRANSITIONS",
    "Approval",
    "Entry",
    "Evidence",
    "GateRow",
    "GraduationPolicy",
    "Head",
    "Ledger",
    "Override",
    "State",
    "Statement",
    "Verdict",
    "sections",
]
