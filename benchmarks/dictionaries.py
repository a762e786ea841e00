"""Columns of 1,000 texts: coded as dictionaries, beside the same as plain strings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

import labfactory as lf
from benchmarks.assembly import drain
from benchmarks.figures import Figure, beside, mean_bytes
from benchmarks.timing import interleaved

ENTRIES = 1_000
TEMPLATE = (
    "Hi {{ name | title }}, {{ place | upper | replace('O', '0') }} has "
    "{{ thing | urlencode | truncate(30) }} for you."
)


def rows_of(rows: int, *, seed: int = 17) -> pa.Table:
    """Three dictionary columns."""
    random = np.random.default_rng(seed)
    columns = {
        name: pa.DictionaryArray.from_arrays(
            pa.array(random.integers(0, ENTRIES, rows).astype(np.int32)),
            pa.array([f"{words} & <{number}> of many" for number in range(ENTRIES)]),
        )
        for name, words in (("name", "o'neil"), ("place", "São Tomé"), ("thing", "a pair of shoes"))
    }
    return pa.table(columns)


def measure(rows: int, repeats: int) -> list[Figure]:
    """Expressions on each column; both give the same bytes."""
    coded = rows_of(rows)
    plain = pa.table({name: coded[name].cast(pa.string()) for name in coded.column_names})
    plans = [lf.Template(TEMPLATE, autoescape=True).compile(table.schema) for table in (coded, plain)]
    ours, theirs = (
        plan.assemble(table.slice(0, 20_000))["asset"].to_pylist()
        for plan, table in zip(plans, (coded, plain), strict=True)
    )
    assert ours == theirs, "plain strings differ"
    work: dict[str, tuple[Callable[[], object], int]] = {
        "labfactory": (lambda: drain(plans[0], coded), rows),
        "plain strings": (lambda: drain(plans[1], plain), rows),
    }
    return beside(
        interleaved(work, repeats=repeats),
        workload="dictionary columns of 1,000 entries",
        rows=rows,
        mean_bytes=mean_bytes(ours),
        targets={"plain strings": 2.0},
    )
