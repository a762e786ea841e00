"""Examples run: those of the docstrings, and each page of the documentation from first fence to last.

A page that tells of one stretch of the walk finds on its desk what the walk has made before: the names of `desk` and,
in the working directory, its files.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import labfactory
from labfactory import samples
from labfactory.samples import walk

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = ["labfactory", *(m.name for m in pkgutil.walk_packages(labfactory.__path__, "labfactory."))]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Pages for newcomers bring all that they use.
OWN = ("README.md", "assignment.md", "quickstart.md", "lab.md", "templates.md")
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def run_examples(name: str, text: str, namespace: dict[str, object], first_line: int) -> list[str]:
    """What the runner reports of the examples of a text; they share the namespace."""
    test = doctest.DocTestParser().get_doctest(text, namespace, name, None, first_line)
    reports: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(test, out=reports.append, clear_globs=False)
    return reports


def run_page(page: str, name: str, desk: dict[str, object]) -> list[str]:
    """What is wrong with the python fences of a page: reports of examples; other code raises."""
    namespace = {"__name__": "__main__", **desk}
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


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> tuple[Path, dict[str, object]]:
    """What pages take for granted: a folder of files, and names."""
    folder = tmp_path_factory.mktemp("desk") / "files"
    shutil.copytree(samples.folder(), folder)
    sample = walk.sample_of(samples.customers(60_000, seed=7))
    assigned = walk.experiment().assign(sample, key="customer_id", seed=7)
    evaluation = walk.evaluate(sample, seed=7)
    draft = walk.draft(evaluation, sample)
    signers = walk.enrol(folder / "keys")
    walk.seal(draft, draft.judge(now=walk.NOW), signers).save(folder / "welcome-tone-1.lfpkg")
    shutil.copy(folder / "keys" / "trust.json", folder)
    customers = sample.slice(0, 2000).combine_chunks()
    pq.write_table(customers, folder / "customers.parquet")
    library = labfactory.Library.load(folder / "library")
    selection = labfactory.SelectionPolicy.load(folder / "selection.toml")
    heroes = pa.array(np.zeros(len(customers), np.int32))
    plan = library.creative("welcome/warm").compile(customers.schema, components=library.components)
    names = {
        "lf": labfactory,
        "now": walk.NOW,
        "customers": customers,
        "responses": samples.responses(assigned, seed=7),
        "library": library,
        "selection": selection,
        "evaluation": evaluation,
        "draft": draft,
        "signers": signers.by_role,
        "assets": plan.assemble_batch(customers.append_column("slot:hero", heroes).to_batches()[0])[0],
    }
    return folder, names


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


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_fences_of_a_page_run(page, desk, tmp_path, monkeypatch):
    folder, names = desk
    if page.name not in OWN:
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    found = run_page(page.read_text(encoding="utf-8"), page.name, {} if page.name in OWN else names)
    assert "".join(found) == ""


def test_a_wrong_example_is_seen():
    assert "Expected" in "".join(run_page("```python\n>>> 1 + 1\n3\n```\n", "page", {}))
    assert run_page("```python\nx = 1\n```\ntext\n```python\n>>> x\n1\n```\n", "page", {}) == []
    assert "no-run" in "".join(run_page("```python no-run\nx\n```\n", "page", {}))
    with pytest.raises(NameError):
        run_page("```python\nabsent\n```\n", "page", {})
