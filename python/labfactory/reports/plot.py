"""The plot of an experiment's intervals: one panel per metric, drawn as SVG, without a script."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# One unit is a CSS pixel at full width; the page scales the whole.
_WIDTH = 860
_LEFT = 196
_RIGHT = 178
_ROW = 34
_HEAD = 30
_AXIS = 40
# Below the axis of a guardrail stands its margin.
_MARGIN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """How a variant differs from the control in one metric.

    Args:
        metric: The metric's name.
        variant: The arm that is compared with the control.
        role: goal, secondary or guardrail.
        difference: The estimate: the variant's value less the control's.
        lower: Lower end of its confidence interval.
        upper: Upper end.
        is_share: Whether the metric is a proportion, so that differences are percentage points.
        is_increase_better: Whether more of it is better.
        margin: For a guardrail the harm that is tolerated, above 0; null where none is set.
    """

    metric: str
    variant: str
    role: str
    difference: float
    lower: float
    upper: float
    is_share: bool = False
    is_increase_better: bool = True
    margin: float | None = None

    @property
    def tone(self) -> str:
        """`better`, `worse` or `open`: what the interval says, as the page colours it.

        A guardrail is better when its whole interval stays within the margin, worse when all of it is beyond.
        """
        sign = 1.0 if self.is_increase_better else -1.0
        low, high = sorted((sign * self.lower, sign * self.upper))
        floor = -(self.margin or 0.0) if self.role == "guardrail" else 0.0
        return "better" if low > floor else "worse" if high < floor else "open"

    @property
    def text(self) -> str:
        """The estimate with its interval, as people write it."""
        return f"{number(self, self.difference)} [{number(self, self.lower)}, {number(self, self.upper)}]"


def number(interval: Interval, value: float) -> str:
    """A difference, signed, in percentage points for a proportion; a dash when there is none."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else f"{value:+}".replace("inf", "∞").replace("-", "−")
    scaled = value * 100 if interval.is_share else value
    places = 2 if abs(scaled) < 100 else 1 if abs(scaled) < 1000 else 0
    if 0 < abs(scaled) < 0.1 and not interval.is_share:
        places = 4
    rounded = f"{scaled:+.{places}f}".replace("-", "−")
    return rounded if float(rounded.replace("−", "-")) else rounded[1:]


def interval_plot(intervals: Sequence[Interval]) -> str:
    """Draw intervals, one panel per metric in the order given.

    Args:
        intervals: The rows; those of one metric stand together.

    Returns:
        One `<svg>` element whose colours are the page's; empty text when there is nothing to draw.
    """
    if not intervals:
        return ""
    top = 0
    panels: list[str] = []
    for _, rows in groupby(intervals, key=lambda interval: interval.metric):
        panel = list(rows)
        panels += _panel(panel, top)
        top += _HEAD + _ROW * len(panel) + _AXIS + (_MARGIN if panel[0].margin is not None else 0)
    title = "Difference of each variant from the control, with its confidence interval, by metric"
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {top}" role="img" aria-labelledby="plot-title">'
        f'<title id="plot-title">{title}</title>{"".join(panels)}</svg>'
    )


def _panel(rows: Sequence[Interval], top: int) -> Iterator[str]:
    first = rows[0]
    low, high = _range(rows)
    bottom = top + _HEAD + _ROW * len(rows)

    def x(value: float) -> float:
        # An interval without an end reaches the edge of the panel.
        inside = min(max(value, low), high)
        return _LEFT + (inside - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    unit = "percentage points" if first.is_share else "per customer"
    better = "more is better" if first.is_increase_better else "less is better"
    yield _text(0, top + 16, first.metric.replace("_", " "), "metric")
    yield _text(_LEFT, top + 16, f"{first.role} · {unit} · {better}", "quiet")
    for tick in _ticks(low, high):
        yield _line(x(tick), top + _HEAD, x(tick), bottom, "zero" if tick == 0 else "grid")
        label = _tick(first, tick) if tick else "0 = control"
        yield _text(x(tick), bottom + 16, label, "tick", anchor="middle")
    if first.margin is not None:
        edge = -first.margin if first.is_increase_better else first.margin
        yield _line(x(edge), top + _HEAD, x(edge), bottom + 21, "margin")
        yield _text(x(edge), bottom + 34, f"margin {_tick(first, edge)}", "margin-text", anchor="middle")
    for index, interval in enumerate(rows):
        middle = top + _HEAD + _ROW * index + _ROW / 2
        yield _text(0, middle + 5, interval.variant, "variant")
        if not any(math.isnan(value) for value in (interval.lower, interval.difference, interval.upper)):
            left, right = x(interval.lower), x(interval.upper)
            yield f'<g class="{interval.tone}">'
            yield _line(left, middle, right, middle, "bar")
            yield _line(left, middle - 6, left, middle + 6, "cap")
            yield _line(right, middle - 6, right, middle + 6, "cap")
            yield f'<circle cx="{x(interval.difference):.1f}" cy="{middle:.1f}" r="5.5"/></g>'
        yield _text(_WIDTH, middle + 5, interval.text, "figure", anchor="end")


def _range(rows: Sequence[Interval]) -> tuple[float, float]:
    """The values that a panel shows: every interval, the control's zero and the margin, with some air."""
    ends = [0.0, *(end for row in rows for end in (row.lower, row.upper, row.difference))]
    if rows[0].margin is not None:
        ends.append(-rows[0].margin if rows[0].is_increase_better else rows[0].margin)
    finite = [end for end in ends if math.isfinite(end)]
    low, high = min(finite), max(finite)
    air = 0.08 * (high - low) or 1.0
    return low - air, high + air


def _ticks(low: float, high: float) -> list[float]:
    """At most six round values, zero among them."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [index * step for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _tick(interval: Interval, value: float) -> str:
    return f"{value * 100 if interval.is_share else value:+.6g}".replace("-", "−")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
