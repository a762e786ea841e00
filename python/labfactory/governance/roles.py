"""Who may say yes: roles, approvals and overrides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import StringConstraints

from labfactory.base.canonical import sha256_hex
from labfactory.base.errors import GovernanceError, HandoffError, UsageError
from labfactory.base.instants import instant, instant_text
from labfactory.governance.statement import APPROVAL, OVERRIDE, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

__all__ = ["OVERRIDE_SIGNATURES", "Approval", "Override", "PersonId", "Role", "StatementSigner"]

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
PersonId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}$")]

OVERRIDE_SIGNATURES = 2  # nobody overrules a verdict alone


class StatementSigner(Protocol):
    """What approves: a person who can put a signature under a statement."""

    @property
    def person(self) -> str:
        """The person's id, as the trust file lists it."""

    def sign_statement(self, payload: bytes) -> bytes:
        """The signed envelope of a statement's bytes."""


@dataclass(frozen=True)
class Approval:
    """One person's yes, in one role, to the digests that the statement names.

    Attributes:
        role: The role in which the person signs.
        person: The person's id.
        subjects: What is approved: digest by name.
        envelope: The signed statement.
    """

    role: str
    person: str
    subjects: Mapping[str, str]
    envelope: bytes

    @classmethod
    def make(cls, subjects: Mapping[str, str], *, role: str, signer: StatementSigner) -> Approval:
        """Sign a yes to subjects."""
        statement = Statement(subjects, APPROVAL, {"role": role, "person": signer.person})
        return cls(role, signer.person, dict(subjects), signer.sign_statement(statement.to_bytes()))

    @classmethod
    def read(cls, payload: bytes, envelope: bytes) -> Approval:
        """Read the approval that an envelope carries as its payload.

        Raises:
            HandoffError: `statement_malformed`.
        """
        statement = Statement.from_bytes(payload, APPROVAL)
        match statement.predicate:
            case {"role": str(role), "person": str(person)} if len(statement.predicate) == 2:
                return cls(role, person, statement.subjects, envelope)
        message = "expected an approval with a role and a person"
        raise HandoffError(message, code="statement_malformed")

    def __repr__(self) -> str:
        return f"Approval({self.person} as {self.role})"


@dataclass(frozen=True)
class Override:
    """A reason to go on in spite of a verdict, until a day, signed by at least two roles.

    Attributes:
        subjects: The root and the verdict that it is about: digest by name.
        reason: Why, in words; it is kept in the ledger.
        expires_at: When it ends, at the latest with the verdict.
        approvals: The signatures.
    """

    subjects: Mapping[str, str]
    reason: str
    expires_at: datetime
    approvals: tuple[Approval, ...] = ()

    def sign(self, *, role: str, signer: StatementSigner) -> Override:
        """This override with one signature more.

        Args:
            role: The role in which the person signs.
            signer: The person with the key.
        """
        subjects = {**self.subjects, "override.json": sha256_hex(self.statement())}
        approval = Approval.make(subjects, role=role, signer=signer)
        return replace(self, approvals=in_order([*self.approvals, approval]))

    def statement(self) -> bytes:
        """The statement that is signed, without the signatures."""
        predicate = {"reason": self.reason, "expires_at": instant_text(self.expires_at)}
        return Statement(self.subjects, OVERRIDE, predicate).to_bytes()

    @classmethod
    def read(cls, data: bytes, approvals: tuple[Approval, ...]) -> Override:
        """Read the statement of an override.

        Raises:
            HandoffError: `statement_malformed`.
        """
        statement = Statement.from_bytes(data, OVERRIDE)
        reason, expires_at = (statement.predicate.get(name) for name in ("reason", "expires_at"))
        try:
            if isinstance(reason, str):
                override = cls(statement.subjects, reason, instant(expires_at, "expires_at"), approvals)
                if override.statement() == data:
                    return override
        except UsageError:
            pass
        message = "expected an override with a reason and a moment at which it expires"
        raise HandoffError(message, code="statement_malformed")


def in_order(approvals: Iterable[Approval]) -> tuple[Approval, ...]:
    """Approvals in the order of their roles, in which a container holds them."""
    return tuple(sorted(approvals, key=lambda approval: approval.role))


def check_distinct(approvals: tuple[Approval, ...]) -> None:
    """Refuse two approvals in one role, or by one person.

    Raises:
        GovernanceError: `role_repeated`, `person_repeated`.
    """
    roles: set[str] = set()
    people: set[str] = set()
    for approval in approvals:
        if approval.role in roles:
            message = f"expected one approval for each role, found two as {approval.role}"
            raise GovernanceError(message, code="role_repeated")
        if approval.person in people:
            message = f"expected approvals by distinct people, found two by {approval.person}"
            raise GovernanceError(message, code="person_repeated")
        roles.add(approval.role)
        people.add(approval.person)
