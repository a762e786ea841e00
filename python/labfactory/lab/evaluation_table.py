"""An evaluation as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labfactory.lab.comparison import Comparison
    from labfactory.lab.evaluation import Evaluation


def table_of(evaluation: Evaluation) -> str:
    """The heading, a line for each comparison, and a line for each reservation."""
    lines = [_heading(evaluation), *_aligned(_cells(evaluation))]
    lines += [
        f"~ {each.metric}, {each.variant} differs by {each.dimension}: adjusted p {each.adjusted_p:.3g}"
        for each in evaluation.interactions
        if each.adjusted_p is not None and each.adjusted_p <= evaluation.alpha
    ]
    departures = (f"≠ {departure}" for departure in evaluation.departures or ())
    return "\n".join([*lines, *departures, *(f"! {flag}" for flag in evaluation.flags)])


def _heading(evaluation: Evaluation) -> str:
    ratio = "not defined" if evaluation.srm_p is None else f"p {evaluation.srm_p:.3g}"
    parts = [
        f"{evaluation.experiment}: against {evaluation.control}",
        evaluation.method,
        f"alpha {evaluation.alpha:g}",
        f"sample ratio {ratio}",
        *([] if evaluation.runtime_days is None else [f"{evaluation.runtime_days:g} days"]),
        *evaluation.adjustments,
        f"looks {evaluation.looks}",
        f"corrections {', '.join(evaluation.corrections) or 'none'}",
    ]
    return ", ".join(parts)


def _cells(evaluation: Evaluation) -> Iterator[list[str]]:
    level = f"{100 * (1 - evaluation.alpha):g} %"
    is_posterior = any(row.chance_to_win is not None for row in evaluation.rows)
    is_corrected = any(row.adjusted_p is not None for row in evaluation.rows)
    tests = (
        ["chance to win", "expected loss"]
        if is_posterior
        else ["p", *(["adjusted p"] if is_corrected else [])]
    )
    yield [
        *("metric", "role", "variant", "control", "treatment", "difference", level, "relative", level),
        *tests,
        "",
    ]
    for row in evaluation.rows:
        yield [
            row.metric,
            row.role,
            row.variant,
            _number(row.control_value),
            _number(row.treatment_value),
            _number(row.difference, sign="+"),
            _interval(row.lower, row.upper),
            _percent(row.relative),
            _percent_interval(row.relative_lower, row.relative_upper),
            *_tests(row, tests),
            {None: "", True: "non-inferior", False: "not shown non-inferior"}[row.noninferior],
        ]


def _tests(row: Comparison, wanted: Sequence[str]) -> Iterator[str]:
    figures = {
        "p": row.p,
        "adjusted p": row.adjusted_p,
        "chance to win": row.chance_to_win,
        "expected loss": row.expected_loss,
    }
    for name in wanted:
        figure = figures[name]
        yield "–" if figure is None else f"{figure:.3g}"


def _aligned(cells: Iterator[list[str]]) -> Iterator[str]:
    rows = list(cells)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        # Names lean left, numbers right.
        padded = [
            cell.ljust(width) if place < 3 or place == len(row) - 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(padded).rstrip()


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.5g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.4g} %"


def _interval(lower: float | None, upper: float | None) -> str:
    return "–" if lower is None or upper is None else f"{lower:+.4g} … {upper:+.4g}"


def _percent_interval(lower: float | None, upper: float | None) -> str:
    return "–" if lower is None or upper is None else f"{100 * lower:+.3g} … {100 * upper:+.3g} %"
