"""Layers and holdouts: which customers an experiment may have at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base
from labfactory.assignment.bucketing import Native, Range
from labfactory.base.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

# Unit separator: salts of layers and holdouts never meet those of experiments, whatever they are called.
_APART = "\x1f"


@dataclass(frozen=True, slots=True)
class Holdout:
    """Customers who are in no experiment, so that all experiments together can be judged against them.

    Args:
        name: Its name, which is its salt: layers that share a holdout leave out the same customers.
        share: Share of customers, from 0 to 1; raising it keeps those who are in it.
        seed: From 0 to 2^64 - 1; another seed draws afresh.

    Raises:
        UsageError: `layer`, for a share that is none.

    Example:
        >>> import pyarrow as pa
        >>> Holdout("2026-q3", 0.5).holds(pa.array(["a", "b", "c", None])).to_pylist()
        [True, True, True, False]
    """

    name: str
    share: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            message = f"expected a share from 0 to 1 for the holdout {self.name!r}, found {self.share}"
            raise UsageError(message, code="layer")

    def holds(self, keys: pa.Array, *, threads: int = 1) -> pa.BooleanArray:
        """Whether each key is held out; false for null."""
        bucketing = Native(f"holdout{_APART}{self.name}", self.seed)
        return bucketing.arms_in(keys, [(0.0, _end(self.share))], threads=threads).is_valid()

    def holds_one(self, key: object) -> bool:
        """Whether one key is held out, as `holds` says of a column's; false for None.

        Example:
            >>> Holdout("2026-q3", 0.5).holds_one("a")
            True
        """
        if key is None:
            return False
        salt = base.hash64(f"holdout{_APART}{self.name}".encode(), self.seed)
        hashed = base.hash64(base.hash64(str(key).encode()).to_bytes(8, "little"), salt)
        return (hashed >> 11) * 2.0**-53 < _end(self.share)


@dataclass(frozen=True, slots=True, init=False)
class Layer:
    """Experiments that share no customer: each has a part of the layer to itself.

    Parts lie side by side in the order in which they are named, or where their bounds say. Arms are drawn by
    the experiment's own salt, so they are independent of the layer's parts, and of other layers.

    Args:
        name: Its name, which is its salt.
        shares: By name of the experiment the share of customers that it may have, or the bounds of its part.
        seed: From 0 to 2^64 - 1; another seed divides afresh.
        holdout: Customers who are in no experiment of the layer.

    Raises:
        UsageError: `layer`, when parts overlap or reach beyond 1.

    Example:
        >>> import pyarrow as pa
        >>> layer = Layer("checkout", {"tone": 0.5, "hero": 0.3}, holdout=Holdout("2026-q3", 0.1))
        >>> layer.experiments(pa.array([1, 2, 3, 4])).to_pylist()
        ['tone', 'tone', 'tone', None]
    """

    name: str
    parts: tuple[tuple[str, Range], ...]
    seed: int
    holdout: Holdout | None

    def __init__(
        self,
        name: str,
        shares: Mapping[str, float | tuple[float, float]],
        *,
        seed: int = 0,
        holdout: Holdout | None = None,
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "parts", _parts(name, shares))
        object.__setattr__(self, "seed", seed)
        object.__setattr__(self, "holdout", holdout)

    def experiments(self, keys: pa.Array, *, threads: int = 1) -> pa.DictionaryArray:
        """The experiment that may have each key; null for the held out, for those in no part, and for null.

        Args:
            keys: As `key_texts` takes them.
            threads: Most threads to use.

        Returns:
            Names of experiments, as long as `keys`.
        """
        bucketing = Native(f"layer{_APART}{self.name}", self.seed)
        parts = bucketing.arms_in(keys, [part for _, part in self.parts], threads=threads)
        if self.holdout is not None:
            is_free = pc.invert(self.holdout.holds(keys, threads=threads))
            parts = pc.if_else(is_free, parts, pa.scalar(None, pa.int32()))
        return pa.DictionaryArray.from_arrays(parts, pa.array([name for name, _ in self.parts], pa.string()))

    def members(self, keys: pa.Array, experiment: str, *, threads: int = 1) -> pa.BooleanArray:
        """Whether the experiment may have each key; false for the held out and for null.

        Raises:
            UsageError: `layer`, when the layer has no such experiment.
        """
        names = [name for name, _ in self.parts]
        if experiment not in names:
            message = f"expected an experiment of the layer {self.name!r}, found {experiment!r}"
            raise UsageError(message, code="layer", hint=nearest(experiment, names))
        found = self.experiments(keys, threads=threads).indices
        return pc.is_in(found, pa.array([names.index(experiment)], found.type))


def _parts(name: str, shares: Mapping[str, float | tuple[float, float]]) -> tuple[tuple[str, Range], ...]:
    made: list[tuple[str, Range]] = []
    start = 0.0
    for experiment, share in shares.items():
        lower, upper = share if isinstance(share, tuple) else (start, start + share)
        # A billionth covers the rounding of shares such as 1/3 written out.
        if not 0.0 <= lower <= upper <= 1.0 + 1e-9:
            message = (
                f"expected a part of [0, 1] for {experiment!r} in layer {name!r}, found {lower} to {upper}"
            )
            raise UsageError(message, code="layer")
        made.append((experiment, Range(lower, _end(upper))))
        start = upper
    ordered = sorted(made, key=lambda part: part[1])
    for (one, left), (other, right) in pairwise(ordered):
        if left.upper > right.lower + 1e-9:
            message = f"expected parts that share no customer in layer {name!r}, found {one!r} over {other!r}"
            raise UsageError(message, code="layer")
    return tuple(made)


def _end(upper: float) -> float:
    return math.inf if upper >= 1.0 - 1e-9 else upper
