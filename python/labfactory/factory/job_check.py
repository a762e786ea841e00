"""A look at a whole job before its first row: everything that keeps it from being run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from labfactory.audit import AuditRules
from labfactory.base.errors import LabfactoryError, UsageError
from labfactory.content import read_table
from labfactory.factory.intake import Intake, mapped_schema
from labfactory.factory.keys import key_field
from labfactory.factory.setup import BATCH_BYTES, set_up, tooling_of
from labfactory.selection import History, Planned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labfactory.factory.factory import Factory
    from labfactory.factory.job import Job
    from labfactory.factory.line import Line
    from labfactory.handoff import Tooling
    from labfactory.selection import Limit

Result = TypeVar("Result")


def job_problems(factory: Factory, job: Job) -> list[LabfactoryError]:
    """Everything that keeps a job from being run, found without reading a customer.

    Args:
        factory: Where it is to be run.
        job: The job.

    Returns:
        The errors; none when the job can be run.
    """
    found: list[LabfactoryError] = []

    def tried(step: Callable[[], Result]) -> Result | None:
        try:
            return step()
        except LabfactoryError as error:
            found.append(error)
            return None

    package = tried(lambda: factory.registry.open(job.package, trust=factory.trust, now=job.now))
    host = tried(lambda: factory.host)
    read = {name: tried(partial(read_table, table)) for name, table in job.tables.items()}
    tables = {name: table for name, table in read.items() if table is not None}
    tooling = None
    if package is not None and host is not None and len(tables) == len(read):
        tooling = tried(lambda: tooling_of(package, job.creative, host.with_tables(tables)))
    intake = tried(lambda: Intake(job.source.path, shard_rows=job.limits.shard_rows))
    key = None if intake is None else tried(lambda: key_field(intake.schema, job.key))
    schema = None if intake is None else tried(lambda: mapped_schema(intake.schema, job.source.columns))
    if job.audit is not None:
        tried(partial(AuditRules.load, job.audit.path))
    if job.history is not None:
        tried(partial(History.load, job.history.path))
    if job.planned is not None:
        tried(partial(Planned.load, job.planned.path))
    limits = tried(job.selection.to_limits) or {}
    if tooling is not None and schema is not None:
        tried(lambda: _compiled(tooling, schema, key, job, limits))
    place = Path(job.sink.path)
    if place.exists() and not place.is_dir():
        message = f"expected a folder for the output, found the file {place}"
        found.append(UsageError(message, code="sink_refused"))
    return found


def _compiled(
    tooling: Tooling, schema: pa.Schema, key: pa.Field | None, job: Job, limits: Mapping[str, Limit]
) -> Line:
    return set_up(
        tooling,
        schema,
        key=key or pa.field("key", pa.string()),
        columns=job.source.columns,
        seed=job.seed,
        now=job.now,
        auditor=None,
        batch_rows=job.limits.batch_rows,
        batch_bytes=BATCH_BYTES,
        metadata={},
        limits=limits,
        history=None if job.history is None else History.empty(),
        planned=None if job.planned is None else Planned.empty(),
    )
