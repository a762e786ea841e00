"""Options that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Now = Annotated[
    str | None,
    typer.Option(
        metavar="MOMENT", help="The moment that counts, such as 2026-05-01T12:00:00Z; else the clock's."
    ),
]


def moment(now: str | None) -> datetime:
    """The moment that `--now` names; the command line alone may ask the clock.

    Raises:
        UsageError: `instant`, when the text is no moment with a zone.
    """
    from labfactory.base.instants import instant

    return datetime.now(UTC).replace(microsecond=0) if now is None else instant(now)
