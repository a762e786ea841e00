"""Evidence: careful reading of what an experiment showed.

The evidence is a plain dict: an evaluation's `to_dict()`, with `golden` (count, errors, findings), `playbook`
(`sections`: text by title) and `variants` (the arms that graduate). Whatever is absent, not finite,
contradictory or said twice is read as no figure, with the reason.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from labfactory.base.canonical import MAX_INTEGER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Evidence", "Reading", "sections"]

# Marks that say "not written yet" wherever they stand, and words that say nothing.
_UNWRITTEN = re.compile(
    r"\b(?:tbd|tbc|tba|todo|fixme|lorem ipsum|to be (?:done|decided|defined|written))\b"
    r"|[<\[{](?:your|insert|fill|add|name|who|date|team|owner|describe)\b[^<>\[\]{}\n]*[>\]}](?!\()",
    re.IGNORECASE,
)
_EMPTY_WORD = re.compile(r"\bn/a\b|\bx{3,}\b", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*")
_WORD = re.compile(r"\w+")


class Reading(NamedTuple):
    """A figure, or why there is none."""

    figure: float | None
    fault: str = ""


@dataclass(frozen=True)
class Evidence:
    """Readings of one evidence dict."""

    data: Mapping[str, Any]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that graduate: those named in `variants`, else every arm but the control."""
        named = self.data.get("variants")
        if isinstance(named, list | tuple) and named and all(isinstance(arm, str) for arm in named):
            return tuple(named)
        units = self.data.get("units")
        known = [arm for arm in units if isinstance(arm, str)] if isinstance(units, dict) else []
        return tuple(sorted(arm for arm in known if arm != self.data.get("control")))

    @property
    def arms_or_unknown(self) -> tuple[str, ...]:
        """The arms that graduate, or a stand-in for which nothing can be read."""
        return self.arms or ("(no arm)",)

    @property
    def compared_arms(self) -> tuple[str, ...]:
        """The control, then the arms that graduate."""
        control = self.data.get("control")
        return (control if isinstance(control, str) else "(no control)", *self.arms_or_unknown)

    @property
    def guardrails(self) -> frozenset[str]:
        """The metrics that the evaluation calls guardrails."""
        rows = [row for row in self._rows() if row.get("role") == "guardrail"]
        return frozenset(row["metric"] for row in rows if isinstance(row.get("metric"), str))

    def improvement(self, metric: str, arm: str, *, scale: str, max_alpha: float) -> Reading:
        """The lower end of the interval by which an arm is better than the control."""
        alpha = _number(self.data.get("alpha"))
        if alpha is None or not 0 < alpha <= max_alpha:
            return Reading(
                None, f"expected intervals at alpha at most {max_alpha:g}, found {self.data.get('alpha')!r}"
            )
        row = self._row(metric, arm)
        if isinstance(row, str):
            return Reading(None, row)
        prefix = "relative_" if scale == "relative" else ""
        lower, upper = _number(row.get(prefix + "lower")), _number(row.get(prefix + "upper"))
        if lower is None or upper is None or lower > upper:
            return Reading(None, f"the row of {metric} and {arm} holds no {scale} interval")
        match row.get("direction"):
            case "increase":
                return Reading(lower)
            case "decrease":
                return Reading(-upper if upper else 0.0)
        return Reading(None, f"the row of {metric} and {arm} does not say which direction is better")

    def margin(self, metric: str, arm: str) -> float | None:
        """The margin within which the experiment's author called a guardrail unharmed."""
        row = self._row(metric, arm)
        margin = None if isinstance(row, str) else _number(row.get("margin"))
        return margin if margin is not None and margin >= 0 else None

    def units(self, arm: str) -> Reading:
        """How many units an arm has."""
        return self._figure(f"units of {arm}", "units", arm)

    def srm_p(self) -> Reading:
        """The p value of the sample ratio check."""
        reading = self._figure("p of the sample ratio check", "srm", "p")
        if reading.figure is not None and not 0 <= reading.figure <= 1:
            return Reading(None, f"expected a p value, found {reading.figure!r}")
        return reading

    def days(self) -> Reading:
        """How many days the experiment ran."""
        return self._figure("runtime in days", "runtime_days")

    def departures(self, allowed: Collection[str], *, digest: str | None) -> Reading:
        """How often what was done departs from what was preregistered, but for what is allowed.

        Args:
            allowed: Codes of departures that do not count.
            digest: The preregistration that it has to be; None for any.
        """
        planned, listed = self.data.get("planned"), self.data.get("departures")
        if not isinstance(planned, str) or not isinstance(listed, list | tuple):
            return Reading(None, "the evaluation was not compared with a preregistration")
        if digest is not None and planned != digest:
            return Reading(None, f"expected the preregistration {digest}, found {planned}")
        codes = [one.get("code") if isinstance(one, dict) else None for one in listed]
        return Reading(sum(code not in allowed for code in codes))

    def golden(self, name: str) -> Reading:
        """A count over the golden assets."""
        reading = self._figure(f"{name} of the golden assets", "golden", name)
        if reading.figure is not None and reading.figure < 0:
            return Reading(None, f"expected a count, found {reading.figure!r}")
        return reading

    def findings(self) -> Reading:
        """How many findings of the lint are errors; a finding that names no severity is one."""
        golden = self.data.get("golden")
        found = golden.get("findings") if isinstance(golden, dict) else None
        if not isinstance(found, list):
            return Reading(None, "the golden assets were not linted")
        harmless = ("warning", "info")
        return Reading(sum(not (isinstance(one, dict) and one.get("severity") in harmless) for one in found))

    def section_words(self, title: str) -> Reading:
        """How many words a playbook's section has; 0 when it only holds the place."""
        playbook = self.data.get("playbook")
        listed = playbook.get("sections") if isinstance(playbook, dict) else None
        if not isinstance(listed, dict):
            return Reading(None, "there is no playbook")
        bodies = [body for name, body in listed.items() if _same_title(name) == _same_title(title)]
        if len(bodies) != 1 or not isinstance(bodies[0], str):
            return Reading(None, f"the playbook has no one section {title!r}")
        if _UNWRITTEN.search(bodies[0]):
            return Reading(0)
        return Reading(len(_WORD.findall(_EMPTY_WORD.sub("", bodies[0]))))

    def _figure(self, what: str, *path: str) -> Reading:
        value: Any = self.data
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        figure = _number(value)
        return Reading(figure, "" if figure is not None else f"the evidence holds no {what}")

    def _rows(self) -> list[dict[str, Any]]:
        rows = self.data.get("rows")
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list | tuple) else []

    def _row(self, metric: str, arm: str) -> dict[str, Any] | str:
        found = [row for row in self._rows() if row.get("metric") == metric and row.get("variant") == arm]
        if len(found) == 1:
            return found[0]
        return f"expected one row of {metric} and {arm}, found {len(found)}"


def sections(markdown: str) -> dict[str, str]:
    r"""The sections of a playbook: the text below each heading, up to the next heading of any level.

    Args:
        markdown: ATX headings (`## Rollback`); comments are dropped, `#` inside code fences is text.

    Returns:
        Text by title; texts of equal titles are joined, so that none hides another.

    Example:
        >>> sections("# Welcome\n\n## Owner\nCRM team, Ana")
        {'Welcome': '', 'Owner': 'CRM team, Ana'}
    """
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    is_fenced = False
    for line in _COMMENT.sub("", markdown).splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            is_fenced = not is_fenced
        heading = None if is_fenced else _HEADING.fullmatch(line)
        if heading:
            lines = found.setdefault(heading[1], [])
        else:
            lines.append(line)
    return {title: "\n".join(body).strip() for title, body in found.items()}


def _same_title(title: object) -> str:
    return " ".join(str(title).casefold().split())


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and abs(value) <= MAX_INTEGER else None
