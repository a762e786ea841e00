"""Lists, dicts, decimals, dates and times print, compare and compute as Python's values do under Jinja2."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pyarrow as pa
import pytest

from labfactory.compiler import Environment
from labfactory.testing import to_python

UNDEFINED = {
    "default": jinja2.Undefined,
    "strict": jinja2.StrictUndefined,
    "chainable": jinja2.ChainableUndefined,
}
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
CONSTANTS = {
    "now": NOW,
    "berlin": dt.datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    "settings": {"a": 1, "b": [Decimal("1.0"), {"c": None}], 3: dt.timedelta(1)},
    "shops": [{"name": "<x>"}],
}
ROW: dict[str, Any] = {
    "t": "a'b\"<é>",
    "i": 3,
    "f": 1.5,
    "n": None,
    "b": True,
    "xs": ["a", "<b>", None],
    "ns": [1, 2, 3, 4],
    "r": {"sku": "s", "price": 1.5, "tags": ["x", "y"], "inner": {"k": "v"}},
    "ps": [{"a": 1, "b": "<"}, {"a": 2, "b": None}],
    "d": dt.date(2024, 2, 29),
    "ts": dt.datetime(2024, 2, 29, 12, 30),
    "tz": dt.datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=dt.UTC),
    "tm": dt.time(4, 5, 6),
    "du": dt.timedelta(days=1, seconds=5),
    "de": Decimal("12.50"),
    "e": [],
    "emp": {"z": 1},
}
PRINTING = [
    "{{ xs }}|{{ ns }}|{{ r }}|{{ ps }}|{{ e }}",
    "{{ (t,) }}{{ (t, 1.0, n, b) }}{{ () }}",
    "{{ {'a': t, 1: 2, True: 3, 1.0: xs} }}",
    "{{ [d, ts, tm, du, de] }}{{ [du * 0, ts + du] }}",
    "{{ xs ~ r }}|{{ ps|join('-') }}|{{ ps|string }}|{{ r|upper }}",
    "{{ '%s %r' % (xs, r) }}{{ [t|e, '<b>'|safe] }}",
    "{{ [gone] }}{{ {gone: 1} }}",
    "{{ settings }}{{ settings.a }}{{ settings['b'][0] }}{{ shops }}{{ shops[0].name }}",
    "{{ '%r' % d }}{{ '%r' % de }}{{ '%r' % du }}",
]
DICTS = [
    "{{ {xs: 1} }}",
    "{{ {(xs,): 1} }}",
    "{% for k in r %}{{ k }}:{{ r[k] }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for k in {'a': 1, 'b': t} %}{{ loop.index }}{{ k }}{{ loop.nextitem }}{% endfor %}",
    "{{ 'sku' in r }}{{ 'x' in r }}{{ t in r }}{{ 1 in r }}{{ n in r }}",
    "{{ xs in r }}",
    "{{ r|length }}{{ 'y' if r else 'n' }}{{ {}|length }}{{ 'y' if {} else 'n' }}",
    "{{ r == r }}{{ r == {'sku': 's'} }}{{ r.inner == {'k': 'v'} }}{{ {'k': 'v'} == r.inner }}",
    "{{ ps[0] == ps[1] }}{{ ps == ps }}{{ ps[0] in ps }}{{ ps[0] != emp }}",
    "{{ {'a': 1, 'b': 2} == {'b': 2.0, 'a': true} }}{{ {1: 2} == {1.0: 2} }}",
    "{{ r[t] }}|{{ r['s' ~ 'ku'] }}|{{ r[n] }}|{{ r[xs] }}|{{ r[1] }}",
    "{{ (r if b else emp).z }}|{{ (r if b else emp).sku }}|{{ ({'q': r}).q.sku }}|{{ {'q': r}['q'] }}",
    "{% for x in [r, emp] %}{{ x.sku }}{{ x.z }};{% endfor %}",
    "{% for x in [ps, [emp]] %}{% for y in x %}{{ y.a }}{{ y.z }}{% endfor %}{% endfor %}",
    "{{ {'b': 1, 'a': 2}.a }}{{ {'b': 1}.q }}{{ {'b': 1}['q'] }}{{ {'b': {'c': 3}}.b.c }}",
    "{{ {'b': 1}.q.z }}",
    "{{ {} < {} }}",
    "{{ r < r }}",
    "{{ r + r }}",
]
TEXT_AND_SLICES = [
    "{% for c in t %}[{{ c }}]{{ loop.index }}{{ loop.previtem }}{{ loop.length }}{% endfor %}",
    "{% for c in t|e %}{{ c }} {% endfor %}{% for c in '' %}{% else %}none{% endfor %}",
    "{{ t[1:] }}|{{ t[::-1] }}|{{ t[-3:-1] }}|{{ t[i:] }}|{{ t[:-100] }}|{{ t[100:] }}|{{ t[5:2:-2] }}",
    "{{ xs[1:] }}|{{ ns[::2] }}|{{ ns[5:1:-2] }}|{{ (1, 2, 3)[1:] }}|{{ ns[b:] }}|{{ ps[1:][0].a }}",
    "{{ (t|e)[1:5] }}{{ 'abc'[1:] }}{{ [1, 2, 3][::-1] }}",
    "{{ t[::0] }}",
    "{{ t['a':] }}",
    "{{ t[::0][1.5:] }}",
    "{{ n[1:] }}",
    "{{ r[1:2] }}",
    "{{ i[1:] }}",
    "{{ gone[1:] }}",
    "{{ t[gone:] }}",
]
POWERS = [
    "{{ 2**i }}|{{ i**2 }}|{{ f**2 }}|{{ i**-1 }}|{{ 2**0.5 }}|{{ b**2 }}|{{ (0-i)**i }}|{{ i**0 }}|{{ 0**0 }}",
    "{{ 9**9 }}{{ 2**-3 }}{{ 2.5**2 }}",
    "{{ (i-3)**-1 }}",
    "{{ (f-1.5)**-2 }}",
    "{{ i**i**i }}",
    "{{ (f*1e300)**2 }}",
    "{{ t**2 }}",
    "{{ n**2 }}",
    "{{ gone**2 }}",
]
DECIMALS = [
    "{{ de }}|{{ de+1 }}|{{ de*2 }}|{{ de/3 }}|{{ de//3 }}|{{ de%3 }}|{{ -de }}|{{ +de }}|{{ 1-de }}|{{ b+de }}",
    "{{ de > 12 }}{{ de == 12.5 }}{{ de < f }}{{ de == t }}{{ de in [12.5] }}{{ {12.5: 'x'}[de] }}",
    "{{ '%.2f' % de }}|{{ '%d' % de }}|{{ '%s' % de }}|{{ '%5.1e' % de }}|{{ '%g' % de }}",
    "{{ 'x' if de else 'y' }}{{ 'x' if de-de else 'y' }}|{{ de-de }}",
    "{{ '%x' % de }}",
    "{{ de + f }}",
    "{{ f * de }}",
    "{{ de / 0 }}",
    "{{ de // 0 }}",
    "{{ de % 0 }}",
    "{{ (de - de) / 0 }}",
    "{{ de + n }}",
    "{{ de + gone }}",
    "{{ de < t }}",
    "{{ de|round(1) }}|{{ de|round }}|{{ de|int }}|{{ de|float }}|{{ de|abs }}|{{ (-de)|abs }}|{{ de is number }}",
    "{{ de|round(1, 'ceil') }}|{{ de|round(0, 'floor') }}|{{ [de, 1]|sum }}|{{ [de, 3]|max }}|{{ du|abs }}",
    "{{ de|round(-1, 'ceil') }}",
    "{{ de|round(30) }}",
]
MOMENTS = [
    "{{ tz }}|{{ d }}|{{ tm }}|{{ du }}|{{ ts }}|{{ berlin }}|{{ du ~ tm }}",
    "{{ d.year }}-{{ d.month }}|{{ ts.hour }}|{{ tz.minute }}|{{ tm.second }}|{{ du.days }}|{{ du.seconds }}",
    "{{ d['year'] }}{{ tz.microsecond }}{{ (d if b else tm).year }}",
    "{{ d - d }}|{{ ts - ts }}|{{ d + du }}|{{ ts + du }}|{{ ts - du }}|{{ tz - tz }}|{{ tz + du }}|{{ du + d }}",
    "{{ du * 2 }}|{{ du / 2 }}|{{ du / du }}|{{ du // du }}|{{ du % du }}|{{ du * 1.5 }}|{{ -du }}|{{ +du }}",
    "{{ du // 7 }}|{{ 3 * du }}|{{ du / 7 }}|{{ du / 0.3 }}|{{ du - du - du }}|{{ 'x' if du - du else 'y' }}",
    "{{ d == ts }}{{ tz == ts }}{{ ts < ts }}{{ tz < tz }}{{ tm < tm }}{{ du > du }}{{ d <= d }}{{ tz == berlin }}",
    "{{ now }}|{{ now - tz }}|{{ now > tz }}|{{ now.year }}|{{ (now - tz).days }}|{{ now + du }}|{{ now < berlin }}",
    "{{ berlin - now }}|{{ berlin + du }}|{{ berlin - 9 * du }}|{{ berlin - berlin }}",
    "{% if tm and d and ts and tz %}yes{% endif %}{{ tz == tz }}{{ {d: 1}[d] }}{{ tz in [now, tz] }}",
    "{{ d < ts }}",
    "{{ tz < ts }}",
    "{{ tz - ts }}",
    "{{ ts - d }}",
    "{{ d + d }}",
    "{{ d + 1 }}",
    "{{ tm + du }}",
    "{{ du / 0 }}",
    "{{ du // 0.5 }}",
    "{{ du % 2 }}",
    "{{ d - 99999 * 99 * du }}",
    "{{ d - gone }}",
]
ROW_ERRORS = [
    "{% for q in n %}{% endfor %}",
    "{% for q in i %}{% endfor %}",
    "{% for q in de %}{% endfor %}",
    "{% for q in d %}{% endfor %}",
    "{{ i in i }}",
    "{{ n|length }}",
    "{{ du|length }}",
]


def check(source: str, batch: pa.RecordBatch) -> None:
    for mode, undefined in UNDEFINED.items():
        for autoescape in (False, True):
            plan = (
                Environment(autoescape=autoescape, undefined=mode)  # type: ignore[arg-type]
                .from_string(source)
                .compile(batch.schema, constants=CONSTANTS)
            )
            made = plan.assemble(batch).to_pylist()
            oracle = jinja2.Environment(autoescape=autoescape, undefined=undefined).from_string(source)
            for row, result in zip(to_python(batch), made, strict=True):
                try:
                    text = oracle.render(CONSTANTS | row)
                except (ArithmeticError, TypeError, ValueError, jinja2.UndefinedError):
                    text = None
                assert text == result["asset"], f"{mode}, autoescape {autoescape}: {result}"
                assert result["status"] == ("error" if text is None else "ok")
                assert result["code"] != "unsupported"


@pytest.mark.parametrize(
    "source", [*PRINTING, *DICTS, *TEXT_AND_SLICES, *POWERS, *DECIMALS, *MOMENTS, *ROW_ERRORS]
)
def test_values_of_every_kind_behave_as_under_jinja2(source: str) -> None:
    (batch,) = pa.Table.from_pylist([ROW]).to_batches()
    check(source, batch)
