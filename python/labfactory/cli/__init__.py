"""The command line: one file per group of commands. Nothing heavy is imported before a command runs."""

from __future__ import annotations

__all__ = ["main"]

_FAILED = 3


def main() -> None:
    """Run the command that the process was started with, and exit with its code.

    Exit codes: 0 done, 1 refused by a gate, an audit or a verification, 2 wrong use, 3 failed,
    4 interrupted and resumable.
    """
    import sys

    from labfactory.cli.app import app

    try:
        app(prog_name="labfactory")
    except Exception:
        # Python would end with 1, which says "refused".
        sys.excepthook(*sys.exc_info())
        sys.exit(_FAILED)
