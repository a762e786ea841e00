"""Evaluations drawn by matplotlib, which the extra `plots` installs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labfactory.base.errors import StatisticsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from labfactory.lab.comparison import Comparison
    from labfactory.lab.evaluation import Evaluation
    from labfactory.lab.sequential import Look


def interval_plot(evaluation: Evaluation, metric: str | None) -> Figure:
    """Intervals of all comparisons, or of one metric and its segments; see `Evaluation.plot`."""
    rows = [("", row) for row in evaluation.rows if metric in (None, row.metric)]
    if not rows:
        known = ", ".join(dict.fromkeys(row.metric for row in evaluation.rows))
        message = f"expected a metric of {evaluation.experiment!r}, found {metric!r}"
        raise StatisticsError(message, code="unknown_comparison", hint=f"it compares {known}")
    if metric is not None:
        rows += [
            (f"{each.dimension} {each.segment or '(none)'}: ", each.row)
            for each in evaluation.segments
            if each.row.metric == metric
        ]
    figure, axes = _canvas(height=1.2 + 0.35 * len(rows))
    is_relative = all(row.relative_lower is not None for _, row in rows)
    for place, (segment, row) in enumerate(reversed(rows)):
        _draw_interval(axes, place, row, is_relative=is_relative)
        name = f"{segment}{row.metric}, {row.variant}"
        axes.text(-0.02, place, name, transform=axes.get_yaxis_transform(), ha="right", va="center")
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_yticks([])
    unit = "relative lift, percent" if is_relative else "difference"
    axes.set_xlabel(f"{unit}, {100 * (1 - evaluation.alpha):g} % intervals against {evaluation.control}")
    axes.set_title(evaluation.experiment)
    return figure


def look_plot(looks: Sequence[Look]) -> Figure:
    """Intervals over the looks of a stop rule.

    Args:
        looks: Looks in order; those without an interval are left out.

    Returns:
        A matplotlib figure: difference and bounds over the units of both arms.

    Raises:
        UsageError: `missing_extra`, when matplotlib is not installed.
    """
    figure, axes = _canvas(height=4.0)
    known = [
        (look.control_n + look.treatment_n, look.value, look.lower, look.upper)
        for look in looks
        if look.lower is not None and look.upper is not None
    ]
    if known:
        units, values, lower, upper = zip(*known, strict=True)
        axes.fill_between(units, lower, upper, alpha=0.25)
        axes.plot(units, values, marker="o", markersize=3)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel("units of both arms")
    axes.set_ylabel("difference")
    if looks:
        axes.set_title(looks[-1].rule)
    return figure


def _canvas(*, height: float) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        message = "expected matplotlib for a plot, found it is not installed"
        raise UsageError(message, code="missing_extra", hint="pip install 'labfactory[plots]'") from error
    # Not pyplot: no global figure is opened, and no window system asked for.
    figure = Figure(figsize=(8.0, height), layout="constrained")
    return figure, figure.add_subplot()


def _draw_interval(axes: Axes, place: int, row: Comparison, *, is_relative: bool) -> None:
    figures = (
        (row.relative, row.relative_lower, row.relative_upper)
        if is_relative
        else (row.difference, row.lower, row.upper)
    )
    value, lower, upper = (
        None if figure is None else figure * (100 if is_relative else 1) for figure in figures
    )
    if lower is not None and upper is not None:
        axes.plot([lower, upper], [place, place], color="tab:blue", linewidth=2)
    if value is not None:
        axes.plot([value], [place], marker="o", color="tab:blue")
