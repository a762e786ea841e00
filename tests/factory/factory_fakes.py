"""A small production line whose machines are written in Python, and customers for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash

from labfactory.factory.intake import Intake
from labfactory.factory.line import Line
from labfactory.factory.progress import Progress, silent
from labfactory.factory.run import Order, Run, make_run
from labfactory.factory.sinks import MemorySink, Sink
from labfactory.selection import DECISION


def key_hash(keys: pa.Array) -> pa.Array:
    """XXH64 of the keys' text, by the reference implementation."""
    return pa.array([xxhash.xxh64_intdigest(str(key).encode()) for key in keys.to_pylist()], pa.uint64())


@dataclass
class Choice:
    """Decides slot `hero` by the length of the key's text."""

    version: str = "1"

    def decide(self, batch: pa.RecordBatch, *, keys: pa.Array, seed: int) -> pa.RecordBatch:
        index = [(len(str(key)) + seed) % 2 for key in keys.to_pylist()]
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(["sun", "sea"])),
            pa.array(index, pa.int32()),
            pa.array([0.5] * len(index), pa.float32()),
            pa.array([0.5] * len(index), pa.float64()),
            pa.DictionaryArray.from_arrays(pa.array([0] * len(index), pa.int8()), pa.array(["explored"])),
            pa.array([False] * len(index), pa.bool_()),
        ]
        return pa.record_batch({"hero": pa.StructArray.from_arrays(columns, fields=list(DECISION))})


@dataclass
class Greeter:
    """Greets by name and slot; `bad` fails, `skip` is skipped."""

    chunk_rows: int = 3000
    salt: str = ""

    def assemble_batch(
        self, batch: pa.RecordBatch, *, threads: int = 1, batch_bytes: int = 0
    ) -> list[pa.RecordBatch]:
        starts = range(0, batch.num_rows, self.chunk_rows)
        return [self._chunk(batch.slice(start, self.chunk_rows)) for start in starts]

    def _chunk(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = batch.column("name").to_pylist()
        slots = batch.column("slot:hero").to_pylist()
        status = ["error" if n == "bad" else "skipped" if n == "skip" else "ok" for n in names]
        reasons = {"error": "boom at 'bad'", "skipped": "no consent", "ok": None}
        is_ok = [word == "ok" for word in status]
        is_bad = [word == "error" for word in status]
        subjects = [f"Hi {n}{self.salt}" if ok else None for n, ok in zip(names, is_ok, strict=True)]
        texts = [f"{s}, slot {c}. " * 5 if s else None for s, c in zip(subjects, slots, strict=True)]
        return pa.record_batch(
            {
                "status": pa.array(status, pa.string()).dictionary_encode(),
                "reason": pa.array([reasons[word] for word in status], pa.string()),
                "code": pa.array(["boom" if b else None for b in is_bad], pa.string()).dictionary_encode(),
                "template": pa.array(["greet.j2" if b else None for b in is_bad], pa.string()),
                "line": pa.array([3 if b else None for b in is_bad], pa.int32()),
                "column": pa.array([7 if b else None for b in is_bad], pa.int32()),
                "parts": pa.StructArray.from_arrays(
                    [pa.array(subjects, pa.string()), pa.array(texts, pa.string())], ["subject", "text"]
                ),
            }
        )


@dataclass
class Found:
    """What a censor found."""

    codes: pa.Array
    reasons: pa.Array


class Censor:
    """Refuses assets that say `rude`."""

    def audit_batch(self, batch: pa.RecordBatch) -> Found:
        texts = batch.column("parts").field("text").to_pylist()
        is_rude = [text is not None and "rude" in text for text in texts]
        return Found(
            pa.array(["forbidden_text" if rude else None for rude in is_rude], pa.string()),
            pa.array(["'rude' in part text" if rude else None for rude in is_rude], pa.string()),
        )


def customers(rows: int, *, seed: int = 1, nulls: float = 0.01, repeats: float = 0.05) -> pl.DataFrame:
    """Customers with null and repeated keys, and names that fail, are skipped, or are rude."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(rows)
    again = rng.random(rows) < repeats
    ids[again] = rng.integers(0, max(rows, 1), int(again.sum()))
    names = rng.choice(["Ann", "Bo", "Zoë", "bad", "skip", "rude"], rows, p=[0.4, 0.3, 0.2, 0.04, 0.03, 0.03])
    frame = pl.DataFrame(
        {"id": [f"c{i}" for i in ids], "name": names, "age": rng.integers(1, 90, rows)},
        schema={"id": pl.String, "name": pl.String, "age": pl.Int64},
    )
    is_null = pl.Series(rng.random(rows) < nulls, dtype=pl.Boolean)
    return frame.with_columns(pl.when(~is_null).then("id").alias("id"))


def line(**changes: Any) -> Line:
    """The line that the fakes make."""
    settings: dict[str, Any] = {
        "creative": "welcome/warm",
        "parts": ("subject", "text"),
        "key": "id",
        "key_type": pa.string(),
        "columns": {"name": "name"},
        "decider": Choice(),
        "assembler": Greeter(),
        "auditor": Censor(),
        "seed": 7,
        "batch_rows": 1024,
        "batch_bytes": 1 << 20,
        "metadata": {"labfactory.root": "ab"},
    }
    return Line(**{**settings, **changes})


def make(
    source: Any,
    sink: Sink | None = None,
    *,
    threads: int = 2,
    shard_rows: int = 4096,
    share: float = 1.0,
    progress: Progress = silent,
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> tuple[Run, Any]:
    """Make a run of the fakes; returns it and its sink."""
    sink = MemorySink() if sink is None else sink
    order = Order("welcome-tone@1", header or {"root": "ab"}, threads, shard_rows, share)
    intake = Intake(source, shard_rows=shard_rows)
    run = make_run(order, line(**changes), intake, sink, key_hash=key_hash, progress=progress)
    return run, sink
