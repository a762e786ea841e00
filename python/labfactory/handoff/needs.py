"""What a package needs of the host that makes it: names of functions and tables, never they themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from labfactory.base.errors import HandoffError
from labfactory.base.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labfactory.content import Host

__all__ = ["FunctionNeed", "TableNeed", "check_host"]

_Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,199}$")]
_Column = Annotated[str, Field(min_length=1, max_length=1000)]


class FunctionNeed(Settings):
    """A function that the package's creatives call.

    Attributes:
        name: What they call it.
        locale: The locale whose standard function it is; None for a host's own.
    """

    name: _Name
    locale: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    def __str__(self) -> str:
        return f"the function {self.name!r}" + (f" of {self.locale}" if self.locale else "")


class TableNeed(Settings):
    """A table that the package's creatives read, and how it must be joined.

    Attributes:
        name: What they call it.
        key: Its key column.
        on: The customers' column that holds the key.
        missing: What becomes of customers whose key is not in it.
    """

    name: _Name
    key: _Column
    on: _Column
    missing: Literal["null", "skip"] = "null"

    def __str__(self) -> str:
        return f"the table {self.name!r} by {self.key!r} on {self.on!r}, missing {self.missing!r}"


def check_host(
    host: Host, functions: Sequence[FunctionNeed], tables: Sequence[TableNeed], *, package: str
) -> None:
    """Refuse a package whose needs a host does not meet.

    Args:
        host: The host.
        functions: The functions that the package needs.
        tables: The tables that it needs.
        package: `name@version`, for the error.

    Raises:
        HandoffError: `host_lacks` names all that the host does not have, or joins otherwise.
    """
    absent = [*_absent_functions(host, functions), *_absent_tables(host, tables)]
    if absent:
        message = f"expected a host that has what {package} needs, found one without {'; '.join(absent)}"
        raise HandoffError(message, code="host_lacks", hint="host.toml in the Factory's folder gives them.")


def _absent_functions(host: Host, needs: Sequence[FunctionNeed]) -> Iterator[str]:
    return (str(need) for need in needs if need.name not in host.functions_of(need.locale))


def _absent_tables(host: Host, needs: Sequence[TableNeed]) -> Iterator[str]:
    for need in needs:
        table = host.tables.get(need.name)
        if table is None or (table.key, table.on, table.missing) != (need.key, need.on, need.missing):
            yield str(need)
