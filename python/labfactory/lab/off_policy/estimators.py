"""The estimators of what a target policy would have brought, for decisions that stand alone.

Throughout w is the importance weight target/propensity of a row, r its reward, q the reward that a model
expects of the logged action and v the one that it expects of the target.

| name | value |
|---|---|
| `ips` | mean(w r) |
| `clipped_ips` | mean(min(w, c) r) |
| `snips` | sum(w r) / sum(w) |
| `dm` | mean(v) |
| `dr` | mean(v + w (r - q)) |
| `sndr` | mean(v) + sum(w (r - q)) / sum(w) |
| `switch_dr` | mean(v + [w <= c] w (r - q)) |
| `dros` | mean(v + c w / (w^2 + c) (r - q)) |
| `mips` | mean(u r), where u weighs groups of actions in place of actions |
| `replay` | mean of r where target and log agree |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from labfactory.base.errors import StatisticsError
from labfactory.lab.off_policy.intervals import standard_error
from labfactory.lab.off_policy.rewards import all_probabilities, expected_rewards, spans
from labfactory.lab.off_policy.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labfactory.lab.off_policy.log import Codes, Floats, LoggedDecisions
    from labfactory.lab.off_policy.rewards import RewardModel
    from labfactory.lab.off_policy.target import TargetPolicy

MODELLED = ("dm", "dr", "sndr", "switch_dr", "dros", "cascade_dr")
TUNED = ("clipped_ips", "switch_dr", "dros")
UNWEIGHTED = ("dm",)

# What SLOPE tries, from the least bias to the least variance.
GRID = (np.inf, 1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0)


@dataclass(frozen=True, eq=False)
class Judged:
    """A target and the log that it is judged by; what several estimators need is computed once.

    Args:
        log: The logged decisions.
        target: The policy.
        rewards: Predicts rewards, where an estimator needs it.
        logging: All probabilities of the logging policy, where they are known.
        groups: The group of each action, for `mips`.
    """

    log: LoggedDecisions
    target: TargetPolicy
    rewards: RewardModel | None = None
    logging: TargetPolicy | None = None
    groups: Mapping[str, str] | None = None

    @cached_property
    def weights(self) -> Floats:
        """Importance weights of the rows."""
        return self.target.of_logged(self.log) / self.log.propensity

    @property
    def model(self) -> RewardModel:
        """The reward model.

        Raises:
            StatisticsError: `off_policy_input` when there is none.
        """
        if self.rewards is None:
            message = "expected a reward model for an estimator that needs one, found none"
            raise StatisticsError(message, code="off_policy_input", hint="rewards=lf.RewardModel.ridge()")
        return self.rewards

    @cached_property
    def expected(self) -> tuple[Floats, Floats]:
        """Rewards expected of the target and of the logged action."""
        return expected_rewards(self.log, self.target, self.model.predict(self.log))

    @cached_property
    def group_weights(self) -> Floats:
        """Importance weights of the groups that the logged actions belong to."""
        if self.logging is None or self.groups is None:
            message = "expected the groups of actions and all probabilities of the logging policy for mips"
            raise StatisticsError(message, code="off_policy_input", hint="groups={...}, logging=...")
        lacking = [action for action in self.log.actions if action not in self.groups]
        if lacking:
            message = f"expected a group of every action, found none of {lacking[0]!r}"
            raise StatisticsError(message, code="unknown_action")
        _, code = np.unique([self.groups[action] for action in self.log.actions], return_inverse=True)
        return _group_weights(self.log, self.target, self.logging, code)

    def terms(self, kind: str, parameter: float | None) -> Terms:
        """The terms of one estimator."""
        if self.target.is_logged:
            ones = np.ones(len(self.log))
            return self._terms(correction=self.log.reward, weights=ones)
        return _TERMS[kind](self, parameter)

    def _terms(
        self, *, correction: Floats, weights: Floats, base: Floats | None = None, scale: Floats | None = None
    ) -> Terms:
        rows = len(self.log)
        base = np.zeros(rows) if base is None else base
        return Terms(base, correction, np.ones(rows) if scale is None else scale, weights, self.log.cluster)

    def _weighted(self, weights: Floats, *, is_normalised: bool = False) -> Terms:
        scale = weights if is_normalised else None
        return self._terms(correction=weights * self.log.reward, weights=weights, scale=scale)

    def _robust(self, weights: Floats, *, is_normalised: bool = False) -> Terms:
        of_target, of_logged = self.expected
        left = weights * (self.log.reward - of_logged)
        return self._terms(
            base=of_target, correction=left, weights=weights, scale=weights if is_normalised else None
        )

    def _direct(self) -> Terms:
        nothing = np.zeros(len(self.log))
        return self._terms(base=self.expected[0], correction=nothing, weights=nothing[:0])


def tuned(judged: Judged, kind: str, grid: Sequence[float] = GRID) -> float:
    """The parameter that SLOPE takes: the least variance whose interval still meets all with less bias.

    Args:
        judged: What is judged.
        kind: One of `TUNED`.
        grid: Parameters from the least bias to the least variance.

    Returns:
        The parameter.

    References:
        Su, Srinath, Krishnamurthy (2020), "Adaptive estimator selection for off-policy evaluation"; with the
        constant of Tucker and Lee (2021), "Improved estimator selection for off-policy evaluation".
    """
    values: list[float] = []
    reaches: list[float] = []
    for parameter in grid:
        terms = judged.terms(kind, parameter)
        reach = 2.0 * standard_error(terms.influence, terms.cluster)
        meets = [
            abs(terms.value - value) <= reach + (np.sqrt(6.0) - 1.0) * other
            for value, other in zip(values, reaches, strict=True)
        ]
        if not all(meets):
            break
        values.append(terms.value)
        reaches.append(reach)
    return float(grid[len(values) - 1])


def _clipped(judged: Judged, parameter: float | None) -> Terms:
    return judged._weighted(np.minimum(judged.weights, _given(parameter)))


def _switch(judged: Judged, parameter: float | None) -> Terms:
    return judged._robust(np.where(judged.weights <= _given(parameter), judged.weights, 0.0))


def _shrunk(judged: Judged, parameter: float | None) -> Terms:
    # Su et al. 2020, "Doubly robust off-policy evaluation with shrinkage", the optimistic shrinkage.
    weights, most = judged.weights, _given(parameter)
    return judged._robust(weights if np.isinf(most) else most * weights / (weights**2 + most))


def _replay(judged: Judged, parameter: float | None) -> Terms:
    del parameter
    chances = judged.target.of_logged(judged.log)
    if not np.isin(chances, (0.0, 1.0)).all():
        message = f"expected a target that takes one action for sure, found probability {chances.max():g}"
        raise StatisticsError(message, code="off_policy_input", hint="replay is for TargetPolicy.choices")
    return judged._weighted(chances, is_normalised=True)


def _given(parameter: float | None) -> float:
    return np.inf if parameter is None else parameter


def _group_weights(log: LoggedDecisions, target: TargetPolicy, logging: TargetPolicy, group: Codes) -> Floats:
    """Saito and Joachims 2022, eq. 6, for groups that an action determines."""
    belongs = (group[:, None] == np.arange(group.max() + 1)).astype(np.float64)
    weights = np.empty(len(log))
    for start, stop in spans(len(log)):
        wanted = all_probabilities(log, target, start, stop) @ belongs
        offered = all_probabilities(log, logging, start, stop) @ belongs
        at = np.arange(stop - start), group[log.action[start:stop]]
        if (offered[at] <= 0).any():
            message = (
                "expected a logging policy that can take every action that was logged, found probability 0"
            )
            raise StatisticsError(message, code="propensity_invalid")
        weights[start:stop] = wanted[at] / offered[at]
    return weights


_TERMS: dict[str, Callable[[Judged, float | None], Terms]] = {
    "ips": lambda judged, _: judged._weighted(judged.weights),
    "clipped_ips": _clipped,
    "snips": lambda judged, _: judged._weighted(judged.weights, is_normalised=True),
    "dm": lambda judged, _: judged._direct(),
    "dr": lambda judged, _: judged._robust(judged.weights),
    "sndr": lambda judged, _: judged._robust(judged.weights, is_normalised=True),
    "switch_dr": _switch,
    "dros": _shrunk,
    "mips": lambda judged, _: judged._weighted(judged.group_weights),
    "replay": _replay,
}
KINDS = tuple(_TERMS)
