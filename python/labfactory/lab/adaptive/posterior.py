"""Posteriors of arms, and the probability that each arm is the best or the second best, by quadrature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from scipy import special

from labfactory.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

# Between these quantiles of every arm a density is close to a polynomial of the nodes' degree.
_TAILS = 10.0 ** -np.array([15, 12, 9, 7, 5, 4, 3, 2.3, 2, 1.5, 1, 0.7])
_LEVELS = np.concatenate([_TAILS, [0.35, 0.5, 0.65], 1 - _TAILS[::-1]])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


class Posterior(Protocol):
    """What is believed of an arm's mean."""

    def density(self, x: Floats) -> Floats:
        """The density at x."""
        ...

    def below(self, x: Floats) -> Floats:
        """The probability of a mean below x."""
        ...

    def quantiles(self, levels: Floats) -> Floats:
        """The quantiles at these levels."""
        ...


@dataclass(frozen=True, slots=True)
class BetaPosterior:
    """A share of successes, Beta(a, b): each prior count plus the successes, and plus the failures.

    Args:
        a: Above 0.
        b: Above 0.

    Raises:
        UsageError: `adaptive`.
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (0 < self.a < math.inf and 0 < self.b < math.inf):
            message = f"expected a Beta distribution with both counts above 0, found {self.a} and {self.b}"
            raise UsageError(message, code="adaptive")

    def density(self, x: Floats) -> Floats:
        """The density at x."""
        log = special.xlogy(self.a - 1, x) + special.xlog1py(self.b - 1, -x) - special.betaln(self.a, self.b)
        made: Floats = np.exp(log)
        return made

    def below(self, x: Floats) -> Floats:
        """The probability of a share below x."""
        made: Floats = special.betainc(self.a, self.b, np.clip(x, 0, 1))
        return made

    def quantiles(self, levels: Floats) -> Floats:
        """The quantiles at these levels."""
        made: Floats = special.betaincinv(self.a, self.b, levels)
        return made


@dataclass(frozen=True, slots=True)
class NormalPosterior:
    """A mean, normal around its estimate.

    Args:
        mean: The estimate.
        deviation: Its standard deviation, above 0.

    Raises:
        UsageError: `adaptive`.
    """

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0 < self.deviation < math.inf):
            message = f"expected a mean and a deviation above 0, found {self.mean} and {self.deviation}"
            raise UsageError(message, code="adaptive")

    def density(self, x: Floats) -> Floats:
        """The density at x."""
        z = (x - self.mean) / self.deviation
        made: Floats = np.exp(-0.5 * z * z) / (self.deviation * math.sqrt(2 * math.pi))
        return made

    def below(self, x: Floats) -> Floats:
        """The probability of a mean below x."""
        made: Floats = special.ndtr((x - self.mean) / self.deviation)
        return made

    def quantiles(self, levels: Floats) -> Floats:
        """The quantiles at these levels."""
        made: Floats = self.mean + self.deviation * special.ndtri(levels)
        return made


class Ranks(NamedTuple):
    """How likely each arm is the best, and how likely the second best.

    Attributes:
        first: Probabilities of rank one, summing to 1.
        second: Probabilities of rank two, summing to 1.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]


def rank_probabilities(posteriors: Sequence[Posterior], *, smallest: bool = False) -> Ranks:
    """The probability of each arm to have the largest mean, and the second largest; arms are independent.

    Arm i is the best with probability ∫ f_i ∏ F_j, the second best with ∫ f_i Σ_k (1 - F_k) ∏ F_j. Both are
    integrated by Gauss-Legendre between quantiles of all arms: no draws, so no seed, and 12 digits or so.

    Args:
        posteriors: Of two arms or more.
        smallest: Whether the smallest mean is the best one.

    Returns:
        The probabilities, in the order of the arms.

    Raises:
        UsageError: `adaptive`, for fewer than two arms.

    Example:
        >>> ranks = rank_probabilities([NormalPosterior(0, 1), NormalPosterior(1, 1), NormalPosterior(5, 1)])
        >>> [round(p, 4) for p in ranks.first], [round(p, 3) for p in ranks.second]
        ([0.0002, 0.0023, 0.9975], [0.24, 0.758, 0.002])
    """
    if len(posteriors) < 2:
        message = f"expected two arms or more, found {len(posteriors)}"
        raise UsageError(message, code="adaptive")
    x, dx = _grid(posteriors)
    below = [arm.below(x) for arm in posteriors]
    above = [1.0 - share for share in below]
    wins, loses = (above, below) if smallest else (below, above)
    first: list[float] = []
    second: list[float] = []
    for place, arm in enumerate(posteriors):
        # Of the other arms: none better, and just one better.
        none, one = np.ones_like(x), np.zeros_like(x)
        for other in range(len(posteriors)):
            if other != place:
                none, one = none * wins[other], one * wins[other] + none * loses[other]
        mass = arm.density(x) * dx
        first.append(float(mass @ none))
        second.append(float(mass @ one))
    return Ranks(_whole(first), _whole(second))


def _grid(posteriors: Sequence[Posterior]) -> tuple[Floats, Floats]:
    """Nodes and weights over all that any arm may be."""
    edges = np.unique(np.concatenate([arm.quantiles(_LEVELS) for arm in posteriors]))
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    x = (middle[:, None] + half[:, None] * _NODES).ravel()
    return x, (half[:, None] * _WEIGHTS).ravel()


def _whole(shares: list[Any]) -> tuple[float, ...]:
    """Without what quadrature leaves, so that they sum to 1."""
    total = math.fsum(shares)
    return tuple(share / total for share in shares)
