"""A policy with every gate, and evidence that passes it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import pytest

from labfactory.governance import GraduationPolicy

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

POLICY = b"""
[policy]
id = "email-graduation"
version = 3
expires_days = 90

[[gate]]
type = "lift"
metric = "orders"
min_lower = 0.02

[[gate]]
type = "sample"
min_per_arm = 1000

[[gate]]
type = "srm"

[[gate]]
type = "guardrails"
metrics = ["opt_outs"]

[[gate]]
type = "runtime"
min_days = 14

[[gate]]
type = "assets"
min_count = 10

[[gate]]
type = "compliance"

[[gate]]
type = "playbook"
required = ["Owner", "Rollback"]

[approvals]
roles = ["experimentation_lead", "bridge_manager", "scale_architect"]
"""

EVIDENCE = {
    "experiment": "welcome-tone",
    "control": "welcome/plain",
    "alpha": 0.05,
    "srm": {"p": 0.7, "expected": [3000, 3000, 3000], "observed": [3010, 2990, 3000]},
    "units": {"welcome/plain": 3010, "welcome/warm": 2990, "welcome/bold": 3000},
    "looks": 1,
    "runtime_days": 21,
    "rows": [
        {
            "metric": "orders",
            "role": "goal",
            "kind": "mean",
            "direction": "increase",
            "variant": variant,
            "control_value": 1.0,
            "treatment_value": 1.0 + lift,
            "difference": lift,
            "lower": lift - 0.02,
            "upper": lift + 0.02,
            "relative": lift,
            "relative_lower": lift - 0.021,
            "relative_upper": lift + 0.021,
            "p": 0.001,
        }
        for variant, lift in (("welcome/warm", 0.05), ("welcome/bold", 0.01))
    ]
    + [
        {
            "metric": "opt_outs",
            "role": "guardrail",
            "kind": "proportion",
            "direction": "decrease",
            "variant": variant,
            "control_value": 0.01,
            "treatment_value": 0.0105,
            "difference": 0.0005,
            "lower": -0.001,
            "upper": 0.002,
            "relative": 0.05,
            "relative_lower": -0.1,
            "relative_upper": 0.2,
            "p": 0.4,
            "margin": 0.003,
        }
        for variant in ("welcome/warm", "welcome/bold")
    ],
    "variants": ["welcome/warm"],
    "golden": {"count": 20, "errors": 0, "findings": []},
    "playbook": {
        "sections": {"Owner": "The CRM team, Ana", "Rollback": "Stop the run and restore version 2."}
    },
}


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def policy() -> GraduationPolicy:
    return GraduationPolicy.from_toml(POLICY)


@pytest.fixture
def evidence() -> dict:
    return copy.deepcopy(EVIDENCE)
