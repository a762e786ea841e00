"""Setting up: from a package's creative and its tooling to a line that customers can pass."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from labfactory._core.plan import Memo
from labfactory.base.errors import UsageError, nearest
from labfactory.content import Host, Library
from labfactory.factory.line import Line
from labfactory.handoff import Tooling, check_host
from labfactory.selection import SelectionPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa

    from labfactory.compiler import Plan
    from labfactory.factory.line import Auditor
    from labfactory.handoff import Package
    from labfactory.selection import History, Limit, Planned

# A batch of assets that would need more than this is cut into several row groups.
BATCH_BYTES = 64 << 20
_SLOT = "slot:"


def tooling_of(package: Package, creative: str | None, host: Host) -> Tooling:
    """The tooling for one creative of a package.

    Args:
        package: A verified package.
        creative: The creative's name; None takes the only one.
        host: Gives its functions and tables.

    Raises:
        HandoffError: `host_lacks`, when the host has not what the package needs.
        UsageError: `creative_unknown` when there is no such creative, or several and none is named.
    """
    check_host(host, package.header.functions, package.header.tables, package=package.id)
    names = list(package.header.creatives)
    if creative is None and len(names) > 1:
        message = f"expected one of the {len(names)} creatives of {package.id} to be named, found none"
        raise UsageError(message, code="creative_unknown", hint=f"creative=... one of {', '.join(names)}")
    chosen = names[0] if creative is None else creative
    if chosen not in names:
        message = f"expected a creative of {package.id}, found {chosen!r}"
        raise UsageError(message, code="creative_unknown", hint=nearest(chosen, names))
    library = Library.from_files(package.library_files())
    return Tooling(library, library.creative(chosen), selection_of(package), host)


def selection_of(package: Package) -> SelectionPolicy | None:
    """The package's selection policy, if it has one."""
    files = package.selection_files()
    return SelectionPolicy.from_files(files) if files else None


def set_up(
    tooling: Tooling,
    schema: pa.Schema,
    *,
    key: pa.Field,
    columns: Mapping[str, str],
    seed: int,
    now: datetime,
    auditor: Auditor | None,
    batch_rows: int,
    batch_bytes: int,
    metadata: Mapping[str, str],
    limits: Mapping[str, Limit] | None = None,
    history: History | None = None,
    planned: Planned | None = None,
) -> Line:
    """Compile a creative and bind its selection, for customers of a schema.

    Args:
        tooling: The creative, and what it needs.
        schema: The columns as the templates name them.
        key: The key, as `key_field` gives it: its column in the source, its type in the output.
        columns: Names that templates use → the source's columns, where they differ.
        seed: Of all draws.
        now: The moment of the run, the constant `now` in templates.
        auditor: Checks finished assets; None for no checks.
        batch_rows: Rows that pass together.
        batch_bytes: Most bytes of assets in one row group.
        metadata: Written into every file.
        limits: What all customers together may get, beside the limits of the policy itself.
        history: What customers got before.
        planned: What they are to get later.

    Raises:
        CompileError: A template or expression cannot become a plan on this schema.
        SelectionError: The selection policy does not fit the creative's slots.
        UsageError: `selection_missing` when slots are to be filled and the package has no policy.
    """
    plan = tooling.plan(schema, now=now)
    selectors = tooling.selectors(schema, now=now, history=history, planned=planned, limits=limits)
    read = [name for name in plan.columns if not name.startswith(_SLOT)]
    if selectors.each is not None:
        read += [name for name in selectors.each.columns if name not in read]
    return Line(
        creative=tooling.creative.name,
        parts=plan.parts,
        key=key.name,
        key_type=key.type,
        columns={name: columns.get(name, name) for name in read},
        decider=selectors.each,
        assembler=plan,
        auditor=auditor,
        seed=seed,
        batch_rows=batch_rows,
        batch_bytes=batch_bytes,
        metadata=metadata,
        limited=selectors.limited,
        remembering=partial(Remembering, plan) if tooling.served.functions else None,
    )


class Remembering:
    """A plan that keeps what functions gave from batch to batch, for one thread.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._memo = Memo()

    def assemble_batch(
        self, batch: pa.RecordBatch, *, threads: int = 1, batch_bytes: int = BATCH_BYTES
    ) -> list[pa.RecordBatch]:
        """As `Plan.assemble_batch`."""
        return self._plan.assemble_batch(batch, threads=threads, batch_bytes=batch_bytes, memo=self._memo)
