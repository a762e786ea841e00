"""One way in which what was done is not what was planned."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

_MEANINGS: Final = {
    "alpha_changed": "intervals are at another error level",
    "control_changed": "another variant is the control",
    "correction_changed": "several comparisons are corrected otherwise",
    "looks_added": "the data were looked at more often",
    "method_changed": "another method stands behind the intervals",
    "metric_added": "a metric was not planned",
    "metric_missing": "a planned metric is not reported",
    "name_changed": "the experiment has another name",
    "plan_changed": "hypothesis, metrics, variants or shares are not those that were planned",
    "ran_on": "more units came than planned",
    "segment_added": "a segment was not planned",
    "stopped_early": "fewer units came than planned, and the stop rule did not say so",
    "variant_added": "a variant was not planned",
    "variant_missing": "a planned variant is not reported",
}


@dataclass(frozen=True, slots=True)
class Departure:
    """One way in which what was done is not what was planned.

    Args:
        code: Its stable name; docs/design.md lists all.
        planned: What was planned.
        found: What was done.
    """

    code: str
    planned: str
    found: str

    def __str__(self) -> str:
        """A sentence for people."""
        return f"{self.code}: {_MEANINGS[self.code]}; planned {self.planned}, found {self.found}"

    def to_dict(self) -> dict[str, str]:
        """The departure as JSON holds it."""
        return asdict(self)
