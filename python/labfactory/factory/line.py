"""The production line: the machines that a batch of customers passes, and what they hand on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.factory.keys import key_values
from labfactory.factory.quarantine import quarantine_schema, quarantined
from labfactory.factory.shard import blocks
from labfactory.factory.sinks import Schemas
from labfactory.selection import decision_log_schema, decisions_of, reasons_of, slot_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from labfactory.factory.shard import Shard, ShardedSource
    from labfactory.selection import LimitedSelector, Settled

# More contiguous runs of kept rows than this are cheaper to copy than to write one by one.
_MOST_SLICES = 256


class Decider(Protocol):
    """Chooses a component per customer and slot; a `Selector` is one."""

    @property
    def version(self) -> str:
        """The version of the policy that decides."""

    def decide(self, batch: pa.RecordBatch, *, keys: pa.Array, seed: int) -> pa.RecordBatch:
        """One struct column of type `DECISION` per slot."""


class Assembler(Protocol):
    """Makes assets; a `Plan` is one."""

    def assemble_batch(
        self, batch: pa.RecordBatch, *, threads: int = 1, batch_bytes: int = 64 << 20
    ) -> list[pa.RecordBatch]:
        """Status, reason, code, template, line, column and the struct `parts`, rows in order."""


class Auditor(Protocol):
    """Checks finished assets."""

    def audit_batch(self, batch: pa.RecordBatch) -> Refusals:
        """Judge every row of an assembled batch."""


class Refusals(Protocol):
    """What an auditor found, row by row."""

    @property
    def codes(self) -> pa.Array:
        """The code of the first rule that refuses the row, null where it passes."""

    @property
    def reasons(self) -> pa.Array:
        """What that rule says, null where the row passes."""


@dataclass(frozen=True, slots=True)
class Customers:
    """A batch that may be served: every row has a key that no earlier row has."""

    batch: pa.RecordBatch
    keys: pa.Array
    rows: pa.Array
    read: int
    quarantine: pa.Table


@dataclass(frozen=True, slots=True)
class Decisions:
    """A batch of customers with the columns `slot:<name>` added, and what the log says of them.

    Args:
        batch: The customers.
        log: The rows of the decision log.
        reasons: Slot → reason → decisions.
    """

    batch: pa.RecordBatch
    log: pa.Table
    reasons: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Assembled:
    """Assembled rows of consecutive customers, before the audit."""

    batch: pa.RecordBatch
    keys: pa.Array
    rows: pa.Array


@dataclass(frozen=True, slots=True)
class Assets:
    """What became of consecutive customers: each is made, skipped or quarantined."""

    made: pa.Table
    quarantine: pa.Table
    skipped: pa.Array
    size_bytes: int


@dataclass(frozen=True)
class Line:
    """A line that stands: immutable, shared by all workers.

    Args:
        creative: Name that the assets carry.
        parts: Names of an asset's parts, in order.
        key: Column of the key in the source.
        key_type: Its type in the output.
        columns: Names that the line reads columns by → their names in the source.
        decider: None when the creative has no slots.
        assembler: Makes the assets.
        auditor: None when nothing is audited.
        limited: Decides in place of the decider, at the prices of limits; None without limits.
        settled: What every row of the source got within the limits, once that is settled.
        seed: Of all draws.
        batch_rows: Rows that pass the line together.
        batch_bytes: Most bytes of assets in one row group.
        metadata: Written into every file.
        remembering: Makes an assembler for one worker that keeps what functions gave; None without functions.
    """

    creative: str
    parts: Sequence[str]
    key: str
    key_type: pa.DataType
    columns: Mapping[str, str]
    decider: Decider | None
    assembler: Assembler
    auditor: Auditor | None
    seed: int
    batch_rows: int
    batch_bytes: int
    metadata: Mapping[str, str]
    limited: LimitedSelector | None = None
    settled: Settled | None = None
    remembering: Callable[[], Assembler] | None = None

    def for_shard(self) -> Line:
        """This line for one shard on one worker: each function is asked once for each arguments in it."""
        return self if self.remembering is None else replace(self, assembler=self.remembering())

    @property
    def schemas(self) -> Schemas:
        """The schemas of the line's output."""
        key = pa.field("key", self.key_type)
        creative = pa.field("creative", pa.dictionary(pa.int8(), pa.string()))
        assets = [key, creative, *(pa.field(part, pa.string()) for part in self.parts)]
        every = (assets, list(decision_log_schema(self.key_type)), list(quarantine_schema(key)))
        return Schemas(*(pa.schema(fields, metadata=dict(self.metadata)) for fields in every))

    def read(
        self, source: ShardedSource, shard: Shard, repeated: np.ndarray[Any, Any]
    ) -> Iterator[Customers]:
        """Read a shard's customers and set aside those without a key of their own."""
        wanted = sorted({*self.columns.values(), self.key})
        field = pa.field("key", self.key_type)
        row = shard.start
        for block in blocks(source.read(shard, wanted), self.batch_rows):
            keys = key_values(block.column(block.schema.get_field_index(self.key)), field)
            rows = np.arange(row, row + len(keys), dtype=np.int64)
            row += len(keys)
            null = keys.is_null().to_numpy(zero_copy_only=False)
            bad = null | np.isin(rows, repeated, assume_unique=True)
            named = pa.RecordBatch.from_arrays(
                [block.column(block.schema.get_field_index(name)) for name in self.columns.values()],
                names=list(self.columns),
            )
            yield self._screened(named, keys, rows, null, bad)

    def _screened(
        self,
        batch: pa.RecordBatch,
        keys: pa.Array,
        rows: np.ndarray[Any, Any],
        null: np.ndarray[Any, Any],
        bad: np.ndarray[Any, Any],
    ) -> Customers:
        schema = self.schemas.quarantine
        if not bad.any():
            return Customers(batch, keys, pa.array(rows), len(keys), schema.empty_table())
        codes = pa.array(np.where(null, "null_key", "duplicate_key")[bad], pa.string())
        aside = quarantined(schema, keys.filter(pa.array(bad)), pa.array(rows[bad]), "key", codes)
        good = pa.array(~bad)
        table = pa.Table.from_batches([aside], schema)
        return Customers(batch.filter(good), keys.filter(good), pa.array(rows[~bad]), len(keys), table)

    def decide(self, customers: Customers) -> Decisions:
        """Choose a component for every slot of every customer."""
        if self.decider is None:
            return Decisions(customers.batch, self.schemas.decisions.empty_table(), {})
        decided = self._decided(self.decider, customers)
        batch = customers.batch
        for name, column in zip((chosen := slot_columns(decided)).schema.names, chosen.columns, strict=True):
            batch = batch.append_column(name, column)
        log = decisions_of(decided, keys=customers.keys, version=self.decider.version)
        return Decisions(batch, pa.Table.from_batches([log]), reasons_of(decided))

    def _decided(self, decider: Decider, customers: Customers) -> pa.RecordBatch:
        if self.limited is None or self.settled is None:
            return decider.decide(customers.batch, keys=customers.keys, seed=self.seed)
        drawn = self.limited.decide(customers.batch, keys=customers.keys, seed=self.seed)
        return self.settled.apply(drawn, customers.rows.to_numpy())

    def assemble(self, customers: Customers, decisions: Decisions) -> list[Assembled]:
        """Assemble a batch; the results are cut where one would hold too many bytes."""
        parts, start = [], 0
        for batch in self.assembler.assemble_batch(decisions.batch, threads=1, batch_bytes=self.batch_bytes):
            keys, rows = (values.slice(start, batch.num_rows) for values in (customers.keys, customers.rows))
            parts.append(Assembled(batch, keys, rows))
            start += batch.num_rows
        return parts

    def audit(self, assembled: Assembled) -> Assets:
        """Sort what was assembled: made, skipped, or set aside by an error or by a rule."""
        batch, keys, rows = assembled.batch, assembled.keys, assembled.rows
        status = batch.column("status")
        ok, failed = _equal(status, "ok"), _equal(status, "error")
        reasons = batch.column("reason").filter(pc.invert(pc.or_(ok, failed)))
        places = {
            name: batch.column(name).filter(failed)
            for name in ("code", "reason", "template", "line", "column")
        }
        code, schema = places.pop("code"), self.schemas.quarantine
        aside = [quarantined(schema, keys.filter(failed), rows.filter(failed), "assemble", code, places)]
        if self.auditor is not None:
            found = self.auditor.audit_batch(batch)
            refused = pc.and_(ok, found.codes.is_valid())
            ok = pc.and_(ok, found.codes.is_null())
            details = {"reason": found.reasons.filter(refused)}
            code = found.codes.filter(refused)
            aside.append(
                quarantined(schema, keys.filter(refused), rows.filter(refused), "audit", code, details)
            )
        parts = batch.column("parts").flatten()
        assets = pa.RecordBatch.from_arrays(
            [keys, self._named(len(keys)), *parts], schema=self.schemas.assets
        )
        made = _kept(assets, ok)
        size = sum(pc.sum(pc.binary_length(column)).as_py() or 0 for column in made.columns[2:])
        return Assets(made, pa.Table.from_batches(aside, schema), reasons, size)

    def _named(self, rows: int) -> pa.Array:
        index = pa.array(np.zeros(rows, dtype=np.int8))
        return pa.DictionaryArray.from_arrays(index, pa.array([self.creative]))


def _equal(status: pa.Array, word: str) -> pa.BooleanArray:
    if isinstance(status, pa.DictionaryArray):
        return pc.equal(status.dictionary, word).take(status.indices)
    return pc.equal(status, word)


def _kept(batch: pa.RecordBatch, mask: pa.BooleanArray) -> pa.Table:
    """The rows where the mask holds, as slices where that spares copying the assets."""
    keep = mask.to_numpy(zero_copy_only=False)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8)))
    runs = edges.reshape(-1, 2).tolist()
    if len(runs) > _MOST_SLICES:
        return pa.Table.from_batches([batch.filter(mask)])
    return pa.Table.from_batches([batch.slice(start, stop - start) for start, stop in runs], batch.schema)
