"""What the rows of an experiment are read for: sums, quantiles and replicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.aggregates import Aggregates
from labfactory.lab.bootstrap import Bootstrap, replicated
from labfactory.lab.compare import Responses
from labfactory.lab.metric import Quantile
from labfactory.lab.quantile import quantile_samples
from labfactory.lab.reading import ResponseColumns, named_batches, summed
from labfactory.lab.sum_layout import SumLayout

if TYPE_CHECKING:
    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.estimators import Sample
    from labfactory.lab.experiment import Experiment
    from labfactory.lab.metric import Metric
    from labfactory.lab.options import Options
    from labfactory.lab.sum_layout import Bounds


def prepared(
    responses: Any, experiment: Experiment, columns: ResponseColumns, options: Options, *, threads: int
) -> Responses:
    """Read responses for an evaluation.

    Args:
        responses: Rows, or aggregates of them.
        experiment: Its metrics and variants.
        columns: Which columns say what.
        options: What will be asked.
        threads: Most threads to use.

    Returns:
        Sums, and what only rows can say.

    Raises:
        UsageError: `needs_rows`, `needs_exposure`.
        StatisticsError: As `summed` does; `aggregates_differ`, when aggregates are of another experiment.
    """
    if isinstance(responses, Aggregates):
        _check_sums(responses, experiment, columns, options.estimator)
        return Responses(responses)
    _check_windows(experiment, columns)
    quantiles = [name for name, metric in experiment.metrics.items() if metric.kind == "quantile"]
    if quantiles or isinstance(options.estimator, Bootstrap) or _percentiles(experiment):
        responses = _held(responses, experiment, columns, options.estimator)
    sums = _summed(responses, experiment, columns, options.estimator, threads=threads)
    samples: dict[tuple[str, str], Sample | None] = {}
    for name, metric in experiment.metrics.items():
        if isinstance(metric, Quantile):
            found = quantile_samples(responses, metric, variant=columns.variant, variants=experiment.variants)
            samples |= {(name, variant): sample for variant, sample in found.items()}
    replicates = {}
    if isinstance(options.estimator, Bootstrap):
        replicates = replicated(responses, sums.layout, experiment, columns, options, threads=threads)
    return Responses(sums, samples, replicates)


def aggregated(
    responses: Any,
    experiment: Experiment,
    columns: ResponseColumns,
    estimator: Estimator,
    *,
    threads: int,
) -> Aggregates:
    """Sum up responses for a later evaluation; see `Experiment.aggregate`."""
    _check_windows(experiment, columns)
    _refuse_rows(experiment, estimator)
    if _percentiles(experiment):
        responses = _held(responses, experiment, columns, estimator)
    return _summed(responses, experiment, columns, estimator, threads=threads)


def _summed(
    responses: Any, experiment: Experiment, columns: ResponseColumns, estimator: Estimator, *, threads: int
) -> Aggregates:
    metrics = {name: metric for name, metric in experiment.metrics.items() if metric.kind != "quantile"}
    layout = SumLayout.of(
        metrics,
        {name: estimator.covariates(name) for name in metrics},
        {name: _bounds(responses, metric, columns) for name, metric in _percentiles(experiment).items()},
    )
    return summed(responses, layout, variants=experiment.variants, columns=columns, threads=threads)


def _percentiles(experiment: Experiment) -> dict[str, Metric]:
    return {
        name: metric
        for name, metric in experiment.metrics.items()
        if getattr(metric, "percentiles", None) is not None
    }


def _bounds(table: pa.Table, metric: Any, columns: ResponseColumns) -> Bounds:
    """Percentiles of the outcomes of all assigned units pooled."""
    known = table[columns.variant].is_valid()
    values = table[metric.column].filter(known).drop_null().cast(pa.float64()).to_numpy()
    if not values.size or not np.isfinite(values).all():
        # What is wrong with them is said where they are summed.
        return None, None
    lower, upper = (None if q is None else float(np.quantile(values, q)) for q in metric.percentiles)
    return lower, upper


def _held(responses: Any, experiment: Experiment, columns: ResponseColumns, estimator: Estimator) -> pa.Table:
    """The columns that are needed, in memory, to be read more than once."""
    if isinstance(responses, pa.Table):
        return responses
    estimated = [name for metric in experiment.metrics.values() for name in metric.columns]
    covariates = [name for metric in experiment.metrics for name in estimator.covariates(metric)]
    more = [
        name
        for metric in experiment.metrics.values()
        for name in (getattr(metric, "at", None), getattr(metric, "cluster", None))
    ]
    named = [columns.variant, columns.key, columns.exposed_at, *columns.split, *covariates, *estimated, *more]
    wanted = [name for name in named if name is not None]
    parts = [pa.table(batch) for batch in named_batches(responses, wanted)]
    return pa.concat_tables(parts, promote_options="default")


def _check_windows(experiment: Experiment, columns: ResponseColumns) -> None:
    for name, metric in experiment.metrics.items():
        if getattr(metric, "within", None) is not None and columns.exposed_at is None:
            message = (
                f"expected exposed_at, which the conversion window of {name!r} is counted from, found none"
            )
            raise UsageError(message, code="needs_exposure")


def _refuse_rows(experiment: Experiment, estimator: Estimator) -> None:
    for name, metric in experiment.metrics.items():
        if metric.kind == "quantile":
            message = f"expected metrics that sums can say, found the quantile {name!r}"
            raise UsageError(message, code="needs_rows", hint="evaluate the rows themselves")
    if isinstance(estimator, Bootstrap):
        message = f"expected an estimator that works on sums, found {estimator.name}"
        raise UsageError(message, code="needs_rows", hint="evaluate the rows themselves")


def _check_sums(
    sums: Aggregates, experiment: Experiment, columns: ResponseColumns, estimator: Estimator
) -> None:
    _refuse_rows(experiment, estimator)
    expected = SumLayout.of(
        experiment.metrics, {name: estimator.covariates(name) for name in experiment.metrics}
    )
    missing = [name for name in columns.split if name not in sums.dimensions]
    layouts = [[_shape(layout, each) for each in layout.sets] for layout in (expected, sums.layout)]
    if layouts[0] == layouts[1] and sums.variants == experiment.variants and not missing:
        return
    found = f"{', '.join(sums.variants)}; {', '.join(each.metric for each in sums.layout.sets)}"
    message = f"expected sums of {experiment.name!r} for {estimator.name}, found others: {found}"
    hint = (
        f"they are not split by {', '.join(missing)}"
        if missing
        else "sum with the same estimator and metrics"
    )
    raise StatisticsError(message, code="aggregates_differ", hint=hint)


def _shape(layout: SumLayout, each: Any) -> tuple[Any, ...]:
    return each.metric, each.required, tuple(layout.numbers[place].column for place in each.members)
