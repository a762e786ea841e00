"""Exploration: how often a component other than the best one is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from labfactory.base.errors import SelectionError

Mode = Literal["greedy", "epsilon", "softmax", "squarecb", "ucb", "thompson", "uniform"]

_PARAMETERS: dict[str, Mode] = {
    "epsilon": "epsilon",
    "temperature": "softmax",
    "gamma": "squarecb",
    "width": "ucb",
}


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """How a choice is made once the eligible components have scores.

    | mode | takes | propensity |
    |---|---|---|
    | greedy | the highest score, the first component among equals | exact |
    | epsilon | the same, but with probability `epsilon` any eligible component, each alike | exact |
    | softmax | a draw in proportion to exp(score / temperature) | exact |
    | squarecb | a draw: 1 / (n + gamma · gap to the best) each, the best what is left | exact |
    | ucb | the highest score + width · standard deviation | exact |
    | thompson | the highest of one draw of every component's belief | Beta: exact; normal: an estimate |
    | uniform | each alike | exact |

    `ucb` and `thompson` need a model with an `uncertainty`, or `thompson` a slot with Beta `beliefs`. A
    `floor` mixes in as much of the uniform choice as keeps every eligible component at that probability or
    above.

    Args:
        mode: One of the table.
        epsilon: Probability in [0, 1]; for `epsilon` alone, which needs it.
        temperature: Above 0, in units of the score; for `softmax` alone, which needs it.
        gamma: Above 0, in units of 1 / score; for `squarecb` alone, which needs it.
        width: Standard deviations, 0 or more; for `ucb` alone, which needs it.
        floor: Lowest probability of an eligible component, in [0, 1].

    Raises:
        SelectionError: `exploration` when a number is out of range, missing, or of another mode.

    References:
        Foster and Rakhlin 2020, Beyond UCB: optimal and efficient contextual bandits with regression oracles.
        Chapelle and Li 2011, An empirical evaluation of Thompson sampling.

    Example:
        >>> Exploration(mode="epsilon", epsilon=0.1)
        Exploration(mode='epsilon', epsilon=0.1)
    """

    mode: Mode = "greedy"
    epsilon: float | None = None
    temperature: float | None = None
    gamma: float | None = None
    width: float | None = None
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            *others, last = get_args(Mode)
            message = f"expected mode {', '.join(others)} or {last}, found {self.mode!r}"
            raise SelectionError(message, code="exploration")
        for name, mode in _PARAMETERS.items():
            self._check(name, getattr(self, name), of=mode)
        if self.epsilon is not None and not 0 <= self.epsilon <= 1:
            message = f"expected epsilon between 0 and 1, found {self.epsilon}"
            raise SelectionError(message, code="exploration")
        for name in ("temperature", "gamma"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                message = f"expected a {name} above 0, found {value}"
                raise SelectionError(message, code="exploration")
        if self.width is not None and not 0 <= self.width < float("inf"):
            message = f"expected a width of 0 or more, found {self.width}"
            raise SelectionError(message, code="exploration")
        if not 0 <= self.floor <= 1:
            message = f"expected a floor between 0 and 1, found {self.floor}"
            raise SelectionError(message, code="exploration")

    def __repr__(self) -> str:
        given = {"mode": self.mode, **{name: getattr(self, name) for name in _PARAMETERS}}
        if self.floor:
            given["floor"] = self.floor
        shown = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
        return f"Exploration({shown})"

    @property
    def rate(self) -> float:
        """The probability of the uniform choice, before a floor raises it."""
        return 1.0 if self.mode == "uniform" else self.epsilon or 0.0

    @property
    def needs_uncertainty(self) -> bool:
        """Whether it reads how uncertain the scores are."""
        return self.mode in ("ucb", "thompson")

    @property
    def strength(self) -> float:
        """The one number of the mode's draw: temperature, gamma, width, or 1."""
        return next((v for v in (self.temperature, self.gamma, self.width) if v is not None), 1.0)

    def _check(self, name: str, value: float | None, *, of: Mode) -> None:
        if (self.mode == of) == (value is not None):
            return
        found = "none" if value is None else str(value)
        wanted = f"expected {name} with mode {of} and with no other"
        message = f"{wanted}, found {name} {found} with mode {self.mode}"
        raise SelectionError(message, code="exploration")
