"""Repeated and missing keys are found exactly, whatever the hash, the layout and the shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from factory_fakes import customers, key_hash
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import base
from labfactory.base.errors import SourceError
from labfactory.factory.keys import find_duplicates, key_field, key_values, repeats
from labfactory.factory.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path


def found_rows(
    frame: pl.DataFrame, folder: Path, *, hashed=base.hash_keys, shard_rows: int = 9_000
) -> list[int]:
    table = frame.select("id").to_arrow()
    spool = Spool(folder / "spool", table.to_batches(777), schema=table.schema, rows=shard_rows)
    shards = spool.shards(shard_rows)
    found = find_duplicates(spool, shards, "id", folder=folder / "keys", key_hash=hashed)
    rows = [int(row) for shard in shards for row in found.rows(shard)]
    assert found.count == len(rows)
    assert not list((folder / "keys").glob("*.arrow")), "the partitions are removed"
    return rows


def expected_rows(frame: pl.DataFrame) -> list[int]:
    later = frame.with_row_index("row").filter(pl.col("id").is_not_null() & ~pl.col("id").is_first_distinct())
    return later["row"].to_list()


def test_repeated_keys_among_100_000_rows_are_those_that_polars_finds(tmp_path: Path) -> None:
    frame = customers(100_000, repeats=0.1)
    assert found_rows(frame, tmp_path) == expected_rows(frame)


def test_more_rows_than_one_partition_holds_give_the_same_answer(tmp_path: Path) -> None:
    frame = customers(300_000, repeats=0.01)
    assert found_rows(frame, tmp_path, shard_rows=65_536) == expected_rows(frame)


def test_integer_keys_are_compared_as_integers(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [3, 1, 3, None, -1, 1, None, 3]})
    assert found_rows(frame, tmp_path) == [2, 5, 7]


def test_colliding_hashes_do_not_make_keys_equal(tmp_path: Path) -> None:
    frame = customers(2_000, repeats=0.2)

    def weak(keys: pa.Array) -> pa.Array:
        return pa.array(np.asarray(key_hash(keys)) % np.uint64(5))

    assert found_rows(frame, tmp_path, hashed=weak, shard_rows=100) == expected_rows(frame)


def test_one_key_in_every_row_leaves_one_row(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": ["same"] * 5_000})
    assert found_rows(frame, tmp_path, shard_rows=500) == list(range(1, 5_000))


@given(st.lists(st.integers(0, 9)), st.integers(1, 4))
def test_repeats_are_the_rows_whose_key_stood_before(keys: list[int], modulus: int) -> None:
    hashes = np.array([key % modulus for key in keys], dtype=np.uint64)
    expected = [key in keys[:row] for row, key in enumerate(keys)]
    assert repeats(hashes, pa.array(keys, pa.int64())).tolist() == expected


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_text_keys_of_every_layout_come_out_as_text(kind: pa.DataType) -> None:
    values = pa.array(["a", None, "ß"], kind)
    field = key_field(pa.schema([("id", kind)]), "id")
    assert key_values(values, field) == pa.array(["a", None, "ß"])


def test_dictionary_keys_come_out_as_their_values() -> None:
    values = pa.array(["a", None, "a"]).dictionary_encode()
    field = key_field(pa.schema([("id", values.type)]), "id")
    assert key_values(values, field) == pa.array(["a", None, "a"])


def test_a_key_of_numbers_with_fractions_is_refused() -> None:
    with pytest.raises(SourceError, match="expected a key of integers or text, found double") as caught:
        key_field(pa.schema([("id", pa.float64())]), "id")
    assert caught.value.code == "column_type"


def test_a_missing_key_column_is_named_with_its_nearest_neighbour() -> None:
    with pytest.raises(SourceError, match="did you mean 'customer_id'") as caught:
        key_field(pa.schema([("customer_id", pa.string())]), "custmer_id")
    assert caught.value.code == "missing_column"
