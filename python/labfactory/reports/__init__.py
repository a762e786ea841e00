"""Reports: one page without scripts that shows what was made, and why it was allowed."""

from __future__ import annotations

from labfactory.reports.page import Certificate, Gate, Letter, Page, Ration, Table
from labfactory.reports.plot import Interval, interval_plot
from labfactory.reports.sections import certificate, decisions, gates, intervals, tables
from labfactory.reports.story import story

__all__ = [
    "Certificate",
    "Gate",
    "Interval",
    "Letter",
    "Page",
    "Ration",
    "Table",
    "certificate",
    "decisions",
    "gates",
    "interval_plot",
    "intervals",
    "story",
    "tables",
]
