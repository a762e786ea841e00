"""A run: shard by shard, every customer becomes an asset, a skip or a row of quarantine."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from labfactory.base.errors import RunError
from labfactory.factory.commit import digest_of
from labfactory.factory.crew import work_through
from labfactory.factory.keys import find_duplicates
from labfactory.factory.quarantine import STAGES
from labfactory.factory.settlement import Settling
from labfactory.factory.shelf import Shelf
from labfactory.factory.sinks import Work
from labfactory.factory.summary import Summary, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from labfactory.factory.crew import Watch
    from labfactory.factory.intake import Intake
    from labfactory.factory.keys import Duplicates, KeyHash
    from labfactory.factory.line import Customers, Line
    from labfactory.factory.progress import Progress
    from labfactory.factory.shard import Shard, ShardedSource
    from labfactory.factory.sinks import ShardWriter, Sink


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        run_id: Short digest of all that decides the output.
        package: `name@version`.
        summary: Counts, and the times of this attempt.
        paths: Where the output lies: kind → folder or file.
        manifest: What `run.json` holds: all that decided the output, the totals, and every shard's files.
    """

    run_id: str
    package: str
    summary: Summary
    paths: Mapping[str, Path]
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        lines = [("run", self.run_id), ("package", self.package), *self._served(), *self.summary.lines()]
        lines += [(f"{name} in", str(path)) for name, path in self.paths.items()]
        width = max(len(name) for name, _ in lines)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)

    def _served(self) -> list[tuple[str, str]]:
        """What the host gave, each with where it came from or the start of its digest."""
        lines = []
        for name, origin in self.manifest.get("functions", {}).items():
            source = origin.get("locale") or f"{origin.get('module')}, sha256:{origin.get('sha256', '')[:16]}"
            lines.append((f"function {name}", source))
        for name, table in self.manifest.get("tables", {}).items():
            lines.append((f"table {name}", f"by {table['key']}, sha256:{table['sha256'][:16]}"))
        return lines


def make_shard(
    line: Line,
    source: ShardedSource,
    shard: Shard,
    duplicates: Duplicates,
    writer: ShardWriter,
    watch: Callable[[int, int], None],
) -> Tally:
    """Make one shard: read, decide, log, assemble, audit, hand to the sink; invisible until commit."""
    tally, line = Tally(), line.for_shard()
    for customers in tally.each("read", line.read(source, shard, duplicates.rows(shard))):
        watch(customers.read, _make_batch(line, customers, writer, tally))
    if not tally.balances or tally.rows != shard.rows:
        message = (
            f"expected counts of shard {shard.index} that add up to {shard.rows:,}, found {tally.counts}"
        )
        raise RunError(message, code="count_mismatch")
    return tally


def _make_batch(line: Line, customers: Customers, writer: ShardWriter, tally: Tally) -> int:
    """Make one batch and return the bytes of its assets.

    A function of its own, so that no variable keeps the assets: they are back in the pool before the next
    batch asks it for room, and the pool stays a third smaller.
    """
    with tally.timed("decide"):
        decisions = line.decide(customers)
        tally.decide(decisions.reasons)
    with tally.timed("write"):
        writer.write("decisions", decisions.log)
    with tally.timed("assemble"):
        assembled = line.assemble(customers, decisions)
    with tally.timed("audit"):
        assets = [line.audit(batch) for batch in assembled]
    with tally.timed("write"):
        writer.write("quarantine", customers.quarantine)
        for batch in assets:
            writer.write("quarantine", batch.quarantine)
            writer.write("assets", batch.made)
    tally.count(customers, assets)
    return sum(batch.size_bytes for batch in assets)


@dataclass(frozen=True)
class Order:
    """What was ordered: all that decides a run's output besides line and source, and how to make it.

    Args:
        package: `name@version`.
        header: All that decides the output besides the source: JSON values.
        threads: Workers.
        shard_rows: Rows of a shard.
        max_quarantined_share: Share of all rows, in [0, 1], that may fail assembly or audit.
    """

    package: str
    header: Mapping[str, Any]
    threads: int
    shard_rows: int
    max_quarantined_share: float


def make_run(
    order: Order, line: Line, intake: Intake, sink: Sink, *, key_hash: KeyHash, progress: Progress
) -> Run:
    """Make a whole run, or what an earlier attempt left of it.

    Args:
        order: What was ordered.
        line: What every batch passes.
        intake: The customers.
        sink: Where the output goes.
        key_hash: The 64-bit hash of keys.
        progress: Told the state of each phase, in the calling thread.

    Returns:
        The finished run.

    Raises:
        RunError: `circuit_open`, `count_mismatch`, `nondeterminism`, `disk_full`, `sink_in_use`, `sink_busy`.
        SourceError: When the customers cannot be read.
    """
    attempt = _Attempt(order, line, sink, progress)
    try:
        attempt.open(intake)
        attempt.screen_keys(key_hash)
        attempt.settle(key_hash)
        attempt.resume()
        attempt.make()
        return attempt.finish()
    finally:
        sink.close()


class _Attempt:
    """One attempt at a run, from the first look at its source to its manifest."""

    def __init__(self, order: Order, line: Line, sink: Sink, progress: Progress) -> None:
        self._began = time.perf_counter()
        self._order = order
        self._line = line
        self._sink = sink
        self._progress = progress
        self._tally = Tally()
        self._before: dict[str, Any] = self._tally.counts
        self._records: dict[str, dict[str, Any]] = {}
        self._resumed = 0
        self._allocation: Mapping[str, Any] | None = None

    def open(self, intake: Intake) -> None:
        """Get the source by shard, and the sink for this run alone."""
        self._scratch = self._sink.scratch()
        columns = [*self._line.columns.values(), self._line.key]
        with self._tally.timed("spool"):
            self._source = intake.open(
                columns, folder=self._scratch / "spool", seen=self._teller("spool", None)
            )
        self._shards = self._source.shards(self._order.shard_rows)
        self._total = sum(shard.rows for shard in self._shards)
        header = {**self._order.header, "shard_rows": self._order.shard_rows, "source": self._source.digest}
        self._header = {"run": digest_of(header)[:16], **header}
        self._sink.open(self._header, self._line.schemas)

    def screen_keys(self, key_hash: KeyHash) -> None:
        """Find repeated keys before the first asset is made."""
        folder = self._scratch / "keys"
        seen = self._teller("keys", self._total)
        with self._tally.timed("keys"):
            self._duplicates = find_duplicates(
                self._source, self._shards, self._line.key, folder=folder, key_hash=key_hash, seen=seen
            )

    def settle(self, key_hash: KeyHash) -> None:
        """Where limits hold for all customers together, settle first who gets what."""
        if self._line.limited is None or self._total == 0:
            return
        tell = self._teller("settle", 2 * self._total)
        settling = Settling(
            self._line,
            self._source,
            self._shards,
            self._duplicates,
            key_hash,
            self._order.threads,
            tell,
            Shelf.of_run(self._sink.shelf(), self._header["run"]),
        )
        with self._tally.timed("settle"):
            self._line, self._allocation = settling.settle()

    def resume(self) -> None:
        """Take over what earlier attempts committed."""
        self._works = [
            Work(shard, digest_of({**self._header, "shard": asdict(shard)})) for shard in self._shards
        ]
        for work in self._works:
            record = self._sink.committed(work)
            if record is not None:
                self._records[work.work_id] = record
                self._tally.add(record["counts"])
        self._resumed = len(self._records)
        self._before = self._tally.counts

    def make(self) -> None:
        """Make what is left, on as many threads as were ordered."""
        self._check(self._tally)
        tell = self._teller("make", self._total)
        tell(self._tally.rows, 0)
        left = [work for work in self._works if work.work_id not in self._records]
        work_through(
            left, self._make, threads=self._order.threads, tally=self._tally, check=self._check, tell=tell
        )

    def finish(self) -> Run:
        """Check the totals and put the manifest."""
        shards = [{**asdict(work.shard), **self._records[work.work_id]} for work in self._works]
        if not self._tally.balances or self._tally.rows != self._total:
            message = f"expected counts that add up to {self._total:,} customers, found {self._tally.counts}"
            raise RunError(message, code="count_mismatch")
        manifest = {**self._header, "shards": shards, "totals": self._tally.counts}
        if self._allocation is not None:
            manifest["allocation"] = self._allocation
        self._sink.finish(manifest)
        return Run(self._header["run"], self._order.package, self._summary(), self._sink.paths, manifest)

    def _make(self, work: Work, watch: Watch) -> tuple[dict[str, Any], dict[str, float]]:
        writer = self._sink.writer(work)
        try:
            tally = make_shard(self._line, self._source, work.shard, self._duplicates, writer, watch)
            with tally.timed("commit"):
                record = writer.commit(tally.counts)
        finally:
            writer.discard()
        self._records[work.work_id] = record
        return record["counts"], tally.seconds

    def _check(self, tally: Tally) -> None:
        """Stop once it is certain that too many fail, whatever comes: so every attempt ends alike."""
        failed = tally.quarantined_rows(*STAGES[1:])
        share = self._order.max_quarantined_share
        if failed > share * self._total:
            stages = [tally.quarantined.get(stage, {}) for stage in STAGES[1:]]
            worst = max((rows, code) for codes in stages for code, rows in codes.items())[1]
            message = (
                f"expected at most {share:.1%} of {self._total:,} customers to fail, found {failed:,} so far"
            )
            hint = f"most of them for {worst!r}; quarantine tells the rows."
            raise RunError(message, code="circuit_open", hint=hint)

    def _teller(self, phase: str, total: int | None) -> _Teller:
        return _Teller(self._progress, phase, total)

    def _summary(self) -> Summary:
        tally, threads = self._tally, max(1, min(self._order.threads, len(self._works) - self._resumed))
        serial = ("spool", "keys", "settle")
        return Summary(
            rows=tally.rows,
            assets=tally.assets,
            skipped=tally.skipped,
            quarantined=tally.codes,
            size_bytes=tally.size_bytes,
            shards=len(self._works),
            resumed_shards=self._resumed,
            made=tally.assets - self._before["assets"],
            elapsed_s=time.perf_counter() - self._began,
            seconds={step: s if step in serial else s / threads for step, s in tally.seconds.items()},
            decisions=tally.decisions,
            allocation=self._allocation,
        )


class _Teller:
    """Adds batches up for the progress callback."""

    def __init__(self, progress: Progress, phase: str, total: int | None) -> None:
        self._progress, self._phase, self._total = progress, phase, total
        self._rows = self._bytes = 0

    def __call__(self, rows: int, size_bytes: int = 0) -> None:
        self._rows += rows
        self._bytes += size_bytes
        self._progress(self._phase, self._rows, self._total, self._bytes)
