"""The registry of a Factory: the packages that it took in, and where each stands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labfactory.base.canonical import sha256_hex
from labfactory.base.errors import HandoffError, RunError, UsageError, nearest
from labfactory.base.identity import engine_identity
from labfactory.base.storage import write_atomically
from labfactory.governance.lifecycle import State
from labfactory.handoff.golden import check_assets, write_assets
from labfactory.handoff.package import Package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from labfactory.governance.ledger import Ledger
    from labfactory.handoff.trust import Trust

__all__ = ["Ingested", "Registry"]

_CLOSED = frozenset({State.DEMOTED, State.EXPIRED, State.RETIRED})
_READ_ONLY = 0o444


@dataclass(frozen=True)
class Ingested:
    """A package that the Factory took in.

    Attributes:
        id: Name and version, as `name@version`.
        name: The concept's name.
        version: The version's number.
        root: The digest that was judged and signed.
        container: The digest of the container, which names its file.
        state: Where the package stands.
    """

    id: str
    name: str
    version: int
    root: str
    container: str
    state: State


class Registry:
    """A folder of containers named by their digest, read-only, and the ledger that says what they are.

    Args:
        folder: Where the containers lie; made when absent.
        ledger: The Factory's ledger.
    """

    def __init__(self, folder: Path | str, ledger: Ledger) -> None:
        self.folder = Path(folder)
        self.ledger = ledger

    def ingest(
        self,
        package: Package | Path | str | bytes,
        *,
        trust: Trust,
        now: datetime,
        verify_golden: Callable[[Package], Mapping[str, object]],
        actor: str = "factory",
    ) -> Ingested:
        """Take a package in, or refuse it: verified, newer than the last, and its golden assets made again.

        Args:
            package: The package, its path or its bytes; it is read from its bytes whatever is given.
            trust: Whom to believe.
            now: The moment, aware.
            verify_golden: Assembles the package's golden rows here and returns them as the renderer that
                built the package did: a dict with `assets`. It is called after the package was verified.
            actor: Who ingests, for the ledger.

        Returns:
            The package's place in the registry. To ingest the very same container again changes nothing.

        Raises:
            HandoffError: what `Package.open` and `verify` raise; `golden_differs`; `version_not_newer`.
            GovernanceError: what `verify` raises.
            RunError: `package_unwritable`, `ledger_unusable`.
        """
        opened = Package.open(
            package.to_bytes() if isinstance(package, Package) else package, trust=trust, now=now
        )
        data = opened.to_bytes()
        container = sha256_hex(data)
        known = self._known().get(opened.id)
        if known is not None and known.container == container:
            return known
        self._check_version(opened)
        check_assets(opened.content.golden_bytes(), write_assets(verify_golden(opened)))
        self._store(container, data)
        with self.ledger.transaction(now=now) as transaction:
            # The version is asked again where no other process can come between.
            self._check_version(opened)
            transaction.move(opened.id, State.INGESTED, actor=actor, body=_particulars(opened, container))
        return self.find(opened.id)

    def open(self, package_id: str, *, trust: Trust, now: datetime) -> Package:
        """Open an ingested package, verified anew: keys may have been revoked since.

        Raises:
            UsageError: `package_unknown`.
            HandoffError: `package_withdrawn` when it was demoted, expired or retired; `digest_differs` when
                the stored container is not the one that was ingested; what `Package.open` and `verify` raise.
        """
        found = self.find(package_id)
        if found.state in _CLOSED:
            message = f"expected a package that may be made, found {found.id} to be {found.state}"
            raise HandoffError(message, code="package_withdrawn")
        try:
            data = self._path(found.container).read_bytes()
        except OSError as error:
            message = f"expected the container of {found.id}, found: {error.strerror}"
            raise RunError(message, code="package_unreadable") from None
        if sha256_hex(data) != found.container:
            message = f"expected the container sha256:{found.container}, found sha256:{sha256_hex(data)}"
            raise HandoffError(message, code="digest_differs")
        return Package.open(data, trust=trust, now=now)

    def move(
        self, package_id: str, state: State | str, *, now: datetime, actor: str, reason: str
    ) -> Ingested:
        """Give a package its next state.

        Raises:
            UsageError: `package_unknown`.
            GovernanceError: `transition_refused`.
        """
        found = self.find(package_id)
        self.ledger.move(found.id, state, now=now, actor=actor, body={"reason": reason})
        return self.find(found.id)

    def find(self, package_id: str) -> Ingested:
        """A package by `name@version`, or the newest by its name alone.

        Raises:
            UsageError: `package_unknown`.
        """
        known = self._known()
        named = [one for one in known.values() if one.name == package_id]
        found = known.get(package_id) or max(named, key=lambda one: one.version, default=None)
        if found is None:
            message = f"expected an ingested package, found no {package_id}"
            raise UsageError(message, code="package_unknown", hint=nearest(package_id, known))
        return found

    def packages(self) -> list[Ingested]:
        """Every package that was taken in, by name and version."""
        return sorted(self._known().values(), key=lambda one: (one.name, one.version))

    def _known(self) -> dict[str, Ingested]:
        states = self.ledger.states()
        known = {}
        for entry in self.ledger.entries("state"):
            if entry.body["to"] == State.INGESTED and "container" in entry.body:
                one: Mapping[str, Any] = entry.body
                name, version, subject = one["package"], one["version"], one["subject"]
                known[subject] = Ingested(
                    subject, name, version, one["root"], one["container"], states[subject]
                )
        return known

    def _check_version(self, package: Package) -> None:
        versions = [one.version for one in self._known().values() if one.name == package.name]
        if versions and package.version <= max(versions):
            message = f"expected a version of {package.name} above {max(versions)}, found {package.version}"
            raise HandoffError(message, code="version_not_newer")

    def _path(self, container: str) -> Path:
        return self.folder / f"{container}.lfpkg"

    def _store(self, container: str, data: bytes) -> None:
        path = self._path(container)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
            if os.name == "posix":
                path.chmod(_READ_ONLY)
        except OSError as error:
            message = f"expected to store the package in {self.folder}, found: {error.strerror or error}"
            raise RunError(message, code="package_unwritable") from None


def _particulars(package: Package, container: str) -> dict[str, Any]:
    override = package.override
    return {
        "package": package.name,
        "version": package.version,
        "root": package.root,
        "container": container,
        "verdict": sha256_hex(package.verdict.statement()),
        "status": package.verdict.status,
        "approvals": [[approval.role, approval.person] for approval in package.approvals],
        "override": None
        if override is None
        else {"reason": override.reason, "by": [[one.role, one.person] for one in override.approvals]},
        "built_with": dict(package.header.engine),
        "ingested_with": {key: value for key, value in engine_identity().to_dict().items() if value},
    }
