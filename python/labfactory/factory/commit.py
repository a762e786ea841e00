"""Files that appear whole or not at all, and records that are put once.

A file is written under a temporary name, flushed to the disk, and renamed to a name that holds its digest.
Then a record of it is linked into place, which fails when one is there. Readers trust records alone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from labfactory.base.canonical import canonical_json, parse_json
from labfactory.base.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A finished file: its name below the output folder, its size and its SHA-256."""

    name: str
    size_bytes: int
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write below `path` into the one error form.

    Raises:
        RunError: `disk_full` when there is no room, `storage_failed` for any other refusal.
    """
    try:
        yield
    except OSError as error:
        number = _errno(error)
        if number in _FULL:
            reason = os.strerror(number)
            message = f"no room to write below {path}: {reason.lower()}"
            hint = "free some space and run the same again: shards that were committed are kept."
            raise RunError(message, code="disk_full", hint=hint) from error
        message = f"cannot write below {path}: {error}"
        raise RunError(message, code="storage_failed") from error


def _errno(error: OSError) -> int:
    if error.errno is not None:
        return error.errno
    # Arrow's errors carry the number in their text alone: "[errno 28] No space left on device".
    text = str(error).lower()
    return next((number for number in _FULL if f"errno {number}]" in text), 0)


def flush(path: Path) -> None:
    """Ask the system to put a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(temporary: Path, folder: Path, stem: str) -> FileRecord:
    """Move a finished temporary file into `folder` under a name that holds its digest.

    Args:
        temporary: The file, written and closed, on the same file system as `folder`.
        folder: Where it goes; its name is part of the record.
        stem: The name without digest and suffix.

    Returns:
        The record of the file.
    """
    with temporary.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    size = temporary.stat().st_size
    target = folder / f"{stem}-{digest[:16]}{temporary.suffix}"
    temporary.replace(target)
    flush(folder)
    return FileRecord(f"{folder.name}/{target.name}", size, digest)


def put(folder: Path, name: str, record: dict[str, Any], temporary: Path) -> dict[str, Any] | None:
    """Put a record if none is there.

    Args:
        folder: The folder of records.
        name: The record's name.
        record: JSON values.
        temporary: Where the record may be written first; a path on the same file system.

    Returns:
        None when it was put; the record that was there before otherwise.
    """
    target = folder / name
    with temporary.open("wb") as stream:
        stream.write(canonical_json(record))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(temporary, target)
    except FileExistsError:
        return load(target)
    finally:
        temporary.unlink()
    flush(folder)
    return None


def load(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises:
        RunError: `record_damaged` when it is not what was put.
    """
    try:
        record = parse_json(path.read_bytes(), max_bytes=1 << 28)
    except Exception as error:
        message = f"the record {path} is damaged: {error}"
        raise RunError(
            message, code="record_damaged", hint="run into another folder, or delete this one."
        ) from error
    if not isinstance(record, dict):
        message = f"the record {path} is damaged: expected an object, found {type(record).__name__}"
        raise RunError(message, code="record_damaged")
    return record


def digest_of(value: Any) -> str:
    """Hex SHA-256 of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
