"""Send-hour scores: the best coming hour of each customer's clock, also while clocks change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory.base.errors import CompileError, SelectionError, SourceError
from labfactory.selection import ContactRules, QuietHours, SelectionPolicy, Selector, SlotPolicy


@dataclass(frozen=True)
class Block:
    """What content's components are to selection."""

    name: str
    eligible: str | None = None


ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]
LISTS = [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.int16())]


def bound(schema: pa.Schema, quiet: QuietHours | None = None) -> Selector:
    rules = ContactRules(zone="zone", send_hour="scores", quiet_hours=quiet)
    policy = SelectionPolicy.build("1", contact=rules, hero=SlotPolicy())
    return policy.bind({"hero": [Block("a")]}, schema)


def plain(scores: Any, zone: str | None, quiet: QuietHours | None, now: datetime) -> datetime | None:
    """One customer's time, from each hour of the calendar of the days around."""
    if scores is None or len(scores) not in (24, 168) or zone not in ZONES:
        return None
    if any(one is None or math.isnan(one) for one in scores):
        return None
    clock = ZoneInfo(zone)
    coming = {now}
    first = now.astimezone(clock).date()
    for day in (first + timedelta(days=number) for number in range(-1, 10)):
        for hour in range(24):
            for fold in (0, 1):
                local = datetime(day.year, day.month, day.day, hour, tzinfo=clock, fold=fold)
                moment = local.astimezone(UTC)
                is_real = moment.astimezone(clock).replace(tzinfo=None) == local.replace(tzinfo=None)
                if is_real and now < moment < now + timedelta(hours=len(scores)):
                    coming.add(moment)
    best, time = -math.inf, None
    for moment in sorted(coming):
        local = moment.astimezone(clock)
        at = local.hour if len(scores) == 24 else local.weekday() * 24 + local.hour
        is_quiet = quiet is not None and quiet.covers(local.time())
        if not is_quiet and (time is None or scores[at] > best):
            best, time = scores[at], moment
    return time


# Around the nights in which clocks change, and any time.
CHANGES = [
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 4, 4, 12, tzinfo=UTC),
    datetime(2026, 10, 3, 12, tzinfo=UTC),
    datetime(2011, 12, 29, 12, tzinfo=UTC),  # Apia went from Thursday to Saturday
]
MOMENTS = st.one_of(
    st.builds(
        lambda change, minutes: change + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(-9 * 24 * 60, 24 * 60),
    ),
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
QUIET = st.sampled_from(
    [None, QuietHours(start="21:30", end="08:15"), QuietHours(start="02:00", end="03:00")]
)


def lists(seed: int) -> list[list[float | None] | None]:
    """Scores with many ties, of right and wrong numbers."""
    random = np.random.default_rng(seed)
    made: list[list[float | None] | None] = [None]
    for length in (24, 168, 24, 168, 0, 25, 24, 168):
        made.append([float(one) for one in random.integers(0, 12, length)])
    broken = made[-1]
    assert broken is not None
    broken[random.integers(0, len(broken))] = None
    return made


@given(MOMENTS, QUIET, st.integers(0, 2**32 - 1), st.sampled_from(LISTS))
def test_the_time_is_what_a_look_at_each_hour_of_the_calendar_finds(
    now: datetime, quiet: QuietHours | None, seed: int, kind: pa.DataType
) -> None:
    random = np.random.default_rng(seed)
    own = [scores for number in range(3) for scores in lists(seed % 1000 + number)]
    names = [None, "Mars/Olympus", *ZONES, *ZONES]
    zones = [names[random.integers(0, len(names))] for _ in own]
    batch = pa.record_batch({"zone": pa.array(zones, pa.utf8()), "scores": pa.array(own, kind)})
    found = bound(batch.schema, quiet).send_times(batch.slice(3), now=now).to_pylist()
    expected = [plain(scores, zone, quiet, now) for scores, zone in zip(own, zones, strict=True)]
    assert found == expected[3:]


NOW = datetime(2026, 3, 28, 9, 30, tzinfo=UTC)  # a Saturday; the clocks of Berlin go forward the night after


def times(scores: list[Any], quiet: QuietHours | None = None, now: datetime = NOW, kind: Any = None) -> Any:
    kind = kind or pa.list_(pa.float64())
    batch = pa.record_batch({"zone": ["Europe/Berlin"] * len(scores), "scores": pa.array(scores, kind)})
    return bound(batch.schema, quiet).send_times(batch, now=now).to_pylist()


def peak(length: int, **at: float) -> list[float]:
    scores = [0.0] * length
    for place, score in at.items():
        scores[int(place[1:])] = score
    return scores


def test_the_present_hour_is_sent_at_once_and_ties_go_to_the_earliest() -> None:
    assert times([peak(24, h10=1.0), [0.0] * 24, peak(168, h130=1.0)]) == [NOW] * 3


def test_an_hour_that_the_clock_skips_is_not_taken() -> None:
    # 02:00 does not come in the night, and of the 168 hours that of Sunday 02:00 never.
    assert (
        times([peak(24, h2=1.0, h4=0.5), peak(168, h146=1.0, h148=0.5)])
        == [datetime(2026, 3, 29, 2, tzinfo=UTC)] * 2
    )


def test_quiet_hours_are_never_taken() -> None:
    quiet = QuietHours(start="21:00", end="08:00")
    assert times([peak(24, h6=2.0, h8=1.0)], quiet) == [datetime(2026, 3, 29, 6, tzinfo=UTC)]
    late = datetime(2026, 3, 27, 20, 15, tzinfo=UTC)
    assert times([peak(24, h21=9.0)], quiet, now=late) == [datetime(2026, 3, 28, 7, tzinfo=UTC)]


def test_scores_that_say_nothing_have_no_time() -> None:
    broken = [0.0] * 23 + [float("nan")]
    assert times([None, [], [1.0] * 23, broken, [None, *[1.0] * 167]]) == [None] * 5
    fixed = pa.list_(pa.float32(), 24)
    assert times([None, peak(24, h10=1.0), broken], kind=fixed) == [None, NOW, None]


def test_decisions_do_not_read_the_scores() -> None:
    selector = bound(pa.schema([("zone", pa.utf8()), ("scores", LISTS[0])]))
    batch = pa.record_batch({"zone": ["UTC"], "score": [[1.0] * 24]})
    assert selector.decide(batch, keys=pa.array(["k"]), seed=1).column("hero")[0]["component"].as_py() == "a"
    with pytest.raises(SourceError, match="missing column 'scores'") as raised:
        selector.send_times(batch, now=NOW)
    assert (raised.value.code, "score" in (raised.value.hint or "")) == ("missing_column", True)


def test_a_list_of_texts_is_no_list_of_scores() -> None:
    with pytest.raises((CompileError, SelectionError), match="found a list"):
        bound(pa.schema([("zone", pa.utf8()), ("scores", pa.list_(pa.utf8()))]))
