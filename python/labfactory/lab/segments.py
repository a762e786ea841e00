"""Segments: the same comparison within each, and whether the treatment does the same in all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from labfactory.lab.adjustment import Welch
from labfactory.lab.compare import Responses, RowFigures, compared
from labfactory.lab.comparison import Interaction, SegmentComparison
from labfactory.lab.estimators import heterogeneity
from labfactory.lab.multiplicity import adjust

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labfactory.lab.comparison import Comparison
    from labfactory.lab.metric import Metric
    from labfactory.lab.options import Options


def segmented(
    metrics: Mapping[str, Metric], responses: Responses, options: Options
) -> tuple[tuple[SegmentComparison, ...], tuple[Interaction, ...]]:
    """Comparisons within every segment of every dimension, and an interaction test of each.

    Args:
        metrics: Metrics by name.
        responses: Sums that are split by the dimensions, and what rows say of each segment.
        options: Dimensions, and how to compare.

    Returns:
        Comparisons and interactions, p-values of each kind adjusted for the rate of false discoveries.
    """
    sums = responses.sums
    plain = replace(options, correction=None, segments=(), earlier=())
    rows: list[SegmentComparison] = []
    for dimension in options.segments:
        keep = [name for name in (dimension, options.estimator.stratum) if name is not None]
        parts = sums.by(*dict.fromkeys(keep))
        for value in parts.values(dimension):
            part = parts.only(dimension, [value])
            if options.estimator.stratum == dimension:
                plain = replace(plain, estimator=Welch())
            mine = Responses(part, responses.segments.get((dimension, value), RowFigures()))
            rows += [SegmentComparison(dimension, value, row) for row in compared(metrics, mine, plain)]
    adjusted = adjust([each.row.p for each in rows], "bh")
    rows = [
        replace(each, row=replace(each.row, adjusted_p=p)) for each, p in zip(rows, adjusted, strict=True)
    ]
    interactions = [
        _interaction(dimension, name, variant, rows)
        for dimension in options.segments
        for name in metrics
        for variant in options.treatments
    ]
    discovered = adjust([each.p for each in interactions], "bh")
    return tuple(rows), tuple(
        replace(each, adjusted_p=p) for each, p in zip(interactions, discovered, strict=True)
    )


def _interaction(dimension: str, metric: str, variant: str, rows: Sequence[SegmentComparison]) -> Interaction:
    mine: list[Comparison] = [
        each.row
        for each in rows
        if each.dimension == dimension and (each.row.metric, each.row.variant) == (metric, variant)
    ]
    known = [
        (row.difference, row.standard_error**2)
        for row in mine
        if row.difference is not None and row.standard_error is not None
    ]
    statistic, p = heterogeneity(known)
    return Interaction(dimension, metric, variant, len(known), statistic, p, None)
