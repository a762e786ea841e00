"""Sections say what evaluations, verdicts and runs say."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from labfactory.factory.summary import Summary
from labfactory.governance import GraduationPolicy
from labfactory.lab import Experiment, Hypothesis, Mean, Proportion
from labfactory.reports import Page, certificate, decisions, gates, intervals, tables

EXPERIMENT = Experiment(
    "tone",
    hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
    variants=["plain", "warm"],
    metrics={
        "opt_outs": Proportion("opted_out", role="guardrail", direction="decrease", margin=0.1),
        "orders": Mean("orders"),
    },
)


def evaluation(outs: list[bool]):
    responses = pl.DataFrame(
        {"variant": ["plain", "warm"] * 40, "orders": [0, 1, 2, 3] * 20, "opted_out": outs}
    )
    return EXPERIMENT.evaluate(responses, control="plain")


def test_intervals_are_those_of_the_evaluation_goals_first() -> None:
    found = evaluation([False, False, True, True] * 20)
    first, second = intervals(found)
    row = found.row("orders", "warm")
    assert (first.metric, first.difference, first.lower, first.upper) == ("orders", 1.0, row.lower, row.upper)
    assert (second.is_share, second.is_increase_better, second.margin) == (True, False, 0.1)


def test_what_is_undefined_is_a_dash() -> None:
    responses = pl.DataFrame({"variant": ["plain", "warm"], "orders": [0, 1], "opted_out": [False, False]})
    found = intervals(EXPERIMENT.evaluate(responses, control="plain"))
    assert found[0].text == "+1.00 [–, –]"
    assert found[0].tone == "open"


def test_gates_are_those_of_the_verdict() -> None:
    policy = GraduationPolicy.from_toml(
        b"""
        policy = {id = "email", version = 1}
        approvals = {roles = ["bridge_manager"]}
        gate = [{type = "srm"}, {type = "sample", min_per_arm = 1000}, {type = "runtime", min_days = 14}]
        """
    )
    verdict = policy.judge(evaluation([True, False] * 40).to_dict(), datetime(2026, 5, 1, tzinfo=UTC))
    shown = gates(verdict)
    assert [(gate.name, gate.status, gate.figure, gate.bound) for gate in shown] == [
        ("srm", "pass", "1", "≥ 0.001"),
        ("sample plain", "fail", "40", "≥ 1,000"),
        ("sample warm", "fail", "40", "≥ 1,000"),
        ("runtime", "inconclusive", "–", "≥ 14"),
    ]


def test_tables_count_what_a_run_did() -> None:
    summary = Summary(
        rows=1010,
        assets=1000,
        skipped={},
        quarantined={"null_key": 4, "duplicate_key": 6},
        size_bytes=5_000_000,
        shards=2,
        resumed_shards=0,
        made=1000,
        elapsed_s=2.0,
        seconds={"decide": 0.5, "write": 0.0},
    )
    steps, aside = tables(summary)
    assert list(steps.rows) == [("decide", "0.50", "2,000"), ("write", "0.00", "–")]
    assert list(aside.rows) == [("duplicate_key", "6"), ("null_key", "4")]


ALLOCATION = {
    "value": 998.25,
    "bound": 999.0,
    "gap": 0.00075075,
    "customers": 4_000,
    "repaired": 37,
    "without": 1_200,
    "bounds": {"vouchers.maximum": 2_000, "brand.minimum": 500, "spend.<b>.budget": 250.0},
    "used": {"vouchers.maximum": 1_000, "brand.minimum": 640, "spend.<b>.budget": 249.5},
    "prices": {"vouchers.maximum": 0.0, "brand.minimum": 0.125, "spend.<b>.budget": 1.5},
}


def test_a_certificate_tells_the_gap_the_bound_and_what_was_used_of_each_limit() -> None:
    shown = certificate(ALLOCATION)
    assert shown is not None
    assert (shown.claim, shown.tone) == ("at most 0.0751 % below the best", "better")
    assert [(one.name, one.side, one.said, one.percent) for one in shown.rations] == [
        ("vouchers", "maximum", "1,000 of at most 2,000", "50.0"),
        ("brand", "minimum", "640 of at least 500", "100.0"),
        ("spend.<b>", "budget", "249.5 of at most 250", "99.8"),
    ]
    page = Page(title="run", certificate=shown).to_html().decode()
    for text in ("What the limits allowed", "998.25", ">999<", ">37<", "width: 99.8%", "spend.&lt;b&gt;"):
        assert text in page
    broken = certificate({**ALLOCATION, "used": {**ALLOCATION["used"], "brand.minimum": 499}})
    assert broken is not None
    assert broken.tone == "worse"
    assert [one.is_kept for one in broken.rations] == [True, False, True]


def test_a_run_without_limits_has_no_certificate() -> None:
    assert certificate(None) is None
    assert "What the limits allowed" not in Page(title="run").to_html().decode()


def test_decisions_are_counted_by_reason_the_most_frequent_first() -> None:
    (shown,) = decisions({"hero": {"capped": 5, "chosen": 4_000, "reserved": 5}})
    assert shown.title == "Decisions for hero"
    assert list(shown.rows) == [("chosen", "4,000"), ("capped", "5"), ("reserved", "5")]
