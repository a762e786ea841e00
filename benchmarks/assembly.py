"""Assembly against Jinja2, minijinja, Polars, DuckDB and a plain copy of the same bytes."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import jinja2
import minijinja
import polars as pl
import pyarrow as pa

import labfactory as lf
from benchmarks.copies import BLOCK, RecycledCopy
from benchmarks.data import EMAIL, SMS, Workload, customers
from benchmarks.figures import Figure, beside, limit, mean_bytes
from benchmarks.timing import interleaved

THREADS = 2
# Peers that take microseconds a row get fewer rows; all figures are a row.
SLOW_PEER_ROWS = 20_000
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"}


def drain(plan: lf.Plan, data: object, *, threads: int = THREADS) -> None:
    """Streams all of the data through recycled buffers."""
    for _ in plan.stream(data, threads=threads, batch_bytes=BLOCK):
        pass


def jinja2_texts(workload: Workload, rows: list[dict[str, object]]) -> list[str]:
    template = jinja2.Environment(autoescape=True).from_string(workload.template)
    return [template.render(row) for row in rows]


def minijinja_texts(workload: Workload, rows: list[dict[str, object]]) -> list[str]:
    environment = minijinja.Environment(templates={"message.html": workload.template})
    return [environment.render_template("message.html", **row) for row in rows]


def polars_texts(workload: Workload, frame: pl.DataFrame) -> pl.Series:
    def escaped(column: str) -> pl.Expr:
        return pl.col(column).str.replace_many(list(ESCAPES), list(ESCAPES.values()))

    greeting, place, offer, price, points, yes, no = workload.text
    cents = (pl.col("price") * 100).round().cast(pl.Int64)
    expression = pl.concat_str(
        pl.lit(greeting), escaped("first_name"), pl.lit(place), escaped("city"), pl.lit(offer), escaped("offer"),
        pl.lit(price), (cents // 100).cast(pl.String), pl.lit("."), (cents % 100).cast(pl.String).str.zfill(2),
        pl.lit(points), pl.col("points").cast(pl.String), pl.when("vip").then(pl.lit(yes)).otherwise(pl.lit(no)),
    )  # fmt: skip
    return frame.select(text=expression)["text"]


def duckdb_texts(workload: Workload, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    def escaped(column: str) -> str:
        sql = column
        for character, entity in ESCAPES.items():
            sql = f"replace({sql}, '{character.replace(chr(39), chr(39) * 2)}', '{entity}')"
        return sql

    greeting, place, offer, price, points, yes, no = (text.replace("'", "''") for text in workload.text)
    return connection.sql(
        f"SELECT concat('{greeting}', {escaped('first_name')}, '{place}', {escaped('city')}, '{offer}', {escaped('offer')}, "
        f"'{price}', printf('%.2f', price), '{points}', points, CASE WHEN vip THEN '{yes}' ELSE '{no}' END) "
        f"AS text FROM customers"
    ).to_arrow_table()


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


def compare(workload: Workload, targets: dict[str, float | None], *, rows: int, repeats: int) -> list[Figure]:
    """Times one workload with every peer at its best; conversions are not timed."""
    frame = customers(rows)
    arrow = frame.to_arrow()
    plan = lf.Template(workload.template, autoescape=True).compile(frame)
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    connection.register("customers_view", arrow)
    connection.execute("CREATE TABLE customers AS SELECT * FROM customers_view")
    agree(workload, plan, frame, connection)
    few = frame.head(SLOW_PEER_ROWS).to_dicts()
    sample = plan.assemble(frame.head(SLOW_PEER_ROWS))["asset"].combine_chunks()
    work: dict[str, tuple[Callable[[], object], int]] = {
        "memcpy": (RecycledCopy(sample, rows=rows), rows),
        "labfactory": (lambda: drain(plan, arrow), rows),
        "labfactory, whole table": (lambda: plan.assemble(arrow, threads=THREADS), rows),
        "DuckDB concat": (lambda: duckdb_texts(workload, connection), rows),
        "Polars concat_str": (lambda: polars_texts(workload, frame), rows),
        "minijinja": (lambda: minijinja_texts(workload, few), len(few)),
        "Jinja2": (lambda: jinja2_texts(workload, few), len(few)),
    }
    timed = interleaved(work, repeats=repeats)
    return beside(
        timed,
        workload=workload.name,
        rows=rows,
        mean_bytes=mean_bytes(sample.to_pylist()),
        targets={peer: targets.get(peer) for peer in timed if peer != "labfactory"},
        single=("minijinja", "Jinja2"),
    )


def sms(rows: int, repeats: int) -> list[Figure]:
    """A short message."""
    targets: dict[str, float | None] = {
        "Jinja2": 300.0,
        "minijinja": 40.0,
        "Polars concat_str": 20.0,
        "DuckDB concat": 12.0,
    }
    figures = compare(SMS, targets, rows=rows, repeats=repeats)
    return [*figures, limit(figures[0], 30.0, "30 ns a row")]


def email(rows: int, repeats: int) -> list[Figure]:
    """An e-mail in recycled buffers."""
    return compare(EMAIL, {"memcpy": 0.8}, rows=rows, repeats=repeats)
