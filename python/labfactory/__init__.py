"""From marketing experiment to governed, personalised content at factory scale."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labfactory.audit import AuditRules, Finding, Findings, Rule
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
    from labfactory.compiler import (
        Environment,
        Expression,
        ExpressionPlan,
        Function,
        Functions,
        Plan,
        Preview,
        Table,
        Template,
        function,
    )
    from labfactory.content import (
        Channel,
        Component,
        Creative,
        Library,
        LibraryError,
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
        Progress,
        Run,
        Shard,
        ShardedSource,
        Sink,
        Summary,
        golden_renderer,
    )
    from labfactory.governance import Approval, GraduationPolicy, Ledger, Override, Verdict
    from labfactory.handoff import Draft, Package, Person, Registry, Signer, Trust
    from labfactory.lab import Comparison, Evaluation, Experiment, Flag, Hypothesis, Mean, Proportion, adjust
    from labfactory.selection import (
        ChoiceRule,
        EligibilityRule,
        Exploration,
        Feature,
        LinearModel,
        SelectionPolicy,
        Selector,
        SlotPolicy,
    )

__all__ = [
    "Approval",
    "AssemblyError",
    "AuditRules",
    "Channel",
    "ChoiceRule",
    "Comparison",
    "CompileError",
    "Component",
    "ContentError",
    "Creative",
    "Draft",
    "EligibilityRule",
    "Environment",
    "Evaluation",
    "Experiment",
    "Exploration",
    "Expression",
    "ExpressionPlan",
    "Factory",
    "Feature",
    "Finding",
    "Findings",
    "Flag",
    "Function",
    "Functions",
    "GovernanceError",
    "GraduationPolicy",
    "HandoffError",
    "Heartbeat",
    "Hypothesis",
    "Job",
    "LabfactoryError",
    "Ledger",
    "Library",
    "LibraryError",
    "LinearModel",
    "Mean",
    "MemorySink",
    "Override",
    "Package",
    "ParquetSink",
    "Part",
    "Person",
    "Plan",
    "Preview",
    "Progress",
    "Proportion",
    "Registry",
    "Rule",
    "Run",
    "RunError",
    "SelectionError",
    "SelectionPolicy",
    "Selector",
    "Shard",
    "ShardedSource",
    "Signer",
    "Sink",
    "SlotPolicy",
    "SourceError",
    "StatisticsError",
    "Summary",
    "Table",
    "Template",
    "Trust",
    "UsageError",
    "Variant",
    "Verdict",
    "adjust",
    "channel",
    "channels",
    "function",
    "golden_renderer",
    "register_channel",
]

# Where each name is at home; a room is imported when one of its names is first asked for, so that the command
# line answers before Polars and SciPy are read.
_HOMES = {
    "audit": ("AuditRules", "Finding", "Findings", "Rule"),
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
    "compiler": (
        "Environment",
        "Expression",
        "ExpressionPlan",
        "Function",
        "Functions",
        "Plan",
        "Preview",
        "Table",
        "Template",
        "function",
    ),
    "content": (
        "Channel",
        "Component",
        "Creative",
        "Library",
        "LibraryError",
        "Part",
        "Variant",
        "channel",
        "channels",
        "register_channel",
    ),
    "factory": (
        "Factory",
        "Heartbeat",
        "Job",
        "MemorySink",
        "ParquetSink",
        "Progress",
        "Run",
        "Shard",
        "ShardedSource",
        "Sink",
        "Summary",
        "golden_renderer",
    ),
    "governance": ("Approval", "GraduationPolicy", "Ledger", "Override", "Verdict"),
    "handoff": ("Draft", "Package", "Person", "Registry", "Signer", "Trust"),
    "lab": ("Comparison", "Evaluation", "Experiment", "Flag", "Hypothesis", "Mean", "Proportion", "adjust"),
    "selection": (
        "ChoiceRule",
        "EligibilityRule",
        "Exploration",
        "Feature",
        "LinearModel",
        "SelectionPolicy",
        "Selector",
        "SlotPolicy",
    ),
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
