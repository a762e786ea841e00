"""How large an experiment has to be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import optimize

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.design.power import Power, fixed_power, sequential_power, simulated_power
from labfactory.lab.design.sizing import Sizing
from labfactory.lab.sequential import AlwaysValid, BetaBinomial, Betting, GroupSequential
from labfactory.lab.sequential.look import check_call, effective_units

if TYPE_CHECKING:
    from collections.abc import Callable

    from labfactory.lab.design.baseline import Baseline
    from labfactory.lab.multiplicity import Correction
    from labfactory.lab.sequential.look import Alternative

Rule = GroupSequential | AlwaysValid | BetaBinomial | Betting

# More units than people on earth a hundred times over: no experiment finds the effect.
_MOST_UNITS = 1e12
# A variance of fewer than four values is hardly one.
_FEWEST = 4
# A simulated power is known to about a hundredth; the size to a 500th is enough.
_ROUGHLY = 1.002


@dataclass(frozen=True, slots=True)
class Design:
    """What an experiment wants to find, and how sure it wants to be.

    The test is Welch's, as the evaluation makes it; with a stop rule it is the rule's. Every treatment is
    compared with the control; sizes are for the smallest treatment.

    Args:
        baseline: The metric as it stands.
        alpha: Error level over all comparisons, and over all looks.
        power: Chance to find the effect.
        alternative: Two sides or one. With a margin: `greater` where more is better, `less` where less is.
        shares: Planned share of each arm, the control first, summing to 1.
        correction: How several comparisons are corrected; `sidak` by its own level, all others are sized for
            alpha over their number, which the least p-value has to reach. None for no correction.
        comparisons: How many are corrected for; the number of treatments when None.
        margin: Harm that is tolerated, in the metric's unit: sizes for showing that it is not reached.
        rule: Stop rule; None for one look at the end. `GroupSequential` and `AlwaysValid` are computed by
            recursion, `BetaBinomial` and `Betting` (bound 1) of a proportion by simulation.
        looks: Evenly spaced looks of a rule that does not say how many.
        runs: Simulated experiments.
        seed: Of the simulation.

    Raises:
        UsageError: `alpha`, `alternative`, `weights`; `design`, for settings that do not go together.

    References:
        Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences". Jennison and Turnbull (2000),
        "Group Sequential Methods with Applications to Clinical Trials".

    Example:
        >>> from labfactory.lab.design import Baseline
        >>> Design(Baseline.of_proportion(0.05)).sample_size(lift=0.1)
        units     62,464 (31,232, 31,232)
        expected  62,464
        finds     an effect of 0.005 (lift 0.1) with chance 0.800
        level     0.05 two_sided
        rule      fixed
        method    noncentral t
    """

    baseline: Baseline
    alpha: float = 0.05
    power: float = 0.8
    alternative: Alternative = "two_sided"
    shares: tuple[float, ...] = (0.5, 0.5)
    correction: Correction | None = "bonferroni"
    comparisons: int | None = None
    margin: float | None = None
    rule: Rule | None = None
    looks: int = 20
    runs: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        check_call(self.alpha, self.alternative, 0.5)
        if len(self.shares) < 2 or min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-9:
            found = ", ".join(map(str, self.shares))
            message = f"expected two shares or more above 0, summing to 1, found {found}"
            raise UsageError(message, code="weights")
        if not self.alpha < self.power < 1:
            message = f"expected a power above alpha {self.alpha} and below 1, found {self.power}"
            raise UsageError(message, code="design")
        if self.margin is not None and not (self.margin > 0 and self.alternative != "two_sided"):
            message = f"expected a margin above 0 of a one-sided test, found {self.margin} {self.alternative}"
            raise UsageError(message, code="design", hint="greater where more is better, less where less is")
        if min(self.looks, self.runs, 1 if self.comparisons is None else self.comparisons) < 1:
            found = f"{self.looks}, {self.runs}, {self.comparisons}"
            message = f"expected looks, runs and comparisons of 1 or more, found {found}"
            raise UsageError(message, code="design")
        if self.rule is not None and not isinstance(self.rule, Rule):
            message = f"expected a rule that can be sized, found {self.rule.name}"
            raise UsageError(message, code="design", hint="lf.AlwaysValid can be sized for any metric")
        if self._is_simulated and self.baseline.kind != "proportion":
            message = f"expected a proportion for {self._rule_name}, found a {self.baseline.kind}"
            raise UsageError(message, code="design", hint="lf.AlwaysValid can be sized for any metric")

    @property
    def comparison_alpha(self) -> float:
        """Error level of each comparison."""
        count = len(self.shares) - 1 if self.comparisons is None else self.comparisons
        if self.correction is None:
            return self.alpha
        if self.correction == "sidak":
            return -math.expm1(math.log1p(-self.alpha) / count)
        return self.alpha / count

    def sample_size(self, *, lift: float | None = None, difference: float | None = None) -> Sizing:
        """The fewest units that find an effect with the wanted power.

        Args:
            lift: The effect over the baseline, 0.02 is two percent; or
            difference: the effect in the metric's unit. With a margin both may be None: no effect.

        Returns:
            The sizing.

        Raises:
            UsageError: `design`, for an effect that the test does not look for, or one beyond what a
                proportion can be.
            StatisticsError: `no_size`, when no number of units is enough.
        """
        effect = self._effect(lift, difference)

        def missing(log_units: float) -> float:
            return self._power(math.exp(log_units), effect).power - self.power

        least, most = math.log(_FEWEST / min(self.shares)), math.log(_MOST_UNITS)
        if self._is_simulated:
            log_units = _bisect(missing, least, most)
        elif missing(least) >= 0:
            log_units = least
        elif missing(most) < 0:
            message = f"expected an effect that {_MOST_UNITS:g} units find, found {effect}"
            raise StatisticsError(message, code="no_size")
        else:
            log_units = float(optimize.brentq(missing, least, most, xtol=1e-12))
        return self._sizing(math.exp(log_units), effect)

    def minimum_effect(self, units: float) -> Sizing:
        """The smallest effect that so many units find with the wanted power.

        Args:
            units: Units of all arms together.

        Returns:
            The sizing, its effect in the direction that is looked for (an increase for two sides).

        Raises:
            UsageError: `design`, for fewer than four units in an arm, or with a margin.
            StatisticsError: `no_size`, when not even the largest effect is found.
        """
        if self.margin is not None or units * min(self.shares) < _FEWEST:
            message = f"expected four units an arm and no margin, found {units} units and {self.margin}"
            raise UsageError(message, code="design")
        sign = -1.0 if self.alternative == "less" else 1.0

        def missing(size: float) -> float:
            return self._power(units, sign * size).power - self.power

        largest = self._largest_effect(units, sign)
        if missing(largest) < 0:
            message = f"expected units that find an effect of {sign * largest:g}, found {units}"
            raise StatisticsError(message, code="no_size")
        if self._is_simulated:
            size = math.exp(
                _bisect(lambda x: missing(math.exp(x)), math.log(largest * 1e-6), math.log(largest))
            )
        else:
            size = float(optimize.brentq(missing, 0.0, largest, xtol=largest * 1e-12))
        return self._sizing(units, sign * size)

    def achieved(self, units: float, *, lift: float | None = None, difference: float | None = None) -> Sizing:
        """The power of so many units.

        Args:
            units: Units of all arms together.
            lift: The effect over the baseline; or
            difference: the effect in the metric's unit. With a margin both may be None: no effect.

        Raises:
            UsageError: `design`, as `sample_size` and for fewer than four units in an arm.
        """
        if units * min(self.shares) < _FEWEST:
            message = f"expected four units an arm or more, found {units} over shares {self.shares}"
            raise UsageError(message, code="design")
        return self._sizing(units, self._effect(lift, difference))

    @property
    def _is_simulated(self) -> bool:
        return isinstance(self.rule, BetaBinomial | Betting)

    @property
    def _rule_name(self) -> str:
        if self.rule is None:
            return "fixed"
        looks = "" if isinstance(self.rule, GroupSequential) else f", {self.looks} looks"
        return f"{self.rule.name}{looks}"

    def _effect(self, lift: float | None, difference: float | None) -> float:
        if (lift is None) == (difference is None) and not (self.margin is not None and lift is None):
            message = f"expected a lift or a difference, found {lift} and {difference}"
            raise UsageError(message, code="design")
        effect = (lift or 0.0) * self.baseline.value if difference is None else difference
        if not self._toward(effect) > 0:
            message = f"expected an effect that a test for {self.alternative} looks for, found {effect}"
            raise UsageError(message, code="design")
        value = self.baseline.value + effect
        is_share = self.baseline.kind == "proportion"
        if (is_share and not 0 < value < 1) or (self.baseline.kind == "count" and not value > 0):
            message = f"expected an effect that leaves a {self.baseline.kind} one, found {value}"
            raise UsageError(message, code="design")
        return effect

    def _toward(self, effect: float) -> float:
        """The effect in the direction that is looked for, from the hypothesis that is tested."""
        if self.alternative == "two_sided":
            return abs(effect)
        return (effect if self.alternative == "greater" else -effect) + (self.margin or 0.0)

    def _largest_effect(self, units: float, sign: float) -> float:
        if self.baseline.kind == "proportion":
            room = 1 - self.baseline.value if sign > 0 else self.baseline.value
            return room * (1 - 1e-9)
        if self.baseline.kind == "count" and sign < 0:
            return self.baseline.value * (1 - 1e-9)
        # A hundred standard errors are found by any test.
        return 100 * math.sqrt(2 * self.baseline.variance / (units * min(self.shares)))

    def _power(self, units: float, effect: float) -> Power:
        control, treatment = units * self.shares[0], units * min(self.shares[1:])
        before = self.baseline.variance_at(self.baseline.value) / control
        after = self.baseline.variance_at(self.baseline.value + effect) / treatment
        strength = self._toward(effect) / math.sqrt(before + after)
        alpha = self.comparison_alpha
        if self.rule is None:
            degrees = (before + after) ** 2 / (before**2 / (control - 1) + after**2 / (treatment - 1))
            return fixed_power(strength, degrees, alpha=alpha, alternative=self.alternative)
        if isinstance(self.rule, BetaBinomial | Betting):
            return simulated_power(
                self.rule,
                (self.baseline.value, self.baseline.value + effect),
                (max(1, round(control)), max(1, round(treatment))),
                alpha=alpha,
                alternative=self.alternative,
                looks=self.looks,
                runs=self.runs,
                seed=self.seed,
            )
        bounds = self._bounds(effective_units(control, treatment), alpha)
        shares = [look / len(bounds) for look in range(1, len(bounds) + 1)]
        return sequential_power(strength, shares, bounds, alternative=self.alternative)

    def _bounds(self, units: float, alpha: float) -> tuple[float, ...]:
        if isinstance(self.rule, GroupSequential):
            return self.rule.bounds(alpha=alpha, alternative=self.alternative)
        rule = self.rule if isinstance(self.rule, AlwaysValid) else AlwaysValid()
        return tuple(
            rule.critical(units * look / self.looks, alpha=alpha, alternative=self.alternative)
            for look in range(1, self.looks + 1)
        )

    def _sizing(self, units: float, effect: float) -> Sizing:
        # A billionth less, so that a size that is whole but for rounding stays what it is.
        by_arm = tuple(math.ceil(units * share * (1 - 1e-9)) for share in self.shares)
        power = self._power(sum(by_arm), effect)
        return Sizing(
            units=sum(by_arm),
            by_arm=by_arm,
            difference=effect,
            lift=effect / self.baseline.value if self.baseline.value > 0 else None,
            power=power.power,
            alpha=self.comparison_alpha,
            alternative=self.alternative,
            margin=self.margin,
            expected_units=power.expected_share * sum(by_arm),
            rule=self._rule_name,
            method=power.method,
            units_per_day=self.baseline.units_per_day,
        )


def _bisect(missing: Callable[[float], float], low: float, high: float) -> float:
    """The logarithm of where a rising, rough function crosses 0, from above."""
    while high - low > math.log(_ROUGHLY):
        middle = (low + high) / 2
        low, high = (middle, high) if missing(middle) < 0 else (low, middle)
    return high
