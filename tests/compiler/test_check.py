"""A check tells everything at once that a template's author may not have meant, and how long an asset may become."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labfactory as lf
from labfactory.base.errors import CompileError

FRAME = pl.DataFrame(
    {
        "points": [1, None],
        "visits": [1, 2],
        "name": ["Ann", "Bo & Cy"],
        "home": [{"city": "Rom", "zip": None}, {"city": "Ulm", "zip": 1}],
    }
)


def remarks(source, data=FRAME, **options):
    return [(r.kind, r.column) for r in lf.Template(source, **options).check(data).remarks]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ nme }}{{ visits }}{{ otherr }}", [("unknown_column", 4), ("unknown_column", 25)]),
        ("{{ home.city }}{{ home.town }}", [("unknown_field", 24)]),
        ("{{ points }}", [("prints_none", 4)]),
        ("{{ points or 0 }}{{ points|default(0, true) }}{{ points is none }}", []),
        ("{% if points %}{{ points }}{% endif %}", []),
        (
            "{% if points is not none and visits %}{{ points }}{% else %}{{ points }}{% endif %}",
            [("prints_none", 64)],
        ),
        ("{{ points if points > 0 else 'no' }}", []),
        ("{{ home.zip }}{{ home.city }}", [("prints_none", 4)]),
        ("{% if 1 > 2 %}a{% elif visits %}b{% endif %}", [("dead_branch", 7)]),
        ("{{ visits * visits }}{{ visits + 1 }}{{ visits * 2 }}", [("int_overflow", 4)]),
    ],
)
def test_it_remarks_what_may_not_be_meant(source, expected):
    assert remarks(source) == expected


def test_a_schema_tells_less_than_data():
    schema = pa.schema([pa.field("a", pa.string()), pa.field("b", pa.int8(), nullable=False)])
    review = lf.Template("{{ a or '' }}{{ b }}").check(schema)
    assert review.remarks == ()
    assert review.most_bytes == {"asset": None}


@given(
    st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=8), st.booleans()),
        min_size=1,
        max_size=9,
    ),
    st.booleans(),
)
def test_no_asset_is_longer_than_the_bound(rows, autoescape):
    source = "Hi {{ t }}{% if b %}{{ n }}, long{% elif n > 3 %}{{ 'x' }}{% else %}{{ b }}{% endif %}{% for i in [1] %}{% endfor %}"
    frame = pl.DataFrame(rows, schema={"n": pl.Int64, "t": pl.String, "b": pl.Boolean}, orient="row")
    template = lf.Template(source, autoescape=autoescape)
    bound = template.check(frame).most_bytes["asset"]
    assert bound is not None
    assets = template.compile(frame).assemble(frame)["asset"].to_pylist()
    assert max(len(asset.encode()) for asset in assets) <= bound


def test_text_without_bound_and_loops_that_print_have_none():
    for source in ("{{ name|upper }}", "{% for i in [1, 2] %}{{ i }}{% endfor %}"):
        assert lf.Template(source).check(FRAME).most_bytes == {"asset": None}


def test_the_bound_is_that_of_the_longest_way():
    assert lf.Template("{% if visits %}12345{% else %}123{% endif %}{{ visits }}").check(
        FRAME
    ).most_bytes == {"asset": 25}


def test_what_is_not_covered_is_refused_here_too_and_errors_are_those_that_compile_raises():
    with pytest.raises(CompileError) as refused:
        lf.Template("{{ name|pprint }}").check(FRAME)
    assert refused.value.code == "refused"
    review = lf.Template("{{ nme }}{{ points }}").check(FRAME)
    assert [str(error) for error in review.errors] == ["<template>:1:4: unknown_column: unknown column 'nme'"]
    assert str(review).splitlines()[-1] == "asset: at most 20 bytes"


def test_a_creative_is_held_to_its_channel():
    creative = lf.Creative(name="a/b", channel=lf.channel("sms"), parts={"text": "{{ t }}"})
    review = creative.check(pl.DataFrame({"t": ["x" * 1600]}))
    assert [remark.kind for remark in review.remarks] == ["too_large"]
    assert creative.check(pl.DataFrame({"t": ["x" * 160]})).remarks == ()
