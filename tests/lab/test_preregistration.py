"""A plan has one digest, and whatever was done otherwise is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from labfactory import (
    AlwaysValid,
    Cuped,
    Evaluation,
    Experiment,
    GroupSequential,
    Hypothesis,
    Mean,
    Preregistration,
    StatisticsError,
    UsageError,
)

EXPERIMENT = Experiment(
    "tone",
    hypothesis=Hypothesis("Warm openings lift orders.", minimum_effect=0.02),
    variants=["plain", "warm"],
    metrics={"orders": Mean("orders"), "refunds": Mean("refunds", role="secondary")},
)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    random = np.random.default_rng(2)
    variants = pa.DictionaryArray.from_arrays(
        pa.array(np.arange(1000, dtype=np.int32) % 2), pa.array(["plain", "warm"])
    )
    outcomes = {name: pa.array(random.normal(1.0, 1.0, 1000)) for name in ("orders", "refunds")}
    return EXPERIMENT.evaluate(pa.table({"variant": variants, **outcomes}), control="plain")


def planned(**changes) -> Preregistration:
    return replace(Preregistration.of(EXPERIMENT, control="plain", units=1000), **changes)


def test_what_was_planned_and_done_departs_in_nothing(evaluation):
    assert planned().compare(evaluation) == ()


@pytest.mark.parametrize(
    ("change", "departure"),
    [
        ({"alpha": 0.01}, "alpha_changed: intervals are at another error level; planned 0.01, found 0.05"),
        ({"control": "warm"}, "control_changed: another variant is the control; planned warm, found plain"),
        (
            {"correction": "holm"},
            "correction_changed: several comparisons are corrected otherwise; planned holm, found none",
        ),
        (
            {"method": "welch, always_valid(horizon=5000)", "looks": None},
            (
                "method_changed: another method stands behind the intervals; "
                "planned welch, always_valid(horizon=5000), found welch"
            ),
        ),
        ({"metrics": ("orders",)}, "metric_added: a metric was not planned; planned orders, found refunds"),
        (
            {"metrics": ("orders", "refunds", "visits")},
            "metric_missing: a planned metric is not reported; planned visits, found orders, refunds",
        ),
        ({"experiment": "voice"}, "name_changed: the experiment has another name; planned voice, found tone"),
        ({"units": 900}, "ran_on: more units came than planned; planned 900 units, found 1,000"),
        (
            {"units": 2000},
            (
                "stopped_early: fewer units came than planned, and the stop rule did not say so; "
                "planned 2,000 units, found 1,000"
            ),
        ),
        (
            {"variants": ("plain", "warm", "hot")},
            "variant_missing: a planned variant is not reported; planned hot, found plain, warm",
        ),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else None,
)
def test_each_departure_is_named(evaluation, change, departure):
    assert [str(found) for found in planned(**change).compare(evaluation)] == [departure]


def test_another_plan_of_metrics_and_shares_is_seen(evaluation):
    other = Experiment(
        "tone",
        hypothesis=EXPERIMENT.hypothesis,
        variants=["plain", "warm"],
        metrics=EXPERIMENT.metrics,
        allocation=[0.9, 0.1],
    )
    found = Preregistration.of(other, control="plain", units=1000).compare(evaluation)
    assert [departure.code for departure in found] == ["plan_changed"]
    assert found[0].to_dict()["found"] == EXPERIMENT.preregistration


def test_looks_and_variants_beyond_the_plan_are_seen(evaluation):
    assert [found.code for found in planned().compare(replace(evaluation, looks=3))] == ["looks_added"]
    assert planned(looks=None).compare(replace(evaluation, looks=30)) == ()
    extra = planned(variants=("plain",)).compare(evaluation)
    assert [departure.code for departure in extra] == ["variant_added"]


def test_a_sequential_test_may_stop_early_once_it_is_decided(evaluation):
    decided = replace(evaluation, rows=tuple(replace(row, p=0.001) for row in evaluation.rows))
    undecided = replace(evaluation, rows=tuple(replace(row, p=0.4) for row in evaluation.rows))
    sequential = planned(units=5000, looks=None)
    assert sequential.compare(decided) == ()
    assert [found.code for found in sequential.compare(undecided)] == ["stopped_early"]
    assert [found.code for found in planned(units=5000).compare(decided)] == ["stopped_early"]


def test_a_plan_has_one_digest_and_another_plan_another():
    assert planned().digest == planned().digest
    assert planned().digest != planned(units=1001).digest
    assert Preregistration.from_json(planned().to_json()) == planned()
    assert Preregistration.from_json(planned().to_json()).digest == planned().digest


def test_the_rule_decides_how_often_one_may_look():
    always = Preregistration.of(EXPERIMENT, control="plain", units=1000, rule=AlwaysValid())
    group = Preregistration.of(EXPERIMENT, control="plain", units=1000, rule=GroupSequential(looks=4))
    assert (always.looks, group.looks, planned().looks) == (None, 4, 1)
    assert always.method == "welch, always_valid(horizon=5000)"


@pytest.mark.parametrize("change", [{"control": "hot"}, {"alpha": 1.0}, {"units": 0}, {"looks": 0}])
def test_a_plan_that_cannot_be_is_refused(change):
    with pytest.raises(UsageError) as raised:
        planned(**change)
    assert raised.value.code == "preregistration"


@pytest.mark.parametrize("data", [b"{", b'{"experiment":"tone"}', b"[]"])
def test_other_bytes_are_no_preregistration(data):
    with pytest.raises(StatisticsError) as raised:
        Preregistration.from_json(data)
    assert raised.value.code == "preregistration_malformed"


def test_an_evaluation_keeps_how_it_departs_and_says_so(evaluation):
    plan = planned(units=900, alpha=0.01)
    kept = plan.recorded(evaluation)
    assert (kept.planned, kept.departures) == (plan.digest, plan.compare(evaluation))
    assert [departure.code for departure in kept.departures] == ["alpha_changed", "ran_on"]
    assert Evaluation.from_json(kept.to_json()) == kept
    assert "≠ ran_on: more units came than planned; planned 900 units, found 1,000" in repr(kept)
    assert replace(kept, planned=None, departures=None) == evaluation
    assert planned().recorded(evaluation).departures == ()


def test_an_estimator_may_be_planned_by_itself():
    by_value = Preregistration.of(EXPERIMENT, control="plain", units=10, estimator=Cuped("before"))
    assert by_value == Preregistration.of(EXPERIMENT, control="plain", units=10, estimator="cuped(before)")
