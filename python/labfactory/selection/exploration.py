"""Exploration: how often a component other than the best one is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labfactory.base.errors import SelectionError


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """How a choice is made once the eligible components have scores.

    `greedy` takes the highest score, the first component among equals (so without a model the first
    eligible one); `epsilon` does the same, but with probability `epsilon` takes any eligible component,
    each alike; `softmax` draws with probability proportional to exp(score / temperature); `uniform` takes
    each alike. A `floor` mixes in as much of the uniform choice as keeps every eligible component at that
    probability or above.

    Args:
        mode: One of the four above.
        epsilon: Probability in [0, 1]; for `epsilon` alone, which needs it.
        temperature: Above 0, in units of the score; for `softmax` alone, which needs it.
        floor: Lowest probability of an eligible component, in [0, 1].

    Raises:
        SelectionError: `exploration` when a number is out of range, missing, or of another mode.

    Example:
        >>> Exploration(mode="epsilon", epsilon=0.1)
        Exploration(mode='epsilon', epsilon=0.1, temperature=None, floor=0.0)
    """

    mode: Literal["greedy", "epsilon", "softmax", "uniform"] = "greedy"
    epsilon: float | None = None
    temperature: float | None = None
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in ("greedy", "epsilon", "softmax", "uniform"):
            message = f"expected mode greedy, epsilon, softmax or uniform, found {self.mode!r}"
            raise SelectionError(message, code="exploration")
        self._check("epsilon", self.epsilon, of="epsilon")
        self._check("temperature", self.temperature, of="softmax")
        if self.epsilon is not None and not 0 <= self.epsilon <= 1:
            message = f"expected epsilon between 0 and 1, found {self.epsilon}"
            raise SelectionError(message, code="exploration")
        if self.temperature is not None and not 0 < self.temperature < float("inf"):
            message = f"expected a temperature above 0, found {self.temperature}"
            raise SelectionError(message, code="exploration")
        if not 0 <= self.floor <= 1:
            message = f"expected a floor between 0 and 1, found {self.floor}"
            raise SelectionError(message, code="exploration")

    @property
    def rate(self) -> float:
        """The probability of the uniform choice, before a floor raises it."""
        return 1.0 if self.mode == "uniform" else self.epsilon or 0.0

    def _check(self, name: str, value: float | None, *, of: str) -> None:
        if (self.mode == of) == (value is not None):
            return
        found = "none" if value is None else str(value)
        wanted = f"expected {name} with mode {of} and with no other"
        message = f"{wanted}, found {name} {found} with mode {self.mode}"
        raise SelectionError(message, code="exploration")
