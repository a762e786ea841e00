"""Many experiments at once: planned shares, other estimators and segments say what each says alone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from labfactory import (
    Bootstrap,
    Cuped,
    Experiment,
    Hypothesis,
    LabfactoryError,
    Mean,
    PostStratified,
    Proportion,
    Quantile,
    Ratio,
    Regression,
    UsageError,
    Welch,
    ZTest,
    evaluate_many,
)
from labfactory.lab.estimators import sample_ratio

if TYPE_CHECKING:
    from labfactory import Estimator
    from labfactory.lab.metric import Metric

METRICS: dict[str, Metric] = {
    "spend": Mean("spend", bounds=(None, 60.0)),
    "bought": Proportion("bought"),
    "price": Ratio("spend", "orders"),
}
SAME = ["difference", "standard_error", "lower", "upper", "relative", "relative_lower", "relative_upper", "p"]


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """Eight experiments of two to four arms, some of few units."""
    random, frames = np.random.default_rng(3), []
    for number in range(8):
        units = int(random.integers(40, 900))
        arms = random.choice(2 + number % 3, units)
        before = random.gamma(2.0, 5.0, units)
        frames.append(
            pl.DataFrame(
                {
                    "test": [f"test {number}"] * units,
                    "arm": [f"arm {arm}" for arm in arms],
                    "spend": before + random.gamma(2.0, 5.0 + arms),
                    "bought": random.random(units) < 0.3,
                    "orders": random.poisson(2.0, units) + 1,
                    "before": [
                        None if hidden else x
                        for hidden, x in zip(random.random(units) < 0.05, before, strict=True)
                    ],
                    "channel": [["web", "app", None][place] for place in random.integers(0, 3, units)],
                },
                schema_overrides={"before": pl.Float64, "channel": pl.String},
            )
        )
    return pl.concat(frames).sample(fraction=1.0, shuffle=True, seed=1)


def alone(data: pl.DataFrame, control: str, treatment: str, metric: str, estimator: Estimator) -> list[Any]:
    experiment = Experiment(
        "one",
        hypothesis=Hypothesis("None.", 0.0),
        variants=[control, treatment],
        metrics={metric: METRICS[metric]},
    )
    mine = data.filter(pl.col("arm").is_in([control, treatment]))
    row = experiment.evaluate(mine, control=control, variant="arm", estimator=estimator).rows[0]
    return [getattr(row, name) for name in (*SAME, "control_value", "treatment_value", "control_n")]


@pytest.mark.parametrize(
    "estimator",
    [Welch(), ZTest(), Cuped("before"), Cuped({"spend": "before"}), Regression("before", "orders")],
    ids=lambda each: each.name,
)
def test_a_pair_is_what_it_is_alone(rows: pl.DataFrame, estimator: Estimator) -> None:
    found = evaluate_many(rows, experiment="test", variant="arm", metrics=METRICS, estimator=estimator)
    assert found.method == estimator.name
    for pair in found.pairs.iter_rows(named=True):
        data = rows.filter(test=pair["experiment"])
        expected = alone(data, pair["control"], pair["treatment"], pair["metric"], estimator)
        names = (*SAME, "control_value", "treatment_value", "control_n")
        assert [pair[name] for name in names] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("estimator", [Welch(), Cuped("before")], ids=lambda each: each.name)
def test_a_segment_is_what_its_rows_are_alone(rows: pl.DataFrame, estimator: Estimator) -> None:
    found = evaluate_many(
        rows, experiment="test", variant="arm", metrics=METRICS, estimator=estimator, segments=["channel"]
    )
    plain = evaluate_many(rows, experiment="test", variant="arm", metrics=METRICS, estimator=estimator)
    assert found.pairs.select(SAME).to_numpy() == pytest.approx(
        plain.pairs.select(SAME).to_numpy(), rel=1e-9, nan_ok=True
    )
    some = found.segments.filter(pl.int_range(pl.len()) % 7 == 0)
    assert set(found.segments["segment"]) == {"web", "app", None}
    for pair in some.iter_rows(named=True):
        data = rows.filter(
            pl.col("test") == pair["experiment"], pl.col("channel").eq_missing(pair["segment"])
        )
        expected = alone(data, pair["control"], pair["treatment"], pair["metric"], estimator)
        assert [pair[name] for name in SAME] == pytest.approx(expected[: len(SAME)], rel=1e-9)
    for _, mine in found.segments.group_by("experiment"):
        known = mine.filter(pl.col("p").is_not_null())
        expected = stats.false_discovery_control(known["p"].to_numpy())
        scale = mine.height / known.height  # a pair that could not be tested counts in its family
        assert (known["adjusted_p"].to_numpy() <= np.minimum(1.0, expected * scale) + 1e-12).all()


def test_counted_segments_are_summed_from_their_rows() -> None:
    table = pl.DataFrame(
        {
            "test": ["a"] * 6,
            "arm": ["old", "new"] * 3,
            "day": ["mon", "mon", "tue", "tue", None, None],
            "shown": [1000, 1010, 900, 880, 50, 60],
            "clicks": [90, 140, 80, 70, 5, 6],
        }
    )
    options: dict[str, Any] = {
        "variant": "arm",
        "units": "shown",
        "metrics": {"clicks": Proportion("clicks")},
    }
    found = evaluate_many(table, experiment="test", segments=["day"], **options)
    assert found.tests["units"].to_list() == [3900]
    assert found.segments["segment"].to_list() == [None, "mon", "tue"]
    for day in ("mon", "tue"):
        part = evaluate_many(table.filter(day=day), experiment="test", **options).pairs.row(0, named=True)
        row = found.segments.filter(segment=day).row(0, named=True)
        assert {name: row[name] for name in SAME} == {name: part[name] for name in SAME}


def test_a_z_test_of_counts_is_normal() -> None:
    table = pl.DataFrame({"test": ["a"] * 2, "shown": [40, 50], "clicks": [10, 25]})
    found = evaluate_many(
        table, experiment="test", units="shown", metrics={"m": Proportion("clicks")}, estimator=ZTest()
    )
    row = found.pairs.row(0, named=True)
    error = np.sqrt(0.25 * 0.75 / 39 + 0.5 * 0.5 / 49)
    assert row["standard_error"] == pytest.approx(error)
    assert row["p"] == pytest.approx(2 * stats.norm.sf(0.25 / error))
    assert row["lower"] == pytest.approx(0.25 - stats.norm.ppf(0.975) * error)


SHARES = {"a": 0.5, "b": 0.3, "c": 0.2, "d": 0.0}


@pytest.mark.parametrize("is_counted", [True, False], ids=["counted", "rows"])
@pytest.mark.parametrize("is_column", [True, False], ids=["column", "by name"])
def test_sample_ratios_are_those_of_planned_shares(is_counted: bool, is_column: bool) -> None:
    units = {
        "first": {"a": 520, "b": 290, "c": 190, "d": 0},
        "second": {"a": 100, "b": 90, "d": 7},
        "third": {"a": 9},
    }
    table = pl.DataFrame(
        [
            {"test": test, "arm": arm, "n": n, "hits": n // 10, "share": SHARES[arm]}
            for test, arms in units.items()
            for arm, n in arms.items()
        ]
    )
    if not is_counted:
        table = (
            table.filter(pl.col("n") > 0)
            .select(pl.all().repeat_by("n"))
            .explode(pl.all(), empty_as_null=False)
        )
        table = table.with_columns(hits=pl.int_range(pl.len()) % 10 == 0)
    found = evaluate_many(
        table,
        experiment="test",
        variant="arm",
        units="n" if is_counted else None,
        metrics={"hits": Proportion("hits")},
        shares="share" if is_column else SHARES,
    )
    for test, p in zip(found.tests["experiment"], found.tests["srm_p"], strict=True):
        arms = units[test]
        weights = [SHARES[arm] for arm in arms]
        expected = sample_ratio(list(arms.values()), [weight / sum(weights) for weight in weights]).p
        assert p == (None if expected is None else pytest.approx(expected))


def test_shares_that_cannot_be_are_refused() -> None:
    table = pl.DataFrame(
        {"test": ["x"] * 3, "arm": ["a", "a", "b"], "n": [5, 5, 5], "m": [1, 1, 1], "s": [0.5, 0.4, 0.5]}
    )
    options: dict[str, Any] = {
        "experiment": "test",
        "variant": "arm",
        "units": "n",
        "metrics": {"m": Proportion("m")},
    }
    with pytest.raises(UsageError, match="one share of 'a' in 'x'") as caught:
        evaluate_many(table, shares="s", **options)
    assert caught.value.code == "weights"
    with pytest.raises(UsageError, match="found -1 of 'b'"):
        evaluate_many(table, shares={"a": 1.0, "b": -1.0}, **options)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"estimator": Bootstrap(100)}, "estimator"),
        ({"estimator": PostStratified("channel")}, "estimator"),
        ({"estimator": Regression("before", errors="hc2")}, "estimator"),
        ({"metrics": {"m": Quantile("spend", 0.5)}}, "metric"),
        ({"metrics": {"m": Mean("spend", percentiles=(None, 0.9))}}, "metric"),
        (
            {"units": "orders", "estimator": Cuped("before"), "metrics": {"m": Proportion("bought")}},
            "estimator",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_sums_of_many_cannot_say_is_refused(
    rows: pl.DataFrame, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate_many(rows, **{"experiment": "test", "variant": "arm", "metrics": METRICS, **options})
    assert caught.value.code == code


COUNTS = pl.DataFrame(
    {"test": ["x", "x"], "arm": ["a", "b"], "n": [10.0, 20.0], "m": [1, 2], "s": [0.5, None]}
)


@pytest.mark.parametrize(
    ("table", "options", "code"),
    [
        (COUNTS.clear(), {}, "no_units"),
        (COUNTS.with_columns(test=pl.lit(None, pl.String)), {}, "no_units"),
        (COUNTS.clear(), {"units": None}, "no_units"),
        (COUNTS, {"metrics": {}}, "metric"),
        (COUNTS, {"shares": "s"}, "weights"),
        (COUNTS.with_columns(n=pl.Series([10.5, 20.0])), {}, "invalid_outcome"),
        (COUNTS.with_columns(n=pl.Series([float("inf"), 20.0])), {}, "invalid_outcome"),
        (COUNTS.with_columns(m=pl.Series([11, 2])), {}, "invalid_outcome"),
        (COUNTS.with_columns(n=pl.lit(2**62)), {}, "invalid_outcome"),
        (COUNTS.with_columns(n=pl.lit(2**64 - 1, pl.UInt64)), {}, "invalid_outcome"),
        (COUNTS.with_columns(n=pl.Series(["10", "20"])), {}, "column_type"),
        (COUNTS.with_columns(test=pl.concat_list("test")), {}, "column_type"),
        (COUNTS.with_columns(arm=pl.lit(b"\xff")), {}, "column_type"),
        (COUNTS.with_columns(s=pl.concat_list("test")), {"segments": ["s"]}, "column_type"),
        (COUNTS.with_columns(m=pl.Series(["one", "two"])), {}, "column_type"),
        (COUNTS.with_columns(n=pl.lit(dt.date(2026, 1, 1))), {}, "column_type"),
        (COUNTS.with_columns(s=pl.lit("half")), {"shares": "s"}, "column_type"),
        (
            COUNTS.with_columns(s=pl.lit("half"), m=pl.Series([0, 1])),
            {"shares": "s", "units": None},
            "column_type",
        ),
    ],
    ids=str,
)
def test_tables_that_say_nothing_are_named(table: pl.DataFrame, options: dict[str, Any], code: str) -> None:
    given: dict[str, Any] = {"variant": "arm", "units": "n", "metrics": {"m": Proportion("m")}, **options}
    with pytest.raises(LabfactoryError) as caught:
        evaluate_many(table, experiment="test", **given)
    assert caught.value.code == code


@pytest.mark.parametrize("estimator", [Welch(), Cuped("before")], ids=lambda each: each.name)
def test_a_named_control_stands_on_the_left_of_every_pair(rows: pl.DataFrame, estimator: Estimator) -> None:
    options: dict[str, Any] = {"variant": "arm", "metrics": METRICS, "estimator": estimator}
    some = rows.filter((pl.col("test") != "test 3") | (pl.col("arm") != "arm 1"))
    found = evaluate_many(some, experiment="test", control="arm 1", **options).pairs
    assert set(found["control"]) == {"arm 1"}
    assert set(found["experiment"]) == set(rows["test"]) - {"test 3"}
    for pair in found.iter_rows(named=True):
        expected = alone(
            rows.filter(test=pair["experiment"]), "arm 1", pair["treatment"], pair["metric"], estimator
        )
        assert [pair[name] for name in SAME] == pytest.approx(expected[: len(SAME)], rel=1e-9)


def test_segments_that_nobody_asked_for_are_a_frame_of_no_rows() -> None:
    table = COUNTS.with_columns(m=pl.Series([1, 2]))
    options: dict[str, Any] = {"variant": "arm", "units": "n", "metrics": {"m": Proportion("m")}}
    found = evaluate_many(table, experiment="test", **options)
    assert found.segments.columns == ["dimension", "segment", *found.pairs.columns]
    assert found.segments.height == 0
