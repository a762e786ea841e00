"""Values keep what they say when their layout changes."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.columns import cast_values, plain_type

TEXTS = ["a", None, "longer than twelve bytes"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(TEXTS),
        pa.array(TEXTS, pa.string_view()),
        pa.array(TEXTS).dictionary_encode(),
        pa.table(pl.DataFrame({"c": pl.Series(TEXTS, dtype=pl.Categorical)}))["c"],
        pa.table(pl.DataFrame({"c": pl.Series(TEXTS, dtype=pl.Enum(["a", "longer than twelve bytes"]))}))[
            "c"
        ],
    ],
    ids=["plain", "view", "dictionary", "category", "enumeration"],
)
def test_text_of_every_layout_becomes_plain_text(values):
    plain = cast_values(values, pa.string())
    assert plain.type == pa.string()
    assert plain.to_pylist() == TEXTS
    assert cast_values(values.slice(1), pa.string()).to_pylist() == TEXTS[1:]


def test_views_inside_lists_and_structs_are_replaced():
    kind = pa.list_(pa.struct({"a": pa.string_view(), "b": pa.dictionary(pa.int8(), pa.string_view())}))
    decoded = pa.list_(pa.struct({"a": pa.string(), "b": pa.string()}))
    assert plain_type(kind, decoded=True) == decoded
    encoded = pa.list_(pa.struct({"a": pa.string(), "b": pa.dictionary(pa.int8(), pa.string())}))
    assert plain_type(kind, decoded=False) == encoded
