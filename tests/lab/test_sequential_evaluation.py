"""Evaluations that are read while data come: by the planned shares, and with the looks before them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from labfactory import (
    AlwaysValid,
    BetaBinomial,
    Betting,
    Evaluation,
    Experiment,
    GroupSequential,
    Hypothesis,
    Preregistration,
    Proportion,
    StatisticsError,
    UsageError,
)
from labfactory.lab.estimators import Sample

EXPERIMENT = Experiment(
    "tone",
    hypothesis=Hypothesis("Warm openings lift visits.", minimum_effect=0.02),
    variants=["plain", "warm", "hot"],
    metrics={"visited": Proportion("visited")},
    allocation=[0.6, 0.3, 0.1],
)


def responses(units: int, *, seed: int = 1, lift: float = 0.0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    arms = random.choice(3, units, p=[0.6, 0.3, 0.1])
    visited = random.random(units) < 0.05 * (1 + lift * (arms > 0))
    names = np.array(["plain", "warm", "hot"])[arms]
    return pl.DataFrame({"variant": names, "visited": visited, "channel": random.choice(["a", "b"], units)})


def arm(evaluation: Evaluation, variant: str) -> Sample:
    row = evaluation.row("visited", "warm" if variant == "plain" else variant)
    units = row.control_n if variant == "plain" else row.treatment_n
    rate = row.control_value if variant == "plain" else row.treatment_value
    assert rate is not None
    return Sample(units, rate, rate * (1 - rate) * units / (units - 1))


@pytest.mark.parametrize("rule", [AlwaysValid(), BetaBinomial(), Betting()], ids=lambda rule: rule.name)
@pytest.mark.parametrize(("variant", "share"), [("warm", 1 / 3), ("hot", 1 / 7)])
def test_a_row_is_a_look_at_its_arms_by_their_planned_share(rule, variant, share):
    evaluation = EXPERIMENT.evaluate(responses(20_000), control="plain", sequential=rule)
    row = evaluation.row("visited", variant)
    look = rule.look(arm(evaluation, "plain"), arm(evaluation, variant), alpha=0.05, share=share)
    found = row.lower, row.upper, row.p, row.relative_lower, row.relative_upper
    expected = look.lower, look.upper, look.p, look.relative_lower, look.relative_upper
    assert found == pytest.approx(expected, rel=1e-9)
    assert row.p > 0.05


def test_a_group_sequential_test_rests_on_the_units_of_earlier_looks():
    rule, data = GroupSequential(looks=3, spending="pocock"), responses(30_000, lift=0.3)
    evaluations: list[Evaluation] = []
    looks: dict[str, list] = {"warm": [], "hot": []}
    for units in (8000, 20_000, 30_000):
        evaluations.append(
            EXPERIMENT.evaluate(data.head(units), control="plain", sequential=rule, earlier=evaluations)
        )
        for variant, history in looks.items():
            arms = arm(evaluations[-1], "plain"), arm(evaluations[-1], variant)
            history.append(rule.look(*arms, alpha=0.05, history=history))
            row = evaluations[-1].row("visited", variant)
            assert (row.lower, row.p) == pytest.approx((history[-1].lower, history[-1].p), rel=1e-6)
    assert [evaluation.looks for evaluation in evaluations] == [1, 2, 3]
    with pytest.raises(StatisticsError, match="expected 3 looks at most"):
        EXPERIMENT.evaluate(responses(40_000), control="plain", sequential=rule, earlier=evaluations)
    with pytest.raises(UsageError) as raised:
        EXPERIMENT.evaluate(data, control="plain", earlier=evaluations)
    assert raised.value.code == "earlier"


def test_segments_that_were_not_planned_are_a_departure():
    evaluation = EXPERIMENT.evaluate(responses(4000), control="plain", segments=["channel"])
    planned = Preregistration.of(EXPERIMENT, control="plain", units=4000)
    assert [str(found) for found in planned.compare(evaluation)] == [
        "segment_added: a segment was not planned; planned none, found channel"
    ]
    planned = Preregistration.of(EXPERIMENT, control="plain", units=4000, segments=["channel"])
    assert planned.compare(evaluation) == ()
