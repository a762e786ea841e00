"""From marketing experiment to governed, personalised content at factory scale."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labfactory.audit import AuditRules
    from labfactory.base.errors import (
        AssemblyError,
        CompileError,
        ContentError,
        GovernanceError,
        HandoffError,
        LabfactoryError,
        RunError,
        SelectionError,
        SourceError,
        StatisticsError,
        UsageError,
    )
    from labfactory.compiler import Environment, Expression, ExpressionPlan, Plan, Template
    from labfactory.content import (
        Channel,
        Component,
        Creative,
        Library,
        Part,
        Variant,
        channel,
        channels,
        register_channel,
    )
    from labfactory.factory import (
        Factory,
        Heartbeat,
        Job,
        MemorySink,
        ParquetSink,
        Run,
        golden_renderer,
    )
    from labfactory.governance import GraduationPolicy, Ledger, Verdict
    from labfactory.handoff import Draft, Package, Person, Signer, Trust
    from labfactory.lab import Evaluation, Experiment, Hypothesis, Mean, Proportion
    from labfactory.selection import SelectionPolicy, Selector

__all__ = [
    "AssemblyError",
    "AuditRules",
    "Channel",
    "CompileError",
    "Component",
    "ContentError",
    "Creative",
    "Draft",
    "Environment",
    "Evaluation",
    "Experiment",
    "Expression",
    "ExpressionPlan",
    "Factory",
    "GovernanceError",
    "GraduationPolicy",
    "HandoffError",
    "Heartbeat",
    "Hypothesis",
    "Job",
    "LabfactoryError",
    "Ledger",
    "Library",
    "Mean",
    "MemorySink",
    "Package",
    "ParquetSink",
    "Part",
    "Person",
    "Plan",
    "Proportion",
    "Run",
    "RunError",
    "SelectionError",
    "SelectionPolicy",
    "Selector",
    "Signer",
    "SourceError",
    "StatisticsError",
    "Template",
    "Trust",
    "UsageError",
    "Variant",
    "Verdict",
    "channel",
    "channels",
    "golden_renderer",
    "register_channel",
]

# Where each name is at home; a room is imported when one of its names is first asked for, so that the command
# line answers before Polars and SciPy are read.
_HOMES = {
    "audit": ("AuditRules",),
    "base.errors": (
        "AssemblyError",
        "CompileError",
        "ContentError",
        "GovernanceError",
        "HandoffError",
        "LabfactoryError",
        "RunError",
        "SelectionError",
        "SourceError",
        "StatisticsError",
        "UsageError",
    ),
    "compiler": ("Environment", "Expression", "ExpressionPlan", "Plan", "Template"),
    "content": (
        "Channel",
        "Component",
        "Creative",
        "Library",
        "Part",
        "Variant",
        "channel",
        "channels",
        "register_channel",
    ),
    "factory": ("Factory", "Heartbeat", "Job", "MemorySink", "ParquetSink", "Run", "golden_renderer"),
    "governance": ("GraduationPolicy", "Ledger", "Verdict"),
    "handoff": ("Draft", "Package", "Person", "Signer", "Trust"),
    "lab": ("Evaluation", "Experiment", "Hypothesis", "Mean", "Proportion"),
    "selection": ("SelectionPolicy", "Selector"),
}
_HOME_OF = {name: room for room, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        message = f"module 'labfactory' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"labfactory.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
