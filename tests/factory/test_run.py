"""Every customer leaves a run as an asset, a skip or a row of quarantine, the same ones every time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from factory_fakes import Greeter, customers, make
from hypothesis import given, settings
from hypothesis import strategies as st

from labfactory.base.errors import RunError, SourceError
from labfactory.factory.progress import Heartbeat
from labfactory.factory.sinks import KINDS, ParquetSink

if TYPE_CHECKING:
    from pathlib import Path


def fates(frame: pl.DataFrame) -> pl.DataFrame:
    """What should become of each customer, by Polars."""
    return frame.with_row_index("row").with_columns(
        fate=pl.when(pl.col("id").is_null())
        .then(pl.lit("null_key"))
        .when(~pl.col("id").is_first_distinct())
        .then(pl.lit("duplicate_key"))
        .otherwise(
            pl.col("name").replace_strict(
                {"bad": "boom", "skip": "skipped", "rude": "forbidden_text"}, default="ok"
            )
        )
    )


def files(folder: Path) -> dict[str, bytes]:
    return {f"{kind}/{path.name}": path.read_bytes() for kind in KINDS for path in (folder / kind).iterdir()}


def test_assets_and_quarantine_are_those_that_polars_expects() -> None:
    frame = customers(20_000)
    run, sink = make(frame)
    expected = fates(frame)
    made = expected.filter(fate="ok")
    assets = sink.table("assets")
    assert assets.column_names == ["key", "creative", "subject", "text"]
    assert assets["key"].to_pylist() == made["id"].to_list()
    assert assets["subject"].to_pylist() == ("Hi " + made["name"]).to_list()
    aside = pl.from_arrow(sink.table("quarantine")).sort("row")
    bad = expected.filter(~pl.col("fate").is_in(["ok", "skipped"]))
    assert aside["row"].to_list() == bad["row"].to_list()
    assert aside["code"].to_list() == bad["fate"].to_list()
    assert aside["key"].to_list() == bad["id"].to_list()
    assert run.summary.skipped == {"no consent": expected.filter(fate="skipped").height}
    assert run.summary.quarantined == dict(bad["fate"].value_counts().iter_rows())


def test_quarantine_says_where_in_the_template_and_nothing_of_the_customer() -> None:
    _, sink = make(customers(500))
    table = sink.table("quarantine")
    assert table.column_names == ["key", "row", "stage", "code", "reason", "template", "line", "column"]
    failed = [row for row in table.to_pylist() if row["code"] == "boom"]
    assert {(r["stage"], r["template"], r["line"], r["column"]) for r in failed} == {
        ("assemble", "greet.j2", 3, 7)
    }
    refused = [row for row in table.to_pylist() if row["code"] == "forbidden_text"]
    assert {(r["stage"], r["reason"], r["line"]) for r in refused} == {("audit", "'rude' in part text", None)}


def test_decisions_are_logged_for_everyone_who_was_decided_for() -> None:
    frame = customers(3_000)
    _, sink = make(frame)
    log = pl.from_arrow(sink.table("decisions"))
    decided = fates(frame).filter(~pl.col("fate").is_in(["null_key", "duplicate_key"]))
    assert log["key"].to_list() == decided["id"].to_list()
    assert set(log["component"]) == {"sun", "sea"}
    assert set(log["propensity"]) == {0.5}
    text = pl.from_arrow(sink.table("assets")).join(log, on="key")
    assert text.select(pl.col("text").str.contains(pl.format("slot {}\\.", "index")).all()).item()


@settings(max_examples=15)
@given(st.integers(0, 400), st.integers(1, 300), st.integers(1, 90), st.integers(1, 50), st.integers(1, 3))
def test_totals_add_up(rows: int, shard_rows: int, batch_rows: int, chunk_rows: int, threads: int) -> None:
    frame = customers(rows, seed=rows, nulls=0.1, repeats=0.3)
    run, sink = make(
        frame, shard_rows=shard_rows, batch_rows=batch_rows, threads=threads, assembler=Greeter(chunk_rows)
    )
    figures = run.summary
    skipped, aside = sum(figures.skipped.values()), sum(figures.quarantined.values())
    assert figures.assets + skipped + aside == figures.rows == rows
    assert sink.table("assets").num_rows == figures.assets
    assert sink.table("quarantine").num_rows == aside
    assert run.manifest["totals"]["rows"] == sum(shard["rows"] for shard in run.manifest["shards"])


def test_threads_change_no_byte(tmp_path: Path) -> None:
    frame = customers(20_000)
    for threads in (1, 2, 4):
        make(frame, ParquetSink(tmp_path / str(threads)), threads=threads)
    assert files(tmp_path / "1") == files(tmp_path / "2") == files(tmp_path / "4")
    manifests = {(tmp_path / name / "run.json").read_bytes() for name in "124"}
    assert len(manifests) == 1


def test_batches_of_the_source_change_no_byte(tmp_path: Path) -> None:
    table = customers(10_000).to_arrow()
    for rows in (64, 5_000):
        reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(rows))
        make(reader, ParquetSink(tmp_path / str(rows)))
    assert files(tmp_path / "64") == files(tmp_path / "5000")


@pytest.mark.parametrize(
    ("shard_rows", "batch_rows", "chunk_rows"), [(100_000, 100_000, 7), (1_000, 64, 3_000)]
)
def test_batches_and_shards_change_no_value(shard_rows: int, batch_rows: int, chunk_rows: int) -> None:
    frame = customers(10_000)
    _, expected = make(frame)
    _, sink = make(frame, shard_rows=shard_rows, batch_rows=batch_rows, assembler=Greeter(chunk_rows))
    for kind in ("assets", "decisions"):
        assert sink.table(kind).equals(expected.table(kind))
    assert sink.table("quarantine").sort_by("row").equals(expected.table("quarantine").sort_by("row"))


def test_parquet_files_frames_and_streams_make_the_same_assets(tmp_path: Path) -> None:
    frame = customers(5_000)
    frame.write_parquet(tmp_path / "c.parquet", row_group_size=700)
    table = frame.to_arrow()
    sources: list[Any] = [
        frame,
        frame.lazy(),
        table,
        tmp_path / "c.parquet",
        pa.RecordBatchReader.from_batches(table.schema, table.to_batches(33)),
    ]
    results = [make(source)[1].table("assets") for source in sources]
    assert all(result.equals(results[0]) for result in results)


def test_the_manifest_names_every_file_with_its_digest(tmp_path: Path) -> None:
    import hashlib

    run, _ = make(customers(10_000), ParquetSink(tmp_path / "out"))
    manifest = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert manifest == run.manifest
    named = {f["name"]: f for shard in manifest["shards"] for f in shard["files"].values()}
    assert set(named) == set(files(tmp_path / "out"))
    for name, data in files(tmp_path / "out").items():
        assert named[name]["sha256"] == hashlib.sha256(data).hexdigest()
        assert named[name]["size_bytes"] == len(data)


def test_no_time_gets_into_what_is_written(tmp_path: Path) -> None:
    for name in "ab":
        make(customers(3_000), ParquetSink(tmp_path / name))
    assert (tmp_path / "a" / "run.json").read_bytes() == (tmp_path / "b" / "run.json").read_bytes()


def test_a_run_made_before_is_not_made_again(tmp_path: Path) -> None:
    frame = customers(10_000)
    first, _ = make(frame, ParquetSink(tmp_path / "out"))
    second, _ = make(frame, ParquetSink(tmp_path / "out"))
    assert (second.summary.made, second.summary.resumed_shards) == (0, 3)
    assert second.manifest == first.manifest
    assert "3 (3 resumed)" in repr(second)


def test_a_run_prints_every_name_once(tmp_path: Path) -> None:
    run, _ = make(customers(100), ParquetSink(tmp_path / "out"))
    names = [line.split("  ")[0] for line in repr(run).splitlines() if not line.startswith(" ")]
    assert {"assets", "assets in", "manifest in"} <= set(names)
    assert len(set(names)) == len(names)


def test_an_empty_frame_makes_an_empty_run() -> None:
    run, sink = make(customers(0))
    assert (run.summary.rows, run.summary.assets, sink.table("assets").num_rows) == (0, 0, 0)


def test_a_used_up_reader_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    table = customers(100).to_arrow()
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    reader.read_all()
    with pytest.raises(SourceError, match="may have been read before"):
        make(reader, ParquetSink(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_too_many_failures_open_the_circuit(tmp_path: Path) -> None:
    frame = customers(10_000)
    failing = fates(frame).filter(pl.col("fate").is_in(["boom", "forbidden_text"])).height
    with pytest.raises(RunError, match=r"expected at most 1\.0% of 10,000 customers to fail") as caught:
        make(frame, ParquetSink(tmp_path / "out"), share=0.01)
    assert caught.value.code == "circuit_open"
    assert not (tmp_path / "out" / "run.json").exists()
    with pytest.raises(RunError, match="customers to fail"):
        make(frame, ParquetSink(tmp_path / "out"), share=0.01)
    run, _ = make(frame, ParquetSink(tmp_path / "out"), share=failing / 10_000)
    assert run.summary.resumed_shards >= 1


def test_keys_do_not_open_the_circuit() -> None:
    frame = pl.DataFrame({"id": ["a"] * 100, "name": ["Ann"] * 100})
    run, _ = make(frame, share=0.0)
    assert run.summary.quarantined == {"duplicate_key": 99}


def test_progress_is_told_phase_by_phase_up_to_the_total(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None, int]] = []
    beat = Heartbeat(tmp_path / "beat.jsonl", then=lambda *state: told.append(state))
    run, _ = make(customers(10_000), progress=beat)
    phases = list(dict.fromkeys(phase for phase, *_ in told))
    assert phases == ["spool", "keys", "make"]
    assert [state for state in told if state[0] == "spool"][-1][1:3] == (10_000, None)
    assert [state for state in told if state[0] == "keys"][-1][1:3] == (10_000, 10_000)
    assert told[-1] == ("make", 10_000, 10_000, run.summary.size_bytes)
    lines = [json.loads(line) for line in (tmp_path / "beat.jsonl").read_text().splitlines()]
    assert [(s["phase"], s["rows"], s["total"], s["bytes"]) for s in lines] == told


def test_the_first_failure_of_a_worker_ends_the_run() -> None:
    class Broken(Greeter):
        def assemble_batch(self, batch, *, threads=1, batch_bytes=0):
            message = "worker broke"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="worker broke"):
        make(customers(10_000), assembler=Broken())


def test_counts_that_do_not_add_up_stop_the_run() -> None:
    class Forgetful(Greeter):
        def assemble_batch(self, batch, *, threads=1, batch_bytes=0):
            return super().assemble_batch(batch.slice(1))

    with pytest.raises(RunError, match="that add up to") as caught:
        make(customers(1_000), assembler=Forgetful())
    assert caught.value.code == "count_mismatch"
