"""Customers from a seed: varied, repeatable, and never all in memory."""

from __future__ import annotations

import unicodedata

import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.errors import UsageError
from labfactory.samples import BadRows, catalogue, categories, customers

CLEAN = BadRows(null_key=0, duplicate_key=0, null_price=0)


def test_a_source_reads_the_same_twice() -> None:
    source = customers(5000, seed=3, batch_rows=2048)
    assert pa.table(source) == pa.table(source)
    assert [batch.num_rows for batch in source.batches()] == [2048, 2048, 904]
    assert len(source) == 5000


def test_a_batch_can_be_made_alone() -> None:
    source = customers(5000, seed=3, batch_rows=2048)
    assert source.batch(1) == list(source.batches())[1]
    assert source.batch(1) == customers(100_000, seed=3, batch_rows=2048).batch(1)


def test_another_seed_makes_other_people() -> None:
    one, other = (customers(1000, seed=seed).batch(0) for seed in (1, 2))
    assert one["customer_id"] == other["customer_id"]
    assert one["first_name"] != other["first_name"]
    assert one["recommended"] != other["recommended"]


def test_batches_are_valid_arrow() -> None:
    for batch in customers(3000, seed=5, batch_rows=1000).batches():
        batch.validate(full=True)
        assert batch.schema == customers(0, seed=5).schema


def test_no_customers_is_a_stream_with_a_schema() -> None:
    table = pa.table(customers(0, seed=1))
    assert (table.num_rows, table.schema) == (0, customers(9, seed=1).schema)


def test_names_come_from_many_scripts() -> None:
    names = pa.table(customers(20_000, seed=1))["first_name"].drop_null().to_pylist()
    scripts = {unicodedata.name(character, "?").split()[0] for name in names for character in name}
    assert scripts >= {
        "LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI",
        "CJK", "HANGUL", "THAI", "HIRAGANA", "KATAKANA",
    }  # fmt: skip
    assert {character for name in names for character in name} >= {"<", "&", "'", "’", '"', "\u200d", "🦊"}


def test_shares_are_near_what_they_should_be() -> None:
    frame = pl.DataFrame(customers(50_000, seed=11, bad=CLEAN))
    assert frame["first_name"].null_count() / len(frame) == pytest.approx(0.02, abs=0.003)
    assert frame["consent_email"].null_count() / len(frame) == pytest.approx(0.04, abs=0.004)
    assert frame["opted_out"].mean() == pytest.approx(0.03, abs=0.004)
    assert frame["last_order_at"].null_count() == (frame["orders_12m"] == 0).sum()
    assert set(frame["segment"].cast(str).unique()) == {"new", "active", "loyal", "lapsing"}
    lengths = frame["recommended"].list.len()
    assert (lengths.min(), lengths.max()) == (0, 4)
    assert frame["customer_id"].n_unique() == len(frame)


def test_nobody_is_recommended_a_product_twice() -> None:
    frame = pl.DataFrame(customers(20_000, seed=2))
    skus = frame.select(pl.col("recommended").list.eval(pl.element().struct.field("sku")))["recommended"]
    assert (skus.list.n_unique() == skus.list.len()).all()
    assert frame["recommended"].explode().struct.field("sku").n_unique() == len(catalogue())


def test_bad_rows_come_at_their_rates() -> None:
    bad = BadRows(null_key=0.01, duplicate_key=0.02, null_price=0.05)
    frame = pl.DataFrame(customers(40_000, seed=9, bad=bad))
    nulls = frame["customer_id"].null_count()
    assert nulls / len(frame) == pytest.approx(0.01, abs=0.003)
    repeated = len(frame) - nulls - frame["customer_id"].drop_nulls().n_unique()
    assert repeated / len(frame) == pytest.approx(0.02, abs=0.004)
    unpriced = (
        frame["recommended"]
        .list.eval(pl.element().struct.field("price").is_null())
        .list.any()
        .fill_null(value=False)
    )
    assert unpriced.sum() / len(frame) == pytest.approx(0.05 * 0.8, abs=0.006)


def test_clean_customers_have_nothing_to_set_aside() -> None:
    frame = pl.DataFrame(customers(40_000, seed=9, bad=CLEAN))
    assert frame["customer_id"].null_count() == 0
    assert frame["recommended"].explode().drop_nulls().struct.field("price").null_count() == 0


def test_the_catalogue_has_equally_many_products_in_each_category() -> None:
    counts = pl.Series(catalogue().field("category")).value_counts()["count"]
    assert (len(counts), counts.n_unique()) == (len(categories()), 1)


@pytest.mark.parametrize(("count", "seed", "batch_rows"), [(-1, 0, 1), (1, -1, 1), (1, 0, 0), (10**9, 0, 1)])
def test_sizes_out_of_range_are_refused(count: int, seed: int, batch_rows: int) -> None:
    with pytest.raises(UsageError) as caught:
        customers(count, seed=seed, batch_rows=batch_rows)
    assert caught.value.code == "sample_size"
