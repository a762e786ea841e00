"""The command line as a process of its own, as a shell would start it, and beside it in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from labfactory.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROGRAM = "from labfactory.cli import main; main()"


def started(
    *words: str, before: str = "", env: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.Popen[str]:
    """Start `labfactory` with these words.

    Args:
        words: What follows `labfactory`.
        before: Python that the process runs first, such as limits that it sets itself.
        env: Variables added to the environment.
        folder: Where it runs; None for here.
    """
    return subprocess.Popen(
        [sys.executable, "-c", f"{before}\n{PROGRAM}", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, **(env or {})},
    )


def labfactory(*words: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run `labfactory` with these words to its end; `how` is as in `started`."""
    with started(*words, **how) as process:
        out, error = process.communicate(timeout=200)
    return subprocess.CompletedProcess(words, process.returncode, out, error)


def labfactory_here(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `labfactory` with these words in this process: for further cases of what a process has shown."""
    result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)
