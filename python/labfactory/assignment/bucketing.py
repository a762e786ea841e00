"""Bucketing: a hash of a customer's key under an experiment's salts, a bucket from it, an arm from that."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from labfactory._core import assign as core
from labfactory.assignment.keys import key_texts
from labfactory.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


class Range(NamedTuple):
    """Buckets from `lower` on and below `upper`.

    Attributes:
        lower: The first bucket.
        upper: The end, which is not inside.
    """

    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Salting:
    """What a standard hashes of a key, and the bucket that it makes of the hash.

    Args:
        hasher: The hash: `xxh64`, `fnv1a32`, `fnv1a32_of_digits`, `murmur3_32`, `sha1_60` or `sha256_64`.
        prefix: Text before the key.
        suffix: Text after it.
        seed: The hash's own seed, where it has one.
        scale: `fraction` of all hashes, `remainder` (hash modulo `count`, plus `offset`, over `divisor`), or
            `share` (the part of 2^32, times `count`, rounded down).
        count: Buckets.
        offset: Number of the first bucket.
        divisor: Divides the buckets of a remainder.
    """

    hasher: Literal["xxh64", "fnv1a32", "fnv1a32_of_digits", "murmur3_32", "sha1_60", "sha256_64"]
    prefix: str = ""
    suffix: str = ""
    seed: int = 0
    scale: Literal["fraction", "remainder", "share"] = "fraction"
    count: int = 1
    offset: float = 0.0
    divisor: float = 1.0


class Bucketing(ABC):
    """One way to place customers: the same key has the same hash, bucket and arm on every machine.

    A subclass says how keys are salted. Standards of other platforms keep those platforms' buckets and
    ranges, so that a web SDK and the Lab put a customer in the same arm.
    """

    @abstractmethod
    def salting(self) -> Salting:
        """How keys are hashed."""

    def ranges(self, weights: Sequence[float], coverage: float = 1.0) -> tuple[Range, ...]:
        """The buckets of each arm.

        Arms begin where the weights before them end, and take the share `coverage` of their weight from
        there: raising it moves nobody who is in.

        Args:
            weights: Share of each arm, 0 or more, summing to 1; an arm of weight 0 is never given.
            coverage: Share of customers that take part, from 0 to 1.

        Returns:
            A range for each weight, on the standard's own scale.

        Raises:
            UsageError: `weights` or `coverage`.
        """
        check_weights(weights)
        check_coverage(coverage)
        return side_by_side(weights, coverage)

    def hashes(self, keys: pa.Array, *, threads: int = 1) -> pa.UInt64Array:
        """The standard's raw hash of each key.

        Args:
            keys: As `key_texts` takes them.
            threads: Most threads to use.

        Returns:
            As long as `keys`; null where the key is null.

        Raises:
            SourceError: `key_type`.
        """
        return pa.array(self._core().hashes(self._texts(keys), threads))

    def buckets(self, keys: pa.Array, *, threads: int = 1) -> pa.Array:
        """The bucket of each key, on the standard's own scale.

        Args:
            keys: As `key_texts` takes them.
            threads: Most threads to use.

        Returns:
            As long as `keys`, floats or integers as the standard has them; null where the key is null.

        Raises:
            SourceError: `key_type`.
        """
        return pa.array(self._core().buckets(self._texts(keys), threads))

    def arms(
        self, keys: pa.Array, *, weights: Sequence[float], coverage: float = 1.0, threads: int = 1
    ) -> pa.Int32Array:
        """The arm of each key.

        Args:
            keys: As `key_texts` takes them.
            weights: Share of each arm, 0 or more, summing to 1.
            coverage: Share of customers that take part, from 0 to 1.
            threads: Most threads to use.

        Returns:
            Positions in `weights`, as long as `keys`; null where the key is null or takes no part.

        Raises:
            UsageError: `weights` or `coverage`.
            SourceError: `key_type`.
        """
        return self.arms_in(keys, self.ranges(weights, coverage), threads=threads)

    def arms_in(
        self, keys: pa.Array, ranges: Sequence[tuple[float, float]], *, threads: int = 1
    ) -> pa.Int32Array:
        """The first range that holds each key's bucket.

        Args:
            keys: As `key_texts` takes them.
            ranges: Half-open ranges on the standard's own scale.
            threads: Most threads to use.

        Returns:
            Positions in `ranges`, as long as `keys`; null where the key is null or in none.

        Raises:
            SourceError: `key_type`.
        """
        lower, upper = zip(*ranges, strict=True) if ranges else ((), ())
        made = self._core().arms(self._texts(keys), list(lower), list(upper), self._skips_falsy(), threads)
        return pa.array(made)

    def _texts(self, keys: pa.Array) -> pa.Array:
        """What is hashed of the keys."""
        return key_texts(keys)

    def _skips_falsy(self) -> bool:
        """Whether empty text and the integer 0 are taken for no key."""
        return False

    def _core(self) -> core.Bucketing:
        salting = self.salting()
        return core.Bucketing(
            hasher=salting.hasher,
            prefix=salting.prefix,
            suffix=salting.suffix,
            seed=salting.seed,
            scale=salting.scale,
            count=salting.count,
            offset=salting.offset,
            divisor=salting.divisor,
        )


@dataclass(frozen=True, slots=True)
class Native(Bucketing):
    """labfactory's own bucketing: 2^53 buckets in [0, 1), by XXH64.

    `salt = XXH64(experiment, seed)`; the bucket is the upper 53 bits of XXH64 of the 8 bytes of XXH64(key),
    low byte first, seeded with the salt. Other experiments and other seeds give independent buckets.

    Args:
        experiment: Name of the experiment.
        seed: From 0 to 2^64 - 1; another seed repeats the experiment with fresh assignment.

    Raises:
        UsageError: `seed`.

    Example:
        >>> import pyarrow as pa
        >>> tone = Native("tone", seed=1)
        >>> tone.buckets(pa.array([7, None])) == tone.buckets(pa.array(["7", None]))
        True
        >>> tone.arms(pa.array(["a", "b"]), weights=[0.0, 1.0]).to_pylist()
        [1, 1]
    """

    experiment: str
    seed: int = 0

    def __post_init__(self) -> None:
        if not (isinstance(self.seed, int) and 0 <= self.seed < 2**64):
            message = f"expected a seed from 0 to 2^64 - 1, found {self.seed}"
            raise UsageError(message, code="seed")

    def salting(self) -> Salting:
        """XXH64, salted with the experiment's name and the seed."""
        from labfactory._core import base

        return Salting("xxh64", seed=base.hash64(self.experiment.encode(), self.seed))


def side_by_side(weights: Sequence[float], coverage: float) -> tuple[Range, ...]:
    """Arms on [0, 1) in the order of their weights; when all take part the last that has weight ends open."""
    last = max((arm for arm, weight in enumerate(weights) if weight > 0), default=0)
    made: list[Range] = []
    start = 0.0
    for arm, weight in enumerate(weights):
        end = start + weight
        is_open = coverage == 1.0 and arm == last and weight > 0
        made.append(Range(start, math.inf if is_open else start + coverage * weight))
        start = end
    return tuple(made)


def first_range(buckets: pa.Array | Sequence[float], ranges: Sequence[tuple[float, float]]) -> pa.Int32Array:
    """The first half-open range that holds each bucket, as platforms choose a variation.

    Args:
        buckets: Buckets of any standard; null is in no range.
        ranges: Lower bounds, which are inside, and upper bounds, which are not.

    Returns:
        Positions in `ranges`; null where none holds the bucket.

    Example:
        >>> first_range([0.2, 0.3, 0.6], [(0, 0.25), (0.5, 0.75)]).to_pylist()
        [0, None, 1]
    """
    values = buckets if isinstance(buckets, pa.Array) else pa.array(buckets, pa.float64())
    points = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return _arms(arms_of(points, ranges))


def arms_of(points: npt.NDArray[np.float64], ranges: Sequence[tuple[float, float]]) -> npt.NDArray[np.int32]:
    """The first range that holds each point, or -1."""
    arms = np.full(len(points), -1, np.int32)
    for arm in reversed(range(len(ranges))):
        lower, upper = ranges[arm]
        arms[(points >= lower) & (points < upper)] = arm
    return arms


def _arms(arms: npt.NDArray[np.int32]) -> pa.Int32Array:
    return pa.array(arms, mask=arms < 0)


def check_weights(weights: Sequence[float]) -> None:
    """Refuse weights that are no shares.

    Raises:
        UsageError: `weights`.
    """
    # A billionth covers the rounding of weights such as 1/3 written out, and no mistake that a person makes.
    if not (weights and min(weights) >= 0 and abs(math.fsum(weights) - 1.0) <= 1e-9):
        found = ", ".join(map(str, weights)) or "none"
        message = f"expected weights of 0 or more, summing to 1, found {found}"
        raise UsageError(message, code="weights")


def check_coverage(coverage: float) -> None:
    """Refuse a coverage that is no share.

    Raises:
        UsageError: `coverage`.
    """
    if not 0.0 <= coverage <= 1.0:
        message = f"expected a coverage from 0 to 1, found {coverage}"
        raise UsageError(message, code="coverage")
