"""DSSE envelopes: bytes, what they are, and an Ed25519 signature over both.

References:
    DSSE 1.0, secure-systems-lab/dsse, protocol.md and envelope.md. RFC 8032 for Ed25519.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from labfactory.base.canonical import canonical_json, parse_json, sha256_hex
from labfactory.base.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PAYLOAD_TYPE", "Envelope", "check_public_key", "key_id", "pae"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"

_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_FIELD = 2**255 - 19
_SIGN_BIT = 2**255
# The y coordinates of the eight points of small order on edwards25519, under which any message "verifies":
# of order 4, 1, 2, 8 and 8. A test derives them from the curve.
_SMALL_ORDER_Y = frozenset(
    int.from_bytes(bytes.fromhex(encoded), "little")
    for encoded in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)


@dataclass(frozen=True)
class Envelope:
    """A signed payload, as DSSE writes it, with exactly one signature.

    Attributes:
        payload: The signed bytes.
        signature: The 64 bytes of the signature.
        key_id: A hint at the key; no decision rests on it.
    """

    payload: bytes
    signature: bytes
    key_id: str

    @classmethod
    def sign(cls, payload: bytes, *, key_id: str, sign: Callable[[bytes], bytes]) -> Envelope:
        """Sign a payload of the in-toto type."""
        return cls(payload, sign(pae(PAYLOAD_TYPE, payload)), key_id)

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Read an envelope.

        Raises:
            HandoffError: `envelope_malformed` unless it is canonical JSON of one signature over in-toto
                bytes.
        """
        value = parse_json(data, canonical=True)
        if not isinstance(value, dict) or set(value) != {"payload", "payloadType", "signatures"}:
            _refuse("expected payload, payloadType and signatures")
        signatures = value["signatures"]
        if value["payloadType"] != PAYLOAD_TYPE:
            _refuse(f"expected the payload type {PAYLOAD_TYPE}, found {value['payloadType']!r}")
        if not isinstance(signatures, list) or len(signatures) != 1:
            _refuse("expected one signature")
        entry = signatures[0]
        if (
            not isinstance(entry, dict)
            or set(entry) != {"keyid", "sig"}
            or not isinstance(entry["keyid"], str)
        ):
            _refuse("expected a signature with keyid and sig")
        signature = _decode(entry["sig"])
        if len(signature) != _SIGNATURE_BYTES:
            _refuse(f"expected a signature of {_SIGNATURE_BYTES} bytes, found {len(signature)}")
        return cls(_decode(value["payload"]), signature, entry["keyid"])

    def to_bytes(self) -> bytes:
        """The envelope as canonical JSON."""
        entry = {"keyid": self.key_id, "sig": base64.b64encode(self.signature).decode("ascii")}
        payload = base64.b64encode(self.payload).decode("ascii")
        return canonical_json({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": [entry]})

    def verifies(self, public: bytes) -> bool:
        """Whether the signature was made over this payload by the holder of a raw public key."""
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(self.signature, pae(PAYLOAD_TYPE, self.payload))
        except InvalidSignature:
            return False
        return True


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed.

    Example:
        >>> pae("http://example.com/HelloWorld", b"hello world")
        b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(public: bytes) -> str:
    """A short name for a raw public key: the first 16 digits of its digest."""
    return sha256_hex(public)[:16]


def check_public_key(public: bytes) -> None:
    """Refuse raw keys that are no key: of another length, not canonical, not on the curve, or of small order.

    Raises:
        HandoffError: `key_weak`.
    """
    if len(public) != _KEY_BYTES:
        message = f"expected a public key of {_KEY_BYTES} bytes, found {len(public)}"
        raise HandoffError(message, code="key_weak")
    y = int.from_bytes(public, "little") % _SIGN_BIT
    if y >= _FIELD or y in _SMALL_ORDER_Y or not _is_on_curve(y):
        message = "expected a point of the large group of edwards25519, found another"
        raise HandoffError(message, code="key_weak")


def _is_on_curve(y: int) -> bool:
    # x² = (y² - 1) / (d y² + 1), RFC 8032 section 5.1.3; a square exists when Euler's criterion says so.
    d = -121665 * pow(121666, -1, _FIELD) % _FIELD
    square = (y * y - 1) * pow(d * y * y + 1, -1, _FIELD) % _FIELD
    return pow(square, (_FIELD - 1) // 2, _FIELD) == 1


def _decode(text: object) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:  # binascii.Error, and text beyond ASCII
        decoded = None
    if decoded is None or base64.b64encode(decoded).decode("ascii") != text:
        _refuse("expected canonical base64")
    return decoded


def _refuse(message: str) -> NoReturn:
    raise HandoffError(message, code="envelope_malformed")
