"""A stream gives the same chunks in the same order however many threads make them, and leaves nothing behind."""

from __future__ import annotations

import functools
import itertools
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import base
from labfactory.base.errors import AssemblyError, SourceError, UsageError
from labfactory.compiler import Environment, Plan, Template, compile_creative
from labfactory.compiler.preview import Oracle

ROWS = 5_000
TABLE = pa.table(
    {
        "name": pa.array([None if at % 11 == 0 else f"<{at}>" for at in range(ROWS)]),
        "n": pa.array(range(ROWS), pa.int64()),
    }
)
SOURCE = "{{ name }} {{ 'long' * (n // 100) }}{% if n % 13 == 5 %}{{ 1 // (n - 200) }}{% endif %}{% if n % 17 == 3 %}{% skip 'odd' %}{% endif %}"


@functools.cache
def plan() -> Plan:
    return Template(SOURCE, autoescape=True, name="t.txt").compile(TABLE.schema)


@functools.cache
def expected() -> list[dict[str, Any]]:
    return rows(plan().assemble(TABLE, threads=1).to_batches())


def rows(chunks: list[pa.RecordBatch]) -> list[dict[str, Any]]:
    return [row for chunk in chunks for row in chunk.to_pylist()]


@given(st.integers(0, ROWS), st.integers(1, 3_000), st.integers(100, 200_000), st.sampled_from([1, 2, 3]))
def test_threads_pieces_and_batches_change_nothing(
    first: int, count: int, batch_bytes: int, threads: int
) -> None:
    some = TABLE.slice(first, count)
    made = list(plan().stream(some, threads=threads, batch_bytes=batch_bytes))
    assert rows(made) == expected()[first : first + count]
    for chunk in made:
        chunk.validate(full=True)


def test_the_chunks_of_several_batches_follow_each_other() -> None:
    table = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1, 2_500), TABLE.slice(2_501)])
    assert rows(list(plan().stream(table, batch_bytes=10_000))) == expected()


def test_the_parts_of_a_creative_come_as_a_struct() -> None:
    made = compile_creative(
        {"subject": "Hi {{ name }}", "text": "{{ n }}"},
        slots={},
        schema=TABLE.schema,
        environments={"subject": Environment(), "text": Environment()},
        name="c",
    )
    chunks = list(made.stream(TABLE, batch_bytes=20_000))
    assert len(chunks) > 2
    assert rows(chunks) == made.assemble(TABLE).to_pylist()


def test_chunks_outlive_their_stream_plan_and_source() -> None:
    table = pa.table({"n": list(range(1_000))})
    chunks = list(Template("{{ n }}").compile(table.schema).stream(table, batch_bytes=300))
    del table
    assert [row["asset"] for row in rows(chunks)] == [str(n) for n in range(1_000)]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_stream_that_is_closed_leaves_nothing_at_work(threads: int) -> None:
    before = base.outstanding_buffers()
    for taken in range(4):
        stream: Any = plan().stream(TABLE, threads=threads, batch_bytes=2_000)
        for _ in range(taken):
            next(stream)
        stream.close()
        assert base.outstanding_buffers() <= before


def test_a_consumer_who_takes_his_time_is_not_run_away_from() -> None:
    before = base.outstanding_buffers()
    stream = plan().stream(TABLE, threads=2, batch_bytes=2_000)
    first = next(stream)
    held = []
    for _ in range(20):
        time.sleep(0.005)
        held.append(base.outstanding_buffers() - before)
    # Text and offsets of a chunk: the one that is held and four pieces, which may be cut in some.
    assert max(held) <= 2 * 12
    assert len(first) + sum(len(chunk) for chunk in stream) == ROWS


def test_several_streams_of_one_plan_go_on_side_by_side() -> None:
    streams = [plan().stream(TABLE, threads=2, batch_bytes=30_000) for _ in range(3)]
    made: list[list[pa.RecordBatch]] = [[] for _ in streams]
    for turn in itertools.zip_longest(*streams):
        for chunks, chunk in zip(made, turn, strict=True):
            chunks += [chunk] if chunk is not None else []
    assert [rows(chunks) for chunks in made] == [expected()] * 3


def test_threads_of_python_have_streams_of_their_own() -> None:
    made: list[bool] = []

    def work() -> None:
        made.append(rows(list(plan().stream(TABLE, threads=2, batch_bytes=40_000))) == expected())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [True] * 3


def test_what_the_source_raises_comes_behind_the_chunks_before_it() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield TABLE.slice(0, 100).to_batches()[0]
        raise OSError

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    stream = plan().stream(reader, batch_bytes=1_000)
    made: list[pa.RecordBatch] = []
    with pytest.raises(SourceError) as caught:
        made += stream
    assert caught.value.code == "source_unreadable"
    stream = plan().stream(pa.table({"name": ["x"]}))
    with pytest.raises(SourceError) as caught:
        next(stream)
    assert caught.value.code == "missing_column"
    for threads, batch_bytes in ((0, 1), (1, 0), (1, 1 << 31)):
        with pytest.raises(UsageError, match=r"expected (threads|batch_bytes)"):
            next(plan().stream(TABLE, threads=threads, batch_bytes=batch_bytes))


def test_a_chunk_is_verified_before_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Template("{{ n }}").compile(TABLE.schema)
    assert sum(len(chunk) for chunk in made.stream(TABLE, batch_bytes=3_000, verify=3)) == ROWS
    seen = []

    def wrong(oracle: object, part: object, context: dict[str, int]) -> tuple[str, None]:
        seen.append(context["n"])
        return ("other" if context["n"] > 2_000 else str(context["n"])), None

    monkeypatch.setattr(Oracle, "rendered", wrong)
    chunks: list[pa.RecordBatch] = []
    with pytest.raises(AssemblyError, match=r"row \d+, asset: expected 'other'") as caught:
        chunks += made.stream(TABLE, batch_bytes=3_000, verify=2)
    assert caught.value.code == "verify_failed"
    assert seen == sorted(seen)
    assert sum(map(len, chunks)) <= seen[-1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_of_fork_goes_on_with_the_stream_of_its_parent() -> None:
    before = base.outstanding_buffers()
    stream = plan().stream(TABLE, threads=3, batch_bytes=20_000)
    made = [next(stream), next(stream)]
    child = os.fork()
    if child == 0:
        try:
            made += stream
            os._exit(0 if rows(made) == expected() else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    made += stream
    assert rows(made) == expected()
    made.clear()
    assert base.outstanding_buffers() <= before
