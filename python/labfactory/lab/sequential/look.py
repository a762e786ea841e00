"""One look at running data, and what every stop rule answers to it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from labfactory.base.errors import StatisticsError, UsageError, nearest
from labfactory.lab.estimators import SMALLEST_P, Difference, lift_over, relative_lift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.lab.estimators import Sample

    Numbers = Any  # a number, or an array of them

Alternative = Literal["two_sided", "greater", "less"]
Stop = Literal["significant", "futile", "finished"]


@dataclass(frozen=True, slots=True)
class Look:
    """What a stop rule says at one look: treatment against control, absolute and relative.

    The absolute and the relative interval come from one family of tests of mean_T - (1 + lift) mean_C = 0, so
    they, the p-value and the decision agree at every look.

    Args:
        rule: Name of the rule with its settings, as `always_valid(horizon=5000)`.
        number: Which look it is, from 1.
        alternative: What the test looks for: a difference of any sign, a greater or a lesser treatment mean.
        alpha: Error level over all looks together.
        control_n: Units of the control.
        treatment_n: Units of the treatment.
        value: Difference of the means.
        lower: Lower bound of the absolute interval; None when there is none, as for the alternative `less`.
        upper: Upper bound; None likewise.
        p: p-value that may be read at every look, never 0; None when the data have no variance.
        log_p: Its natural logarithm, exact also where p itself underflows and is given as 5e-324.
        relative: Lift over the control mean, 0.02 is two percent; None when that mean is not above 0.
        relative_lower: Lower bound of the lift; None when it has none.
        relative_upper: Upper bound of the lift; None likewise.
        stop: `significant` once p is at most alpha at this look or at an earlier one, `futile` when going on
            was not worth it by the rule, `finished` at the last planned look; None to go on.
        stagewise_p: For group-sequential rules that stop here: the p-value in the stagewise ordering of
            outcomes; None otherwise.
    """

    rule: str
    number: int
    alternative: Alternative
    alpha: float
    control_n: int
    treatment_n: int
    value: float
    lower: float | None
    upper: float | None
    p: float | None
    log_p: float | None
    relative: float | None
    relative_lower: float | None
    relative_upper: float | None
    stop: Stop | None
    stagewise_p: float | None = None

    @property
    def information(self) -> float:
        """Effective units, by which the variance of the difference falls; those of both arms when equal."""
        return float(effective_units(self.control_n, self.treatment_n))

    def to_dict(self) -> dict[str, str | int | float | None]:
        """The look as JSON holds it."""
        return asdict(self)

    def __repr__(self) -> str:
        p = "none" if self.p is None else f"{self.p:.3g}"
        return (
            f"Look {self.number} of {self.rule}: {self.stop or 'go on'}, "
            f"{self.alternative} at alpha {self.alpha:g}\n"
            f"  {self.value:.4g} [{_figure(self.lower)}, {_figure(self.upper)}], p {p}, "
            f"{self.control_n:,} and {self.treatment_n:,} units"
        )


class StopRule(Protocol):
    """When an experiment may be read and stopped: a frozen value with one question.

    `AlwaysValid`, `GroupSequential`, `BetaBinomial`, `Betting` and, of quantiles, `ExactQuantile` are such
    rules.
    """

    @property
    def name(self) -> str:
        """Name and settings in one line; every look carries it."""
        ...

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
        """Read all data that have come until now.

        Args:
            control: Count, mean and variance (divisor count - 1) of the control arm's outcomes since the
                start. For an adjusted estimate, such as CUPED or a ratio, give the estimate as `mean` and
                count times the variance of the estimate as `variance`.
            treatment: The same of the treatment arm.
            alpha: Error level over all looks together.
            alternative: What the test looks for.
            share: Planned share of the treatment among the units of these two arms; the exact rules rest on
                it.
            history: The earlier looks at this comparison, oldest first, as this method returned them.

        Returns:
            The look.
        """
        ...

    def to_dict(self) -> dict[str, object]:
        """The rule as JSON holds it: its kind and its settings."""
        ...


def effective_units(control_n: Numbers, treatment_n: Numbers) -> Numbers:
    """4 / (1/n_C + 1/n_T): the units of an even split that would tell the same.

    Time on this scale is what a difference of means moves by, also when the shares change while it runs; the
    sum of the units is not.
    """
    return 4.0 * control_n * treatment_n / (control_n + treatment_n)


def check_call(alpha: float, alternative: str, share: float, *arms: Sample) -> None:
    """Refuse what no rule can read.

    Raises:
        UsageError: `alpha`, `alternative`, `share`.
        StatisticsError: `no_units`, for an arm without outcomes; `invalid_outcome`, for a mean or a variance
            that none can have.
    """
    if not 0 < alpha < (1 if alternative == "two_sided" else 0.5):
        limit = "1" if alternative == "two_sided" else "0.5, for one side"
        message = f"expected alpha above 0 and below {limit}, found {alpha}"
        raise UsageError(message, code="alpha")
    if alternative not in get_args(Alternative):
        known = get_args(Alternative)
        message = f"expected an alternative of {', '.join(known)}, found {alternative!r}"
        raise UsageError(message, code="alternative", hint=nearest(str(alternative), known))
    if not 0 < share < 1:
        message = f"expected a share of the treatment above 0 and below 1, found {share}"
        raise UsageError(message, code="share")
    if any(arm.count < 1 for arm in arms):
        found = " and ".join(str(arm.count) for arm in arms)
        message = f"expected outcomes in both arms, found {found}"
        raise StatisticsError(message, code="no_units")
    for arm in arms:
        if not (math.isfinite(arm.mean) and math.isfinite(arm.variance) and arm.variance >= 0):
            message = (
                f"expected a finite mean and a variance of 0 or more, found {arm.mean} and {arm.variance}"
            )
            raise StatisticsError(message, code="invalid_outcome")


def steady_variances(
    control_n: Numbers, control_variance: Numbers, treatment_n: Numbers, treatment_variance: Numbers
) -> tuple[Numbers, Numbers]:
    """Variances of both arms, that of the smaller one no less than its size lets one believe.

    A small arm that no rare outcome has reached yet shows no variance, and any difference from the large arm
    looks certain: with one unit in ten treated and conversions of half a percent, a sequence read 50 times
    errs in 27 percent (`examples/validation.py`). So the smaller arm's variance is at least 1 - n / N of the
    larger arm's, n and N their units; with even arms nothing changes.

    Args:
        control_n: Units, numbers or arrays.
        control_variance: Variance of the outcomes.
        treatment_n: Units.
        treatment_variance: Variance of the outcomes.
    """
    return (
        np.maximum(control_variance, (1 - control_n / treatment_n) * treatment_variance),
        np.maximum(treatment_variance, (1 - treatment_n / control_n) * control_variance),
    )


def steadied(control: Sample, treatment: Sample) -> tuple[Sample, Sample]:
    """The arms with variances as `steady_variances` has them."""
    before, after = steady_variances(control.count, control.variance, treatment.count, treatment.variance)
    return replace(control, variance=float(before)), replace(treatment, variance=float(after))


def standard_error(control: Sample, treatment: Sample) -> float:
    """Of the difference of the means; 0 when an arm has one unit or neither has variance."""
    if control.count < 2 or treatment.count < 2:
        return 0.0
    return math.sqrt(control.mean_variance + treatment.mean_variance)


def plain_p(log_p: float) -> float:
    """A p-value from its logarithm, never 0."""
    return max(math.exp(log_p), SMALLEST_P)


def has_stopped(log_p: float | None, alpha: float, history: Sequence[Look]) -> bool:
    """Whether the data were, or are, significant: a decision, once made, is not taken back."""
    now = log_p is not None and log_p <= math.log(alpha)
    return now or any(look.stop == "significant" for look in history)


def normal_look(
    name: str,
    control: Sample,
    treatment: Sample,
    *,
    critical: float | None,
    log_p: float | None,
    alpha: float,
    alternative: Alternative,
    history: Sequence[Look],
    stop: Stop | None = None,
    stagewise_p: float | None = None,
) -> Look:
    """A look whose interval is the difference, give or take `critical` standard errors.

    Args:
        name: Of the rule.
        control: Outcomes of the control.
        treatment: Outcomes of the treatment.
        critical: Standard errors; None where there is no interval at this look.
        log_p: Logarithm of the p-value; None where there is none.
        alpha: Error level.
        alternative: Which sides the interval bounds.
        history: Earlier looks.
        stop: Why the rule stops when the data are not significant.
        stagewise_p: As the look holds it.
    """
    value = treatment.minus(control)
    control, treatment = steadied(control, treatment)
    error = standard_error(control, treatment)
    lower = upper = relative_lower = relative_upper = None
    if critical is not None and error > 0 and log_p is not None:
        lower, upper = value - critical * error, value + critical * error
        if lift_over(control.mean, value) is not None:
            difference = Difference(value, lower, upper, plain_p(log_p), critical)
            _, relative_lower, relative_upper = relative_lift(control, treatment, difference)
    bounds_below, bounds_above = alternative != "less", alternative != "greater"
    return Look(
        rule=name,
        number=len(history) + 1,
        alternative=alternative,
        alpha=alpha,
        control_n=control.count,
        treatment_n=treatment.count,
        value=value,
        lower=lower if bounds_below else None,
        upper=upper if bounds_above else None,
        p=None if log_p is None else plain_p(log_p),
        log_p=log_p,
        relative=lift_over(control.mean, value),
        relative_lower=relative_lower if bounds_below else None,
        relative_upper=relative_upper if bounds_above else None,
        stop="significant" if has_stopped(log_p, alpha, history) else stop,
        stagewise_p=stagewise_p,
    )


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
