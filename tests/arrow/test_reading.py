"""The core reads what pyarrow and Polars write: every layout, sliced anywhere, nulls anywhere."""

from __future__ import annotations

import datetime as dt
from decimal import Context, Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import arrow
from labfactory.base.errors import SourceError

SMALL = st.integers(0, 100)
WORDS = st.text(max_size=30)
TEXT_TYPES = [pa.utf8(), pa.large_utf8(), pa.string_view()]
BINARY_TYPES = [pa.binary(), pa.large_binary(), pa.binary_view()]
INTEGER_TYPES = [
    pa.int8(),
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.uint8(),
    pa.uint16(),
    pa.uint32(),
    pa.uint64(),
]
# Every type whose Python value reads back equal, with the values to draw.
Drawn = tuple[pa.DataType, st.SearchStrategy[Any]]
PLAIN: list[Drawn] = [
    *[(kind, WORDS) for kind in TEXT_TYPES],
    *[(kind, st.binary(max_size=30)) for kind in BINARY_TYPES],
    *[(kind, SMALL) for kind in INTEGER_TYPES],
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.float32(), st.floats(allow_nan=False, width=32)),
    (pa.bool_(), st.booleans()),
    (pa.null(), st.none()),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
]


def nested(
    inner: tuple[pa.DataType, st.SearchStrategy[Any]],
) -> list[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    """The types that hold one inner type."""
    kind, values = inner
    items = st.lists(st.none() | values, max_size=4)
    pair = st.lists(st.none() | values, min_size=2, max_size=2)
    fields = st.fixed_dictionaries({"a": st.none() | values, "b": st.none() | SMALL})
    return [
        (pa.list_(kind), items),
        (pa.large_list(kind), items),
        (pa.list_(kind, 2), pair),
        (pa.struct([("a", kind), ("b", pa.int16())]), fields),
        (pa.list_(pa.struct([("a", kind), ("b", pa.int16())])), st.lists(st.none() | fields, max_size=3)),
    ]


ALL = [*PLAIN, *[made for inner in PLAIN for made in nested(inner)]]


@given(st.data())
def test_every_layout_reads_as_pyarrow_reads_it_however_it_is_sliced(data: st.DataObject) -> None:
    kind, values = data.draw(st.sampled_from(ALL))
    rows = data.draw(st.lists(st.none() | values, max_size=20))
    array = pa.array(rows, kind)
    start = data.draw(st.integers(0, len(rows)))
    sliced = array.slice(start, data.draw(st.integers(0, len(rows) - start)))
    assert arrow.to_pylist(sliced) == sliced.to_pylist()
    table = pa.record_batch({"x": array, "y": array}).slice(start)
    assert arrow.to_pylist(table) == table.to_pylist()


@given(st.lists(st.none() | WORDS, min_size=1, max_size=20), st.integers(0, 20))
def test_dictionary_columns_read_through_however_they_are_sliced(rows: list[str | None], start: int) -> None:
    for index in (pa.int8(), pa.uint16(), pa.int32(), pa.int64()):
        array = (
            pa.array(rows)
            .dictionary_encode()
            .cast(pa.dictionary(index, pa.utf8()))
            .slice(min(start, len(rows)))
        )
        assert arrow.to_pylist(array) == array.to_pylist()


def test_a_dictionary_with_a_null_entry_gives_null_rows() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), pa.array(["a", None]))
    assert arrow.to_pylist(array) == ["a", None, None, "a"]


def test_maps_read_as_lists_of_their_entries() -> None:
    array = pa.array([[("a", 1), ("b", None)], None, []], pa.map_(pa.utf8(), pa.int8()))
    assert arrow.to_pylist(array) == [[{"key": "a", "value": 1}, {"key": "b", "value": None}], None, []]


@given(st.lists(st.none() | st.decimals(-(10**30), 10**30, places=4), max_size=8))
def test_decimals_read_unscaled(rows: list[Decimal | None]) -> None:
    exact = Context(prec=60)
    expected = [None if row is None else int(row.scaleb(4, exact)) for row in rows]
    assert arrow.to_pylist(pa.array(rows, pa.decimal128(38, 4))) == expected


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (pa.date32(), dt.date(1970, 1, 3), 2),
        (pa.date64(), dt.date(1970, 1, 3), 2 * 86_400_000),
        (pa.time32("s"), dt.time(0, 1, 2), 62),
        (pa.time32("ms"), dt.time(0, 0, 2), 2000),
        (pa.time64("us"), dt.time(0, 0, 2), 2_000_000),
        (pa.time64("ns"), dt.time(0, 0, 2), 2_000_000_000),
        (pa.timestamp("s"), dt.datetime(1969, 12, 31, 23, 59), -60),
        (pa.timestamp("us", "Europe/Berlin"), dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 0),
        (pa.timestamp("ns"), dt.datetime(1970, 1, 1, 0, 0, 1), 1_000_000_000),
        (pa.duration("ms"), dt.timedelta(seconds=-1), -1000),
    ],
)
def test_dates_and_times_read_as_stored(kind: pa.DataType, value: object, stored: int) -> None:
    assert arrow.to_pylist(pa.array([value, None], kind)) == [stored, None]


def test_the_largest_unsigned_integer_is_kept() -> None:
    assert arrow.to_pylist(pa.array([2**64 - 1], pa.uint64())) == [2**64 - 1]


def test_what_polars_exports_is_read() -> None:
    frame = pl.DataFrame(
        {
            "text": ["short", None, "longer than twelve bytes"],
            "category": pl.Series(["a", None, "a"], dtype=pl.Categorical),
            "level": pl.Series(["low", "high", None], dtype=pl.Enum(["low", "high"])),
            "list": [[1], None, [2, 3]],
            "fixed": pl.Series([[1, 2], None, [3, 4]], dtype=pl.Array(pl.Int8, 2)),
            "struct": [{"a": "x"}, None, {"a": None}],
            "flag": [True, None, False],
        }
    )
    for piece in (frame, frame[1:], frame[2:]):
        table = piece.to_arrow(compat_level=pl.CompatLevel.newest())
        assert arrow.to_pylist(table.combine_chunks().to_batches()[0]) == piece.to_dicts()


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (pa.array(np.array([1.0], np.float16)), "half float"),
        (pa.array([[1]], pa.list_view(pa.int8())), "list view"),
        (pa.array([Decimal(1)], pa.decimal256(40, 1)), "decimal of another width"),
        (pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array([7])), "run-end encoded"),
    ],
)
def test_a_format_that_is_not_read_is_named_when_it_is_read(array: pa.Array, name: str) -> None:
    batch = pa.record_batch({"unread": array})
    with pytest.raises(SourceError, match=f"column 'unread' is {name}") as caught:
        arrow.to_pylist(batch)
    assert caught.value.code == "arrow_format"


def test_an_object_without_arrow_is_refused() -> None:
    with pytest.raises(SourceError, match="expected an object with __arrow_c_array__, found list") as caught:
        arrow.to_pylist([1, 2])
    assert caught.value.code == "source_unreadable"


def test_a_capsule_is_consumed_once() -> None:
    class Stale:
        def __init__(self) -> None:
            self.capsules = pa.array([1]).__arrow_c_array__()

        def __arrow_c_array__(self, requested_schema: object = None) -> object:
            return self.capsules

    stale = Stale()
    assert arrow.to_pylist(stale) == [1]
    with pytest.raises(SourceError, match="consumed before") as caught:
        arrow.to_pylist(stale)
    assert caught.value.code == "arrow_malformed"


def test_what_is_no_capsule_is_refused() -> None:
    class Wrong:
        def __arrow_c_array__(self, requested_schema: object = None) -> object:
            return (1, 2)

    with pytest.raises(SourceError, match="expected a capsule named arrow_schema, found int"):
        arrow.to_pylist(Wrong())
