"""Makes a run in a process of its own, telling each batch on standard output; the parent may kill it.

Arguments: the output folder, the sink (`parquet` or `careless`), the largest file in bytes or 0.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from factory_fakes import customers, make

from labfactory.base.errors import LabfactoryError
from labfactory.factory.sinks import ParquetSink, ShardWriter, Work, parquet_writer


class Careless(ParquetSink):
    """The control: writes files under their last names and takes any file that stands for finished."""

    def committed(self, work: Work) -> dict[str, object] | None:
        name = f"assets/shard-{work.shard.index:06d}-careless.parquet"
        counts = {
            "assets": 0,
            "quarantined": {},
            "rows": work.shard.rows,
            "size_bytes": 0,
            "skipped": {"": work.shard.rows},
        }
        files = {"assets": {"name": name, "size_bytes": 0}}
        return {"counts": counts, "files": files} if (self.folder / name).exists() else None

    def finish(self, manifest: object) -> None:
        pass

    def writer(self, work: Work) -> ShardWriter:
        return CarelessShard(self.folder, self._schemas, work)


class CarelessShard:
    def __init__(self, folder, schemas, work) -> None:
        self._writer = parquet_writer(
            str(folder / f"assets/shard-{work.shard.index:06d}-careless.parquet"), schemas.assets
        )

    def write(self, kind, rows):
        if kind == "assets":
            self._writer.write_table(rows)

    def commit(self, counts):
        self._writer.close()
        return {"counts": dict(counts), "files": {}}

    def discard(self):
        self._writer.close()


def main() -> int:
    folder, sink, largest = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    def tell(phase: str, rows: int, total: int | None, size_bytes: int) -> None:
        sys.stdout.write(f"{phase} {rows}\n")
        sys.stdout.flush()

    try:
        chosen = ParquetSink(folder) if sink == "parquet" else Careless(folder)
        make(customers(12_000), chosen, shard_rows=2_000, batch_rows=100, progress=tell)
    except LabfactoryError as error:
        sys.stderr.write(f"{error.code}\n{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
