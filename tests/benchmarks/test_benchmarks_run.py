"""The benchmarks run at a tiny size, each peer's text agrees with ours, and a slowdown is seen."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# The peers come with the tools of developers.
pytestmark = pytest.mark.house
WORKLOADS = ("sms", "email", "products", "whole", "filters", "dictionary", "one", "threads", "growth")


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    variables = os.environ | environment
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def one_row(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a short run of one workload writes."""
    path = tmp_path_factory.mktemp("figures") / "one.json"
    done = run("--only", "one", "--rows", 100, "--repeats", 3, "--json", path)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def compared(before: dict[str, Any], path: Path) -> subprocess.CompletedProcess[str]:
    path.write_text(json.dumps(before))
    return run("--only", "one", "--rows", 100, "--repeats", 3, "--compare", path)


def times(factor: float, before: dict[str, Any]) -> dict[str, Any]:
    figures = [
        one | {"ours": {"samples": [sample * factor for sample in one["ours"]["samples"]]}}
        for one in before["figures"]
    ]
    return before | {"figures": figures}


def test_every_workload_agrees_with_its_peers_and_is_in_the_one_table() -> None:
    done = run("--rows", 500, "--repeats", 1, "--only", ",".join(WORKLOADS))
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    for start in ("SMS", "e-mail of 2.4 KB", "e-mail of 20 KB", "whole table", "filter: title", "dictionary"):
        assert any(row.startswith(f"| {start}") for row in rows), start
    for peer in ("memcpy", "Jinja2", "minijinja", "Polars concat_str", "DuckDB concat", "fresh huge pages"):
        assert any(f"| {peer} |" in row for row in rows), peer


def test_scaling_prints_every_axis() -> None:
    done = run("scaling", "--rows", 1000, "--repeats", 1)
    assert done.returncode == 0, done.stderr
    for axis in ("rows", "bytes of template", "branches", "turns of a loop", "bytes of a string", "percent"):
        assert f"| {axis}" in done.stdout


def test_a_slowdown_beyond_the_noise_fails(one_row: dict[str, Any], tmp_path: Path) -> None:
    done = compared(times(0.001, one_row), tmp_path / "before.json")
    assert done.returncode == 1, done.stdout
    assert "worse:\nassemble_one, p50" in done.stdout


def test_what_became_faster_passes(one_row: dict[str, Any], tmp_path: Path) -> None:
    done = compared(times(1000.0, one_row), tmp_path / "before.json")
    assert done.returncode == 0, done.stdout
    assert "nothing is worse" in done.stdout


def test_figures_of_another_machine_are_refused(one_row: dict[str, Any], tmp_path: Path) -> None:
    machine = one_row["machine"] | {"processor": "another"}
    done = compared(one_row | {"machine": machine}, tmp_path / "before.json")
    assert done.returncode == 2
    assert "another machine: processor" in done.stdout


def test_figures_of_other_rows_are_refused(one_row: dict[str, Any], tmp_path: Path) -> None:
    figures = [one | {"rows": one["rows"] + 1} for one in one_row["figures"]]
    done = compared(one_row | {"figures": figures}, tmp_path / "before.json")
    assert done.returncode == 2
    assert "rows here" in done.stdout


def test_unknown_workload_is_refused() -> None:
    done = run("--only", "letters")
    assert done.returncode == 2
    assert "found letters" in done.stderr


def script(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs Python beside the benchmarks."""
    command = [sys.executable, "-c", f"import sys\nfrom benchmarks import instructions\n{text}"]
    command += map(str, arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a count beside a file prints by which SMS took one instruction a row, and the file that it wrote."""
    folder = tmp_path_factory.mktemp("instructions")
    built = ast.literal_eval(script("print(instructions.built())").stdout)
    before = {"built": built, "instructions": {"SMS": 1.0, "e-mail of 20 KB": 1e9}}
    (folder / "before.json").write_text(json.dumps(before))
    done = run("instructions", "--compare", folder / "before.json", "--json", folder / "now.json")
    assert done.returncode == 1, done.stderr
    return done.stdout, folder / "now.json"


def test_instructions_are_counted_and_compared(counted: tuple[str, Path]) -> None:
    (worse,) = counted[0].split("worse:\n")[1].splitlines()
    assert worse.startswith("SMS: ")


def test_hot_kernels_take_no_more_instructions_than_are_recorded(counted: tuple[str, Path]) -> None:
    now, recorded = counted[1], ROOT / "benchmarks" / "instructions.json"
    compared = "now, before = map(instructions.read, map(instructions.Path, sys.argv[1:]))\n"
    compared += "assert now.keys() == before.keys()\nprint(instructions.more(now, before, allowed=0.1))"
    done = script(compared, now, recorded)
    # Another compiler or C library makes other instructions.
    assert done.stdout == "[]\n" or "NotComparableError: another build: here {" in done.stderr, done


def test_instructions_of_another_build_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    path.write_text(json.dumps({"built": {"compiler": "another"}, "instructions": {}}))
    done = script("instructions.read(instructions.Path(sys.argv[1]))", path)
    assert done.returncode == 1
    assert "there {'compiler': 'another'}" in done.stderr


def test_instructions_without_valgrind_say_what_is_missing() -> None:
    done = run("instructions", PATH="/nowhere")
    assert done.returncode == 1
    assert "expected valgrind to count instructions, found none" in done.stderr
