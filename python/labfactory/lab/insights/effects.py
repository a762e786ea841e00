"""Effects of many experiments on one scale, each with its standard error."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from scipy import special

from labfactory.lab.insights.meta_analysis import PooledEffect, pool_effects

if TYPE_CHECKING:
    import polars as pl

    from labfactory.lab.insights.meta_analysis import Heterogeneity, IntervalKind

Scale = Literal["lift", "difference"]

# Treatments of one experiment share their control; with equal arms their differences correlate by a half.
# Borenstein et al. 2009, "Introduction to Meta-Analysis", chapter 24.
_SHARED_CONTROL = 0.5


def pool_frame(
    effects: pl.DataFrame,
    *,
    scale: Scale,
    heterogeneity: Heterogeneity = "paule_mandel",
    interval: IntervalKind = "hartung_knapp",
    alpha: float = 0.05,
) -> PooledEffect:
    """Pool a frame of effects, as `InsightStore.effects` gives it, one experiment at a time.

    Lifts are pooled as ln(1 + lift) and given back as lifts. Several treatments of one experiment count once,
    by their mean, with a correlation of 0.5 for the control that they share.

    Args:
        effects: Comparisons with the columns of `Comparison` and `experiment`, `alpha`; those without an
            interval are left out.
        scale: `lift`, or `difference` in the metric's unit.
        heterogeneity: As in `pool_effects`.
        interval: As in `pool_effects`.
        alpha: Error level.

    Returns:
        The pooled effect.

    Raises:
        StatisticsError: `no_effects`.
        UsageError: As `pool_effects` does.
    """
    by_experiment: dict[str, list[tuple[float, float]]] = {}
    for row in effects.iter_rows(named=True):
        effect = _effect(row, scale)
        if effect is not None:
            by_experiment.setdefault(row["experiment"], []).append(effect)
    means = [_mean(found) for found in by_experiment.values()]
    pooled = pool_effects(
        [value for value, _ in means],
        [error for _, error in means],
        heterogeneity=heterogeneity,
        interval=interval,
        alpha=alpha,
    )
    return pooled if scale == "difference" else _as_lift(pooled)


def _effect(row: dict[str, object], scale: Scale) -> tuple[float, float] | None:
    """Value and standard error; the interval is two-sided and its half width a multiple of the error."""
    names = (
        ("relative", "relative_lower", "relative_upper")
        if scale == "lift"
        else ("difference", "lower", "upper")
    )
    found = [row[name] for name in names]
    if not all(isinstance(value, float) for value in found):
        return None
    value, lower, upper = (float(str(number)) for number in found)
    if scale == "lift":
        if lower <= -1.0:
            return None
        value, lower, upper = math.log1p(value), math.log1p(lower), math.log1p(upper)
    error = (upper - lower) / (2.0 * _critical(row))
    return (value, error) if error > 0 else None


def _critical(row: dict[str, object]) -> float:
    """Standard errors in half an interval: as the comparison tells, else the quantile of t."""
    error, lower, upper = row.get("standard_error"), row["lower"], row["upper"]
    if isinstance(error, float) and isinstance(lower, float) and isinstance(upper, float) and error > 0:
        return (upper - lower) / (2.0 * error)
    degrees = int(str(row["control_n"])) + int(str(row["treatment_n"])) - 2
    return -float(special.stdtrit(degrees, float(str(row["alpha"])) / 2))


def _mean(found: list[tuple[float, float]]) -> tuple[float, float]:
    count = len(found)
    errors = [error for _, error in found]
    own = sum(error**2 for error in errors)
    shared = _SHARED_CONTROL * (sum(errors) ** 2 - own)
    return sum(value for value, _ in found) / count, math.sqrt(own + shared) / count


def _as_lift(pooled: PooledEffect) -> PooledEffect:
    def lift(value: float | None) -> float | None:
        return None if value is None else math.expm1(value)

    return replace(
        pooled,
        scale="lift",
        value=math.expm1(pooled.value),
        lower=math.expm1(pooled.lower),
        upper=math.expm1(pooled.upper),
        prediction_lower=lift(pooled.prediction_lower),
        prediction_upper=lift(pooled.prediction_upper),
    )
