"""Channels that the host registered: packages of them, and places that do not know them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import polars as pl
import pytest
from factory_concept import NOW, people, ready

from labfactory.content import Channel, Creative, Library, Part, channels, register_channel
from labfactory.factory import MemorySink

if TYPE_CHECKING:
    from pathlib import Path

TICKER = Channel(
    "ticker", (Part(name="line", single_line=True, no_controls=True, max_json_bytes=40, max_segments=1),)
)
ELSEWHERE = """
import sys
from labfactory.base.errors import ContentError
from labfactory.content import Library
from pathlib import Path
try:
    Library.load(Path(sys.argv[1]))
except ContentError as error:
    print([(problem.code, problem.message, problem.template) for problem in error.problems])
"""


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    # What is registered here is forgotten behind the test.
    registry = sys.modules[register_channel.__module__]
    monkeypatch.setattr(registry, "_channels", {one.name: one for one in channels()})
    line = Creative(name="news/one", channel=register_channel(TICKER), parts={"line": "Hi {{ first_name }}"})
    return Library((line,))


def test_a_package_of_a_registered_channel_is_made_as_that_channel_demands(
    library: Library, tmp_path: Path
) -> None:
    names = ["news/one"]
    factory, package = ready(tmp_path, library=library, creatives=names, selection=None)
    assert Library.from_files(package.library_files()) == library
    customers = people(6).with_columns(
        first_name=pl.Series(["Ann", "Ann\u2028Bo", "Ann\x07", "ç" * 30, "ç" * 14, None])
    )
    sink = MemorySink()
    factory.run(
        package.id, customers, key="customer_id", seed=1, now=NOW, sink=sink, max_quarantined_share=1.0
    )
    assert sink.table("assets")["line"].to_pylist() == ["Hi Ann", "Hi " + "ç" * 14, "Hi None"]
    assert sink.table("quarantine")["code"].to_pylist() == [
        "audit_single_line",
        "audit_no_controls",
        "audit_max_json_bytes",
    ]


def test_a_place_that_does_not_know_the_channel_names_it(library: Library, tmp_path: Path) -> None:
    for name, data in library.files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    child = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    told = [("unknown_channel", "unknown channel 'ticker'", "news/one/creative.toml")]
    assert child.stdout.strip() == str(told)
