"""Buckets: a point in [0, 1) per customer key, and the arm whose range holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from labfactory._core import assign as core

if TYPE_CHECKING:
    from collections.abc import Sequence


def buckets(keys: pa.Array, *, experiment: str, seed: int) -> pa.DoubleArray:
    """A point in [0, 1) for each key, the same on every machine.

    The bucket is `hash64(hash64(text of key), salt)` with `salt = hash64(experiment, seed)`, its upper 53
    bits as a fraction; `hash64` is XXH64. Other experiments and other seeds give independent points.

    Args:
        keys: Integers or text, plain or in a dictionary; the integer 7 and the text "7" are the same key.
        experiment: Name of the experiment.
        seed: From 0 to 2^64 - 1; another seed repeats the experiment with fresh assignment.

    Returns:
        As long as `keys`; null where the key is null.

    Raises:
        SourceError: `key_type`, for keys of another type.

    Example:
        >>> import pyarrow as pa
        >>> buckets(pa.array([7, None]), experiment="tone", seed=1) == buckets(
        ...     pa.array(["7", None]), experiment="tone", seed=1)
        True
    """
    return pa.array(core.buckets(keys, experiment, seed))


def assign_arms(keys: pa.Array, *, experiment: str, seed: int, weights: Sequence[float]) -> pa.Int32Array:
    """The arm of each key: arms lie side by side on [0, 1), each as wide as its weight.

    Args:
        keys: As in `buckets`.
        experiment: Name of the experiment.
        seed: From 0 to 2^64 - 1.
        weights: Share of each arm, 0 or more, summing to 1; an arm of weight 0 is never given.

    Returns:
        Positions in `weights`, as long as `keys`; null where the key is null.

    Raises:
        UsageError: `weights`, when they are negative or do not sum to 1.
        SourceError: `key_type`, for keys that are neither integers nor text.

    Example:
        >>> import pyarrow as pa
        >>> assign_arms(pa.array(["a", "b"]), experiment="tone", seed=1, weights=[0.0, 1.0]).to_pylist()
        [1, 1]
    """
    return pa.array(core.arms(keys, experiment, seed, list(weights)))
