"""What a Factory asks of a package before it believes a byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labfactory.base.canonical import sha256_hex
from labfactory.base.errors import GovernanceError, HandoffError
from labfactory.base.instants import instant, instant_text
from labfactory.governance.roles import OVERRIDE_SIGNATURES, Approval, check_distinct
from labfactory.handoff.envelope import Envelope
from labfactory.handoff.sealed import OVERRIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from labfactory.governance.roles import Override
    from labfactory.governance.verdict import Verdict
    from labfactory.handoff.content import Content
    from labfactory.handoff.sealed import Sealed
    from labfactory.handoff.trust import Trust

__all__ = ["check_sealed", "missing_roles", "verify_sealed"]


def missing_roles(sealed: Sealed) -> tuple[str, ...]:
    """The policy's roles that have not signed."""
    signed = {approval.role for approval in sealed.approvals}
    return tuple(role for role in sealed.content.policy.approvals.roles if role not in signed)


def check_sealed(sealed: Sealed) -> None:
    """Refuse what no trust file could make right: a verdict of other evidence, a yes to other digests.

    Raises:
        HandoffError: `verdict_differs`, `approval_differs`.
        GovernanceError: `verdict_refused`, `override_refused`, `role_unknown`, `role_repeated`,
            `person_repeated`, `author_approves`.
    """
    _check_verdict(sealed)
    content, verdict = sealed.content, sealed.verdict
    _check_approvals(content, sealed.approvals, content.policy.approvals.roles, verdict.subjects())
    if sealed.override is not None:
        _check_override(sealed, sealed.override)
    elif verdict.status != "passed":
        message = f"expected a verdict that has passed, found one that is {verdict.status}"
        raise GovernanceError(message, code="verdict_refused", hint="two roles can sign an override")


def verify_sealed(sealed: Sealed, trust: Trust, now: datetime) -> None:
    """Ask everything that a Factory asks before it believes a package.

    Args:
        sealed: The package.
        trust: Whom to believe.
        now: The moment, aware.

    Raises:
        HandoffError: `not_yet_valid`, `package_expired`, `trust_expired`, `signature_refused`,
            `key_revoked`, `key_expired`, `role_refused`, `approval_differs`, `verdict_differs`.
        GovernanceError: what `check_sealed` raises; `approvals_missing` names the roles.
    """
    moment, verdict = instant(now), sealed.verdict
    _check_span("verdict", verdict.judged_at, verdict.expires_at, moment)
    _check_signatures(sealed.approvals, trust, moment)
    if sealed.override is not None:
        _check_span("override", verdict.judged_at, sealed.override.expires_at, moment)
        _check_signatures(sealed.override.approvals, trust, moment)
    check_sealed(sealed)
    if missing := missing_roles(sealed):
        message = f"expected the approval of every role of the policy, found none of {', '.join(missing)}"
        raise GovernanceError(message, code="approvals_missing")


def _check_verdict(sealed: Sealed) -> None:
    verdict, content = sealed.verdict, sealed.content
    if (verdict.package, verdict.root) != (content.id, content.root):
        message = (
            f"expected a verdict about {content.id}, root sha256:{content.root}, "
            f"found one about {verdict.package}, root sha256:{verdict.root}"
        )
        raise HandoffError(message, code="verdict_differs")
    if verdict.judged_at < content.header.created:
        message = "expected a verdict after the package was built, found one from before"
        raise HandoffError(message, code="verdict_differs")
    again = content.judge(verdict.judged_at)
    if _judgement(again) != _judgement(verdict):
        message = (
            "expected the verdict that the policy gives on this evidence, "
            f"sha256:{sha256_hex(again.statement())}, found sha256:{sha256_hex(verdict.statement())}"
        )
        raise HandoffError(message, code="verdict_differs")


def _check_approvals(
    content: Content, approvals: tuple[Approval, ...], roles: Sequence[str], subjects: Mapping[str, str]
) -> None:
    for approval in approvals:
        if approval.role not in roles:
            message = f"expected approvals as {', '.join(roles)}, found one as {approval.role}"
            raise GovernanceError(message, code="role_unknown")
        _check_subjects(approval, subjects)
        if content.policy.approvals.exclude_author and approval.person == content.header.author:
            message = f"expected approvals by others than the author, found one by {approval.person}"
            raise GovernanceError(message, code="author_approves")
    check_distinct(approvals)


def _check_override(sealed: Sealed, override: Override) -> None:
    if sealed.verdict.status == "passed" or override.expires_at > sealed.verdict.expires_at:
        message = (
            "expected an override of a verdict that has not passed, and no longer than it, found another"
        )
        raise GovernanceError(message, code="override_refused")
    subjects = sealed.verdict.subjects()
    if override.subjects != subjects:
        message = "expected an override of this root and verdict, found one of other digests"
        raise HandoffError(message, code="approval_differs")
    signed = {**subjects, OVERRIDE: sha256_hex(override.statement())}
    _check_approvals(sealed.content, override.approvals, sealed.content.policy.override_roles, signed)
    if len(override.approvals) < OVERRIDE_SIGNATURES:
        message = (
            f"expected an override signed by {OVERRIDE_SIGNATURES} roles, found {len(override.approvals)}"
        )
        raise GovernanceError(message, code="override_refused")


def _check_signatures(approvals: Iterable[Approval], trust: Trust, moment: datetime) -> None:
    for approval in approvals:
        envelope = Envelope.from_bytes(approval.envelope)
        person = trust.person_of(envelope, now=moment)
        # From here on the bytes are those that the key's owner signed: they are read again, not believed.
        signed = Approval.read(envelope.payload, approval.envelope)
        digest = sha256_hex(envelope.payload)
        if signed != approval or signed.person != person.id:
            message = f"expected sha256:{digest} to be signed by the person it names, found another"
            raise HandoffError(message, code="signature_refused")
        if signed.role not in person.roles:
            message = f"expected {person.id} to hold the role {signed.role}, found no such role of theirs"
            raise HandoffError(message, code="role_refused")


def _judgement(verdict: Verdict) -> dict[str, Any]:
    """What must come out again when a verdict is replayed: all but the words."""
    value = verdict.to_dict()
    return {**value, "gates": [{**row, "reason": ""} for row in value["gates"]]}


def _check_subjects(approval: Approval, subjects: Mapping[str, str]) -> None:
    if dict(approval.subjects) == dict(subjects):
        return
    names = sorted({*approval.subjects, *subjects})
    name = next(name for name in names if approval.subjects.get(name) != subjects.get(name))
    message = (
        f"expected the approval as {approval.role} to be of {name} sha256:{subjects.get(name)}, "
        f"found sha256:{approval.subjects.get(name)}"
    )
    raise HandoffError(message, code="approval_differs")


def _check_span(what: str, begin: datetime, end: datetime, moment: datetime) -> None:
    found = instant_text(moment)
    if moment < begin:
        message = f"expected a moment from {instant_text(begin)} on, when the {what} begins, found {found}"
        raise HandoffError(message, code="not_yet_valid")
    if moment >= end:
        message = f"expected a moment before {instant_text(end)}, when the {what} ends, found {found}"
        raise HandoffError(message, code="package_expired")
