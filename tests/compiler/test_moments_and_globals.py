"""Methods of dates and times, dicts, range and dict() give what they give in Jinja2."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import jinja2
import pyarrow as pa
import pytest

from labfactory.base.errors import CompileError
from labfactory.compiler import Environment
from labfactory.testing import to_python

ROWS = pa.record_batch(
    {
        "d": [date(2026, 3, 1), date(2024, 12, 30), None],
        "ts": [datetime(2026, 1, 4, 0, 5, 9, 123456), datetime(1999, 12, 31, 23, 59, 59), None],
        "z": pa.array(
            [datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 12, 0, 1, 5, tzinfo=UTC), None],
            pa.timestamp("us", "Europe/Berlin"),
        ),
        "tm": [time(13, 5, 9), time(0, 0, 0, 7), None],
        "du": [timedelta(days=1, seconds=5), timedelta(microseconds=-1), None],
        "n": [3, 0, None],
        "dec": [Decimal("12.50"), Decimal("-0.01"), None],
        "xs": [[1, 2], [], None],
        "st": [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, None],
    }
)
SOURCES = r"""
{{ d.strftime('%d.%m.%Y %A %a %B %b %j %U %W %V %G %u %w %y %e %-d %-m %_d %^a') }}
{{ ts.strftime('%H:%M:%S %I %p %f %c %x %X %D %F %T %R %r %k %l %h %n%t%% %z%Z|%-H%-I%-M') }}
{{ z.strftime('%Y-%m-%d %H:%M %z') }}
{{ tm.strftime('%H:%M %Y %p') }}
{{ ('{0.year}/{d.month}|{0.year:>6}'.format(ts, d=d) ~ '{.days}{[a]}'.format(du, st)) if ts }}
{{ z.strftime('%Z|%z') }}{{ ts.strftime('%Z') }}{{ z.strftime('%' ~ 'H:%M') }}{{ z.strftime(dict(a='%H %Z').a) }}
{{ [z] }}{{ {'at': z} }}{{ '%r' % z }}{{ '{!r}'.format(z) }}{{ (z, ts, d) }}
{{ ts.replace(year=2024) }}|{{ ts.replace(2025, 2, 3) }}|{{ ts.replace(hour=0, minute=0, second=0, microsecond=0) }}
{{ z.replace(month=10, day=25, hour=2, minute=30) }}|{{ z.replace(month=3, day=29, hour=2) }}|{{ z.timestamp() }}
{{ d.replace(day=1) }}|{{ d.replace(year=2023, month=4) }}
{{ d.replace(month=2, day=30) }}
{{ ts.replace(hour=24) }}
{{ tm.replace(second=0, microsecond=1) }}|{{ dict(st) }}|{{ dict(st, a=n) }}|{{ dict(**st) }}
{{ n is sameas none }}{{ none is sameas none }}{{ 1 is sameas true }}{{ (n == 3) is sameas(true) }}{{ n is callable }}{{ st.zz is callable }}
{{ range(3) is iterable }}{{ range(3) is sequence }}{{ st.items() is iterable }}{{ xs|map('abs') is iterable }}{{ range(2) is mapping }}
{{ d.isoformat() }}|{{ ts.isoformat() }}|{{ z.isoformat() }}
{{ ts.isoformat(' ') }}|{{ ts.isoformat(timespec='minutes') }}|{{ ts.isoformat('x', 'milliseconds') }}|{{ z.isoformat(timespec='hours') }}
{{ ts.date() }}|{{ ts.time() }}|{{ z.date() }}|{{ ts.date().isoformat() }}|{{ ts.date().strftime('%d %b') }}
{{ d.weekday() }}{{ ts.isoweekday() }}
{{ du.total_seconds() }}
{{ '{:%d/%m/%Y}'.format(d) }}|{{ '{:%H}'.format(ts) }}|{{ '{}'.format(d) }}|{{ '{!r}'.format(xs) }}
{{ '{0[1]}|{0!s}'.format([1,2]) }}
{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(n) %}{{ loop.last }}{% endfor %}
{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}{{ range(1, n)|join(',') }}{{ range(10)|list|length }}{{ range(4)|length }}{{ range(4)|sum }}
{{ dict(a=1, b=n)|tojson }}{{ dict(a=n).a }}
{% for k, v in dict(b=1, a=2)|dictsort %}{{ k }}{{ v }}{% endfor %}
{{ {'x': n}.get('x') }}{{ {'x': n}.items()|list }}{% for k, v in st.items() %}{{ k }}{{ v }}{% endfor %}
{{ n in range(2, 5) }}{{ 'a' in st.keys() }}{{ 1 in st.values() }}{{ n not in xs|map('abs') }}
{{ st.get('a') }}{{ st.get('a', 5) }}{{ st.get('zz', 5) }}
{{ st|items|list }}{{ st|dictsort }}{{ st|xmlattr }}{{ st|tojson }}{{ {'a': [1, {'b': none}]}|tojson }}
{{ dec|float }}|{{ dec|int }}|{{ dec|round(1) }}|{{ dec|abs }}|{{ [dec, dec]|sum }}
{{ xs|batch(1)|list }}|{{ xs|groupby(0)|list if false else 1 }}
{{ xs|unique|list }}{{ xs|map('string')|list }}{{ xs|sort(reverse=true) }}
{{ d|string|length }}{{ xs|string }}{{ xs|join(',') }}
""".strip().splitlines()


@pytest.mark.parametrize("source", SOURCES)
def test_a_method_gives_what_jinja2_gives(source: str) -> None:
    for undefined, kind in (("default", jinja2.Undefined), ("strict", jinja2.StrictUndefined)):
        for autoescape in (False, True):
            environment = Environment(autoescape=autoescape, undefined=undefined)
            made = environment.from_string(source).compile(ROWS.schema).assemble(ROWS)["asset"].to_pylist()
            oracle = jinja2.Environment(autoescape=autoescape, undefined=kind).from_string(source)
            for row, found in zip(to_python(ROWS), made, strict=True):
                try:
                    expected = oracle.render(row)
                except (TypeError, ValueError, jinja2.UndefinedError):
                    expected = None
                assert expected == found, row


@pytest.mark.parametrize(
    "source",
    [
        "{{ d.strftime('%s') }}",
        "{{ range(3) }}",
        "{{ st.items() }}",
        "{{ xs.append(1) }}",
        "{{ dict(xs) }}",
        "{{ ts.timestamp() }}",
        "{{ d.replace(day=n) }}",
        "{% macro m(a, b) %}{% endmacro %}{{ m(*xs) }}",
        "{% set ns = namespace(xs) %}",
        "{{ xs|map('abs') }}",
        "{{ xs|map('abs')|length }}",
        "{% set ys = xs|map('abs') %}{{ ys|join }}{{ ys|join }}",
        "{% set ys = xs|map('abs') %}{% for x in [1, 2] %}{{ ys|join }}{% endfor %}",
        "{{ st|attr('a') }}",
        "{{ xs|pprint }}",
        "{{ xs|random }}",
        "{{ 'x'|urlize }}",
        "{{ n is sameas 3 }}",
        "{{ 'x' is filter }}",
        "{{ 'x' is test }}",
        "{{ lipsum() }}",
    ],
)
def test_what_cannot_be_exact_is_refused_by_name(source: str) -> None:
    with pytest.raises(CompileError) as caught:
        Environment(undefined="default").from_string(source).compile(ROWS.schema)
    assert caught.value.code == "refused"
    assert caught.value.line == 1
