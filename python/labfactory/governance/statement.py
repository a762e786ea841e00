"""in-toto Statements: what is said, of which digests.

References:
    in-toto Attestation Framework, spec/v1/statement.md. Subjects are matched by digest alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from labfactory.base.canonical import canonical_json, parse_json
from labfactory.base.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["APPROVAL", "OVERRIDE", "VERDICT", "Statement"]

_TYPE = "https://in-toto.io/Statement/v1"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)

VERDICT = "urn:labfactory:verdict:v1"
APPROVAL = "urn:labfactory:approval:v1"
OVERRIDE = "urn:labfactory:override:v1"


@dataclass(frozen=True)
class Statement:
    """A predicate about one or more subjects.

    Attributes:
        subjects: SHA-256 digest in hexadecimal by name.
        predicate_type: Which predicate it is; one of this module's constants.
        predicate: What is said of the subjects.
    """

    subjects: Mapping[str, str]
    predicate_type: str
    predicate: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The statement as canonical JSON, subjects in the order of their names."""
        subjects = [
            {"name": name, "digest": {"sha256": self.subjects[name]}} for name in sorted(self.subjects)
        ]
        return canonical_json(
            {
                "_type": _TYPE,
                "subject": subjects,
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, predicate_type: str) -> Statement:
        """Read a statement of the type that is expected.

        Raises:
            HandoffError: `statement_malformed` unless it is one, written canonically.
        """
        value = parse_json(data, canonical=True)
        if not isinstance(value, dict) or set(value) != {"_type", "subject", "predicateType", "predicate"}:
            _refuse("expected _type, subject, predicateType and predicate")
        if value["_type"] != _TYPE or value["predicateType"] != predicate_type:
            _refuse(f"expected a statement of type {predicate_type}, found {value['predicateType']!r}")
        if not isinstance(value["subject"], list) or not isinstance(value["predicate"], dict):
            _refuse("expected a list of subjects and a predicate")
        statement = cls(
            dict(_subject(entry) for entry in value["subject"]), predicate_type, value["predicate"]
        )
        if statement.to_bytes() != data:
            _refuse("expected subjects in the order of their names, each once")
        return statement


def _subject(entry: object) -> tuple[str, str]:
    match entry:
        case {"name": str(name), "digest": {"sha256": str(digest)}} if _DIGEST.fullmatch(digest):
            return name, digest
    return _refuse("expected each subject to have a name and a sha256 digest")


def _refuse(message: str) -> NoReturn:
    raise HandoffError(message, code="statement_malformed")
