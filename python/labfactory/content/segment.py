"""The one alphabet of names: whatever names a thing of a library may stand in a path."""

from __future__ import annotations

import re

from labfactory.base.errors import ContentError

# Lower-case ASCII, so that no two names look alike or fall together on any file system.
_SEGMENT = re.compile(r"[a-z0-9][a-z0-9._-]*")


def is_segment(text: str) -> bool:
    """Whether a text may be one segment of a path in a library or a package."""
    return _SEGMENT.fullmatch(text) is not None and not text.endswith(".")


def check_segment(noun: str, text: str) -> None:
    """Refuse a name that could not be one segment of a path.

    Raises:
        ContentError: `name`, when the text has other characters, or starts or ends with a wrong one.
    """
    if not is_segment(text):
        message = (
            f"expected a {noun} name of a-z, 0-9, '.', '_' and '-' (a letter or digit first), found {text!r}"
        )
        raise ContentError(message, code="name")
