"""Examples run: those of the docstrings, and each page of the documentation from first fence to last."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import labfactory

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = ["labfactory", *(m.name for m in pkgutil.walk_packages(labfactory.__path__, "labfactory."))]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def run_examples(name: str, text: str, namespace: dict[str, object], first_line: int) -> list[str]:
    """What the runner reports of the examples of a text; they share the namespace."""
    test = doctest.DocTestParser().get_doctest(text, namespace, name, None, first_line)
    reports: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(test, out=reports.append, clear_globs=False)
    return reports


def run_page(page: str, name: str) -> list[str]:
    """What is wrong with the python fences of a page: reports of examples; other code raises."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    reports: list[str] = []
    for fence in FENCE.finditer(page):
        info, code = fence["info"].strip(), fence["code"]
        line = page[: fence.start()].count("\n") + 1
        if info != "python" and info.startswith("py"):
            reports.append(f"{name}:{line}: a fence is plain `python`, found `{info}`")
        elif info == "python" and code.lstrip().startswith(">>>"):
            reports += run_examples(name, code, namespace, line)
        elif info == "python":
            exec(compile("\n" * line + code, name, "exec"), namespace)
    return reports


@pytest.fixture
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_docstrings_run(name):
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    reports = []
    for test in finder.find(module, name):
        runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
        runner.run(test, out=reports.append)
    assert "".join(reports) == ""


def test_a_wrong_example_is_seen():
    assert "Expected" in "".join(run_page("```python\n>>> 1 + 1\n3\n```\n", "page"))
    assert run_page("```python\nx = 1\n```\ntext\n```python\n>>> x\n1\n```\n", "page") == []
    assert "no-run" in "".join(run_page("```python no-run\nx\n```\n", "page"))
    with pytest.raises(NameError):
        run_page("```python\nabsent\n```\n", "page")
