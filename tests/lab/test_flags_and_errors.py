"""What the data leave undefined is an error or a flag, never a number that looks fine."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.errors import LabfactoryError, SourceError, StatisticsError, UsageError
from labfactory.lab import (
    Bayes,
    Bootstrap,
    Cuped,
    Experiment,
    Flag,
    Hypothesis,
    Mean,
    Proportion,
    Quantile,
    Ratio,
    Regression,
    Welch,
    ZTest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def frame(plain: Sequence[Any], warm: Sequence[Any], **more: Sequence[Any]) -> pl.DataFrame:
    variants = ["plain"] * len(plain) + ["warm"] * len(warm)
    return pl.DataFrame({"variant": variants, "orders": [*plain, *warm], **more}, strict=False)


SOME = [0.0, 1.0, 2.0, 3.0] * 10


def refused(run: Callable[[], Any], kind: type[LabfactoryError], code: str, match: str) -> None:
    with pytest.raises(kind, match=match) as caught:
        run()
    assert caught.value.code == code


def test_clean_responses_carry_no_flag(make_experiment: Callable[..., Experiment]) -> None:
    assert make_experiment().evaluate(frame(SOME, SOME), control="plain").flags == ()


def test_nobody_in_the_control_is_an_error(make_experiment: Callable[..., Experiment]) -> None:
    data = frame([], SOME)
    refused(
        lambda: make_experiment().evaluate(data, control="plain"),
        StatisticsError,
        "no_units",
        "plain 0, warm 40",
    )
    empty = data.clear()
    refused(
        lambda: make_experiment().evaluate(empty, control="plain"), StatisticsError, "no_units", "plain 0"
    )


def test_a_missing_treatment_is_flagged_and_has_no_figures(
    make_experiment: Callable[..., Experiment],
) -> None:
    evaluation = make_experiment().evaluate(frame(SOME, []), control="plain")
    assert Flag("arm_missing", variant="warm") in evaluation.flags
    row = evaluation.row("orders", "warm")
    assert (row.treatment_n, row.treatment_value, row.difference, row.lower, row.relative, row.p) == (
        (0,) + (None,) * 5
    )


def test_one_unit_has_a_value_but_no_interval(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame(SOME, [2.0]), control="plain")
    assert Flag("one_unit", "orders", "warm") in evaluation.flags
    row = evaluation.row("orders", "warm")
    assert (row.difference, row.relative) == (0.5, pytest.approx(1 / 3))
    assert (row.lower, row.upper, row.relative_lower, row.p) == (None, None, None, None)


def test_no_variance_in_either_arm_has_no_interval(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame([0.1] * 5_000, [0.3] * 5_000), control="plain")
    assert {flag.code for flag in evaluation.flags} == {"zero_variance"}
    row = evaluation.row("orders", "warm")
    assert row.difference == pytest.approx(0.2)
    assert (row.lower, row.p) == (None, None)


def test_no_variance_in_one_arm_is_flagged(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame([1.0] * 40, SOME), control="plain")
    assert evaluation.flags == (Flag("zero_variance", "orders", "plain"),)
    assert evaluation.row("orders", "warm").p is not None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_outcomes_that_are_not_finite_are_an_error(
    make_experiment: Callable[..., Experiment], value: float
) -> None:
    refused(
        lambda: make_experiment().evaluate(frame(SOME, [*SOME, value, value]), control="plain"),
        StatisticsError,
        "invalid_outcome",
        "found 2 other values in variant 'warm'",
    )


@pytest.mark.parametrize("value", [2.0, -1.0, 0.5, float("nan")])
def test_a_proportion_takes_only_0_and_1(make_experiment: Callable[..., Experiment], value: float) -> None:
    experiment = make_experiment(metrics={"orders": Proportion("orders")})
    refused(
        lambda: experiment.evaluate(frame([0.0, 1.0, value], [1.0, 0.0]), control="plain"),
        StatisticsError,
        "invalid_outcome",
        "expected 0, 1, true or false in 'orders', found 1 other values in variant 'plain'",
    )


def test_outcomes_too_large_to_square_are_an_error(make_experiment: Callable[..., Experiment]) -> None:
    refused(
        lambda: make_experiment().evaluate(frame(SOME, [1e200, -1e200]), control="plain"),
        StatisticsError,
        "overflow",
        "in 'orders' of 'warm'",
    )


def test_missing_outcomes_are_left_out_and_counted(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame(SOME, [*SOME, None, None]), control="plain")
    assert evaluation.flags == (Flag("missing_outcome", "orders", "warm", 2),)
    assert evaluation.units == {"plain": 40, "warm": 42}
    assert evaluation.row("orders", "warm").treatment_n == 40


def test_an_arm_without_any_outcome_is_flagged(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame(SOME, [None] * 40), control="plain")
    assert Flag("no_outcome", "orders", "warm") in evaluation.flags
    assert evaluation.row("orders", "warm").difference is None


def test_outcomes_without_assignment_are_left_out_and_counted(
    make_experiment: Callable[..., Experiment],
) -> None:
    data = pl.concat([frame(SOME, SOME), pl.DataFrame({"variant": [None] * 3, "orders": [9.0] * 3})])
    evaluation = make_experiment().evaluate(data, control="plain")
    assert evaluation.flags == (Flag("outcome_without_assignment", count=3),)
    assert evaluation.row("orders", "warm").difference == 0.0


def test_a_variant_outside_the_experiment_is_an_error(make_experiment: Callable[..., Experiment]) -> None:
    data = pl.concat([frame(SOME, SOME), pl.DataFrame({"variant": ["warn"], "orders": [9.0]})])
    refused(
        lambda: make_experiment().evaluate(data, control="plain"),
        StatisticsError,
        "unknown_variant",
        "found 'warn' in row 80",
    )


def test_units_in_an_arm_of_weight_zero_are_flagged(make_experiment: Callable[..., Experiment]) -> None:
    experiment = make_experiment(variants=["plain", "warm", "held"], allocation=[0.5, 0.5, 0.0])
    data = pl.concat(
        [frame(SOME, SOME), pl.DataFrame({"variant": ["held"] * 4, "orders": [1.0, 2.0, 3.0, 1.0]})]
    )
    evaluation = experiment.evaluate(data, control="plain")
    assert evaluation.flags == (Flag("unplanned_arm", variant="held", count=4),)
    assert evaluation.srm_p == 1.0


def test_units_out_of_ratio_are_flagged(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame(SOME * 4, SOME), control="plain")
    assert evaluation.flags == (Flag("sample_ratio_mismatch"),)


def test_few_expected_units_make_the_ratio_test_rough(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame([9.0, 9.1], [9.2, 9.3]), control="plain")
    assert evaluation.flags == (Flag("sample_ratio_rough"),)


def test_few_events_are_flagged(make_experiment: Callable[..., Experiment]) -> None:
    experiment = make_experiment(metrics={"orders": Proportion("orders")})
    evaluation = experiment.evaluate(frame([0, 1] * 20, [1] * 37 + [0] * 3), control="plain")
    assert evaluation.flags == (Flag("few_events", "orders", "warm", 3),)


def test_a_baseline_at_or_below_zero_has_no_relative_lift(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame([-1.0, -2.0] * 20, SOME), control="plain")
    assert evaluation.flags == (Flag("baseline_not_positive", "orders", "warm"),)
    row = evaluation.row("orders", "warm")
    assert row.relative is None
    assert row.lower is not None


def test_an_unbounded_relative_lift_says_so(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame([-9.0, 9.1] * 20, SOME), control="plain")
    assert evaluation.flags == (Flag("relative_unbounded", "orders", "warm"),)
    row = evaluation.row("orders", "warm")
    assert row.relative == pytest.approx(29.0)
    assert (row.relative_lower, row.relative_upper) == (None, None)


def test_keys_tell_of_repeated_and_twice_exposed_units(make_experiment: Callable[..., Experiment]) -> None:
    keys = [*range(40), *range(36), 7, 7, None, None]
    data = frame(SOME, SOME, id=keys)
    evaluation = make_experiment().evaluate(data, control="plain", key="id")
    assert evaluation.flags == (
        Flag("missing_key", count=2),
        Flag("duplicate_key", count=38),
        Flag("multiple_exposure", count=36),
    )
    texts = data.with_columns(pl.col("id").cast(pl.String))
    assert make_experiment().evaluate(texts, control="plain", key="id").flags == evaluation.flags


def test_different_keys_carry_no_flag(make_experiment: Callable[..., Experiment]) -> None:
    data = frame(SOME, SOME, id=list(range(80)))
    reader = pa.Table.from_batches(data.to_arrow().to_batches(max_chunksize=7)).to_reader()
    assert make_experiment().evaluate(reader, control="plain", key="id").flags == ()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, float("nan")])
def test_alpha_lies_between_0_and_1(make_experiment: Callable[..., Experiment], alpha: float) -> None:
    refused(
        lambda: make_experiment().evaluate(frame(SOME, SOME), control="plain", alpha=alpha),
        UsageError,
        "alpha",
        "above 0 and below 1",
    )


def test_the_control_is_a_variant(make_experiment: Callable[..., Experiment]) -> None:
    run = lambda: make_experiment().evaluate(frame(SOME, SOME), control="plian")  # noqa: E731
    refused(run, UsageError, "unknown_variant", "did you mean 'plain'")


@pytest.mark.parametrize(
    ("parts", "code", "match"),
    [
        ({"variants": ["plain"]}, "experiment", "found plain"),
        ({"variants": ["plain", "plain"]}, "experiment", "found plain, plain"),
        ({"variants": ["plain", ""]}, "experiment", "different names"),
        ({"metrics": {}}, "experiment", "found no metric"),
        ({"metrics": {"a": Mean("a", role="secondary")}}, "experiment", "found a secondary"),
        ({"allocation": [0.5, 0.4]}, "weights", "found 0.5, 0.4"),
        ({"allocation": [1.0]}, "weights", "expected 2 shares"),
        ({"allocation": [1.5, -0.5]}, "weights", "0 or more"),
        ({"allocation": {"plain": 0.5, "wram": 0.5}}, "unknown_variant", "did you mean 'warm'"),
    ],
)
def test_a_plan_that_cannot_be_evaluated_is_refused(
    make_experiment: Callable[..., Experiment], parts: dict[str, Any], code: str, match: str
) -> None:
    refused(lambda: make_experiment(**parts), UsageError, code, match)


def test_an_experiment_has_a_name() -> None:
    run = lambda: Experiment(  # noqa: E731
        "", hypothesis=Hypothesis("x", 0.0), variants=["a", "b"], metrics={"m": Mean("m")}
    )
    refused(run, UsageError, "experiment", "expected a name")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"role": "gaol"}, "did you mean 'goal'"),
        ({"direction": "up"}, "increase, decrease"),
        ({"margin": 0.1}, "on a guardrail only"),
        ({"role": "guardrail", "margin": 0.0}, "margin above 0"),
        ({"role": "guardrail", "margin": float("inf")}, "margin above 0"),
    ],
)
def test_a_metric_with_a_wrong_option_is_refused(options: dict[str, Any], match: str) -> None:
    refused(lambda: Mean("spend", **options), UsageError, "metric", match)


@pytest.mark.parametrize(("text", "effect"), [(" ", 0.1), ("x", -0.1), ("x", float("nan"))])
def test_a_hypothesis_has_words_and_an_effect(text: str, effect: float) -> None:
    refused(lambda: Hypothesis(text, effect), UsageError, "hypothesis", "expected")


def test_keys_that_cannot_be_hashed_are_refused(make_experiment: Callable[..., Experiment]) -> None:
    data = frame(SOME, SOME, id=[[1]] * 80)
    refused(
        lambda: make_experiment().evaluate(data, control="plain", key="id"),
        SourceError,
        "key_type",
        "text or integers",
    )


FEW = [1.0, 2.0, 4.0, 8.0, 9.0]


@pytest.mark.parametrize("estimator", [ZTest(), Bayes(), Bayes(prior_sd=0.3), Bootstrap(100)], ids=str)
def test_few_units_are_flagged_where_many_are_taken_for_granted(
    make_experiment: Callable[..., Experiment], estimator: Any
) -> None:
    flags = make_experiment().evaluate(frame(SOME, FEW), control="plain", estimator=estimator).flags
    assert Flag("few_units", "orders", "warm", 5) in flags
    assert Flag("few_units", "orders", "plain", 40) not in flags
    assert make_experiment().evaluate(frame(SOME, FEW), control="plain").flags == (
        Flag("sample_ratio_mismatch"),
    )


def test_shares_of_few_units_are_exact_under_their_prior(make_experiment: Callable[..., Experiment]) -> None:
    experiment = make_experiment(metrics={"orders": Proportion("orders")})
    flags = experiment.evaluate(frame([0, 1, 1], [0, 1, 0]), control="plain", estimator=Bayes()).flags
    assert "few_units" not in {flag.code for flag in flags}


@pytest.mark.parametrize(
    "estimator", [Cuped("before"), Regression("before"), Regression("before", errors="hc2")], ids=str
)
def test_covariates_that_foretell_everything_leave_nothing_to_test(
    make_experiment: Callable[..., Experiment], estimator: Any
) -> None:
    data = frame(SOME, SOME, before=[*SOME, *SOME])
    evaluation = make_experiment().evaluate(data, control="plain", estimator=estimator)
    assert Flag("not_testable", "orders", "warm") in evaluation.flags
    assert evaluation.rows[0].p is evaluation.rows[0].lower is None
    assert evaluation.rows[0].difference == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("errors", ["residual", "hc0", "hc3"])
def test_equal_outcomes_have_no_error_whatever_the_covariates(
    make_experiment: Callable[..., Experiment], errors: Any
) -> None:
    data = frame([0.1] * 40, [0.1] * 40, before=[*SOME, *SOME[::-1]])
    estimator = Regression("before", errors=errors)
    row = make_experiment().evaluate(data, control="plain", estimator=estimator).rows[0]
    assert (row.difference, row.p, row.lower) == (0.0, None, None)


def test_differences_too_small_to_square_are_named(make_experiment: Callable[..., Experiment]) -> None:
    evaluation = make_experiment().evaluate(frame([x * 1e-200 for x in SOME], SOME), control="plain")
    assert Flag("underflow", "orders", "plain") in evaluation.flags
    assert "zero_variance" not in {flag.code for flag in evaluation.flags}


def test_a_quantile_with_little_beyond_it_is_rough(make_experiment: Callable[..., Experiment]) -> None:
    experiment = make_experiment(metrics={"orders": Quantile("orders", 0.99)})
    many = [float(x) for x in range(1000)]
    flags = experiment.evaluate(frame(many, SOME), control="plain").flags
    assert Flag("few_events", "orders", "warm", 0) in flags
    assert Flag("few_events", "orders", "plain", 10) not in flags


@pytest.mark.parametrize("metric", [Quantile("orders", 0.5), Mean("orders", percentiles=(0.01, 0.99))])
@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.list_(pa.string())], ids=str)
def test_columns_without_numbers_are_refused_also_where_rows_are_held(
    make_experiment: Callable[..., Experiment], metric: Quantile | Mean, kind: pa.DataType
) -> None:
    value: Any = ["1"] if pa.types.is_list(kind) else "1"
    table = pa.table({"variant": ["plain", "warm"], "orders": pa.array([value, value], kind)})
    refused(
        lambda: make_experiment(metrics={"orders": metric}).evaluate(table, control="plain"),
        SourceError,
        "column_type",
        "expected booleans or numbers in column 'orders'",
    )


@pytest.mark.parametrize("offset", [2**62, 2**64 - 41], ids=["rounded", "all rounded to one"])
def test_integers_that_doubles_do_not_tell_apart_are_named(
    make_experiment: Callable[..., Experiment], offset: int
) -> None:
    outcomes = [offset + i for i in range(40)]
    table = pa.table({"variant": ["plain", "warm"] * 20, "orders": pa.array(outcomes, pa.uint64())})
    found = make_experiment().evaluate(table, control="plain")
    assert {(flag.code, flag.variant) for flag in found.flags} == {
        ("coarse_outcome", "plain"),
        ("coarse_outcome", "warm"),
    }
    # The same outcomes less a number that all have.
    clear = make_experiment().evaluate(frame(range(0, 40, 2), range(1, 40, 2)), control="plain")
    assert clear.rows[0].difference == 1.0
    assert clear.flags == ()


@pytest.mark.parametrize("kind", [pl.Int64, pl.UInt64])
@pytest.mark.parametrize(
    ("metric", "estimator"),
    [
        (Quantile("orders", 0.5), Welch()),
        (Mean("orders", percentiles=(None, 0.9)), Welch()),
        (Mean("orders"), Regression("before", errors="hc2")),
    ],
)
def test_whole_numbers_beyond_2_to_the_53_are_read_where_rows_are_held(
    make_experiment: Callable[..., Experiment], metric: Any, estimator: Any, kind: Any
) -> None:
    large = [2**62 + 2**56 * number for number in range(20)]
    data = frame(large, large[5:], before=[*large, *large[5:]]).with_columns(
        pl.col("orders").cast(kind), pl.col("before").cast(kind)
    )
    as_floats = data.with_columns(pl.col("orders", "before").cast(pl.Float64))
    rows = [
        make_experiment(metrics={"orders": metric})
        .evaluate(each, control="plain", estimator=estimator)
        .row("orders", "warm")
        for each in (data, as_floats)
    ]
    assert rows[0] == rows[1]
    assert rows[0].control_n == 20


def test_quantiles_and_ratios_that_no_double_can_square_are_an_error(
    make_experiment: Callable[..., Experiment],
) -> None:
    quantile = make_experiment(metrics={"orders": Quantile("orders", 0.9)})
    large = [1e200 * value for value in SOME]
    refused(
        lambda: quantile.evaluate(frame(large, large), control="plain"),
        StatisticsError,
        "overflow",
        "larger in 'orders' of 'plain'",
    )
    ratio = make_experiment(metrics={"orders": Ratio("orders", "visits")})
    for tiny in (1e-200, 5e-324):
        data = frame(SOME, SOME, visits=[tiny] * 80)
        refused(
            lambda data=data: ratio.evaluate(data, control="plain"),
            StatisticsError,
            "overflow",
            "ratio whose square fits a double",
        )


def test_large_outcomes_that_lie_far_apart_are_not_coarse(make_experiment: Callable[..., Experiment]) -> None:
    far = [2.0**60 * value for value in SOME]
    assert make_experiment().evaluate(frame(far, far), control="plain").flags == (
        make_experiment().evaluate(frame(SOME, SOME), control="plain").flags
    )


def test_units_without_a_time_of_exposure_are_counted(make_experiment: Callable[..., Experiment]) -> None:
    times = [dt.datetime(2026, 1, 1 + i % 4) if i % 8 else None for i in range(80)]
    found = make_experiment().evaluate(frame(SOME, SOME, seen=times), control="plain", exposed_at="seen")
    assert Flag("missing_exposure", count=10) in found.flags
    known = [dt.datetime(2026, 1, 1 + i % 4) for i in range(80)]
    found = make_experiment().evaluate(frame(SOME, SOME, seen=known), control="plain", exposed_at="seen")
    assert found.flags == ()
