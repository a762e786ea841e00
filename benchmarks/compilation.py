"""Compilation of a long e-mail with many components: `python -m benchmarks.compilation`."""

from __future__ import annotations

import statistics
import time

import pyarrow as pa

from labfactory.compiler import Environment, Plan, compile_creative

LINES = 500
COMPONENTS = 30
SLOTS = ("hero", "offer", "footer")
SCHEMA = pa.schema(
    {
        "first_name": pa.string(),
        "points": pa.int64(),
        "country": pa.string(),
        "balance": pa.float64(),
        "products": pa.list_(
            pa.struct({"url": pa.string(), "name": pa.string(), "price": pa.float64()}),
        ),
    }
)
MACRO = """{% macro button(label, url, color='#0a0') -%}
<a style="background:{{ color }};padding:8px" href="{{ url }}">{{ label }}</a>
{%- endmacro %}"""
SECTION = """<tr>
  <td style="padding:{n}px 0 {n}px 0;font-family:Arial,sans-serif;color:#333333">
    <p>Hello {{{{ first_name|default('you', true) }}}}, you have {{{{ points }}}} points.</p>
{{% if points > {n} and country == 'DE' %}}
    <p>That is {{{{ '%.2f' % balance }}}} EUR.</p>
{{% else %}}
    <p>Your country: {{{{ country|upper }}}}</p>
{{% endif %}}
    <p>Terms and conditions apply, see our site for number {n}.</p>
    {{{{ button('More', 'https://example.com/' ~ points) }}}}
  </td>
</tr>"""
LIST = """{% for product in products %}
<p>{{ loop.index }}. <a href="{{ product.url }}">{{ product.name|truncate(20) }}</a>
{{ '%.2f' % (product.price * 0.9) }}{% if not loop.last %},{% endif %}</p>
{% endfor %}"""
COMPONENT = """<div class="c{n}">
{{% if points > {n} %}}<b>{{{{ first_name }}}}</b>{{% endif %}}
{{% for product in products if product.price > {n} %}}<i>{{{{ product.name }}}}</i>{{% endfor %}}
<p>{{{{ country|lower }}}} and some more words about it</p>
</div>"""


def source() -> str:
    """An e-mail of about LINES lines."""
    pieces = [MACRO]
    lines = 0
    while lines < LINES - 15:
        at = len(pieces)
        pieces.append(SECTION.format(n=at))
        if at % 10 == 0:
            pieces.append(LIST)
        if at % 10 == 5 and at // 10 < len(SLOTS):
            pieces.append(f"{{{{ slot('{SLOTS[at // 10]}') }}}}")
        lines = "\n".join(pieces).count("\n")
    return "\n".join(pieces)


def compiled(template: str) -> Plan:
    """The plan of the e-mail, its components shared evenly by the slots."""
    components = [(f"c{n}", {"html": COMPONENT.format(n=n)}) for n in range(COMPONENTS)]
    share = COMPONENTS // len(SLOTS)
    return compile_creative(
        {"html": template},
        environments={"html": Environment(autoescape=True)},
        slots={slot: components[at * share : (at + 1) * share] for at, slot in enumerate(SLOTS)},
        schema=SCHEMA,
    )


def main(repeats: int = 20) -> None:
    """Prints how long it takes."""
    template = source()
    plan = compiled(template)
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        compiled(template)
        seconds.append(time.process_time() - started)
    spread = f"{1e3 * statistics.median(seconds):.0f} ms ({1e3 * min(seconds):.0f}–{1e3 * max(seconds):.0f})"
    lines = template.count("\n") + 1
    print(
        f"{lines} lines, {COMPONENTS} components, {len(plan.explain().splitlines()):,} lines of plan: {spread}"
    )


if __name__ == "__main__":
    main()
