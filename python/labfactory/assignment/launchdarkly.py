"""LaunchDarkly's bucketing: 60 bits of SHA-1 as a fraction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from labfactory.assignment.bucketing import Bucketing, Salting
from labfactory.base.columns import value_type
from labfactory.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

# LaunchDarkly weighs variations in hundred-thousandths.
_WHOLE_WEIGHT = 100_000.0


@dataclass(frozen=True, slots=True)
class LaunchDarkly(Bucketing):
    """LaunchDarkly's bucketing: fractions of SHA-1's first 15 hexadecimal digits.

    The text hashed is `flag.salt.key`, or `seed.key` for a rollout that has a seed; the bucket is the number
    over 0xFFFFFFFFFFFFFFF, in double precision (SDKs that keep it in single precision differ beyond the
    seventh digit). A secondary key, which old SDKs knew, is a part of the key: `key.secondary`. Booleans and
    floats that are not whole cannot be bucketed by there, and have no bucket here.

    Args:
        flag: Key of the flag.
        salt: Salt of the flag.
        seed: Seed of the rollout, which replaces flag and salt.

    Raises:
        UsageError: `bucketing`, when there is neither salt nor seed.

    References:
        LaunchDarkly SDK test harness, `server_side_eval_bucketing.go`.

    Example:
        >>> import pyarrow as pa
        >>> bucket = LaunchDarkly("hashKey", salt="saltyA").buckets(pa.array(["userKeyA"]))[0].as_py()
        >>> round(bucket, 8)
        0.42157587
    """

    flag: str
    salt: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.salt is None and self.seed is None:
            message = f"expected a salt or a seed for the flag {self.flag!r}, found neither"
            raise UsageError(message, code="bucketing", hint="LaunchDarkly shows both in the flag's JSON")

    def salting(self) -> Salting:
        """SHA-1 of flag, salt and key, or of seed and key."""
        prefix = f"{self.flag}.{self.salt}." if self.seed is None else f"{self.seed}."
        return Salting("sha1_60", prefix=prefix)

    def _texts(self, keys: pa.Array) -> pa.Array:
        texts = Bucketing._texts(self, keys)
        kind = value_type(keys.type)
        if pa.types.is_boolean(kind):
            return pa.nulls(len(keys), pa.string())
        if pa.types.is_floating(kind):
            plain = keys.dictionary_decode() if pa.types.is_dictionary(keys.type) else keys
            return pc.if_else(pc.equal(plain, pc.trunc(plain)), texts, pa.scalar(None, texts.type))
        return texts

    def rollout(self, keys: pa.Array, weights: Sequence[int], *, threads: int = 1) -> pa.Int32Array:
        """The weighted variation of each key, by LaunchDarkly's own whole weights.

        Args:
            keys: As `key_texts` takes them.
            weights: Weight of each entry of the rollout, in hundred-thousandths; the last entry also takes
                what lies beyond their sum.
            threads: Most threads to use.

        Returns:
            Positions in `weights`; null where the key is null (there LaunchDarkly gives the first variation,
            outside the experiment).

        Example:
            >>> import pyarrow as pa
            >>> keys = pa.array(["userKeyA", "userKeyB", "userKeyC"])
            >>> LaunchDarkly("hashKey", salt="saltyA").rollout(keys, [60000, 40000]).to_pylist()
            [0, 1, 0]
        """
        ends: list[float] = []
        total = 0.0
        for weight in weights:
            total += weight / _WHOLE_WEIGHT
            ends.append(total)
        ranges = [(-math.inf, end) for end in ends[:-1]] + [(-math.inf, math.inf)]
        return self.arms_in(keys, ranges[: len(weights)], threads=threads)
