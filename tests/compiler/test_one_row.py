"""A row of Python values makes the same asset, or fails the same way, with arrays of one and without."""

from __future__ import annotations

import datetime as dt
import functools
import math
import sys
import threading
import types
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from labfactory.base.errors import AssemblyError, LabfactoryError, SourceError
from labfactory.compiler import Environment, Functions, Plan, Table, Template, compile_creative, function

KINDS = [
    pa.null(),
    pa.bool_(),
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float32(), pa.float64()),
    *(pa.decimal128(5, 2), pa.decimal128(38, 10), pa.decimal128(20, 0), pa.decimal128(20, -3)),
    *(pa.date32(), pa.date64()),
    *(pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("ns")),
    *(pa.timestamp("ms", "UTC"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("ns", "+02:00")),
    *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.duration("s"), pa.duration("ms"), pa.duration("us"), pa.duration("ns")),
    *(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary(3)),
    *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.int64())),
    *(pa.list_(pa.int64()), pa.struct({"x": pa.string()}), pa.map_(pa.string(), pa.int8())),
    *(pa.large_list(pa.string()), pa.list_(pa.float32(), 2), pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    pa.list_(
        pa.struct({"x": pa.string(), "y": pa.list_(pa.timestamp("us")), "z": pa.struct({"b": pa.bool_()})})
    ),
    pa.struct({"x": pa.list_(pa.list_(pa.int8())), "y": pa.binary(), "z": pa.decimal128(5, 2)}),
]
TEXTS = [
    "",
    "a",
    "twelve bytes",
    "thirteen byte",
    "<&'\">",
    "ä" * 20,
    "\ud800",
    "x" * 5000,
    Markup("<b>"),
    "1",
    "2024-02-29",
]
INTEGERS = [0, 1, -1, 127, 128, -129, 255, 65536, 2**24, 2**24 + 1, 2**31, 2**32, 2**53, 2**53 + 1, 2**63 - 1]
INTEGERS += [2**63, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1]
FLOATS = [0.0, -0.0, 1.5, 2.0, 0.1, 1e300, -1e-300, math.nan, math.inf, -math.inf]
DECIMALS = [
    "0",
    "-0.00",
    "1.25",
    "-1.25",
    "1.250",
    "1.2",
    "123456",
    "999.99",
    "1000.00",
    "1E+3",
    "NaN",
    "Infinity",
]
DECIMALS += ["9" * 28 + "." + "9" * 10, "-" + "9" * 28 + "." + "9" * 10, "12345000", "5E+3"]
BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = [
    dt.date(2024, 2, 29),
    dt.date.min,
    dt.date.max,
    dt.datetime(2024, 2, 29, 12, 30),
    dt.datetime(2024, 2, 29, 12, 30, 1, 500_000),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999_999),
    dt.datetime(1, 1, 1),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999_999),
    dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC),
    dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
    dt.datetime(1800, 1, 1, 0, 0, 1, tzinfo=BERLIN),
    dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    dt.time(4, 5, 6),
    dt.time(4, 5, 6, 789_000),
    dt.time(4, 5, 6, 789_001),
    dt.time(4, 5, tzinfo=dt.UTC),
    dt.timedelta(0),
    dt.timedelta(days=-1, microseconds=1),
    dt.timedelta(seconds=5),
    dt.timedelta.max,
    dt.timedelta.min,
]
OTHERS: list[object] = [None, True, False, b"abc", b"\xff", [1, None], {"x": "y"}, [("k", 1)], (1,), object]
OTHERS += [
    np.int64(5),
    np.float32(0.1),
    np.str_("s"),
    np.datetime64("2024-02-29"),
    {"z": 1},
    [1.5],
    ["a", "<thirteen bytes>"],
]
OTHERS += [
    [[1], [], None, [2, 3]],
    {},
    {b"x": "y"},
    {"x": [[1, None], None, []], "y": None, "z": Decimal("1.25")},
]
OTHERS += [
    {"x": [1]},
    {"x": None, "y": b"y"},
    list(range(300)),
    ("x", "y"),
    {"x": "y", b"z": 1},
    [{}],
    [{"x": None}, None],
]
OTHERS += [
    [
        {"x": "<thirteen bytes>", "y": [dt.datetime(2024, 1, 1), None], "z": {"b": True}},
        None,
        {"x": "a", "y": []},
    ],
    [{"y": [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]}],
]
VALUES = st.one_of(
    st.sampled_from([*TEXTS, *INTEGERS, *FLOATS, *map(Decimal, DECIMALS), *MOMENTS, *OTHERS]),
    st.none(),
    st.text(max_size=30),
    st.integers(),
    st.floats(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
)
SOURCES = (
    "{{ a }}",
    "{% if a %}{{ a }}{% else %}no{% endif %}|{{ a is none }}",
    "{{ a ~ b }}{{ a == b }}",
    "{% if b %}{{ 1 // (a == b) }}{% endif %}{{ a|string|upper }}",
)


@functools.cache
def plan(source: str, a: pa.DataType, b: pa.DataType) -> Plan:
    return Template(source, autoescape=True).compile(pa.schema({"a": a, "b": b}))


def outcome(assemble: Any, row: Any) -> object:
    """The asset, or all that an error says."""
    try:
        return assemble(row)
    except LabfactoryError as error:
        return type(error), str(error), error.code, error.template, error.line, error.column, error.hint


def check(made: Plan, row: Any) -> object:
    ours = outcome(made.assemble_one, row)
    assert ours == outcome(made._assemble_batch_of_one, row)
    return ours


@settings(max_examples=400)
@given(st.sampled_from(SOURCES), st.sampled_from(KINDS), st.sampled_from(KINDS), VALUES, VALUES)
def test_arrays_of_one_change_nothing(
    source: str, a: pa.DataType, b: pa.DataType, x: object, y: object
) -> None:
    check(plan(source, a, b), {"a": x, "b": y})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_value_of_every_type_is_as_in_an_array(kind: pa.DataType) -> None:
    made = plan("{{ a }}", kind, pa.int8())
    for value in [*TEXTS, *INTEGERS, *FLOATS, *map(Decimal, DECIMALS), *MOMENTS, *OTHERS]:
        check(made, {"a": value, "b": 1})


def test_plain_values_need_no_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = pa.schema(
        {
            "t": pa.string(),
            "i": pa.int8(),
            "f": pa.float32(),
            "b": pa.bool_(),
            "n": pa.int64(),
            "d": pa.date32(),
            "m": pa.timestamp("us", "Europe/Berlin"),
            "e": pa.decimal128(5, 2),
        }
    )
    made = Template("{{ t }}{{ i }}{{ f }}{{ b }}{{ n }}{{ d }}{{ m }}{{ e }}").compile(schema)
    row = {"t": "x", "i": 1, "f": 0.5, "b": True, "n": None, "d": dt.date(2024, 2, 29), "e": Decimal("1.50")}
    row["m"] = dt.datetime(2024, 7, 1, tzinfo=BERLIN)
    basket = Template(BASKET).compile(pa.schema({"basket": RECORDS}))
    for one in (made, basket):
        monkeypatch.setattr(one, "_assemble_batch_of_one", None)
    item = {"sku": "thirteen bytes", "tags": ["a", None], "size": {"h": 2, "w": 1}}
    assert basket.assemble_one({"basket": [item, None]}) == "1 thirteen bytes None 2<a><None>12;"
    assert made.assemble_one(row) == "x10.5TrueNone2024-02-292024-07-01 00:00:00+02:001.50"


def test_a_row_may_be_any_mapping() -> None:
    made = plan("{{ a ~ b }}", pa.int64(), pa.string())
    for row in (types.MappingProxyType({"a": 1, "b": "x", "c": object()}), {"a": 1, "b": "x", 3: 4}):
        assert check(made, row) == "1x"
    with pytest.raises(SourceError, match="expected a column 'b', found none") as caught:
        made.assemble_one({"a": 1})
    assert caught.value.code == "missing_column"


RECORDS = pa.list_(
    pa.struct(
        {
            "sku": pa.string(),
            "price": pa.float64(),
            "tags": pa.list_(pa.string()),
            "size": pa.struct({"w": pa.int16(), "h": pa.int16()}),
        }
    )
)
LISTS = st.lists(
    st.none()
    | st.fixed_dictionaries(
        {"sku": st.none() | st.text(max_size=20)},
        optional={
            "price": st.none() | st.floats() | st.integers(-(2**54), 2**54),
            "tags": st.none() | st.lists(st.none() | st.text(max_size=15), max_size=3),
            "size": st.none()
            | st.fixed_dictionaries({"w": st.integers(-9, 40_000)}, optional={"h": st.integers(0, 9)}),
            "more": st.integers(),
        },
    ),
    max_size=5,
)
BASKET = (
    "{% for p in basket %}{% if p %}{{ loop.index }} {{ p.sku }} {{ p.price }} {{ p.tags|length if p.tags else '-' }}"
    "{% for t in p.tags or [] %}<{{ t }}>{% endfor %}{{ p.size.w ~ p.size.h if p.size else '' }};{% endif %}{% endfor %}"
)


@functools.cache
def basket_plan() -> Plan:
    return Template(BASKET, autoescape=True).compile(pa.schema({"basket": RECORDS}))


@given(st.none() | LISTS)
def test_baskets_are_as_in_arrays(basket: object) -> None:
    check(basket_plan(), {"basket": basket})


def test_what_nests_may_be_null_and_is_read_by_pyarrow_where_it_is_not() -> None:
    basket = pa.list_(pa.struct({"sku": pa.string(), "price": pa.float64()}))
    source = "{{ r.a if r else '-' }}{{ r.b if r else '-' }}{% for p in ps or [] %}{{ p.sku }}{{ p.price }}{% endfor %}"
    schema = pa.schema({"r": pa.struct({"a": pa.int8(), "b": pa.string()}), "ps": basket})
    made = Template(source).compile(schema)
    assert check(made, {"r": None, "ps": None}) == "--"
    assert (
        check(made, {"r": {"b": "x", "a": 1}, "ps": [{"price": 1.5, "sku": "s"}, {"sku": "t"}]})
        == "1xs1.5tNone"
    )
    nothing = pa.table({"r": pa.nulls(2), "ps": pa.nulls(2)})
    assert made.assemble(nothing)["asset"].to_pylist() == ["--", "--"]


def test_rows_fail_and_are_skipped_where_batches_fail_and_skip() -> None:
    source = "a\n {% if a > 1 %}{% skip 'too many' %}{% endif %}{{ 1 // a }}{{ b }}"
    made = Template(source, name="t.txt").compile(pa.schema({"a": pa.int64(), "b": pa.string()}))
    assert check(made, {"a": 1, "b": None}) == "a\n 1None"
    for a, code in ((0, "zero_division"), (2, "skipped")):
        with pytest.raises(AssemblyError) as caught:
            made.assemble_one({"a": a, "b": ""})
        assert (caught.value.code, caught.value.template, caught.value.line) == (code, "t.txt", 2)
        check(made, {"a": a, "b": ""})


def test_the_parts_of_a_creative_come_by_name_and_its_slots_by_column() -> None:
    parts = {"subject": "Hi {{ name }}", "html": "<p>{{ slot('hero') }}</p>{{ 1 // n }}"}
    made = compile_creative(
        parts,
        schema=pa.schema({"name": pa.string(), "n": pa.int64()}),
        environments={"subject": Environment(), "html": Environment(autoescape=True)},
        slots={"hero": [("warm", {"subject": "", "html": "{{ name }}!"})]},
        name="welcome/warm",
    )
    row = {"name": "<A>", "n": 1, "slot:hero": 0}
    assert check(made, row) == {"subject": "Hi <A>", "html": "<p>&lt;A&gt;!</p>1"}
    for change in ({"n": 0}, {"slot:hero": None}, {"slot:hero": 1}, {"n": "x"}):
        assert isinstance(check(made, row | change), tuple)


def test_long_assets_grow_and_too_long_ones_fail_as_in_batches() -> None:
    made = Template("{{ t }}{{ t|replace('x', u) }}").compile(pa.schema({"t": pa.string(), "u": pa.string()}))
    for size in (10, 4_000, 5_000, 70_000, 3_000_000, 10):
        assert made.assemble_one({"t": "x" * size, "u": "y"}) == "x" * size + "y" * size
    ours = outcome(made.assemble_one, {"t": "x" * 10_000, "u": "y" * 10_000})
    assert isinstance(ours, tuple)
    assert ours[2] == "asset_too_large"


def test_a_function_may_assemble_a_row_of_the_same_plan() -> None:
    plans: list[Plan] = []

    @function(returns=pa.string(), scalar=True)
    def smaller(number: int) -> str:
        if number > 3:
            raise ValueError
        return str(plans[0].assemble_one({"a": number - 1, "b": "b" * 20})) if number > 0 else "."

    schema = pa.schema({"a": pa.int64(), "b": pa.string()})
    plans.append(Template("{{ a }}{{ smaller(a) }}{{ b }}").compile(schema, functions=Functions(smaller)))
    assert check(plans[0], {"a": 2, "b": "<c>"}) == "210." + "b" * 40 + "<c>"
    failed = check(plans[0], {"a": 4, "b": ""})
    assert isinstance(failed, tuple)
    assert failed[2] == "function_failed"


def test_tables_are_joined_to_one_row() -> None:
    table = Table(pa.table({"sku": [7, 8], "title": ["Hat", "Scarf"]}), key="sku")
    made = Template("{{ p.title if p else '-' }}").compile(
        pa.schema({"sku": pa.int32()}), tables={"p": table}
    )
    assert [made.assemble_one({"sku": sku}) for sku in (8, 9, None)] == ["Scarf", "-", "-"]


def test_threads_share_a_plan() -> None:
    made = plan("{{ a ~ b }}{{ a == b }}", pa.string(), pa.int64())
    wrong: list[object] = []

    def work(start: int) -> None:
        for at in range(start, start + 2_000):
            text = made.assemble_one({"a": f"{at}" * 9, "b": at})
            if text != f"{at}" * 9 + f"{at}False":
                wrong.append(text)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=work, args=(10_000 * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)
    assert wrong == []
