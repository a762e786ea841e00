"""A run makes what Jinja2 makes, and the same bytes however it is cut, threaded, fed or dispatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from acceptance_command import labfactory
from acceptance_runs import BAD, CUSTOMERS, PACKAGE, files, job, made, output, population, rows, values
from mails_by_jinja2 import PlainMail

from labfactory._core import base as core
from labfactory.content import Library
from labfactory.factory import Factory
from labfactory.samples import folder as sample_folder
from labfactory.samples.walk import WINNER

if TYPE_CHECKING:
    from pathlib import Path

    from labfactory.factory import Run

LEVELS = ("baseline", "avx2", "avx512")
# The levels below the one that this process, and so the run that all are held to, has.
LOWER = LEVELS[: LEVELS.index(core.dispatch_level())]


@pytest.fixture(scope="module")
def people() -> pa.Table:
    return population()


@pytest.fixture(scope="module")
def customer_file(people: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("customers") / "customers.parquet"
    pq.write_table(people, path, row_group_size=500)
    return path


@pytest.fixture(scope="module")
def whole(demo: Path, people: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """The run that all others are held to."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    return made(demo, folder, people), folder


def test_a_run_makes_the_mails_that_jinja2_makes(whole: tuple[Run, Path], people: pa.Table) -> None:
    run, folder = whole
    library = Library.load(sample_folder() / "library")
    mail = PlainMail(library, library.creative(WINNER))
    chosen = {decision["key"]: decision["component"] for decision in rows(folder, "decisions")}
    keys = people["customer_id"].to_pylist()
    first_of = {key: row for row, key in reversed(list(enumerate(keys))) if key is not None}
    served = sorted(first_of.values())
    mails = mail.render_all(people.take(served), [chosen[keys[row]] for row in served])
    expected = [
        {"key": keys[row], "creative": WINNER, **parts}
        for row, parts in zip(served, mails, strict=True)
        if parts is not None
    ]
    assert rows(folder, "assets") == expected

    aside = {(entry["row"], entry["code"]) for entry in rows(folder, "quarantine")}
    expected_aside = {(row, "null_key") for row, key in enumerate(keys) if key is None}
    expected_aside |= {
        (row, "duplicate_key") for row, key in enumerate(keys) if row != first_of.get(key, row)
    }
    expected_aside |= {(row, "type_error") for row, parts in zip(served, mails, strict=True) if parts is None}
    assert aside == expected_aside
    assert {code for _, code in aside} == {"null_key", "duplicate_key", "type_error"}
    assert run.summary.assets + len(aside) == run.summary.rows == CUSTOMERS


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_byte_of_any_file(
    demo: Path, people: pa.Table, whole: tuple[Run, Path], tmp_path: Path, threads: int
) -> None:
    run = made(demo, tmp_path / "out", people, threads=threads)
    assert files(tmp_path / "out") == files(whole[1])
    assert run.manifest == whole[0].manifest


@pytest.mark.parametrize(
    "shape",
    [
        {"shard_rows": 65_536, "batch_rows": 4_096, "threads": 1},
        {"shard_rows": 333, "batch_rows": 64, "threads": 2},
        {"shard_rows": 1_999, "batch_rows": 31, "threads": 2},
    ],
    ids=lambda shape: f"shards of {shape['shard_rows']}, batches of {shape['batch_rows']}",
)
def test_batches_of_other_sizes_change_no_value(
    demo: Path, people: pa.Table, whole: tuple[Run, Path], tmp_path: Path, shape: dict[str, int]
) -> None:
    made(demo, tmp_path / "out", people, **shape)
    assert values(tmp_path / "out") == values(whole[1])


def as_reader(people: pa.Table) -> pa.RecordBatchReader:
    batches = people.combine_chunks().to_batches(max_chunksize=173)
    return pa.RecordBatchReader.from_batches(people.schema, batches)


def as_sliced(people: pa.Table) -> pa.Table:
    """The same rows at an offset inside larger buffers."""
    around = pa.concat_tables([people.slice(0, 37), people, people.slice(0, 11)]).combine_chunks()
    return around.slice(37, people.num_rows)


@pytest.mark.parametrize(
    "source", [as_reader, as_sliced, pl.DataFrame], ids=["a stream of 173 rows", "a slice", "Polars"]
)
def test_the_same_customers_from_another_source_make_the_same_files(
    demo: Path, people: pa.Table, whole: tuple[Run, Path], tmp_path: Path, source: Any
) -> None:
    made(demo, tmp_path / "out", source(people))
    assert output(tmp_path / "out") == output(whole[1])


@pytest.mark.parametrize("level", LOWER)
def test_every_dispatch_level_makes_the_same_values(
    demo: Path, customer_file: Path, whole: tuple[Run, Path], tmp_path: Path, level: str
) -> None:
    says = "import sys\nfrom labfactory._core import base\nprint(base.dispatch_level(), file=sys.stderr)"
    done = labfactory(
        "factory",
        "run",
        str(job(tmp_path, customer_file)),
        "--factory",
        str(demo / "factory"),
        before=says,
        env={"LABFACTORY_DISPATCH": level},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == level
    assert values(tmp_path / "out") == values(whole[1])


def test_a_run_made_twice_is_the_same_run(demo: Path, customer_file: Path, tmp_path: Path) -> None:
    first = made(demo, tmp_path / "first", customer_file)
    entered = len(runs_in_ledger(demo))
    second = made(demo, tmp_path / "second", customer_file)
    assert files(tmp_path / "first") == files(tmp_path / "second")
    assert first.run_id == second.run_id
    assert len(runs_in_ledger(demo)) == entered, "the ledger knows it already"
    assert first.run_id in [entry["run"] for entry in runs_in_ledger(demo)]


def test_another_seed_makes_other_decisions(
    demo: Path, people: pa.Table, whole: tuple[Run, Path], tmp_path: Path
) -> None:
    """The control: the comparisons above can fail."""
    from labfactory.factory import ParquetSink
    from labfactory.samples.walk import KEY, NOW

    sink = ParquetSink(tmp_path / "out")
    Factory(demo / "factory").run(PACKAGE, people, key=KEY, seed=8, now=NOW, sink=sink)
    ours, theirs = rows(tmp_path / "out", "decisions"), rows(whole[1], "decisions")
    assert [row["key"] for row in ours] == [row["key"] for row in theirs]
    assert [row["component"] for row in ours] != [row["component"] for row in theirs]


def runs_in_ledger(demo: Path) -> list[dict[str, Any]]:
    return [dict(entry.body) for entry in Factory(demo / "factory").ledger.entries("run")]


def test_bad_rows_are_among_the_customers() -> None:
    assert min(BAD.null_key, BAD.duplicate_key, BAD.null_price) > 0
