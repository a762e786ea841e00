"""What a package offers is what its `__all__` says, and importing labfactory stays light."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import labfactory

TOP = Path(labfactory.__file__).parent
PACKAGES = ["labfactory", *(f"labfactory.{path.parent.name}" for path in sorted(TOP.glob("*/__init__.py")))]
HEAVY = {"labfactory.cli", "labfactory.reports", "labfactory.samples", "matplotlib", "rich", "typer"}


def rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as ruff sorts them."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def offered(body: list[ast.stmt]) -> set[str]:
    """Public names that an `__init__.py` takes from labfactory or defines; lazy ones stand under TYPE_CHECKING."""
    names: set[str] = set()
    for node in body:
        match node:
            case ast.ImportFrom(module=str(module), names=imported) if module.startswith("labfactory"):
                names |= {alias.asname or alias.name for alias in imported}
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=imports):
                names |= offered(imports)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_sorted_complete_and_importable(name):
    package = importlib.import_module(name)
    exported = list(getattr(package, "__all__", []))
    assert exported == sorted(set(exported), key=rank)
    assert [each for each in exported if not hasattr(package, each)] == []
    source = Path(str(package.__file__)).read_text(encoding="utf-8")
    assert offered(ast.parse(source).body) == {each for each in exported if not each.startswith("_")}


def test_every_error_is_offered_at_the_top():
    errors = importlib.import_module("labfactory.base.errors")
    raised = {
        name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")
    }
    assert sorted(raised - set(labfactory.__all__)) == []


def test_importing_labfactory_stays_light():
    listing = "import sys, labfactory; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert sorted(HEAVY & set(done.stdout.split())) == []


def test_a_name_that_all_lacks_is_seen():
    source = "from labfactory.lab import Mean, _hidden\nimport sys\nLIMIT = 1\ndef make(): ...\n"
    assert offered(ast.parse(source).body) == {"Mean", "LIMIT", "make"}
