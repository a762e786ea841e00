"""Which engine made these bytes: the versions on which an asset's text depends."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

__all__ = ["EngineIdentity", "engine_identity"]

_SOURCE_TREE = "0+source"  # labfactory imported from a checkout that was never installed


@dataclass(frozen=True)
class EngineIdentity:
    """The versions on which the bytes of an asset depend.

    Attributes:
        labfactory: Version of this package.
        unicode: Version of the Unicode tables, the interpreter's and the core's.
        tzdata: Version of the time zone data.
        babel: Version of Babel; None where it is not installed.
        jinja2: Version of the template language.
        markupsafe: Version of the escaping rules.
        pyarrow: Version of the Arrow library that reads and writes files.
    """

    labfactory: str
    unicode: str
    tzdata: str
    babel: str | None
    jinja2: str
    markupsafe: str
    pyarrow: str

    def to_dict(self) -> dict[str, str | None]:
        """The versions by name, ready for canonical JSON."""
        return asdict(self)


@cache
def engine_identity() -> EngineIdentity:
    """The identity of this process.

    Example:
        >>> engine_identity().unicode == unicodedata.unidata_version
        True
    """
    return EngineIdentity(
        labfactory=_version("labfactory") or _SOURCE_TREE,
        unicode=unicodedata.unidata_version,
        tzdata=version("tzdata"),
        babel=_version("babel"),
        jinja2=version("jinja2"),
        markupsafe=version("markupsafe"),
        pyarrow=version("pyarrow"),
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
