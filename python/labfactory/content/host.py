"""The host: what the place where templates run gives them beside customers, by name: functions and tables."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labfactory.base.errors import UsageError
from labfactory.compiler import Functions, Table, as_table
from labfactory.content.host_file import HostFile, HostLocale, read_functions, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from labfactory.content.component import Component
    from labfactory.content.creative import Creative


@dataclass(frozen=True)
class Served:
    """What a host gives to one creative: what its templates ask for by name, and no more.

    Args:
        functions: The functions.
        tables: The tables.
        origins: Where each function comes from: `module` and `sha256`, or `locale`, `currency` and `zone`.
    """

    functions: Functions = field(default_factory=Functions)
    tables: Mapping[str, Table] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What makes the same assets again: origins of functions and digests of tables, as JSON values."""
        found = {
            "functions": {name: dict(self.origins.get(name, {})) for name in sorted(self.functions)},
            "tables": {name: self.tables[name].to_dict() for name in sorted(self.tables)},
        }
        return {what: named for what, named in found.items() if named}


@dataclass(frozen=True)
class Host:
    """What the place where templates run gives them: functions, those of locales, and tables.

    The Laboratory builds packages with one, and every Factory has its own: packages carry neither functions
    nor tables, they name those that they need.

    Args:
        functions: An engineer's own, for every creative.
        locales: For creatives of each locale, which currency and zone their standard functions write.
        tables: Catalogues by the names that templates know them by.
        origins: Module and digest of each of the functions, where they come from a file.

    Raises:
        UsageError: `duplicate_name` when a function has the name of a standard one; `locale`,
            `missing_extra`; `table_key`.

    Example:
        >>> import pyarrow as pa
        >>> Host(tables={"product": Table(pa.table({"sku": [7], "title": ["Hat"]}), key="sku")})
        Host(functions=[], locales=[], tables=['product'])
    """

    functions: Functions = field(default_factory=Functions)
    locales: Mapping[str, HostLocale] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for functions in self._spoken.values():
            _check_names(self.functions, functions)

    def __repr__(self) -> str:
        named = {"functions": self.functions, "locales": self.locales, "tables": self.tables}
        return f"Host({', '.join(f'{what}={sorted(names)}' for what, names in named.items())})"

    @classmethod
    def load(cls, path: Path | str) -> Host:
        """Read a host's file: its functions' modules are run, its tables read.

        Args:
            path: A TOML file; its relative paths are resolved against its folder.

        Raises:
            UsageError: `file_unreadable`; `settings`; `host_module`; `host_changed`; `duplicate_name`;
                `locale`; `missing_extra`; `table_key`.
            SourceError: A table's file cannot be read.
        """
        file = HostFile.load(path)
        read = [read_functions(one) for one in file.functions.values()]
        functions = Functions(*(function for named, _ in read for function in named.values()))
        origins = {name: origin for named, origin in read for name in named}
        tables = {name: read_table(one) for name, one in file.tables.items()}
        return cls(functions, file.locales, tables, origins)

    def with_tables(self, tables: Mapping[str, Table | tuple[Any, str]]) -> Host:
        """This host with some tables more, or others in place of its own."""
        more = {name: as_table(name, table) for name, table in tables.items()}
        return replace(self, tables={**self.tables, **more})

    def functions_of(self, locale: str | None) -> Functions:
        """The functions for creatives of a locale: all of its own, and that locale's standard ones."""
        return self.functions | self._spoken.get(locale or "", Functions())

    def serve(
        self, creative: Creative, components: Iterable[Component] = (), calls: Iterable[str] = ()
    ) -> Served:
        """What a creative's templates ask for by name, and the expressions of what fills its slots.

        Args:
            creative: The creative; its locale decides whose standard functions it gets.
            components: All that are at hand, such as `library.components`.
            calls: Names of functions that a selection policy calls.

        Raises:
            ContentError: `unknown_component`.
        """
        names = creative.names_read(components)
        every = self.functions_of(creative.locale)
        called = {*names, *creative.calls(components), *calls}
        functions = Functions(*(function for name, function in every.items() if name in called))
        origins = {
            name: dict(self.origins.get(name, {})) if name in self.functions else self._of(creative.locale)
            for name in functions
        }
        tables = {name: table for name, table in self.tables.items() if name in names}
        return Served(functions, tables, origins)

    @cached_property
    def _spoken(self) -> dict[str, Functions]:
        return {
            locale: Functions.standard(locale=locale, currency=one.currency, zone=one.zone)
            for locale, one in self.locales.items()
        }

    def _of(self, locale: str | None) -> dict[str, str]:
        """The origin of a locale's standard functions."""
        told = {"locale": locale, **self.locales[locale or ""].model_dump(exclude_none=True)}
        return {name: str(value) for name, value in told.items()}


def _check_names(own: Functions, spoken: Functions) -> None:
    twice = sorted(set(own) & set(spoken))
    if twice:
        message = f"expected functions of other names than the standard ones, found {twice[0]!r}"
        raise UsageError(message, code="duplicate_name")
