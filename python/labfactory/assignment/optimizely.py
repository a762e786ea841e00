"""Optimizely's bucketing: MurmurHash3 into 10,000 buckets, and traffic by the end of ranges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import pyarrow as pa

from labfactory.assignment.bucketing import Bucketing, Range, Salting, check_coverage, check_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Optimizely(Bucketing):
    """Optimizely's bucketing: integers from 0 to 9,999.

    `floor(murmur3_32(key + entity, seed 1) / 2^32 * 10000)`.

    Args:
        entity: Id of the experiment; or of the group, to choose among its experiments.

    References:
        Optimizely Feature Experimentation SDKs, `bucketer`; their tests share the vectors.

    Example:
        >>> import pyarrow as pa
        >>> Optimizely("1886780721").buckets(pa.array(["ppid1", "ppid2"])).to_pylist()
        [5254, 4299]
    """

    entity: str

    def salting(self) -> Salting:
        """MurmurHash3 with seed 1 of the key followed by the entity's id."""
        return Salting("murmur3_32", suffix=self.entity, seed=1, scale="share", count=_BUCKETS)

    def buckets(self, keys: pa.Array, *, threads: int = 1) -> pa.Int64Array:
        """The bucket of each key, from 0 to 9,999; null where the key is null."""
        return Bucketing.buckets(self, keys, threads=threads).cast(pa.int64())

    def ranges(self, weights: Sequence[float], coverage: float = 1.0) -> tuple[Range, ...]:
        """The buckets of each arm, whole ones: bounds are rounded to ten-thousandths."""
        check_weights(weights)
        check_coverage(coverage)
        ends = [round(_BUCKETS * end) for end in accumulate(weights)]
        starts = [0, *ends[:-1]]
        return tuple(
            Range(start, start + round(coverage * (end - start)))
            for start, end in zip(starts, ends, strict=True)
        )

    def allocate(self, keys: pa.Array, ends: Sequence[int], *, threads: int = 1) -> pa.Int32Array:
        """The traffic allocation of each key: the first whose `endOfRange` is above its bucket.

        Args:
            keys: As `key_texts` takes them.
            ends: `endOfRange` of each allocation, in the order of the data file; one whose entity is empty is
                a range of customers who take no part.
            threads: Most threads to use.

        Returns:
            Positions in `ends`; null beyond the last one, and where the key is null.

        Example:
            >>> Optimizely("1886780721").allocate(pa.array(["ppid1", "ppid2"]), [5000]).to_pylist()
            [None, 0]
        """
        return self.arms_in(keys, [(-math.inf, end) for end in ends], threads=threads)
