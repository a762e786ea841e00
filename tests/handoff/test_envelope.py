"""Envelopes follow DSSE; keys under which anything verifies are refused."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from labfactory.base.canonical import canonical_json
from labfactory.base.errors import HandoffError
from labfactory.handoff.envelope import PAYLOAD_TYPE, Envelope, check_public_key, pae
from labfactory.handoff.trust import Signer

# DSSE, protocol.md, "Test vectors".
DSSE_PAE = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"

# RFC 8032, section 7.1: the public keys of its test vectors.
RFC_8032_KEYS = [
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
]

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The sum of two points of edwards25519, RFC 7748 section 4.1, in affine coordinates."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    x3 = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    y3 = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P
    return x3, y3


def times(factor: int, point: tuple[int, int]) -> tuple[int, int]:
    total = (0, 1)
    while factor:
        if factor & 1:
            total = add(total, point)
        point, factor = add(point, point), factor >> 1
    return total


def point_of(y: int) -> tuple[int, int] | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if x * x % P == square else None


def small_order_points() -> set[tuple[int, int]]:
    """All eight points whose order divides 8, found by multiplying points by the order of the large group."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[tuple[int, int]] = set()
    y = 2
    while len(found) < 8:
        point = point_of(y)
        if point is not None:
            torsion = times(order, point)
            found.update(times(factor, torsion) for factor in range(8))
        y += 1
    return found


def test_the_encoding_is_the_one_of_the_dsse_vector() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == DSSE_PAE


def test_lengths_count_bytes_so_that_no_two_inputs_share_an_encoding() -> None:
    assert pae("ä", b"") == b"DSSEv1 2 \xc3\xa4 0 "
    assert pae("a", b"1 b") != pae("a 3 1", b"b")


def test_an_envelope_reads_back_and_verifies_under_its_key_alone() -> None:
    ada, bob = Signer.generate("ada"), Signer.generate("bob")
    data = ada.sign_statement(b'{"a":1}')
    envelope = Envelope.from_bytes(data)
    assert envelope.to_bytes() == data
    assert envelope.payload == b'{"a":1}'
    assert envelope.verifies(ada.public)
    assert not envelope.verifies(bob.public)


def test_the_signature_is_over_the_encoding_as_any_dsse_tool_checks_it() -> None:
    ada = Signer.generate("ada")
    value = json.loads(ada.sign_statement(b"payload"))
    signature = base64.b64decode(value["signatures"][0]["sig"])
    message = b"DSSEv1 28 application/vnd.in-toto+json 7 payload"
    Ed25519PublicKey.from_public_bytes(ada.public).verify(signature, message)
    assert value["payloadType"] == PAYLOAD_TYPE


def envelope_with(**changed: object) -> bytes:
    value = json.loads(Signer.generate("ada").sign_statement(b"{}"))
    return canonical_json({**value, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"payloadType": "text/plain"},
        {"extra": 1},
        {"payload": "e30"},  # without padding
        {"payload": "e31="},  # bits beyond the end
        {"payload": "e 30="},
        {"payload": "é"},
        {"payload": 5},
        {"signatures": []},
        {"signatures": [{"sig": ""}]},
        {"signatures": [{"keyid": "", "sig": ""}]},
        {"signatures": [{"keyid": 5, "sig": ""}]},
        {"signatures": [{"keyid": "", "sig": "AAAA"}]},
        {"signatures": "x"},
    ],
)
def test_envelopes_of_another_shape_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(HandoffError) as raised:
        Envelope.from_bytes(envelope_with(**changed))
    assert raised.value.code == "envelope_malformed"


def test_two_signatures_in_one_envelope_are_refused() -> None:
    value = json.loads(envelope_with())
    value["signatures"] *= 2
    with pytest.raises(HandoffError) as raised:
        Envelope.from_bytes(canonical_json(value))
    assert raised.value.code == "envelope_malformed"


@pytest.mark.parametrize("key", RFC_8032_KEYS)
def test_ordinary_keys_are_accepted(key: str) -> None:
    check_public_key(bytes.fromhex(key))
    check_public_key(Signer.generate("ada").public)


def test_every_point_of_small_order_is_refused() -> None:
    points = small_order_points()
    assert len(points) == 8
    for x, y in points:
        for encoded in {y, y + P} if y + P < 2**255 else {y}:
            for sign in {x & 1, 1 - (x & 1)}:
                with pytest.raises(HandoffError) as raised:
                    check_public_key((encoded | sign << 255).to_bytes(32, "little"))
                assert raised.value.code == "key_weak"


def test_the_identity_point_would_verify_a_forged_signature() -> None:
    """The reason for the check above: the library accepts it for any message."""
    identity = (1).to_bytes(32, "little")
    forged = Envelope(b"anything", identity + bytes(32), "")
    assert forged.verifies(identity)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        bytes(31),
        bytes(33),
        (2).to_bytes(32, "little"),  # not on the curve
        (P + 3).to_bytes(32, "little"),  # not canonical
        (2**255 - 1).to_bytes(32, "little"),
    ],
)
def test_bytes_that_are_no_key_are_refused(key: bytes) -> None:
    with pytest.raises(HandoffError) as raised:
        check_public_key(key)
    assert raised.value.code == "key_weak"
