"""The proof of a package: its golden assets, made again where it is to be taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labfactory.base.errors import HandoffError
from labfactory.content import Library
from labfactory.factory.setup import selection_of
from labfactory.handoff import Tooling, check_host, golden_renderer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labfactory.content import Host
    from labfactory.handoff import Package


def remade_assets(package: Package, host: Host) -> Mapping[str, object]:
    """The package's golden assets, made here.

    Args:
        package: A verified package.
        host: Gives functions; of tables the golden rows read what the package brings, and the host's own are
            held to what templates read of them.

    Raises:
        HandoffError: `golden_missing`, when there are no golden rows; `host_lacks`.
        CompileError: A template cannot become a plan.
    """
    rows, header = package.golden_rows(), package.header
    if rows is None:
        message = f"expected golden rows in {package.id}, found none"
        hint = "Package.build(..., golden=customers) adds them."
        raise HandoffError(message, code="golden_missing", hint=hint)
    check_host(host, header.functions, header.tables, package=package.id)
    library, selection = Library.from_files(package.library_files()), selection_of(package)
    for name in header.creatives if header.tables else ():
        Tooling(library, library.creative(name), None, host).plan(rows.schema, now=header.created)
    golden = host.with_tables(package.golden_tables())
    return golden_renderer(library, header.creatives, selection, now=header.created, host=golden)(rows)
