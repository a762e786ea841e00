"""What a run tells while it works: a callback for a progress bar, and a heartbeat file for a machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol


class Progress(Protocol):
    """Told what is done, always from the thread that called the run."""

    def __call__(self, phase: str, rows: int, total: int | None, size_bytes: int) -> None:
        """Take the state of a phase.

        Args:
            phase: "spool", "keys", "settle" or "make".
            rows: Rows done in the phase so far, those of earlier attempts included.
            total: Rows of the phase, None while it is unknown.
            size_bytes: Bytes of assets made in this attempt so far.
        """


def silent(phase: str, rows: int, total: int | None, size_bytes: int) -> None:
    """Tell nobody."""
    del phase, rows, total, size_bytes


class Heartbeat:
    """Appends each state to a file, one JSON object a line, and hands it on.

    Args:
        path: The file; its folder exists.
        then: Who else is told.
    """

    def __init__(self, path: Path | str, then: Progress = silent) -> None:
        self._path = Path(path)
        self._then = then

    def __call__(self, phase: str, rows: int, total: int | None, size_bytes: int) -> None:
        """Append the state."""
        state: dict[str, Any] = {"bytes": size_bytes, "phase": phase, "rows": rows, "total": total}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(state) + "\n")
        self._then(phase, rows, total, size_bytes)
