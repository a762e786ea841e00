"""The stubs of the core say what pybind11 says: names, arguments in order, keywords and defaults."""

from __future__ import annotations

import ast
import types
from pathlib import Path

import pytest

from labfactory import _core

STUBS = Path(__file__).parents[2] / "python" / "labfactory" / "_core"
SUBMODULES = {name: value for name, value in vars(_core).items() if isinstance(value, types.ModuleType)}
HAND_MADE = {"__init__", "__arrow_c_array__"}


def shape(function: ast.FunctionDef) -> tuple[list[str], list[str], int]:
    """Positional names, keyword-only names, number of defaults; without self."""
    arguments = function.args
    positional = [a.arg for a in arguments.posonlyargs + arguments.args if a.arg != "self"]
    keywords = [a.arg for a in arguments.kwonlyargs]
    defaults = len(arguments.defaults) + sum(d is not None for d in arguments.kw_defaults)
    return positional, keywords, defaults


def native_signatures(name: str, doc: str) -> list[ast.FunctionDef]:
    """The signatures that pybind11 wrote into a docstring; several where it is overloaded."""
    found = []
    for line in doc.splitlines():
        text = line.strip()
        text = text.split(". ", 1)[1] if text[:1].isdigit() and ". " in text else text
        if text.startswith(f"{name}(") and "(*args, **kwargs)" not in text:
            parsed = ast.parse(f"def {text}: ...").body[0]
            assert isinstance(parsed, ast.FunctionDef)
            found.append(parsed)
    return found


def stub_functions(body: list[ast.stmt]) -> dict[str, list[ast.FunctionDef]]:
    functions: dict[str, list[ast.FunctionDef]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef) and not any(
            isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list
        ):
            functions.setdefault(node.name, []).append(node)
    return functions


def public(names) -> set[str]:
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(SUBMODULES))
def test_each_stub_has_the_names_of_its_module(name):
    tree = ast.parse((STUBS / f"{name}.pyi").read_text(encoding="utf-8"))
    declared = {
        target
        for node in tree.body
        for target in (
            [node.name]
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else [node.target.id]
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            else []
        )
    }
    assert public(declared) == public(vars(SUBMODULES[name]))


@pytest.mark.parametrize("name", sorted(SUBMODULES))
def test_each_stub_takes_the_arguments_that_the_core_takes(name):
    module = SUBMODULES[name]
    tree = ast.parse((STUBS / f"{name}.pyi").read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    groups = [(module, stub_functions(tree.body))]
    groups += [(getattr(module, node.name), stub_functions(node.body)) for node in classes]
    compared = 0
    for owner, functions in groups:
        for function, declared in functions.items():
            native = native_signatures(function, getattr(owner, function).__doc__ or "")
            if not native:
                assert function in HAND_MADE or function.startswith("__"), f"{function}: no native signature"
                continue
            compared += 1
            assert [shape(d) for d in declared] == [shape(n) for n in native], f"{name}.{function}"
    assert compared > 0 or not any(functions for _, functions in groups)


def test_a_wrong_argument_in_a_stub_is_seen():
    native = native_signatures("f", "f(a: int, *, b: int = 1) -> int\n\nDoes.")
    wrong = ast.parse("def f(a: int, *, c: int = 1) -> int: ...").body[0]
    assert isinstance(wrong, ast.FunctionDef)
    assert [shape(n) for n in native] == [(["a"], ["b"], 1)]
    assert shape(wrong) != shape(native[0])
