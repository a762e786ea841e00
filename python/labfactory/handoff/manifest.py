"""What a package holds: its files by digest, the root over them, and the header that says what it is.

The manifest holds nothing that the files do not determine; what the author states (name, version, inputs)
lies in `package.json`, a file like any other, and so under the root.

References:
    RFC 6962, section 2.1: the Merkle tree hash, 0x00 before a leaf and 0x01 before a node.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, Field

from labfactory.base.canonical import canonical_json, parse_json, sha256_hex
from labfactory.base.errors import HandoffError
from labfactory.base.settings import Settings
from labfactory.governance.roles import PersonId  # noqa: TC001 - pydantic reads the annotation
from labfactory.handoff.needs import FunctionNeed, TableNeed  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FOLDERS", "FileEntry", "Header", "Input", "Manifest", "merkle_root"]

MANIFEST_FORMAT = "labfactory-manifest/1"
PACKAGE_FORMAT = "labfactory-package/1"

# The files under the root: the header, and what lies in these folders.
FOLDERS = ("evidence", "golden", "library", "playbook", "policy", "selection")
HEADER = "package.json"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]


class Input(Settings):
    """A column that the package reads from its customers.

    Attributes:
        name: The column's name.
        type: Its logical type, such as `text` or `list`.
        optional: Whether it may be absent.
        personal: Whether it says something about a person.
    """

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    type: Annotated[str, Field(min_length=1, max_length=200)]
    optional: bool = False
    personal: bool = False


class Header(Settings):
    """What the author states of a package.

    Attributes:
        format: The format of the package.
        name: Name of the concept.
        version: Number of the version, rising.
        author: The id of the person who built it.
        created: When it was built.
        creatives: Names of the creatives.
        variants: The arms of the experiment that graduate.
        engine: Versions of the engine that rendered the golden assets.
        inputs: The columns that it reads.
        functions: The functions that it needs of the host.
        tables: The tables that it needs of the host.
    """

    format: Literal["labfactory-package/1"] = "labfactory-package/1"
    name: Name
    version: Annotated[int, Field(ge=1)]
    author: PersonId | None = None
    created: AwareDatetime
    creatives: Annotated[tuple[str, ...], Field(min_length=1)]
    variants: tuple[str, ...] = ()
    engine: dict[str, str]
    inputs: tuple[Input, ...] = ()
    functions: tuple[FunctionNeed, ...] = ()
    tables: tuple[TableNeed, ...] = ()


@dataclass(frozen=True)
class FileEntry:
    """One file under the root.

    Attributes:
        path: Its path in the container.
        size: Its length in bytes.
        sha256: Its digest in hexadecimal.
        role: What it is for: the first segment of its path.
    """

    path: str
    size: int
    sha256: str
    role: str

    @classmethod
    def of(cls, path: str, content: bytes) -> FileEntry:
        """The entry of a file."""
        return cls(path, len(content), sha256_hex(content), path.split("/")[0].removesuffix(".json"))

    def to_dict(self) -> dict[str, str | int]:
        """The entry by field; its canonical JSON is the leaf of the tree."""
        return {"path": self.path, "size": self.size, "sha256": self.sha256, "role": self.role}


@dataclass(frozen=True)
class Manifest:
    """The files under a root, in path order.

    Attributes:
        entries: One for each file.
        root: The Merkle tree hash over them, in hexadecimal: the package's identity.
    """

    entries: tuple[FileEntry, ...]
    root: str

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Manifest:
        """The manifest of files.

        Raises:
            HandoffError: `manifest_malformed` for a file that belongs to no folder of a package.
        """
        for path in files:
            if path != HEADER and path.split("/")[0] not in FOLDERS:
                message = f"expected files in {', '.join(FOLDERS)}, found {path}"
                raise HandoffError(message, code="manifest_malformed")
        entries = tuple(FileEntry.of(path, files[path]) for path in sorted(files))
        return cls(entries, merkle_root([canonical_json(entry.to_dict()) for entry in entries]))

    def to_bytes(self) -> bytes:
        """The manifest as canonical JSON."""
        files = [entry.to_dict() for entry in self.entries]
        return canonical_json({"format": MANIFEST_FORMAT, "files": files, "root": self.root})

    def check(self, data: bytes) -> None:
        """Hold the manifest that a container states against this one, made from its files.

        Raises:
            HandoffError: `json_malformed`, `manifest_malformed`, `file_set_differs`, `digest_differs`,
                `root_differs`; they say which file or digest.
        """
        if data == self.to_bytes():
            return
        value = parse_json(data, canonical=True)
        listed = _listed(value)
        found = {entry.path: entry for entry in self.entries}
        if set(listed) != set(found):
            odd = sorted(set(listed) ^ set(found))
            where = "listed but absent" if odd[0] in listed else "present but not listed"
            message = f"expected the files that the manifest lists, found {odd[0]} {where}"
            raise HandoffError(message, code="file_set_differs")
        for path, entry in found.items():
            if listed[path] != entry.to_dict():
                stated = listed[path].get("sha256")
                message = f"expected {path} to have sha256:{stated}, found sha256:{entry.sha256}"
                raise HandoffError(message, code="digest_differs")
        if value["root"] != self.root:
            message = f"expected the root sha256:{value['root']}, found sha256:{self.root}"
            raise HandoffError(message, code="root_differs")
        message = "expected the files of the manifest in path order, found another order"
        raise HandoffError(message, code="manifest_malformed")


def merkle_root(leaves: Sequence[bytes]) -> str:
    """The Merkle tree hash of leaves, in hexadecimal.

    Example:
        >>> merkle_root([b""])[:16]
        '6e340b9cffb37a98'
    """
    return _tree(leaves).hex()


def _tree(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    if not leaves:
        return hashlib.sha256(b"").digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)  # the largest power of two below the count
    return hashlib.sha256(b"\x01" + _tree(leaves[:split]) + _tree(leaves[split:])).digest()


def _listed(value: object) -> dict[str, dict[str, object]]:
    if isinstance(value, dict) and set(value) == {"format", "files", "root"}:
        files = value["files"]
        if value["format"] == MANIFEST_FORMAT and isinstance(files, list):
            listed = {str(entry.get("path")): entry for entry in files if isinstance(entry, dict)}
            if len(listed) == len(files):
                return listed
    message = f"expected a manifest of format {MANIFEST_FORMAT}, each file once, found something else"
    raise HandoffError(message, code="manifest_malformed")
