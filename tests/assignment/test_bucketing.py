"""Hashes, buckets and arms; xxhash, hashlib and scipy are the oracles."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from labfactory.assignment import (
    Bucketing,
    GrowthBook,
    LaunchDarkly,
    Native,
    Optimizely,
    PlanOut,
    Statsig,
    Unleash,
    bucketing_named,
    key_texts,
)
from labfactory.base.errors import SourceError, UsageError

EVERY = (
    Native("x", 3),
    GrowthBook("x", version=1),
    GrowthBook("x", version=2),
    Optimizely("x"),
    Unleash("x"),
    LaunchDarkly("x", salt="s"),
    PlanOut("x", "p"),
    Statsig("x"),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)


def expected_bucket(key: str, experiment: str, seed: int) -> float:
    salt = xxhash.xxh64_intdigest(experiment.encode(), seed)
    inner = xxhash.xxh64_intdigest(key.encode()).to_bytes(8, "little")
    return float((xxhash.xxh64_intdigest(inner, salt) >> 11) / 2**53)


def fnv_of_javascript(text: str) -> int:
    state = 0x811C9DC5
    units = text.encode("utf-16-le", "surrogatepass")
    for low, high in zip(units[::2], units[1::2], strict=True):
        state = ((state ^ (low | high << 8)) * 0x01000193) & 0xFFFFFFFF
    return state


@given(st.lists(TEXTS), st.text(st.characters(codec="utf-8"), max_size=20), st.integers(0, 2**64 - 1))
def test_our_bucket_is_the_published_formula(keys: list[str], experiment: str, seed: int) -> None:
    made = Native(experiment, seed).buckets(pa.array(keys, pa.string())).to_pylist()
    assert made == [expected_bucket(key, experiment, seed) for key in keys]


def test_our_buckets_never_change() -> None:
    """Frozen: another value here would move every customer of a running experiment to another arm."""
    made = Native("welcome-tone", 7).buckets(pa.array(["7", "Ann", "名前"])).to_pylist()
    assert made == [0.0008166903737657494, 0.4973867448863182, 0.19951912592158771]


@given(st.lists(TEXTS), TEXTS)
def test_fnv_reads_utf16_code_units_whatever_its_neighbours_are(keys: list[str], seed: str) -> None:
    hashes = GrowthBook(seed, version=1).hashes(pa.array(keys, pa.string())).to_pylist()
    assert hashes == [fnv_of_javascript(key + seed) for key in keys]
    hashes = GrowthBook(seed, version=2).hashes(pa.array(keys, pa.string())).to_pylist()
    assert hashes == [fnv_of_javascript(str(fnv_of_javascript(seed + key))) for key in keys]


def murmur3(data: bytes, seed: int) -> int:
    """A. Appleby, MurmurHash3_x86_32, word by word."""

    def turn(word: int, bits: int) -> int:
        word &= 0xFFFFFFFF
        return (word << bits | word >> (32 - bits)) & 0xFFFFFFFF

    state, whole = seed, len(data) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little")
        state ^= turn(word * 0xCC9E2D51, 15) * 0x1B873593 & 0xFFFFFFFF
        state = (turn(state, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    state ^= turn(int.from_bytes(data[whole:], "little") * 0xCC9E2D51, 15) * 0x1B873593 & 0xFFFFFFFF
    state ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state = (state ^ state >> shift) * factor & 0xFFFFFFFF
    return state ^ state >> 16


@given(st.lists(TEXTS), TEXTS)
def test_murmur_reads_utf8_whatever_its_neighbours_are(keys: list[str], salt: str) -> None:
    texts = pa.array(keys, pa.string())
    assert Optimizely(salt).hashes(texts).to_pylist() == [murmur3((key + salt).encode(), 1) for key in keys]
    assert Unleash(salt).hashes(texts).to_pylist() == [murmur3(f"{salt}:{key}".encode(), 0) for key in keys]


@pytest.mark.parametrize("layout", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("salt", ["welcome", "s" * 250, "s" * 300])
def test_keys_of_every_length_hash_as_each_alone(salt: str, layout: pa.DataType) -> None:
    """Short keys go through kernels side by side, those that do not fit alone."""
    texts = [("k\u00e4" if size % 37 == 0 else "k") * size for size in range(300)]
    keys = pa.array(texts, layout)
    for start in (0, 1, 5):
        part, known = keys.slice(start), texts[start:]
        v1, v2 = GrowthBook(salt, version=1), GrowthBook(salt)
        assert v1.hashes(part).to_pylist() == [fnv_of_javascript(key + salt) for key in known]
        inner = [fnv_of_javascript(salt + key) for key in known]
        assert v2.hashes(part).to_pylist() == [fnv_of_javascript(str(one)) for one in inner]
        found = Optimizely(salt).hashes(part).to_pylist()
        assert found == [murmur3((key + salt).encode(), 1) for key in known]
    assert (
        Optimizely(salt)
        .hashes(keys)
        .equals(Optimizely(salt).hashes(keys.cast(pa.string()).dictionary_encode()))
    )


@given(st.lists(TEXTS), TEXTS)
def test_sha_is_that_of_hashlib_at_every_length(keys: list[str], salt: str) -> None:
    units = pa.array(keys, pa.string())
    texts = [f"{salt}.{key}".encode() for key in keys]
    found = PlanOut(full_salt=salt).hashes(units).to_pylist()
    assert found == [int(hashlib.sha1(text).hexdigest()[:15], 16) for text in texts]
    found = Statsig(salt).hashes(units).to_pylist()
    assert found == [int.from_bytes(hashlib.sha256(text).digest()[:8], "big") for text in texts]


@pytest.mark.parametrize("malformed", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80", b"\xc0\xaf"])
def test_bytes_that_are_no_text_have_a_hash_too(malformed: bytes) -> None:
    hashes = GrowthBook("s").hashes(pa.array([malformed, malformed, b"plain", None]))
    assert hashes[0] == hashes[1]
    assert hashes[2] == GrowthBook("s").hashes(pa.array(["plain"]))[0]
    assert hashes[3].as_py() is None


@pytest.mark.parametrize("bucketing", EVERY, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize(
    "layout",
    [
        pa.int8(),
        pa.int64(),
        pa.uint64(),
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.binary_view(),
        pa.decimal128(9, 0),
    ],
    ids=str,
)
def test_a_key_falls_alike_whatever_its_type(bucketing: Bucketing, layout: pa.DataType) -> None:
    texts = pa.array(["3", "7", None, "120"])
    if pa.types.is_decimal(layout):
        keys = pa.array([3, 7, None, 120], layout)
    elif pa.types.is_integer(layout):
        keys = pa.array([3, 7, None, 120]).cast(layout)
    else:
        is_binary = pa.types.is_binary(layout) or pa.types.is_binary_view(layout)
        keys = pa.array(
            [t and t.encode() for t in texts.to_pylist()] if is_binary else texts.to_pylist(), layout
        )
    expected = bucketing.buckets(texts)
    assert bucketing.buckets(keys).equals(expected)
    assert bucketing.buckets(keys.slice(1, 2)).equals(expected.slice(1, 2))
    if layout not in (pa.binary_view(), pa.string_view()):
        assert bucketing.buckets(keys.dictionary_encode()).equals(expected)


@pytest.mark.parametrize("bucketing", EVERY, ids=lambda one: type(one).__name__)
def test_threads_and_slices_change_nothing(bucketing: Bucketing) -> None:
    keys = pa.array([None if i % 11 == 0 else f"customer-{i}" + "é" * (i % 3) for i in range(9_001)])
    whole = bucketing.hashes(keys)
    assert bucketing.hashes(keys, threads=2).equals(whole)
    assert pa.concat_arrays([bucketing.hashes(keys.slice(i, 7)) for i in range(0, 9_001, 7)]).equals(whole)


def test_keys_of_other_types_are_known_by_their_iso_text() -> None:
    day = dt.datetime(2026, 2, 3, 4, 5, 6, 7)
    one = uuid.UUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")
    cases = [
        (pa.array([day.date(), None]), "2026-02-03"),
        (pa.array([day.date(), None], pa.date64()), "2026-02-03"),
        (pa.array([day, None], pa.timestamp("ns")), "2026-02-03 04:05:06.000007"),
        (pa.array([day, None], pa.timestamp("us", "Europe/Berlin")), "2026-02-03 04:05:06.000007Z"),
        (pa.array([Decimal("0.0000001"), None], pa.decimal128(9, 7)), "0.0000001"),
        (pa.array([one.bytes, None], pa.uuid()), str(one)),
        (pa.array([one.bytes, one.bytes, None], pa.uuid()).slice(1), str(one)),
        (pa.array([day.date(), None]).dictionary_encode(), "2026-02-03"),
    ]
    for keys, text in cases:
        assert key_texts(keys).to_pylist() == [text, None]
        assert Native("x").buckets(keys).to_pylist() == [
            *Native("x").buckets(pa.array([text])).to_pylist(),
            None,
        ]
    assert key_texts(pa.array([], pa.uuid())).to_pylist() == []


def test_keys_that_are_all_null_have_no_bucket() -> None:
    for keys in (
        pa.nulls(2),
        pa.nulls(2).dictionary_encode(),
        pa.nulls(2, pa.string()),
        pa.nulls(2, pa.uuid()),
    ):
        assert Native("x").buckets(keys).to_pylist() == [None, None]
        assert Unleash("x").arms(keys, weights=[1.0]).to_pylist() == [None, None]


@pytest.mark.parametrize(
    "keys",
    [
        pa.array([[1]]),
        pa.array([{"a": 1}]),
        pa.array([dt.timedelta(1)]),
        pa.array([1], pa.timestamp("ns")),
        pa.array([1], pa.time64("ns")),
    ],
    ids=lambda keys: str(keys.type),
)
def test_keys_without_a_text_are_refused(keys: pa.Array) -> None:
    with pytest.raises(SourceError) as caught:
        Native("w").buckets(keys)
    assert caught.value.code == "key_type"


@pytest.mark.parametrize("bucketing", EVERY, ids=lambda one: type(one).__name__)
def test_arms_follow_unequal_weights_and_skip_weight_zero(bucketing: Bucketing) -> None:
    keys = pa.array(np.arange(1, 60_001))
    arms = bucketing.arms(keys, weights=[0.1, 0.0, 0.65, 0.25])
    counts = np.bincount(arms.to_numpy(), minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], [6_000, 39_000, 15_000]).pvalue > 0.001


def test_buckets_are_uniform_and_other_salts_independent() -> None:
    keys = pa.array(np.arange(100_000))
    first = Native("tone", 3).buckets(keys).to_numpy()
    assert stats.kstest(first, "uniform").pvalue > 0.001
    for other in (Native("tone", 4), Native("tone-2", 3)):
        table = np.histogram2d(first, other.buckets(keys).to_numpy(), bins=4)[0]
        assert stats.chi2_contingency(table).pvalue > 0.001


@pytest.mark.parametrize(
    "bucketing", [one for one in EVERY if not isinstance(one, PlanOut)], ids=lambda one: type(one).__name__
)
@settings(max_examples=30)
@given(
    weights=st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any),
    steps=st.lists(st.floats(0, 1), max_size=4),
)
def test_raising_coverage_moves_nobody_who_is_in(
    bucketing: Bucketing, weights: list[int], steps: list[float]
) -> None:
    keys = pa.array(np.arange(1, 500))
    shares = [weight / sum(weights) for weight in weights]
    before = bucketing.arms(keys, weights=shares, coverage=0.0)
    assert before.null_count == len(keys)
    for coverage in sorted({*steps, 1.0}):
        after = bucketing.arms(keys, weights=shares, coverage=coverage)
        was_in = before.is_valid()
        assert after.filter(was_in).equals(before.filter(was_in))
        before = after
    assert before.null_count <= (1 if isinstance(bucketing, GrowthBook) else 0)


def test_more_weight_for_the_last_arms_moves_nobody_between_the_others() -> None:
    keys = pa.array(np.arange(20_000))
    before = Native("w", 1).arms(keys, weights=[0.5, 0.5, 0.0]).to_numpy()
    after = Native("w", 1).arms(keys, weights=[0.5, 0.3, 0.2]).to_numpy()
    moved = before != after
    assert set(before[moved]) == {1}
    assert set(after[moved]) == {2}


@pytest.mark.parametrize("weights", [[], [0.5, 0.4], [1.5, -0.5], [float("nan"), 1.0], [float("inf"), 0.5]])
def test_weights_that_are_no_shares_are_refused(weights: list[float]) -> None:
    for bucketing in EVERY:
        with pytest.raises(UsageError, match="expected weights") as caught:
            bucketing.arms(pa.array([1]), weights=weights)
        assert caught.value.code == "weights"


@pytest.mark.parametrize("coverage", [-0.1, 1.1, float("nan")])
def test_a_coverage_that_is_no_share_is_refused(coverage: float) -> None:
    for bucketing in EVERY:
        with pytest.raises(UsageError, match="expected a coverage") as caught:
            bucketing.arms(pa.array([1]), weights=[1.0], coverage=coverage)
        assert caught.value.code == "coverage"


def test_planout_has_no_coverage() -> None:
    with pytest.raises(UsageError, match="coverage of 1 with PlanOut"):
        PlanOut("x", "y").arms(pa.array([1]), weights=[1.0], coverage=0.5)


def test_bucketings_that_cannot_be_are_refused() -> None:
    wrong = (
        lambda: GrowthBook("x", version=99),  # type: ignore[arg-type]
        lambda: LaunchDarkly("flag"),
        lambda: Unleash("group", normalizer=0),
        lambda: Statsig("salt", count=0),
        lambda: PlanOut("x", "y").sample(pa.array([1]), 2, 3),
        lambda: bucketing_named("growthbook_v3", experiment="x"),
    )
    for make in wrong:
        with pytest.raises(UsageError) as caught:
            make()
        assert caught.value.code == "bucketing"


def test_standards_go_by_name() -> None:
    assert bucketing_named("labfactory", experiment="x", seed=1) == Native("x", 1)
    assert bucketing_named("growthbook_v1", experiment="x") == GrowthBook("x", version=1)
    assert bucketing_named("optimizely", experiment="x") == Optimizely("x")
    assert bucketing_named("launchdarkly", experiment="x", seed=3) == LaunchDarkly("x", seed=3)
    for name, seed in (("labfactory", None), ("launchdarkly", None), ("unleash", 3)):
        with pytest.raises(UsageError) as caught:
            bucketing_named(name, experiment="x", seed=seed)
        assert caught.value.code == "seed"
