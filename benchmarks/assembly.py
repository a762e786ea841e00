"""Assembly against Jinja2, minijinja, Polars, DuckDB and a plain copy of the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import jinja2
import minijinja
import numpy as np
import polars as pl
import pyarrow as pa

import labfactory as lf
from benchmarks.data import Workload, customers
from benchmarks.timing import Timed, interleaved

THREADS = 2
# Peers that take microseconds a row get fewer rows; all figures are a row.
SLOW_PEER_ROWS = 20_000
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"}


@dataclass(frozen=True)
class Comparison:
    """One workload, all peers."""

    workload: str
    rows: int
    mean_bytes: float
    timed: dict[str, Timed]


def jinja2_texts(workload: Workload, rows: list[dict[str, object]]) -> list[str]:
    template = jinja2.Environment(autoescape=True).from_string(workload.template)
    return [template.render(row) for row in rows]


def minijinja_texts(workload: Workload, rows: list[dict[str, object]]) -> list[str]:
    environment = minijinja.Environment(templates={"message.html": workload.template})
    return [environment.render_template("message.html", **row) for row in rows]


def polars_texts(workload: Workload, frame: pl.DataFrame) -> pl.Series:
    def escaped(column: str) -> pl.Expr:
        return pl.col(column).str.replace_many(list(ESCAPES), list(ESCAPES.values()))

    greeting, place, offer, price, points, farewell = workload.text
    cents = (pl.col("price") * 100).round().cast(pl.Int64)
    plain_end = pl.lit("." + farewell.removeprefix(" points."))
    expression = pl.concat_str(
        pl.lit(greeting), escaped("first_name"), pl.lit(place), escaped("city"), pl.lit(offer), escaped("offer"),
        pl.lit(price), (cents // 100).cast(pl.String), pl.lit("."), (cents % 100).cast(pl.String).str.zfill(2),
        pl.when("vip").then(pl.concat_str(pl.lit(points), pl.col("points").cast(pl.String), pl.lit(farewell))).otherwise(plain_end),
    )  # fmt: skip
    return frame.select(text=expression)["text"]


def duckdb_texts(workload: Workload, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    def escaped(column: str) -> str:
        sql = column
        for character, entity in ESCAPES.items():
            sql = f"replace({sql}, '{character.replace(chr(39), chr(39) * 2)}', '{entity}')"
        return sql

    greeting, place, offer, price, points, farewell = (text.replace("'", "''") for text in workload.text)
    plain_end = "." + farewell.removeprefix(" points.")
    return connection.sql(
        f"SELECT concat('{greeting}', {escaped('first_name')}, '{place}', {escaped('city')}, '{offer}', {escaped('offer')}, "
        f"'{price}', printf('%.2f', price), CASE WHEN vip THEN concat('{points}', points, '{farewell}') ELSE '{plain_end}' END) "
        f"AS text FROM customers"
    ).to_arrow_table()


class RecycledCopy:
    """Copies the finished bytes again, 2 MiB at a time into the same memory: what assembly cannot beat."""

    BLOCK = 2 << 20

    def __init__(self, text: pa.Array) -> None:
        self.source = np.frombuffer(text.buffers()[2], dtype=np.uint8)
        self.blocks = [np.empty(self.BLOCK, np.uint8) for _ in range(THREADS)]
        self.pool = ThreadPoolExecutor(THREADS)

    def _share(self, worker: int) -> None:
        size = len(self.source) // THREADS
        share = self.source[worker * size : (worker + 1) * size]
        block = self.blocks[worker]
        for start in range(0, len(share), self.BLOCK):
            piece = share[start : start + self.BLOCK]
            np.copyto(block[: len(piece)], piece)

    def __call__(self) -> None:
        list(self.pool.map(self._share, range(THREADS)))


def agree(
    workload: Workload, plan: lf.Plan, frame: pl.DataFrame, connection: duckdb.DuckDBPyConnection
) -> None:
    """Every peer's text must equal ours before anything is timed."""
    ours = plan.assemble(frame)["asset"]
    sample = frame.head(2000).to_dicts()
    assert jinja2_texts(workload, sample) == ours.slice(0, 2000).to_pylist(), "Jinja2 differs"
    lenient = [
        text.replace("&quot;", "&#34;").replace("&#x27;", "&#39;").replace("&#x2f;", "/")
        for text in minijinja_texts(workload, sample)
    ]
    assert lenient == ours.slice(0, 2000).to_pylist(), "minijinja differs"
    some = ours.slice(0, 20_000).to_pylist()
    assert polars_texts(workload, frame).head(20_000).to_list() == some, "Polars differs"
    assert duckdb_texts(workload, connection)["text"].slice(0, 20_000).to_pylist() == some, "DuckDB differs"


def compare(workload: Workload, *, rows: int, repeats: int) -> Comparison:
    """Times one workload with every peer at its best; conversions are not timed."""
    frame = customers(rows)
    plan = lf.Template(workload.template, autoescape=True).compile(frame)
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    connection.register("customers_view", frame.to_arrow())
    connection.execute("CREATE TABLE customers AS SELECT * FROM customers_view")
    agree(workload, plan, frame, connection)
    finished = plan.assemble(frame)["asset"].combine_chunks() if rows * 3000 < 2**31 else None
    few = frame.head(SLOW_PEER_ROWS).to_dicts()
    sample = plan.assemble(frame.head(10_000))["asset"].to_pylist()
    mean_bytes = sum(len(text.encode()) for text in sample) / len(sample)
    copy = (
        RecycledCopy(finished.chunk(0) if isinstance(finished, pa.ChunkedArray) else finished)
        if finished is not None
        else None
    )

    def drain(batches: Iterator[pa.RecordBatch]) -> None:
        for _ in batches:
            pass

    arrow = frame.to_arrow()
    work: dict[str, tuple[Callable[[], object], int]] = {
        "labfactory, streamed": (
            lambda: drain(plan.stream(arrow, threads=THREADS, batch_bytes=2 << 20)),
            rows,
        ),
        "labfactory, whole table": (lambda: plan.assemble(arrow, threads=THREADS), rows),
        "DuckDB concat": (lambda: duckdb_texts(workload, connection), rows),
        "Polars concat_str": (lambda: polars_texts(workload, frame), rows),
        "minijinja": (lambda: minijinja_texts(workload, few), len(few)),
        "Jinja2": (lambda: jinja2_texts(workload, few), len(few)),
    }
    if copy is not None:
        work = {"memcpy, recycled": (copy, rows), **work}
    return Comparison(workload.name, rows, mean_bytes, interleaved(work, repeats=repeats))
