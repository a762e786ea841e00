"""Hashes are frozen: another implementation of XXH64 agrees, and a key hashes as its text."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import base
from labfactory.base.errors import SourceError, UsageError

LONG = 2**64 - 1


def digest(text: str) -> int:
    """What the xxhash package makes of a text."""
    return xxhash.xxh64_intdigest(text.encode())


def hashed(keys: pa.Array) -> list[int | None]:
    """Hashes of an array, as Python numbers."""
    return pa.array(base.hash_keys(keys)).to_pylist()


@given(st.binary(max_size=300), st.integers(0, LONG))
def test_hash64_agrees_with_the_xxhash_package(data: bytes, seed: int) -> None:
    assert base.hash64(data, seed) == xxhash.xxh64_intdigest(data, seed)


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_an_integer_hashes_as_its_digits(keys: list[int | None]) -> None:
    expected = [None if k is None else digest(str(k)) for k in keys]
    assert hashed(pa.array(keys, pa.int64())) == expected


@given(st.lists(st.none() | st.text()), st.integers(0, 3))
def test_a_text_hashes_the_same_in_every_layout(keys: list[str | None], start: int) -> None:
    expected = [None if k is None else digest(k) for k in keys][start:]
    plain = pa.array(keys, pa.utf8())
    for array in (
        plain,
        plain.cast(pa.large_utf8()),
        pa.array(keys, pa.string_view()),
        plain.dictionary_encode(),
    ):
        assert hashed(array.slice(min(start, len(keys)))) == expected


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.uint64()]
)
def test_the_width_of_an_integer_does_not_matter(kind: pa.DataType) -> None:
    assert hashed(pa.array([7, None], kind)) == [digest("7"), None]


def test_the_largest_unsigned_key_hashes_as_its_digits() -> None:
    assert hashed(pa.array([LONG], pa.uint64())) == [digest(str(LONG))]


def test_a_dictionary_larger_than_its_rows_hashes_the_same() -> None:
    keys = pa.array([str(i) for i in range(100)]).dictionary_encode()[50:53]
    assert hashed(keys) == [digest(str(i)) for i in (50, 51, 52)]


def test_polars_keys_hash_as_arrow_keys() -> None:
    batch = pl.DataFrame({"key": ["a", None, "ü" * 20]}).to_arrow(compat_level=pl.CompatLevel.newest())
    expected = [digest("a"), None, digest("ü" * 20)]
    assert hashed(batch["key"].chunk(0)) == expected


@pytest.mark.parametrize("keys", [pa.array([1.5]), pa.array([True]), pa.array([[1]]), pa.array([b"x"])])
def test_a_key_that_is_neither_text_nor_integer_is_refused(keys: pa.Array) -> None:
    with pytest.raises(SourceError, match="expected keys of text or integers") as caught:
        base.hash_keys(keys)
    assert caught.value.code == "key_type"


def test_an_unknown_dispatch_level_is_refused() -> None:
    with pytest.raises(UsageError, match="found 'sse9'") as caught:
        base.limit_dispatch("sse9")
    assert caught.value.code == "dispatch_level"


def test_a_limit_lowers_the_dispatch_level_until_it_is_lifted() -> None:
    found = base.dispatch_level()
    base.limit_dispatch("baseline")
    assert base.dispatch_level() == "baseline"
    base.limit_dispatch("avx512")
    assert base.dispatch_level() == found
