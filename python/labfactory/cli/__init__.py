"""The command line. One file per group of commands; nothing heavy is imported before a command runs."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command that the process was started with, and exit with its code.

    Exit codes: 0 done, 1 refused by a gate, an audit or a verification, 2 wrong use, 3 failed,
    4 interrupted and resumable.
    """
    from labfactory.cli.app import app

    app()
