"""Reports: one page without scripts that shows what was made, and why it was allowed."""

from __future__ import annotations

from labfactory.reports.page import Gate, Letter, Page, Table
from labfactory.reports.plot import Interval, interval_plot
from labfactory.reports.sections import gates, intervals, tables
from labfactory.reports.story import story

__all__ = [
    "Gate",
    "Interval",
    "Letter",
    "Page",
    "Table",
    "gates",
    "interval_plot",
    "intervals",
    "story",
    "tables",
]
