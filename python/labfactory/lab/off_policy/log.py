"""LoggedDecisions: who got what with which probability, and what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base as core_base
from labfactory.assignment.keys import key_texts
from labfactory.base.columns import cast_values, float_values, plain_table, plain_type, value_type
from labfactory.base.errors import SourceError, StatisticsError, nearest
from labfactory.base.sources import batches
from labfactory.lab.flags import Flag
from labfactory.lab.off_policy.context import encoded_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Floats: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.int64]

# Sums of squares of weights and rewards stay within float64.
_LARGEST = 1e70


@dataclass(frozen=True, repr=False, eq=False)
class LoggedDecisions:
    """Decisions as a logging policy made them, with their propensities and rewards.

    `LoggedDecisions.of` reads them from a table. Rows without an action, a propensity or a reward are left
    out and flagged; every array has a value for each row that stays.

    Args:
        actions: Names of all actions; an action's code is its place here.
        action: Code of the action that was taken.
        reward: What came of it, in the outcome's unit.
        propensity: Probability with which the logging policy took it, in (0, 1].
        position: Code of the slot, from 0, in the order of `positions`; all 0 without positions.
        positions: Names of the slots; one empty name without positions.
        cluster: Code of the customer, from 0: rows of one customer are not independent.
        slate: Code of the slate that a row belongs to, from 0; None where rows stand alone.
        context: What a reward model may know of the row, numbers [rows, features].
        rows: The row of the table that each came from.
        table_rows: Rows that the table had.
        flags: What was left out.
    """

    actions: tuple[str, ...]
    action: Codes
    reward: Floats
    propensity: Floats
    position: Codes
    positions: tuple[str, ...]
    cluster: Codes
    slate: Codes | None
    context: Floats
    rows: Codes
    table_rows: int
    flags: tuple[Flag, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.action)

    def __repr__(self) -> str:
        return (
            f"LoggedDecisions({len(self):,} rows, {len(self.actions)} actions, "
            f"{len(self.positions)} positions, {self.clusters:,} clusters)"
        )

    @property
    def clusters(self) -> int:
        """How many customers there are; rows, where no customer was named."""
        return int(self.cluster.max()) + 1

    def subset(self, rows: Codes, reward: Floats) -> LoggedDecisions:
        """Some of the rows, standing alone, with other rewards."""
        return replace(
            self,
            action=self.action[rows],
            reward=reward,
            propensity=self.propensity[rows],
            position=self.position[rows],
            cluster=self.cluster[rows],
            slate=None,
            context=self.context[rows],
            rows=self.rows[rows],
        )

    @classmethod
    def of(
        cls,
        data: Any,
        *,
        action: str,
        reward: str,
        propensity: str | float,
        position: str | None = None,
        customer: str | None = None,
        slate: str | None = None,
        estimated: str | None = None,
        context: Sequence[str] = (),
        actions: Iterable[object] | None = None,
    ) -> LoggedDecisions:
        """Read logged decisions from a table.

        Args:
            data: Anything Arrow, or the path of a file: a row for each decision.
            action: Column of the action taken, text, integers or booleans; known by its text.
            reward: Column of the reward, numbers or booleans.
            propensity: Column of the probability with which the action was taken; or one number for all.
            position: Column of the slot, where decisions were made for several; slots are in order of their
                names, numbers in them by their size: `slot 2` before `slot 10`.
            customer: Column of the customer, by which intervals are clustered; without it every row, or
                every slate, stands alone.
            slate: Column of the slate that rows belong to; needs `position`.
            estimated: Column of whether the propensity is an estimate, `is_estimate` in a decision log; such
                rows count, and are flagged.
            context: Columns that a reward model may read: numbers, or text and booleans by category.
            actions: All actions, in the order of a target's columns; None takes those that were logged,
                sorted.

        Returns:
            The decisions.

        Raises:
            SourceError: `missing_column`, `column_type`, or as `labfactory.base.sources` says.
            StatisticsError: `no_decisions` when no row is whole, `off_policy_input` for a row without
                position, `propensity_invalid`, `invalid_outcome`,
                `unknown_action` for an action that `actions` lacks, `duplicate_action`.

        Example:
            >>> import polars as pl
            >>> LoggedDecisions.of(
            ...     pl.DataFrame({"item": ["a", "b"], "click": [0, 1], "p": [0.5, 0.5]}),
            ...     action="item",
            ...     reward="click",
            ...     propensity="p",
            ... )
            LoggedDecisions(2 rows, 2 actions, 1 positions, 2 clusters)
        """
        probability = [propensity] if isinstance(propensity, str) else []
        keys = [name for name in (position, customer, slate, estimated) if name is not None]
        wanted = list(dict.fromkeys([action, reward, *probability, *keys, *context]))
        table = plain_table(pa.Table.from_batches(list(batches(data, columns=wanted))))
        if slate is not None and position is None:
            message = f"expected a position beside the slate {slate!r}, found none"
            raise StatisticsError(message, code="off_policy_input", hint="position=... names the column")
        rewards = _numbers(table, reward)
        chances = _numbers(table, propensity) if isinstance(propensity, str) else None
        kept, flags = _whole_rows(table, action, rewards, chances)
        if estimated is not None:
            guessed = _count_true(table, estimated, kept)
            flags += (Flag("estimated_propensity", count=guessed),) if guessed else ()
        names, code = _coded(table.column(action).filter(kept), actions)
        places: tuple[str, ...] = ("",)
        place: Codes | None = None
        if position is not None:
            places, place = _coded(table.column(position).filter(kept), is_in_slots=True)
        if place is not None and (place < 0).any():
            message = f"expected a position in every row, found none in {int((place < 0).sum())} rows"
            raise StatisticsError(message, code="off_policy_input", hint="leave those rows out")
        rows = np.flatnonzero(kept.to_numpy(zero_copy_only=False))
        chance = np.full(len(rows), propensity, np.float64) if chances is None else chances[rows]
        log = cls(
            actions=names,
            action=code,
            reward=rewards[rows],
            propensity=chance,
            position=np.zeros(len(rows), np.int64) if place is None else place,
            positions=places,
            cluster=np.arange(len(rows)),
            slate=None if slate is None else _groups(table.column(slate).filter(kept)),
            context=encoded_context(table.select(list(dict.fromkeys(context))).filter(kept)),
            rows=rows,
            table_rows=table.num_rows,
            flags=flags,
        )
        log._check(reward, propensity)
        if customer is not None:
            return _with(log, cluster=_groups(table.column(customer).filter(kept)))
        return log if log.slate is None else _with(log, cluster=log.slate)

    def _check(self, reward: str, propensity: str | float) -> None:
        if not len(self):
            message = (
                f"expected decisions with action, propensity and reward, found none in {self.table_rows} rows"
            )
            raise StatisticsError(message, code="no_decisions")
        if not np.isfinite(self.reward).all():
            wrong = int((~np.isfinite(self.reward)).sum())
            message = f"expected finite numbers in {reward!r}, found {wrong} other values"
            raise StatisticsError(message, code="invalid_outcome", hint="make unknown outcomes null")
        if (np.abs(self.reward) > _LARGEST).any():
            message = (
                f"expected numbers up to {_LARGEST:g} in {reward!r}, found {np.abs(self.reward).max():g}"
            )
            raise StatisticsError(message, code="invalid_outcome", hint="name them in a larger unit")
        bad = ~((self.propensity >= 1 / _LARGEST) & (self.propensity <= 1))
        if bad.any():
            row = int(np.argmax(bad))
            message = (
                f"expected propensities above 0 and at most 1 in {propensity!r}, "
                f"found {self.propensity[row]} in row {self.rows[row]} ({int(bad.sum())} such rows)"
            )
            hint = "without its true propensity a decision teaches nothing: make unknown ones null"
            raise StatisticsError(message, code="propensity_invalid", hint=hint)


def action_names(values: Iterable[object]) -> tuple[str, ...]:
    """The texts by which actions are known: whole floats, as pandas makes of integers, are their integers.

    Raises:
        StatisticsError: `duplicate_action`.
    """
    names = tuple(_text_of(value) for value in values)
    repeated = (
        next((name for name in names if names.count(name) > 1), None) if len({*names}) < len(names) else None
    )
    if repeated is not None:
        message = f"expected each action once, found {repeated!r} again"
        raise StatisticsError(message, code="duplicate_action")
    return names


def action_codes(values: pa.Array | pa.ChunkedArray, names: Sequence[str]) -> Codes:
    """The code of each action; -1 for null.

    Raises:
        StatisticsError: `unknown_action`.
    """
    texts = cast_values(_keys(values), pa.string())
    codes = pc.index_in(texts, pa.array(names, pa.string()))
    strange = pc.and_(codes.is_null(), texts.is_valid())
    if pc.any(strange).as_py():
        found = texts.filter(strange)[0].as_py()
        message = f"expected one of {len(names)} actions, found {found!r}"
        raise StatisticsError(message, code="unknown_action", hint=nearest(found, names))
    known: Codes = _whole(codes.fill_null(-1)).astype(np.int64)
    return known


def _text_of(value: object) -> str:
    """The text of one action or position, as a column of them has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    try:
        return str(key_texts(pa.array([value])).cast(pa.string())[0])
    except (pa.ArrowException, SourceError):
        return str(value)


def _coded(
    values: pa.ChunkedArray, names: Iterable[object] | None = None, *, is_in_slots: bool = False
) -> tuple[tuple[str, ...], Codes]:
    if names is None:
        if pa.types.is_nested(value_type(values.type)):
            message = f"expected actions and positions that have a text, found {values.type}"
            raise SourceError(message, code="key_type", hint="Cast them to text.")
        # Numbers in their own order, so that the tenth item is not the second.
        names = sorted(
            (value for value in pc.unique(values).to_pylist() if value is not None and value == value),
            key=_by_numbers if is_in_slots else None,
        )
    known = action_names(names)
    return known, action_codes(values, known)


def _by_numbers(value: Any) -> Any:
    """What positions are sorted by: the numbers in a text as numbers, so that slot 2 comes before slot 10."""
    if not isinstance(value, str):
        return value
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", value)]


def _groups(values: pa.ChunkedArray) -> Codes:
    """Rows of one key under one code, in the order in which keys come; each null is a group of its own."""
    hashes = pa.array(core_base.hash_keys(_keys(values)))
    code: Codes = _whole(hashes.dictionary_encode().indices.fill_null(-1)).astype(np.int64)
    alone = code < 0
    code[alone] = code.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return code


def _keys(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Values in the one form by which they are known, whatever type carried them."""
    known = key_texts(_combined(values))
    if not pa.types.is_binary(known.type) and not pa.types.is_large_binary(known.type):
        return known
    try:
        return known.cast(pa.string())
    except pa.ArrowInvalid:
        message = "expected keys that are text, found bytes that are no UTF-8"
        raise SourceError(message, code="key_type", hint="Cast the key to text.") from None


def _combined(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    plain = values.cast(plain_type(values.type, decoded=True))
    return plain.combine_chunks() if isinstance(plain, pa.ChunkedArray) else plain


def _numbers(table: pa.Table, name: str) -> Floats:
    """A column as float64, null as NaN; other values that are not numbers stay NaN or infinite."""
    kind = value_type(table.schema.field(name).type)
    tests = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_boolean,
        pa.types.is_null,
    )
    if not any(is_of(kind) for is_of in tests):
        message = f"expected numbers in column {name!r}, found {kind}"
        raise SourceError(message, code="column_type", hint="Cast the column before.")
    plain = cast_values(table.column(name), kind)
    plain = plain.cast(pa.int8()) if pa.types.is_boolean(kind) else plain
    numbers: Floats = _whole(float_values(plain))
    return numbers


def _count_true(table: pa.Table, name: str, rows: pa.Array) -> int:
    """How many of some rows a column is true of."""
    kind = value_type(table.schema.field(name).type)
    if not pa.types.is_boolean(kind) and not pa.types.is_null(kind):
        message = f"expected booleans in column {name!r}, found {kind}"
        raise SourceError(message, code="column_type", hint="Cast the column before.")
    is_true = cast_values(table.column(name), pa.bool_()).filter(rows)
    return pc.sum(is_true).as_py() or 0


def _whole(values: pa.Array | pa.ChunkedArray) -> Any:
    return values.to_numpy() if isinstance(values, pa.ChunkedArray) else values.to_numpy(zero_copy_only=False)


def _whole_rows(
    table: pa.Table, action: str, rewards: Floats, chances: Floats | None
) -> tuple[pa.Array, tuple[Flag, ...]]:
    """Which rows have all that is needed, and how many lack what. NaN, as a null becomes, is unknown."""
    # A float that is not a number is no action.
    has_action = _whole(_keys(table.column(action)).is_valid()).astype(bool)
    has_chance = np.ones(len(has_action), bool) if chances is None else ~np.isnan(chances)
    has_reward = ~np.isnan(rewards)
    lacking = (
        ("no_action", ~has_action),
        ("missing_propensity", has_action & ~has_chance),
        ("missing_outcome", has_action & has_chance & ~has_reward),
    )
    flags = tuple(Flag(code, count=int(rows.sum())) for code, rows in lacking if rows.any())
    return pa.array(has_action & has_chance & has_reward), flags


def _with(log: LoggedDecisions, *, cluster: Codes) -> LoggedDecisions:
    return replace(log, cluster=cluster)
