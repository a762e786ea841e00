"""A file is written whole or not at all."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from labfactory.base.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_atomically(path, b"one")
    write_atomically(str(path), b"two")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"page.html": b"two"}


def test_a_refusal_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OSError, match=r"page\.html") as caught:
        write_atomically(tmp_path / "page.html", b"one")
    assert caught.value.filename == str(tmp_path / "page.html")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "no" / "page.html", b"one")
    assert caught.value.errno == errno.ENOENT
