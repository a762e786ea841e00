"""Allowances: what caps and rests leave customers, given what they got and what is planned for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labfactory.selection.contact import CALENDAR, span_of
from labfactory.selection.history import microseconds_of, used_of
from labfactory.selection.moment import window_of
from labfactory.selection.zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    import numpy.typing as npt

    from labfactory.selection.contact import Cap
    from labfactory.selection.history import History
    from labfactory.selection.moment import Moment
    from labfactory.selection.planned import Planned

_NONE = -np.inf


@dataclass(frozen=True)
class Allowance:
    """What a limit leaves each of some customers.

    Args:
        left: How many choices; None where it is the rule's own number for everybody.
        bars: What the first choice must be worth more than, so that it may take the room of what is planned,
            what the second, and so on; choices that are not listed need not.
    """

    left: npt.NDArray[np.int32] | None
    bars: tuple[npt.NDArray[np.float64], ...] = ()

    def stops(
        self, worth: npt.NDArray[np.float32], is_control: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Whom a first choice of so much worth is kept from by what is planned.

        Args:
            worth: To each customer; NaN is stopped.
            is_control: Who is in a control arm, whose choices are worth no more than others.
        """
        if not self.bars:
            return np.zeros(len(worth), dtype=bool)
        return (is_control & (self.bars[0] > _NONE)) | ~(worth > self.bars[0])

    def after(self, used: npt.NDArray[np.int64]) -> Allowance:
        """What stands before the next choice, after so many of each customer: its bar alone."""
        rows = np.arange(len(used))
        bars = np.stack([*self.bars, np.full(len(used), _NONE)])
        return Allowance(self.left, (bars[np.minimum(used, len(self.bars)), rows],))

    @property
    def reserved(self) -> npt.NDArray[np.int32] | None:
        """How many choices there are whatever they are worth; at least the one that is held to its bar."""
        if self.left is None or not self.bars:
            return self.left
        is_free = np.stack(self.bars) == _NONE
        free = np.maximum(is_free.sum(axis=0), 1)
        return np.where(is_free.all(axis=0), self.left, np.minimum(self.left, free)).astype(np.int32)


def cap_allowance(
    rule: Cap,
    choices: int,
    hashes: npt.NDArray[np.uint64],
    zones: tuple[npt.NDArray[np.int64], Sequence[str | None]],
    moment: Moment,
) -> Allowance:
    """What a cap over time leaves customers at a moment.

    Of what is planned it keeps free what is worth most. In each window that a choice now falls into, the
    contacts there were, the choices and what is planned and worth no less than them are no more than the cap.

    Args:
        rule: The cap.
        choices: How many choices a decision can make.
        hashes: Of the customers' keys.
        zones: For each customer the number of its zone, and the zones' names.
        moment: As `Gate.check` wants it.
    """
    now, history = moment.now, moment.history
    assert now is not None, "the gate was checked"
    assert history is not None, "the gate was checked"
    used = np.zeros(len(hashes), dtype=np.int64)
    bars = np.full((choices, len(hashes)), _NONE)
    for rows, start, until in _windows(rule, zones, now):
        used[rows] = _counts(history.since(rule, start, now), hashes[rows])
        if moment.planned is not None:
            reserve = _Reserve(rule, moment.planned, history, now)
            reserve.raise_bars(bars, np.flatnonzero(rows), hashes[rows], used[rows], until)
    left = np.maximum(rule.at_most - used, 0).astype(np.int32)
    is_free = bool((bars == _NONE).all())
    return Allowance(left, () if is_free else tuple(bars))


def _windows(
    rule: Cap, zones: tuple[npt.NDArray[np.int64], Sequence[str | None]], now: datetime
) -> Iterator[tuple[npt.NDArray[np.bool_], datetime, int]]:
    """The customers of each window, when it began, and until when what is planned shares one with now."""
    codes, names = zones
    if rule.per not in CALENDAR:
        span = span_of(rule.per)
        yield np.ones(len(codes), dtype=bool), now - span, microseconds_of(now + span)
        return
    known = [zone_of(name) if name else None for name in names]
    spans = [window_of(rule.per, now, zone) for zone in known]
    for span_found in dict.fromkeys(spans):
        numbers = [number for number, one in enumerate(spans) if one == span_found]
        yield np.isin(codes, numbers), *span_found


@dataclass(frozen=True)
class _Reserve:
    """What a cap keeps free for what is planned, for many customers at once; `bars_of` is its plain twin."""

    rule: Cap
    planned: Planned
    history: History
    now: datetime

    def raise_bars(
        self,
        bars: npt.NDArray[np.float64],
        rows: npt.NDArray[np.int64],
        hashes: npt.NDArray[np.uint64],
        used: npt.NDArray[np.int64],
        until: int,
    ) -> None:
        """Raises the bars of some customers, [choices, customers], by what is planned up to a moment."""
        ahead = self.planned.ahead(self.rule, self.now, until)
        first = np.searchsorted(ahead.hashes, hashes, "left")
        counts = np.searchsorted(ahead.hashes, hashes, "right") - first
        own = np.flatnonzero(counts)
        if not len(own):
            return
        width = int(counts.max())
        is_there = np.arange(width) < counts[own, None]
        places = np.minimum(first[own, None] + np.arange(width), len(ahead.hashes) - 1)
        worth = np.where(is_there, ahead.worth[places], _NONE)
        if self.rule.per in CALENDAR:
            bars[:, rows[own]] = self._bars(worth, used[own], len(bars))
            return
        span = _length(span_of(self.rule.per))
        for at in range(width):
            # The window that ends with the next of what is planned, which some of the past has left.
            starts = ahead.moments[places[:, at]] - span
            past = self._past(hashes[own], starts)
            found = self._bars(worth[:, : at + 1], past, len(bars))
            found[:, ~is_there[:, at]] = _NONE
            bars[:, rows[own]] = np.maximum(bars[:, rows[own]], found)

    def _bars(
        self, worth: npt.NDArray[np.float64], used: npt.NDArray[np.int64], choices: int
    ) -> npt.NDArray[np.float64]:
        """The bar of each choice in a window with so much used."""
        falling = -np.sort(-worth, axis=1)
        places = (self.rule.at_most - used - 1)[None, :] - np.arange(choices)[:, None]
        within = np.clip(places, 0, falling.shape[1] - 1)
        found = falling[np.arange(len(used))[None, :], within]
        found = np.where(places >= falling.shape[1], _NONE, found)
        return np.where(places < 0, np.inf, found)

    def _past(self, hashes: npt.NDArray[np.uint64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How many contacts each customer had from a moment of its own to now."""
        known, moments = self.history.until(self.rule, self.now)
        low, last = np.searchsorted(known, hashes, "left"), np.searchsorted(known, hashes, "right")
        high = last.copy()
        while (is_open := low < high).any():
            middle = (low + high) // 2
            is_before = is_open.copy()
            is_before[is_open] = moments[middle[is_open]] < starts[is_open]
            low, high = np.where(is_before, middle + 1, low), np.where(is_open & ~is_before, middle, high)
        return last - low


def bars_of(
    rule: Cap,
    past: list[int],
    planned: Sequence[tuple[int, float]],
    window: tuple[int, int],
    now: int,
    choices: int,
) -> list[float]:
    """The bars of one customer; all times in microseconds.

    Args:
        rule: The cap.
        past: When the customer got what it counts, ascending.
        planned: When more of it is planned, ascending, and what it is worth.
        window: When the cap's window began, and until when what is planned shares one with now.
        now: The moment.
        choices: How many choices a decision can make.
    """
    start, until = window
    ahead = [(moment, worth) for moment, worth in planned if now < moment <= until]
    if not ahead:
        return []
    bars = [_NONE] * choices
    if rule.per in CALENDAR:
        ends = [(start, ahead)]
    else:
        span = _length(span_of(rule.per))
        ends = [(moment - span, ahead[: at + 1]) for at, (moment, _) in enumerate(ahead)]
    for first, within in ends:
        room = rule.at_most - used_of(past, first, now)
        falling = sorted((worth for _, worth in within), reverse=True)
        for choice in range(choices):
            place = room - 1 - choice
            if place < len(falling):
                bars[choice] = max(bars[choice], falling[place] if place >= 0 else np.inf)
    return bars if max(bars, default=_NONE) > _NONE else []


def _length(span: timedelta) -> int:
    return round(span.total_seconds() * 1_000_000)


def _counts(sorted_hashes: npt.NDArray[np.uint64], hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    return np.searchsorted(sorted_hashes, hashes, "right") - np.searchsorted(sorted_hashes, hashes, "left")
