"""A run that ends too early leaves whole shards and nothing else, and goes on from there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factory_fakes import customers, make

from labfactory.factory.sinks import KINDS, ParquetSink

CHILD = Path(__file__).with_name("child_run.py")
KILLS = 3


def start(folder: Path, *, sink: str = "parquet", largest: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), sink, str(largest)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed(folder: Path, after_batches: int, *, sink: str = "parquet") -> bool:
    """Kill a run after so many batches were made; False when it was finished before."""
    with start(folder, sink=sink) as child:
        assert child.stdout is not None
        batches = 0
        for line in child.stdout:
            batches += line.startswith("make")
            if batches > after_batches:
                child.send_signal(signal.SIGKILL)
                break
        child.communicate()
        return child.returncode == -signal.SIGKILL


def files(folder: Path) -> dict[str, bytes]:
    return {f"{kind}/{path.name}": path.read_bytes() for kind in KINDS for path in (folder / kind).iterdir()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "out"
    make(customers(12_000), ParquetSink(folder), shard_rows=2_000, batch_rows=100)
    return folder


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, uninterrupted: Path) -> None:
    draw = random.Random(7)
    folder = tmp_path / "out"
    kills = [killed(folder, draw.randrange(5, 35)) for _ in range(KILLS)]
    assert any(kills), "no kill came in time: the test shows nothing"
    run, _ = make(customers(12_000), ParquetSink(folder), shard_rows=2_000, batch_rows=100)
    assert files(folder) == files(uninterrupted)
    assert (folder / "run.json").read_bytes() == (uninterrupted / "run.json").read_bytes()
    assert run.summary.rows == 12_000
    assert not (folder / ".work").exists()


def test_the_same_kills_ruin_a_careless_writer(tmp_path: Path, uninterrupted: Path) -> None:
    folder = tmp_path / "out"
    assert killed(folder, 15, sink="careless")
    with start(folder, sink="careless") as child:
        child.communicate()
    assert len(list((folder / "assets").iterdir())) == 6, "the resumed run takes every shard for finished"
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(folder / "assets")


def test_whatever_a_kill_leaves_is_whole(tmp_path: Path, uninterrupted: Path) -> None:
    folder = tmp_path / "out"
    assert killed(folder, 70)
    expected = files(uninterrupted)
    left = files(folder)
    assert left.keys() <= expected.keys()
    assert all(expected[name] == data for name, data in left.items())
    assert not (folder / "run.json").exists()


def test_an_interrupt_leaves_a_run_that_can_go_on(tmp_path: Path, uninterrupted: Path) -> None:
    folder = tmp_path / "out"
    told = 0

    def interrupt(phase: str, rows: int, total: int | None, size_bytes: int) -> None:
        nonlocal told
        told += phase == "make"
        if told == 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(customers(12_000), ParquetSink(folder), shard_rows=2_000, batch_rows=100, progress=interrupt)
    assert not (folder / ".work").exists()
    assert not (folder / "run.json").exists()
    run, _ = make(customers(12_000), ParquetSink(folder), shard_rows=2_000, batch_rows=100)
    assert run.summary.resumed_shards >= 1
    assert files(folder) == files(uninterrupted)


@pytest.mark.parametrize("largest", [2_000, 40_000])
def test_a_full_disk_ends_the_run_in_order_and_room_lets_it_go_on(
    tmp_path: Path, uninterrupted: Path, largest: int
) -> None:
    folder = tmp_path / "out"
    with start(folder, largest=largest) as child:
        _, error = child.communicate()
    assert child.returncode == 3, error
    assert error.startswith("disk_full\nno room to write below"), error
    left = files(folder) if folder.exists() else {}
    assert not list(folder.rglob("*.tmp"))
    assert not (folder / ".work").exists()
    assert all(files(uninterrupted)[name] == data for name, data in left.items())
    make(customers(12_000), ParquetSink(folder), shard_rows=2_000, batch_rows=100)
    assert files(folder) == files(uninterrupted)
