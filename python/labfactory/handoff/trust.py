"""Whom the Factory believes: people, their roles, their keys; and the signer who holds a key."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AwareDatetime, Field, model_validator

from labfactory.base.canonical import canonical_json, parse_json, sha256_hex
from labfactory.base.errors import HandoffError, UsageError
from labfactory.base.instants import instant, instant_text
from labfactory.base.settings import Settings, read_bounded, settings_from
from labfactory.base.storage import write_atomically
from labfactory.governance.roles import PersonId, Role  # noqa: TC001 - pydantic reads the annotations
from labfactory.handoff.envelope import Envelope, check_public_key, key_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["Key", "Person", "Signer", "Trust"]

_SIGNER_FORMAT = "labfactory-signer/1"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Key(Settings):
    """A raw Ed25519 public key, until when it counts, and since when it does not.

    Attributes:
        public: The 32 bytes in hexadecimal.
        expires: The moment from which it no longer counts.
        revoked: The moment at which it was revoked; a revoked key counts for nothing, signed before or after.
    """

    public: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None


class Person(Settings):
    """One person: an id, roles, and keys.

    Attributes:
        id: The id, the same in every file.
        roles: The roles in which the person may sign.
        keys: The person's keys.
    """

    id: PersonId
    roles: tuple[Role, ...]
    keys: tuple[Key, ...]


class Trust(Settings):
    """The trust file of a Factory: which people hold which roles, by which keys.

    Attributes:
        version: Number of the file, rising with each change.
        expires: The moment from which nothing is believed until the file is renewed.
        people: The people; no id and no key twice.

    Example:
        >>> from datetime import UTC, datetime
        >>> ada = Signer.generate("ada").enrol(["bridge_manager"])
        >>> trust = Trust(version=1, expires=datetime(2027, 1, 1, tzinfo=UTC), people=(ada,))
        >>> trust.people[0].roles
        ('bridge_manager',)
    """

    version: Annotated[int, Field(ge=1)]
    expires: AwareDatetime
    people: tuple[Person, ...]

    @model_validator(mode="after")
    def _people_and_keys_are_distinct(self) -> Trust:
        ids: set[str] = set()
        keys: set[str] = set()
        for person in self.people:
            if person.id in ids:
                message = f"expected each person once, found {person.id} twice"
                raise HandoffError(message, code="trust_refused")
            ids.add(person.id)
            for key in person.keys:
                check_public_key(bytes.fromhex(key.public))
                if key.public in keys:
                    message = f"expected each key once, found one of {person.id} twice"
                    raise HandoffError(message, code="trust_refused")
                keys.add(key.public)
        return self

    @classmethod
    def load(cls, path: Path | str) -> Trust:
        """Read a trust file, TOML or (by its name) JSON.

        Raises:
            UsageError: `file_unreadable`, `settings`.
            HandoffError: `trust_refused` for a person or key that stands twice, `key_weak`.
        """
        return settings_from(cls, read_bounded(path), name=str(path))

    def save(self, path: Path | str) -> None:
        """Write the trust file as canonical JSON, whole or not at all.

        Args:
            path: A name that ends in `.json`.

        Raises:
            OSError: Whatever the system refused.
        """
        write_atomically(path, self.to_json())

    def person_of(self, envelope: Envelope, *, now: datetime) -> Person:
        """Whose key signed an envelope: no claim inside the envelope is believed for it.

        Args:
            envelope: The signed payload.
            now: The moment at which it must count, aware.

        Returns:
            The person.

        Raises:
            HandoffError: `trust_expired`, `signature_refused` when no enrolled key made the signature,
                `key_revoked`, `key_expired`.
        """
        moment = instant(now)
        if self.expires <= moment:
            message = f"expected a trust file that holds, found one that ended {instant_text(self.expires)}"
            raise HandoffError(message, code="trust_expired")
        signed = sha256_hex(envelope.payload)
        for person in self.people:
            for key in person.keys:
                public = bytes.fromhex(key.public)
                # The hint decides nothing, but it must be true: no byte of a container can be changed unseen.
                if envelope.verifies(public) and envelope.key_id == key_id(public):
                    _check_key(key, person, signed, moment)
                    return person
        message = f"expected a signature of an enrolled person over the statement sha256:{signed}, found none"
        raise HandoffError(message, code="signature_refused")


def _check_key(key: Key, person: Person, signed: str, moment: datetime) -> None:
    if key.revoked is not None:
        message = (
            f"expected a key that counts under sha256:{signed}, found one of {person.id} that was revoked"
        )
        raise HandoffError(message, code="key_revoked")
    if key.expires is not None and key.expires <= moment:
        end = instant_text(key.expires)
        message = (
            f"expected a key that counts under sha256:{signed}, found one of {person.id} that ended {end}"
        )
        raise HandoffError(message, code="key_expired")


@dataclass(frozen=True)
class Signer:
    """A person with a private key. It has no repr of the key, and leaves the process through `save` only.

    Attributes:
        person: The person's id, as trust files list it.
    """

    person: str
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, person: str) -> Signer:
        """Make a key from the system's randomness."""
        return cls(person, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path | str) -> Signer:
        """Read a signer's file.

        Raises:
            UsageError: `file_unreadable`; `signer_refused` when others can read it or it holds no signer.
        """
        place = Path(path)
        data = read_bounded(place)
        if os.name == "posix" and place.stat().st_mode & _OTHERS:
            message = f"expected {place} to be readable by its owner alone, found it open to others"
            raise UsageError(message, code="signer_refused", hint=f"chmod 600 {place}")
        match parse_json(data):
            case {"format": str(name), "person": str(person), "private": str(text)} if name == _SIGNER_FORMAT:
                try:
                    return cls(person, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text)))
                except ValueError:
                    pass
        message = f"expected a signer in {place}, found something else"
        raise UsageError(message, code="signer_refused")

    def save(self, path: Path | str) -> None:
        """Write the signer to a new file that its owner alone can read.

        Raises:
            UsageError: `signer_refused` when the file exists or cannot be made.
            OSError: The disk is full; nothing half-written is left.
        """
        text = self._private.private_bytes_raw().hex()
        data = canonical_json({"format": _SIGNER_FORMAT, "person": self.person, "private": text})
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            message = f"expected to make a new file at {path}, found: {error.strerror}"
            raise UsageError(message, code="signer_refused") from None
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
        except OSError as error:
            Path(path).unlink()
            raise OSError(error.errno, error.strerror, str(path)) from error

    @property
    def public(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    def enrol(self, roles: Sequence[str], *, expires: datetime | None = None) -> Person:
        """This person's entry for a trust file.

        Args:
            roles: The roles in which the person may sign.
            expires: The moment from which the key no longer counts.
        """
        key = Key(public=self.public.hex(), expires=expires)
        return Person(id=self.person, roles=tuple(roles), keys=(key,))

    def sign_statement(self, payload: bytes) -> bytes:
        """The DSSE envelope of a statement's bytes."""
        envelope = Envelope.sign(payload, key_id=key_id(self.public), sign=self._private.sign)
        return envelope.to_bytes()
