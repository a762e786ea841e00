"""TargetPolicy: with which probability a policy that is to be judged takes each action."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labfactory.base.errors import StatisticsError, nearest
from labfactory.lab.off_policy.log import Floats, action_codes, action_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from labfactory.lab.off_policy.log import Codes, LoggedDecisions

# A block of 8,192 rows x 1,000 actions in float64 is 64 MB.
BLOCK_ROWS = 8_192
# Shares of 10^5 draws, or of float32 softmax, sum to 1 within this.
_SUM_TOLERANCE = 1e-6


class TargetPolicy(ABC):
    """What is to be judged by the log of another policy.

    Made by `by_action`, `by_row`, `choices`, `matrix`, or `logged`: which one depends on what is known of it.

    Args:
        name: What results call it.
    """

    name: str

    @abstractmethod
    def of_logged(self, log: LoggedDecisions) -> Floats:
        """Probability with which it takes each row's logged action."""

    def rows(self, log: LoggedDecisions, start: int, stop: int) -> Floats | None:
        """Probabilities of all actions in a range of rows, [rows, actions]; None when they are not known."""
        del log, start, stop
        return None

    @property
    def is_logged(self) -> bool:
        """Whether it is the logging policy itself."""
        return False

    @staticmethod
    def by_action(
        probabilities: Mapping[Any, float] | npt.ArrayLike,
        *,
        actions: Sequence[object] | None = None,
        positions: Sequence[object] | None = None,
        name: str = "target",
    ) -> TargetPolicy:
        """A policy that does not look at the customer.

        Args:
            probabilities: By action; or numbers [actions] or [actions, positions].
            actions: Names of the first axis; None takes the log's, in order.
            positions: Names of the second; None takes the log's, in order.
            name: What results call it.

        Returns:
            The policy.

        Raises:
            StatisticsError: `target_probabilities` when they are not probabilities that sum to 1; when it is
                used, `target_shape`, `unknown_action`.

        Example:
            >>> TargetPolicy.by_action({"mens": 0.25, "womens": 0.75}).name
            'target'
        """
        if isinstance(probabilities, Mapping):
            actions, probabilities = list(probabilities), list(probabilities.values())
        table = _numbers(probabilities, (1, 2), "[actions] or [actions, positions]")
        table = table[:, None] if table.ndim == 1 else table
        _check_probabilities(table.T)
        names = None if actions is None else action_names(actions)
        places = None if positions is None else action_names(positions)
        return _ByAction(name, table, names, places)

    @staticmethod
    def by_row(probabilities: npt.ArrayLike, *, name: str = "target") -> TargetPolicy:
        """A policy of which only the probability of each logged action is known.

        Args:
            probabilities: One for each row of the table that the log was read from.
            name: What results call it.

        Returns:
            The policy; estimators that need all actions refuse it.

        Raises:
            StatisticsError: `target_probabilities`; when it is used, `target_shape`.
        """
        chances = _numbers(probabilities, (1,), "[rows]")
        # NaN in a row that the log leaves out anyway says nothing; `of_logged` looks at the others.
        return _ByRow(name, chances)

    @staticmethod
    def matrix(
        probabilities: npt.NDArray[Any], *, actions: Sequence[object] | None = None, name: str = "target"
    ) -> TargetPolicy:
        """A policy of which all probabilities are known.

        Args:
            probabilities: [rows of the table, actions]; read by blocks, so it may be mapped from a file.
            actions: Names of the columns; None takes the log's actions, in order.
            name: What results call it.

        Returns:
            The policy.

        Raises:
            StatisticsError: When it is used: `target_probabilities`, `target_shape`, `unknown_action`.
        """
        if not hasattr(probabilities, "shape"):
            probabilities = _numbers(probabilities, (2,), "[rows, actions]")
        return _Matrix(name, probabilities, None if actions is None else action_names(actions))

    @staticmethod
    def choices(actions: Any, *, name: str = "target") -> TargetPolicy:
        """A policy that takes one action for sure.

        Args:
            actions: The action of each row of the table that the log was read from: an Arrow array, a Polars
                series or a sequence.
            name: What results call it.

        Returns:
            The policy.

        Raises:
            StatisticsError: When it is used: `target_shape`, `unknown_action`, `target_probabilities` for a
                null.

        Example:
            >>> TargetPolicy.choices(["mens", "womens"], name="rule").name
            'rule'
        """
        try:
            chosen = actions if isinstance(actions, pa.Array | pa.ChunkedArray) else pa.array(actions)
        except (TypeError, pa.ArrowException) as error:
            message = f"expected an action for each row, found {type(actions).__name__}"
            raise StatisticsError(message, code="target_shape") from error
        return _Choices(name, chosen)

    @staticmethod
    def logged(name: str = "logged") -> TargetPolicy:
        """The logging policy itself: its value is the mean reward of the log."""
        return _Logged(name)


@dataclass(frozen=True, eq=False)
class _Logged(TargetPolicy):
    name: str

    @property
    def is_logged(self) -> bool:
        return True

    def of_logged(self, log: LoggedDecisions) -> Floats:
        return log.propensity


@dataclass(frozen=True, eq=False)
class _ByAction(TargetPolicy):
    name: str
    table: Floats
    actions: tuple[str, ...] | None
    positions: tuple[str, ...] | None

    def of_logged(self, log: LoggedDecisions) -> Floats:
        return self._aligned(log)[log.position, log.action]

    def rows(self, log: LoggedDecisions, start: int, stop: int) -> Floats:
        return self._aligned(log)[log.position[start:stop]]

    def _aligned(self, log: LoggedDecisions) -> Floats:
        """Probabilities [positions, actions] in the log's order."""
        table = _columns_in_order(self.table.T, self.actions, log.actions)
        if len(table) == 1:
            return np.broadcast_to(table, (len(log.positions), len(log.actions)))
        known = self.positions or log.positions
        if len(known) != len(table) or not set(log.positions) <= set(known):
            message = f"expected probabilities for positions {list(log.positions)}, found {list(known)}"
            raise StatisticsError(message, code="target_shape")
        return table[[known.index(place) for place in log.positions]]


@dataclass(frozen=True, eq=False)
class _ByRow(TargetPolicy):
    name: str
    chances: Floats

    def of_logged(self, log: LoggedDecisions) -> Floats:
        _check_rows(len(self.chances), log)
        chances = self.chances[log.rows]
        wrong = ~((chances >= 0) & (chances <= 1))
        if wrong.any():
            message = f"expected probabilities from 0 to 1, found {chances[wrong][0]}"
            raise StatisticsError(message, code="target_probabilities")
        return chances


@dataclass(frozen=True, eq=False)
class _Matrix(TargetPolicy):
    name: str
    table: npt.NDArray[Any]
    actions: tuple[str, ...] | None

    def of_logged(self, log: LoggedDecisions) -> Floats:
        _check_rows(len(self.table), log)
        if np.ndim(self.table) != 2:
            message = f"expected probabilities [rows, actions], found {np.ndim(self.table)} dimensions"
            raise StatisticsError(message, code="target_shape")
        chances = np.empty(len(log))
        for start in range(0, len(log), BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, len(log))
            block = self.rows(log, start, stop)
            chances[start:stop] = block[np.arange(stop - start), log.action[start:stop]]
        return chances

    def rows(self, log: LoggedDecisions, start: int, stop: int) -> Floats:
        block = np.asarray(self.table[log.rows[start:stop]], np.float64)
        _check_probabilities(block)
        return _columns_in_order(block, self.actions, log.actions)


@dataclass(frozen=True, eq=False)
class _Choices(TargetPolicy):
    name: str
    chosen: pa.Array | pa.ChunkedArray

    def of_logged(self, log: LoggedDecisions) -> Floats:
        agrees: Floats = (self._codes(log, log.rows) == log.action).astype(np.float64)
        return agrees

    def rows(self, log: LoggedDecisions, start: int, stop: int) -> Floats:
        codes = self._codes(log, log.rows[start:stop])
        taken: Floats = (codes[:, None] == np.arange(len(log.actions))).astype(np.float64)
        return taken

    def _codes(self, log: LoggedDecisions, rows: Codes) -> Codes:
        _check_rows(len(self.chosen), log)
        codes = action_codes(self.chosen.take(pa.array(rows)), log.actions)
        if (codes < 0).any():
            message = f"expected an action in every row, found none in {int((codes < 0).sum())} rows"
            raise StatisticsError(message, code="target_probabilities")
        return codes


def _numbers(probabilities: npt.ArrayLike, dimensions: tuple[int, ...], shape: str) -> Floats:
    """Numbers of so many dimensions.

    Raises:
        StatisticsError: `target_shape`.
    """
    try:
        table = np.asarray(probabilities, np.float64)
    except (TypeError, ValueError) as error:
        message = f"expected probabilities {shape}, found {type(probabilities).__name__} without them"
        raise StatisticsError(message, code="target_shape") from error
    if table.ndim not in dimensions:
        message = f"expected probabilities {shape}, found {table.ndim} dimensions"
        raise StatisticsError(message, code="target_shape")
    return table


def _check_rows(found: int, log: LoggedDecisions) -> None:
    if found != log.table_rows:
        message = f"expected a value for each of the table's {log.table_rows} rows, found {found}"
        raise StatisticsError(message, code="target_shape")


def _check_probabilities(rows: Floats) -> None:
    wrong = ~((rows >= 0) & (rows <= 1))
    if wrong.any():
        message = f"expected probabilities from 0 to 1, found {rows[wrong][0]}"
        raise StatisticsError(message, code="target_probabilities")
    sums = rows.sum(axis=1)
    far = np.abs(sums - 1) > _SUM_TOLERANCE
    if far.any():
        message = (
            f"expected probabilities summing to 1, found {sums[far][0]:.6g} over {rows.shape[1]} actions"
        )
        raise StatisticsError(message, code="target_probabilities")


def _columns_in_order(rows: Floats, names: tuple[str, ...] | None, actions: tuple[str, ...]) -> Floats:
    """The columns in the log's order of actions; actions that are not named have probability 0."""
    names = actions if names is None else names
    if len(names) != rows.shape[1]:
        message = f"expected probabilities of {len(names)} actions, found {rows.shape[1]}"
        raise StatisticsError(message, code="target_shape")
    if names == actions:
        return rows
    strange = [name for name in names if name not in actions]
    if strange:
        message = f"expected one of {len(actions)} actions, found {strange[0]!r}"
        hint = (
            f"{nearest(strange[0], actions)} LoggedDecisions.of(..., actions=...) names all that there are."
        )
        raise StatisticsError(message, code="unknown_action", hint=hint)
    ordered = np.zeros((len(rows), len(actions)))
    ordered[:, [actions.index(name) for name in names]] = rows
    return ordered
