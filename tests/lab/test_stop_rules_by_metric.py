"""Stop rules by metric, and the rules that cannot read what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from labfactory import (
    AlwaysValid,
    Bayes,
    BetaBinomial,
    Betting,
    Bootstrap,
    Cuped,
    Evaluation,
    Experiment,
    GroupSequential,
    Hypothesis,
    Mean,
    PostStratified,
    Preregistration,
    Proportion,
    Quantile,
    Ratio,
    Regression,
    UsageError,
    ZTest,
)

if TYPE_CHECKING:
    from labfactory import Estimator, StopRule
    from labfactory.lab.metric import Metric


def make(**metrics: Metric) -> Experiment:
    return Experiment(
        "tone", hypothesis=Hypothesis("None.", 0.0), variants=["plain", "warm"], metrics=metrics
    )


def responses(units: int = 6000) -> pl.DataFrame:
    random = np.random.default_rng(3)
    return pl.DataFrame(
        {
            "variant": ["plain", "warm"] * (units // 2),
            "spend": random.gamma(1.0, 20.0, units).clip(max=99.0),
            "visited": random.random(units) < 0.1,
            "before": random.gamma(1.0, 20.0, units),
        }
    )


EXPERIMENT = make(spend=Mean("spend"), visits=Proportion("visited"), typical=Quantile("spend", 0.5))
RULES: dict[str, StopRule] = {"visits": BetaBinomial(), "spend": AlwaysValid()}


def test_each_metric_is_read_by_its_own_rule() -> None:
    data = responses()
    together = EXPERIMENT.evaluate(data, control="plain", sequential=RULES)
    for metric, rule in (*RULES.items(), ("typical", None)):
        alone = make(**{metric: EXPERIMENT.metrics[metric]}).evaluate(data, control="plain", sequential=rule)
        assert together.row(metric, "warm") == alone.row(metric, "warm")
    assert [row.method for row in together.rows] == [
        "welch, always_valid(horizon=5000)",
        "welch, beta_binomial(horizon=250)",
        "quantile",
    ]
    assert together.method == "welch, visits: beta_binomial(horizon=250); spend: always_valid(horizon=5000)"
    assert Evaluation.from_json(together.to_json()) == together


def test_metrics_without_a_rule_are_flagged_when_one_looks_again() -> None:
    first = EXPERIMENT.evaluate(responses(3000), control="plain", sequential=RULES)
    second = EXPERIMENT.evaluate(responses(), control="plain", sequential=RULES, earlier=[first])
    peeked = [(flag.metric, flag.count) for flag in second.flags if flag.code == "peeking"]
    assert peeked == [("typical", 2)]
    assert "peeking" not in {flag.code for flag in first.flags}


def test_a_quantile_that_a_rule_reads_says_so() -> None:
    row = EXPERIMENT.evaluate(responses(), control="plain", sequential=AlwaysValid()).row("typical", "warm")
    fixed = EXPERIMENT.evaluate(responses(), control="plain").row("typical", "warm")
    assert row.method == "quantile, always_valid(horizon=5000)"
    assert row.lower is not None
    assert fixed.lower is not None
    assert row.lower < fixed.lower


def test_rules_by_metric_are_planned_as_they_are_done() -> None:
    planned = Preregistration.of(EXPERIMENT, control="plain", units=6000, rule=RULES)
    assert planned.looks is None
    done = EXPERIMENT.evaluate(responses(), control="plain", sequential=RULES)
    assert planned.compare(done) == ()
    other = EXPERIMENT.evaluate(responses(), control="plain", sequential=AlwaysValid())
    assert [each.code for each in planned.compare(other)] == ["method_changed"]
    some = Preregistration.of(
        EXPERIMENT, control="plain", units=6000, rule={**RULES, "spend": GroupSequential(looks=3)}
    )
    assert some.looks == 3


REFUSED: list[tuple[dict[str, Metric], dict[str, Any], str]] = [
    ({"m": Mean("spend")}, {"sequential": BetaBinomial()}, "expected proportion for beta_binomial"),
    ({"m": Ratio("spend", "before")}, {"sequential": Betting(bound=100)}, "found the ratio 'm'"),
    ({"m": Quantile("spend", 0.5)}, {"sequential": Betting(bound=100)}, "found the quantile 'm'"),
    ({"m": Mean("spend")}, {"sequential": Betting(bound=100), "estimator": Cuped("before")}, "as they are"),
    ({"m": Mean("spend")}, {"sequential": Betting(bound=100), "variance_factor": 2.0}, "variance × 2"),
    ({"m": Mean("spend")}, {"sequential": AlwaysValid(), "estimator": Bayes()}, "found bayes"),
    ({"m": Mean("spend")}, {"sequential": AlwaysValid(), "estimator": Bootstrap(100)}, "found bootstrap"),
    ({"m": Mean("spend")}, {"sequential": {"n": AlwaysValid()}}, "found one of 'n'"),
]


@pytest.mark.parametrize(("metrics", "options", "match"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_rule_that_cannot_read_its_metric_is_refused(
    metrics: dict[str, Metric], options: dict[str, Any], match: str
) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        make(**metrics).evaluate(responses(60), control="plain", **options)
    assert caught.value.code == "stop_rule"


@pytest.mark.parametrize(
    "estimator",
    [
        ZTest(),
        Cuped("before"),
        Regression("before"),
        Regression("before", errors="hc2"),
        PostStratified("visited"),
    ],
    ids=lambda each: each.name,
)
@pytest.mark.parametrize("rule", [AlwaysValid(), GroupSequential()], ids=lambda each: each.name)
def test_adjusted_figures_are_read_by_rules_that_can(estimator: Estimator, rule: StopRule) -> None:
    experiment = make(spend=Mean("spend"), each=Ratio("spend", "before"))
    for row in experiment.evaluate(responses(), control="plain", estimator=estimator, sequential=rule).rows:
        fixed = experiment.evaluate(responses(), control="plain", estimator=estimator).row(row.metric, "warm")
        assert row.standard_error == pytest.approx(fixed.standard_error)
        assert row.lower is not None
        assert fixed.lower is not None
        assert row.lower < fixed.lower
        assert row.method == f"{estimator.name}, {rule.name}"
