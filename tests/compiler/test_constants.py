"""Constants that compile is given mean what they mean to Jinja2, dates and moments too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import jinja2
import pyarrow as pa
import pytest

from labfactory.base.errors import CompileError
from labfactory.compiler import Template
from labfactory.testing import to_python

NOW = datetime(2026, 7, 1, 9, 5, tzinfo=UTC)
ODD = datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=1), "a name of its own"))
CONSTANTS = {
    "now": NOW,
    "day": date(2026, 6, 30),
    "since": datetime(2026, 6, 29, 12, 0, 0, 250_000),
    "year": 2026,
    "words": ["a", "b"],
}
CUSTOMERS = pa.record_batch(
    {
        "signup": pa.array([date(2026, 6, 30), date(2020, 1, 1), None]),
        "last": pa.array([datetime(2026, 6, 30), datetime(1969, 12, 31, 23), None], pa.timestamp("ms")),
    }
)


@pytest.mark.parametrize(
    "source",
    [
        "{{ now }} {{ day }} {{ since }}",
        "{{ now.year }}-{{ now.month }} {{ day.day }} {{ since.microsecond + 1 }}",
        "© {{ now.year }} {% if now.year == year %}this year{% endif %}",
        "{{ 'new' if signup == day else 'old' }}",
        "{% if signup is not none and signup < day %}earlier{% endif %}",
        "{% if last is not none and last >= since %}lately{% endif %}",
        "{% set d = day %}{{ d }} {{ 'on ' ~ day }}",
        "{{ words | join('+') }}",
        "{{ -2 ** (year % 4) }} {{ (0 - 2) ** (year - 2024) + 1 }} {{ (year - 2028) ** 2 }} {{ -2 ** 2 }}",
        "{{ [now] }}{% set d = now %}{{ {'at': d} }}",
    ],
)
@pytest.mark.parametrize("undefined", ["error", "default"])
def test_a_constant_prints_and_compares_as_in_jinja2(source: str, undefined: str) -> None:
    plan = Template(source, autoescape=True, undefined=undefined).compile(CUSTOMERS, constants=CONSTANTS)
    kind = jinja2.StrictUndefined if undefined == "error" else jinja2.Undefined
    expected = jinja2.Environment(autoescape=True, undefined=kind).from_string(source)
    assert plan.assemble(CUSTOMERS)["asset"].to_pylist() == [
        expected.render({**CONSTANTS, **row}) for row in to_python(CUSTOMERS)
    ]


@pytest.mark.parametrize(
    "source",
    [
        "{{ now.tzinfo }}",
        "{{ zone }}",
        "{% set d = odd %}{{ d }}",
    ],
)
@pytest.mark.parametrize("undefined", ["error", "default"])
def test_a_constant_that_plans_cannot_hold_is_refused_by_name(source: str, undefined: str) -> None:
    template = Template(source, undefined=undefined)
    with pytest.raises(CompileError) as refused:
        template.compile(CUSTOMERS, constants={**CONSTANTS, "zone": UTC, "odd": ODD})
    assert refused.value.code == "refused"
