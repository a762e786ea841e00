"""Many experiments at once say what each says alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab import (
    Count,
    Experiment,
    Hypothesis,
    Mean,
    Proportion,
    Quantile,
    Ratio,
    adjust,
    evaluate_many,
)
from labfactory.lab.multiplicity import adjust_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from labfactory.lab.metric import Metric

METRICS: dict[str, Metric] = {
    "spend": Mean("spend"),
    "bought": Proportion("bought"),
    "orders": Count("orders"),
    "price": Ratio("spend", "orders"),
}


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """Sixty experiments of two to five arms, some of a dozen units."""
    random = np.random.default_rng(2)
    frames = []
    for number in range(60):
        units = int(random.integers(12, 4_000))
        arms = random.integers(0, 2 + number % 4, units)
        frames.append(
            pl.DataFrame(
                {
                    "test": [f"test {number:02}"] * units,
                    "arm": [f"arm {arm}" for arm in arms],
                    "spend": random.gamma(2.0, 5.0 + arms),
                    "bought": random.random(units) < 0.2 + 0.02 * arms,
                    "orders": random.poisson(2.0, units) + 1,
                }
            )
        )
    return pl.concat(frames).sample(fraction=1.0, shuffle=True, seed=1)


def test_every_pair_is_what_an_experiment_of_its_own_says(rows: pl.DataFrame) -> None:
    found = evaluate_many(rows, experiment="test", variant="arm", metrics=METRICS, alpha=0.1)
    pairs = {
        (row["experiment"], row["metric"], row["control"], row["treatment"]): row
        for row in found.pairs.to_dicts()
    }
    for test in ("test 00", "test 01", "test 07", "test 33"):
        mine = rows.filter(test=test)
        arms = mine["arm"].unique().sort().to_list()
        experiment = Experiment("one", hypothesis=Hypothesis("x", 0.0), variants=arms, metrics=METRICS)
        for place, control in enumerate(arms):
            alone = experiment.evaluate(mine, control=control, variant="arm", alpha=0.1)
            for row in alone.rows:
                if arms.index(row.variant) < place:
                    continue
                pair = pairs[test, row.metric, control, row.variant]
                assert (pair["control_n"], pair["treatment_n"]) == (row.control_n, row.treatment_n)
                for name in ("control_value", "difference", "standard_error", "lower", "upper", "p"):
                    assert pair[name] == pytest.approx(getattr(row, name), rel=1e-9), name
                for name in ("relative", "relative_lower", "relative_upper"):
                    assert pair[name] == pytest.approx(getattr(row, name), rel=1e-8, abs=1e-12), name
            tested = found.tests.filter(experiment=test, metric="spend")
            assert tested["srm_p"].item() == pytest.approx(alone.srm_p)


def test_omnibus_tests_are_those_of_scipy(rows: pl.DataFrame) -> None:
    found = evaluate_many(rows, experiment="test", variant="arm", metrics=METRICS)
    for (test,), mine in rows.group_by("test"):
        bought = mine.group_by("arm").agg(pl.col("bought").sum(), n=pl.len())
        table = np.array([bought["bought"], bought["n"] - bought["bought"]])
        if not table.sum(axis=1).all():
            continue
        expected = stats.chi2_contingency(table, correction=False)
        tested = found.tests.filter(experiment=test, metric="bought")
        assert tested["statistic"].item() == pytest.approx(expected.statistic, rel=1e-9)
        assert tested["p"].item() == pytest.approx(expected.pvalue, rel=1e-9)
    # Two arms: Welch's F is the square of Welch's t.
    two = rows.filter(test="test 04")
    before, after = (two.filter(arm=arm)["spend"].to_numpy() for arm in ("arm 0", "arm 1"))
    tested = found.tests.filter(experiment="test 04", metric="spend")
    welch = stats.ttest_ind(after, before, equal_var=False)
    assert tested["statistic"].item() == pytest.approx(welch.statistic**2, rel=1e-9)
    assert tested["p"].item() == pytest.approx(welch.pvalue, rel=1e-9)


def test_counted_rows_say_what_unit_rows_say(rows: pl.DataFrame) -> None:
    counted = rows.group_by("test", "arm", maintain_order=True).agg(pl.col("bought").sum(), shown=pl.len())
    metrics = {"bought": Proportion("bought")}
    by_unit = evaluate_many(rows, experiment="test", variant="arm", metrics=metrics, correction="bh")
    options: dict[str, Any] = {"experiment": "test", "units": "shown", "metrics": metrics, "correction": "bh"}
    by_arm = evaluate_many(counted, variant="arm", **options)
    ones = counted.with_columns(pl.col("bought") * 0, pl.col("shown") * 0 + 1)
    halves = pl.concat([ones, counted.with_columns(pl.col("shown") - 1)])
    in_parts = evaluate_many(halves, variant="arm", **options)
    for column in by_unit.pairs.columns:
        left, right = by_unit.pairs[column], by_arm.pairs[column]
        if left.dtype == pl.Float64:
            assert left.to_list() == pytest.approx(right.to_list(), rel=1e-8, abs=1e-11, nan_ok=True), column
        else:
            assert left.to_list() == right.to_list()
    assert in_parts.pairs.equals(by_arm.pairs)
    numbered = evaluate_many(counted.sort("test", "arm"), **options)
    assert numbered.pairs["p"].to_list() == by_arm.pairs["p"].to_list()
    assert numbered.pairs["control"][0] == "0"


def test_a_control_is_compared_with_the_others_only(rows: pl.DataFrame) -> None:
    some = rows.filter((pl.col("test") != "test 03") | (pl.col("arm") != "arm 1"))
    found = evaluate_many(
        some, experiment="test", variant="arm", metrics={"spend": Mean("spend")}, control="arm 1"
    )
    assert found.pairs["control"].unique().to_list() == ["arm 1"]
    assert found.pairs.filter(experiment="test 03").height == 0
    assert found.tests.filter(experiment="test 03").height == 1
    assert found.pairs.filter(experiment="test 07")["treatment"].to_list() == [
        "arm 0",
        "arm 2",
        "arm 3",
        "arm 4",
    ]


@pytest.mark.parametrize("method", ["holm", "hochberg", "bonferroni", "sidak", "bh", "by"])
def test_rows_of_families_are_adjusted_as_each_family_is(method: Any) -> None:
    families = np.random.default_rng(3).random((20, 6)) ** 3
    families[3, 2] = np.nan
    adjusted = adjust_rows(families, method)
    for family, found in zip(families, adjusted, strict=True):
        expected = [np.nan if p is None else p for p in adjust(list(family), method)]
        assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_what_is_not_defined_is_null() -> None:
    table = pl.DataFrame(
        {"test": ["a", "a", "b", "c", "c"], "shown": [1, 50, 9, 30, 30], "clicks": [1, 5, 3, 0, 0]}
    )
    found = evaluate_many(table, experiment="test", units="shown", metrics={"clicks": Proportion("clicks")})
    assert found.tests["experiment"].to_list() == ["a", "b", "c"]
    assert found.tests["p"].is_null().to_list() == [False, True, True]
    assert found.pairs["experiment"].to_list() == ["a", "c"]
    assert found.pairs["p"].is_null().all()
    assert found.pairs["adjusted_p"].is_null().all()
    assert "3 experiments" in repr(found)


@pytest.mark.parametrize(
    ("options", "kind", "code"),
    [
        ({"alpha": 0}, UsageError, "alpha"),
        ({"correction": "none"}, UsageError, "correction"),
        ({"variant": None}, UsageError, "needs_variant"),
        ({"metrics": {"m": Quantile("spend", 0.5)}}, UsageError, "metric"),
        ({"units": "orders", "metrics": {"m": Mean("spend")}}, UsageError, "metric"),
        ({"units": "bought", "metrics": {"m": Proportion("orders")}}, StatisticsError, "invalid_outcome"),
        ({"metrics": {"m": Proportion("orders")}}, StatisticsError, "invalid_outcome"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    rows: pl.DataFrame, options: dict[str, Any], kind: type[Exception], code: str
) -> None:
    run: Callable[[], Any] = lambda: evaluate_many(  # noqa: E731
        rows, **{"experiment": "test", "variant": "arm", "metrics": METRICS, **options}
    )
    with pytest.raises(kind) as caught:
        run()
    assert caught.value.code == code  # type: ignore[attr-defined]
