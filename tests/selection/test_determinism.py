"""The same decisions by any cut into batches, order of rows, number of threads and instruction set."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from labfactory._core import base
from labfactory.selection import Exploration, SelectionPolicy, Selector, SlotPolicy

ROWS = 9_001
NAMES = [f"block{number}" for number in range(7)]


class Block:
    def __init__(self, name: str, eligible: str | None = None) -> None:
        self.name, self.eligible = name, eligible


def customers() -> pa.RecordBatch:
    random = np.random.default_rng(5)
    spend = random.normal(size=ROWS)
    return pa.record_batch(
        {
            "key": [f"customer-{number}" for number in range(ROWS)],
            "age": pa.array(random.integers(0, 90, ROWS), mask=random.random(ROWS) < 0.02),
            "spend": pa.array(np.where(random.random(ROWS) < 0.02, np.nan, spend)),
            "segment": random.integers(0, 4, ROWS),
        }
    )


def selector(exploration: Exploration, version: str = "1") -> Selector:
    random = np.random.default_rng(6)
    slot = SlotPolicy.build(
        components=NAMES,
        features={"age": "age / 10", "spend": "spend"},
        weights=random.normal(size=(7, 2)),
        bias=random.normal(size=7),
        kind="logistic",
        score="probability",
        exploration=exploration,
    )
    blocks = [Block(name, f"segment != {number}") for number, name in enumerate(NAMES)]
    policy = SelectionPolicy.build(version, hero=slot, footer=slot)
    return policy.bind({"hero": blocks, "footer": blocks}, customers().schema)


EXPLORATIONS = [
    Exploration(),
    Exploration(mode="epsilon", epsilon=0.3),
    Exploration(mode="softmax", temperature=0.05, floor=0.01),
]


def rows_of(decided: pa.RecordBatch) -> list[dict[str, object]]:
    return decided.to_pylist()


@pytest.mark.parametrize("exploration", EXPLORATIONS, ids=lambda e: e.mode)
def test_decisions_do_not_depend_on_threads_levels_batches_or_order(exploration):
    batch, bound = customers(), selector(exploration)
    whole = bound.decide(batch, keys=batch["key"], seed=11)
    expected = rows_of(whole)
    for name in ("baseline", "avx2", "avx512"):
        base.limit_dispatch(name)
        for threads in (1, 2, 5):
            assert bound.decide(batch, keys=batch["key"], seed=11, threads=threads).equals(whole)
    pieces = []
    for first in range(0, ROWS, 1_237):
        piece = batch.slice(first, 1_237)
        pieces += rows_of(bound.decide(piece, keys=piece["key"], seed=11))
    assert pieces == expected
    order = np.random.default_rng(1).permutation(ROWS)
    shuffled = batch.take(pa.array(order))
    assert rows_of(bound.decide(shuffled, keys=shuffled["key"], seed=11)) == [expected[at] for at in order]


@given(first=st.integers(0, ROWS), rows=st.integers(0, 200))
def test_a_slice_decides_as_its_rows_do_in_the_whole(first, rows):
    batch, bound = customers(), selector(EXPLORATIONS[1])
    piece = batch.slice(first, rows)
    whole = bound.decide(
        batch.slice(0, min(ROWS, first + rows)), keys=batch["key"].slice(0, first + rows), seed=2
    )
    assert rows_of(bound.decide(piece, keys=piece["key"], seed=2)) == rows_of(whole)[first:]


def test_seed_version_and_slot_each_change_the_draws():
    batch = customers()
    explored = EXPLORATIONS[1]
    first = selector(explored).decide(batch, keys=batch["key"], seed=1)
    assert first.column("hero") != first.column("footer")
    assert first != selector(explored).decide(batch, keys=batch["key"], seed=2)
    assert first != selector(explored, version="2").decide(batch, keys=batch["key"], seed=1)


def philox4x32(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 from the paper, over Python's integers."""
    for _ in range(10):
        first, second = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [
            (second >> 32) ^ counter[1] ^ key[0],
            second & 0xFFFFFFFF,
            (first >> 32) ^ counter[3] ^ key[1],
            first & 0xFFFFFFFF,
        ]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 7, 2**64 - 1])
def test_draws_are_those_that_the_design_defines(seed):
    customer_keys = pa.array([*range(50), *range(10**12, 10**12 + 50)])
    policy = SelectionPolicy.build("spring-3", hero=SlotPolicy(exploration=Exploration(mode="uniform")))
    batch = pa.record_batch({"age": np.zeros(100)})
    bound = policy.bind({"hero": [Block(name) for name in NAMES]}, batch.schema)
    decided = bound.decide(batch, keys=customer_keys, seed=seed).column("hero")

    version = xxhash.xxh64_intdigest(b"spring-3", seed=seed >> 32) & 0xFFFFFFFF
    purpose = xxhash.xxh64_intdigest(b"hero/choice") & 0xFFFFFFFF
    expected = []
    for key in customer_keys.to_pylist():
        customer = xxhash.xxh64_intdigest(str(key).encode())
        counter = [customer & 0xFFFFFFFF, customer >> 32, purpose, 0]
        low, high, *_ = philox4x32(counter, [seed & 0xFFFFFFFF, version])
        expected.append(int(((high << 32 | low) >> 11) / 2**53 * 7))
    assert decided.field("index").to_pylist() == expected
