"""Asymptotic confidence sequences: intervals that may be read after every unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from labfactory.base.errors import UsageError
from labfactory.lab.sequential.look import (
    check_call,
    effective_units,
    normal_look,
    standard_error,
    steadied,
)
from labfactory.lab.sequential.mixtures import (
    best_rho,
    log_normal_mixture,
    log_one_sided_normal_mixture,
    normal_mixture_bound,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labfactory.lab.estimators import Sample
    from labfactory.lab.sequential.look import Alternative, Look


@dataclass(frozen=True, slots=True)
class AlwaysValid:
    """Read at any time, as often as one likes, and stop when one likes: an asymptotic confidence sequence.

    The normal mixture of Robbins with estimated variances. It holds its level in the limit of many units,
    however often it is read; for rare conversions and few units `BetaBinomial` and `Betting` hold exactly.
    Where one arm is smaller, its variance is steadied by the other's (`steady_variances`): it is what keeps
    the level when a small arm has not seen its first conversion.

    Args:
        horizon: Units of both arms together at which the interval is narrowest for its level, above 0. 5,000
            is what GrowthBook uses, 10,000 what Eppo does.
        burn_in: Units an arm before which nothing is said: no interval, p-value 1. The limit has to be near
            before one may lean on it.

    Raises:
        UsageError: `stop_rule`, for a setting that is not above or at 0.

    References:
        Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central limit theory and
        asymptotic confidence sequences", Annals of Statistics.

    Example:
        >>> from labfactory.lab.estimators import Sample
        >>> AlwaysValid().look(Sample(21306, 0.6528, 134.3), Sample(21307, 1.4226, 315.2), alpha=0.05)
        Look 1 of always_valid(horizon=5000): significant, two_sided at alpha 0.05
          0.7698 [0.302, 1.238], p 8.08e-06, 21,306 and 21,307 units
    """

    horizon: float = 5000
    burn_in: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.horizon) and self.horizon > 0):
            message = f"expected a horizon above 0 units, found {self.horizon}"
            raise UsageError(message, code="stop_rule")
        if self.burn_in < 0:
            message = f"expected a burn-in of 0 units or more, found {self.burn_in}"
            raise UsageError(message, code="stop_rule")

    @property
    def name(self) -> str:
        """Name and settings in one line."""
        burn_in = f", burn_in={self.burn_in}" if self.burn_in else ""
        return f"always_valid(horizon={self.horizon:g}{burn_in})"

    def look(
        self,
        control: Sample,
        treatment: Sample,
        *,
        alpha: float,
        alternative: Alternative = "two_sided",
        share: float = 0.5,
        history: Sequence[Look] = (),
    ) -> Look:
        """Read all data that have come until now; see `StopRule.look`.

        Args:
            control: Outcomes of the control since the start.
            treatment: Outcomes of the treatment since the start.
            alpha: Error level over all looks together.
            alternative: What the test looks for.
            share: Not used: the interval adapts to the units that came.
            history: Earlier looks; they only number this one and keep a decision once it is made.

        Returns:
            The look; without interval and p-value when the arms have no variance.

        Raises:
            UsageError: `alpha`, `alternative`, `share`.
            StatisticsError: `no_units`.
        """
        check_call(alpha, alternative, share, control, treatment)
        error = standard_error(*steadied(control, treatment))
        units = effective_units(control.count, treatment.count)
        critical: float | None = None
        log_p: float | None = None
        if min(control.count, treatment.count) < self.burn_in:
            log_p = 0.0
        elif error > 0:
            z = treatment.minus(control) / error
            critical = self.critical(units, alpha=alpha, alternative=alternative)
            log_p = float(self.log_p(np.array(z), np.array(units), alpha=alpha, alternative=alternative))
        return normal_look(
            self.name,
            control,
            treatment,
            critical=critical,
            log_p=log_p,
            alpha=alpha,
            alternative=alternative,
            history=history,
        )

    def critical(self, units: float, *, alpha: float, alternative: Alternative = "two_sided") -> float:
        """Standard errors on each side of the estimate.

        Args:
            units: Effective units, see `effective_units`.
            alpha: Error level over all looks together.
            alternative: Two sides or one.
        """
        rho = self._rho(alpha, alternative)
        if alternative == "two_sided":
            return normal_mixture_bound(units, alpha, rho) / math.sqrt(units)
        log_alpha = math.log(alpha)
        # The tail of a normal lies between a half and 1 beyond 0, so the two-sided bounds enclose the root.
        highest = normal_mixture_bound(units, alpha, rho)
        return float(
            optimize.brentq(
                lambda s: float(log_one_sided_normal_mixture(s, units, rho)) + log_alpha, 0.0, highest
            )
        ) / math.sqrt(units)

    def log_p(
        self,
        z: NDArray[np.float64],
        units: NDArray[np.float64],
        *,
        alpha: float,
        alternative: Alternative = "two_sided",
    ) -> NDArray[np.float64]:
        """Logarithm of the p-value, at most 0.

        Args:
            z: Differences over their standard errors, from steadied variances.
            units: Effective units, same shape.
            alpha: Error level, which tunes the mixture.
            alternative: What the test looks for.
        """
        rho = self._rho(alpha, alternative)
        s = z * np.sqrt(units)
        if alternative == "two_sided":
            return np.minimum(0.0, -log_normal_mixture(s, units, rho))
        toward = s if alternative == "greater" else -s
        return np.minimum(0.0, -log_one_sided_normal_mixture(toward, units, rho))

    def to_dict(self) -> dict[str, object]:
        """The rule as JSON holds it."""
        return {"kind": "always_valid", "horizon": self.horizon, "burn_in": self.burn_in}

    def _rho(self, alpha: float, alternative: Alternative) -> float:
        return best_rho(self.horizon, alpha, is_one_sided=alternative != "two_sided")
