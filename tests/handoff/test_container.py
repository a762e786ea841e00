"""A container has one form; whatever is not that form is refused."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labfactory.base.errors import HandoffError
from labfactory.handoff import container
from labfactory.handoff.container import pack, unpack

FILES = {
    "package.json": b'{"name":"welcome"}',
    "library/welcome/warm/html.j2": "<p>Grüß dich</p>".encode(),
    "library/components/hero/sale/html.j2": b"",
    "golden/rows.jsonl": bytes(range(256)) * 3,
}
PACKED = pack(FILES)

segments = st.from_regex(r"[a-z][a-z0-9_-]{0,8}x", fullmatch=True)
paths = st.lists(segments, min_size=1, max_size=8).map("/".join)


def zipped(
    files: list[tuple[str, bytes]], *, method: int = zipfile.ZIP_STORED, comment: bytes = b""
) -> bytes:
    """An archive as the standard library writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for path, data in files:
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data, method)
        archive.comment = comment
    return buffer.getvalue()


def refused(data: bytes) -> str:
    """The code with which a container is refused."""
    with pytest.raises(HandoffError) as raised:
        unpack(data)
    return raised.value.code


def test_what_is_packed_is_unpacked() -> None:
    assert unpack(PACKED) == FILES
    assert list(unpack(PACKED)) == sorted(FILES)


def test_the_standard_library_reads_what_we_write() -> None:
    with zipfile.ZipFile(io.BytesIO(PACKED)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == FILES
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}


@given(st.dictionaries(paths, st.binary(max_size=50), min_size=1, max_size=6))
def test_equal_files_have_equal_bytes_whatever_their_order(files: dict[str, bytes]) -> None:
    assume(not any(path.startswith(other + "/") for path in files for other in files))
    data = pack(files)
    assert pack(dict(reversed(files.items()))) == data
    assert unpack(data) == files


def mutants(count: int) -> list[bytes]:
    """The same mutants every time: flips, cuts, repeats, swaps, junk before, between and after."""
    draw = random.Random(20260501)
    made = []
    for number in range(count):
        data = bytearray(PACKED)
        at = draw.randrange(len(data))
        match number % 8:
            case 0 | 1 | 2:
                data[at] ^= 1 << draw.randrange(8)
            case 3:
                data[at] = draw.randrange(256)
            case 4:
                del data[at : at + draw.randint(1, 40)]
            case 5:
                data[at:at] = draw.randbytes(draw.randint(1, 40))
            case 6:
                length = draw.randint(1, 200)
                data[at:at] = data[at : at + length]
            case 7:
                other = draw.randrange(len(data))
                data[at : at + 4], data[other : other + 4] = data[other : other + 4], data[at : at + 4]
        made.append(bytes(data))
    return made


def test_every_mutant_is_refused_or_is_the_same_container() -> None:
    changed = [data for data in mutants(6000) if data != PACKED]
    assert len(changed) > 5000
    codes = {refused(data) for data in changed}
    assert codes <= {"container_malformed", "path_refused", "too_large"}


def test_the_control_reader_accepts_mutants_that_we_refuse() -> None:
    """The mutants are no strawmen: the standard library reads hundreds of them without complaint."""
    accepted = 0
    for data in mutants(2000):
        if data == PACKED:
            continue
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for info in archive.infolist():
                    archive.read(info)
            accepted += 1
        except Exception:
            continue
    assert accepted > 50


def test_every_flipped_bit_is_refused() -> None:
    small = pack({"a": b"x", "b/c": b"yz"})
    for at in range(len(small)):
        for bit in range(8):
            refused(small[:at] + bytes([small[at] ^ 1 << bit]) + small[at + 1 :])


def test_every_cut_is_refused() -> None:
    for end in range(len(PACKED)):
        refused(PACKED[:end])
        if end:
            refused(PACKED[end:])


ATTACKS = {
    "leading bytes": b"#!/bin/sh\n" + PACKED,
    "trailing bytes": PACKED + b"\0",
    "two archives, one after the other": PACKED + PACKED,
    "an archive inside the comment": zipped(sorted(FILES.items()), comment=PACKED),
    "a comment": zipped(sorted(FILES.items()), comment=b"hello"),
    "the standard library's own header": zipped(sorted(FILES.items())),
    "deflated": zipped(sorted(FILES.items()), method=zipfile.ZIP_DEFLATED),
    "a bomb": zipped([("a", b"\0" * 10_000_000)], method=zipfile.ZIP_DEFLATED),
    "nothing": b"",
    "an empty archive": zipped([]),
    "text": b"PK is not enough",
    "entries out of order": zipped([("b", b"1"), ("a", b"2")]),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_other_archives_are_refused(attack: str) -> None:
    assert refused(ATTACKS[attack]) == "container_malformed"


def entry(path: bytes, data: bytes, **changed: int) -> bytes:
    """A local header with its data, some fields changed."""
    fields = {
        "magic": 0x04034B50,
        "version": 10,
        "flags": 0,
        "method": 0,
        "time": 0,
        "date": 33,
        "crc": zlib.crc32(data),
        "stored": len(data),
        "size": len(data),
        "name": len(path),
        "extra": 0,
    } | changed
    return struct.pack("<IHHHHHIIIHH", *fields.values()) + path + data


@pytest.mark.parametrize(
    "field",
    [
        {"flags": 1},  # encrypted
        {"flags": 8},  # sizes in a descriptor after the data
        {"flags": 0x800},
        {"method": 8},
        {"stored": 0},
        {"size": 5},
        {"extra": 4},
        {"crc": 1},
        {"name": 3},
    ],
)
def test_headers_that_readers_take_differently_are_refused(field: dict[str, int]) -> None:
    good = pack({"ab": b"data"})
    assert good.startswith(entry(b"ab", b"data"))
    changed = entry(b"ab", b"data", **field) + good[len(entry(b"ab", b"data")) :]
    assert refused(changed) in ("container_malformed", "path_refused")


def test_a_duplicate_entry_is_refused() -> None:
    first = entry(b"ab", b"data")
    assert (
        refused(first + entry(b"ab", b"evil") + pack({"ab": b"data"})[len(first) :]) == "container_malformed"
    )


def test_an_entry_that_the_directory_does_not_list_is_refused() -> None:
    good = pack({"ab": b"data"})
    assert refused(entry(b"aa", b"hidden") + good) == "container_malformed"


def test_a_directory_that_lists_another_name_is_refused() -> None:
    good = pack({"ab": b"data"})
    at = good.rindex(b"ab")
    assert refused(good[:at] + b"ac" + good[at + 2 :]) == "container_malformed"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../evil",
        "a/../b",
        "a//b",
        "a/",
        "./a",
        ".hidden",
        "a/.git",
        "C:/x",
        "a\\b",
        "UPPER",
        "a b",
        "é",
        "a\u0301",
        "a\0b",
        "a\nb",
        "a.",
        "con",
        "nul.txt",
        "x/com1.j2",
        "-rf",
        "a" * 201,
        "/".join("abcdefghi"),
    ],
)
def test_paths_that_are_not_plain_are_refused(path: str) -> None:
    with pytest.raises(HandoffError) as raised:
        pack({path: b""})
    assert raised.value.code == "path_refused"
    raw = path.encode()
    assert refused(entry(raw, b"") + b"PK\x01\x02") == "path_refused"


def test_a_path_that_is_a_folder_as_well_is_refused() -> None:
    with pytest.raises(HandoffError) as raised:
        pack({"a/b": b"", "a": b""})
    assert raised.value.code == "path_refused"


def test_containers_beyond_the_limits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"f{number}": b"" for number in range(5000)}
    with pytest.raises(HandoffError) as raised:
        pack(many)
    assert raised.value.code == "too_large"
    assert refused(b"".join(entry(f"f{number:04}".encode(), b"") for number in range(5000))) == "too_large"
    assert refused(entry(b"a", b"", size=2**32 - 1, stored=2**32 - 1)) == "too_large"
    monkeypatch.setattr(container, "MAX_CONTAINER_BYTES", len(PACKED) - 1)
    assert refused(PACKED) == "too_large"
    with pytest.raises(HandoffError) as raised:
        pack(FILES)
    assert raised.value.code == "too_large"
    monkeypatch.setattr(container, "MAX_ENTRY_BYTES", 100)
    with pytest.raises(HandoffError) as raised:
        pack({"a": b"x" * 101})
    assert raised.value.code == "too_large"
