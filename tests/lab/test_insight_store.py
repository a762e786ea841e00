"""The insight store: what goes in comes out, whoever writes and whatever breaks."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from labfactory.base.errors import SourceError, StatisticsError, UsageError
from labfactory.lab import (
    Evaluation,
    Experiment,
    Flag,
    Hypothesis,
    InsightStore,
    LabKpis,
    Mean,
    Proportion,
    pool_effects,
)
from labfactory.lab.insights.effects import pool_frame

HERE = str(Path(__file__).parent)
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


@cache
def shown(
    name: str = "tone",
    *,
    lift: float = 0.2,
    least: float = 0.05,
    harm: float = 0.0,
    direction: str = "increase",
    variants: tuple[str, ...] = ("plain", "warm"),
    units: int = 2_000,
    shares: tuple[float, ...] | None = None,
) -> Evaluation:
    """An evaluation whose treatments have just this lift."""
    experiment = Experiment(
        name,
        hypothesis=Hypothesis(f"{name} moves orders.", minimum_effect=least),
        variants=variants,
        metrics={
            "orders": Mean("orders", direction=direction),  # type: ignore[arg-type]
            "opt_outs": Proportion("out", role="guardrail", direction="decrease"),
        },
        allocation=shares,
    )
    arm = np.repeat(np.arange(len(variants)), units)
    noise = np.tile(np.linspace(0.5, 1.5, units), len(variants))
    rate = 0.05 + harm * (arm > 0)
    responses = pl.DataFrame(
        {
            "variant": np.array(variants)[arm],
            "orders": noise * (1 + lift * (arm > 0)),
            "out": np.tile(np.arange(units) / units, len(variants)) < rate,
        }
    )
    return experiment.evaluate(responses, control="plain")


def end(week: float) -> datetime:
    return START + timedelta(weeks=week)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> InsightStore:
    """Six experiments, one of each kind."""
    made = InsightStore(tmp_path_factory.mktemp("made") / "insights")
    made.add(
        shown("won"),
        finished=end(0.5),
        started=end(0),
        tags=["welcome", "mail"],
        features={"warm": {"tone": "warm", "words": 12}, "plain": {"tone": "dry"}},
    )
    made.add(
        shown("harmful", lift=0.3, harm=0.1),
        finished=end(1.5),
        started=end(1),
        tags=["mail"],
        features={"warm": {"tone": "warm", "words": 30.0}},
    )
    made.add(shown("small", lift=0.01), finished=end(2.5), started=end(0.5), tags=["mail"])
    made.add(shown("unclear", lift=0.05, units=40), finished=end(2.6), features={"warm": {"tone": "warm"}})
    made.add(
        shown("unfair", shares=(0.4, 0.6)),
        finished=end(3.5),
        tags=["mail"],
        features={"warm": {"tone": "warm"}},
    )
    made.add(
        shown("lost", lift=-0.2),
        finished=end(5.5),
        started=end(5),
        features={"warm": {"tone": "cold", "sale": True}},
    )
    return made


@pytest.fixture
def store(made: InsightStore, tmp_path: Path) -> InsightStore:
    """A copy of them."""
    return InsightStore(shutil.copytree(made.folder, tmp_path / "insights"))


def names(found: list[Any]) -> list[str]:
    return [insight.experiment for insight in found]


def test_every_experiment_has_its_outcome(store: InsightStore) -> None:
    outcomes = {insight.experiment: (insight.outcome, insight.winners) for insight in store.insights()}
    assert outcomes == {
        "won": ("confirmed", ("warm",)),
        "harmful": ("confirmed", ()),
        "small": ("disproved", ()),
        "unclear": ("inconclusive", ()),
        "unfair": ("invalid", ()),
        "lost": ("disproved", ()),
    }


def test_a_smaller_outcome_is_better_where_it_should_decrease(tmp_path: Path) -> None:
    store = InsightStore(tmp_path)
    assert store.add(shown("a", lift=-0.2, direction="decrease"), finished=START).outcome == "confirmed"
    assert store.add(shown("b", lift=0.2, direction="decrease"), finished=START).outcome == "disproved"


def test_no_hypothesis_is_confirmed_by_peeking_or_by_one_of_many_tests(tmp_path: Path) -> None:
    store, evaluation = InsightStore(tmp_path), shown()
    peeked = replace(evaluation, flags=(Flag("peeking"),))
    assert store.add(peeked, finished=START).outcome == "inconclusive"
    for p, outcome in ((0.06, "inconclusive"), (0.04, "confirmed")):
        rows = tuple(replace(row, adjusted_p=p) for row in evaluation.rows)
        adjusted = store.add(replace(evaluation, rows=rows), finished=START, replace=True)
        assert adjusted.outcome == outcome


def test_the_larger_of_two_winners_is_named_first(tmp_path: Path) -> None:
    one = shown("three", variants=("plain", "warm", "hot"))
    assert InsightStore(tmp_path).add(one, finished=START).winners == ("warm", "hot")
    assert InsightStore(tmp_path).to_frame()["winner"].to_list() == ["warm"]


def test_entries_come_back_as_they_went_in(store: InsightStore) -> None:
    found = store.get("won")
    assert found.evaluation == shown("won")
    assert (found.finished, found.started, found.tags) == (end(0.5), end(0), ("mail", "welcome"))
    assert dict(found.features) == {"plain": (("tone", "dry"),), "warm": (("tone", "warm"), ("words", 12))}
    with pytest.raises(UsageError, match="found 'wun'"):
        store.get("wun")


def test_entries_are_found_by_tag_feature_outcome_and_time(store: InsightStore) -> None:
    assert names(store.insights()) == ["won", "harmful", "small", "unclear", "unfair", "lost"]
    assert names(store.insights(tag="mail")) == ["won", "harmful", "small", "unfair"]
    assert names(store.insights(features={"tone": "warm"})) == ["won", "harmful", "unclear", "unfair"]
    assert names(store.insights(features={"tone": "warm", "words": 30})) == ["harmful"]
    assert names(store.insights(features={"tone": "dry", "words": 12})) == []  # no one variant has both
    assert names(store.insights(features={"sale": 1})) == []
    assert names(store.insights(features={"sale": True})) == ["lost"]
    assert names(store.insights(outcome="disproved", tag="mail")) == ["small"]
    assert names(store.insights(since=end(1.5), until=end(2.6))) == ["harmful", "small"]
    assert names(store.insights(tag="'; DROP TABLE insights; --")) == []


def test_moments_within_a_second_are_in_order(tmp_path: Path) -> None:
    store = InsightStore(tmp_path)
    store.add(shown("later"), finished=START + timedelta(microseconds=5))
    store.add(shown("first"), finished=START)
    assert names(store.insights()) == ["first", "later"]
    assert names(store.insights(since=START + timedelta(microseconds=1))) == ["later"]


def test_the_overview_has_a_row_for_each_entry(store: InsightStore) -> None:
    frame = store.to_frame()
    assert frame["experiment"].to_list() == names(store.insights())
    assert frame.filter(experiment="won").select("outcome", "winner", "units", "tags").row(0) == (
        "confirmed",
        "warm",
        4_000,
        ["mail", "welcome"],
    )


def test_effects_are_those_of_the_treatments_that_fit(store: InsightStore) -> None:
    found = store.effects(metric="orders", features={"tone": "warm"})
    assert found["experiment"].to_list() == ["won", "harmful", "unclear"]
    assert found["relative"].to_list() == pytest.approx([0.2, 0.3, 0.05])
    everything = store.effects(include_invalid=True)
    assert everything.height == 12
    assert set(everything["metric"]) == {"orders", "opt_outs"}
    assert store.effects(tag="nothing").height == 0


def test_pooled_lifts_are_log_ratios_of_valid_experiments(store: InsightStore) -> None:
    pooled = store.pool("orders", features={"tone": "warm"})
    rows = [store.get(name).evaluation.row("orders", "warm") for name in ("won", "harmful", "unclear")]
    values, errors = [], []
    for row in rows:
        assert row.relative is not None
        assert row.relative_lower is not None
        assert row.relative_upper is not None
        values.append(np.log1p(row.relative))
        assert row.lower is not None
        assert row.upper is not None
        assert row.standard_error is not None
        critical = (row.upper - row.lower) / 2 / row.standard_error
        errors.append((np.log1p(row.relative_upper) - np.log1p(row.relative_lower)) / 2 / critical)
    expected = pool_effects(values, errors)
    assert pooled.value == pytest.approx(np.expm1(expected.value))
    assert (pooled.lower, pooled.upper) == pytest.approx((np.expm1(expected.lower), np.expm1(expected.upper)))
    assert pooled.count == 3
    assert store.pool("orders", scale="difference", tag="mail").count == 3
    with pytest.raises(StatisticsError) as caught:
        store.pool("orders", tag="nothing")
    assert caught.value.code == "no_effects"


def test_treatments_of_one_experiment_count_once(tmp_path: Path) -> None:
    store = InsightStore(tmp_path)
    store.add(shown("two"), finished=START)
    store.add(shown("three", variants=("plain", "warm", "hot")), finished=START)
    pooled = store.pool("orders", scale="difference", heterogeneity="none", interval="normal")
    assert pooled.count == 2
    error = store.get("two").evaluation.row("orders", "warm").standard_error
    assert error is not None
    # Of two treatments with one control: sqrt((2 + 2 * 0.5) / 4) of the error of either.
    both = error * 0.75**0.5
    assert pooled.standard_error == pytest.approx((1 / (error**-2 + both**-2)) ** 0.5)


def test_intervals_without_a_standard_error_are_read_by_the_quantile_of_t(store: InsightStore) -> None:
    found = store.effects(metric="orders", tag="welcome")
    bare = pool_frame(found.drop("standard_error"), scale="difference")
    row = store.get("won").evaluation.row("orders", "warm")
    assert bare.standard_error == pytest.approx(row.standard_error, rel=1e-5)
    blind = found.with_columns(relative_lower=pl.lit(None, pl.Float64))
    with pytest.raises(StatisticsError):
        pool_frame(blind, scale="lift")


def test_an_experiment_of_the_last_week_of_all_has_its_week(tmp_path: Path) -> None:
    store = InsightStore(tmp_path / "late")
    store.add(shown(), finished="9999-12-31T23:59:59Z")
    assert store.kpis().by_week == (("9999-12-27", 1),)


def test_the_figures_of_the_lab(store: InsightStore) -> None:
    kpis = store.kpis()
    assert (kpis.experiments, kpis.weeks, kpis.experiments_per_week) == (6, 6.0, 1.0)
    assert kpis.median_days_to_learn == pytest.approx(3.5)
    shares = (kpis.confirmed, kpis.disproved, kpis.inconclusive, kpis.learned, kpis.win_rate, kpis.invalid)
    assert shares == pytest.approx((2 / 5, 2 / 5, 1 / 5, 4 / 5, 1 / 5, 1 / 6))
    assert kpis.to_frame()["experiments"].to_list() == [1, 1, 2, 1, 0, 1]
    assert kpis.to_frame()["week"].to_list()[0] == "2026-01-05"
    part = store.kpis(since=end(2), until=end(4))
    assert (part.experiments, part.weeks, part.experiments_per_week) == (3, 2.0, 1.5)
    json.dumps(kpis.to_dict())


def test_a_lab_without_experiments_has_no_shares() -> None:
    empty = LabKpis.of([])
    assert (empty.experiments, empty.experiments_per_week, empty.win_rate, empty.by_week) == (
        0,
        None,
        None,
        (),
    )
    assert "–" in repr(empty)
    assert empty.to_frame().height == 0


def test_an_entry_added_twice_is_one_entry(store: InsightStore) -> None:
    before = names(store.insights())
    store.add(shown("small", lift=0.01), finished=end(2.5), started=end(0.5), tags=["mail", "mail"])
    assert names(store.insights()) == before


def test_another_entry_of_an_experiment_is_refused_unless_it_replaces(store: InsightStore) -> None:
    with pytest.raises(UsageError, match="found another") as caught:
        store.add(shown("won", lift=0.1), finished=end(0.5))
    assert caught.value.code == "insight_exists"
    assert store.get("won").evaluation == shown("won")
    store.add(shown("won", lift=0.1), finished=end(9), replace=True)
    assert store.get("won").evaluation == shown("won", lift=0.1)
    assert names(store.insights(tag="welcome")) == []
    assert names(store.insights())[-1] == "won"


@pytest.mark.parametrize(
    "options",
    [
        {"finished": START, "started": START + timedelta(days=1)},
        {"finished": START, "tags": [""]},
        {"finished": START, "features": {"hot": {}}},
        {"finished": START, "features": {"warm": {"x": [1]}}},
        {"finished": START, "features": {"warm": {"x": float("nan")}}},
    ],
)
def test_entries_that_contradict_themselves_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        InsightStore(tmp_path).add(shown(), **options)
    assert caught.value.code == "insights"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_store_is_named_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="found no index in 'absent'") as caught:
        InsightStore(tmp_path / "absent").insights()
    assert caught.value.code == "insight_store"
    assert not (tmp_path / "absent").exists()


def test_files_that_are_no_index_are_named(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"no database, but long enough to be looked at" * 30)
    for call in (
        InsightStore(tmp_path).insights,
        lambda: InsightStore(tmp_path).add(shown(), finished=START),
    ):
        with pytest.raises(SourceError) as caught:
            call()
        assert caught.value.code == "insight_store"
    (tmp_path / "index.sqlite").unlink()
    other = sqlite3.connect(tmp_path / "index.sqlite")
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    with pytest.raises(SourceError, match="found another database"):
        InsightStore(tmp_path).add(shown(), finished=START)


def test_a_store_of_another_version_is_named(store: InsightStore) -> None:
    index = sqlite3.connect(store.folder / "index.sqlite")
    index.execute("PRAGMA user_version = 2")
    index.close()
    for call in (store.insights, store.kpis, lambda: store.add(shown("new"), finished=START)):
        with pytest.raises(SourceError, match="of version 1, found version 2") as caught:
            call()
        assert caught.value.code == "insight_version"


def test_a_table_that_was_changed_or_lost_is_named(store: InsightStore) -> None:
    paths = sorted((store.folder / "tables").iterdir())
    data = bytearray(paths[0].read_bytes())
    data[len(data) // 2] ^= 1
    paths[0].write_bytes(data)
    with pytest.raises(SourceError, match="found other bytes") as caught:
        store.effects(include_invalid=True)
    assert caught.value.code == "insight_damaged"
    paths[0].unlink()
    with pytest.raises(SourceError, match="cannot read the table"):
        store.insights()
    assert store.to_frame().height == 6


WRITER = """
import os, sys
sys.path.insert(0, {tests!r})
import test_insight_store as t
from labfactory.lab.insights import index
insert = index.Index._insert_rows
def dying(self, table, rows):
    insert(self, table, rows)
    if table == {table!r}:
        os._exit(9)
index.Index._insert_rows = dying
t.InsightStore({folder!r}).add(t.shown("cut"), finished=t.START, tags=["a"], features={{"warm": {{"x": 1}}}})
"""


@pytest.mark.parametrize("table", ["insights", "flags"])
def test_a_writer_that_dies_leaves_no_entry_and_no_lock(store: InsightStore, table: str) -> None:
    script = WRITER.format(tests=HERE, folder=str(store.folder), table=table)
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == 9, done.stderr
    assert "cut" not in names(store.insights())
    store.add(shown("cut"), finished=START, tags=["a"])
    assert names(store.insights(tag="a")) == ["cut"]


MANY = """
import sys
sys.path.insert(0, {tests!r})
import test_insight_store as t
for number in range({first}, {first} + 8):
    end = t.START + t.timedelta(days=number)
    t.InsightStore({folder!r}).add(t.shown(f"e{{number}}", units=50), finished=end, tags=["t"])
"""


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """They begin with no store at all, and write the same four experiments among others."""
    folder = str(tmp_path / "both")
    scripts = [MANY.format(tests=HERE, folder=folder, first=first) for first in (0, 4)]
    writers = [subprocess.Popen([sys.executable, "-c", script]) for script in scripts]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert names(InsightStore(folder).insights(tag="t")) == [f"e{number}" for number in range(12)]


def test_flags_of_an_evaluation_are_kept(store: InsightStore) -> None:
    assert Flag("sample_ratio_mismatch") in store.get("unfair").evaluation.flags
    index = sqlite3.connect(store.folder / "index.sqlite")
    found = index.execute("SELECT experiment FROM flags WHERE code = 'sample_ratio_mismatch'").fetchall()
    index.close()
    assert found == [("unfair",)]
