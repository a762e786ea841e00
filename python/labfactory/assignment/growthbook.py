"""GrowthBook's bucketing, versions 1 and 2, with its ranges, namespaces and filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from labfactory.assignment.bucketing import Bucketing, Range, Salting, check_coverage, check_weights
from labfactory.base.columns import value_type
from labfactory.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class GrowthBookFilter:
    """A part of GrowthBook's customers, by a hash of their own: what it now uses in place of namespaces.

    Args:
        seed: The filter's salt.
        ranges: Half-open ranges of [0, 1); customers in one of them stay.
        version: Hash version.
    """

    seed: str
    ranges: tuple[tuple[float, float], ...]
    version: Literal[1, 2] = 2

    def holds(self, keys: pa.Array, *, threads: int = 1) -> pa.BooleanArray:
        """Whether each key stays; false for null, for empty text and for the number 0."""
        return (
            GrowthBook(self.seed, version=self.version).arms_in(keys, self.ranges, threads=threads).is_valid()
        )


@dataclass(frozen=True, slots=True)
class GrowthBook(Bucketing):
    """GrowthBook's bucketing: buckets in [0, 1), by FNV-1a over UTF-16 code units.

    Version 1 has 1,000 buckets, `fnv1a32(key + seed) % 1000 / 1000`; version 2 has 10,000,
    `fnv1a32(text of fnv1a32(seed + key)) % 10000 / 10000`. As JavaScript has it, text is hashed by its UTF-16
    code units, and empty text, the number 0 and false are no keys: they have a bucket, and no arm.

    Args:
        seed: The experiment's `seed`, or its key where it has none.
        version: The experiment's `hashVersion`.
        namespace: Name, start and end of the experiment's namespace; it is left aside when there are filters.
        filters: The experiment's filters, all of which must hold.

    Raises:
        UsageError: `bucketing`, for another version.

    References:
        GrowthBook, "Build your own SDK", and `packages/sdk-js/test/cases.json` with its vectors.

    Example:
        >>> import pyarrow as pa
        >>> GrowthBook("seed", version=2).buckets(pa.array(["a", "b"])).to_pylist()
        [0.0505, 0.2696]
    """

    seed: str
    version: Literal[1, 2] = 2
    namespace: tuple[str, float, float] | None = None
    filters: tuple[GrowthBookFilter, ...] = ()

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            message = f"expected hash version 1 or 2 of GrowthBook, found {self.version}"
            raise UsageError(message, code="bucketing")

    def salting(self) -> Salting:
        """The hash version's salting."""
        if self.version == 1:
            return Salting("fnv1a32", suffix=self.seed, scale="remainder", count=1000, divisor=1000.0)
        return Salting("fnv1a32_of_digits", prefix=self.seed, scale="remainder", count=10000, divisor=10000.0)

    def ranges(self, weights: Sequence[float], coverage: float = 1.0) -> tuple[Range, ...]:
        """The buckets of each arm, in the arithmetic of GrowthBook's `getBucketRanges`."""
        check_weights(weights)
        check_coverage(coverage)
        return self.bucket_ranges(len(weights), coverage, weights)

    def arms_in(
        self, keys: pa.Array, ranges: Sequence[tuple[float, float]], *, threads: int = 1
    ) -> pa.Int32Array:
        """The first range that holds each key's bucket; null outside filters or namespace."""
        arms = Bucketing.arms_in(self, _truthy(keys), ranges, threads=threads)
        for test in self._tests():
            arms = pc.if_else(test.holds(keys, threads=threads), arms, pa.scalar(None, pa.int32()))
        return arms

    @staticmethod
    def in_namespace(keys: pa.Array, namespace: tuple[str, float, float]) -> pa.BooleanArray:
        """Whether each key lies in a namespace: its name, start and end.

        Example:
            >>> GrowthBook.in_namespace(pa.array(["2", "3"]), ("namespace2", 0, 0.4)).to_pylist()
            [False, True]
        """
        return _namespace(namespace).holds(keys)

    @staticmethod
    def bucket_ranges(
        variations: int, coverage: float = 1.0, weights: Sequence[float] | None = None
    ) -> tuple[Range, ...]:
        """GrowthBook's `getBucketRanges`, which mends what it is given.

        Args:
            variations: How many there are.
            coverage: Share that takes part; moved into 0 to 1.
            weights: Share of each variation; equal shares when None, of another length, or of a sum that is
                further than 0.01 from 1.

        Returns:
            A range for each variation.

        Example:
            >>> GrowthBook.bucket_ranges(2, 0.5)
            (Range(lower=0.0, upper=0.25), Range(lower=0.5, upper=0.75))
        """
        coverage = min(max(coverage, 0.0), 1.0)
        equal = [1.0 / variations] * variations if variations > 0 else []
        shares = list(weights) if weights is not None and len(weights) == variations else equal
        if not 0.99 <= sum(shares) <= 1.01:
            shares = equal
        made: list[Range] = []
        start = 0.0
        for share in shares:
            made.append(Range(start, start + coverage * share))
            start += share
        return tuple(made)

    def _tests(self) -> tuple[GrowthBookFilter, ...]:
        if self.filters or self.namespace is None:
            return self.filters
        return (_namespace(self.namespace),)

    def _skips_falsy(self) -> bool:
        return True


def _truthy(keys: pa.Array) -> pa.Array:
    """The keys without floats of 0 and false, no keys to JavaScript; those of other types the core knows."""
    kind = value_type(keys.type)
    if not (pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return keys
    plain = keys.dictionary_decode() if pa.types.is_dictionary(keys.type) else keys
    return pc.if_else(plain.cast(pa.float64()).cast(pa.bool_()), plain, pa.scalar(None, kind))


def _namespace(namespace: tuple[str, float, float]) -> GrowthBookFilter:
    name, start, end = namespace
    return GrowthBookFilter(f"__{name}", ((start, end),), version=1)
