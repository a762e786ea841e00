"""What off-policy evaluation takes in, refuses, and says of what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.errors import SourceError, StatisticsError
from labfactory.lab import Flag
from labfactory.lab.off_policy import (
    LoggedDecisions,
    OffPolicyEvaluation,
    RewardModel,
    TargetPolicy,
    evaluate_policy,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 400
FRAME = pl.DataFrame(
    {
        "item": ["a", "b"] * (ROWS // 2),
        "y": [1, 0, 0, 0] * (ROWS // 4),
        "p": [0.5] * ROWS,
        "who": np.arange(ROWS) // 2,
        "age": np.linspace(0, 1, ROWS),
        "country": (["DE", "AT", None, "CH", "DE"] * ROWS)[:ROWS],
    }
)
NAMES = {"action": "item", "reward": "y", "propensity": "p"}
EVEN = TargetPolicy.by_action({"a": 0.5, "b": 0.5})


def read(frame: Any = FRAME, **options: Any) -> LoggedDecisions:
    return LoggedDecisions.of(frame, **{**NAMES, **options})


def refused(code: str, log: LoggedDecisions, target: TargetPolicy = EVEN, **options: Any) -> StatisticsError:
    with pytest.raises(StatisticsError) as caught:
        evaluate_policy(log, target, **options)
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.to_arrow(),
        FRAME.lazy(),
        FRAME.with_columns(pl.col("item").cast(pl.Categorical), pl.col("y").cast(pl.Boolean)),
        FRAME.with_columns(pl.col("p").cast(pl.Float32), pl.col("y").cast(pl.Decimal(10, 2))),
        pa.Table.from_batches(FRAME.to_arrow().to_batches(max_chunksize=7)),
    ],
    ids=["table", "lazy", "categories", "decimals", "batches"],
)
def test_any_source_gives_the_same_log(frame: Any) -> None:
    expected = evaluate_policy(read(customer="who"), EVEN)
    assert evaluate_policy(read(frame, customer="who"), EVEN).to_json() == expected.to_json()


def test_the_order_of_rows_changes_nothing() -> None:
    order = np.random.default_rng(2).permutation(ROWS)
    expected = evaluate_policy(read(customer="who"), EVEN, resamples=0).estimates
    found = evaluate_policy(read(FRAME[order.tolist()], customer="who"), EVEN, resamples=0).estimates
    for one, other in zip(expected, found, strict=True):
        assert (one.value, one.error) == pytest.approx((other.value, other.error), rel=1e-12)


def test_numbered_actions_stay_in_their_own_order() -> None:
    frame = pl.DataFrame({"item": [10, 9, 2] * 10, "y": [0.0] * 30, "p": [1 / 3] * 30})
    assert read(frame).actions == ("2", "9", "10")


def test_rows_that_lack_something_are_left_out_and_counted() -> None:
    lacking = FRAME.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(None).otherwise("item").alias("skip"),
        pl.when(pl.int_range(pl.len()) >= 2).then("p").alias("p"),
        pl.when(pl.int_range(pl.len()) >= 5).then("y").alias("y"),
        pl.when(pl.int_range(pl.len()) >= 1).then("item").alias("item"),
    )
    log = read(lacking)
    assert (len(log), log.table_rows) == (ROWS - 5, ROWS)
    assert log.flags == (
        Flag("no_action", count=1),
        Flag("missing_propensity", count=1),
        Flag("missing_outcome", count=3),
    )
    chances = np.where(np.arange(ROWS) < 5, np.nan, 0.5)
    assert evaluate_policy(log, TargetPolicy.by_row(chances)).flags[: len(log.flags)] == log.flags


def test_propensities_that_are_estimates_are_flagged() -> None:
    frame = FRAME.with_columns(pl.int_range(pl.len()).lt(7).alias("is_estimate"))
    assert read(frame, estimated="is_estimate").flags == (Flag("estimated_propensity", count=7),)
    assert (
        read(FRAME.with_columns(pl.lit(value=False).alias("is_estimate")), estimated="is_estimate").flags
        == ()
    )


def test_a_customer_without_a_key_stands_alone() -> None:
    frame = FRAME.with_columns(pl.when(pl.col("who") > 0).then("who").alias("who"))
    assert read(frame, customer="who").clusters == ROWS // 2 + 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (pl.lit(0.0).alias("p"), "propensity_invalid"),
        (pl.lit(1.5).alias("p"), "propensity_invalid"),
        (pl.lit(float("inf")).alias("y"), "invalid_outcome"),
        (pl.lit(None, pl.Int64).alias("y"), "no_decisions"),
        (pl.lit("a").alias("y"), "column_type"),
        (pl.lit(b"1").alias("y"), "column_type"),
        (pl.concat_list("item").alias("item"), "key_type"),
        (pl.struct("item").alias("item"), "key_type"),
    ],
)
def test_numbers_that_cannot_be_are_refused(change: pl.Expr, code: str) -> None:
    with pytest.raises((StatisticsError, SourceError)) as caught:
        read(FRAME.with_columns(change))
    assert caught.value.code == code


def test_an_action_that_was_not_named_is_refused() -> None:
    with pytest.raises(StatisticsError) as caught:
        read(actions=["a", "c"])
    assert caught.value.code == "unknown_action"
    assert caught.value.hint == "Known: a, c."
    with pytest.raises(StatisticsError) as caught:
        read(actions=["a", "b", "a"])
    assert caught.value.code == "duplicate_action"
    refused("unknown_action", read(), TargetPolicy.by_action({"a": 0.5, "x": 0.5}))
    refused("unknown_action", read(), TargetPolicy.choices(["x"] * ROWS))


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (TargetPolicy.by_action([0.2, 0.3, 0.5]), "target_shape"),
        (TargetPolicy.by_action([[0.5, 0.5], [0.5, 0.5]], positions=["x", "y"]), "target_shape"),
        (TargetPolicy.by_row([0.5]), "target_shape"),
        (TargetPolicy.by_row([2.0] * ROWS), "target_probabilities"),
        (TargetPolicy.by_row([float("nan")] * ROWS), "target_probabilities"),
        (TargetPolicy.matrix(np.full((ROWS, 2), 0.4)), "target_probabilities"),
        (TargetPolicy.choices(["a"]), "target_shape"),
        (TargetPolicy.choices([None] * ROWS), "target_probabilities"),
        (TargetPolicy.matrix([[0.5, 0.5]] * 3), "target_shape"),
    ],
)
def test_targets_that_do_not_fit_are_refused(target: TargetPolicy, code: str) -> None:
    refused(code, read(), target)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TargetPolicy.by_action("even"),
        lambda: TargetPolicy.by_row(None),
        lambda: TargetPolicy.by_row(np.full((ROWS, 1), 0.5)),
        lambda: TargetPolicy.matrix("even"),
        lambda: TargetPolicy.matrix(None),
        lambda: TargetPolicy.choices(3),
    ],
)
def test_what_holds_no_probabilities_is_refused_at_once(make: Callable[[], TargetPolicy]) -> None:
    with pytest.raises(StatisticsError) as caught:
        make()
    assert caught.value.code == "target_shape"


def test_probabilities_may_be_a_list_of_lists() -> None:
    judged = evaluate_policy(read(), TargetPolicy.matrix([[0.5, 0.5]] * ROWS))
    assert judged.estimates == evaluate_policy(read(), EVEN).estimates


def test_probabilities_that_do_not_sum_to_one_are_refused_at_once() -> None:
    with pytest.raises(
        StatisticsError, match=r"expected probabilities summing to 1, found 0.9 over 2 actions"
    ):
        TargetPolicy.by_action([0.4, 0.5])


def test_a_target_that_the_log_never_tried_is_refused() -> None:
    log = read(actions=["a", "b", "c"])
    error = refused("no_support", log, TargetPolicy.by_action([0.45, 0.45, 0.1]))
    assert "10.0% of its choices on actions that were never logged" in str(error)
    judged = evaluate_policy(log, TargetPolicy.by_action([0.45, 0.45, 0.1]), max_unsupported=0.1 + 1e-9)
    assert Flag("weights_off", variant="target") not in judged.flags or judged.rows == ROWS


def test_a_target_that_few_rows_speak_for_is_refused() -> None:
    few = FRAME.with_columns(pl.Series("item", ["b"] * 30 + ["a"] * (ROWS - 30)))
    frame = few.with_columns(pl.when(pl.col("item") == "b").then(0.075).otherwise(0.925).alias("p"))
    error = refused("no_support", read(frame), TargetPolicy.by_action({"a": 0.0, "b": 1.0}))
    assert "effective sample size of 30.0" in str(error)
    refused("no_support", read(), TargetPolicy.by_row(np.zeros(ROWS)), min_effective=1.0)


def test_propensities_that_are_not_the_true_ones_are_flagged() -> None:
    frame = FRAME.with_columns(pl.lit(0.9).alias("p"))
    judged = evaluate_policy(read(frame), EVEN, resamples=0)
    assert judged.flags == (Flag("weights_off", variant="target"),)


def test_few_rewards_and_heavy_weights_are_flagged() -> None:
    frame = FRAME.with_columns(
        pl.Series("y", [1] * 5 + [0] * (ROWS - 5)),
        pl.Series("p", [0.0025] + [0.9975] * (ROWS - 1)),
        pl.Series("item", ["b"] + ["a"] * (ROWS - 1)),
    )
    judged = evaluate_policy(read(frame), EVEN, min_effective=1.0, resamples=0)
    codes = {flag.code for flag in judged.flags}
    assert {"few_events", "heavy_weight"} <= codes
    assert Flag("few_events", variant="target", count=5) in judged.flags
    assert Flag("low_effective_sample", variant="target", count=3) in judged.flags


@pytest.mark.parametrize(
    ("code", "target", "options"),
    [
        ("unknown_estimator", EVEN, {"estimators": ["ipss"]}),
        ("off_policy_input", EVEN, {"estimators": ["dr"]}),
        ("off_policy_input", EVEN, {"estimators": ["mips"]}),
        ("off_policy_input", EVEN, {"estimators": ["iips"]}),
        ("off_policy_input", EVEN, {"estimators": ["replay"]}),
        ("off_policy_input", EVEN, {"alpha": 1.0}),
        ("off_policy_input", EVEN, {"alpha": "0.05"}),
        ("off_policy_input", EVEN, {"estimators": []}),
        ("off_policy_input", EVEN, {"min_effective": float("nan")}),
        ("off_policy_input", EVEN, {"max_unsupported": float("nan")}),
        ("off_policy_input", EVEN, {"tightest_at": float("nan")}),
        ("off_policy_input", EVEN, {"resamples": 1.5}),
        ("off_policy_input", EVEN, {"seed": -1}),
        ("off_policy_input", EVEN, {"rewards": 3}),
        ("off_policy_input", [0.5, 0.5], {}),
        ("unknown_estimator", EVEN, {"parameters": {"cliped_ips": 2.0}}),
        ("unknown_estimator", EVEN, {"parameters": {"ips": 2.0}}),
        ("off_policy_input", EVEN, {"parameters": {"dros": 0.0}}),
        ("off_policy_input", EVEN, {"parameters": {"clipped_ips": float("nan")}}),
        ("off_policy_input", EVEN, {"parameters": {"clipped_ips": -1.0}}),
        ("off_policy_input", EVEN, {"parameters": {"switch_dr": "2"}}),
        ("off_policy_input", TargetPolicy.by_row([0.5] * ROWS), {"rewards": RewardModel.ridge()}),
        ("unknown_action", EVEN, {"estimators": ["mips"], "logging": EVEN, "groups": {"a": "x"}}),
        ("target_shape", EVEN, {"rewards": RewardModel.matrix(np.zeros((2, 2)))}),
        ("invalid_outcome", EVEN, {"rewards": RewardModel.matrix(np.full((ROWS, 2), np.nan))}),
    ],
)
def test_an_estimator_that_lacks_something_says_what(
    code: str, target: TargetPolicy, options: dict[str, Any]
) -> None:
    refused(code, read(), target, **options)


def test_slates_need_positions_and_each_position_once() -> None:
    with pytest.raises(StatisticsError) as caught:
        read(slate="who")
    assert caught.value.code == "off_policy_input"
    same_place = FRAME.with_columns(pl.lit(0).alias("k"))
    refused("off_policy_input", read(same_place, slate="who", position="k"))


@pytest.mark.parametrize("options", [{"folds": 1}, {"penalty": 0.0}])
def test_a_reward_model_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(StatisticsError) as caught:
        RewardModel.ridge(**options)
    assert caught.value.code == "reward_model"


def test_a_logistic_model_is_for_zero_and_one() -> None:
    frame = FRAME.with_columns(pl.col("y") * 2.0)
    refused("invalid_outcome", read(frame), rewards=RewardModel.logistic())


def test_contexts_of_any_kind_become_numbers() -> None:
    log = read(context=["age", "country"])
    assert log.context.shape == (ROWS, 1 + 2)
    assert log.context[:, 0].mean() == pytest.approx(0, abs=1e-12)
    assert log.context[:, 0].std() == pytest.approx(1)
    assert set(np.unique(log.context[:, 1:])) == {0.0, 1.0}
    with pytest.raises(SourceError) as caught:
        read(FRAME.with_columns(pl.lit([1]).alias("age")), context=["age"])
    assert caught.value.code == "column_type"


def test_results_travel_as_json_frame_and_table() -> None:
    judged = evaluate_policy(
        read(customer="who"),
        EVEN,
        baseline=TargetPolicy.logged(),
        rewards=RewardModel.logistic(),
        resamples=50,
    )
    assert OffPolicyEvaluation.from_json(judged.to_json()) == judged
    frame = judged.to_frame()
    assert frame.height == len(judged.estimates) == 5 * 3
    assert frame["value"].null_count() == 0
    lines = repr(judged).splitlines()
    assert lines[0] == "target: 400 decisions of 200 customers, alpha 0.05, rewards by logistic"
    assert len(lines) == 2 + len(judged.estimates) + len(judged.flags)
    with pytest.raises(StatisticsError) as caught:
        judged.estimate("mips")
    assert caught.value.code == "unknown_comparison"
    with pytest.raises(StatisticsError) as caught:
        OffPolicyEvaluation.from_json(b'{"policy": 1}')
    assert caught.value.code == "evaluation_malformed"


@pytest.mark.parametrize(
    "kind", [pl.Int32, pl.UInt8, pl.Float64, pl.Float32, pl.String, pl.Categorical, pl.Binary]
)
def test_a_column_s_type_changes_no_estimate(kind: Any) -> None:
    code = FRAME["item"].replace_strict({"a": 7, "b": 9})
    texts = kind in (pl.Categorical, pl.Binary)
    frame = FRAME.with_columns(
        (code.cast(pl.String) if texts else code).cast(kind).alias("item"),
        (pl.col("who").cast(pl.String) if texts else pl.col("who")).cast(kind, strict=False).alias("who"),
        pl.col("y").cast(pl.Float32),
        pl.col("p").cast(pl.Float32),
    )
    target = TargetPolicy.by_action({7: 0.3, 9: 0.7})
    expected = evaluate_policy(
        read(customer="who"), TargetPolicy.by_action({"a": 0.3, "b": 0.7}), resamples=0
    )
    for data in (
        frame,
        frame.to_arrow(),
        frame.to_pandas(),
        pa.concat_tables([frame[:99].to_arrow(), frame[99:].to_arrow()]),
    ):
        found = evaluate_policy(read(data, customer="who"), target, resamples=0)
        assert found.estimate("ips").value == pytest.approx(expected.estimate("ips").value)
        if kind is not pl.UInt8:  # 200 customers fit, but nulls of those that do not stand alone
            assert found.clusters == expected.clusters


def test_actions_that_are_not_a_number_are_none() -> None:
    frame = FRAME.with_columns(
        pl.when(pl.int_range(pl.len()) < 10).then(float("nan")).otherwise(1.0).alias("item")
    )
    log = read(frame)
    assert log.actions == ("1",)
    assert (len(log), log.flags[0]) == (ROWS - 10, Flag("no_action", count=10))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("propensity_invalid", pl.lit(1e-300).alias("p")),
        ("invalid_outcome", pl.lit(1e300).alias("y")),
        ("off_policy_input", pl.lit(None, pl.Int64).alias("age")),
    ],
)
def test_numbers_that_no_sum_can_hold_and_unknown_positions_are_refused(code: str, change: pl.Expr) -> None:
    with pytest.raises(StatisticsError) as caught:
        read(FRAME.with_columns(change), position="age")
    assert caught.value.code == code


def test_a_column_may_be_named_twice() -> None:
    assert read(context=["age", "age"]).context.shape == (ROWS, 1)


def test_whole_rewards_beyond_2_to_the_53_are_rewards() -> None:
    large = FRAME.with_columns(pl.lit(2**63 - 1).alias("y"))
    assert evaluate_policy(read(large), EVEN).estimate("snips").value == pytest.approx(2.0**63)


def test_what_says_whether_propensities_are_estimates_is_true_or_false() -> None:
    for column in (pl.lit("yes"), pl.lit(2), pl.lit(None, pl.Boolean)):
        frame = FRAME.with_columns(column.alias("guessed"))
        if frame.schema["guessed"] == pl.Boolean:
            assert read(frame, estimated="guessed").flags == read().flags
            continue
        with pytest.raises(SourceError) as caught:
            read(frame, estimated="guessed")
        assert caught.value.code == "column_type"


def test_positions_are_in_the_order_of_the_numbers_in_their_names() -> None:
    names = [f"offer_{number}" for number in (1, 2, 10, 11)]
    frame = pl.DataFrame({"item": ["a", "b"] * 8, "y": [1, 0] * 8, "p": 0.5, "at": names[::-1] * 4})
    assert read(frame, position="at").positions == tuple(names)


def test_replay_of_a_log_that_is_not_even_is_flagged() -> None:
    choices = TargetPolicy.choices(FRAME["item"].fill_null("a"))
    even = FRAME.with_columns(p=pl.lit(0.5))
    for frame, expected in (
        (even, False),
        (even.with_columns(p=pl.when(pl.col("y") > 0).then(0.4).otherwise(0.5)), True),
    ):
        judged = evaluate_policy(read(frame), choices, estimators=["replay"])
        assert ("uneven_logging" in {flag.code for flag in judged.flags}) == expected


def test_slates_whose_weights_no_double_can_multiply_are_refused() -> None:
    frame = pl.DataFrame({"item": ["a", "b"] * 20, "y": 1.0, "p": 1e-60, "at": [0, 1] * 20})
    frame = frame.with_columns(slate=pl.int_range(40) // 2)
    log = read(frame, position="at", slate="slate")
    refused("overflow", log, estimators=["rips"], min_effective=0, max_unsupported=1)
    assert evaluate_policy(log, EVEN, estimators=["iips"], min_effective=0, max_unsupported=1).estimates
