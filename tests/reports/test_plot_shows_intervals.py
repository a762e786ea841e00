"""The plot puts every interval where its numbers say."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from labfactory.reports import Interval, interval_plot


def interval(**changed: object) -> Interval:
    values: dict[str, object] = {
        "metric": "orders",
        "variant": "welcome/warm",
        "role": "goal",
        "difference": 0.03,
        "lower": 0.02,
        "upper": 0.04,
    }
    return Interval(**{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "tone"),
    [
        ({}, "better"),
        ({"lower": -0.01}, "open"),
        ({"lower": -0.04, "upper": -0.02}, "worse"),
        ({"is_increase_better": False}, "worse"),
        ({"lower": -0.04, "upper": -0.02, "is_increase_better": False}, "better"),
        ({"role": "guardrail", "lower": -0.01, "margin": 0.02}, "better"),
        ({"role": "guardrail", "lower": -0.03, "margin": 0.02}, "open"),
        ({"role": "guardrail", "lower": -0.05, "upper": -0.03, "margin": 0.02}, "worse"),
        (
            {"role": "guardrail", "lower": -0.01, "upper": 0.01, "margin": 0.02, "is_increase_better": False},
            "better",
        ),
        (
            {"role": "guardrail", "lower": -0.01, "upper": 0.03, "margin": 0.02, "is_increase_better": False},
            "open",
        ),
    ],
)
def test_a_tone_follows_the_interval(changed: dict[str, object], tone: str) -> None:
    assert interval(**changed).tone == tone


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "+0.0300 [+0.0200, +0.0400]"),
        ({"is_share": True}, "+3.00 [+2.00, +4.00]"),
        ({"difference": 0.0}, "0.00 [+0.0200, +0.0400]"),
        ({"difference": -12.345, "lower": -120.5, "upper": 1234.5}, "−12.35 [−120.5, +1234]"),
    ],
)
def test_figures_are_written_as_people_write_them(changed: dict[str, object], text: str) -> None:
    assert interval(**changed).text == text


def test_one_panel_stands_for_each_metric() -> None:
    rows = [
        interval(),
        interval(variant="welcome/bold"),
        interval(metric="opted_out", role="guardrail", margin=0.1),
    ]
    tree = LexborHTMLParser(interval_plot(rows))
    assert [node.text() for node in tree.css("text.metric")] == ["orders", "opted out"]
    assert [node.text() for node in tree.css("text.variant")] == [
        "welcome/warm",
        "welcome/bold",
        "welcome/warm",
    ]
    assert [node.text() for node in tree.css("text.margin-text")] == ["margin −0.1"]


def test_nothing_to_show_is_no_plot() -> None:
    assert interval_plot([]) == ""


def test_an_endless_interval_does_not_break_the_plot() -> None:
    drawn = interval_plot(
        [interval(lower=float("-inf"), upper=float("inf")), interval(difference=float("nan"))]
    )
    assert "nan" not in drawn
    assert "inf" not in drawn


@given(st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 3), min_size=1, max_size=4))
def test_every_mark_lies_inside_the_picture(values: list[tuple[float, float, float]]) -> None:
    rows = [
        interval(variant=str(index), lower=low, difference=middle, upper=high)
        for index, triple in enumerate(values)
        for low, middle, high in [sorted(triple)]
    ]
    drawn = interval_plot(rows)
    for name, largest in (("x1", 860), ("x2", 860), ("cx", 860)):
        assert all(0 <= float(found) <= largest for found in re.findall(rf'{name}="([^"]+)"', drawn))
