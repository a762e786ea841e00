"""Where a run's output goes: files by shard that appear whole, or memory."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from labfactory.base.errors import RunError
from labfactory.factory.commit import load, publish, put, storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labfactory.factory.shard import Shard

# What a shard's output consists of; the decision log goes first, so it is on record before anything leaves.
KINDS = ("decisions", "quarantine", "assets")


@dataclass(frozen=True, slots=True)
class Schemas:
    """The Arrow schemas of a run's output."""

    assets: pa.Schema
    decisions: pa.Schema
    quarantine: pa.Schema


@dataclass(frozen=True, slots=True)
class Work:
    """One shard of one run.

    Args:
        shard: The rows.
        work_id: Hex digest of all that decides the shard's output; equal ids give equal output.
    """

    shard: Shard
    work_id: str


class ShardWriter(Protocol):
    """Takes the output of one shard, from one thread."""

    def write(self, kind: str, rows: pa.Table) -> None:
        """Take rows of one of `KINDS`, at most one row group's worth of bytes."""

    def commit(self, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Make everything written visible at once, the decision log first, and return the shard's record.

        The record has `counts`, `work_id`, and `files`: kind → name, size_bytes, sha256. A shard that was
        committed before keeps its record.

        Raises:
            RunError: `nondeterminism` when it was committed before with other content.
        """

    def discard(self) -> None:
        """Forget what was not committed; harmless after a commit."""


class Sink(Protocol):
    """Takes the output of a run; opened once for each."""

    def open(self, header: Mapping[str, Any], schemas: Schemas) -> None:
        """Begin or resume the run that `header` describes.

        Raises:
            RunError: `sink_in_use` when another run's output is there, `sink_busy` when a run is writing now.
        """

    def scratch(self) -> Path:
        """An empty folder for the run's own temporary files; valid until `close`."""

    def shelf(self) -> Path:
        """A folder for what the run keeps from one attempt to the next; gone when the run is finished."""

    def committed(self, work: Work) -> dict[str, Any] | None:
        """The record of a shard that was committed before, None otherwise."""

    def writer(self, work: Work) -> ShardWriter:
        """Begin a shard."""

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Put the run's manifest; all shards are committed."""

    def close(self) -> None:
        """Release what `open` took, also after a failure; harmless when nothing is open."""

    @property
    def paths(self) -> Mapping[str, Path]:
        """Where the output lies: kind → folder or file."""


class ParquetSink:
    """Parquet files in a folder.

    The folder holds `assets/`, `decisions/` and `quarantine/` with one file per shard, `commits/` with one
    record per shard and, when the run is complete, `run.json`. Only what a commit record names is output. The
    options of the writer are fixed: equal rows in equal row groups make equal files.

    Args:
        folder: Made when absent; holds the output of one run.

    Example:
        >>> ParquetSink("out").paths["assets"].as_posix()
        'out/assets'
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._schemas: Schemas | None = None
        self._lock: Any = None

    def __repr__(self) -> str:
        return f"ParquetSink({str(self.folder)!r})"

    @property
    def paths(self) -> Mapping[str, Path]:
        """Where the output lies: kind → folder or file."""
        return {**{kind: self.folder / kind for kind in sorted(KINDS)}, "manifest": self.folder / "run.json"}

    def open(self, header: Mapping[str, Any], schemas: Schemas) -> None:
        """Begin or resume the run that `header` describes.

        Raises:
            RunError: `sink_in_use` when another run's output is there, `sink_busy` when a run is writing now.
        """
        self.lock()
        self._schemas = schemas
        with storage(self.folder):
            for kind in (*KINDS, "commits"):
                (self.folder / kind).mkdir(exist_ok=True)
            begun = self.folder / "begun.json"
            if begun.exists() and not any((self.folder / "commits").iterdir()):
                # An attempt that committed nothing binds nobody.
                begun.unlink()
            standing = put(self.folder, begun.name, dict(header), self._work / "begun.tmp")
        if standing is not None and standing != dict(header):
            differing = [name for name in {**standing, **header} if standing.get(name) != header.get(name)]
            message = (
                f"{self.folder} holds the output of another run: it differs in {', '.join(sorted(differing))}"
            )
            raise RunError(message, code="sink_in_use", hint="run into another folder, or delete this one.")

    def lock(self) -> None:
        """Take the folder for this process."""
        if self._lock is not None:
            return
        with storage(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.close()
                message = f"another run is writing into {self.folder}"
                raise RunError(
                    message, code="sink_busy", hint="wait until it ends; then run the same again."
                ) from error
            self._lock = lock
            # Whatever a killed run left unfinished is of no use to this one.
            shutil.rmtree(self._work, ignore_errors=True)
            self._work.mkdir()

    def scratch(self) -> Path:
        """An empty folder for the run's own temporary files; valid until `close`."""
        self.lock()
        folder = self._work / "scratch"
        with storage(self.folder):
            folder.mkdir()
        return folder

    def shelf(self) -> Path:
        """The folder `.kept`: what the run keeps from one attempt to the next; gone when it is finished."""
        return self.folder / ".kept"

    def committed(self, work: Work) -> dict[str, Any] | None:
        """The record of a shard that was committed before, None otherwise.

        Raises:
            RunError: `output_lost` when a file that the record names is gone or of another size.
        """
        path = self.folder / "commits" / f"{work.work_id}.json"
        if not path.exists():
            return None
        record = load(path)
        for file in record["files"].values():
            target = self.folder / file["name"]
            size = target.stat().st_size if target.exists() else None
            if size != file["size_bytes"]:
                found = "nothing" if size is None else f"{size:,} bytes"
                message = (
                    f"expected {file['size_bytes']:,} bytes in {target}, which was committed, found {found}"
                )
                raise RunError(
                    message, code="output_lost", hint=f"delete {path} to have the shard made again."
                )
        return record

    def writer(self, work: Work) -> ShardWriter:
        """Begin a shard."""
        assert self._schemas is not None
        return _ParquetShard(self.folder, self._work, self._schemas, work)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Put the run's manifest and remove files that no record names.

        Raises:
            RunError: `nondeterminism` when the run was finished before with another manifest.
        """
        with storage(self.folder):
            named = {file["name"] for shard in manifest["shards"] for file in shard["files"].values()}
            for kind in KINDS:
                for path in (self.folder / kind).glob("shard-*.parquet"):
                    if f"{kind}/{path.name}" not in named:
                        path.unlink()
            standing = put(self.folder, "run.json", dict(manifest), self._work / "run.tmp")
        shutil.rmtree(self.shelf(), ignore_errors=True)
        if standing is not None and standing != dict(manifest):
            message = f"the run in {self.folder} was finished before with another manifest"
            raise RunError(message, code="nondeterminism")

    def close(self) -> None:
        """Release the folder, also after a failure; harmless when nothing is open."""
        if self._lock is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            if [path.name for path in self.folder.iterdir()] == [".lock"]:
                # A run that failed before it began leaves nothing.
                (self.folder / ".lock").unlink()
                self.folder.rmdir()
            self._lock.close()
            self._lock = None

    @property
    def _work(self) -> Path:
        return self.folder / ".work"


class _ParquetShard:
    """The temporary files of one shard, and how they become output."""

    def __init__(self, folder: Path, work_folder: Path, schemas: Schemas, work: Work) -> None:
        self._folder = folder
        self._temporary = work_folder / work.work_id[:32]
        self._schemas = schemas
        self._work = work
        self._sinks: dict[str, pa.OSFile] = {}
        self._writers: dict[str, pq.ParquetWriter] = {}
        with storage(folder):
            self._temporary.mkdir(exist_ok=True)

    def write(self, kind: str, rows: pa.Table) -> None:
        """Take rows: each table becomes a row group."""
        if rows.num_rows:
            with storage(self._folder):
                self._open(kind).write_table(rows, row_group_size=rows.num_rows)

    def commit(self, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Publish the files, the decision log first, then the record."""
        stem = f"shard-{self._work.shard.index:06d}"
        with storage(self._folder):
            files = {}
            for kind in KINDS:
                if kind != "assets" and kind not in self._writers:
                    continue
                self._open(kind).close()
                self._sinks[kind].close()
                files[kind] = publish(self._path(kind), self._folder / kind, stem).to_dict()
            record = {"counts": dict(counts), "files": files, "work_id": self._work.work_id}
            name = f"{self._work.work_id}.json"
            standing = put(self._folder / "commits", name, record, self._temporary / "record.tmp")
            self._temporary.rmdir()
        if standing is not None and standing != record:
            message = f"shard {self._work.shard.index} was made twice with different output"
            hint = "equal inputs must make equal bytes: check memory and disk, and report this."
            raise RunError(message, code="nondeterminism", hint=hint)
        return record

    def discard(self) -> None:
        """Forget what was not committed."""
        for kind, sink in self._sinks.items():
            # A writer that failed for want of room fails again when it writes its footer.
            with contextlib.suppress(OSError, pa.ArrowException):
                self._writers[kind].close()
            with contextlib.suppress(OSError, pa.ArrowException):
                sink.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _path(self, kind: str) -> Path:
        return self._temporary / f"{kind}.parquet"

    def _open(self, kind: str) -> pq.ParquetWriter:
        if kind not in self._writers:
            schema: pa.Schema = getattr(self._schemas, kind)
            self._sinks[kind] = pa.OSFile(str(self._path(kind)), "wb")
            self._writers[kind] = parquet_writer(self._sinks[kind], schema)
        return self._writers[kind]


def parquet_writer(sink: pa.NativeFile, schema: pa.Schema) -> pq.ParquetWriter:
    """The one way in which the Factory writes Parquet: nothing is left to a default that could change.

    Assets rarely repeat, so no dictionary is tried for their text, and minima of e-mails serve nobody.
    """
    small = [field.name for field in schema if not pa.types.is_struct(field.type)]
    repeating = [f.name for f in schema if pa.types.is_dictionary(f.type)]
    return pq.ParquetWriter(
        sink,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=1,
        use_dictionary=repeating or False,
        write_statistics=small[:1] or False,
        data_page_size=1 << 20,
        data_page_version="1.0",
        write_batch_size=1024,
        store_schema=True,
        write_page_index=False,
        write_page_checksum=True,
    )


@dataclass
class MemorySink:
    """A sink in memory, for tests: nothing survives it."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[int, list[pa.Table]]] = field(default_factory=dict)
    manifest: Mapping[str, Any] | None = None
    _schemas: Schemas | None = None
    _scratch: Any = None

    def open(self, header: Mapping[str, Any], schemas: Schemas) -> None:
        """Begin a run."""
        self._schemas = schemas
        self.header = dict(header)

    def scratch(self) -> Path:
        """A temporary folder."""
        import tempfile

        self._scratch = tempfile.TemporaryDirectory(prefix="labfactory-")
        return Path(self._scratch.name)

    def shelf(self) -> Path:
        """A folder below the temporary one: nothing survives an attempt."""
        return Path(self._scratch.name) / "kept"

    def committed(self, work: Work) -> dict[str, Any] | None:
        """The record of a shard that was committed before."""
        return self.records.get(work.work_id)

    def writer(self, work: Work) -> ShardWriter:
        """Begin a shard."""
        return _MemoryShard(self, work)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Keep the run's manifest."""
        self.manifest = dict(manifest)

    def close(self) -> None:
        """Remove the temporary folder."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    @property
    def paths(self) -> Mapping[str, Path]:
        """Nothing lies on disk."""
        return {}

    def table(self, kind: str) -> pa.Table:
        """All rows of one of `KINDS`, in source order."""
        assert self._schemas is not None
        shards = self.tables.get(kind, {})
        empty: pa.Table = getattr(self._schemas, kind).empty_table()
        return pa.concat_tables([empty, *(table for index in sorted(shards) for table in shards[index])])


class _MemoryShard:
    """The rows of one shard until they are committed."""

    def __init__(self, sink: MemorySink, work: Work) -> None:
        self._sink = sink
        self._work = work
        self._tables: dict[str, list[pa.Table]] = {}

    def write(self, kind: str, rows: pa.Table) -> None:
        """Take rows."""
        self._tables.setdefault(kind, []).append(rows)

    def commit(self, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Make them visible."""
        record = {"counts": dict(counts), "files": {}, "work_id": self._work.work_id}
        standing = self._sink.records.setdefault(self._work.work_id, record)
        if standing is record:
            for kind, tables in self._tables.items():
                self._sink.tables.setdefault(kind, {})[self._work.shard.index] = tables
        return standing

    def discard(self) -> None:
        """Forget them."""
        self._tables = {}
