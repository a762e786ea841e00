"""The handoff package: from draft to sealed, and what a Factory asks of one before it believes a byte."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labfactory.base.canonical import canonical_json, parse_json, sha256_hex
from labfactory.base.errors import GovernanceError, HandoffError, RunError, UsageError
from labfactory.base.identity import engine_identity
from labfactory.base.instants import instant, instant_text
from labfactory.base.settings import read_bounded, settings_from
from labfactory.base.storage import write_atomically
from labfactory.governance.lifecycle import State
from labfactory.governance.policy import GraduationPolicy
from labfactory.governance.roles import OVERRIDE_SIGNATURES, Approval, Override, check_distinct, in_order
from labfactory.governance.verdict import Verdict
from labfactory.handoff.container import MAX_CONTAINER_BYTES, pack, unpack
from labfactory.handoff.content import (
    EVALUATION,
    FINDINGS,
    GOLDEN_ASSETS,
    GOLDEN_ROWS,
    GOLDEN_SCHEMA,
    PLAYBOOK,
    POLICY,
    Content,
)
from labfactory.handoff.envelope import Envelope
from labfactory.handoff.golden import (
    golden_table,
    logical_types,
    read_rows,
    write_assets,
    write_rows,
    write_schema,
)
from labfactory.handoff.manifest import HEADER, Header, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from labfactory.handoff.trust import Trust

__all__ = ["Draft", "Package"]

_MANIFEST = "manifest.json"
_VERDICT = "verdict.json"
_OVERRIDE = "override.json"
_APPROVALS = "approvals/"
_OVERRIDES = "overrides/"
_ENVELOPE_SUFFIX = ".dsse.json"


class _Filed(Protocol):
    def files(self) -> Mapping[str, bytes]: ...


class _Library(Protocol):
    def subset(self, creative_names: Iterable[str]) -> _Filed: ...


class _Evaluation(Protocol):
    def to_json(self) -> bytes: ...


@dataclass(frozen=True, repr=False)
class Draft:
    """A package before its verdict: the root is fixed, nothing is signed.

    Attributes:
        content: The files, and what they say.
    """

    content: Content
    state = State.DRAFT

    @property
    def id(self) -> str:
        """Name and version, as `name@version`."""
        return self.content.id

    @property
    def root(self) -> str:
        """The digest over all files."""
        return self.content.root

    def evidence(self) -> dict[str, Any]:
        """Everything that the policy judges."""
        return self.content.evidence()

    def judge(self, *, now: datetime) -> Verdict:
        """The policy's verdict about this root.

        Args:
            now: The moment of the verdict, aware; not before the package was built.

        Raises:
            GovernanceError: `not_yet_valid`.
        """
        if instant(now) < self.content.header.created:
            created = instant_text(self.content.header.created)
            message = f"expected a moment after the package was built ({created}), found {instant_text(now)}"
            raise GovernanceError(message, code="not_yet_valid")
        return self.content.judge(now)

    def seal(
        self, verdict: Verdict, approvals: Sequence[Approval], *, override: Override | None = None
    ) -> Package:
        """Close the draft: content, verdict and approvals in one container.

        Args:
            verdict: This draft's verdict.
            approvals: Signatures over root and verdict; more can follow, they are counted at ingest.
            override: The signed reason to go on, for a verdict that has not passed.

        Raises:
            GovernanceError: `verdict_refused` for a verdict that has not passed and is not overruled,
                `override_refused`, `role_unknown`, `role_repeated`, `person_repeated`, `author_approves`.
            HandoffError: `verdict_differs`, `approval_differs`.
        """
        package = Package(self.content, verdict, in_order(approvals), override)
        package.check()
        return package

    def __repr__(self) -> str:
        return f"Draft({self.id}, root sha256:{self.root[:16]}, {len(self.content.files)} files)"


@dataclass(frozen=True, repr=False)
class Package:
    """A sealed package: the files under the root, the verdict about it, and who said yes.

    Attributes:
        content: The files, and what they say.
        verdict: The verdict about the root.
        approvals: Signatures over root and verdict.
        override: The signed reason to go on in spite of the verdict, if any.

    Example:
        >>> Package.open(b"PK")
        Traceback (most recent call last):
        labfactory.HandoffError: expected an entry at byte 0, found none
    """

    content: Content
    verdict: Verdict
    approvals: tuple[Approval, ...]
    override: Override | None = None

    @staticmethod
    def build(
        name: str,
        *,
        version: int,
        library: _Library,
        creatives: Sequence[str],
        evaluation: _Evaluation,
        graduation: GraduationPolicy | Path | str,
        playbook: Path | str | bytes,
        now: datetime,
        selection: _Filed | None = None,
        golden: object = None,
        render: Callable[[pa.Table], Mapping[str, object]] | None = None,
        author: str | None = None,
        variants: Sequence[str] | None = None,
        inputs: Sequence[Mapping[str, Any]] | None = None,
    ) -> Draft:
        """Put a concept together and fix its root.

        Args:
            name: Name of the concept, lower case.
            version: Number of this version; a Factory takes only rising ones.
            library: Where the creatives are; the subset that they need travels.
            creatives: Names of the creatives.
            evaluation: What the experiment showed.
            graduation: The graduation policy, or the path of its file.
            playbook: The path of the playbook (Markdown), or its bytes.
            now: When it is built, aware.
            selection: The selection policy with its model; None for creatives without slots.
            golden: A few customers, as a frame or table, to render here and again in every Factory.
            render: Makes the golden assets of a table: a dict with `assets` (a list of dicts, each with a
                `status` of ok, skipped or error), and `findings` (a list of dicts) when they were linted.
            author: The id of the person who builds it; policies may bar authors from approving.
            variants: The arms of the experiment that graduate. By default those named as the creatives, else
                all but the control.
            inputs: The columns that are read: dicts of `name`, `type`, and where they hold `optional`,
                `personal`. By default those of the golden rows.

        Returns:
            The draft.

        Raises:
            UsageError: `settings`, `file_unreadable`, `golden_rows`, `golden_render`, `json_value`.
            GovernanceError: `author_missing` when the policy bars the author and none is named.
            HandoffError: `path_refused`, `too_large`.
        """
        policy = graduation if isinstance(graduation, GraduationPolicy) else GraduationPolicy.load(graduation)
        if author is None and policy.approvals.exclude_author:
            message = (
                f"expected an author, whom the policy {policy.policy.id} bars from approving, found none"
            )
            raise GovernanceError(message, code="author_missing", hint="Package.build(..., author=...)")
        table = None if golden is None else golden_table(golden)
        files = {
            EVALUATION: evaluation.to_json(),
            POLICY: policy.source,
            PLAYBOOK: playbook if isinstance(playbook, bytes) else read_bounded(playbook),
            **_placed("library", library.subset(creatives).files()),
            **(_placed("selection", selection.files()) if selection is not None else {}),
            **(_golden_files(table, render) if table is not None else {}),
        }
        types = logical_types(table) if table is not None else {}
        header = {
            "name": name,
            "version": version,
            "author": author,
            "created": instant_text(now),
            "creatives": list(creatives),
            "variants": list(
                _variants(parse_json(files[EVALUATION]), creatives) if variants is None else variants
            ),
            "engine": {key: value for key, value in engine_identity().to_dict().items() if value},
            "inputs": [{"name": column, "type": kind} for column, kind in types.items()]
            if inputs is None
            else [dict(one) for one in inputs],
        }
        stated = {key: value for key, value in header.items() if value is not None}
        files[HEADER] = settings_from(Header, canonical_json(stated), name=HEADER).to_json()
        pack(files)  # refuses what no container could carry, before anybody signs
        return Draft(Content.read(files))

    @classmethod
    def open(
        cls, source: Path | str | bytes, *, trust: Trust | None = None, now: datetime | None = None
    ) -> Package:
        """Read a package and hold every digest in it against every other.

        Args:
            source: The path of a container, or its bytes.
            trust: Whom to believe: when given, the package is verified as well.
            now: The moment of the verification.

        Returns:
            The package. Without `trust` its files agree with its root, but whoever made it may have made it
            all: call `verify` before you believe it.

        Raises:
            HandoffError: a code for each way in which a package can be malformed or altered.
            UsageError: `file_unreadable`; `now_missing` for trust without a moment.
        """
        if trust is not None and now is None:
            message = "expected a moment at which to verify, found none"
            raise UsageError(message, code="now_missing", hint="Package.open(..., trust=trust, now=now)")
        data = source if isinstance(source, bytes) else read_bounded(source, max_bytes=MAX_CONTAINER_BYTES)
        package = _read(unpack(data))
        if trust is not None and now is not None:
            package.verify(trust, now)
        return package

    @property
    def id(self) -> str:
        """Name and version, as `name@version`."""
        return self.content.id

    @property
    def name(self) -> str:
        """The concept's name."""
        return self.content.header.name

    @property
    def version(self) -> int:
        """The number of this version."""
        return self.content.header.version

    @property
    def root(self) -> str:
        """The digest over the files: what was judged and signed."""
        return self.content.root

    @property
    def header(self) -> Header:
        """What the author states."""
        return self.content.header

    @property
    def manifest(self) -> Manifest:
        """The files by digest."""
        return self.content.manifest

    @property
    def policy(self) -> GraduationPolicy:
        """The graduation policy that travels with the package."""
        return self.content.policy

    @property
    def missing_roles(self) -> tuple[str, ...]:
        """The policy's roles that have not signed."""
        signed = {approval.role for approval in self.approvals}
        return tuple(role for role in self.policy.approvals.roles if role not in signed)

    @property
    def state(self) -> State:
        """Gated until all roles have signed, then approved; what follows is in a Factory's ledger."""
        return State.GATED if self.missing_roles else State.APPROVED

    def library_files(self) -> dict[str, bytes]:
        """The library's files, by their path in it."""
        return self.content.below("library")

    def selection_files(self) -> dict[str, bytes]:
        """The selection policy's files; none for a package without slots."""
        return self.content.below("selection")

    def evaluation(self) -> dict[str, Any]:
        """What the experiment showed, as `Evaluation.to_dict()` gives it."""
        return self.content.evaluation()

    def evaluation_json(self) -> bytes:
        """The evaluation as `Evaluation.to_json()` wrote it."""
        return self.content.files[EVALUATION]

    def playbook(self) -> str:
        """The playbook's text, Markdown."""
        return self.content.playbook()

    def golden_rows(self) -> pa.Table | None:
        """The golden rows; None when the package has none."""
        return self.content.golden_rows()

    def golden_assets(self) -> list[dict[str, Any]]:
        """The assets that the golden rows became where the package was built."""
        return self.content.golden_assets()

    def with_approval(self, approval: Approval) -> Package:
        """This package with one signature more; the root stays.

        Raises:
            GovernanceError: `role_unknown`, `role_repeated`, `person_repeated`, `author_approves`.
            HandoffError: `approval_differs`.
        """
        package = replace(self, approvals=in_order([*self.approvals, approval]))
        package.check()
        return package

    def to_bytes(self) -> bytes:
        """The container; equal packages give equal bytes."""
        files = {
            **self.content.files,
            _MANIFEST: self.manifest.to_bytes(),
            _VERDICT: self.verdict.statement(),
        }
        files.update(_enveloped(_APPROVALS, self.approvals))
        if self.override is not None:
            files[_OVERRIDE] = self.override.statement()
            files.update(_enveloped(_OVERRIDES, self.override.approvals))
        return pack(files)

    def save(self, path: Path | str) -> None:
        """Write the container, whole or not at all.

        Raises:
            RunError: `package_unwritable`.
        """
        try:
            write_atomically(Path(path), self.to_bytes())
        except OSError as error:
            message = f"expected to write the package to {path}, found: {error.strerror or error}"
            raise RunError(message, code="package_unwritable") from None

    def check(self) -> None:
        """Refuse what no trust file could make right: a verdict of other evidence, a yes to other digests.

        Raises:
            HandoffError: `verdict_differs`, `approval_differs`.
            GovernanceError: `verdict_refused`, `override_refused`, `role_unknown`, `role_repeated`,
                `person_repeated`, `author_approves`.
        """
        self._check_verdict()
        self._check_approvals(self.approvals, self.policy.approvals.roles, self.verdict.subjects())
        if self.override is None:
            if self.verdict.status != "passed":
                message = f"expected a verdict that has passed, found one that is {self.verdict.status}"
                raise GovernanceError(message, code="verdict_refused", hint="two roles can sign an override")
            return
        self._check_override(self.override)

    def verify(self, trust: Trust, now: datetime) -> None:
        """Ask everything that a Factory asks before it believes a package.

        Args:
            trust: Whom to believe.
            now: The moment, aware.

        Raises:
            HandoffError: `not_yet_valid`, `package_expired`, `trust_expired`, `signature_refused`,
                `key_revoked`, `key_expired`, `role_refused`, `approval_differs`, `verdict_differs`.
            GovernanceError: what `check` raises; `approvals_missing` names the roles.
        """
        moment = instant(now)
        _check_span("verdict", self.verdict.judged_at, self.verdict.expires_at, moment)
        self._check_signatures(self.approvals, trust, moment)
        if self.override is not None:
            _check_span("override", self.verdict.judged_at, self.override.expires_at, moment)
            self._check_signatures(self.override.approvals, trust, moment)
        self.check()
        if self.missing_roles:
            absent = ", ".join(self.missing_roles)
            message = f"expected the approval of every role of the policy, found none of {absent}"
            raise GovernanceError(message, code="approvals_missing")

    def __repr__(self) -> str:
        signed = ", ".join(f"{approval.person} as {approval.role}" for approval in self.approvals)
        override = ", overruled" if self.override else ""
        return (
            f"Package({self.id}, root sha256:{self.root[:16]}, {self.verdict.status}{override}, "
            f"approved by: {signed or 'nobody'})"
        )

    def _check_verdict(self) -> None:
        verdict = self.verdict
        if (verdict.package, verdict.root) != (self.id, self.root):
            message = (
                f"expected a verdict about {self.id}, root sha256:{self.root}, "
                f"found one about {verdict.package}, root sha256:{verdict.root}"
            )
            raise HandoffError(message, code="verdict_differs")
        if verdict.judged_at < self.header.created:
            message = "expected a verdict after the package was built, found one from before"
            raise HandoffError(message, code="verdict_differs")
        again = self.content.judge(verdict.judged_at)
        if _judgement(again) != _judgement(verdict):
            message = (
                "expected the verdict that the policy gives on this evidence, "
                f"sha256:{sha256_hex(again.statement())}, found sha256:{sha256_hex(verdict.statement())}"
            )
            raise HandoffError(message, code="verdict_differs")

    def _check_approvals(
        self, approvals: tuple[Approval, ...], roles: Sequence[str], subjects: Mapping[str, str]
    ) -> None:
        for approval in approvals:
            if approval.role not in roles:
                message = f"expected approvals as {', '.join(roles)}, found one as {approval.role}"
                raise GovernanceError(message, code="role_unknown")
            _check_subjects(approval, subjects)
            if self.policy.approvals.exclude_author and approval.person == self.header.author:
                message = f"expected approvals by others than the author, found one by {approval.person}"
                raise GovernanceError(message, code="author_approves")
        check_distinct(approvals)

    def _check_override(self, override: Override) -> None:
        if self.verdict.status == "passed" or override.expires_at > self.verdict.expires_at:
            message = (
                "expected an override of a verdict that has not passed, and no longer than it, found another"
            )
            raise GovernanceError(message, code="override_refused")
        subjects = self.verdict.subjects()
        if override.subjects != subjects:
            message = "expected an override of this root and verdict, found one of other digests"
            raise HandoffError(message, code="approval_differs")
        signed = {**subjects, _OVERRIDE: sha256_hex(override.statement())}
        self._check_approvals(override.approvals, self.policy.override_roles, signed)
        if len(override.approvals) < OVERRIDE_SIGNATURES:
            message = (
                f"expected an override signed by {OVERRIDE_SIGNATURES} roles, found {len(override.approvals)}"
            )
            raise GovernanceError(message, code="override_refused")

    def _check_signatures(self, approvals: Iterable[Approval], trust: Trust, moment: datetime) -> None:
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


def _golden_files(
    table: pa.Table, render: Callable[[pa.Table], Mapping[str, object]] | None
) -> dict[str, bytes]:
    files = {GOLDEN_SCHEMA: write_schema(table), GOLDEN_ROWS: write_rows(table)}
    if render is None:
        return files
    # What is rendered is what a Factory will read back, not what the caller happened to hold.
    rendered = render(read_rows(files[GOLDEN_SCHEMA], files[GOLDEN_ROWS]))
    files[GOLDEN_ASSETS] = write_assets(rendered)
    if rendered.get("findings") is not None:
        files[FINDINGS] = canonical_json(rendered["findings"])
    return files


def _variants(evaluation: Any, creatives: Sequence[str]) -> list[str]:
    units = evaluation.get("units") if isinstance(evaluation, dict) else None
    arms = [arm for arm in units if arm != evaluation.get("control")] if isinstance(units, dict) else []
    return [arm for arm in arms if arm in creatives] or arms


def _placed(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{path}": data for path, data in files.items()}


def _enveloped(folder: str, approvals: Iterable[Approval]) -> dict[str, bytes]:
    return {f"{folder}{approval.role}{_ENVELOPE_SUFFIX}": approval.envelope for approval in approvals}


def _read(files: dict[str, bytes]) -> Package:
    stated = {path: files.pop(path, None) for path in (_MANIFEST, _VERDICT, _OVERRIDE)}
    approvals = _approvals(files, _APPROVALS)
    overrides = _approvals(files, _OVERRIDES)
    manifest, verdict, override = stated.values()
    if manifest is None or verdict is None:
        message = f"expected a container with {_MANIFEST} and {_VERDICT}, found none"
        raise HandoffError(message, code="manifest_malformed")
    Manifest.of(files).check(manifest)
    if override is None and overrides:
        message = "expected an override beside its signatures, found none"
        raise HandoffError(message, code="manifest_malformed")
    return Package(
        Content.read(files),
        Verdict.read(verdict),
        approvals,
        None if override is None else Override.read(override, overrides),
    )


def _approvals(files: dict[str, bytes], folder: str) -> tuple[Approval, ...]:
    found = []
    for path in sorted(path for path in files if path.startswith(folder)):
        data = files.pop(path)
        approval = Approval.read(Envelope.from_bytes(data).payload, data)
        if path != f"{folder}{approval.role}{_ENVELOPE_SUFFIX}":
            message = f"expected {path} to be named for its role, found an approval as {approval.role!r}"
            raise HandoffError(message, code="manifest_malformed")
        found.append(approval)
    return tuple(found)


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
