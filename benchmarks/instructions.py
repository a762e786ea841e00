"""Instructions a row under callgrind, at the level AVX2: no noise, so one percent counts.

Each workload runs with some rows and with twice as many in one thread; the difference is what the rows cost, free of
what a call costs. `benchmarks/instructions.json` holds what they took last; another compiler or C library gives other
counts, so they are refused where those differ.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

import labfactory as lf
from benchmarks import filters, product_mail
from benchmarks.compare import NotComparableError
from benchmarks.data import EMAIL, SMS, customers
from benchmarks.machine import ROOT
from benchmarks.native import library
from labfactory import _core

LEVEL = "avx2"
ROWS = 2_000
ALLOWED = 0.01
# What GCC and clang leave in what they make.
COMPILER = re.compile(rb"GCC: \([^)]*\) [\d.]+|clang version [\d.]+")
TRIGGER = re.compile(r"^desc: Trigger: Client Request: (?P<name>.+)$", re.MULTILINE)
TOTAL = re.compile(r"^(?:totals|summary): (?P<count>\d+)", re.MULTILINE)


def works() -> Iterator[tuple[str, lf.Plan, pa.RecordBatch]]:
    """A plan and twice the rows of the smaller run."""
    for workload in (SMS, EMAIL):
        table = customers(2 * ROWS).to_arrow()
        yield workload.name, lf.Template(workload.template, autoescape=True).compile(table.schema), table
    table = product_mail.rows_of(2 * ROWS)
    yield "e-mail of 20 KB", product_mail.compiled(table.schema), table
    table = filters.rows_of(2 * ROWS)
    for name, source in filters.TEMPLATES.items():
        yield f"filter: {name}", lf.Template(source, autoescape=True).compile(table.schema), table


def built() -> dict[str, str]:
    """What the counts depend on beside the code."""
    compilers = sorted({found.decode() for found in COMPILER.findall(Path(str(_core.__file__)).read_bytes())})
    return {
        "compiler": ", ".join(compilers),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
    }


def count() -> None:
    """What runs under callgrind."""
    marks = library("marks")
    ready = []
    for name, plan, table in works():
        (batch,) = table.select(plan.columns).combine_chunks().to_batches()
        plan.assemble_batch(batch, threads=1)
        ready += [(f"{rows} {name}".encode(), plan, batch.slice(0, rows)) for rows in (ROWS, 2 * ROWS)]
    # Started once: a count that is stopped and started again is wrong.
    marks.start_count()
    for name_and_rows, plan, part in ready:
        marks.forget_count()
        plan.assemble_batch(part, threads=1)
        marks.write_count(name_and_rows)


def measure() -> dict[str, float]:
    """Instructions a row, by workload; needs valgrind, its headers and a C compiler."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise SystemExit(
            "expected valgrind to count instructions, found none (Debian: apt-get install valgrind)"
        )
    library("marks")
    with tempfile.TemporaryDirectory() as place:
        command = [
            valgrind,
            "--tool=callgrind",
            "--instr-atstart=no",
            f"--callgrind-out-file={place}/count",
            sys.executable,
            "-m",
            "benchmarks.instructions",
        ]
        environment = {**os.environ, "LABFACTORY_DISPATCH": LEVEL, "PYTHONHASHSEED": "0"}
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise SystemExit(f"callgrind failed:\n{run.stderr}")
        parts = sorted(Path(place).glob("count.*"), key=lambda path: int(path.suffix[1:]))
        counts = dict(map(_read, parts))
    names = {name.split(" ", 1)[1]: None for name in counts}
    return {name: (counts[f"{2 * ROWS} {name}"] - counts[f"{ROWS} {name}"]) / ROWS for name in names}


def _read(path: Path) -> tuple[str, int]:
    text = path.read_text()
    name, total = TRIGGER.search(text), TOTAL.search(text)
    if name is None or total is None:
        raise SystemExit(f"expected a trigger and a total in {path.name}, found {text[:400]!r}")
    return name["name"], int(total["count"])


def table(counts: Mapping[str, float]) -> str:
    """The counts as Markdown."""
    lines = ["| workload | instructions a row |", "|---|--:|"]
    return "\n".join([*lines, *(f"| {name} | {one:,.1f} |" for name, one in counts.items())])


def more(counts: Mapping[str, float], before: Mapping[str, Any], *, allowed: float = ALLOWED) -> list[str]:
    """What takes more instructions than before, a sentence each."""
    return [
        f"{name}: {one:,.1f} instructions a row, were {before[name]:,.1f}; {one / before[name] - 1:.1%} more, {allowed:.0%} is allowed"
        for name, one in counts.items()
        if name in before and one > before[name] * (1 + allowed)
    ]


def write(path: Path, counts: Mapping[str, float], commit: str) -> None:
    """The counts as JSON."""
    rounded = {name: round(one, 1) for name, one in counts.items()}
    content = {"commit": commit, "level": LEVEL, "built": built(), "instructions": rounded}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, float]:
    """The counts of a file.

    Raises:
        NotComparableError: They are of another build.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    here, there = built(), content["built"]
    if here != there:
        message = f"another build: here {here}, there {there}"
        raise NotComparableError(message)
    found: dict[str, float] = content["instructions"]
    return found


if __name__ == "__main__":
    count()
