"""A run under limits: settled before it makes anything, never over, the same for any shards and threads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from factory_concept import NOW, people, ready

from labfactory.base.errors import LabfactoryError, SelectionError
from labfactory.factory import Factory, MemorySink, ParquetSink
from labfactory.selection import Exploration, Limit, LimitedSelector, SelectionPolicy, SlotPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from labfactory.factory import Run
    from labfactory.factory.sinks import ShardWriter, Work

ROWS = 4000
POLICY = SelectionPolicy.build(
    "hero-2",
    hero=SlotPolicy.build(
        components=["sea", "sun"],
        features={"points": "points / 30", "phone": "phone / 10000000"},
        weights=[[0.2, 0.5], [1.0, 0.1]],
        bias=[0.3, 0.1],
        exploration=Exploration(mode="softmax", temperature=0.2),
    ),
)
LIMITS = {"sun": Limit(component="sun", maximum=700), "sea": Limit(component="sea", minimum=2500)}


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Factory, str]:
    folder: Path = tmp_path_factory.mktemp("limits")
    made, package = ready(folder, selection=POLICY)
    return made, package.id


def run(factory: tuple[Factory, str], frame: pl.DataFrame, **options: Any) -> tuple[Run, pl.DataFrame]:
    sink = MemorySink()
    arguments: dict[str, Any] = {"key": "customer_id", "seed": 7, "now": NOW, "sink": sink, "limits": LIMITS}
    done = factory[0].run(factory[1], frame, **{**arguments, **options})
    decisions = pl.from_arrow(sink.table("decisions"))
    assert isinstance(decisions, pl.DataFrame)
    return done, decisions.with_columns(pl.col("component", "reason").cast(pl.String))


def counts(decisions: pl.DataFrame) -> dict[str, int]:
    return dict(decisions["component"].drop_nulls().value_counts().iter_rows())


def test_a_run_keeps_its_limits_and_says_what_they_cost(factory: tuple[Factory, str]) -> None:
    frame = people(ROWS)
    done, decisions = run(factory, frame)
    found = counts(decisions)
    assert found["sun"] <= 700
    assert found["sea"] >= 2500
    allocation = done.manifest["allocation"]
    assert allocation["used"] == {"sun.maximum": found["sun"], "sea.minimum": found["sea"]}
    assert 0 <= allocation["gap"] < 0.05
    assert allocation["prices"]["sun.maximum"] > 0
    assert done.summary.rows == ROWS
    _, free = run(factory, frame, limits=None)
    assert counts(free)["sun"] > 700


def test_repaired_rows_are_told_apart_and_the_rest_keep_their_propensity(
    factory: tuple[Factory, str],
) -> None:
    _, decisions = run(factory, people(ROWS))
    limited = decisions["reason"] == "limited"
    assert limited.any()
    assert decisions.filter(limited)["propensity"].null_count() == int(limited.sum())
    assert decisions.filter(~limited)["propensity"].null_count() == 0


def test_shards_threads_and_batches_change_no_decision(factory: tuple[Factory, str]) -> None:
    frame = people(ROWS)
    one, expected = run(factory, frame, threads=1)
    two, found = run(factory, frame, threads=2, shard_rows=999, batch_rows=128)
    assert found.sort("key").equals(expected.sort("key"))
    assert two.manifest["allocation"] == one.manifest["allocation"]


def test_rows_without_a_key_of_their_own_use_up_nothing(factory: tuple[Factory, str]) -> None:
    frame = people(ROWS)
    twice = pl.concat([frame, frame])
    done, decisions = run(factory, twice)
    assert decisions.height == ROWS
    assert done.summary.quarantined["duplicate_key"] == ROWS
    assert done.manifest["allocation"]["customers"] == ROWS


def test_a_minimum_that_customers_do_not_allow_stops_the_run_before_it_makes_anything(
    factory: tuple[Factory, str],
) -> None:
    with pytest.raises(SelectionError, match=r"sun.minimum 4,000 reached") as caught:
        run(factory, people(ROWS), limits={"sun": Limit(component="sun", minimum=ROWS)})
    assert caught.value.code == "limits_infeasible"
    with pytest.raises(SelectionError) as caught:
        run(factory, people(ROWS), limits={"tea": Limit(component="tea", maximum=1)})
    assert caught.value.code == "limit"


def test_limits_are_part_of_what_decides_a_run(factory: tuple[Factory, str]) -> None:
    frame = people(200)
    small = {"sun": Limit(component="sun", maximum=20)}
    one, _ = run(factory, frame, limits=small)
    two, _ = run(factory, frame, limits={"sun": Limit(component="sun", maximum=21)})
    assert one.run_id != two.run_id
    assert one.manifest["limits"]["sun"]["maximum"] == 20


def test_a_source_without_rows_is_a_run_without_customers(factory: tuple[Factory, str]) -> None:
    done, decisions = run(factory, people(0))
    assert (done.summary.rows, decisions.height) == (0, 0)


def test_a_run_tightens_the_limits_of_its_package_and_never_loosens_them(tmp_path: Path) -> None:
    signed = replace(POLICY, limits={"sun": Limit(component="sun", maximum=60)})
    made, package = ready(tmp_path, selection=signed)
    frame = people(400)
    used = {}
    for maximum in (None, 40, 300):
        asked = None if maximum is None else {"sun": Limit(component="sun", maximum=maximum)}
        done, decisions = run((made, package.id), frame, limits=asked)
        used[maximum] = counts(decisions)["sun"]
        assert "sun.maximum" in done.manifest["allocation"]["prices"]
    assert used[None] <= 60
    assert used[40] <= 40
    assert used[300] <= 60


JOB = """
package = "{package}"
key = "customer_id"
seed = 7
now = 2026-05-01T12:00:00Z
threads = 1

[source]
path = "customers.parquet"

[sink]
path = "out"

[selection.limits.sun]
component = "sun"
maximum = 700

[selection.limits.sea]
component = "sea"
minimum = {minimum}
"""


def test_a_job_asks_for_limits_and_its_summary_tells_what_became_of_them(
    factory: tuple[Factory, str], tmp_path: Path
) -> None:
    people(ROWS).write_parquet(tmp_path / "customers.parquet")
    (tmp_path / "job.toml").write_text(JOB.format(package=factory[1], minimum=2500))
    done = factory[0].run_job(tmp_path / "job.toml")
    by_hand, decisions = run(factory, people(ROWS))
    assert done.manifest["allocation"] == by_hand.manifest["allocation"]
    told = repr(done)
    assert f"{done.manifest['allocation']['used']['sun.maximum']:.0f} of 700" in told
    assert "% below the best" in told
    reasons = done.summary.decisions["hero"]
    assert sum(reasons.values()) == ROWS
    assert reasons["limited"] == decisions.filter(pl.col("reason") == "limited").height
    assert done.manifest["totals"]["decisions"] == {"hero": reasons}
    assert done.summary.to_dict()["allocation"]["gap"] == done.manifest["allocation"]["gap"]
    assert not (tmp_path / "out" / ".kept").exists()


def test_faults_of_a_job_s_limits_are_found_before_the_first_row(
    factory: tuple[Factory, str], tmp_path: Path
) -> None:
    people(10).write_parquet(tmp_path / "customers.parquet")
    for text, code in (
        (JOB.format(package=factory[1], minimum=-1), "limit"),
        (
            JOB.format(package=factory[1], minimum=1).replace('component = "sea"', 'component = "tea"'),
            "limit",
        ),
        (JOB.format(package=factory[1], minimum=1).replace("minimum", "least"), "settings"),
    ):
        (tmp_path / "job.toml").write_text(text)
        with pytest.raises(LabfactoryError) as caught:
            factory[0].run_job(tmp_path / "job.toml")
        assert caught.value.code == code


class Failing(ParquetSink):
    """Fails when the first shard is to be written: everything before it is done."""

    def writer(self, work: Work) -> ShardWriter:
        raise KeyboardInterrupt


def test_an_attempt_goes_on_from_the_settlement_of_the_last_one(
    factory: tuple[Factory, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = people(ROWS)
    whole = run_into(factory, frame, ParquetSink(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        run_into(factory, frame, Failing(tmp_path / "out"))
    kept = next((tmp_path / "out" / ".kept").iterdir())
    assert (kept / "settled.json").exists()
    # A shard's shortlists and the settlement are lost: both are made again from the rest.
    (kept / "settled.json").unlink()
    next(kept.glob("lists-000002-*.npz")).unlink()
    listed = []
    plain = LimitedSelector.shortlists

    def counted(self: LimitedSelector, *arguments: Any, **options: Any) -> Any:
        listed.append(1)
        return plain(self, *arguments, **options)

    monkeypatch.setattr(LimitedSelector, "shortlists", counted)
    monkeypatch.setattr(LimitedSelector, "learn", None)
    again = run_into(factory, frame, ParquetSink(tmp_path / "out"))
    assert len(listed) == 1
    assert again.manifest == whole.manifest
    assert not (tmp_path / "out" / ".kept").exists()


def test_what_another_run_kept_is_of_no_use_to_this_one(factory: tuple[Factory, str], tmp_path: Path) -> None:
    frame = people(ROWS)
    with pytest.raises(KeyboardInterrupt):
        run_into(factory, frame, Failing(tmp_path / "out"))
    other = run_into(factory, frame, ParquetSink(tmp_path / "out"), limits={"sun": Limit(maximum=3000)})
    assert other.manifest["allocation"]["used"] == {"sun.maximum": 3000.0}


def run_into(factory: tuple[Factory, str], frame: pl.DataFrame, sink: ParquetSink, **options: Any) -> Run:
    arguments: dict[str, Any] = {"key": "customer_id", "seed": 7, "now": NOW, "limits": LIMITS}
    return factory[0].run(factory[1], frame, sink=sink, shard_rows=1000, **{**arguments, **options})
