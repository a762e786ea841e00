"""A table is assembled as one thread does it, in however many pieces the threads share it."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from labfactory.compiler import Template

# More than one chunk has, and no multiple of what a thread takes.
ROWS = 200_003
TABLE = pa.table(
    {
        "name": pa.array([None if at % 11 == 0 else f"<{at}>" for at in range(ROWS)]),
        "n": pa.array(range(ROWS), pa.int64()),
    }
)
SOURCE = "{{ name }} {{ n }}{% if n % 13 == 5 %}{{ 1 // (n - 200) }}{% endif %}{% if n % 17 == 3 %}{% skip 'odd' %}{% endif %}"


@pytest.mark.parametrize("threads", [2, 3])
def test_the_threads_of_a_large_table_give_what_one_gives(threads: int) -> None:
    plan = Template(SOURCE, autoescape=True, name="t.txt").compile(TABLE.schema)
    alone = plan.assemble(TABLE, threads=1)
    assert alone.num_rows == ROWS
    together = plan.assemble(TABLE, threads=threads)
    together.validate(full=True)
    assert together.combine_chunks().equals(alone.combine_chunks())


@pytest.mark.parametrize("rows", [0, 1, 63, 65, 5_000, 65_536, 65_537])
def test_tables_of_any_size_give_every_row(rows: int) -> None:
    table = TABLE.slice(7, rows)
    plan = Template("{{ n }}").compile(table.schema)
    for data in (table, pl.DataFrame(table)):
        assert plan.assemble(data, threads=2)["asset"].equals(pc.cast(table["n"], pa.string()))
