"""The Factory: a locked-down folder that takes in verified packages and makes their assets at scale."""

from __future__ import annotations

import os
import stat
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labfactory._core import base as core
from labfactory.audit import AuditRules
from labfactory.base.errors import LabfactoryError, RunError, UsageError
from labfactory.base.identity import engine_identity
from labfactory.base.instants import instant, instant_text
from labfactory.content import Host, read_table
from labfactory.factory.commit import digest_of
from labfactory.factory.intake import Intake, mapped_schema
from labfactory.factory.job import MAX_QUARANTINED_SHARE, Job, JobError
from labfactory.factory.job_check import job_problems
from labfactory.factory.keys import key_field
from labfactory.factory.progress import silent
from labfactory.factory.proof import remade_assets
from labfactory.factory.run import Order, Run, make_run
from labfactory.factory.setup import BATCH_BYTES, set_up, tooling_of
from labfactory.factory.shard import BLOCK_ROWS, SHARD_ROWS
from labfactory.factory.sinks import ParquetSink
from labfactory.governance import Ledger
from labfactory.handoff import Registry, Trust
from labfactory.selection import History, Planned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from labfactory.compiler import Table
    from labfactory.factory.progress import Progress
    from labfactory.factory.sinks import Sink
    from labfactory.handoff import Ingested, Package
    from labfactory.selection import Limit

_TRUST = "trust.json"
_HOST = "host.toml"
_LEDGER = "ledger.sqlite"
_PACKAGES = "packages"
_OPEN_TO_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_LARGEST_SEED = 2**53
_MOST_THREADS = 256
_MOST_ROWS = 1 << 24


class Factory:
    """A folder with a trust file, a registry of packages and a ledger; nobody else may write in it.

    Where packages need functions or tables, its owner puts a host's file, `host.toml`, into the folder.

    Args:
        folder: Made by `Factory.create`.

    Raises:
        UsageError: `factory_missing` when there is no Factory in the folder.
        RunError: `factory_unlocked` when others may write in it.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not (self.folder / _TRUST).is_file():
            message = f"expected a Factory in {self.folder}, found no {_TRUST}"
            hint = "Factory.create(folder, trust=...) makes one."
            raise UsageError(message, code="factory_missing", hint=hint)
        for path in (self.folder, self.folder / _TRUST, self.folder / _HOST):
            if os.name == "posix" and path.exists() and path.stat().st_mode & _OPEN_TO_OTHERS:
                message = f"expected that only its owner may write to {path}, found that others may"
                raise RunError(message, code="factory_unlocked", hint=f"chmod go-w {path}")
        self.trust = Trust.load(self.folder / _TRUST)
        self.ledger = Ledger(self.folder / _LEDGER)
        self.registry = Registry(self.folder / _PACKAGES, self.ledger)

    def __repr__(self) -> str:
        return f"Factory({str(self.folder)!r}, packages={len(self.registry.packages())})"

    @cached_property
    def host(self) -> Host:
        """What the Factory gives to templates: the functions and tables of its `host.toml`.

        Raises:
            UsageError: What `Host.load` raises.
        """
        path = self.folder / _HOST
        return Host.load(path) if path.exists() else Host()

    @classmethod
    def create(cls, folder: Path | str, *, trust: Trust | Path | str) -> Factory:
        """Make a Factory in a new or empty folder, writable by its owner alone.

        Args:
            folder: Absent or empty.
            trust: Whom to believe, or the path of a trust file.

        Raises:
            UsageError: `factory_exists` when the folder holds something.
        """
        place = Path(folder)
        if place.exists() and any(place.iterdir()):
            message = f"expected an absent or empty folder for a Factory, found {place} in use"
            raise UsageError(message, code="factory_exists", hint="Factory(folder) opens one that is there.")
        believed = trust if isinstance(trust, Trust) else Trust.load(trust)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o700)
        believed.save(place / _TRUST)
        (place / _TRUST).chmod(0o600)
        return cls(place)

    def ingest(
        self, package: Package | Path | str | bytes, *, now: datetime, actor: str = "factory"
    ) -> Ingested:
        """Take a package in, or refuse it and change nothing.

        Signatures, approvals, digests and limits are verified; then every creative is compiled here and the
        golden assets are made again, which must come out byte for byte: with this Factory's functions, and
        with what the golden rows read of tables, which the package brings.

        Args:
            package: The package, its path or its bytes.
            now: The moment, aware.
            actor: Who ingests, for the ledger.

        Returns:
            The package's place in the registry.

        Raises:
            HandoffError: Malformed, altered, not trusted, not newer; `host_lacks`, when the Factory has not
                the functions and tables that the package needs; `golden_differs`; `golden_missing`.
            GovernanceError: Not approved as its policy asks.
            CompileError: A template cannot become a plan.
        """
        return self.registry.ingest(
            package,
            trust=self.trust,
            now=now,
            verify_golden=lambda opened: remade_assets(opened, self.host),
            actor=actor,
        )

    def run(
        self,
        package_id: str,
        source: Any,
        *,
        key: str,
        seed: int,
        now: datetime,
        sink: Sink,
        threads: int = 2,
        creative: str | None = None,
        columns: Mapping[str, str] | None = None,
        tables: Mapping[str, Table | tuple[Any, str]] | None = None,
        audit: AuditRules | None = None,
        progress: Progress = silent,
        history: Any = None,
        planned: Any = None,
        limits: Mapping[str, Limit] | None = None,
        max_quarantined_share: float = MAX_QUARANTINED_SHARE,
        shard_rows: int = SHARD_ROWS,
        batch_rows: int = BLOCK_ROWS,
    ) -> Run:
        """Make an asset for every customer, or go on with a run that ended too early.

        Called again with the same arguments it keeps the shards that were committed and makes the others.

        Args:
            package_id: `name@version` of an ingested package, or its name for the newest.
            source: Customers: anything Arrow, a path of a Parquet or CSV file, or a `ShardedSource`.
            key: Column of the customers' key, of integers or text. Rows with a null key and rows whose key
                stood in an earlier row are quarantined.
            seed: Of all draws, from 0 to 2**53.
            now: The moment of the run, aware: the constant `now` of templates, and when signatures count.
            sink: Where the output goes.
            threads: Workers; they change no byte.
            creative: Which of the package's creatives; may be left out when it has one.
            columns: Names that templates use → the source's columns, where they differ.
            tables: Catalogues beside those of the Factory's host, or in place of them: by name.
            audit: Rules for finished assets, added to those of the channel; what breaks one is quarantined.
            progress: Told the state of each phase, in the calling thread.
            history: What customers got before, a `History` or a table that it takes in; for policies whose
                caps and rests read it.
            planned: What customers are to get later, `Planned` contacts or a table that it takes in; the
                policy's caps keep room for it.
            limits: What all customers together may get, by name, beside the limits that the package has: a
                run may ask for more than they do, never for less.
            max_quarantined_share: Share of the customers, in [0, 1], that may fail assembly or audit before
                the run stops.
            shard_rows: Rows that are committed together.
            batch_rows: Rows that pass the line together, a row group each.

        Returns:
            The finished run.

        Raises:
            UsageError: `package_unknown`, `creative_unknown`, `run_settings`.
            HandoffError: The package is no longer trusted; `host_lacks`.
            SourceError: The customers cannot be read, or lack a column.
            CompileError: A template does not fit the customers' columns.
            RunError: `disk_full`, `circuit_open`, `sink_in_use`, `sink_busy`, `nondeterminism`.
            SelectionError: `limit`, `limits_infeasible`.
        """
        _check_settings(seed=seed, threads=threads, shard_rows=shard_rows, batch_rows=batch_rows)
        moment = instant(now)
        package = self.registry.open(package_id, trust=self.trust, now=moment)
        tooling = tooling_of(package, creative, self.host.with_tables(tables or {}))
        intake = Intake(source, shard_rows=shard_rows)
        mapping = dict(columns or {})
        # The channel's own rules first: a run may ask for more than they do, never for less.
        rules = AuditRules((*AuditRules.demanded(tooling.creative).rules, *(audit.rules if audit else ())))
        past = None if history is None else History.of(history)
        ahead = None if planned is None else Planned.of(planned)
        line = set_up(
            tooling,
            mapped_schema(intake.schema, mapping),
            key=key_field(intake.schema, key),
            columns=mapping,
            seed=seed,
            now=moment,
            auditor=rules,
            batch_rows=batch_rows,
            batch_bytes=BATCH_BYTES,
            metadata={"labfactory.package": package.id, "labfactory.root": package.root},
            limits=limits,
            history=past,
            planned=ahead,
        )
        header = {
            "audit": digest_of(rules.to_dict()),
            "batch_bytes": BATCH_BYTES,
            "batch_rows": batch_rows,
            "columns": mapping,
            "creative": tooling.creative.name,
            "engine": engine_identity().to_dict(),
            "format": "labfactory-run/1",
            "key": key,
            "now": instant_text(moment),
            "package": package.id,
            "root": package.root,
            "seed": seed,
            **tooling.served.to_dict(),
        }
        if past is not None:
            header["history"] = past.digest
        if ahead is not None:
            header["planned"] = ahead.digest
        if limits:
            header["limits"] = {name: asdict(limit) for name, limit in limits.items()}
        order = Order(package.id, header, threads, shard_rows, max_quarantined_share)
        run = make_run(order, line, intake, sink, key_hash=_key_hash, progress=progress)
        self._enter(run, moment)
        return run

    def run_job(self, job: Job | Path | str, *, progress: Progress = silent) -> Run:
        """Make the run that a job's file describes; the whole job is checked before the first row.

        Args:
            job: A job, or the path of its file.
            progress: Told the state of each phase.

        Raises:
            UsageError: `settings` for faults of the file.
            JobError: `job_refused`, when several things keep the job from being run.
            LabfactoryError: The one problem itself, where there is only one.
        """
        order = job if isinstance(job, Job) else Job.load(job)
        problems = self.problems(order)
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise JobError(problems)
        return self.run(
            order.package,
            order.source.path,
            key=order.key,
            seed=order.seed,
            now=order.now,
            sink=ParquetSink(order.sink.path),
            threads=order.threads,
            creative=order.creative,
            columns=order.source.columns,
            tables={name: read_table(table) for name, table in order.tables.items()},
            audit=None if order.audit is None else AuditRules.load(order.audit.path),
            history=None if order.history is None else History.load(order.history.path),
            planned=None if order.planned is None else Planned.load(order.planned.path),
            limits=order.selection.to_limits(),
            progress=progress,
            max_quarantined_share=order.limits.quarantined_share,
            shard_rows=order.limits.shard_rows,
            batch_rows=order.limits.batch_rows,
        )

    def problems(self, job: Job) -> list[LabfactoryError]:
        """Everything that keeps a job from being run, found without reading a customer.

        Args:
            job: The job.

        Returns:
            The errors; none when the job can be run.
        """
        return job_problems(self, job)

    def _enter(self, run: Run, now: datetime) -> None:
        """Enter a finished run in the ledger, once."""
        body = {
            "manifest": digest_of(run.manifest),
            "package": run.package,
            "root": run.manifest["root"],
            "run": run.run_id,
            "totals": run.manifest["totals"],
        }
        with self.ledger.transaction(now=now) as transaction:
            if not any(entry.body == body for entry in self.ledger.entries("run")):
                transaction.append(actor="factory", kind="run", body=body)


def _check_settings(*, seed: int, threads: int, shard_rows: int, batch_rows: int) -> None:
    ranges = {"seed": (seed, 0, _LARGEST_SEED), "threads": (threads, 1, _MOST_THREADS)}
    ranges |= {"shard_rows": (shard_rows, 1, _MOST_ROWS), "batch_rows": (batch_rows, 1, _MOST_ROWS)}
    for name, (value, least, most) in ranges.items():
        if not least <= value <= most:
            message = f"expected {name} from {least} to {most}, found {value}"
            raise UsageError(message, code="run_settings")


def _key_hash(keys: pa.Array) -> pa.Array:
    return pa.array(core.hash_keys(keys))
