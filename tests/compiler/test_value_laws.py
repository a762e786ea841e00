"""Decimals, moments in zones, powers, slices and nested values that Hypothesis makes are what Python makes of them."""

from __future__ import annotations

import datetime as dt
import functools
import math
import operator
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from decimal import DivisionByZero as DecimalDivisionByZero
from typing import Any

import jinja2
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labfactory.compiler import Plan, Template
from labfactory.compiler.zones import zone
from labfactory.testing import to_python

CODES = {
    InvalidOperation: "invalid_operation",
    DecimalDivisionByZero: "zero_division",
    ZeroDivisionError: "zero_division",
    OverflowError: "float_overflow",
    TypeError: "type_error",
    ValueError: "value_error",
}
# Past 64 bits Python goes on where we do not; what is complex is refused.
OURS = {"int_overflow", "unsupported"}


@functools.cache
def plan(source: str, schema: pa.Schema) -> Plan:
    return Template(source, undefined="strict").compile(schema)


def check(source: str, batch: pa.RecordBatch, expected: Callable[[dict[str, Any]], object]) -> None:
    made = plan(source, batch.schema).assemble(batch).to_pylist()
    for row, result in zip(to_python(batch), made, strict=True):
        if result["code"] in OURS:
            continue
        try:
            text, code = str(expected(row)), None
        except (ArithmeticError, TypeError, ValueError) as error:
            text, code = None, CODES[type(error)]
        assert (result["asset"], result["code"]) == (text, code), f"{source} of {row}"


def of(expected: Callable[..., object], *names: str) -> Callable[[dict[str, Any]], object]:
    return lambda row: expected(*(row[name] for name in names))


_WIDE = Context(prec=60)
DECIMALS = [pa.decimal128(5, 2), pa.decimal128(38, 10), pa.decimal128(38, 0), pa.decimal128(20, -3)]
OPERATORS: dict[str, Callable[[Any, Any], object]] = {
    "{{ a + b }}": operator.add,
    "{{ a - b }}": operator.sub,
    "{{ a * b }}": operator.mul,
    "{{ a / b }}": operator.truediv,
    "{{ a // b }}": operator.floordiv,
    "{{ a % b }}": operator.mod,
    "{{ a < b }}": operator.lt,
    "{{ a == b }}": operator.eq,
    "{{ -a / b * a }}": lambda a, b: -a / b * a,
    "{{ (a / b)|round(3) }}": lambda a, b: round(a / b, 3),
    "{{ a * a * b + b }}": lambda a, b: a * a * b + b,
    "{{ (a * b)|abs }}": lambda a, b: abs(a * b),
    "{{ 1 / a - b }}": lambda a, b: 1 / a - b,
    "{{ a|float }}": lambda a, _: float(a),
    "{{ '%.3f' % (a * b) }}": lambda a, b: "%.3f" % (a * b),
    "{{ '{:,.2f}|{:+.0f}|{:>12}'.format(a, a, a) }}": lambda a, _: f"{a:,.2f}|{a:+.0f}|{a:>12}",
    "{{ '{:010.1%}|{:f}|{:^+15,f}|{:.4f}'.format(a, a, a, a) }}": lambda a, _: (
        f"{a:010.1%}|{a:f}|{a:^+15,f}|{a:.4f}"
    ),
}


@st.composite
def decimals(draw: st.DrawFn) -> pa.Array:
    kind = draw(st.sampled_from(DECIMALS))
    digits = st.integers(1, kind.precision).flatmap(lambda n: st.integers(-(10**n) + 1, 10**n - 1))
    values = draw(st.lists(digits, min_size=6, max_size=6))
    return pa.array([Decimal(value).scaleb(-kind.scale, _WIDE) for value in values], kind)


@settings(max_examples=15)
@given(
    a=decimals(), b=st.one_of(decimals(), st.lists(st.integers(-9, 9), min_size=6, max_size=6).map(pa.array))
)
def test_decimals_compute_as_in_pythons_default_context(a: pa.Array, b: pa.Array) -> None:
    batch = pa.record_batch({"a": a, "b": b})
    for source, expected in OPERATORS.items():
        check(source, batch, of(expected, "a", "b"))


@settings(max_examples=15)
@given(a=decimals(), f=st.lists(st.floats(allow_nan=True), min_size=6, max_size=6))
@example(a=pa.array([Decimal("0.00")] * 3, pa.decimal128(5, 2)), f=[math.nan, math.inf, 0.0])
def test_decimals_compare_with_floats_by_exact_value(a: pa.Array, f: list[float]) -> None:
    batch = pa.record_batch({"a": a, "f": f})
    check("{{ a < f }}", batch, lambda row: row["a"] < row["f"])
    check("{{ f >= a }}", batch, lambda row: row["f"] >= row["a"])
    exact = pa.record_batch({"a": a, "f": [float(value) for value in a.to_pylist()]})
    check("{{ a == f }}{{ a < f }}", exact, lambda row: f"{row['a'] == row['f']}{row['a'] < row['f']}")


ZONES = ["UTC", "+05:30", "-03:00", "Europe/Berlin", "America/New_York", "Europe/Dublin", "Asia/Kolkata"]
ZONES += [
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Europe/Moscow",
    "Pacific/Apia",
    "America/Nuuk",
    "Etc/GMT+5",
]
# Around changes of the clock, and anywhere.
moments = st.one_of(
    st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 12, 31)),
    st.builds(
        lambda year, month, day, minutes: dt.datetime(year, month, day) + dt.timedelta(minutes=minutes),
        *(st.integers(1900, 2060), st.sampled_from([3, 4, 9, 10, 11]), st.integers(1, 30)),
        st.integers(0, 2000),
    ),
)
spans = st.timedeltas(dt.timedelta(-4000), dt.timedelta(4000))


@settings(max_examples=15)
@given(
    at=st.lists(moments, min_size=8, max_size=8),
    span=st.lists(spans, min_size=8, max_size=8),
    one=st.sampled_from(ZONES),
    other=st.sampled_from(ZONES),
    unit=st.sampled_from(["us", "ms", "s"]),
)
def test_moments_of_every_zone_print_move_and_compare_as_pythons_do(
    at: list[dt.datetime], span: list[dt.timedelta], one: str, other: str, unit: str
) -> None:
    cut = pa.array(at, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)
    rolled = pa.array([*at[1:], at[0]], pa.timestamp("us"))
    batch = pa.record_batch(
        {
            "a": cut.cast(pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit, one)),
            "b": rolled.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", other)),
            "c": cut.cast(pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit, other)),
            "d": pa.array(span, pa.duration("us")),
        }
    )
    check("{{ a }}|{{ b }}|{{ c }}", batch, lambda row: "{a}|{b}|{c}".format(**row))
    check("{{ a + d }}", batch, lambda row: row["a"] + row["d"])
    check("{{ a - d }}", batch, lambda row: row["a"] - row["d"])
    check("{{ a - b }}", batch, lambda row: row["a"] - row["b"])
    check("{{ (a + d) - (b - d) }}", batch, lambda row: (row["a"] + row["d"]) - (row["b"] - row["d"]))
    check("{{ a < b }}{{ a == b }}", batch, lambda row: f"{row['a'] < row['b']}{row['a'] == row['b']}")
    check("{{ a == c }}{{ a <= c }}", batch, lambda row: f"{row['a'] == row['c']}{row['a'] <= row['c']}")


def test_every_zone_of_tzdata_is_read() -> None:
    import importlib.resources

    names = importlib.resources.files("tzdata").joinpath("zones").read_text().split()
    at = [dt.datetime(year, month, 5, 12) for year in (1890, 1945, 1985, 2024, 2100) for month in (1, 7)]
    assert all(zone(name) is not None for name in names)
    columns = {f"c{i}": pa.array(at, pa.timestamp("s", name)) for i, name in enumerate(names)}
    batch = pa.record_batch(columns)
    source = "|".join(f"{{{{ {column} }}}}" for column in columns)
    made = Template(source).compile(batch).assemble(batch)["asset"].to_pylist()
    assert made == ["|".join(str(value) for value in row.values()) for row in to_python(batch)]


DURATIONS: dict[str, Callable[[Any, Any, Any], object]] = {
    "{{ d }}|{{ -d }}|{{ d|abs }}": lambda d, n, f: f"{d}|{-d}|{abs(d)}",
    "{{ d * n }}": lambda d, n, f: d * n,
    "{{ d / n }}": lambda d, n, f: d / n,
    "{{ d // n }}": lambda d, n, f: d // n,
    "{{ d * f }}": lambda d, n, f: d * f,
    "{{ d / f }}": lambda d, n, f: d / f,
    "{{ d % (d * n) }}": lambda d, n, f: d % (d * n),
    "{{ d // (d / 7) }}": lambda d, n, f: d // (d / 7),
    "{{ d / (d + d * n) }}": lambda d, n, f: d / (d + d * n),
    "{{ '%r' % d }}": lambda d, n, f: repr(d),
}


@settings(max_examples=15)
@given(
    d=st.lists(spans, min_size=6, max_size=6),
    n=st.lists(st.integers(-1000, 1000), min_size=6, max_size=6),
    f=st.lists(st.one_of(st.floats(-1e6, 1e6), st.floats()), min_size=6, max_size=6),
)
def test_durations_compute_as_timedeltas(d: list[dt.timedelta], n: list[int], f: list[float]) -> None:
    batch = pa.record_batch({"d": pa.array(d, pa.duration("us")), "n": n, "f": f})
    for source, expected in DURATIONS.items():
        check(source, batch, of(expected, "d", "n", "f"))


numbers = st.one_of(st.integers(-9, 9), st.floats(-20, 20), st.floats(allow_nan=False), st.booleans())


@settings(max_examples=40)
@given(base=numbers, exponent=numbers)
def test_powers_are_pythons(base: float, exponent: float) -> None:
    batch = pa.record_batch({"x": [base], "y": [exponent]})
    check("{{ x ** y }}", batch, lambda row: row["x"] ** row["y"])


bounds = st.one_of(st.none(), st.integers(-7, 7))


@settings(max_examples=40)
@given(
    text=st.text(max_size=6),
    items=st.lists(st.integers(0, 9), max_size=6),
    cut=st.tuples(bounds, bounds, bounds),
)
def test_slices_are_pythons(
    text: str, items: list[int], cut: tuple[int | None, int | None, int | None]
) -> None:
    batch = pa.record_batch({"t": [text], "xs": pa.array([items], pa.list_(pa.int64()))})
    inside = ":".join("" if bound is None else str(bound) for bound in cut)
    check(f"{{{{ t[{inside}] }}}}", batch, lambda row: row["t"][slice(*cut)])
    check(f"{{{{ xs[{inside}] }}}}", batch, lambda row: row["xs"][slice(*cut)])


def _unfolded(moments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return moments.map(lambda moment: moment.replace(fold=0))


scalars = st.one_of(
    *(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    *(
        st.dates(),
        _unfolded(st.times()),
        _unfolded(st.datetimes()),
        spans,
        st.decimals(-(10**9), 10**9, places=3),
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=4), st.integers(0, 9), st.booleans()), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=40)
@given(value=values, other=values, text=st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
def test_nested_values_print_and_compare_as_pythons(value: Any, other: Any, text: str) -> None:
    batch = pa.record_batch({"t": [text]})
    constants = {"v": value, "w": other}
    source = "{{ [t, v] }}{{ {t: v} == {t: w} }}{{ [t, v] == [t, v] }}{{ v in [w, t] }}{{ '%s' % [v] ~ t }}"
    for autoescape in (False, True):
        template = Template(source, autoescape=autoescape, undefined="default")
        made = template.compile(batch, constants=constants).assemble(batch)["asset"].to_pylist()
        oracle = jinja2.Environment(autoescape=autoescape).from_string(source)
        assert made == [oracle.render(constants | {"t": text})]


def test_a_map_is_a_dict_and_one_with_a_key_twice_stops_its_row() -> None:
    kind = pa.map_(pa.string(), pa.list_(pa.struct({"n": pa.int64()})))
    rows: list[Any] = [[("a", [{"n": 1}]), ("<", None)], [], None, [("a", []), ("a", [])]]
    batch = pa.record_batch({"m": pa.array(rows, kind)})
    source = "{{ m }}{% for k in m or [] %}{{ k }}{{ m[k] }}{% endfor %}{{ 'a' in m if m }}{{ m.a }}{{ m|length if m }}"
    table = Template(source, autoescape=True, undefined="default").compile(batch).assemble(batch)
    oracle = jinja2.Environment(autoescape=True).from_string(source)
    expected = [oracle.render(row) for row in to_python(batch.slice(0, 3))]
    assert table["asset"].to_pylist() == [*expected, None]
    assert table["code"].to_pylist() == [None, None, None, "value_error"]
    with pytest.raises(ValueError, match="key twice"):
        to_python(batch)


def test_a_long_map_is_searched_for_keys_twice() -> None:
    keys = [f"k{at}" for at in range(40)]
    rows = [[(key, at) for at, key in enumerate(keys)], [(key, 0) for key in [*keys, "k7"]]]
    batch = pa.record_batch({"m": pa.array(rows, pa.map_(pa.string(), pa.int64()))})
    table = Template("{{ m.k39 }}").compile(batch).assemble(batch)
    assert table["code"].to_pylist() == [None, "value_error"]
    assert table["asset"].to_pylist() == ["39", None]


def test_a_struct_is_a_dict_in_its_own_order_whatever_is_read_first() -> None:
    batch = pa.record_batch({"r": [{"b": 1, "a": {"z": [2], "y": None}}]})
    assert Template("{{ r.a.y }}{{ r.a.z[0] }}{{ r }}").compile(batch).assemble(batch)[
        "asset"
    ].to_pylist() == ["None2{'b': 1, 'a': {'z': [2], 'y': None}}"]
    assert "r.a" not in Template("{{ r.b }}").compile(batch).explain()
