"""A batch job: everything a run needs in one file, checked as a whole before the first row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AwareDatetime, Field

from labfactory.base.errors import UsageError
from labfactory.base.settings import Settings, read_bounded, settings_from
from labfactory.content import HostTable, in_folder
from labfactory.factory.shard import BLOCK_ROWS, SHARD_ROWS
from labfactory.selection import LimitTable  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labfactory.base.errors import LabfactoryError
    from labfactory.selection import Limit

# Half of the customers failing means that the data is not what the templates were written for.
MAX_QUARANTINED_SHARE = 0.5

_Count = Annotated[int, Field(ge=1)]


class JobError(UsageError):
    """Everything that keeps a job from being run, at once.

    Args:
        problems: Two or more, each with its own code.
    """

    def __init__(self, problems: Iterable[LabfactoryError]) -> None:
        found = tuple(problems)
        listed = "\n".join(f"{type(problem).__name__}: {problem}" for problem in found)
        message = f"expected a job that can be run, found {len(found)} problems:\n{listed}"
        super().__init__(message, code="job_refused")
        self.problems = found


class JobSource(Settings):
    """Where the customers are.

    Args:
        path: A Parquet or CSV file, relative to the job's folder.
        columns: Names that templates use → the file's columns, where they differ.
    """

    path: str
    columns: dict[str, str] = Field(default_factory=dict)


class JobSink(Settings):
    """Where the output goes.

    Args:
        path: A folder, relative to the job's folder.
    """

    path: str


class JobAudit(Settings):
    """What finished assets must fulfil.

    Args:
        path: A file of audit rules, relative to the job's folder.
    """

    path: str


class JobHistory(Settings):
    """What customers got before.

    Args:
        path: A Parquet or CSV file of contacts, relative to the job's folder.
    """

    path: str


class JobPlanned(Settings):
    """What customers are to get later.

    Args:
        path: A Parquet or CSV file of planned contacts, relative to the job's folder.
    """

    path: str


class JobSelection(Settings):
    """What the run asks of the selection.

    Args:
        limits: What all customers together may get, by name, beside the limits that the package has.
    """

    limits: dict[str, LimitTable] = Field(default_factory=dict)

    def to_limits(self) -> dict[str, Limit]:
        """The limits by name.

        Raises:
            SelectionError: `limit`.
        """
        return {name: limit.to_limit() for name, limit in self.limits.items()}


class JobLimits(Settings):
    """How far a run may go wrong, and how it is cut.

    Args:
        quarantined_share: Share of the customers that may fail assembly or audit before the run stops.
        shard_rows: Rows of a shard.
        batch_rows: Rows that pass the line together.
    """

    quarantined_share: Annotated[float, Field(ge=0, le=1)] = MAX_QUARANTINED_SHARE
    shard_rows: _Count = SHARD_ROWS
    batch_rows: _Count = BLOCK_ROWS


class Job(Settings):
    """A batch job, as `labfactory factory run job.toml` takes it.

    Args:
        package: `name@version` of an ingested package.
        key: The key's column in the source.
        seed: Of all draws, from 0 to 2**53.
        now: The moment of the run, with its zone.
        source: Where the customers are.
        sink: Where the output goes.
        creative: Which of the package's creatives; may be left out when it has one.
        threads: Workers.
        audit: What finished assets must fulfil.
        history: What customers got before; for policies whose caps and rests read it.
        planned: What they are to get later, which the policy's caps keep room for.
        tables: Catalogues beside those of the Factory's host, or in place of them: by name.
        limits: How far the run may go wrong.
        selection: What it asks of the selection: limits over all customers.
    """

    package: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, le=2**53)]
    now: AwareDatetime
    source: JobSource
    sink: JobSink
    creative: str | None = None
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    audit: JobAudit | None = None
    history: JobHistory | None = None
    planned: JobPlanned | None = None
    tables: dict[str, HostTable] = Field(default_factory=dict)
    limits: JobLimits = JobLimits()
    selection: JobSelection = JobSelection()

    @classmethod
    def load(cls, path: Path | str) -> Job:
        """Read a job's file; its relative paths are resolved against the file's folder.

        Args:
            path: A TOML file.

        Raises:
            UsageError: `file_unreadable`; `settings` lists every fault with its place.
        """
        place = Path(path)
        job = settings_from(cls, read_bounded(place), name=str(path))
        folder = place.parent
        placed = {
            name: part.model_copy(update={"path": str(folder / part.path)})
            for name, part in (
                ("source", job.source),
                ("sink", job.sink),
                ("audit", job.audit),
                ("history", job.history),
                ("planned", job.planned),
            )
            if part is not None
        }
        return job.model_copy(update={**placed, "tables": in_folder(folder, job.tables)})
