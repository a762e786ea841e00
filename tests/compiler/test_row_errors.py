"""A row that fails has the kind and the line of the exception that Jinja2 raises, and nothing fails beside it."""

from __future__ import annotations

import traceback
from typing import Any

import jinja2
import pyarrow as pa
import pytest

from labfactory.compiler import Environment
from labfactory.testing import to_python

CODES = {
    "UndefinedError": "undefined",
    "TypeError": "type_error",
    "ValueError": "value_error",
    "ZeroDivisionError": "zero_division",
    "OverflowError": "float_overflow",
    "IndexError": "index_error",
    "KeyError": "key_error",
    "AttributeError": "attribute_error",
    "FilterArgumentError": "filter_argument",
}
ROWS = pa.RecordBatch.from_pylist(
    [
        {"t": "a b", "n": 3, "f": 2.5, "xs": ["b", "a"], "ps": [{"a": 1, "b": "x"}, {"a": 2, "b": None}]},
        {"t": None, "n": 0, "f": None, "xs": [], "ps": []},
        {"t": "%d {0} {x}", "n": None, "f": float("inf"), "xs": None, "ps": [None, {"a": None, "b": "<"}]},
        {"t": "", "n": -1, "f": -1.0, "xs": [None, "c"], "ps": None},
    ]
)
SOURCES = """
{{ t|indent }}
{{ t|wordwrap(n) }}
{{ t|wordwrap }}
{{ n|reverse|join }}
{{ xs|sort|join }}
{{ xs|dictsort|length }}
{{ xs|first }}
{{ n|first }}
{{ n|sum }}
{{ xs|sum }}
{{ xs|sum(start='') }}
{{ xs|max }}
{{ f|int }}
{{ f|filesizeformat }}
{{ n|abs }}
{{ xs|slice(n)|map('join')|join('/') }}
{{ xs|batch(n)|map('join')|join('/') }}
{{ ps|map(attribute='a.c')|join }}
{{ ps|map(attribute='b')|map('length')|join }}
{{ ps|selectattr('a', 'divisibleby', n)|map(attribute='b')|join }}
{{ ps|selectattr('a', 'gt', 1)|map(attribute='b')|join }}
{{ ps|groupby('a')|map('first')|list|length }}
{{ ps|sort(attribute='a')|map(attribute='a')|join }}
{{ ps|unique(attribute='a')|map(attribute='b')|map('default', '?', true)|join }}
{{ ps|min(attribute='a') is defined }}
{{ xs|tojson(t) }}
{{ xs|urlencode }}
{{ t|center(f) }}
{{ f|round(1, t) }}
{% for x in xs|map('upper') %}
{{ x|int + n }}
{% endfor %}
{{ n is divisibleby 2 }}
{{ n is divisibleby n }}
{{ t.index('zz') }}
{{ t.upper() }}
{{ '{}{}'.format(n) }}
{{ '{x}'.format(n) }}
{{ '{:d}'.format(f) }}
{{ '{:s}'.format(n) }}
{{ '{'.format(n) }}
{{ '} {}'.format(n) }}
{{ '{0}{}'.format(n, n) }}
{{ '{:c}'.format(n) }}
{{ '{:.1d}'.format(n) }}
{{ t.center(30, '--') }}
{{ ','.join(xs) }}
{{ t.partition('')|join }}
{{ t.format(n, x=f) }}
{{ '%d'|format(f) }}
{{ '%c' % n }}
{{ (t|string).split('', 1)|join }}
""".strip().splitlines()


def sources() -> list[str]:
    joined = "\n".join(SOURCES).replace("%}\n{{ x", "%} {{ x").replace("}}\n{% end", "}} {% end")
    return joined.splitlines()


def oracle(
    source: str, options: dict[str, Any], row: dict[str, Any]
) -> tuple[str | None, str | None, int | None]:
    try:
        return jinja2.Environment(**options).from_string(source).render(row), None, None
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == "<template>"]
        return None, CODES[type(error).__name__], lines[-1]


@pytest.mark.parametrize("source", sources())
def test_a_row_error_is_of_the_kind_that_jinja2_raises(source: str) -> None:
    for undefined, kind in (("default", jinja2.Undefined), ("strict", jinja2.StrictUndefined)):
        for autoescape in (False, True):
            plan = Environment(autoescape=autoescape, undefined=undefined).from_string(source)
            made = plan.compile(ROWS.schema).assemble(ROWS).to_pylist()
            for row, result in zip(to_python(ROWS), made, strict=True):
                expected = oracle(source, {"autoescape": autoescape, "undefined": kind}, row)
                assert expected == (result["asset"], result["code"], result["line"]), row
