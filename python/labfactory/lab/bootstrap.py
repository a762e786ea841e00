"""The bootstrap: intervals from resampled rows, where no formula is to be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labfactory._core import stats as core
from labfactory.base.errors import UsageError
from labfactory.lab.adjustment import Welch
from labfactory.lab.judgement import Judgement
from labfactory.lab.reading import as_text, core_batch, instants, named_batches, wanted_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labfactory.lab.adjustment import Contrast
    from labfactory.lab.experiment import Experiment
    from labfactory.lab.options import Options
    from labfactory.lab.reading import ResponseColumns
    from labfactory.lab.sum_layout import SumLayout


@dataclass(frozen=True, slots=True)
class Bootstrap(Welch):
    """Difference of means or ratios with a percentile interval from Poisson resamples of the rows.

    Every row has a Poisson weight of mean 1 in every replicate, a function of seed, row and replicate: the
    same rows in the same order give the same bits for any batches and threads. The interval of the lift
    comes from the same replicates, so both decide alike. p is twice the share of replicates on the other
    side of no difference, and cannot be below 2 / (replicates + 1).

    Args:
        replicates: How many resamples, 100 or more.
        seed: From 0 to 2^64 - 1.

    Raises:
        UsageError: `estimator`, when an option is not as said.

    References:
        Chamandy, Muralidharan, Najmi and Naidu (2012), "Estimating uncertainty for massive data streams".
        Davison and Hinkley (1997), "Bootstrap methods and their application", 5.3.

    Example:
        >>> Bootstrap(replicates=1000, seed=7).name
        'bootstrap(1000, seed 7)'
    """

    replicates: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not (100 <= self.replicates <= 1_000_000 and 0 <= self.seed < 2**64):
            message = (
                "expected 100 to 1,000,000 replicates and a seed from 0 to 2^64 - 1, found "
                f"{self.replicates} and {self.seed}"
            )
            raise UsageError(message, code="estimator")

    @property
    def name(self) -> str:
        """Name, replicates and seed."""
        return f"bootstrap({self.replicates}, seed {self.seed})"


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """Values of one metric by replicate.

    Args:
        control: The control's.
        treatments: Those of the treatments, by name.
        variance_factor: Distances from the estimate are stretched by its root.
    """

    control: NDArray[np.float64]
    treatments: Mapping[str, NDArray[np.float64]]
    variance_factor: float = 1.0

    def judge(self, contrast: Contrast, treatment: str, *, alpha: float) -> Judgement:
        """Percentile intervals of the difference and of the lift."""
        value = contrast.treatment.minus(contrast.control)
        stretch = math.sqrt(self.variance_factor)
        before = contrast.control.mean + stretch * (self.control - contrast.control.mean)
        after = contrast.treatment.mean + stretch * (self.treatments[treatment] - contrast.treatment.mean)
        known = np.isfinite(before) & np.isfinite(after)
        before, after = before[known], after[known]
        differences = after - before
        lower, upper = np.quantile(differences, [alpha / 2, 1 - alpha / 2])
        sides = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
        p = min(1.0, 2 * (sides + 1) / (differences.size + 1))
        judged = Judgement(value, float(differences.std(ddof=1)), float(lower), float(upper), p)
        if not contrast.control.mean > 0:
            return judged
        relative = value / contrast.control.mean
        if not (before > 0).all():
            return Judgement(value, judged.standard_error, judged.lower, judged.upper, p, relative)
        low, high = np.quantile(differences / before, [alpha / 2, 1 - alpha / 2])
        return Judgement(
            value, judged.standard_error, judged.lower, judged.upper, p, relative, float(low), float(high)
        )


def replicated(
    responses: Any,
    layout: SumLayout,
    experiment: Experiment,
    columns: ResponseColumns,
    options: Options,
    *,
    threads: int,
) -> dict[str, Replicates]:
    """Resample responses.

    Args:
        responses: The rows, once more.
        layout: What was summed of them.
        experiment: Its variants and metrics.
        columns: Which columns say what.
        options: The bootstrap, the control, and the variance factor.
        threads: Most threads to use.

    Returns:
        Replicates by metric.
    """
    estimator = options.estimator
    assert isinstance(estimator, Bootstrap)
    resampling = core.Resampling(
        list(experiment.variants),
        layout.native_columns,
        layout.native_sets,
        estimator.replicates,
        estimator.seed,
    )
    for batch in named_batches(responses, wanted_columns(layout, columns)):
        exposed = instants(batch, columns.exposed_at)
        resampling.add(
            core_batch(layout, columns, batch, [as_text(batch[columns.variant])], exposed), threads
        )
    sums = resampling.totals(threads).reshape(estimator.replicates, len(experiment.variants), -1)
    found = {}
    start = 0
    for each in layout.sets:
        weights, *outcomes = np.moveaxis(sums[:, :, start : start + 1 + each.required], 2, 0)
        start += 1 + each.required
        with np.errstate(divide="ignore", invalid="ignore"):
            values = outcomes[0] / (outcomes[1] if each.required == 2 else weights)
        by_arm = dict(zip(experiment.variants, values.T, strict=True))
        found[each.metric] = Replicates(by_arm.pop(options.control), by_arm, options.variance_factor)
    return found
