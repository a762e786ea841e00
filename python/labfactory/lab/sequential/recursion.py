"""The chance of crossing bounds at a series of looks, by recursive numerical integration.

The score S of a test with information I is normal with mean theta I and variance I, its increments are
independent; Z = S / sqrt(I) is the standardised statistic. Whatever can be estimated efficiently moves like
this.

References:
    Armitage, McPherson and Rowe (1969), "Repeated significance tests on accumulating data". Jennison and
    Turnbull (2000), "Group Sequential Methods with Applications to Clinical Trials", chapter 19.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Paths further out than this many standard deviations have a chance below 1e-22.
_FARTHEST = 10.0
# 16 nodes integrate a panel of two standard deviations of the next step to a double's precision.
_PANEL = 2.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_MOST_PANELS = 200
# Above so many pairs of nodes it is quicker to leave out those that are far apart.
_MOST_PAIRS = 500_000


class Crossing(NamedTuple):
    """Chances at each look.

    Attributes:
        above: Of crossing the upper bound first at this look.
        below: Of crossing the lower bound first at this look.
    """

    above: tuple[float, ...]
    below: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Going:
    """Paths that have crossed nothing until a look: a density of scores on nodes.

    Args:
        information: At the look; 0 before the first.
        score: Nodes.
        mass: Density at the nodes times their weights.
        drift: Mean of the score per information.
    """

    information: float
    score: NDArray[np.float64]
    mass: NDArray[np.float64]
    drift: float = 0.0

    @classmethod
    def from_start(cls, *, drift: float = 0.0) -> Going:
        """Before the first look all paths are at 0."""
        return cls(0.0, np.zeros(1), np.ones(1), drift)

    def above(self, information: float, z: float) -> float:
        """Chance that the statistic of the next look is above z."""
        return float(self.mass @ special.ndtr(-self._steps(information, z)))

    def below(self, information: float, z: float) -> float:
        """Chance that the statistic of the next look is below z."""
        return float(self.mass @ special.ndtr(self._steps(information, z)))

    def between(self, information: float, lower: float, upper: float, *, next_step: float) -> Going:
        """The paths whose statistic at the next look lies between two bounds.

        Args:
            information: At the next look, above that of this one.
            lower: Lower bound of the statistic.
            upper: Upper bound.
            next_step: Information between the next look and the one after it, for which the nodes must be
                close enough; 0 when there is none.
        """
        root, mean = math.sqrt(information), self.drift * information
        first = max(lower * root, mean - _FARTHEST * root)
        last = min(upper * root, mean + _FARTHEST * root)
        if not first < last:
            return Going(information, np.zeros(1), np.zeros(1), self.drift)
        step = information - self.information
        width = _PANEL * math.sqrt(min(step, next_step) if next_step > 0 else step)
        panels = min(_MOST_PANELS, max(1, math.ceil((last - first) / width)))
        edges = np.linspace(first, last, panels + 1)
        half = (edges[1] - edges[0]) / 2
        score = (edges[:-1, None] + half * (1 + _NODES)).ravel()
        weights = np.tile(half * _WEIGHTS, panels)
        spread = banded if len(score) * len(self.score) > _MOST_PAIRS else dense
        density = spread(score - self.drift * step, self.score, self.mass, math.sqrt(step))
        return Going(information, score, density * weights, self.drift)

    def _steps(self, information: float, z: float) -> Any:
        """How many standard deviations of the step lead from each node to the bound."""
        step = information - self.information
        return (z * math.sqrt(information) - self.score - self.drift * step) / math.sqrt(step)


def dense(
    score: NDArray[np.float64], before: NDArray[np.float64], mass: NDArray[np.float64], deviation: float
) -> NDArray[np.float64]:
    """Density at each score of paths that go on from all nodes before by a normal step."""
    distance = (score[:, None] - before) / deviation
    return np.asarray(np.exp(-(distance**2) / 2) @ mass / (math.sqrt(2 * math.pi) * deviation))


def banded(
    score: NDArray[np.float64], before: NDArray[np.float64], mass: NDArray[np.float64], deviation: float
) -> NDArray[np.float64]:
    """The same from near nodes alone: of a thousand looks each moves a path by little."""
    density = np.empty_like(score)
    for start in range(0, len(score), len(_NODES)):
        panel = score[start : start + len(_NODES)]
        first, last = np.searchsorted(
            before, [panel[0] - _FARTHEST * deviation, panel[-1] + _FARTHEST * deviation]
        )
        density[start : start + len(_NODES)] = dense(panel, before[first:last], mass[first:last], deviation)
    return density


def crossing(
    information: Sequence[float], upper: Sequence[float], *, lower: Sequence[float], drift: float = 0.0
) -> Crossing:
    """The chance of crossing each bound first, look by look.

    Args:
        information: At each look, above 0 and rising, on any scale.
        upper: Upper bounds of the statistic; infinite for none.
        lower: Lower bounds; minus infinity for none.
        drift: Mean of the score per information.

    Returns:
        The chances.

    Example:
        >>> looks, bounds = [1, 2, 3, 4, 5], [1.96] * 5
        >>> chances = crossing(looks, bounds, lower=[-bound for bound in bounds])
        >>> round(sum(chances.above) + sum(chances.below), 4)
        0.1417
    """
    above, below = [], []
    going = Going.from_start(drift=drift)
    steps = [*np.diff(information), 0.0]
    for at, low, high, next_step in zip(information, lower, upper, steps, strict=True):
        above.append(going.above(at, high))
        below.append(going.below(at, low))
        going = going.between(at, low, high, next_step=float(next_step))
    return Crossing(tuple(above), tuple(below))
