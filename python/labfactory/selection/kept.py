"""Kept: what was found once, so that it need not be found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

# Rules of one policy and moment, in all zones, are far fewer.
_MOST = 1024


class Kept:
    """What was found, by what it was found for; any thread may ask.

    Where every decision has its own moment it forgets all from time to time, rather than grow.
    """

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}

    def get(self, key: Hashable, find: Callable[[], T]) -> T:
        """What was found for a key; two threads that ask at once may both find it."""
        found: T | None = self._found.get(key)
        if found is None:
            found = find()
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[key] = found
        return found
