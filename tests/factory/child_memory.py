"""Runs the small concept over a stream of so many customers and prints the peak of its memory in KiB.

Arguments: a folder, the number of customers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
from factory_concept import NOW, people, ready

from labfactory.factory import ParquetSink

CHUNK = 20_000


def main() -> None:
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    chunk = people(CHUNK)
    schema = chunk.to_arrow().schema

    def chunks():
        for start in range(0, rows, CHUNK):
            numbered = chunk.with_columns(pl.col("customer_id") + start)
            yield from numbered.to_arrow().cast(schema).to_batches()

    factory, _ = ready(folder)
    reader = pa.RecordBatchReader.from_batches(schema, chunks())
    sink = ParquetSink(folder / "out")
    run = factory.run("welcome-tone@1", reader, key="customer_id", seed=1, now=NOW, sink=sink)
    assert run.summary.rows == rows
    # Not ru_maxrss: that begins with what the parent held when it started this process.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    sys.stdout.write(status["VmHWM"].split()[0])


if __name__ == "__main__":
    main()
