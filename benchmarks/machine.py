"""What a figure depends on beside the code."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from labfactory._core import base

CPUINFO = Path("/proc/cpuinfo")
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Machine:
    """A processor and what it runs; figures of two are not compared.

    Args:
        processor: Its name, family, model and stepping.
        cores: How many this process sees.
        memory_gib: All of its memory.
        dispatch: The level of instructions that the core uses.
        system: Operating system and architecture.
    """

    processor: str
    cores: int
    memory_gib: int
    dispatch: str
    system: str

    @classmethod
    def here(cls) -> Machine:
        pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        return cls(
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(pages * page_bytes / (1 << 30)),
            dispatch=base.dispatch_level(),
            system=f"{platform.system()} {platform.machine()}",
        )

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB, {self.dispatch}, {self.system}"

    def differences(self, other: Machine) -> list[str]:
        """What the other has otherwise, as sentences."""
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name}: here {mine[name]!r}, there {theirs[name]!r}"
            for name in mine
            if mine[name] != theirs[name]
        ]


def _processor() -> str:
    if not CPUINFO.exists():
        return platform.processor() or "unknown processor"
    lines = [line.split(":", 1) for line in CPUINFO.read_text().splitlines() if ":" in line]
    facts = {name.strip(): value.strip() for name, value in reversed(lines)}
    numbers = [facts.get(name, "?") for name in ("cpu family", "model", "stepping")]
    return f"{facts.get('model name', 'unknown processor')} ({'/'.join(numbers)})"


def commit() -> str:
    """The commit of the checkout, with a plus sign where files differ from it."""

    if shutil.which("git") is None:
        return "unknown: no git"

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return run.stdout.strip()

    found = git("rev-parse", "--short", "HEAD") or "not a checkout"
    return found + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
