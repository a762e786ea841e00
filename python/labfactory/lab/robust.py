"""Regression adjustment whose errors are consistent under heteroskedasticity: it reads the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from labfactory.lab.adjustment import Contrast
from labfactory.lab.estimators import Sample, welch_degrees

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from labfactory.lab.metric import Metric

    Values = NDArray[np.float64]

Errors = Literal["residual", "hc0", "hc1", "hc2", "hc3"]

# A row whose own outcome decides its fitted value to this share has no residual to judge by.
_WHOLE_LEVERAGE: Final = 1 - 1e-10

# A fit that leaves less than this of the squares is perfect, and what it leaves rounding.
_ROUNDING: Final = 1e-20

# What a squared residual counts by its leverage; MacKinnon and White (1985), eqs. 5 to 7.
_FACTORS: Final[dict[str, Callable[[Values], Values]]] = {
    "hc0": np.ones_like,
    "hc1": np.ones_like,
    "hc2": lambda leverage: 1 / (1 - leverage),
    "hc3": lambda leverage: 1 / (1 - leverage) ** 2,
}


def robust_contrast(metric: Metric, control: Values, treatment: Values, *, errors: Errors) -> Contrast | None:
    """Interacted least squares with a heteroskedasticity-consistent error.

    The same estimate as `Regression.contrast` gives from moments. The covariates' pooled mean counts as
    known, as in the coefficient of treatment of one regression on centred and interacted covariates.

    Args:
        metric: What is measured.
        control: Numbers by rows: outcomes, then covariates.
        treatment: The same of the treatment.
        errors: Which of the estimators of White's family.

    Returns:
        The contrast; None where an arm has no value. Nothing can be tested where a row has all leverage.

    References:
        MacKinnon and White (1985), "Some heteroskedasticity-consistent covariance matrix estimators with
        improved finite sample properties". Lin (2013), "Agnostic notes on regression adjustments to
        experimental data".
    """
    outcomes = len(metric.columns)
    arms = [(_linearised(metric, rows[:outcomes]), rows[outcomes:]) for rows in (control, treatment)]
    if any(y.size == 0 or not np.isfinite(y).all() for y, _ in arms):
        return None
    pooled = np.concatenate([covariates for _, covariates in arms], axis=1).mean(axis=1, keepdims=True)
    fits = [_adjusted_mean(y, covariates - pooled, errors) for y, covariates in arms]
    parameters = len(pooled) + 1
    units = sum(y.size for y, _ in arms)
    spread = units / (units - 2 * parameters) if errors == "hc1" and units > 2 * parameters else 1.0
    samples = [
        Sample(y.size, value, 0.0 if variance is None else variance * spread * y.size)
        for (y, _), (value, variance) in zip(arms, fits, strict=True)
    ]
    degrees = None
    if all(variance is not None for _, variance in fits):
        degrees = welch_degrees(*((each.mean_variance, each.count - parameters) for each in samples))
    return Contrast(samples[0], samples[1], degrees)


def _linearised(metric: Metric, outcomes: Values) -> Values:
    """A ratio as one number for each row; Deng, Knoblich and Lu (2018), eq. 4."""
    if metric.kind != "ratio":
        return np.asarray(outcomes[0])
    numerator, denominator = outcomes
    base = float(denominator.mean()) if denominator.size else 0.0
    if base == 0.0:
        return np.full_like(numerator, np.nan)
    ratio = float(numerator.mean()) / base
    linear: Values = np.asarray(ratio + (numerator - ratio * denominator) / base)
    return linear


def _adjusted_mean(y: Values, centred: Values, errors: Errors) -> tuple[float, float | None]:
    """Intercept of least squares on centred covariates, and its variance; None where it has none."""
    scale = centred.std(axis=1, keepdims=True)
    design = np.vstack(
        [np.ones_like(y), np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)]
    )
    if y.size <= len(design):
        return float(y.mean()), None
    onto = np.linalg.pinv(design @ design.T, rcond=1e-10, hermitian=True) @ design
    # About their own mean, so that outcomes which are all equal leave nothing.
    level = float(y.mean())
    spread = y - level
    residuals = spread - (onto @ spread) @ design
    if residuals @ residuals <= _ROUNDING * (spread @ spread):
        residuals = np.zeros_like(y)
    leverage = np.einsum("ij,ij->j", design, onto)
    if errors in ("hc2", "hc3") and leverage.max() > _WHOLE_LEVERAGE:
        return level + float(onto[0] @ spread), None
    return level + float(onto[0] @ spread), float((onto[0] ** 2 * residuals**2) @ _FACTORS[errors](leverage))
