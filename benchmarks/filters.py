"""Filters and formats on a column each, beside Jinja2."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

import jinja2
import numpy as np
import pyarrow as pa

import labfactory as lf
from benchmarks.assembly import drain
from benchmarks.data import CITIES, NAMES, OFFERS, customers
from benchmarks.figures import Figure, beside, mean_bytes
from benchmarks.timing import interleaved

JINJA2_ROWS = 20_000
TEMPLATES = {
    "title": "{{ sentence | title }}",
    "truncate": "{{ sentence | truncate(24) }}",
    "urlencode": "{{ sentence | urlencode }}",
    "replace": "{{ sentence | replace('e', 'ee') }}",
    "round": "{{ price | round(1) }}",
    "date": "{{ born }}",
    "date by its parts": "{{ '%02d.%02d.%d' | format(born.day, born.month, born.year) }}",
    "strftime": "{{ born.strftime('%d.%m.%Y') }}",
}


def rows_of(rows: int, *, seed: int = 13) -> pa.Table:
    """Customers with a sentence of about 40 bytes and a birthday."""
    random = np.random.default_rng(seed)
    sentences = [f"{offer} for {name} in {city}" for offer in OFFERS for name in NAMES for city in CITIES]
    days = [date(1950, 1, 1) + timedelta(days=int(day)) for day in range(20_000)]
    table = customers(rows).select("price").to_arrow()
    table = table.append_column("sentence", pa.array(random.choice(np.array(sentences), rows)))
    birthdays = pa.array(days, pa.date32()).take(pa.array(random.integers(0, len(days), rows)))
    return table.append_column("born", birthdays)


def _rendered(render: Callable[..., str], rows: list[dict[str, object]]) -> list[str]:
    return [render(row) for row in rows]


def measure(rows: int, repeats: int) -> list[Figure]:
    """Each filter alone, autoescape on."""
    table = rows_of(rows)
    few = table.slice(0, JINJA2_ROWS).to_pylist()
    environment = jinja2.Environment(autoescape=True)
    figures = []
    for name, source in TEMPLATES.items():
        plan = lf.Template(source, autoescape=True).compile(table.schema)
        render = environment.from_string(source).render
        ours = plan.assemble(table.slice(0, JINJA2_ROWS))["asset"].to_pylist()
        assert _rendered(render, few) == ours, f"Jinja2 differs: {name}"
        work: dict[str, tuple[Callable[[], object], int]] = {
            "labfactory": (partial(drain, plan, table), rows),
            "Jinja2": (partial(_rendered, render, few), len(few)),
        }
        figures += beside(
            interleaved(work, repeats=repeats),
            workload=f"filter: {name}",
            rows=rows,
            mean_bytes=mean_bytes(ours),
            targets={"Jinja2": 50.0},
            single=("Jinja2",),
        )
    return figures
