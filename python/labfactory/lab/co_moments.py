"""Count, means and centred products of a few numbers in one arm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from labfactory.base.errors import StatisticsError
from labfactory.lab.estimators import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labfactory.lab.metric import Metric


@dataclass(frozen=True, slots=True, eq=False)
class CoMoments:
    """What an arm's rows say of one metric: its outcomes, then its covariates.

    Args:
        count: Rows with every outcome.
        means: Mean of each number.
        rests: What the means leave out, as each is kept in two doubles.
        products: Sum of products of distances from the means, numbers by numbers.
    """

    count: int
    means: NDArray[np.float64]
    rests: NDArray[np.float64]
    products: NDArray[np.float64]

    @staticmethod
    def of_figures(count: int, figures: NDArray[np.float64], numbers: int) -> CoMoments:
        """Read the figures of a set as the core writes them."""
        products = np.zeros((numbers, numbers))
        upper = _upper_triangle(numbers)
        products[upper] = figures[2 * numbers :]
        products.T[upper] = figures[2 * numbers :]
        return CoMoments(count, figures[:numbers], figures[numbers : 2 * numbers], products)

    def merged(self, other: CoMoments) -> CoMoments:
        """The moments of both sets of rows; Chan, Golub and LeVeque (1979), eq. 2.1."""
        if 0 in (self.count, other.count):
            return self if self.count else other
        count = self.count + other.count
        share = other.count / count
        delta = (other.means - self.means) + (other.rests - self.rests)
        products = self.products + other.products + np.outer(delta, delta) * (self.count * share)
        return CoMoments(count, self.means + delta * share, self.rests + 0.0, products)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariances with divisor `count - 1`; for two rows or more."""
        return np.asarray(self.products / (self.count - 1))

    def linearised(self, metric: Metric) -> CoMoments:
        """A ratio as one number: its mean is the ratio, its variance that of the delta method.

        Other metrics are left as they are.

        Raises:
            StatisticsError: `overflow`, for a denominator so small that no double holds the ratio's square.

        References:
            Deng, Knoblich and Lu (2018), "Applying the delta method in metric analytics", eq. 4.
        """
        if metric.kind != "ratio":
            return self
        numbers = len(self.means)
        above, below = float(self.means[0]), float(self.means[1])
        onto = np.zeros((numbers - 1, numbers))
        onto[1:, 2:] = np.eye(numbers - 2)
        ratio = np.nan
        if below:
            with np.errstate(over="ignore", invalid="ignore"):
                ratio = float(np.divide(above, below))
                onto[0, :2] = np.divide([1.0, -ratio], below)
                products = onto @ self.products @ onto.T
            if not (np.isfinite(ratio) and np.isfinite(products).all()):
                message = f"expected a ratio whose square fits a double, found {above:g} over {below:g}"
                raise StatisticsError(message, code="overflow", hint="measure both in other units")
        else:
            products = onto @ self.products @ onto.T
        means, rests = np.array([ratio, *self.means[2:]]), np.array([0.0, *self.rests[2:]])
        return CoMoments(self.count, means, rests, products)

    @property
    def sample(self) -> Sample:
        """The first number alone."""
        variance = float(self.products[0, 0]) / (self.count - 1) if self.count > 1 else 0.0
        return Sample(self.count, float(self.means[0]), max(variance, 0.0), rest=float(self.rests[0]))


@cache
def _upper_triangle(numbers: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.triu_indices(numbers)
    return rows, columns
