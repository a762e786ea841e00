"""PlanOut's random operators: 60 bits of SHA-1 of experiment, parameter and unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labfactory.assignment.bucketing import Bucketing, Range, Salting, check_coverage, check_weights
from labfactory.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class PlanOut(Bucketing):
    """PlanOut's random operators, vectorised: each is named as PlanOut names it.

    The text hashed is `experiment.parameter.unit`, or `full_salt.unit`; of a compound unit the parts joined
    by points. A null unit gives null everywhere.

    Args:
        experiment: The experiment's salt, its name unless it has another.
        parameter: Name of the parameter that is drawn, its salt.
        full_salt: Replaces both.

    References:
        Bakshy, Eckles, Bernstein (2014), "Designing and deploying online field experiments"; PlanOut's
        `ops/random.py`.

    Example:
        >>> import pyarrow as pa
        >>> PlanOut("tone", "variant").uniform_choice(pa.array([1, 2, 3, 4]), 3).to_pylist()
        [1, 2, 0, 0]
    """

    experiment: str = ""
    parameter: str = ""
    full_salt: str | None = None

    def salting(self) -> Salting:
        """SHA-1 of salts and unit."""
        return self._salting("")

    def ranges(self, weights: Sequence[float], coverage: float = 1.0) -> tuple[Range, ...]:
        """The buckets of each arm by `WeightedChoice`, whose ranges include their upper bounds.

        Raises:
            UsageError: `weights` or `coverage`; PlanOut has no coverage other than 1.
        """
        check_weights(weights)
        check_coverage(coverage)
        if coverage != 1.0:
            message = f"expected a coverage of 1 with PlanOut, found {coverage}"
            raise UsageError(
                message, code="coverage", hint="let a namespace or a BernoulliTrial choose units"
            )
        return self._weighted(weights)

    def random_float(self, units: pa.Array, low: float = 0.0, high: float = 1.0) -> pa.DoubleArray:
        """`RandomFloat`: a number from `low` to `high` for each unit."""
        return _times(self.buckets(units), low, high)

    def random_integer(self, units: pa.Array, low: int, high: int) -> pa.Int64Array:
        """`RandomInteger`: a whole number from `low` to `high`, both possible, for each unit."""
        return self._modulo(units, high - low + 1, low)

    def bernoulli_trial(self, units: pa.Array, p: float) -> pa.Int64Array:
        """`BernoulliTrial`: 1 with probability `p`, else 0, for each unit."""
        return pa.compute.less_equal(self.buckets(units), p).cast(pa.int64())

    def bernoulli_filter(self, units: pa.Array, choices: Sequence[str | int], p: float) -> pa.ListArray:
        """`BernoulliFilter`: for each unit the positions of the choices kept, each with probability `p`."""
        draws = [self._appended(units, choice, p) for choice in choices]
        return _rows([[i for i, kept in enumerate(row) if kept] for row in zip(*draws, strict=True)], units)

    def uniform_choice(self, units: pa.Array, choices: int) -> pa.Int64Array:
        """`UniformChoice`: a position below `choices` for each unit."""
        return self._modulo(units, choices, 0)

    def weighted_choice(self, units: pa.Array, weights: Sequence[float]) -> pa.Int32Array:
        """`WeightedChoice`: a position in `weights`, which may have any sum, for each unit."""
        return self.arms_in(units, self._weighted(weights))

    def sample(self, units: pa.Array, choices: int, draws: int | None = None) -> pa.ListArray:
        """`Sample`: for each unit `draws` positions below `choices`, without replacement, in drawn order.

        Raises:
            UsageError: `bucketing`, for more draws than choices.
        """
        wanted = choices if draws is None else draws
        if not 0 <= wanted <= choices:
            message = f"expected at most {choices} draws, found {wanted}"
            raise UsageError(message, code="bucketing")
        order = np.tile(np.arange(choices, dtype=np.int64), (len(units), 1))
        rows = np.arange(len(units))
        # Fisher-Yates, from the last place down, as PlanOut shuffles.
        for last in range(choices - 1, 0, -1):
            other = (self._hashes_of(units, f".{last}") % np.uint64(last + 1)).astype(np.int64)
            order[rows, last], order[rows, other] = order[rows, other], order[rows, last]
        return _rows(order[:, :wanted].tolist(), units)

    def _salting(self, suffix: str) -> Salting:
        salt = f"{self.experiment}.{self.parameter}" if self.full_salt is None else self.full_salt
        return Salting("sha1_60", prefix=f"{salt}.", suffix=suffix)

    def _weighted(self, weights: Sequence[float]) -> tuple[Range, ...]:
        total = sum(weights)
        # The bucket is a multiple of the sum: u * total <= end, which division would round otherwise.
        ends = [_last_at_most(end, total) for end in accumulate(weights)]
        return tuple(Range(lower, upper) for lower, upper in pairwise([-math.inf, *ends]))

    def _hashes_of(self, units: pa.Array, suffix: str) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        hashes: np.ndarray[tuple[int], np.dtype[np.uint64]]
        hashes = _Appended(self._salting(suffix)).hashes(units).fill_null(0).to_numpy()
        return hashes

    def _appended(self, units: pa.Array, choice: str | int, p: float) -> list[bool | None]:
        buckets = _Appended(self._salting(f".{choice}")).buckets(units)
        kept: list[bool | None] = pa.compute.less_equal(buckets, p).to_pylist()
        return kept

    def _modulo(self, units: pa.Array, count: int, low: int) -> pa.Int64Array:
        hashes = self.hashes(units)
        numbers = hashes.fill_null(0).to_numpy() % np.uint64(count)
        made = pa.array(numbers.astype(np.int64) + low)
        return pa.compute.if_else(hashes.is_valid(), made, pa.scalar(None, pa.int64()))


@dataclass(frozen=True, slots=True)
class _Appended(Bucketing):
    """A salting as it stands."""

    made: Salting

    def salting(self) -> Salting:
        return self.made


def _times(buckets: pa.Array, low: float, high: float) -> pa.Array:
    return pa.compute.add(pa.compute.multiply(buckets, high - low), low)


def _last_at_most(end: float, total: float) -> float:
    """The smallest double above every bucket u with u * total <= end."""
    if total == 0.0:
        return math.inf if end >= 0.0 else -math.inf
    bound = end / total
    while bound * total <= end:
        bound = math.nextafter(bound, math.inf)
    while (below := math.nextafter(bound, -math.inf)) * total > end:
        bound = below
    return bound


def _rows(rows: Sequence[Sequence[int]], units: pa.Array) -> pa.ListArray:
    known = units.is_valid().to_pylist()
    kept = [list(row) if is_known else None for row, is_known in zip(rows, known, strict=True)]
    return pa.array(kept, pa.list_(pa.int64()))
