"""Tables are joined to the rows before a template runs; Polars' join is the measure."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labfactory as lf
from labfactory.base.errors import CompileError, UsageError

PRODUCTS = pl.DataFrame(
    {"sku": ["a", "b"], "title": ["Hat <1>", "Cap"], "price": [1.5, 2.0], "tags": [["x"], []]}
)
SOURCE = "{% if p %}{{ p.title }} {{ '%.2f' % p.price }}{% for t in p.tags %} {{ t }}{% endfor %}{% else %}-{% endif %}"


def test_a_row_sees_the_entry_of_its_key_and_none_where_there_is_none():
    customers = pl.DataFrame({"sku": ["b", "a", None, "z", "a"]})
    plan = lf.Template(SOURCE, autoescape=True).compile(customers, tables={"p": (PRODUCTS, "sku")})
    assert plan.assemble(customers)["asset"].to_pylist() == [
        "Cap 2.00",
        "Hat &lt;1&gt; 1.50 x",
        "-",
        "-",
        "Hat &lt;1&gt; 1.50 x",
    ]
    assert plan.columns == ("sku",)
    assert plan.tables == {"p": ("title", "price", "tags")}
    assert all(preview.agrees for preview in plan.preview(customers))
    assert plan.assemble_one({"sku": "b"}) == "Cap 2.00"


def test_a_missing_entry_skips_the_row_where_the_table_says_so():
    customers = pa.table({"favourite": pa.array([8, None, 9], pa.int16())})
    table = lf.Table(
        pa.table({"id": [9, 10], "title": ["Hat", "Cap"]}), key="id", on="favourite", missing="skip"
    )
    made = lf.Template("{{ item.title }}").compile(customers, tables={"item": table}).assemble(customers)
    assert made["status"].to_pylist() == ["skipped", "skipped", "ok"]
    assert made["reason"].to_pylist() == ["item: no entry", "item: no entry", None]
    assert made["asset"].to_pylist() == [None, None, "Hat"]


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=30),
    st.sets(st.integers(0, 9)),
    st.integers(1, 7),
)
def test_it_joins_as_polars_does(keys, known, size):
    customers = pl.DataFrame({"k": keys}, schema={"k": pl.Int32})
    table = pl.DataFrame(
        {"k": sorted(known), "v": [f"v{k}" for k in sorted(known)]}, schema={"k": pl.Int64, "v": pl.String}
    )
    plan = lf.Template("{{ t.v if t else '-' }}").compile(customers, tables={"t": (table, "k")})
    chunked = pa.Table.from_batches(customers.to_arrow().to_batches(max_chunksize=size))
    expected = customers.join(table, left_on=pl.col("k").cast(pl.Int64), right_on="k", how="left")[
        "v"
    ].fill_null("-")
    assert plan.assemble(chunked)["asset"].to_pylist() == expected.to_list()


def test_bad_tables_are_refused_by_name():
    customers = pa.schema({"sku": pa.string(), "p": pa.string()})
    for data in (pa.table({"key": [1]}), pa.table({"sku": [1, None]}), pa.table({"sku": ["a", "a"]})):
        with pytest.raises(UsageError) as refused:
            lf.Table(data, key="sku")
        assert refused.value.code == "table_key"
    with pytest.raises(UsageError) as refused:
        lf.Table(PRODUCTS, key="sku", missing="drop")
    assert refused.value.code == "option"
    with pytest.raises(CompileError) as twice:
        lf.Template("").compile(customers, tables={"p": (PRODUCTS, "sku")})
    assert twice.value.code == "duplicate_name"
    with pytest.raises(CompileError) as absent:
        lf.Template("").compile(customers, tables={"q": lf.Table(PRODUCTS, key="sku", on="skv")})
    assert absent.value.code == "unknown_column"
    assert "did you mean 'sku'" in (absent.value.hint or "")


@pytest.mark.parametrize(
    ("found", "own"),
    [
        (pa.string(), pa.int64()),
        (pa.int64(), pa.string()),
        (pa.float64(), pa.int64()),
        (pa.timestamp("s"), pa.timestamp("us")),
        (pa.dictionary(pa.int8(), pa.string()), pa.int8()),
    ],
)
def test_keys_of_another_kind_are_refused_when_it_compiles(found: pa.DataType, own: pa.DataType) -> None:
    table = lf.Table(pa.table({"key": pa.array([1], pa.int64()).cast(own), "v": ["x"]}), "key")
    for use in (lf.Template("{{ t.v }}").compile, lf.Template("{{ t.v }}").check):
        with pytest.raises(CompileError, match="as the key 'key' of the table 't' is") as refused:
            use(pa.schema({"key": found}), tables={"t": table})
        assert refused.value.code == "table_key"


@given(
    st.sampled_from([pa.int8(), pa.uint8(), pa.int64(), pa.uint64()]),
    st.sampled_from([pa.int8(), pa.uint8(), pa.int64(), pa.uint64()]),
    st.lists(st.sampled_from([-(2**63), -129, -1, 0, 1, 127, 255, 2**63 - 1, 2**64 - 1, None]), max_size=9),
)
def test_integer_keys_join_by_value_whatever_their_widths(found, own, keys):
    def within(kind: pa.DataType, values: list[int | None]) -> list[int | None]:
        bits = kind.bit_width - (not pa.types.is_unsigned_integer(kind))
        least = 0 if pa.types.is_unsigned_integer(kind) else -(2**bits)
        return [value for value in values if value is None or least <= value < 2**bits]

    known = sorted({key for key in within(own, keys) if key is not None} | {0})
    table = pa.table({"k": pa.array(known, own), "v": [str(key) for key in known]})
    rows = within(found, [-1, 0, 127, 255, 2**63 - 1, 2**64 - 1, None])
    plan = lf.Template("{{ t.v if t else '-' }}").compile(pa.schema({"k": found}), tables={"t": (table, "k")})
    expected = [str(key) if key in known else "-" for key in rows]
    assert plan.assemble(pa.table({"k": pa.array(rows, found)}))["asset"].to_pylist() == expected


def test_equal_rows_have_one_digest_however_they_lie():
    whole = pa.table({"k": [1, 2, 3, 4], "v": ["a", None, "c", "d"]})
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    longer = pa.concat_tables([pa.table({"k": [9], "v": ["z"]}), whole]).combine_chunks().slice(1)
    digests = {lf.Table(data, "k").digest for data in (whole, chunked, longer)}
    assert len(digests) == 1
    assert lf.Table(whole.slice(0, 3), "k").digest not in digests
    assert lf.Table(whole.rename_columns(["k", "w"]), "k").digest not in digests
