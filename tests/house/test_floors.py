"""Imports run one way, in both languages, by the table in docs/architecture.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CPP = ROOT / "cpp" / "labfactory"
PYTHON = ROOT / "python" / "labfactory"

Floors = dict[str, int]


def floors(language: str, page: str) -> Floors:
    """Floor number by room; rooms in braces share one."""
    line = next(line for line in page.splitlines() if line.startswith(f"{language}: "))
    numbered = {}
    for number, floor in enumerate(line.removeprefix(f"{language}: ").split(" → ")):
        for room in floor.strip("{}").split(", "):
            numbered[room] = number
    return numbered


PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def included_rooms(source: str) -> list[str]:
    return re.findall(r'#include "labfactory/([a-z_]+)/', source)


def imported_rooms(source: str) -> list[str]:
    rooms = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [str(node.module)]
            if node.module == "labfactory":
                names = [f"labfactory.{alias.name}" for alias in node.names]
        rooms += [name.split(".")[1] for name in names if name.startswith("labfactory.")]
    return rooms


def runs_up(room: str, used: str, table: Floors) -> bool:
    return used != room and table[used] >= table[room]


def test_each_native_include_runs_down():
    table = floors("cpp", PAGE)
    wrong = [
        f"{path.relative_to(ROOT)} includes {used}"
        for path in sorted(CPP.rglob("*.?pp"))
        for used in included_rooms(path.read_text(encoding="utf-8"))
        if runs_up(path.relative_to(CPP).parts[0], used, table)
    ]
    assert wrong == []


def test_each_python_import_runs_down():
    table = floors("python", PAGE)
    wrong = [
        f"{path.relative_to(ROOT)} imports {used}"
        for path in sorted(PYTHON.rglob("*.py"))
        if len(path.relative_to(PYTHON).parts) > 1
        for used in imported_rooms(path.read_text(encoding="utf-8"))
        if used != "_core" and (used == "testing" or runs_up(path.relative_to(PYTHON).parts[0], used, table))
    ]
    assert wrong == []


@pytest.mark.parametrize(("language", "top"), [("cpp", CPP), ("python", PYTHON)])
def test_each_folder_is_a_room_of_the_table_and_each_room_a_folder(language, top):
    folders = {path.name for path in top.iterdir() if path.is_dir() and any(path.iterdir())}
    assert folders - {"_core", "__pycache__"} == set(floors(language, PAGE))


def test_an_import_that_runs_up_is_seen():
    table = floors("python", "python: base → compiler → content")
    assert runs_up("base", "compiler", table)
    assert not runs_up("content", "compiler", table)
    assert imported_rooms("from labfactory.content import Library") == ["content"]
    assert imported_rooms("from labfactory import cli, lab") == ["cli", "lab"]
    assert included_rooms('#include "labfactory/plan/program.hpp"') == ["plan"]
