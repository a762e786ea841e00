"""A package goes from draft to sealed, and comes back from its bytes as it went."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from datetime import timedelta

import polars as pl
import pytest

from labfactory.base.canonical import canonical_json, parse_json, sha256_hex
from labfactory.base.errors import GovernanceError, HandoffError, RunError, UsageError
from labfactory.governance import GraduationPolicy, State
from labfactory.handoff import Package, Signer, merkle_root


def test_a_sealed_package_comes_back_from_its_bytes(sealed, trust, now) -> None:
    data = sealed.to_bytes()
    opened = Package.open(data, trust=trust, now=now)
    assert opened == sealed
    assert opened.to_bytes() == data
    assert repr(opened) == (
        f"Package(welcome-tone@1, root sha256:{sealed.root[:16]}, passed, approved by: "
        "bo as bridge_manager, ana as experimentation_lead, cy as scale_architect)"
    )


def test_a_package_gives_back_what_it_was_built_of(sealed) -> None:
    opened = Package.open(sealed.to_bytes())
    assert set(opened.library_files()) == {
        "components/hero/sale/component.toml",
        "components/hero/sale/html.j2",
        "welcome/warm/creative.toml",
        "welcome/warm/html.j2",
    }
    assert opened.selection_files()["selection.toml"] == b"version = 1\n"
    assert opened.evaluation()["experiment"] == "welcome-tone"
    assert canonical_json(opened.evaluation()) == opened.evaluation_json()
    assert opened.playbook().startswith("# Welcome")
    assert opened.golden_assets()[1]["parts"] == {"html": "<p>Hi Zoë</p>"}
    assert opened.golden_rows().to_pylist()[2] == {"customer_id": 2**60, "first_name": None, "segment": "a"}
    assert (opened.name, opened.version, opened.state) == ("welcome-tone", 1, State.APPROVED)
    assert opened.header.variants == ("welcome/warm",)
    assert [(one.name, one.type) for one in opened.header.inputs] == [
        ("customer_id", "integer"),
        ("first_name", "text"),
        ("segment", "text"),
    ]


def test_equal_content_has_one_root_and_any_change_another(build) -> None:
    root = build().root
    assert build().root == root
    for changed in (
        {"version": 2},
        {"name": "welcome-tones"},
        {"author": "pat"},
        {"playbook": b"## Rollback\nanother way to stop it"},
        {"selection": None},
        {"inputs": [{"name": "first_name", "type": "text", "personal": True}]},
    ):
        assert build(**changed).root != root


def test_the_root_is_the_tree_hash_of_rfc_6962_over_the_listed_files(sealed) -> None:
    with zipfile.ZipFile(io.BytesIO(sealed.to_bytes())) as archive:
        manifest = parse_json(archive.read("manifest.json"))
        for entry in manifest["files"]:
            data = archive.read(entry["path"])
            assert (entry["size"], entry["sha256"]) == (len(data), sha256_hex(data))
    assert (
        merkle_root([canonical_json(entry) for entry in manifest["files"]]) == manifest["root"] == sealed.root
    )


# The test tree of RFC 6962's reference code: leaves and the roots of their prefixes.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("count", range(1, 9))
def test_tree_hashes_are_the_published_ones(count: int) -> None:
    assert merkle_root([bytes.fromhex(leaf) for leaf in LEAVES[:count]]) == ROOTS[count - 1]


def test_an_approval_more_changes_the_container_and_not_the_root(build, signers, trust, now) -> None:
    draft = build()
    verdict = draft.judge(now=now)
    package = draft.seal(verdict, [])
    assert (package.state, len(package.missing_roles)) == (State.GATED, 3)
    for role, signer in signers.items():
        before = package
        with pytest.raises(GovernanceError) as raised:
            Package.open(package.to_bytes()).verify(trust, now)
        assert raised.value.code == "approvals_missing"
        package = Package.open(package.to_bytes()).with_approval(verdict.approve(role=role, signer=signer))
        assert package.root == before.root
        assert package.to_bytes() != before.to_bytes()
    Package.open(package.to_bytes()).verify(trust, now)


def test_a_refused_verdict_cannot_be_sealed(build, now) -> None:
    draft = build(playbook=b"## Rollback\nTBD")
    verdict = draft.judge(now=now)
    assert verdict.status == "refused"
    with pytest.raises(GovernanceError) as raised:
        draft.seal(verdict, [])
    assert raised.value.code == "verdict_refused"


def test_an_inconclusive_verdict_cannot_be_sealed(build, now) -> None:
    draft = build(golden=None)
    verdict = draft.judge(now=now)
    assert verdict.status == "inconclusive"
    with pytest.raises(GovernanceError) as raised:
        draft.seal(verdict, [])
    assert raised.value.code == "verdict_refused"


def test_golden_assets_with_an_error_refuse_the_package(build, now) -> None:
    def broken(rows: object) -> dict[str, object]:
        return {
            "assets": [{"status": "error", "code": "undefined"}] * 3,
            "findings": [{"rule": "unsubscribe"}],
        }

    verdict = build(render=broken).judge(now=now)
    failed = {row.name: row.figure for row in verdict.gates if row.status == "fail"}
    assert failed == {"assets errors": 3, "compliance": 1}


def test_golden_assets_that_were_not_linted_leave_compliance_open(build, now) -> None:
    verdict = build(render=lambda rows: {"assets": [{"status": "ok"}] * 3}).judge(now=now)
    assert [row.name for row in verdict.gates if row.status == "inconclusive"] == ["compliance"]


def test_an_override_signed_by_two_roles_seals_a_refused_verdict(build, signers, trust, now) -> None:
    draft = build(playbook=b"## Rollback\nTBD")
    verdict = draft.judge(now=now)
    approvals = [verdict.approve(role=role, signer=signer) for role, signer in signers.items()]
    override = verdict.override(reason="campaign on Friday", expires_at=now + timedelta(days=7))
    one = override.sign(role="bridge_manager", signer=signers["bridge_manager"])
    for short in (override, one):
        with pytest.raises(GovernanceError) as raised:
            draft.seal(verdict, approvals, override=short)
        assert raised.value.code == "override_refused"
    both = one.sign(role="scale_architect", signer=signers["scale_architect"])
    package = draft.seal(verdict, approvals, override=both)
    opened = Package.open(package.to_bytes(), trust=trust, now=now)
    assert opened.override.reason == "campaign on Friday"
    assert "refused, overruled" in repr(opened)
    assert opened.root == draft.root
    with pytest.raises(HandoffError) as refused:
        opened.verify(trust, now + timedelta(days=7))
    assert refused.value.code == "package_expired"


def test_an_override_needs_cause_reason_and_end(build, now) -> None:
    good = build().judge(now=now)
    bad = build(playbook=b"").judge(now=now)
    day = timedelta(days=1)
    for verdict, reason, end in (
        (good, "why", day),
        (bad, " ", day),
        (bad, "why", 91 * day),
        (bad, "why", -day),
    ):
        with pytest.raises(GovernanceError) as raised:
            verdict.override(reason=reason, expires_at=now + end)
        assert raised.value.code == "override_refused"


def test_an_override_of_a_verdict_that_has_passed_is_refused(build, signers, now) -> None:
    bad = build(playbook=b"").judge(now=now)
    draft = build()
    override = bad.override(reason="why", expires_at=now + timedelta(days=1))
    with pytest.raises(GovernanceError) as raised:
        draft.seal(draft.judge(now=now), [], override=override)
    assert raised.value.code == "override_refused"


def test_an_override_of_another_root_is_refused(build, signers, now) -> None:
    one, other = build(playbook=b""), build(playbook=b"", version=2)
    override = other.judge(now=now).override(reason="why", expires_at=now + timedelta(days=1))
    for role in ("bridge_manager", "scale_architect"):
        override = override.sign(role=role, signer=signers[role])
    with pytest.raises(HandoffError) as raised:
        one.seal(one.judge(now=now), [], override=override)
    assert raised.value.code == "approval_differs"


def test_a_verdict_of_another_draft_does_not_seal_this_one(build, now) -> None:
    one, other = build(), build(version=2)
    with pytest.raises(HandoffError) as raised:
        one.seal(other.judge(now=now), [])
    assert raised.value.code == "verdict_differs"
    assert other.root in raised.value.message


def test_a_verdict_of_another_policy_does_not_seal_this_draft(build, now) -> None:
    draft = build()
    easy = GraduationPolicy.from_toml(draft.content.policy.source.replace(b"0.01", b"0.001"))
    with pytest.raises(HandoffError) as raised:
        draft.seal(easy.judge(draft.evidence(), now).about(draft.id, draft.root), [])
    assert raised.value.code == "verdict_differs"


def test_a_verdict_before_the_package_was_built_is_refused(build, now) -> None:
    with pytest.raises(GovernanceError) as raised:
        build(now=now).judge(now=now - timedelta(seconds=1))
    assert raised.value.code == "not_yet_valid"
    draft = build(now=now)
    with pytest.raises(HandoffError) as refused:
        draft.seal(draft.content.judge(now - timedelta(seconds=1)), [])
    assert refused.value.code == "verdict_differs"


def test_a_policy_that_bars_the_author_wants_to_know_the_author(build, now) -> None:
    with pytest.raises(GovernanceError) as raised:
        build(author=None)
    assert raised.value.code == "author_missing"
    open_policy = 'policy = {id = "p", version = 1}\ngate = [{type = "srm"}]\n'
    open_policy += 'approvals = {roles = ["lead"], exclude_author = false}'
    assert build(author=None, policy=open_policy).judge(now=now).status == "passed"


def test_a_policy_made_in_python_travels_as_well(build, now) -> None:
    made = GraduationPolicy.model_validate_json(build().content.policy.to_json())
    draft = build(graduation=made)
    assert draft.content.policy.source == made.source
    assert draft.judge(now=now).status == "passed"


@pytest.mark.parametrize("name", ["", "Welcome", "../evil", "a b", "x" * 101])
def test_a_name_that_is_no_path_is_refused(name: str, build) -> None:
    with pytest.raises(UsageError) as raised:
        build(name=name)
    assert raised.value.code == "settings"


class Loose:
    """Selection files with a path that climbs."""

    def files(self) -> dict[str, bytes]:
        return {"../../evil": b""}


def test_files_that_no_container_carries_are_refused_before_anybody_signs(build) -> None:
    with pytest.raises(HandoffError) as raised:
        build(selection=Loose())
    assert raised.value.code == "path_refused"


@pytest.mark.parametrize(
    "rendered", [None, {}, {"assets": [{}]}, {"assets": "x"}, {"assets": [{"status": "fine"}]}]
)
def test_a_renderer_that_returns_another_shape_is_refused(rendered, build) -> None:
    with pytest.raises(UsageError) as raised:
        build(render=lambda rows: rendered)
    assert raised.value.code == "golden_render"


def test_a_package_is_saved_whole_or_not_at_all(sealed, tmp_path) -> None:
    path = tmp_path / "out" / "welcome.lfpkg"
    with pytest.raises(RunError) as raised:
        sealed.save(path)
    assert raised.value.code == "package_unwritable"
    path.parent.mkdir()
    sealed.save(path)
    sealed.save(path)
    assert path.read_bytes() == sealed.to_bytes()
    assert list(path.parent.iterdir()) == [path]
    assert Package.open(path) == sealed


FULL_DISK = """
import resource, signal, sys
from labfactory.handoff import Package
package = Package.open(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    package.save(sys.argv[2])
except Exception as error:
    print(error.code)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of file sizes are POSIX's")
def test_a_full_disk_leaves_nothing_half_written(sealed, tmp_path) -> None:
    sealed.save(tmp_path / "in.lfpkg")
    (tmp_path / "out").mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "in.lfpkg"), str(tmp_path / "out" / "p.lfpkg")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "package_unwritable"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_package_that_cannot_be_read_is_refused(tmp_path, trust) -> None:
    with pytest.raises(UsageError) as raised:
        Package.open(tmp_path / "absent.lfpkg")
    assert raised.value.code == "file_unreadable"
    with pytest.raises(UsageError) as raised:
        Package.open(b"", trust=trust)
    assert raised.value.code == "now_missing"


def test_frames_of_both_kinds_are_golden_rows(build, sealed) -> None:
    frame = pl.DataFrame({"first_name": ["Ann", "Bo", "Cy"]})
    for data in (frame, frame.lazy(), frame.to_arrow(), frame.to_arrow().to_batches()[0]):
        assert build(golden=data).content.golden_rows().to_pylist() == frame.to_dicts()


def test_a_signer_is_kept_where_its_owner_alone_reads(tmp_path) -> None:
    ada = Signer.generate("ada")
    ada.save(tmp_path / "ada.key")
    assert Signer.load(tmp_path / "ada.key").public == ada.public
    assert ada.public.hex() not in repr(ada)
    with pytest.raises(UsageError) as raised:
        ada.save(tmp_path / "ada.key")
    assert raised.value.code == "signer_refused"
    (tmp_path / "bad.key").write_bytes(b'{"format":"labfactory-signer/1","person":"a","private":"00"}')
    (tmp_path / "bad.key").chmod(0o600)
    with pytest.raises(UsageError) as raised:
        Signer.load(tmp_path / "bad.key")
    assert raised.value.code == "signer_refused"
    if os.name == "posix":
        assert (tmp_path / "ada.key").stat().st_mode & 0o777 == 0o600
        (tmp_path / "ada.key").chmod(0o640)
        with pytest.raises(UsageError) as raised:
            Signer.load(tmp_path / "ada.key")
        assert raised.value.code == "signer_refused"
