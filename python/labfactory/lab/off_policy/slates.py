"""Estimators for slates: several decisions for one impression, whose rewards are added up.

Rows of a slate are in the order of their positions; w_k is the weight of the k-th row, where a propensity is
the probability of the action given the customer and the actions before it.

| name | value of a slate | unbiased when |
|---|---|---|
| `sips` | w_1 ... w_K (r_1 + ... + r_K) | always |
| `iips` | sum of w_k r_k | a reward depends on its own action |
| `rips` | sum of w_1 ... w_k r_k | a reward depends on its own action and those before |
| `cascade_dr` | `rips` around a model of the rewards from k on | as `rips` |

References:
    McInerney et al. (2020), "Counterfactual evaluation of slate recommendations with sequential reward
    interactions". Kiyohara et al. (2022), "Doubly robust off-policy evaluation for ranking policies under the
    cascade behavior model".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from labfactory.base.errors import StatisticsError
from labfactory.lab.off_policy.rewards import expected_rewards
from labfactory.lab.off_policy.terms import Terms

if TYPE_CHECKING:
    from labfactory.lab.off_policy.estimators import Judged
    from labfactory.lab.off_policy.log import Codes, Floats

# As large as rewards may be, times a little: squares of their products fit a double.
_LARGEST = 1e75

SLATE_KINDS = ("sips", "iips", "rips", "cascade_dr")


@dataclass(frozen=True, eq=False)
class Slates:
    """The rows of a log, slate by slate and position by position.

    Args:
        judged: The log, with its slates, and the target.
    """

    judged: Judged

    def __post_init__(self) -> None:
        log = self.judged.log
        if log.slate is None:
            message = "expected slates for an estimator of slates, found rows that stand alone"
            raise StatisticsError(message, code="off_policy_input", hint="LoggedDecisions.of(..., slate=...)")
        slate, place = log.slate[self.order], log.position[self.order]
        if ((slate[1:] == slate[:-1]) & (place[1:] == place[:-1])).any():
            message = "expected each position of a slate once, found one again"
            raise StatisticsError(message, code="off_policy_input")

    @cached_property
    def order(self) -> Codes:
        """The rows by slate, then by position."""
        return np.lexsort((self.judged.log.position, self._slate))

    @cached_property
    def starts(self) -> Codes:
        """Where each slate begins in that order."""
        slate = self._slate[self.order]
        return np.flatnonzero(np.concatenate([[True], slate[1:] != slate[:-1]]))

    @cached_property
    def products(self) -> Floats:
        """For each row, in that order, the product of its slate's weights up to it.

        Raises:
            StatisticsError: `overflow`.
        """
        weights = self.judged.weights[self.order]
        products = weights.copy()
        lengths = np.diff(np.append(self.starts, len(weights)))
        with np.errstate(over="ignore", invalid="ignore"):
            for k in range(1, int(lengths.max())):
                rows = self.starts[lengths > k] + k
                products[rows] *= products[rows - 1]
        if not (products <= _LARGEST).all():
            message = "expected weights of a slate whose product's square fits a double, found larger"
            hint = "iips takes no products"
            raise StatisticsError(message, code="overflow", hint=hint)
        return products

    def terms(self, kind: str) -> Terms:
        """The terms of one estimator, a unit for each slate."""
        log, order = self.judged.log, self.order
        if self.judged.target.is_logged:
            return self._summed(log.reward[order], np.ones(len(self.starts)))
        if kind == "iips":
            weights = self.judged.weights[order]
            return self._summed(weights * log.reward[order], weights)
        whole = self.products[np.append(self.starts[1:], len(order)) - 1]
        if kind == "sips":
            rewards = np.add.reduceat(log.reward[order], self.starts)
            return self._terms(whole * rewards, whole)
        if kind == "rips":
            return self._summed(self.products * log.reward[order], whole)
        return self._cascade(whole)

    def _cascade(self, whole: Floats) -> Terms:
        log, order = self.judged.log, self.order
        of_target, of_logged = self._expected
        before = np.concatenate([[1.0], self.products[:-1]])
        before[self.starts] = 1.0
        left = self.products * (log.reward[order] - of_logged[order]) + before * of_target[order]
        return self._summed(left, whole)

    @cached_property
    def _expected(self) -> tuple[Floats, Floats]:
        """Rewards expected from each row to the end of its slate: of the target, and of the logged action.

        Backwards: what a row leads to is its reward, and what the model then expects of the target. Any guess
        leaves the estimate unbiased, a near one makes it quiet.
        """
        judged, log = self.judged, self.judged.log
        of_target, of_logged = np.zeros(len(log)), np.zeros(len(log))
        lengths = np.diff(np.append(self.starts, len(log)))
        for rank in reversed(range(int(lengths.max()))):
            rows = self.order[self.starts[lengths > rank] + rank]
            reward = log.reward[rows].copy()
            goes_on = lengths[lengths > rank] > rank + 1
            reward[goes_on] += of_target[self.order[self.starts[lengths > rank + 1] + rank + 1]]
            here = log.subset(rows, reward)
            expected = expected_rewards(here, judged.target, judged.model.predict(here))
            of_target[rows], of_logged[rows] = expected
        return of_target, of_logged

    @property
    def _slate(self) -> Codes:
        assert self.judged.log.slate is not None
        return self.judged.log.slate

    def _summed(self, rows: Floats, weights: Floats) -> Terms:
        return self._terms(np.add.reduceat(rows, self.starts), weights)

    def _terms(self, totals: Floats, weights: Floats) -> Terms:
        slates = len(self.starts)
        cluster = self.judged.log.cluster[self.order][self.starts]
        return Terms(np.zeros(slates), totals, np.ones(slates), weights, cluster)
