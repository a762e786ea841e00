"""RewardModel: what reward each action would have brought, for the estimators that want a guess."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labfactory.base.errors import StatisticsError
from labfactory.lab.off_policy.target import BLOCK_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from labfactory.lab.off_policy.log import Floats, LoggedDecisions
    from labfactory.lab.off_policy.target import TargetPolicy

# Newton's method for a penalised logistic fit is done in some ten steps; 50 would mean that it never is.
_MOST_STEPS = 50
_ENOUGH = 1e-9


class Predictions(ABC):
    """Expected rewards of every row and action of a log."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> Floats:
        """Expected rewards in a range of rows, [rows, actions]."""


class RewardModel(ABC):
    """How rewards are predicted; made by `ridge`, `logistic` or `matrix`."""

    name: str

    @abstractmethod
    def predict(self, log: LoggedDecisions) -> Predictions:
        """Expected rewards of the log's rows, none of them predicted from its own reward."""

    @staticmethod
    def ridge(*, folds: int = 3, penalty: float = 10.0, seed: int = 0) -> RewardModel:
        """Least squares on context and position, and for every action a correction of its own.

        Both are shrunk towards 0, so that a rare action is predicted much like the others. Rows are predicted
        by models of the folds they are not in; a customer's rows are in one fold.

        Args:
            folds: How many, 2 or more.
            penalty: Of squared coefficients, in rows: an action seen `penalty` times is believed half.
            seed: Deals customers to folds.

        Returns:
            The model.

        Raises:
            StatisticsError: `reward_model` for a value out of range.
        """
        return _Fitted("ridge", "linear", folds, penalty, seed)

    @staticmethod
    def logistic(*, folds: int = 3, penalty: float = 10.0, seed: int = 0) -> RewardModel:
        """The same for rewards that are 0 or 1, by logistic regression.

        Args:
            folds: As of `ridge`.
            penalty: Of squared coefficients.
            seed: As of `ridge`.

        Returns:
            The model.

        Raises:
            StatisticsError: `reward_model`; when it is used, `invalid_outcome` for other rewards.
        """
        return _Fitted("logistic", "logistic", folds, penalty, seed)

    @staticmethod
    def matrix(expected: npt.NDArray[Any], *, name: str = "matrix") -> RewardModel:
        """Rewards that were predicted elsewhere.

        Args:
            expected: [rows of the table, actions of the log]; read by blocks.
            name: What results call it.

        Returns:
            The model; estimates stay unbiased only if no row's reward had part in its own prediction.

        Raises:
            StatisticsError: When it is used, `target_shape`, or `invalid_outcome` where it is not finite.
        """
        return _Matrix(name, expected)


@dataclass(frozen=True, eq=False)
class _Matrix(RewardModel):
    name: str
    expected: npt.NDArray[Any]

    def predict(self, log: LoggedDecisions) -> Predictions:
        shape = (log.table_rows, len(log.actions))
        if np.shape(self.expected) != shape:
            message = (
                f"expected rewards of {shape[0]} rows x {shape[1]} actions, found {np.shape(self.expected)}"
            )
            raise StatisticsError(message, code="target_shape")
        return _Given(self.expected, log)


@dataclass(frozen=True, eq=False)
class _Given(Predictions):
    expected: npt.NDArray[Any]
    log: LoggedDecisions

    def rows(self, start: int, stop: int) -> Floats:
        block = np.asarray(self.expected[self.log.rows[start:stop]], np.float64)
        if not np.isfinite(block).all():
            message = f"expected finite predictions, found {block[~np.isfinite(block)][0]}"
            raise StatisticsError(message, code="invalid_outcome")
        return block


@dataclass(frozen=True)
class _Fitted(RewardModel):
    name: str
    link: Literal["linear", "logistic"]
    folds: int
    penalty: float
    seed: int

    def __post_init__(self) -> None:
        if self.folds < 2 or not 0 < self.penalty < float("inf"):
            message = f"expected 2 folds or more and a penalty above 0, found {self.folds} and {self.penalty}"
            raise StatisticsError(message, code="reward_model")

    def predict(self, log: LoggedDecisions) -> Predictions:
        if self.link == "logistic" and not np.isin(log.reward, (0.0, 1.0)).all():
            message = "expected rewards of 0 and 1 for a logistic model, found others"
            raise StatisticsError(message, code="invalid_outcome", hint="use RewardModel.ridge()")
        fold = folds_of(log, self.folds, self.seed)
        features = features_of(log)
        models = [
            fit(features[fold != k], log.action[fold != k], log.reward[fold != k], len(log.actions), self)
            for k in range(self.folds)
        ]
        return _CrossFitted(self.link, features, fold, np.stack(models))


@dataclass(frozen=True, eq=False)
class _CrossFitted(Predictions):
    link: Literal["linear", "logistic"]
    features: Floats
    fold: npt.NDArray[np.int64]
    coefficients: Floats  # [folds, actions, features]

    def rows(self, start: int, stop: int) -> Floats:
        features, fold = self.features[start:stop], self.fold[start:stop]
        expected = np.empty((stop - start, self.coefficients.shape[1]))
        for k, coefficients in enumerate(self.coefficients):
            expected[fold == k] = features[fold == k] @ coefficients.T
        return _sigmoid(expected) if self.link == "logistic" else expected


def folds_of(log: LoggedDecisions, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """The fold of each row: customers dealt out evenly, by lot."""
    if log.clusters < folds:
        message = f"expected at least {folds} customers for {folds} folds, found {log.clusters}"
        raise StatisticsError(message, code="reward_model")
    dealt: npt.NDArray[np.int64] = np.random.default_rng(seed).permutation(log.clusters) % folds
    return dealt[log.cluster]


def features_of(log: LoggedDecisions) -> Floats:
    """A constant, the context, and a column for each position but the first: [rows, features]."""
    places = log.position[:, None] == np.arange(1, len(log.positions))
    return np.concatenate([np.ones((len(log), 1)), log.context, places], axis=1)


def fit(features: Floats, action: Any, reward: Floats, actions: int, model: _Fitted) -> Floats:
    """Coefficients [actions, features]: what all actions share, and what each adds to it."""
    shared = _newton(features, reward, np.zeros(len(reward)), model.link, model.penalty, spares_constant=True)
    offset = features @ shared
    own = np.zeros((actions, features.shape[1]))
    order = np.argsort(action, kind="stable")
    bounds = np.searchsorted(action[order], np.arange(actions + 1))
    for code in range(actions):
        rows = order[bounds[code] : bounds[code + 1]]
        if len(rows):
            own[code] = _newton(features[rows], reward[rows], offset[rows], model.link, model.penalty)
    return shared + own


def _newton(
    features: Floats,
    reward: Floats,
    offset: Floats,
    link: str,
    penalty: float,
    *,
    spares_constant: bool = False,
) -> Floats:
    """Penalised least squares, in one step, or penalised logistic regression, in some."""
    ridge = np.full(features.shape[1], penalty)
    if spares_constant:
        ridge[0] = _ENOUGH * len(reward)
    found = np.zeros(features.shape[1])
    for _ in range(_MOST_STEPS):
        guess = offset + features @ found
        expected, slope = (guess, np.ones(len(guess))) if link == "linear" else _logistic(guess)
        gradient = features.T @ (reward - expected) - ridge * found
        step = np.linalg.solve((features.T * slope) @ features + np.diag(ridge), gradient)
        # Rare rewards send a full first step far: no coefficient moves by more than 4 log-odds at once.
        found = found + step / max(1.0, float(np.abs(step).max()) / 4.0 if link == "logistic" else 1.0)
        if link == "linear" or np.abs(step).max() < _ENOUGH:
            break
    return found


def _logistic(guess: Floats) -> tuple[Floats, Floats]:
    expected = _sigmoid(guess)
    return expected, np.maximum(expected * (1 - expected), _ENOUGH)


def _sigmoid(logits: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def expected_rewards(
    log: LoggedDecisions, target: TargetPolicy, predictions: Predictions
) -> tuple[Floats, Floats]:
    """For each row the reward expected of the target, and that of the logged action.

    Raises:
        StatisticsError: `off_policy_input` when the target does not know all its probabilities.
    """
    of_target, of_logged = np.empty(len(log)), np.empty(len(log))
    for start, stop in spans(len(log)):
        expected = predictions.rows(start, stop)
        of_logged[start:stop] = expected[np.arange(stop - start), log.action[start:stop]]
        of_target[start:stop] = (all_probabilities(log, target, start, stop) * expected).sum(axis=1)
    return of_target, of_logged


def all_probabilities(log: LoggedDecisions, target: TargetPolicy, start: int, stop: int) -> Floats:
    """The target's probabilities, or an error that says who needs them."""
    chances = target.rows(log, start, stop)
    if chances is None:
        message = (
            f"expected the probabilities of all actions of {target.name!r}, found those of logged ones only"
        )
        hint = "ips, snips and clipped_ips do without; TargetPolicy.matrix, by_action and choices know all"
        raise StatisticsError(message, code="off_policy_input", hint=hint)
    return chances


def spans(rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows, a block each."""
    for start in range(0, rows, BLOCK_ROWS):
        yield start, min(start + BLOCK_ROWS, rows)
