"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

__all__ = ["write_atomically"]

# As `open` makes files, before the process's mask.
_MODE = 0o666


def write_atomically(path: Path | str, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Args:
        path: Where; a file that is there is replaced.
        data: All of it.

    Raises:
        OSError: With the path as its `filename`, whatever the system refused.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_atomically(Path(folder) / "page.html", b"<p>")
        ...     [path.name for path in Path(folder).iterdir()]
        ['page.html']
    """
    target = Path(path)
    try:
        _write(target, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error


def _write(target: Path, data: bytes) -> None:
    name = target.parent / f".writing-{secrets.token_hex(8)}.tmp"
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        name.replace(target)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
