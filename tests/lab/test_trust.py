"""What tells whether figures may be trusted: options are named, checks are made, and faults are flagged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from labfactory.base.errors import UsageError
from labfactory.lab import (
    AlwaysValid,
    Count,
    Cuped,
    Evaluation,
    Experiment,
    Flag,
    Hypothesis,
    Mean,
    PostStratified,
    Proportion,
    adjust,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 6_000


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    """Three arms; the treatment works by e-mail alone."""
    random = np.random.default_rng(12)
    variant = random.choice(["plain", "warm", "short"], ROWS)
    channel = random.choice(["email", "sms"], ROWS)
    works = (variant == "warm") & (channel == "email")
    start = datetime(2026, 3, 1, tzinfo=UTC)
    seen = [start + timedelta(hours=float(hour)) for hour in random.uniform(0, 240, ROWS)]
    return pl.DataFrame(
        {
            "variant": variant,
            "channel": channel,
            "orders": random.poisson(np.where(works, 2.6, 2.0)),
            "bought": random.random(ROWS) < 0.3,
            "history": random.normal(10.0, 2.0, ROWS),
            "seen": seen,
            "bought_at": [
                time + timedelta(hours=float(hour))
                for time, hour in zip(seen, random.uniform(-5, 100, ROWS), strict=True)
            ],
        }
    )


def experiment(**metrics: Any) -> Experiment:
    return Experiment(
        "trust",
        hypothesis=Hypothesis("It helps.", 0.0),
        variants=["plain", "warm", "short"],
        metrics=metrics or {"orders": Count("orders"), "bought": Proportion("bought", role="secondary")},
    )


def evaluated(data: pl.DataFrame, **options: Any) -> Evaluation:
    return experiment().evaluate(data, control="plain", **options)


def codes(evaluation: Evaluation) -> set[str]:
    return {flag.code for flag in evaluation.flags}


def test_a_correction_adjusts_the_treatments_of_each_metric(frame: pl.DataFrame) -> None:
    evaluation = evaluated(frame, correction="holm")
    assert evaluation.corrections == ("holm",)
    for metric in ("orders", "bought"):
        rows = [row for row in evaluation.rows if row.metric == metric]
        assert tuple(row.adjusted_p for row in rows) == adjust([row.p for row in rows], "holm")
    assert "corrections holm" in repr(evaluation)
    assert "adjusted p" in repr(evaluation)


def test_a_sequential_method_takes_the_place_of_the_fixed_interval(frame: pl.DataFrame) -> None:
    rule = AlwaysValid(horizon=5_000)
    fixed, anytime = evaluated(frame, looks=3), evaluated(frame, looks=3, sequential=rule)
    assert Flag("peeking", count=3) in fixed.flags
    assert "peeking" not in codes(anytime)
    assert anytime.method == f"welch, {rule.name}"
    for row, other in zip(fixed.rows, anytime.rows, strict=True):
        assert row.difference == pytest.approx(other.difference)
        assert other.lower < row.lower < row.upper < other.upper  # type: ignore[operator]
        assert other.relative_lower is not None
        assert (other.lower > 0) == (other.relative_lower > 0)  # type: ignore[operator]
    adjusted = evaluated(frame, sequential=rule, estimator=Cuped("history"))
    row = adjusted.row("orders", "warm")
    assert row.method == f"cuped(history), {rule.name}"
    assert (row.lower > 0) == (row.relative_lower > 0)  # type: ignore[operator]


def test_a_variance_factor_widens_intervals_by_its_root_and_is_named(frame: pl.DataFrame) -> None:
    plain, wide = evaluated(frame), evaluated(frame, variance_factor=1.75)
    assert wide.adjustments == ("variance × 1.75",)
    for row, other in zip(plain.rows, wide.rows, strict=True):
        assert other.standard_error == pytest.approx(row.standard_error * 1.75**0.5)
        assert other.upper - other.lower == pytest.approx((row.upper - row.lower) * 1.75**0.5)


def test_segments_are_what_evaluations_of_their_rows_say(frame: pl.DataFrame) -> None:
    evaluation = evaluated(frame, segments=["channel"], estimator=Cuped("history"))
    for channel in ("email", "sms"):
        alone = evaluated(frame.filter(channel=channel), estimator=Cuped("history"))
        for row in alone.rows:
            found = next(
                each.row
                for each in evaluation.segments
                if (each.segment, each.row.metric, each.row.variant) == (channel, row.metric, row.variant)
            )
            assert (found.difference, found.lower, found.p) == pytest.approx(
                (row.difference, row.lower, row.p)
            )
    rates = stats.false_discovery_control([each.row.p for each in evaluation.segments])
    assert [each.row.adjusted_p for each in evaluation.segments] == pytest.approx(rates.tolist())
    assert evaluation.segments_frame().height == 8


def test_an_interaction_is_found_where_the_treatment_works_in_one_segment(frame: pl.DataFrame) -> None:
    evaluation = evaluated(frame, segments=["channel"])
    found = {(each.metric, each.variant): each for each in evaluation.interactions}
    warm = found["orders", "warm"]
    assert warm.segments == 2
    assert warm.adjusted_p is not None
    assert warm.adjusted_p < 1e-4
    assert all(each.p > 0.01 for key, each in found.items() if key != ("orders", "warm"))  # type: ignore[operator]
    email, sms = (
        next(
            each.row
            for each in evaluation.segments
            if (each.segment, each.row.metric, each.row.variant) == (channel, "orders", "warm")
        )
        for channel in ("email", "sms")
    )
    z = (email.difference - sms.difference) / np.hypot(email.standard_error, sms.standard_error)  # type: ignore[operator, arg-type]
    assert warm.statistic == pytest.approx(z**2)
    assert warm.p == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert "~ orders, warm differs by channel" in repr(evaluation)
    assert Evaluation.from_json(evaluation.to_json()) == evaluation


def test_a_segment_that_came_in_other_shares_is_flagged(frame: pl.DataFrame) -> None:
    keep = (pl.col("channel") == "email") | (pl.col("variant") != "warm") | (pl.int_range(pl.len()) % 3 > 0)
    evaluation = evaluated(frame.filter(keep), segments=["channel"])
    assert Flag("sample_ratio_mismatch", segment="channel=sms") in evaluation.flags
    assert Flag("sample_ratio_mismatch", segment="channel=email") not in evaluation.flags
    checks = [check for check in evaluation.checks if check.name == "sample_ratio"]
    assert [check.segment for check in checks] == [None, "channel=email", "channel=sms"]


def test_a_segment_may_be_the_stratum_too(frame: pl.DataFrame) -> None:
    evaluation = evaluated(frame, segments=["channel"], estimator=PostStratified("channel"))
    assert evaluation.rows[0].method == "post_stratified(channel)"
    assert {each.row.method for each in evaluation.segments} == {"welch"}


def test_a_covariate_that_differs_before_the_start_is_flagged(frame: pl.DataFrame) -> None:
    assert "pre_period_imbalance" not in codes(evaluated(frame, estimator=Cuped("history")))
    moved = frame.with_columns(history=pl.col("history") + 0.5 * (pl.col("variant") == "warm"))
    evaluation = evaluated(moved, estimator=Cuped("history"))
    assert [flag for flag in evaluation.flags if flag.code == "pre_period_imbalance"] == [
        Flag("pre_period_imbalance", "history", "warm")
    ]
    check = next(check for check in evaluation.checks if check.name == "pre_period_imbalance")
    assert (check.metric, check.variant) == ("history", "warm")


def test_a_difference_that_fades_is_flagged_as_novelty(frame: pl.DataFrame) -> None:
    assert "novelty" not in codes(evaluated(frame, exposed_at="seen"))
    early = pl.col("seen") < datetime(2026, 3, 6, tzinfo=UTC)
    fading = frame.with_columns(orders=pl.col("orders") + 2 * (early & (pl.col("variant") == "short")))
    evaluation = evaluated(fading, exposed_at="seen")
    assert [flag for flag in evaluation.flags if flag.code == "novelty"] == [
        Flag("novelty", "orders", "short")
    ]


def test_one_unit_that_makes_the_variance_is_flagged(frame: pl.DataFrame) -> None:
    far = frame.with_columns(orders=pl.when(pl.int_range(pl.len()) == 7).then(5_000).otherwise("orders"))
    evaluation = evaluated(far)
    variant = far["variant"][7]
    assert [flag for flag in evaluation.flags if flag.code == "outlier_share"] == [
        Flag("outlier_share", "orders", variant)
    ]
    values = far.filter(variant=variant)["orders"].to_numpy()
    share = (5_000 - values.mean()) ** 2 / ((values - values.mean()) ** 2).sum()
    check = next(
        check for check in evaluation.checks if (check.name, check.variant) == ("outlier_share", variant)
    )
    assert check.value == pytest.approx(share)


def test_bounds_and_percentiles_move_outcomes_and_are_named(frame: pl.DataFrame) -> None:
    top = float(np.quantile(frame["orders"].to_numpy(), 0.9))
    clipped = frame.with_columns(orders=pl.col("orders").clip(1, top))
    expected = experiment(orders=Mean("orders")).evaluate(clipped, control="plain")
    for metric in (Mean("orders", bounds=(1, top)), Mean("orders", percentiles=(0.2, 0.9))):
        evaluation = experiment(orders=metric).evaluate(frame, control="plain")
        assert evaluation.row("orders", "warm").p == expected.row("orders", "warm").p
        assert evaluation.adjustments == (f"orders winsorised to 1 … {top:g}",)
        one_shot = experiment(orders=metric).evaluate(frame.to_arrow().to_reader(), control="plain")
        assert one_shot.rows == evaluation.rows


def test_a_conversion_window_counts_what_came_within_it(frame: pl.DataFrame) -> None:
    late = frame["bought_at"] - frame["seen"]
    inside = (late >= timedelta(0)) & (late <= timedelta(days=2))
    expected = experiment(bought=Proportion("bought")).evaluate(
        frame.with_columns(bought=pl.col("bought") & inside), control="plain"
    )
    metric = Proportion("bought", within=timedelta(days=2), at="bought_at")
    evaluation = experiment(bought=metric).evaluate(frame, control="plain", exposed_at="seen")
    for row, other in zip(evaluation.rows, expected.rows, strict=True):
        expected_figures = (other.control_value, other.difference, other.p)
        assert (row.control_value, row.difference, row.p) == pytest.approx(expected_figures, rel=1e-9)
    assert evaluation.adjustments == ("bought within 2 days of exposure",)
    with pytest.raises(UsageError) as caught:
        experiment(bought=metric).evaluate(frame, control="plain")
    assert caught.value.code == "needs_exposure"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"correction": "hollm"}, "correction"),
        ({"variance_factor": 0.5}, "variance_factor"),
        ({"looks": 0}, "looks"),
        ({"started": datetime(2026, 2, 1), "ended": datetime(2026, 1, 1)}, "period"),
    ],
)
def test_an_option_that_cannot_be_is_refused(frame: pl.DataFrame, options: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        evaluated(frame, **options)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mean("x", bounds=(1, 2), percentiles=(0, 1)),
        lambda: Mean("x", bounds=(2, 1)),
        lambda: Mean("x", percentiles=(0.1, 1.5)),
        lambda: Mean("x", within=timedelta(days=1)),
        lambda: Proportion("x", within=timedelta(0), at="t"),
    ],
)
def test_a_metric_that_cannot_be_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.code == "metric"


def test_an_evaluation_is_drawn_with_its_segments(frame: pl.DataFrame) -> None:
    pytest.importorskip("matplotlib")
    evaluation = evaluated(frame, segments=["channel"])
    assert len(evaluation.plot().axes[0].texts) == 4
    figure = evaluation.plot("orders")
    names = [text.get_text() for text in figure.axes[0].texts]
    assert names == ["channel sms: orders, short", "channel sms: orders, warm", "channel email: orders, short",
                     "channel email: orders, warm", "orders, short", "orders, warm"]  # fmt: skip


def test_a_plot_without_matplotlib_names_the_extra(
    frame: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(UsageError) as caught:
        evaluated(frame).plot()
    assert (caught.value.code, caught.value.hint) == ("missing_extra", "pip install 'labfactory[plots]'")
