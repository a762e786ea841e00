"""Files and records appear whole, once, or not at all."""

from __future__ import annotations

import errno
import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from factory_fakes import Greeter, customers, make

from labfactory.base.errors import RunError
from labfactory.factory.commit import load, publish, put, storage
from labfactory.factory.sinks import ParquetSink, Schemas

if TYPE_CHECKING:
    from pathlib import Path


def test_a_published_file_is_named_by_its_digest(tmp_path: Path) -> None:
    temporary, folder = tmp_path / "x.parquet", tmp_path / "assets"
    folder.mkdir()
    temporary.write_bytes(b"bytes")
    record = publish(temporary, folder, "shard-000007")
    digest = hashlib.sha256(b"bytes").hexdigest()
    assert record.to_dict() == {
        "name": f"assets/shard-000007-{digest[:16]}.parquet",
        "size_bytes": 5,
        "sha256": digest,
    }
    assert (tmp_path / record.name).read_bytes() == b"bytes"
    assert not temporary.exists()


def test_a_record_is_put_once(tmp_path: Path) -> None:
    assert put(tmp_path, "r.json", {"a": 1}, tmp_path / "t") is None
    assert put(tmp_path, "r.json", {"a": 2}, tmp_path / "t") == {"a": 1}
    assert load(tmp_path / "r.json") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(b'{"a": 1')
    with pytest.raises(RunError, match="is damaged") as caught:
        load(tmp_path / "r.json")
    assert caught.value.code == "record_damaged"


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), OSError(errno.EFBIG, "big"), OSError(errno.EDQUOT, "q")]
)
def test_a_full_disk_has_one_error(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(RunError, match="no room to write below") as caught, storage(tmp_path):
        raise error
    assert caught.value.code == "disk_full"
    assert caught.value.exit_code == 3


def test_any_other_refusal_of_the_system_has_another(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot write below") as caught, storage(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert caught.value.code == "storage_failed"


def test_a_shard_made_twice_with_other_bytes_raises_the_alarm(tmp_path: Path) -> None:
    frame = customers(100)
    make(frame, ParquetSink(tmp_path / "out"))
    # The same work id over other bytes: what a broken machine would do.
    record = next((tmp_path / "out" / "commits").iterdir())
    record.write_bytes(record.read_bytes().replace(b'"rows":100', b'"rows":101'))
    hidden = tmp_path / "out" / "hidden"
    record.rename(hidden)
    (tmp_path / "out" / "run.json").unlink()

    class Late(ParquetSink):
        def writer(self, work):
            hidden.rename(record)
            return super().writer(work)

    with pytest.raises(RunError, match="made twice with different output") as caught:
        make(frame, Late(tmp_path / "out"))
    assert caught.value.code == "nondeterminism"


def test_output_of_another_run_is_not_mixed_in(tmp_path: Path) -> None:
    make(customers(100), ParquetSink(tmp_path / "out"), header={"root": "ab", "seed": 1})
    with pytest.raises(RunError, match="it differs in run, seed") as caught:
        make(customers(100), ParquetSink(tmp_path / "out"), header={"root": "ab", "seed": 2})
    assert caught.value.code == "sink_in_use"


def test_an_attempt_that_committed_nothing_binds_nobody(tmp_path: Path) -> None:
    class Broken(Greeter):
        def assemble_batch(self, batch, *, threads=1, batch_bytes=0):
            message = "broken"
            raise ValueError(message)

    with pytest.raises(ValueError, match="broken"):
        make(customers(100), ParquetSink(tmp_path / "out"), header={"root": "a"}, assembler=Broken())
    run, _ = make(customers(100), ParquetSink(tmp_path / "out"), header={"root": "b"})
    assert run.summary.rows == 100


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    first, second = ParquetSink(tmp_path / "out"), ParquetSink(tmp_path / "out")
    first.open({"run": "1"}, Schemas(*[pa.schema([("key", pa.string())])] * 3))
    with pytest.raises(RunError, match="another run is writing") as caught:
        second.lock()
    assert caught.value.code == "sink_busy"
    first.close()
    second.lock()
    second.close()


def test_a_committed_file_that_is_gone_is_noticed(tmp_path: Path) -> None:
    make(customers(100), ParquetSink(tmp_path / "out"))
    next((tmp_path / "out" / "assets").iterdir()).unlink()
    with pytest.raises(RunError, match="which was committed, found nothing") as caught:
        make(customers(100), ParquetSink(tmp_path / "out"))
    assert caught.value.code == "output_lost"


def test_a_run_that_fails_before_it_begins_leaves_no_folder(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path / "out")
    sink.lock()
    sink.close()
    assert not (tmp_path / "out").exists()
