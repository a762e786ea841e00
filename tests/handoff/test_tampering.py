"""Whatever is changed in a sealed package is refused, with its code and the digest that differs."""

from __future__ import annotations

import base64
import json
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from labfactory.base.canonical import canonical_json, sha256_hex
from labfactory.base.errors import GovernanceError, HandoffError, LabfactoryError, UsageError
from labfactory.governance import Approval, Verdict
from labfactory.handoff import Key, Manifest, Package, Person, Signer, Trust, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSALS = (HandoffError, GovernanceError)


def refused(action: Callable[[], object]) -> LabfactoryError:
    with pytest.raises(REFUSALS) as raised:
        action()
    return raised.value


def opened(files: dict[str, bytes], trust: Trust, now: Any) -> Callable[[], object]:
    return lambda: Package.open(pack(files), trust=trust, now=now)


def test_every_flipped_byte_of_the_container_is_refused(sealed, trust, now) -> None:
    data = sealed.to_bytes()
    draw = random.Random(1)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= draw.randrange(1, 256)
        refused(lambda changed=bytes(changed): Package.open(changed))


def test_every_flipped_byte_of_every_file_is_refused(sealed, trust, now) -> None:
    """The checksums are made right again: what is left to refuse them are digests and signatures."""
    files = unpack(sealed.to_bytes())
    draw = random.Random(2)
    for path, content in files.items():
        for at in range(len(content)):
            if len(content) > 400 and at % 19:
                continue
            changed = bytearray(content)
            changed[at] ^= draw.randrange(1, 256)
            refused(opened({**files, path: bytes(changed)}, trust, now))


def test_a_changed_file_is_named_with_both_digests(sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    path = "library/welcome/warm/html.j2"
    error = refused(opened({**files, path: b"<p>evil</p>"}, trust, now))
    assert error.code == "digest_differs"
    assert path in error.message
    assert sha256_hex(files[path]) in error.message
    assert sha256_hex(b"<p>evil</p>") in error.message


def test_two_files_that_change_places_are_refused(sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    one, other = "library/welcome/warm/html.j2", "library/components/hero/sale/html.j2"
    swapped = {**files, one: files[other], other: files[one]}
    assert refused(opened(swapped, trust, now)).code == "digest_differs"


def test_a_file_more_or_less_is_refused(sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    more = {**files, "library/welcome/warm/extra.j2": b""}
    assert refused(opened(more, trust, now)).code == "file_set_differs"
    less = {path: data for path, data in files.items() if path != "library/welcome/warm/html.j2"}
    assert refused(opened(less, trust, now)).code == "file_set_differs"
    for path in ("code.py", "evil/x.txt", "package.json.bak"):
        assert refused(opened({**files, path: b""}, trust, now)).code == "manifest_malformed"


def with_new_root(package: Package, changed: dict[str, bytes]) -> dict[str, bytes]:
    """Files with a manifest that is right for them, and the old verdict and approvals."""
    files = {**unpack(package.to_bytes()), **changed}
    inner = {
        path: data
        for path, data in files.items()
        if path not in ("manifest.json", "verdict.json") and not path.startswith("approvals/")
    }

    return {**files, "manifest.json": Manifest.of(inner).to_bytes()}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("library/welcome/warm/html.j2", b"Hi", b"Ho"),
        ("package.json", b'"version":1', b'"version":9'),
        ("package.json", b'"author":"olga"', b'"author":"pat"'),
        ("policy/graduation.toml", b"0.01", b"0.00"),
        ("policy/graduation.toml", b'"bridge_manager", ', b""),
        ("evidence/evaluation.json", b'"lower":0.02', b'"lower":0.09'),
        ("golden/rows.jsonl", b"Ann", b"Eve"),
        ("playbook/playbook.md", b"Stop", b"Keep"),
    ],
)
def test_content_that_was_changed_with_its_manifest_is_not_what_was_judged(
    path, old, new, sealed, trust, now
) -> None:
    content = unpack(sealed.to_bytes())[path]
    assert old in content
    error = refused(opened(with_new_root(sealed, {path: content.replace(old, new, 1)}), trust, now))
    assert error.code == "verdict_differs"
    assert sealed.root in error.message


def test_hostile_content_under_a_right_manifest_is_refused_and_nothing_worse(sealed, trust, now) -> None:
    """Every reader behind the digests meets broken bytes, and says no in the one way."""
    files = unpack(sealed.to_bytes())
    draw = random.Random(3)
    inner = [path for path in files if path not in ("manifest.json", "verdict.json") and "dsse" not in path]
    junk = [b"", b"null", b"[]", b"{}", b"5", b'"x"', b"[[]]", b'[{"status":"ok"}]\n', b"\xff", b"[" * 500]
    for path in inner:
        for number in range(30):
            content = bytearray(files[path])
            if number < len(junk):
                content = bytearray(junk[number])
            elif content:
                at = draw.randrange(len(content))
                content[at : at + draw.randrange(3)] = draw.randbytes(draw.randrange(1, 3))
            if bytes(content) != files[path]:
                refused(opened(with_new_root(sealed, {path: bytes(content)}), trust, now))


def test_a_manifest_that_states_another_root_is_refused(sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    stated = files["manifest.json"].replace(sealed.root.encode(), b"0" * 64)
    error = refused(opened({**files, "manifest.json": stated}, trust, now))
    assert error.code == "root_differs"
    assert sealed.root in error.message


@pytest.mark.parametrize(
    "stated",
    [
        b"{}",
        b"[]",
        b'{"files":[],"format":"labfactory-manifest/2","root":""}',
        b'{"files":5,"format":"x","root":""}',
    ],
)
def test_a_manifest_of_another_shape_is_refused(stated: bytes, sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    assert refused(opened({**files, "manifest.json": stated}, trust, now)).code == "manifest_malformed"


def test_a_manifest_in_another_order_is_refused(sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    stated = json.loads(files["manifest.json"])
    stated["files"].reverse()
    error = refused(opened({**files, "manifest.json": canonical_json(stated)}, trust, now))
    assert error.code == "manifest_malformed"
    stated["files"].append(stated["files"][0])
    error = refused(opened({**files, "manifest.json": canonical_json(stated)}, trust, now))
    assert error.code == "manifest_malformed"


@pytest.mark.parametrize("path", ["manifest.json", "verdict.json"])
def test_a_container_without_manifest_or_verdict_is_refused(path: str, sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    del files[path]
    assert refused(opened(files, trust, now)).code == "manifest_malformed"


@pytest.mark.parametrize("path", ["package.json", "policy/graduation.toml", "evidence/evaluation.json"])
def test_a_root_without_a_file_that_every_package_has_is_refused(path: str, sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    del files[path]

    inner = {one: data for one, data in files.items() if "/" in one and not one.startswith("approvals/")}
    if path != "package.json":
        inner["package.json"] = files["package.json"]
    files["manifest.json"] = Manifest.of(inner).to_bytes()
    assert refused(opened(files, trust, now)).code == "manifest_malformed"


def test_a_verdict_that_says_more_than_the_policy_is_refused_even_when_all_signed_it(
    build, signers, trust, now
) -> None:
    draft = build(playbook=b"## Rollback\nTBD")
    honest = draft.judge(now=now)
    gates = tuple(
        type(row)(row.name, "pass", row.figure, row.relation, row.bound, row.reason) for row in honest.gates
    )
    forged = Verdict(
        honest.policy,
        honest.policy_sha256,
        honest.evidence_sha256,
        honest.judged_at,
        honest.expires_at,
        honest.roles,
        gates,
        honest.package,
        honest.root,
    )
    assert forged.status == "passed"
    approvals = tuple(forged.approve(role=role, signer=signer) for role, signer in signers.items())
    package = Package(draft.content, forged, approvals)
    error = refused(lambda: Package.open(package.to_bytes(), trust=trust, now=now))
    assert error.code == "verdict_differs"
    assert sha256_hex(honest.statement()) in error.message
    assert sha256_hex(forged.statement()) in error.message


def test_a_verdict_of_another_moment_does_not_carry_the_approvals(sealed, trust, now) -> None:
    later = sealed.content.judge(now + timedelta(days=30))
    files = {**unpack(sealed.to_bytes()), "verdict.json": later.statement()}
    error = refused(opened(files, trust, now + timedelta(days=40)))
    assert error.code == "approval_differs"
    assert sha256_hex(sealed.verdict.statement()) in error.message


def test_approvals_of_another_package_do_not_count(build, sealed, signers, trust, now) -> None:
    other = build(version=2)
    verdict = other.judge(now=now)
    foreign = [verdict.approve(role=role, signer=signer) for role, signer in signers.items()]
    mixed = Package(sealed.content, sealed.verdict, tuple(foreign))
    assert refused(lambda: mixed.verify(trust, now)).code == "approval_differs"
    assert refused(lambda: other.seal(verdict, sealed.approvals)).code == "approval_differs"


def seal_with(build: Any, now: Any, *pairs: tuple[str, Signer]) -> Package:
    draft = build()
    verdict = draft.judge(now=now)
    return draft.seal(verdict, [verdict.approve(role=role, signer=signer) for role, signer in pairs])


def test_an_approval_in_a_role_that_the_person_does_not_hold_is_refused(build, signers, trust, now) -> None:
    swapped = seal_with(
        build,
        now,
        ("experimentation_lead", signers["bridge_manager"]),
        ("bridge_manager", signers["experimentation_lead"]),
        ("scale_architect", signers["scale_architect"]),
    )
    assert refused(lambda: swapped.verify(trust, now)).code == "role_refused"


def test_an_approval_in_a_role_that_the_policy_does_not_list_is_refused(build, signers, now) -> None:
    draft = build()
    verdict = draft.judge(now=now)
    assert (
        refused(lambda: verdict.approve(role="intern", signer=signers["bridge_manager"])).code
        == "role_unknown"
    )
    approval = Approval.make(verdict.subjects(), role="intern", signer=signers["bridge_manager"])
    assert refused(lambda: draft.seal(verdict, [approval])).code == "role_unknown"


def test_one_person_cannot_approve_twice(build, signers, now) -> None:
    ana = signers["experimentation_lead"]
    error = refused(lambda: seal_with(build, now, ("experimentation_lead", ana), ("bridge_manager", ana)))
    assert error.code == "person_repeated"
    error = refused(
        lambda: seal_with(
            build,
            now,
            ("bridge_manager", signers["bridge_manager"]),
            ("bridge_manager", Signer.generate("dee")),
        )
    )
    assert error.code == "role_repeated"


def test_one_key_cannot_stand_for_two_people(signers, trust) -> None:
    key = signers["bridge_manager"].enrol(["bridge_manager"]).keys[0]
    people = (*trust.people, Person(id="dee", roles=("scale_architect",), keys=(key,)))
    error = refused(lambda: Trust(version=2, expires=trust.expires, people=people))
    assert error.code == "trust_refused"
    assert key.public not in error.message
    again = (*trust.people, Person(id="ana", roles=("scale_architect",), keys=()))
    assert refused(lambda: Trust(version=2, expires=trust.expires, people=again)).code == "trust_refused"


def test_a_person_who_signs_as_another_is_refused(build, signers, trust, now) -> None:
    impostor = Signer("bo", signers["experimentation_lead"]._private)
    package = seal_with(build, now, ("bridge_manager", impostor))
    assert refused(lambda: package.verify(trust, now)).code == "signature_refused"


def test_the_author_cannot_approve(build, signers, now) -> None:
    error = refused(lambda: seal_with(build, now, ("bridge_manager", Signer.generate("olga"))))
    assert error.code == "author_approves"


def test_an_unknown_key_is_refused_whatever_its_id_says(build, signers, trust, now) -> None:
    stranger = Signer.generate("bo")
    package = seal_with(build, now, ("bridge_manager", stranger))
    approval = package.approvals[0]
    known = json.loads(
        package.verdict.approve(role="bridge_manager", signer=signers["bridge_manager"]).envelope
    )
    value = json.loads(approval.envelope)
    value["signatures"][0]["keyid"] = known["signatures"][0]["keyid"]
    claimed = Approval(approval.role, approval.person, approval.subjects, canonical_json(value))
    for one in (approval, claimed):
        forged = Package(package.content, package.verdict, (one,))
        error = refused(lambda forged=forged: Package.open(forged.to_bytes(), trust=trust, now=now))
        assert error.code == "signature_refused"
        payload = base64.b64decode(value["payload"])
        assert sha256_hex(payload) in error.message
        assert stranger.public.hex() not in str(error)
        assert signers["bridge_manager"].public.hex() not in str(error)


def test_a_file_of_an_approval_is_named_for_its_role(sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    files["approvals/second.dsse.json"] = files.pop("approvals/bridge_manager.dsse.json")
    assert refused(opened(files, trust, now)).code == "manifest_malformed"


def test_signatures_of_an_override_without_one_are_refused(sealed, trust, now) -> None:
    files = unpack(sealed.to_bytes())
    files["overrides/bridge_manager.dsse.json"] = files["approvals/bridge_manager.dsse.json"]
    assert refused(opened(files, trust, now)).code == "manifest_malformed"


def changed_key(trust: Trust, **changed: Any) -> Trust:
    first, *others = trust.people
    key = Key(public=first.keys[0].public, **changed)
    return Trust(
        version=2,
        expires=trust.expires,
        people=(Person(id=first.id, roles=first.roles, keys=(key,)), *others),
    )


def test_a_revoked_key_counts_for_nothing(sealed, trust, now) -> None:
    # Whenever it was revoked: a thief can set a clock back.
    for revoked in (now - timedelta(days=1), now + timedelta(days=1)):
        error = refused(lambda revoked=revoked: sealed.verify(changed_key(trust, revoked=revoked), now))
        assert error.code == "key_revoked"
        assert trust.people[0].keys[0].public not in str(error)


def test_a_key_counts_until_it_expires(sealed, trust, now) -> None:
    sealed.verify(changed_key(trust, expires=now + timedelta(seconds=1)), now)
    assert refused(lambda: sealed.verify(changed_key(trust, expires=now), now)).code == "key_expired"


def test_a_trust_file_that_has_ended_believes_nobody(sealed, trust, now) -> None:
    ended = Trust(version=2, expires=now, people=trust.people)
    assert refused(lambda: sealed.verify(ended, now)).code == "trust_expired"


def test_a_package_counts_from_its_verdict_until_the_verdict_ends(sealed, trust, now) -> None:
    end = sealed.verdict.expires_at
    sealed.verify(trust, end - timedelta(seconds=1))
    assert refused(lambda: sealed.verify(trust, end)).code == "package_expired"
    assert refused(lambda: sealed.verify(trust, now - timedelta(seconds=1))).code == "not_yet_valid"


def test_a_weak_key_cannot_be_enrolled() -> None:
    weak = Key(public="01" + "00" * 31)
    person = Person(id="eve", roles=("bridge_manager",), keys=(weak,))
    with pytest.raises(HandoffError) as raised:
        Trust.model_validate(
            {"version": 1, "expires": "2027-01-01T00:00:00Z", "people": (person,)}, strict=False
        )
    assert raised.value.code == "key_weak"


def test_trust_files_are_read_from_toml_and_json(trust, tmp_path) -> None:
    trust.save(tmp_path / "trust.json")
    assert Trust.load(tmp_path / "trust.json") == trust
    person = trust.people[0]
    text = f"""
version = 1
expires = {trust.expires.isoformat()}
[[people]]
id = "{person.id}"
roles = ["{person.roles[0]}"]
keys = [{{public = "{person.keys[0].public}"}}]
"""
    (tmp_path / "trust.toml").write_text(text, encoding="utf-8")
    assert Trust.load(tmp_path / "trust.toml").people == (person,)


@pytest.mark.parametrize(
    "text",
    [
        "version = 1",
        "version = 1\nexpires = 2027-01-01T00:00:00\npeople = []",  # no zone
        "version = 1\nexpires = 2027-01-01T00:00:00Z\npeople = []\nadmin = true",
        "version = 1\nexpires = 2027-01-01T00:00:00Z\npeople = [{id = 'a', roles = ['A'], keys = []}]",
        "version = 1\nexpires = 2027-01-01T00:00:00Z\npeople = [{id = 'a', roles = [], keys = [5]}]",
    ],
)
def test_a_trust_file_with_a_fault_is_refused(text: str, tmp_path) -> None:
    (tmp_path / "trust.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        Trust.load(tmp_path / "trust.toml")
    assert raised.value.code in ("settings", "instant")
