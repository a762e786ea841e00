"""What is known of a metric before an experiment: its value, its variance, what explains it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special

from labfactory.base.columns import float_values
from labfactory.base.errors import StatisticsError, UsageError
from labfactory.base.sources import batches
from labfactory.lab.metric import Quantile, Ratio
from labfactory.lab.reading import check_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from labfactory.lab.metric import Kind, Metric, Outcome

    Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A metric as it stands, per unit of randomisation.

    Args:
        kind: `mean`, `proportion`, `count`, `ratio` or `quantile`. Under an effect the variance of a
            proportion and of a count moves with the value, that of the others stays.
        value: The metric's value.
        variance: Units times the variance of the value that they give; for a mean the variance of the
            outcome.
        rho_squared: Share of the variance that covariates known before explain, from 0 to below 1.
        units: Units that this was learnt from; None when it was stated.
        units_per_day: Units that came a day; None when not known.

    Raises:
        UsageError: `baseline`, for a number that cannot be.

    Example:
        >>> Baseline.of_proportion(0.05).variance
        0.0475
    """

    kind: Kind
    value: float
    variance: float
    rho_squared: float = 0.0
    units: int | None = None
    units_per_day: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.variance) and self.variance > 0):
            message = (
                f"expected a finite value and a variance above 0, found {self.value} and {self.variance}"
            )
            raise UsageError(message, code="baseline")
        if not 0 <= self.rho_squared < 1:
            message = f"expected rho_squared from 0 to below 1, found {self.rho_squared}"
            raise UsageError(message, code="baseline", hint="it is a share of the variance")
        if self.kind == "proportion" and not 0 < self.value < 1:
            message = f"expected a proportion above 0 and below 1, found {self.value}"
            raise UsageError(message, code="baseline")
        if self.kind == "count" and not self.value > 0:
            message = f"expected a mean count above 0, found {self.value}"
            raise UsageError(message, code="baseline")

    @staticmethod
    def of_mean(mean: float, *, variance: float) -> Baseline:
        """A stated mean and variance of the outcome."""
        return Baseline("mean", mean, variance)

    @staticmethod
    def of_proportion(rate: float) -> Baseline:
        """A stated share of units.

        Raises:
            UsageError: `baseline`, when it is not above 0 and below 1.
        """
        return Baseline("proportion", rate, max(rate * (1 - rate), math.ulp(0)))

    @staticmethod
    def of_count(mean: float, *, dispersion: float = 1.0) -> Baseline:
        """A stated mean number of events per unit.

        Args:
            mean: Events per unit.
            dispersion: Variance over mean; 1 is Poisson, people differ by more.
        """
        return Baseline("count", mean, mean * dispersion)

    @staticmethod
    def of_ratio(numerators: ArrayLike, denominators: ArrayLike) -> Baseline:
        """A sum over a sum, from one pair of values per unit; its variance by the delta method.

        References:
            Deng, Knoblich and Lu (2018), "Applying the delta method in metric analytics".
        """
        above, below = _array(numerators), _array(denominators)
        if not below.mean() > 0:
            message = f"expected denominators of mean above 0, found {below.mean()}"
            raise StatisticsError(message, code="baseline_data")
        value = float(above.mean() / below.mean())
        return Baseline("ratio", value, float(np.var((above - value * below) / below.mean(), ddof=1)))

    @staticmethod
    def of_quantile(values: ArrayLike, q: float) -> Baseline:
        """A quantile of one value per unit; its variance by the spacing of the order statistics around it.

        Args:
            values: One per unit.
            q: Which quantile, above 0 and below 1.

        References:
            McKean and Schrader (1984), "A comparison of methods for studentizing the sample median".
        """
        if not 0 < q < 1:
            message = f"expected q above 0 and below 1, found {q}"
            raise UsageError(message, code="baseline")
        ordered = np.sort(_array(values))
        count = len(ordered)
        z = -float(special.ndtri(0.025))
        reach = z * math.sqrt(count * q * (1 - q))
        low = ordered[max(0, math.floor(count * q - reach) - 1)]
        high = ordered[min(count - 1, math.ceil(count * q + reach))]
        value = float(np.quantile(ordered, q))
        return Baseline("quantile", value, float(count * ((high - low) / (2 * z)) ** 2))

    @staticmethod
    def from_history(
        history: Any, metric: Metric, *, covariates: Sequence[str] = (), day: str | None = None
    ) -> Baseline:
        """A metric as past units show it.

        Args:
            history: Anything Arrow with one row per unit; rows where a column is null are left out.
                Conversion windows are not applied: the outcomes are those that would be counted.
            metric: What is measured; of a quantile the cluster is not used.
            covariates: Columns known before, as CUPED would use them: what they explain of a mean, proportion
                or count is `rho_squared`.
            day: Column with the date or time at which each unit came, from which `units_per_day` is learnt.

        Returns:
            The baseline.

        Raises:
            StatisticsError: `baseline_data`, for fewer than two units, values that are not finite, or no
                variance.
            SourceError: When a column is missing or of the wrong type, or the source cannot be read.

        Example:
            >>> import polars as pl
            >>> from labfactory.lab import Mean
            >>> history = pl.DataFrame({"spend": [0.0, 10.0, 0.0, 30.0], "before": [1.0, 8.0, 0.0, 20.0]})
            >>> baseline = Baseline.from_history(history, Mean("spend"), covariates=["before"])
            >>> baseline.value, baseline.variance, round(baseline.rho_squared, 3)
            (10.0, 200.0, 0.993)
        """
        outcomes = metric.columns
        columns = [*outcomes, *covariates, *([day] if day else [])]
        table = pa.Table.from_batches(batches(history, columns=columns)).drop_null()
        values = [_floats(table, name) for name in [*outcomes, *covariates]]
        if table.num_rows < 2:
            message = f"expected two units or more, found {table.num_rows} with all of {', '.join(columns)}"
            raise StatisticsError(message, code="baseline_data")
        found = _of_values(metric, values[: len(outcomes)])
        if covariates and found.kind in ("mean", "proportion", "count"):
            found = replace(found, rho_squared=_explained(values[0], values[1:]))
        days = None if day is None else _days(table.column(day))
        return replace(found, units=table.num_rows, units_per_day=days and table.num_rows / days)

    def variance_at(self, value: float) -> float:
        """The variance, unexplained by covariates, of an arm whose metric has this value."""
        match self.kind:
            case "proportion":
                variance = value * (1 - value)
            case "count":
                variance = self.variance * value / self.value
            case _:
                variance = self.variance
        return variance * (1 - self.rho_squared)


def _of_values(metric: Metric, values: list[Values]) -> Baseline:
    if isinstance(metric, Ratio):
        return Baseline.of_ratio(*map(_capped, metric.outcomes, values))
    if isinstance(metric, Quantile):
        return Baseline.of_quantile(values[0], metric.q)
    outcomes = _capped(metric.outcomes[0], values[0])
    variance = float(np.var(outcomes, ddof=1))
    if not variance > 0:
        message = f"expected outcomes that differ, found {len(outcomes)} times {outcomes[0]}"
        raise StatisticsError(message, code="baseline_data")
    return Baseline(metric.kind, float(outcomes.mean()), variance)


def _capped(outcome: Outcome, values: Values) -> Values:
    """Winsorised as the metric says."""
    low, high = outcome.bounds or (None, None)
    if outcome.percentiles is not None:
        low, high = (
            None if share is None else float(np.quantile(values, share)) for share in outcome.percentiles
        )
    return values if low is high is None else np.clip(values, low, high)


def _explained(outcomes: Values, covariates: list[Values]) -> float:
    """The share of variance that a linear regression explains."""
    centred = np.column_stack([covariate - covariate.mean() for covariate in covariates])
    scales = centred.std(axis=0)
    outcomes = outcomes - outcomes.mean()
    kept = centred[:, scales > 0] / scales[scales > 0]
    fitted = kept @ np.linalg.lstsq(kept, outcomes, rcond=None)[0]
    # Adjusted for their number; a perfect fit would promise a test that needs nobody.
    degrees = len(outcomes) - 1 - kept.shape[1]
    if degrees < 1:
        return 0.0
    left = float(np.sum((outcomes - fitted) ** 2)) / degrees / float(np.var(outcomes, ddof=1))
    share: float = min(max(1 - left, 0.0), math.nextafter(1.0, 0.0))
    return share


def _days(column: pa.ChunkedArray) -> float:
    """Days from the first to the last, both counted."""
    span = pc.min_max(column.cast(pa.date32())).as_py()
    days: int = (span["max"] - span["min"]).days
    return days + 1.0


def _floats(table: pa.Table, name: str) -> Values:
    column = table.column(name)
    check_numbers(column.type, name)
    return _array(float_values(column).to_numpy())


def _array(values: ArrayLike) -> Values:
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        message = f"expected finite values, found {int((~np.isfinite(array)).sum())} others"
        raise StatisticsError(message, code="baseline_data", hint="make unknown outcomes null")
    return array
