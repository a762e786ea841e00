"""Statsig's bucketing: the first 8 bytes of SHA-256, modulo 10,000."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from labfactory.assignment.bucketing import Bucketing, Range, Salting, check_coverage, check_weights
from labfactory.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Statsig(Bucketing):
    """Statsig's bucketing: integers below `count`.

    The first 8 bytes of SHA-256 of `salt.key`, the first one highest, modulo `count`.

    Args:
        salt: For a rule's pass percentage `<config salt>.<rule salt>`; for a user bucket that of the
            condition.
        count: 10,000 for pass percentages, 1,000 for user buckets.

    Raises:
        UsageError: `bucketing`, when there is no bucket.

    References:
        Statsig server SDKs, `evaluator.py`.

    Example:
        >>> import pyarrow as pa
        >>> Statsig("config.rule").passes(pa.array(["a", "b", "c"]), 50.0).to_pylist()
        [False, False, False]
    """

    salt: str
    count: int = 10_000

    def __post_init__(self) -> None:
        if not 1 <= self.count < 2**32:
            message = f"expected from 1 to 2^32 - 1 buckets, found {self.count}"
            raise UsageError(message, code="bucketing")

    def salting(self) -> Salting:
        """SHA-256 of salt and key."""
        return Salting("sha256_64", prefix=f"{self.salt}.", scale="remainder", count=self.count)

    def buckets(self, keys: pa.Array, *, threads: int = 1) -> pa.Int64Array:
        """The bucket of each key, from 0 on; null where the key is null."""
        return Bucketing.buckets(self, keys, threads=threads).cast(pa.int64())

    def ranges(self, weights: Sequence[float], coverage: float = 1.0) -> tuple[Range, ...]:
        """The buckets of each arm, whole ones."""
        check_weights(weights)
        check_coverage(coverage)
        ends = [round(self.count * end) for end in accumulate(weights)]
        starts = [0, *ends[:-1]]
        return tuple(
            Range(start, start + round(coverage * (end - start)))
            for start, end in zip(starts, ends, strict=True)
        )

    def passes(self, keys: pa.Array, percentage: float) -> pa.BooleanArray:
        """Whether each key passes a rule of this pass percentage, of 100; null where the key is null."""
        return pc.less(self.buckets(keys), percentage * 100)
