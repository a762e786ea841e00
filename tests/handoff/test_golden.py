"""Golden rows lose nothing on their way through JSON."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory.base.errors import HandoffError, UsageError
from labfactory.handoff.golden import check_assets, golden_table, read_rows, write_rows, write_schema

COLUMNS = {
    "null": pa.nulls(3),
    "bool": pa.array([True, None, False]),
    "int8": pa.array([-128, None, 127], pa.int8()),
    "int64": pa.array([-(2**63), 2**53 + 1, 2**63 - 1]),
    "uint64": pa.array([0, None, 2**64 - 1], pa.uint64()),
    "float32": pa.array([0.1, None, -0.0], pa.float32()),
    "float64": pa.array([math.nan, -math.inf, 1e22]),
    "decimal": pa.array([Decimal("-1.50"), None, Decimal("0.00")], pa.decimal128(10, 2)),
    "text": pa.array(["", None, "Zoë \U0001f600\n\0"]),
    "large": pa.array(["a", None, "b"], pa.large_string()),
    "view": pa.array(["a", None, "longer than twelve bytes"], pa.string_view()),
    "dictionary": pa.array(["x", None, "x"]).dictionary_encode(),
    "category": pa.table(pl.DataFrame({"c": pl.Series(["x", None, "x"], dtype=pl.Categorical)}))["c"].chunk(
        0
    ),
    "binary": pa.array([b"\xff\0", None, b""]),
    "fixed": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "date": pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]),
    "date64": pa.array([86_400_000, None, -86_400_000], pa.date64()),
    "time": pa.array([dt.time(23, 59, 59, 999_999), None, dt.time()]),
    "instant": pa.array([2**60, None, -1], pa.timestamp("ns", "Europe/Berlin")),
    "naive": pa.array([5, None, -5], pa.timestamp("ms")),
    "duration": pa.array([5, None, -(2**60)], pa.duration("us")),
    "list": pa.array([["a", None], None, []]),
    "fixed_list": pa.array([[1, 2], [3, None], None], pa.list_(pa.int32(), 2)),
    "struct": pa.array([{"a": 2**60, "b": {"c": [1.5]}}, None, {"a": None, "b": None}]),
    "structs": pa.array([[{"name": "hat", "price": Decimal("9.90")}], [], None]),
    "map": pa.array([[("a", 2**60), ("b", None)], None, []], pa.map_(pa.string(), pa.int64())),
}


def shown(column: pa.ChunkedArray) -> str:
    """The values as Python prints them; what datetime cannot hold, as a number."""
    is_fine = pa.types.is_timestamp(column.type) and column.type.unit == "ns"
    return repr((column.cast(pa.int64()) if is_fine else column).to_pylist())


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_as_it_went(name: str) -> None:
    table = golden_table(pa.table({"value": COLUMNS[name]}))
    again = read_rows(write_schema(table), write_rows(table))
    assert again.schema == table.schema
    assert shown(again["value"]) == shown(pa.chunked_array([COLUMNS[name]]))
    assert write_rows(again) == write_rows(table)


def test_slices_and_chunks_are_rows_like_any_other() -> None:
    table = pa.table(COLUMNS)
    parts = pa.concat_tables([table.slice(1, 2), table.slice(0, 1)])
    plain = golden_table(parts)
    assert write_rows(plain).splitlines() == [
        write_rows(golden_table(table)).splitlines()[at] for at in (1, 2, 0)
    ]


def test_tables_without_rows_or_columns_come_back() -> None:
    for table in (pa.table(COLUMNS).slice(0, 0), pa.table({})):
        plain = golden_table(table)
        assert read_rows(write_schema(plain), write_rows(plain)) == plain


@given(st.lists(st.floats(width=64) | st.none(), min_size=1), st.lists(st.text(st.characters(codec="utf-8"))))
def test_floats_and_texts_come_back_bit_for_bit(floats: list[float | None], texts: list[str]) -> None:
    for values, kind in ((floats, pa.float64()), (texts, pa.string())):
        table = pa.table({"value": pa.array(values, kind)})
        again = read_rows(write_schema(table), write_rows(table))
        assert repr(again.to_pydict()) == repr(table.to_pydict())


@pytest.mark.parametrize(
    "data",
    [
        [1, 2],
        "customers.csv",
        pa.table({"a": pa.array(range(5000))}),
        pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]),
        pa.table({"a": pa.array([(1, 2, 3)], pa.month_day_nano_interval())}),
    ],
)
def test_rows_that_a_package_cannot_hold_are_refused(data: object) -> None:
    with pytest.raises(UsageError) as raised:
        golden_table(data)
    assert raised.value.code == "golden_rows"


@pytest.mark.parametrize(
    ("schema", "rows"),
    [
        (b'[{"name":"a","type":"int8"}]', b"[300]\n"),
        (b'[{"name":"a","type":"int8"}]', b'["x"]\n'),
        (b'[{"name":"a","type":"int8"}]', b"[1,2]\n"),
        (b'[{"name":"a","type":"int8"}]', b"[]\n"),
        (b'[{"name":"a","type":"int8"}]', b"5\n"),
        (b'[{"name":"a","type":"extension"}]', b"[1]\n"),
        (b'[{"name":"a","type":{"decimal":[99,0]}}]', b'["1"]\n'),
        (b'[{"name":"a","type":{"decimal":[3,0]}}]', b'["x"]\n'),
        (b'[{"name":"a","type":{"list":"int8"}}]', b"[5]\n"),
        (b'[{"name":"a","type":{"struct":[["b","int8"]]}}]', b"[{}]\n"),
        (b'[{"name":"a","type":{"timestamp":"years","zone":null}}]', b"[5]\n"),
        (b'[{"name":"a","type":"binary"}]', b'["*"]\n'),
        (b'[{"name":"a"}]', b"[5]\n"),
        (b"5", b"[5]\n"),
    ],
)
def test_rows_that_are_not_of_their_schema_are_refused(schema: bytes, rows: bytes) -> None:
    with pytest.raises(HandoffError) as raised:
        read_rows(schema, rows)
    assert raised.value.code == "golden_malformed"


def test_lines_that_do_not_end_are_refused() -> None:
    with pytest.raises(HandoffError) as raised:
        read_rows(b'[{"name":"a","type":"int8"}]', b"[5]")
    assert raised.value.code == "json_malformed"


def test_the_first_asset_that_differs_is_named_by_number_and_digest() -> None:
    check_assets(b"[1]\n[2]\n", b"[1]\n[2]\n")
    for found, text in ((b"[1]\n[3]\n", "golden asset 2"), (b"[1]\n", "expected 2 golden assets, found 1")):
        with pytest.raises(HandoffError, match=text) as raised:
            check_assets(b"[1]\n[2]\n", found)
        assert raised.value.code == "golden_differs"
