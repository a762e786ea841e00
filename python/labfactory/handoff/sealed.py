"""How a sealed package lies in its container: the files under the root, and beside them what was signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from labfactory.base.errors import HandoffError
from labfactory.governance.roles import Approval, Override
from labfactory.governance.verdict import Verdict
from labfactory.handoff.content import Content
from labfactory.handoff.envelope import Envelope
from labfactory.handoff.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["OVERRIDE", "Sealed"]

OVERRIDE = "override.json"
_MANIFEST = "manifest.json"
_VERDICT = "verdict.json"
_APPROVALS = "approvals/"
_OVERRIDES = "overrides/"
_ENVELOPE_SUFFIX = ".dsse.json"


@dataclass(frozen=True, repr=False)
class Sealed:
    """What a container holds.

    Attributes:
        content: The files under the root, and what they say.
        verdict: The verdict about the root.
        approvals: Signatures over root and verdict.
        override: The signed reason to go on in spite of the verdict, if any.
    """

    content: Content
    verdict: Verdict
    approvals: tuple[Approval, ...]
    override: Override | None = None

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Self:
        """Read a container's files.

        Raises:
            HandoffError: `manifest_malformed`, and what content, verdict, approvals and override raise.
        """
        under = dict(files)
        stated = {path: under.pop(path, None) for path in (_MANIFEST, _VERDICT, OVERRIDE)}
        approvals = _approvals(under, _APPROVALS)
        overrides = _approvals(under, _OVERRIDES)
        manifest, verdict, override = stated.values()
        if manifest is None or verdict is None:
            message = f"expected a container with {_MANIFEST} and {_VERDICT}, found none"
            raise HandoffError(message, code="manifest_malformed")
        Manifest.of(under).check(manifest)
        if override is None and overrides:
            message = "expected an override beside its signatures, found none"
            raise HandoffError(message, code="manifest_malformed")
        return cls(
            Content.read(under),
            Verdict.read(verdict),
            approvals,
            None if override is None else Override.read(override, overrides),
        )

    def files(self) -> dict[str, bytes]:
        """The container's files; `read` reads them back equal."""
        files = {
            **self.content.files,
            _MANIFEST: self.content.manifest.to_bytes(),
            _VERDICT: self.verdict.statement(),
            **_enveloped(_APPROVALS, self.approvals),
        }
        if self.override is not None:
            files[OVERRIDE] = self.override.statement()
            files |= _enveloped(_OVERRIDES, self.override.approvals)
        return files


def _enveloped(folder: str, approvals: Iterable[Approval]) -> dict[str, bytes]:
    return {f"{folder}{approval.role}{_ENVELOPE_SUFFIX}": approval.envelope for approval in approvals}


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
