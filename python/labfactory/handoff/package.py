"""The handoff package: put together, sealed, opened, verified."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labfactory.base.canonical import canonical_json, parse_json
from labfactory.base.errors import GovernanceError, RunError, UsageError
from labfactory.base.identity import engine_identity
from labfactory.base.instants import instant_text
from labfactory.base.settings import read_bounded, settings_from
from labfactory.base.storage import write_atomically
from labfactory.content import Host
from labfactory.governance.lifecycle import State
from labfactory.governance.policy import GraduationPolicy
from labfactory.governance.roles import in_order
from labfactory.handoff.concept import Concept
from labfactory.handoff.container import MAX_CONTAINER_BYTES, pack, unpack
from labfactory.handoff.content import EVALUATION, PLAYBOOK, POLICY, Content
from labfactory.handoff.draft import Draft
from labfactory.handoff.golden import golden_table, logical_types
from labfactory.handoff.manifest import HEADER, Header
from labfactory.handoff.sealed import Sealed
from labfactory.handoff.verification import check_sealed, missing_roles, verify_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from labfactory.compiler import Table
    from labfactory.content import Library
    from labfactory.governance.roles import Approval
    from labfactory.handoff.manifest import Manifest
    from labfactory.handoff.renderer import Renderer
    from labfactory.handoff.trust import Trust
    from labfactory.selection import SelectionPolicy

__all__ = ["Package"]


class Evidence(Protocol):
    """What an experiment showed, as a package carries it; an `Evaluation` is one."""

    def to_json(self) -> bytes:
        """Canonical JSON."""


@dataclass(frozen=True, repr=False)
class Package(Sealed):
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

    @staticmethod
    def build(
        name: str,
        *,
        version: int,
        library: Library,
        creatives: Sequence[str],
        evaluation: Evidence,
        graduation: GraduationPolicy | Path | str,
        playbook: Path | str | bytes,
        now: datetime,
        selection: SelectionPolicy | None = None,
        golden: object = None,
        host: Host | None = None,
        render: Renderer | None = None,
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
            host: What gives the creatives their functions and tables; the package carries the names of those
                that they need and, of tables, what the golden customers read.
            render: Makes the golden assets of a table in place of `lf.golden_renderer`: a dict with `assets`
                (a list of dicts, each with a `status` of ok, skipped or error), and `findings` (a list of
                dicts) when they were linted.
            author: The id of the person who builds it; policies may bar authors from approving.
            variants: The arms of the experiment that graduate. By default those named as the creatives, else
                all but the control.
            inputs: The columns that are read: dicts of `name`, `type`, and where they hold `optional`,
                `personal`. By default those of the golden rows.

        Returns:
            The draft.

        Raises:
            UsageError: `settings`, `file_unreadable`, `golden_rows`, `golden_render`, `json_value`,
                `selection_missing`.
            CompileError: A template cannot become a plan on the golden customers.
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
        concept = Concept(library.subset(creatives), tuple(creatives), selection, host or Host())
        files = {
            EVALUATION: evaluation.to_json(),
            POLICY: policy.source,
            PLAYBOOK: playbook if isinstance(playbook, bytes) else read_bounded(playbook),
            **concept.files(),
        }
        if table is not None:
            files |= concept.golden_files(table, render, now=now)
        header = {
            "name": name,
            "version": version,
            "author": author,
            "created": instant_text(now),
            "creatives": list(creatives),
            "variants": _variants(files[EVALUATION], creatives) if variants is None else list(variants),
            "engine": {key: value for key, value in engine_identity().to_dict().items() if value},
            "inputs": _inputs(table) if inputs is None else [dict(one) for one in inputs],
            **concept.needs(),
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
        package = cls.read(unpack(data))
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
        return missing_roles(self)

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

    def golden_tables(self) -> dict[str, Table]:
        """What the golden rows read of the tables that the package needs, by name."""
        return self.content.golden_tables()

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
        return pack(self.files())

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
        check_sealed(self)

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
        verify_sealed(self, trust, now)

    def __repr__(self) -> str:
        signed = ", ".join(f"{approval.person} as {approval.role}" for approval in self.approvals)
        override = ", overruled" if self.override else ""
        return (
            f"Package({self.id}, root sha256:{self.root[:16]}, {self.verdict.status}{override}, "
            f"approved by: {signed or 'nobody'})"
        )


def _variants(evidence: bytes, creatives: Sequence[str]) -> list[str]:
    """The arms that graduate unless told: those named as the creatives, else all but the control."""
    evaluation = parse_json(evidence)
    units = evaluation.get("units") if isinstance(evaluation, dict) else None
    arms = [arm for arm in units if arm != evaluation.get("control")] if isinstance(units, dict) else []
    return [arm for arm in arms if arm in creatives] or arms


def _inputs(golden: pa.Table | None) -> list[dict[str, str]]:
    """The columns of the golden rows, as a header lists them."""
    types = {} if golden is None else logical_types(golden)
    return [{"name": column, "type": kind} for column, kind in types.items()]
