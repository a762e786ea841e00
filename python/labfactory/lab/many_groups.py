"""Experiments of one number of arms, tested together as matrices: experiments by arms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from labfactory.lab.adjustment import ZTest
from labfactory.lab.estimators import SMALLEST_P
from labfactory.lab.judgement import Judgement, by_test, is_testable, untested
from labfactory.lab.multiplicity import Correction, adjust_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.many_arms import ManyArms
    from labfactory.lab.metric import Metric

    Vector = NDArray[np.float64]

# From here on a quantile of t is its expansion about the normal one to the last digits of a double.
_MANY_DEGREES = 1_000.0
# What is said of a pair, and its column.
_JUDGED = (
    *("value", "standard_error", "lower", "upper", "relative", "relative_lower", "relative_upper", "p"),
)
_JUDGED_AS = ("difference", *_JUDGED[1:])


class ExperimentGroup:
    """Experiments with the same number of arms, as matrices: experiments by arms."""

    def __init__(
        self,
        arms: ManyArms,
        name: str,
        metric: Metric,
        places: NDArray[np.int64],
        *,
        control: str | None,
        estimator: Estimator,
    ) -> None:
        self._arms = arms
        self._name = name
        self._metric = metric
        self._estimator = estimator
        self._places = places
        size = places.shape[1]
        self._experiments = np.flatnonzero(np.diff(arms.starts) == size)
        self._units = arms.units[places]
        self._count, self._mean, self._variance = (each[places] for each in arms.samples[name])
        self._control = control

    def tests(self) -> dict[str, NDArray[Any]]:
        """Sample ratio and omnibus test of each experiment."""
        statistic, p = self._omnibus()
        return {
            "order": self._experiments,
            "arms": np.full(len(self._units), self._units.shape[1]),
            "units": self._units.sum(axis=1),
            "srm_p": self._sample_ratio(),
            "statistic": statistic,
            "p": p,
        }

    def _sample_ratio(self) -> Vector:
        """Pearson's test of the planned shares; arms of share 0 take no part, as in `sample_ratio`."""
        shares = self._arms.shares[self._places]
        shares = np.where(np.isnan(shares).any(axis=1, keepdims=True), 1.0, shares)
        is_planned = shares > 0
        units = np.where(is_planned, self._units, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = shares / shares.sum(axis=1, keepdims=True) * units.sum(axis=1, keepdims=True)
            distance = np.where(is_planned, (units - expected) ** 2 / expected, 0.0).sum(axis=1)
        degrees = is_planned.sum(axis=1) - 1.0
        return np.where(degrees > 0, _tail(special.chdtrc(np.maximum(degrees, 1.0), distance)), np.nan)

    def _omnibus(self) -> tuple[Vector, Vector]:
        size = self._units.shape[1]
        if size < 2:
            nothing = np.full(len(self._units), np.nan)
            return nothing, nothing
        with np.errstate(divide="ignore", invalid="ignore"):
            if self._metric.kind == "proportion":
                pooled = (self._mean * self._count).sum(axis=1) / self._count.sum(axis=1)
                spread = (pooled * (1 - pooled))[:, None] / self._count
                statistic = ((self._mean - pooled[:, None]) ** 2 / spread).sum(axis=1)
                return statistic, _tail(special.chdtrc(size - 1, statistic))
            weight = self._count / self._variance
            total = weight.sum(axis=1)[:, None]
            common = (weight * self._mean).sum(axis=1)[:, None] / total
            between = (weight * (self._mean - common) ** 2).sum(axis=1) / (size - 1)
            lost = ((1 - weight / total) ** 2 / (self._count - 1)).sum(axis=1)
            statistic = between / (1 + 2 * (size - 2) * lost / (size**2 - 1))
            return statistic, _tail(special.fdtrc(size - 1, (size**2 - 1) / (3 * lost), statistic))

    def pairs(self, alpha: float, correction: Correction) -> dict[str, NDArray[Any]]:
        """Every pair of arms of each experiment, arms by their places."""
        left, right = self._pairs()
        mine = np.arange(len(self._places))[:, None]
        if self._name in self._arms.moments:
            return self._adjusted_pairs(
                self._places[mine, left], self._places[mine, right], alpha, correction
            )
        (n0, n1), (m0, m1), (v0, v1) = (
            (each[mine, left], each[mine, right]) for each in (self._count, self._mean, self._variance)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            v0, v1 = v0 / n0, v1 / n1
            variance = v0 + v1
            share = v0 / variance
            degrees = 1.0 / (share**2 / (n0 - 1) + (1 - share) ** 2 / (n1 - 1))
            if isinstance(self._estimator, ZTest):
                degrees = np.full_like(degrees, np.inf)
            is_known = (n0 > 1) & (n1 > 1) & (variance > 0)
            error = np.sqrt(np.where(is_known, variance, np.nan))
            difference = m1 - m0
            distance = -np.abs(difference) / error
            is_normal = np.isinf(degrees)
            p = _tail(2 * np.where(is_normal, special.ndtr(distance), special.stdtr(degrees, distance)))
            critical = _critical(degrees, alpha)
            half = critical * error
            relative, low, high = _lifts(m0, difference, v0, v1, critical, half)
        order = np.broadcast_to(self._experiments[:, None], left.shape)
        return {
            "order": order.ravel(),
            "control": self._places[mine, left].ravel(),
            "treatment": self._places[mine, right].ravel(),
            "control_n": n0.ravel(),
            "treatment_n": n1.ravel(),
            "control_value": m0.ravel(),
            "treatment_value": m1.ravel(),
            "difference": difference.ravel(),
            "standard_error": error.ravel(),
            "lower": (difference - half).ravel(),
            "upper": (difference + half).ravel(),
            "relative": relative.ravel(),
            "relative_lower": low.ravel(),
            "relative_upper": high.ravel(),
            "p": p.ravel(),
            "adjusted_p": adjust_rows(p, correction).ravel(),
        }

    def _adjusted_pairs(
        self,
        control: NDArray[np.int64],
        treatment: NDArray[np.int64],
        alpha: float,
        correction: Correction,
    ) -> dict[str, NDArray[Any]]:
        """The same pairs, pair by pair, by an estimator that reads covariates."""
        moments = self._arms.moments[self._name]
        rows = []
        for left, right in zip(control.ravel().tolist(), treatment.ravel().tolist(), strict=True):
            pair = moments[left], moments[right]
            contrast = self._estimator.contrast(self._metric, [pair])
            judged = Judgement(math.nan)
            values = math.nan, math.nan
            if contrast is not None:
                is_known = is_testable(contrast)
                judged = by_test(contrast, alpha=alpha) if is_known else untested(contrast)
                values = contrast.control.mean, contrast.treatment.mean
            rows.append((pair[0].count, pair[1].count, *values, *(getattr(judged, name) for name in _JUDGED)))
        # None is not a number.
        columns = np.array(rows, np.float64).reshape(len(rows), 4 + len(_JUDGED)).T
        named = dict(
            zip(("control_n", "treatment_n", "control_value", "treatment_value"), columns, strict=False)
        )
        named |= dict(zip(_JUDGED_AS, columns[4:], strict=True))
        adjusted = adjust_rows(named["p"].reshape(control.shape), correction)
        return {
            "order": np.broadcast_to(self._experiments[:, None], control.shape).ravel(),
            "control": control.ravel(),
            "treatment": treatment.ravel(),
            **named,
            "adjusted_p": adjusted.ravel(),
        }

    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        size = self._places.shape[1]
        if self._control is None:
            left, right = np.triu_indices(size, 1)
            shape = (len(self._places), len(left))
            return np.broadcast_to(left, shape), np.broadcast_to(right, shape)
        is_control = (self._arms.variants == self._control).to_numpy()[self._places]
        has_control = is_control.any(axis=1)
        self._places, self._experiments = self._places[has_control], self._experiments[has_control]
        self._count, self._mean, self._variance = (
            each[has_control] for each in (self._count, self._mean, self._variance)
        )
        others = np.argsort(is_control[has_control], axis=1, kind="stable")
        return np.broadcast_to(others[:, -1:], (len(others), size - 1)), others[:, :-1]


def by_size(arms: ManyArms) -> Iterator[NDArray[np.int64]]:
    """Places of arms, experiments by arms, for each number of arms that occurs."""
    sizes = np.diff(arms.starts)
    for size in np.unique(sizes):
        yield arms.starts[:-1][sizes == size][:, None] + np.arange(size)


def _tail(p: Vector) -> Vector:
    """Never 0, which would be a claim that no data can make; NaN stays."""
    return np.maximum(np.minimum(p, 1.0), SMALLEST_P)


def _critical(degrees: Vector, alpha: float) -> Vector:
    """Upper quantiles of t at alpha / 2."""
    z = -float(special.ndtri(alpha / 2))
    # Abramowitz and Stegun 1964, 26.7.5.
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    critical = np.full_like(degrees, z)
    for power, term in enumerate(terms, start=1):
        critical += term / degrees**power
    few = degrees < _MANY_DEGREES
    critical[few] = -special.stdtrit(degrees[few], alpha / 2)
    return critical


def _lifts(
    control: Vector, difference: Vector, v0: Vector, v1: Vector, critical: Vector, half: Vector
) -> tuple[Vector, Vector, Vector]:
    """`relative_lift` of the estimators for many pairs at once."""
    value = difference / control
    scale = (critical / control) ** 2
    control_part, treatment_part = scale * v0, scale * v1
    a = 1.0 - control_part
    b = value + control_part
    c = ((difference - half) / control) * ((difference + half) / control)
    root = np.sqrt(treatment_part * a + control_part * (1.0 + value) ** 2)
    larger = (b + np.copysign(root, b)) / a
    smaller = np.where(larger != 0.0, c / (a * larger), 0.0)
    is_bounded = (control > 0) & (a > 0)
    bounds = np.minimum(smaller, larger), np.maximum(smaller, larger)
    return (
        np.where(control > 0, value, np.nan),
        np.where(is_bounded, bounds[0], np.nan),
        np.where(is_bounded, bounds[1], np.nan),
    )
