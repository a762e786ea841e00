"""What a run counts stays small, whatever reasons templates make."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from labfactory.factory.summary import OTHER_REASONS, Tally


def shard(reasons: list[str | None]) -> tuple[Any, Any]:
    """Two batches of customers, those of each skipped for the same reasons, and what became of one."""
    nothing = pa.table({"stage": pa.array([], pa.string()), "code": pa.array([], pa.string())})
    assets = SimpleNamespace(
        made=nothing, size_bytes=0, quarantine=nothing, skipped=pa.array(reasons).dictionary_encode()
    )
    return SimpleNamespace(read=2 * len(reasons), quarantine=nothing), assets


def test_a_shard_counts_a_thousand_reasons_and_the_rest_as_one() -> None:
    tally = Tally()
    customers, assets = shard([f"out of {n}" for n in range(1_200)] + ["out of 7", None])
    tally.count(customers, [assets, assets])
    assert len(tally.skipped) == 1_001
    assert tally.skipped["out of 7"] == 4
    assert tally.skipped[OTHER_REASONS] == 402
    assert tally.balances
