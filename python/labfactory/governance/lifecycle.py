"""The states of a package and the ways between them."""

from __future__ import annotations

from enum import StrEnum

from labfactory.base.errors import GovernanceError

__all__ = ["TRANSITIONS", "State", "check_transition"]


class State(StrEnum):
    """Where a package stands between Lab and retirement."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    PACKAGED = "packaged"
    GATED = "gated"
    APPROVED = "approved"
    INGESTED = "ingested"
    CANARY = "canary"
    ACTIVE = "active"
    WATCH = "watch"
    DEMOTED = "demoted"
    EXPIRED = "expired"
    RETIRED = "retired"


_ENDS = frozenset({State.DEMOTED, State.EXPIRED, State.RETIRED})

# Nothing moves by itself: every step is a call with an actor, and an entry in the ledger.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.SUBMITTED, State.RETIRED}),
    State.SUBMITTED: frozenset({State.PACKAGED, State.DRAFT, State.RETIRED}),
    State.PACKAGED: frozenset({State.GATED, State.DRAFT, State.RETIRED}),
    State.GATED: frozenset({State.APPROVED, State.DRAFT, State.RETIRED}),
    State.APPROVED: frozenset({State.INGESTED, State.EXPIRED, State.RETIRED}),
    State.INGESTED: _ENDS | {State.CANARY, State.ACTIVE},
    State.CANARY: _ENDS | {State.ACTIVE},
    State.ACTIVE: _ENDS | {State.WATCH},
    State.WATCH: _ENDS | {State.ACTIVE},
    State.DEMOTED: frozenset({State.CANARY, State.EXPIRED, State.RETIRED}),
    State.EXPIRED: frozenset({State.RETIRED}),
    State.RETIRED: frozenset(),
}


def check_transition(subject: str, before: State | None, after: State) -> None:
    """Refuse a step that the table does not have.

    Args:
        subject: What moves, for the error.
        before: Its state; None when it is new: the Lab begins with a draft, the Factory ingests.
        after: The state that is asked for.

    Raises:
        GovernanceError: `transition_refused`.

    Example:
        >>> check_transition("welcome@1", State.ACTIVE, State.WATCH)
    """
    allowed = frozenset({State.DRAFT, State.INGESTED}) if before is None else TRANSITIONS[before]
    if after not in allowed:
        ways = ", ".join(sorted(allowed)) or "none"
        message = f"expected {subject}, {before or 'new'}, to move to one of: {ways}; found {after}"
        raise GovernanceError(message, code="transition_refused")
