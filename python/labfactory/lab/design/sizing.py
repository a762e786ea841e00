"""What a design comes to: units, effect and power, and how they were computed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sizing:
    """A size of experiment and what it finds.

    Args:
        units: Units of all arms together.
        by_arm: Units of each arm, the control first.
        difference: The effect, in the metric's unit.
        lift: The effect over the baseline; None when the baseline is not above 0.
        power: Chance to find the effect in the smallest treatment; with a margin, to show that harm stays
            within it.
        alpha: Error level of each comparison, after the correction.
        alternative: What the test looks for.
        margin: Tolerated harm, in the metric's unit; None when the test is for an effect.
        expected_units: Units used on average when the effect is as stated, as looks may stop.
        rule: Name of the stop rule; `fixed` for one look at the end.
        method: How power was computed.
        units_per_day: As the baseline has it; None when not known.
    """

    units: int
    by_arm: tuple[int, ...]
    difference: float
    lift: float | None
    power: float
    alpha: float
    alternative: str
    margin: float | None
    expected_units: float
    rule: str
    method: str
    units_per_day: float | None = None

    @property
    def days(self) -> int | None:
        """Whole days until all units have come; None when it is not known how many come a day."""
        return None if self.units_per_day is None else self.runtime(self.units_per_day)

    def runtime(self, units_per_day: float) -> int:
        """Whole days until all units have come.

        Args:
            units_per_day: Units that enter the experiment a day, above 0.
        """
        return math.ceil(self.units / units_per_day)

    def to_dict(self) -> dict[str, Any]:
        """The sizing as JSON holds it."""
        return {**asdict(self), "days": self.days}

    def __repr__(self) -> str:
        lift = "" if self.lift is None else f" (lift {self.lift:.3g})"
        goal = "an effect" if self.margin is None else f"no harm beyond {self.margin:g} at an effect"
        rows = [
            ("units", f"{self.units:,} ({', '.join(f'{units:,}' for units in self.by_arm)})"),
            ("expected", f"{self.expected_units:,.0f}"),
            ("finds", f"{goal} of {self.difference:.4g}{lift} with chance {self.power:.3f}"),
            ("level", f"{self.alpha:.4g} {self.alternative}"),
            ("rule", self.rule),
            ("method", self.method),
            *([("days", f"{self.days:,}")] if self.days is not None else []),
        ]
        return "\n".join(f"{name:<9} {text}" for name, text in rows)
