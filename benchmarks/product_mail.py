"""An e-mail of 20 KB: a loop over four products, six slots of ten components each, beside Jinja2 and a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import jinja2
import numpy as np
import pyarrow as pa
from markupsafe import Markup

from benchmarks.assembly import THREADS, drain
from benchmarks.copies import RecycledCopy
from benchmarks.data import FILLER, OFFERS, customers
from benchmarks.figures import Figure, beside, mean_bytes
from benchmarks.timing import interleaved
from labfactory.compiler import Environment, Plan, compile_creative

SLOTS = ("hero", "offer", "story", "advice", "social", "footer")
COMPONENTS = 10
PRODUCTS = 4
JINJA2_ROWS = 1_000
PRODUCT = """<tr><td style="padding:8px"><a href="https://example.com/{{ product.sku }}?from=mail">{{ product.name }}</a></td>
<td>{{ '%.2f' | format(product.price) }} EUR{% if product.stock < 10 %}, only {{ product.stock }} left{% endif %}</td></tr>
"""
COMPONENT = """<div class="{slot}-{number}">{words}<p>Dear {{{{ first_name }}}}, {{{{ offer }}}} in {{{{ city }}}}:
{{% if points > {least} %}}your {{{{ points }}}} points count twice{{% else %}}number {number} for you{{% endif %}}.</p></div>
"""


def source() -> str:
    """The frame: words, slots and the loop."""
    loop = "{% for product in products %}" + PRODUCT + "{% endfor %}"
    slots = "".join(f"{FILLER}{{{{ slot('{slot}') }}}}" for slot in SLOTS)
    return f"<html><p>Hi {{{{ first_name }}}}</p><table>{loop}</table>{slots}{FILLER}</html>"


@cache
def components() -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Ten components for each slot, of 1 to 2 KB."""
    return {
        slot: [
            (
                f"{slot}-{number}",
                {
                    "html": COMPONENT.format(
                        slot=slot,
                        number=number,
                        words=FILLER + FILLER[: 225 + 90 * number],
                        least=9000 * number,
                    )
                },
            )
            for number in range(COMPONENTS)
        ]
        for slot in SLOTS
    }


def rows_of(rows: int, *, seed: int = 11) -> pa.Table:
    """The customers with their products and the component decided for each slot."""
    random = np.random.default_rng(seed)
    count = rows * PRODUCTS
    names = np.array([f"{offer} no. {number}" for offer in OFFERS for number in range(20)])
    products = pa.StructArray.from_arrays(
        [
            pa.array([f"sku-{number}" for number in random.integers(10_000, 99_999, count)]),
            pa.array(random.choice(names, count)),
            pa.array(np.round(random.uniform(1, 900, count), 2)),
            pa.array(random.integers(0, 40, count)),
        ],
        names=["sku", "name", "price", "stock"],
    )
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * PRODUCTS)
    table = customers(rows).to_arrow().append_column("products", pa.ListArray.from_arrays(offsets, products))
    for slot in SLOTS:
        decided = random.integers(0, COMPONENTS, rows).astype(np.int32)
        table = table.append_column(f"slot:{slot}", pa.array(decided))
    return table


def compiled(schema: pa.Schema) -> Plan:
    return compile_creative(
        {"html": source()},
        environments={"html": Environment(autoescape=True)},
        slots=components(),
        schema=schema,
    )


def jinja2_renderer() -> Callable[[Mapping[str, object]], str]:
    """Jinja2 at its best: every template compiled once, components found by their number."""
    environment = jinja2.Environment(autoescape=True)
    ready = {
        slot: [environment.from_string(parts["html"]) for _, parts in entries]
        for slot, entries in components().items()
    }

    @jinja2.pass_context
    def slot(context: jinja2.runtime.Context, name: str) -> Markup:
        return Markup(ready[name][context[f"slot:{name}"]].render(context.get_all()))

    environment.globals["slot"] = slot
    return environment.from_string(source()).render


def measure(rows: int, repeats: int) -> list[Figure]:
    """Streams them; the peer's text is compared with ours first."""
    table = rows_of(rows)
    plan = compiled(table.schema)
    few = table.slice(0, JINJA2_ROWS).to_pylist()
    render = jinja2_renderer()
    made = plan.assemble(table.slice(0, JINJA2_ROWS))["parts"].combine_chunks()
    ours = made.chunk(0) if isinstance(made, pa.ChunkedArray) else made
    text = ours.field("html")
    assert [render(row) for row in few] == text.to_pylist(), "Jinja2 differs"
    work: dict[str, tuple[Callable[[], object], int]] = {
        "memcpy": (RecycledCopy(text, rows=rows), rows),
        "labfactory": (lambda: drain(plan, table, threads=THREADS), rows),
        "Jinja2": (lambda: [render(row) for row in few], len(few)),
    }
    return beside(
        interleaved(work, repeats=repeats),
        workload="e-mail of 20 KB, 4 products, 6 slots",
        rows=rows,
        mean_bytes=mean_bytes(text.to_pylist()),
        targets={"memcpy": 0.7, "Jinja2": 100.0},
        single=("Jinja2",),
    )
