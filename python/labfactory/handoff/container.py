"""The container of a package: a ZIP that has exactly one form.

Any ZIP tool can read it. We read it with our own walker, which knows one layout only: stored entries in path
order, fixed time and mode, then the directory, then the end. After the walk the bytes must equal what `pack`
writes for the same files, so nothing can hide in a header, between entries, before or after them, and no two
readers can see different files. Everything happens in memory.

References:
    PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING, NoReturn

from labfactory.base.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["MAX_CONTAINER_BYTES", "MAX_ENTRIES", "MAX_ENTRY_BYTES", "check_paths", "pack", "unpack"]

MAX_CONTAINER_BYTES = 512 << 20
MAX_ENTRY_BYTES = 256 << 20
MAX_ENTRIES = 4096
MAX_PATH_BYTES = 200
MAX_PATH_DEPTH = 8

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = 0x04034B50, 0x02014B50, 0x06054B50
_VERSION = 10  # stored files need no later reader
_MADE_BY = (3 << 8) | _VERSION  # Unix, so that the mode below counts
_MODE = 0o100644 << 16
_DATE = (1 << 5) | 1  # 1 January 1980, the first day that ZIP can say

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
_DEVICE = re.compile(
    r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.ASCII
)  # names that Windows does not store


def pack(files: Mapping[str, bytes]) -> bytes:
    """Write files as the one container that holds them.

    Args:
        files: Content by path; paths as `check_paths` allows them.

    Returns:
        The bytes of the container; equal files give equal bytes.

    Raises:
        HandoffError: `path_refused`, `too_large`, or `container_malformed` when there is no file.

    Example:
        >>> unpack(pack({"a.txt": b"hello"}))
        {'a.txt': b'hello'}
    """
    _check_sizes(files)
    check_paths(files)
    return b"".join(_pieces(files))


def unpack(data: bytes) -> dict[str, bytes]:
    """Read a container, or refuse it.

    Args:
        data: The whole container.

    Returns:
        Content by path, in path order.

    Raises:
        HandoffError: `container_malformed` for any byte that `pack` would not have written, `path_refused`,
            `too_large`.
    """
    if len(data) > MAX_CONTAINER_BYTES:
        _refuse_size("container", len(data), MAX_CONTAINER_BYTES, "bytes")
    files: dict[str, bytes] = {}
    offset = 0
    while data[offset : offset + 4] == b"PK\x03\x04":
        if len(files) == MAX_ENTRIES:
            _refuse_size("container", MAX_ENTRIES + 1, MAX_ENTRIES, "entries")
        path, content, offset = _entry(data, offset)
        if path in files:
            _refuse(f"the entry {path!r} occurs twice")
        files[path] = content
    if not files:
        _refuse("expected an entry at byte 0, found none")
    check_paths(files)
    _check_equal(data, files)
    return files


def check_paths(paths: Iterable[str]) -> None:
    """Refuse paths that some file system, shell or reader would take for something else.

    Args:
        paths: Relative paths with `/`; each segment matches `[a-z0-9][a-z0-9._-]*`.

    Raises:
        HandoffError: `path_refused` names the path and what is wrong with it.

    Example:
        >>> check_paths(["library/welcome/warm/html.j2"])
    """
    known = set(paths)
    for path in known:
        fault = _path_fault(path)
        if fault is None:
            parents = path.split("/")[:-1]
            inside = ["/".join(parents[: depth + 1]) for depth in range(len(parents))]
            fault = next((f"{parent!r} is a file as well" for parent in inside if parent in known), None)
        if fault is not None:
            message = f"expected a plain relative path, found {path[:MAX_PATH_BYTES]!r}: {fault}"
            raise HandoffError(message, code="path_refused")


def _path_fault(path: str) -> str | None:
    segments = path.split("/")
    if len(path) > MAX_PATH_BYTES:
        return f"{len(path)} bytes, at most {MAX_PATH_BYTES}"
    if len(segments) > MAX_PATH_DEPTH:
        return f"{len(segments)} levels, at most {MAX_PATH_DEPTH}"
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            return f"the segment {segment!r} is not lower-case letters, digits, '.', '_' and '-'"
        if segment.endswith("."):
            return f"the segment {segment!r} ends in a dot"
        if _DEVICE.fullmatch(segment):
            return f"the segment {segment!r} is a device name"
    return None


def _entry(data: bytes, offset: int) -> tuple[str, bytes, int]:
    """Read one stored entry: here only what steers the walk, the headers are compared as a whole later."""
    if offset + _LOCAL.size > len(data):
        _refuse(f"the header at byte {offset} is cut short")
    _, _, flags, method, _, _, checksum, stored, size, name_bytes, extra = _LOCAL.unpack_from(data, offset)
    if method != 0 or flags != 0 or extra != 0 or stored != size:
        _refuse(f"the entry at byte {offset} is not plainly stored")
    if size > MAX_ENTRY_BYTES:
        _refuse_size(f"entry at byte {offset}", size, MAX_ENTRY_BYTES, "bytes")
    start = offset + _LOCAL.size + name_bytes
    end = start + size
    if end > len(data):
        _refuse(f"the entry at byte {offset} is cut short")
    name = data[offset + _LOCAL.size : start]
    content = data[start:end]
    if not name.isascii():
        message = f"expected a plain relative path, found bytes beyond ASCII at byte {offset}"
        raise HandoffError(message, code="path_refused")
    if zlib.crc32(content) != checksum:
        _refuse(f"the checksum of {name.decode('ascii')!r} does not match its bytes")
    return name.decode("ascii"), content, end


def _check_equal(data: bytes, files: Mapping[str, bytes]) -> None:
    view = memoryview(data)
    offset = 0
    for piece in _pieces(files):
        if view[offset : offset + len(piece)] != piece:
            _refuse(f"the bytes from {offset} on are not those of the one form of these files")
        offset += len(piece)
    if offset != len(data):
        _refuse(f"{len(data) - offset} bytes follow the end")


def _pieces(files: Mapping[str, bytes]) -> Iterator[bytes]:
    directory: list[bytes] = []
    offset = 0
    for path in sorted(files):
        name, content = path.encode("ascii"), files[path]
        fields = (_VERSION, 0, 0, 0, _DATE, zlib.crc32(content), len(content), len(content), len(name), 0)
        header = _LOCAL.pack(_LOCAL_MAGIC, *fields) + name
        directory.append(_CENTRAL.pack(_CENTRAL_MAGIC, _MADE_BY, *fields, 0, 0, 0, _MODE, offset) + name)
        offset += len(header) + len(content)
        yield header
        yield content
    listed = b"".join(directory)
    yield listed
    yield _END.pack(_END_MAGIC, 0, 0, len(directory), len(directory), len(listed), offset, 0)


def _check_sizes(files: Mapping[str, bytes]) -> None:
    if not files:
        _refuse("expected at least one file, found none")
    if len(files) > MAX_ENTRIES:
        _refuse_size("container", len(files), MAX_ENTRIES, "entries")
    for path, content in files.items():
        if len(content) > MAX_ENTRY_BYTES:
            _refuse_size(path, len(content), MAX_ENTRY_BYTES, "bytes")
    headers = _LOCAL.size + _CENTRAL.size
    total = _END.size + sum(headers + 2 * len(path) + len(content) for path, content in files.items())
    if total > MAX_CONTAINER_BYTES:
        _refuse_size("container", total, MAX_CONTAINER_BYTES, "bytes")


def _refuse(message: str) -> NoReturn:
    raise HandoffError(message, code="container_malformed")


def _refuse_size(what: str, found: int, limit: int, unit: str) -> NoReturn:
    message = f"expected the {what} to have at most {limit} {unit}, found {found}"
    raise HandoffError(message, code="too_large")
