"""Contact rules: who may be reached at all, when, and how often."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import time, timedelta
from functools import lru_cache
from typing import Literal

from labfactory.base.errors import SelectionError

# A thousand years: with the years that a moment may have, no window reaches past the calendar.
_LONGEST_HOURS = 365_250 * 24
_MOST = 2**31 - 1
CALENDAR = ("day", "week", "month")
"""Windows of the customer's calendar; others roll."""
_SPAN = re.compile(r"(\d+) (hour|day)s?")


@lru_cache(maxsize=256)
def span_of(text: str) -> timedelta:
    """The length of time that a text such as "12 hours" or "30 days" says.

    Raises:
        SelectionError: `contact_rule` when it says none.
    """
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None or int(found[1]) == 0:
        message = f"expected a length of time such as '12 hours' or '30 days', found {text!r}"
        raise SelectionError(message, code="contact_rule")
    hours = int(found[1]) * (1 if found[2] == "hour" else 24)
    if hours > _LONGEST_HOURS:
        message = f"expected a length of time of at most {_LONGEST_HOURS // 24} days, found {text!r}"
        raise SelectionError(message, code="contact_rule")
    return timedelta(hours=hours)


def _check_count(number: object, what: str, least: int) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= _MOST:
        message = f"expected {what} as a whole number from {least} to {_MOST}, found {number!r}"
        raise SelectionError(message, code="contact_rule")


def _said(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(list(value) if isinstance(value, tuple) else value)


@lru_cache(maxsize=256)
def _time_of(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        message = f"expected a time of day such as '21:30', found {text!r}"
        raise SelectionError(message, code="contact_rule") from None


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which choices a rule is about: those that meet all that is given.

    Args:
        channel: The channel of the slot.
        type: The type of the slot.
        tag: A tag of the component; `topic:*` makes a rule for each tag that begins so.
        components: One of these components.
        slots: One of these slots.
    """

    channel: str | None = None
    type: str | None = None
    tag: str | None = None
    components: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a contact history that it reads."""
        given = (("channel", self.channel), ("type", self.type), ("tags", self.tag))
        several = (("component", self.components), ("slot", self.slots))
        return tuple(name for name, value in (*given, *several) if value)

    def __str__(self) -> str:
        """As a policy's file says it, without what is left out."""
        names = [one.name for one in fields(self)]
        of_scope = [one.name for one in fields(Scope)]
        said = {name: getattr(self, name) for name in [*names[len(of_scope) :], *of_scope]}
        empty = (None, (), False)
        given = {name: value for name, value in said.items() if not any(value is one for one in empty)}
        return ", ".join(f"{name} = {_said(value)}" for name, value in given.items())


@dataclass(frozen=True, kw_only=True)
class Cap(Scope):
    """At most so many choices for one customer.

    Args:
        at_most: The number.
        per: "message": among the slots of this decision; "day", "week" (from Monday) or "month": of the
            calendar in the customer's zone; or a rolling length such as "7 days". What the contact history
            has in that time counts, and so do this decision's own slots.
        planned: Whether decisions must be told what is planned, which counts too where it is told.

    Raises:
        SelectionError: `contact_rule`.

    Example:
        >>> Cap(at_most=2, per="7 days", channel="email").is_over_time
        True
    """

    at_most: int
    per: str = "message"
    planned: bool = False

    def __post_init__(self) -> None:
        _check_count(self.at_most, "a cap", 0)
        if self.per not in ("message", *CALENDAR):
            span_of(self.per)
        if self.planned and self.per == "message":
            message = "expected a cap over time where what is planned counts, found one per message"
            raise SelectionError(message, code="contact_rule")

    @property
    def is_over_time(self) -> bool:
        """Whether it counts the contact history."""
        return self.per != "message"


@dataclass(frozen=True, kw_only=True)
class Rest(Scope):
    """Rests what brought an outcome: after `times` of it within a time, nothing in scope for `rest`.

    Args:
        outcome: The outcome in the contact history, such as "ignored".
        times: How many of them.
        within: In which time, such as "30 days".
        rest: For how long from the last of them.

    Raises:
        SelectionError: `contact_rule`.
    """

    outcome: str
    times: int = 1
    within: str = "30 days"
    rest: str = "60 days"

    def __post_init__(self) -> None:
        _check_count(self.times, "times of an outcome", 1)
        span_of(self.within)
        span_of(self.rest)

    @property
    def within_span(self) -> timedelta:
        """`within` as a length of time."""
        return span_of(self.within)

    @property
    def rest_span(self) -> timedelta:
        """`rest` as a length of time."""
        return span_of(self.rest)


@dataclass(frozen=True, kw_only=True)
class HoldoutRule:
    """A share of customers who get nothing, or a choice without personalisation.

    Args:
        name: What it measures.
        share: The share, in [0, 1].
        salt: Decides together with the key who is in it, whatever the seed: layers with other salts are
            independent, the same salt and a larger share keep those that were in it, and an experiments'
            holdout of that name holds out the same customers. The name, when empty.
        gives: "nothing", or "control": an eligible component, each alike.

    Raises:
        SelectionError: `contact_rule`.
    """

    name: str
    share: float
    salt: str = ""
    gives: Literal["nothing", "control"] = "nothing"

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            message = f"expected a share between 0 and 1, found {self.share}"
            raise SelectionError(message, code="contact_rule")
        if self.gives not in ("nothing", "control"):
            message = f"expected a holdout that gives nothing or control, found {self.gives!r}"
            raise SelectionError(message, code="contact_rule")


@dataclass(frozen=True, kw_only=True)
class QuietHours:
    """The hours of the customer's day in which nobody is reached; over midnight where the start is later.

    Args:
        start: When they begin, such as "21:00".
        end: When they end; that minute is not quiet.

    Raises:
        SelectionError: `contact_rule`.
    """

    start: str
    end: str

    def __post_init__(self) -> None:
        if _time_of(self.start) == _time_of(self.end):
            message = f"expected quiet hours that begin and end at different times, found {self.start}"
            raise SelectionError(message, code="contact_rule")

    def covers(self, moment: time) -> bool:
        """Whether a time of the customer's day is quiet."""
        start, end = _time_of(self.start), _time_of(self.end)
        return start <= moment < end if start < end else moment >= start or moment < end


@dataclass(frozen=True, kw_only=True)
class ContactRules:
    """What holds for every slot of a policy.

    Args:
        consent: Conditions that must be true. Null, an error of the row, or a null in any column that they
            read is a no.
        suppressed: Conditions of which none may be true; what is unknown counts as true.
        zone: An expression that gives the customer's time zone by its IANA name; UTC when there is none.
            Where it is null or no zone, it counts as quiet hours, and calendar caps look back furthest.
        quiet_hours: When nobody is reached.
        send_hour: An expression that gives the hour, 0 to 23 in the customer's zone, at which to send; or a
            column with a list of scores, 24 or 168, of which `Selector.send_times` takes the best.
        caps: How often.
        rests: What is rested after an outcome.
        holdouts: Who is held out, the first that holds.
    """

    consent: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    zone: str | None = None
    quiet_hours: QuietHours | None = None
    send_hour: str | None = None
    caps: tuple[Cap, ...] = ()
    rests: tuple[Rest, ...] = ()
    holdouts: tuple[HoldoutRule, ...] = field(default=())

    @property
    def expressions(self) -> tuple[tuple[tuple[str | int, ...], str], ...]:
        """Its expressions, each with its path below `contact`."""
        lists = (("consent", self.consent), ("suppressed", self.suppressed))
        found = [((name, number), text) for name, texts in lists for number, text in enumerate(texts)]
        single = (("zone", self.zone), ("send_hour", self.send_hour))
        return (*found, *(((name,), text) for name, text in single if text is not None))
