"""The draft of a package: what it holds is fixed, nothing is judged or signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labfactory.base.errors import GovernanceError
from labfactory.base.instants import instant, instant_text
from labfactory.governance.lifecycle import State
from labfactory.governance.roles import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from labfactory.governance.roles import Approval, Override
    from labfactory.governance.verdict import Verdict
    from labfactory.handoff.content import Content
    from labfactory.handoff.package import Package

__all__ = ["Draft"]


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
        from labfactory.handoff.package import Package

        package = Package(self.content, verdict, in_order(approvals), override)
        package.check()
        return package

    def __repr__(self) -> str:
        return f"Draft({self.id}, root sha256:{self.root[:16]}, {len(self.content.files)} files)"
