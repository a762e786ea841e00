"""A run reads the contact history: caps hold in it, its digest is in the record, and it is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from factory_concept import NOW, people, ready

from labfactory.base.errors import SelectionError
from labfactory.factory import Factory, MemorySink
from labfactory.selection import (
    Cap,
    ContactRules,
    Exploration,
    History,
    Planned,
    SelectionPolicy,
    SlotPolicy,
)

if TYPE_CHECKING:
    from pathlib import Path

POLICY = SelectionPolicy.build(
    "hero-3",
    contact=ContactRules(caps=(Cap(at_most=1, per="7 days"),)),
    hero=SlotPolicy(exploration=Exploration(mode="uniform")),
)


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Factory, str]:
    folder: Path = tmp_path_factory.mktemp("history")
    made, package = ready(folder, selection=POLICY)
    return made, package.id


def test_who_got_something_this_week_gets_nothing_again(factory: tuple[Factory, str]) -> None:
    frame = people(200)
    reached = frame["customer_id"].head(60)
    past = pl.DataFrame({"key": reached, "at": [NOW - timedelta(days=3)] * 60})
    sink = MemorySink()
    done = factory[0].run(factory[1], frame, key="customer_id", seed=7, now=NOW, sink=sink, history=past)
    decisions = pl.from_arrow(sink.table("decisions"))
    assert isinstance(decisions, pl.DataFrame)
    capped = decisions.filter(pl.col("reason").cast(pl.String) == "capped")
    assert sorted(capped["key"].to_list()) == sorted(reached.to_list())
    assert done.manifest["history"] == History.of(past).digest


def test_a_run_whose_policy_reads_history_asks_for_it(factory: tuple[Factory, str]) -> None:
    with pytest.raises(SelectionError, match="expected a contact history") as raised:
        factory[0].run(factory[1], people(10), key="customer_id", seed=7, now=NOW, sink=MemorySink())
    assert raised.value.code == "decision_input"


def test_a_run_keeps_the_room_of_what_is_planned(factory: tuple[Factory, str]) -> None:
    frame = people(200)
    later = frame["customer_id"].head(60)
    planned = pl.DataFrame({"key": later, "at": [NOW + timedelta(days=3)] * 60})
    past, sink = History.empty(), MemorySink()
    done = factory[0].run(
        factory[1], frame, key="customer_id", seed=7, now=NOW, sink=sink, history=past, planned=planned
    )
    decisions = pl.from_arrow(sink.table("decisions"))
    assert isinstance(decisions, pl.DataFrame)
    reserved = decisions.filter(pl.col("reason").cast(pl.String) == "reserved")
    assert sorted(reserved["key"].to_list()) == sorted(later.to_list())
    assert done.summary.decisions["hero"]["reserved"] == 60
    assert done.manifest["planned"] == Planned.of(planned).digest


def test_a_job_names_the_file_of_what_is_planned(factory: tuple[Factory, str], tmp_path: Path) -> None:
    frame = people(50)
    frame.write_parquet(tmp_path / "customers.parquet")
    key = frame["customer_id"].head(5)
    pl.DataFrame({"key": key, "at": [NOW - timedelta(days=1)] * 5}).write_parquet(tmp_path / "past.parquet")
    ahead = pl.DataFrame({"key": frame["customer_id"].tail(7), "at": [NOW + timedelta(days=1)] * 7})
    ahead.write_csv(tmp_path / "planned.csv")
    job = tmp_path / "job.toml"
    job.write_text(f'''package = "{factory[1]}"
key = "customer_id"
seed = 7
now = {NOW.isoformat()}
source.path = "customers.parquet"
sink.path = "out"
history.path = "past.parquet"
planned.path = "planned.csv"
''')
    done = factory[0].run_job(job)
    reasons = done.summary.decisions["hero"]
    assert (reasons["capped"], reasons["reserved"]) == (5, 7)
    job.write_text(job.read_text().replace("planned.csv", "nothing.csv"))
    with pytest.raises(SelectionError, match="expected planned contacts at") as raised:
        factory[0].run_job(job)
    assert raised.value.code == "history"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_history_is_read_from_a_file(tmp_path: Path, suffix: str) -> None:
    past = pl.DataFrame({"key": ["a", "b"], "at": [NOW, NOW - timedelta(days=1)]})
    path = tmp_path / f"history.{suffix}"
    if suffix == "csv":
        past.write_csv(path)
    else:
        past.write_parquet(path)
    assert History.load(path).moments.tolist() == History.of(past).moments.tolist()
    with pytest.raises(SelectionError, match="none that can be read") as raised:
        History.load(tmp_path / f"nothing.{suffix}")
    assert raised.value.code == "history"
