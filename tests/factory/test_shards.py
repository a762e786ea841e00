"""Shards cover every row once, and equal rows make equal shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factory_fakes import customers, make
from hypothesis import given
from hypothesis import strategies as st

from labfactory.base.errors import SourceError
from labfactory.factory.intake import Intake, mapped_schema
from labfactory.factory.shard import ParquetShards, ShardedSource, blocks
from labfactory.factory.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path


def rows_of(source: ShardedSource, rows: int, columns: list[str] | None = None) -> pa.Table:
    return pa.Table.from_batches([b for shard in source.shards(rows) for b in source.read(shard, columns)])


def spool_of(table: pa.Table, folder: Path, *, batch_rows: int, rows: int = 300) -> Spool:
    return Spool(folder, table.to_batches(batch_rows), schema=table.schema, rows=rows)


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 7))
def test_blocks_hold_the_same_rows_however_they_come_in(sizes: list[int], rows: int) -> None:
    values = pa.array(range(sum(sizes)))
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    batches = [pa.record_batch({"x": values.slice(start, n)}) for start, n in zip(starts, sizes, strict=True)]
    made = list(blocks(batches, rows))
    assert [batch.num_rows for batch in made[:-1]] == [rows] * (len(made) - 1)
    assert [x for batch in made for x in batch.column("x").to_pylist()] == values.to_pylist()


def test_parquet_shards_cover_every_row_once(tmp_path: Path) -> None:
    frame = customers(1_000)
    frame.write_parquet(tmp_path / "c.parquet", row_group_size=90)
    source = ParquetShards(tmp_path / "c.parquet")
    shards = source.shards(300)
    assert [shard.start for shard in shards] == [sum(s.rows for s in shards[:i]) for i in range(len(shards))]
    assert max(shard.rows for shard in shards) <= 300
    assert pl.from_arrow(rows_of(source, 300)).equals(frame)
    assert rows_of(source, 300, ["age", "id"]).column_names == ["age", "id"]


def test_equal_files_have_equal_digests_and_others_do_not(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        customers(100, seed=seed).write_parquet(tmp_path / name)
    a, b, c = (ParquetShards(tmp_path / name) for name in "abc")
    assert (a.digest, a.shards(50)) == (b.digest, b.shards(50))
    assert a.digest != c.digest
    assert a.shards(50)[0].digest != c.shards(50)[0].digest


def test_a_file_with_row_groups_beyond_a_shard_is_spooled(tmp_path: Path) -> None:
    frame = customers(5_000)
    frame.write_parquet(tmp_path / "c.parquet", row_group_size=5_000)
    source = Intake(tmp_path / "c.parquet", shard_rows=1_000).open(
        ["id", "age"], folder=tmp_path / "s", seen=print
    )
    assert isinstance(source, Spool)
    assert [shard.rows for shard in source.shards(1_000)] == [1_000] * 5
    assert pl.from_arrow(rows_of(source, 1_000)).equals(frame.select("age", "id"))


def test_a_truncated_file_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    customers(1_000).write_parquet(whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(SourceError, match="cannot read") as caught:
        ParquetShards(cut)
    assert caught.value.code == "source_unreadable"


def test_a_file_that_is_not_there_is_told_beside_those_that_are(tmp_path: Path) -> None:
    customers(1).write_parquet(tmp_path / "customers.parquet")
    with pytest.raises(SourceError, match=r"there is no file 'customer\.parquet'") as caught:
        Intake(tmp_path / "customer.parquet", shard_rows=100)
    assert "did you mean 'customers.parquet'?" in str(caught.value)


def test_a_file_with_damaged_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    pq.write_table(customers(1_000).to_arrow(), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[40:400] = bytes(360)
    path.write_bytes(data)
    with pytest.raises(SourceError) as caught:
        make(path, shard_rows=10_000)
    assert caught.value.code == "source_unreadable"


@pytest.mark.parametrize("batch_rows", [1, 17, 299, 300, 301, 10_000])
def test_a_spool_is_the_same_however_the_stream_is_cut(tmp_path: Path, batch_rows: int) -> None:
    table = customers(1_000).to_arrow()
    one = spool_of(table, tmp_path / "one", batch_rows=128)
    other = spool_of(table, tmp_path / "other", batch_rows=batch_rows)
    assert one.digest == other.digest
    assert one.shards(300) == other.shards(300)
    assert [shard.rows for shard in one.shards(300)] == [300, 300, 300, 100]
    assert pl.from_arrow(rows_of(other, 300)).equals(customers(1_000))


def test_a_spool_reads_views_dictionaries_and_nested_columns_back(tmp_path: Path) -> None:
    table = pa.table(
        {
            "view": pa.array(["a", None, "a longer text than twelve bytes"], pa.string_view()),
            "code": pa.array(["x", "y", "x"]).dictionary_encode(),
            "list": pa.array([[{"p": "q"}], [], None], pa.list_(pa.struct([("p", pa.string_view())]))),
        }
    )
    source = spool_of(table, tmp_path / "s", batch_rows=2)
    assert rows_of(source, 300).to_pylist() == table.to_pylist()
    assert rows_of(source, 300, ["list", "code"]).column_names == ["list", "code"]


def test_a_spool_reads_the_categories_of_polars(tmp_path: Path) -> None:
    sizes = pl.Series(["S", None, "L"], dtype=pl.Enum(["S", "M", "L"]))
    frame = pl.DataFrame({"size": sizes, "kind": sizes.cast(pl.Categorical)})
    frame = frame.with_columns(pl.struct("size", "kind").implode().over("size").alias("nested"))
    source = Intake(frame, shard_rows=300).open(frame.columns, folder=tmp_path / "spool", seen=lambda _: None)
    made = rows_of(source, 300, frame.columns)
    assert made.to_pylist() == frame.to_arrow().to_pylist()
    assert made.schema.field("size").type == pa.string()


def test_a_spool_of_other_rows_has_another_digest(tmp_path: Path) -> None:
    one = spool_of(customers(500, seed=1).to_arrow(), tmp_path / "one", batch_rows=100)
    other = spool_of(customers(500, seed=2).to_arrow(), tmp_path / "other", batch_rows=100)
    assert one.digest != other.digest


def test_mapped_columns_take_the_templates_names() -> None:
    schema = pa.schema([("fname", pa.string()), ("name", pa.int8()), ("age", pa.int64())])
    seen = mapped_schema(schema, {"name": "fname"})
    assert {field.name: field.type for field in seen} == {"name": pa.string(), "age": pa.int64()}


def test_a_mapped_column_that_is_missing_is_named() -> None:
    with pytest.raises(SourceError, match="no column 'fnam'") as caught:
        mapped_schema(pa.schema([("fname", pa.string())]), {"name": "fnam"})
    assert caught.value.code == "missing_column"
