"""What the rows of an experiment are read for: sums, quantiles and replicates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labfactory.base.columns import float_values, plain_table
from labfactory.base.errors import StatisticsError, UsageError
from labfactory.lab.aggregates import Aggregates
from labfactory.lab.arm_rows import arm_rows
from labfactory.lab.bootstrap import Bootstrap, replicated
from labfactory.lab.compare import Responses, RowFigures
from labfactory.lab.groups import encoded
from labfactory.lab.metric import Quantile
from labfactory.lab.quantile import quantile_samples
from labfactory.lab.reading import ResponseColumns, check_numbers, instants, named_batches, summed, windowed
from labfactory.lab.sum_layout import SumLayout

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from labfactory.lab.adjustment import Estimator
    from labfactory.lab.estimators import Sample
    from labfactory.lab.experiment import Experiment
    from labfactory.lab.metric import Limits, Metric, Outcome
    from labfactory.lab.options import Options
    from labfactory.lab.sum_layout import NumberSet


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
    needs_rows = _needs_rows(options.estimator) or any(
        metric.kind == "quantile" for metric in experiment.metrics.values()
    )
    if needs_rows or _percentiles(experiment):
        responses = _held(responses, experiment, columns, options.estimator)
    sums = _summed(responses, experiment, columns, options.estimator, threads=threads)
    if not needs_rows:
        return Responses(sums)

    def figures(rows: pa.Table) -> RowFigures:
        return _figures_of(rows, sums.layout, experiment, columns, options, threads=threads)

    segments = {
        (dimension, value): figures(rows)
        for dimension in options.segments
        for value, rows in _segments(plain_table(responses), dimension)
    }
    return Responses(sums, figures(responses), segments)


def _figures_of(
    rows: pa.Table,
    layout: SumLayout,
    experiment: Experiment,
    columns: ResponseColumns,
    options: Options,
    *,
    threads: int,
) -> RowFigures:
    samples: dict[tuple[str, str], Sample | None] = {}
    for name, metric in experiment.metrics.items():
        if isinstance(metric, Quantile):
            found = quantile_samples(rows, metric, variant=columns.variant, variants=experiment.variants)
            samples |= {(name, variant): sample for variant, sample in found.items()}
    if isinstance(options.estimator, Bootstrap):
        return RowFigures(samples, replicated(rows, layout, experiment, columns, options, threads=threads))
    if _needs_rows(options.estimator):
        return RowFigures(
            samples, numbers=arm_rows(rows, layout, variants=experiment.variants, columns=columns)
        )
    return RowFigures(samples)


def _needs_rows(estimator: Estimator) -> bool:
    """Whether sums are not all that the estimator reads."""
    return isinstance(estimator, Bootstrap) or getattr(estimator, "errors", "residual") != "residual"


def _segments(rows: pa.Table, dimension: str) -> Iterator[tuple[str | None, pa.Table]]:
    """The rows of each value of a column."""
    values, codes = encoded(rows[dimension].combine_chunks())
    for code in np.unique(codes).tolist():
        yield values[code], rows.filter(pa.array(codes == code))


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
        {
            name: [_bounds(responses, outcome, columns) for outcome in metric.outcomes]
            for name, metric in _percentiles(experiment).items()
        },
    )
    return summed(responses, layout, variants=experiment.variants, columns=columns, threads=threads)


def _percentiles(experiment: Experiment) -> dict[str, Metric]:
    return {
        name: metric
        for name, metric in experiment.metrics.items()
        if any(outcome.percentiles is not None for outcome in metric.outcomes)
    }


def _bounds(table: pa.Table, outcome: Outcome, columns: ResponseColumns) -> Limits | None:
    """Percentiles of the outcomes of all assigned units pooled; None where the bounds are stated."""
    if outcome.percentiles is None:
        return None
    check_numbers(table[outcome.column].type, outcome.column)
    batch = {
        name: table[name].combine_chunks()
        for name in (outcome.column, columns.variant, columns.exposed_at, outcome.at)
        if name is not None
    }
    counted = windowed(batch, outcome.column, instants(batch, columns.exposed_at), outcome.at, outcome.within)
    known = batch[columns.variant].is_valid()
    values = float_values(counted.filter(known).drop_null()).to_numpy(zero_copy_only=False)
    if not values.size or not np.isfinite(values).all():
        # What is wrong with them is said where they are summed.
        return None, None
    lower, upper = (None if q is None else float(np.quantile(values, q)) for q in outcome.percentiles)
    return lower, upper


def _held(responses: Any, experiment: Experiment, columns: ResponseColumns, estimator: Estimator) -> pa.Table:
    """The columns that are needed, in memory, to be read more than once."""
    if isinstance(responses, pa.Table):
        return responses
    estimated = [name for metric in experiment.metrics.values() for name in metric.columns]
    covariates = [name for metric in experiment.metrics for name in estimator.covariates(metric)]
    more = [getattr(metric, "cluster", None) for metric in experiment.metrics.values()]
    more += [outcome.at for metric in experiment.metrics.values() for outcome in metric.outcomes]
    named = [columns.variant, columns.key, columns.exposed_at, *columns.split, *covariates, *estimated, *more]
    wanted = [name for name in named if name is not None]
    parts = [pa.table(batch) for batch in named_batches(responses, wanted)]
    return pa.concat_tables(parts, promote_options="default")


def _check_windows(experiment: Experiment, columns: ResponseColumns) -> None:
    for name, metric in experiment.metrics.items():
        if any(outcome.at is not None for outcome in metric.outcomes) and columns.exposed_at is None:
            message = (
                f"expected exposed_at, which the conversion window of {name!r} is counted from, found none"
            )
            raise UsageError(message, code="needs_exposure")


def _refuse_rows(experiment: Experiment, estimator: Estimator) -> None:
    for name, metric in experiment.metrics.items():
        if metric.kind == "quantile":
            message = f"expected metrics that sums can say, found the quantile {name!r}"
            raise UsageError(message, code="needs_rows", hint="evaluate the rows themselves")
    if _needs_rows(estimator):
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
    percentiles = _percentiles(experiment)
    layouts = [
        [_shape(layout, each, percentiles) for each in layout.sets] for layout in (expected, sums.layout)
    ]
    if layouts[0] == layouts[1] and sums.variants == experiment.variants and not missing:
        return
    summed_up = f"{', '.join(sums.variants)}; {', '.join(each.metric for each in sums.layout.sets)}"
    message = f"expected sums of {experiment.name!r} for {estimator.name}, found others: {summed_up}"
    hint = (
        f"they are not split by {', '.join(missing)}"
        if missing
        else "sum with the same estimator and metrics"
    )
    raise StatisticsError(message, code="aggregates_differ", hint=hint)


def _shape(layout: SumLayout, each: NumberSet, found: Container[str]) -> tuple[Any, ...]:
    """What was summed of a metric; bounds that are found in the outcomes are those of the sums."""
    numbers = [layout.numbers[place] for place in each.members]
    if each.metric in found:
        numbers = [replace(number, lower=None, upper=None) for number in numbers]
    return each.metric, each.required, tuple(numbers)
