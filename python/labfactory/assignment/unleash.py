"""Unleash's bucketing: normalised MurmurHash3, one seed for gradual rollout and another for variants."""

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

# Unleash's `VARIANT_HASH_SEED`: one hash for rollout and variants would give the first customers one variant.
_VARIANT_SEED = 86_028_157
# Unleash weighs variants in thousandths.
_WHOLE_WEIGHT = 1000


@dataclass(frozen=True, slots=True)
class Unleash(Bucketing):
    """Unleash's bucketing: integers from 1 to `normalizer`.

    `murmur3_32("group:key", seed) % normalizer + 1`. A gradual rollout has seed 0 and normalizer 100; since
    2023 variants have seed 86028157 and as normalizer the sum of their weights. Stickiness is the choice of
    the key: for `default`, the first of user id and session id that is not null (`pyarrow.compute.coalesce`).

    Args:
        group: The strategy's `groupId`; for variants of a feature, the feature's name.
        normalizer: How many buckets there are.
        seed: The hash's seed.

    Raises:
        UsageError: `bucketing`, when there is no bucket.

    References:
        Unleash client specification, `08-variants.json`, `10-flexible-rollout-strategy.json`.

    Example:
        >>> import pyarrow as pa
        >>> Unleash("gr1").buckets(pa.array(["123"])).to_pylist()
        [73]
    """

    group: str
    normalizer: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.normalizer < 2**32:
            message = f"expected a normalizer from 1 to 2^32 - 1, found {self.normalizer}"
            raise UsageError(message, code="bucketing")

    def salting(self) -> Salting:
        """MurmurHash3 of the group, a colon and the key."""
        return Salting(
            "murmur3_32",
            prefix=f"{self.group}:",
            seed=self.seed,
            scale="remainder",
            count=self.normalizer,
            offset=1.0,
        )

    def buckets(self, keys: pa.Array, *, threads: int = 1) -> pa.Int64Array:
        """The normalised value of each key, from 1 on; null where the key is null."""
        return Bucketing.buckets(self, keys, threads=threads).cast(pa.int64())

    def ranges(self, weights: Sequence[float], coverage: float = 1.0) -> tuple[Range, ...]:
        """The buckets of each variant, in thousandths; coverage is the rollout's, by a hash of its own."""
        check_weights(weights)
        check_coverage(coverage)
        ends = [round(_WHOLE_WEIGHT * end) for end in accumulate(weights)]
        return tuple(Range(start + 1, end + 1) for start, end in zip([0, *ends[:-1]], ends, strict=True))

    def arms(
        self, keys: pa.Array, *, weights: Sequence[float], coverage: float = 1.0, threads: int = 1
    ) -> pa.Int32Array:
        """The variant of each key, of those whom a gradual rollout of `coverage` lets in."""
        arms = self._variants(_WHOLE_WEIGHT).arms_in(keys, self.ranges(weights, coverage), threads=threads)
        if coverage == 1.0:
            return arms
        return pc.if_else(self.rolled_out(keys, 100.0 * coverage), arms, pa.scalar(None, pa.int32()))

    def variants(self, keys: pa.Array, weights: Sequence[int], *, threads: int = 1) -> pa.Int32Array:
        """The variant of each key by Unleash's own whole weights.

        Args:
            keys: As `key_texts` takes them.
            weights: Weight of each variant, whole numbers whose sum is the normalizer.
            threads: Most threads to use.

        Returns:
            Positions in `weights`; null where the key is null, or all weights are 0.

        Example:
            >>> Unleash("Feature.Variants.D").variants(pa.array(["367", "31", "19"]), [1, 49, 50]).to_pylist()
            [2, 2, 1]
        """
        total = sum(weights)
        if total == 0:
            return pa.nulls(len(keys), pa.int32())
        ends = list(accumulate(weights))
        ranges = [(start + 1, end + 1) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        return self._variants(total).arms_in(keys, ranges, threads=threads)

    def rolled_out(self, keys: pa.Array, percentage: float) -> pa.BooleanArray:
        """Whether a gradual rollout to `percentage` of 100 includes each key; false for null."""
        rollout = Unleash(self.group, seed=self.seed).buckets(keys)
        return pc.coalesce(
            pc.less_equal(rollout, percentage if percentage > 0 else 0), pa.scalar(value=False)
        )

    def _variants(self, normalizer: int) -> Unleash:
        return Unleash(self.group, normalizer, _VARIANT_SEED)
