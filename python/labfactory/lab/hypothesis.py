"""What an experiment sets out to show."""

from __future__ import annotations

import math
from dataclasses import dataclass

from labfactory.base.errors import UsageError


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A claim, and the smallest effect that would be worth acting on.

    Args:
        text: The claim, as a sentence.
        minimum_effect: Relative lift of the goal metrics, in their wanted direction; 0.02 is two percent.

    Raises:
        UsageError: `hypothesis`, when the text is empty or the effect is negative or not finite.

    Example:
        >>> Hypothesis("A warm opening lifts orders.", minimum_effect=0.02)
        Hypothesis(text='A warm opening lifts orders.', minimum_effect=0.02)
    """

    text: str
    minimum_effect: float

    def __post_init__(self) -> None:
        if not self.text.strip():
            message = "expected a hypothesis in words, found an empty text"
            raise UsageError(message, code="hypothesis")
        if not (math.isfinite(self.minimum_effect) and self.minimum_effect >= 0):
            message = f"expected a minimum effect of 0 or more, found {self.minimum_effect}"
            raise UsageError(message, code="hypothesis", hint="it is a relative lift: 0.02 is two percent")
