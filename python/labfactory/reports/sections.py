"""The sections of a page, read from evaluations, verdicts and runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from labfactory.reports.page import Certificate, Gate, Ration, Table
from labfactory.reports.plot import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from labfactory.factory.summary import Summary
    from labfactory.governance import GateRow, Verdict
    from labfactory.lab import Evaluation

_ROLES = ("goal", "secondary", "guardrail")
_RELATIONS = {">": ">", ">=": "≥", "<=": "≤"}


def intervals(evaluation: Evaluation) -> tuple[Interval, ...]:
    """The comparisons of an evaluation, goals first and guardrails last.

    Args:
        evaluation: What an experiment showed; what it leaves undefined is drawn as a dash.

    Returns:
        One interval per metric and treatment; those of one metric stand together.
    """
    rows = sorted(evaluation.rows, key=lambda row: _ROLES.index(row.role))
    return tuple(
        Interval(
            metric=row.metric,
            variant=row.variant,
            role=row.role,
            difference=_figure(row.difference),
            lower=_figure(row.lower),
            upper=_figure(row.upper),
            is_share=row.kind == "proportion",
            is_increase_better=row.direction == "increase",
            margin=row.margin,
        )
        for row in rows
    )


def gates(verdict: Verdict) -> tuple[Gate, ...]:
    """The rows of a verdict."""
    return tuple(_gate(row) for row in verdict.gates)


def tables(summary: Summary) -> tuple[Table, ...]:
    """What a run did: seconds by step, and what it set aside or skipped by reason.

    Args:
        summary: The run's figures.

    Returns:
        The tables that have a row.
    """
    steps = [
        (step, f"{seconds:.2f}", f"{summary.made / seconds:,.0f}" if seconds > 0 else "–")
        for step, seconds in summary.seconds.items()
    ]
    aside = [(code, f"{rows:,}") for code, rows in sorted(summary.quarantined.items())]
    skipped = [(reason or "no reason", f"{rows:,}") for reason, rows in sorted(summary.skipped.items())]
    every = (
        Table(title="Steps", columns=("step", "seconds", "assets a second"), rows=steps),
        Table(title="Set aside", columns=("reason", "customers"), rows=aside),
        Table(title="Skipped", columns=("reason", "customers"), rows=skipped),
    )
    return tuple(table for table in every if table.rows)


def certificate(allocation: Mapping[str, Any] | None) -> Certificate | None:
    """How good an allocation is, and what it used of its limits.

    Args:
        allocation: As `Allocation.to_dict` tells it and `run.json` keeps it; None without limits.
    """
    if allocation is None:
        return None
    rations = []
    for side, bound in allocation["bounds"].items():
        name, _, kind = side.rpartition(".")
        used, price = allocation["used"][side], allocation["prices"][side]
        rations.append(Ration(name=name, side=kind, used=used, bound=bound, price=price))
    figures = {
        name: allocation[name] for name in ("value", "bound", "gap", "customers", "repaired", "without")
    }
    return Certificate(**figures, rations=tuple(rations))


def decisions(counted: Mapping[str, Mapping[str, int]]) -> tuple[Table, ...]:
    """Why customers got what they got: of each slot the reasons of its decisions, the most frequent first."""
    return tuple(
        Table(
            title=f"Decisions for {slot}",
            columns=("reason", "customers"),
            rows=[
                (reason, f"{rows:,}")
                for reason, rows in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
            ],
        )
        for slot, reasons in counted.items()
    )


def _gate(row: GateRow) -> Gate:
    bound = "" if row.bound is None else f"{_RELATIONS[row.relation]} {_text(row.bound)}"
    return Gate(
        name=row.name,
        status=row.status,
        figure="–" if row.figure is None else _text(row.figure),
        bound=bound,
        reason=row.reason,
    )


def _text(value: float) -> str:
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return text.replace("-", "−")


def _figure(value: float | None) -> float:
    return math.nan if value is None else value
