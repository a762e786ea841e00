"""Hints: the names that a misspelt one was probably meant to be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 5


def meant(name: str, candidates: Iterable[str], holder: str) -> str:
    """A hint that lists at most five candidates, nearest first where there are more.

    Args:
        name: The name that is not known.
        candidates: The names that are, in their own order.
        holder: What has them, as "The schema has".
    """
    known = list(dict.fromkeys(candidates))
    if not known:
        return f"{holder} none."
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    shown = known
    if len(known) > _SHOWN:
        near = get_close_matches(name, known, n=_SHOWN, cutoff=0.0)
        shown = (near + [other for other in known if other not in near])[:_SHOWN]
    rest = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}{holder} {', '.join(shown)}{rest}."
