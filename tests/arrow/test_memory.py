"""Memory crosses without a copy and comes back, whoever lets go last."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import pyarrow as pa

from labfactory._core import arrow, base

KEYS = pa.array(range(1000), pa.int64())


def test_an_imported_array_is_released_after_reading() -> None:
    gc.collect()
    before = pa.total_allocated_bytes()
    array = pa.array(["text"] * 10_000)
    arrow.to_pylist(array)
    del array
    gc.collect()
    assert pa.total_allocated_bytes() == before


def test_an_array_may_be_taken_more_than_once() -> None:
    out = base.hash_keys(KEYS)
    assert len(out) == 1000
    first, second = pa.array(out), pa.array(out)
    assert first.equals(second)
    assert first.buffers()[1].address == second.buffers()[1].address


def test_what_was_taken_outlives_the_array_it_came_from() -> None:
    taken = pa.array(base.hash_keys(KEYS))
    gc.collect()
    taken.validate(full=True)
    assert taken.null_count == 0


def test_capsules_that_nobody_consumes_are_released() -> None:
    out = base.hash_keys(KEYS)
    for _ in range(100):
        out.__arrow_c_array__()
        out.__arrow_c_schema__()
    assert pa.field(out).type == pa.uint64()


def test_another_thread_may_let_go() -> None:
    holder = [pa.array(base.hash_keys(KEYS))]
    thread = threading.Thread(target=holder.clear)
    thread.start()
    thread.join()
    assert not holder


def test_an_array_alive_when_the_process_ends_is_released_quietly() -> None:
    script = (
        "import sys, pyarrow as pa\n"
        "from labfactory._core import base\n"
        "sys.kept = pa.array(base.hash_keys(pa.array(range(100))))\n"
        "sys.other = base.hash_keys(pa.array(range(100)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
