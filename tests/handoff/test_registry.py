"""A registry takes in what it could make again, in rising versions, and keeps it as it was."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from labfactory.base.canonical import sha256_hex
from labfactory.base.errors import GovernanceError, HandoffError, UsageError
from labfactory.governance import Ledger, State
from labfactory.handoff import Package, Registry, Trust

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "packages", Ledger(tmp_path / "ledger.sqlite"))


def again(package: Package) -> dict[str, Any]:
    """The golden assets made again by an engine that agrees."""
    return {"assets": package.golden_assets()}


def sealed_version(build: Any, signers: Any, now: Any, version: int) -> Package:
    draft = build(version=version)
    verdict = draft.judge(now=now)
    return draft.seal(verdict, [verdict.approve(role=role, signer=one) for role, one in signers.items()])


def test_a_package_is_taken_in_and_given_back(registry, sealed, trust, now) -> None:
    found = registry.ingest(sealed, trust=trust, now=now, verify_golden=again)
    assert (found.id, found.root, found.state) == ("welcome-tone@1", sealed.root, State.INGESTED)
    assert registry.open("welcome-tone@1", trust=trust, now=now) == sealed
    assert registry.find("welcome-tone") == found
    assert registry.packages() == [found]
    entry = registry.ledger.entries()[-1]
    assert entry.body["root"] == sealed.root
    assert entry.body["built_with"] == entry.body["ingested_with"] == sealed.header.engine
    assert ["bridge_manager", "bo"] in entry.body["approvals"]
    registry.ledger.verify()


def test_the_store_is_named_by_digest_and_read_only(registry, sealed, trust, now) -> None:
    found = registry.ingest(sealed.to_bytes(), trust=trust, now=now, verify_golden=again)
    (path,) = registry.folder.iterdir()
    assert path.name == f"{found.container}.lfpkg"
    assert sha256_hex(path.read_bytes()) == found.container
    if os.name == "posix":
        assert path.stat().st_mode & 0o222 == 0


def test_to_ingest_the_same_container_again_changes_nothing(registry, sealed, trust, now) -> None:
    first = registry.ingest(sealed, trust=trust, now=now, verify_golden=again)
    head = registry.ledger.head()
    assert registry.ingest(sealed, trust=trust, now=now, verify_golden=again) == first
    assert registry.ledger.head() == head


def test_versions_only_rise(registry, build, signers, trust, now) -> None:
    for version in (2, 5):
        registry.ingest(
            sealed_version(build, signers, now, version), trust=trust, now=now, verify_golden=again
        )
    for version in (1, 3, 4):
        with pytest.raises(HandoffError) as raised:
            registry.ingest(
                sealed_version(build, signers, now, version), trust=trust, now=now, verify_golden=again
            )
        assert raised.value.code == "version_not_newer"
    assert [one.version for one in registry.packages()] == [2, 5]
    assert registry.find("welcome-tone").version == 5


def test_golden_assets_that_come_out_otherwise_keep_a_package_out(registry, sealed, trust, now) -> None:
    def other(package: Package) -> dict[str, Any]:
        assets = package.golden_assets()
        assets[1]["parts"]["html"] += " "
        return {"assets": assets}

    with pytest.raises(HandoffError, match="golden asset 2") as raised:
        registry.ingest(sealed, trust=trust, now=now, verify_golden=other)
    assert raised.value.code == "golden_differs"
    with pytest.raises(UsageError) as wrong:
        registry.ingest(sealed, trust=trust, now=now, verify_golden=lambda package: None)
    assert wrong.value.code == "golden_render"
    assert registry.packages() == []
    assert registry.ledger.entries() == []


def test_an_unverified_package_is_never_rendered(registry, sealed, trust, now) -> None:
    stranger = Trust(version=2, expires=trust.expires, people=())
    called = []
    with pytest.raises(HandoffError) as raised:
        registry.ingest(sealed, trust=stranger, now=now, verify_golden=called.append)
    assert raised.value.code == "signature_refused"
    assert called == []
    assert not registry.folder.exists()


def test_a_stored_container_that_was_changed_is_not_opened(registry, sealed, trust, now) -> None:
    found = registry.ingest(sealed, trust=trust, now=now, verify_golden=again)
    path = registry.folder / f"{found.container}.lfpkg"
    path.chmod(0o644)
    path.write_bytes(sealed.to_bytes()[:-1] + b"\1")
    with pytest.raises(HandoffError) as raised:
        registry.open(found.id, trust=trust, now=now)
    assert raised.value.code == "digest_differs"


def test_a_missing_container_is_told(registry, sealed, trust, now) -> None:
    found = registry.ingest(sealed, trust=trust, now=now, verify_golden=again)
    (registry.folder / f"{found.container}.lfpkg").unlink()
    with pytest.raises(Exception, match="expected the container") as raised:
        registry.open(found.id, trust=trust, now=now)
    assert raised.value.code == "package_unreadable"


def test_a_package_is_verified_anew_when_it_is_opened(registry, sealed, trust, now) -> None:
    registry.ingest(sealed, trust=trust, now=now, verify_golden=again)
    with pytest.raises(HandoffError) as raised:
        registry.open("welcome-tone", trust=trust, now=now + timedelta(days=90))
    assert raised.value.code == "package_expired"


def test_a_withdrawn_package_is_not_opened(registry, sealed, trust, now) -> None:
    registry.ingest(sealed, trust=trust, now=now, verify_golden=again)
    registry.move("welcome-tone@1", "active", now=now, actor="ana", reason="canary was fine")
    registry.open("welcome-tone@1", trust=trust, now=now)
    moved = registry.move("welcome-tone@1", State.DEMOTED, now=now, actor="ana", reason="guardrail fell")
    assert moved.state == State.DEMOTED
    with pytest.raises(HandoffError) as raised:
        registry.open("welcome-tone@1", trust=trust, now=now)
    assert raised.value.code == "package_withdrawn"
    with pytest.raises(GovernanceError) as refused:
        registry.move("welcome-tone@1", "draft", now=now, actor="ana", reason="again")
    assert refused.value.code == "transition_refused"


def test_an_unknown_package_is_told_with_the_nearest(registry, sealed, trust, now) -> None:
    registry.ingest(sealed, trust=trust, now=now, verify_golden=again)
    with pytest.raises(UsageError) as raised:
        registry.find("welcome-tone@2")
    assert raised.value.code == "package_unknown"
    assert "welcome-tone@1" in str(raised.value.hint)
