"""Functions that compile is given: called once for each arguments, held to Jinja2 calling them row by row."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import jinja2
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

import labfactory as lf
from labfactory.base.errors import CompileError, UsageError
from labfactory.testing import to_python


@lf.function({"amount": pa.int64(), "unit": pa.string()}, returns=pa.string())
def priced(amount: pa.Array, unit: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(amount.cast(pa.string()), unit, " ")


@lf.function(returns=pa.int64(), scalar=True)
def successor(number: int) -> int:
    return number + 1


@lf.function(returns=pa.string(), scalar=True, markup=True)
def bold(text: str) -> str:
    return f"<b>{text}</b>"


@lf.function(returns=pa.list_(pa.string()), scalar=True)
def words(text: str) -> list[str]:
    return text.split()


FUNCTIONS = lf.Functions(priced, successor, bold, words)
ROWS = pa.table(
    {
        "n": pa.array([3, None, -1, 3], pa.int64()),
        "name": ["Ann <x>", "Bo & Cy", "", None],
        "sizes": [[1, 2, 3], [], None, [5]],
    }
)
TEMPLATES = [
    "{{ priced(n, 'EUR') }}",
    "{{ priced(unit='EUR', amount=n) }}",
    "{% if n is not none %}{{ successor(successor(n) * 2) }}{% endif %}",
    "{% for size in sizes or [] %}{{ loop.index }}:{{ priced(successor(size), name) }} {% endfor %}",
    "{{ bold(name or 'you') }}{{ bold(name or 'you')|upper }}",
    "{{ words(name or 'a b')|join('+') }}{% for word in words('x y') %}[{{ word }}]{% endfor %}",
    "{% set x = successor(41) %}{{ x }} {{ 'yes' if n == 3 and successor(n) == 4 else 'no' }}",
]


def rendered(source: str, rows: pa.Table, functions: lf.Functions) -> list[str]:
    jinja = jinja2.Environment(autoescape=True)
    jinja.globals.update({name: function.one for name, function in functions.items()})
    template = jinja.from_string(source)
    return [template.render(row) for row in to_python(rows)]


@pytest.mark.parametrize("source", TEMPLATES)
def test_a_function_gives_what_it_gives_in_jinja2(source):
    plan = lf.Template(source, autoescape=True).compile(ROWS, functions=FUNCTIONS)
    assert plan.assemble(ROWS)["asset"].to_pylist() == rendered(source, ROWS, FUNCTIONS)
    assert all(preview.agrees for preview in plan.preview(ROWS))


@given(st.lists(st.integers(-5, 5), max_size=40), st.integers(1, 9), st.sampled_from([1, 2]))
def test_batches_and_threads_change_nothing(numbers, size, threads):
    source = "{{ priced(n, 'x') }}{% for i in range_of %}{{ successor(n + i) }}{% endfor %}"
    table = pa.table({"n": pa.array(numbers, pa.int64()), "range_of": [[0, 1]] * len(numbers)})
    plan = lf.Template(source, autoescape=True).compile(table, functions=FUNCTIONS)
    chunked = pa.Table.from_batches(table.to_batches(max_chunksize=size), schema=table.schema)
    assert plan.assemble(chunked, threads=threads)["asset"].to_pylist() == rendered(source, table, FUNCTIONS)


def test_it_is_called_once_for_each_arguments_whatever_the_rows():
    asked: list[int] = []

    @lf.function({"number": pa.int64()}, returns=pa.int64())
    def counted(number: pa.Array) -> pa.Array:
        asked.extend(number.to_pylist())
        return number

    rows = pa.table({"n": [1, 2] * 500, "m": [7] * 1000})
    plan = lf.Template("{{ counted(n) }}{{ counted(m) }}{{ counted(0) }}").compile(
        rows, functions=lf.Functions(counted)
    )
    assert asked == [0]  # constant arguments: once, when it is compiled
    plan.assemble(rows)
    assert sorted(asked[1:]) == [1, 2, 7]


def test_an_error_of_a_row_that_never_gets_there_is_dropped():
    @lf.function(returns=pa.int64(), scalar=True)
    def inverse(number: int) -> int:
        return 12 // number

    rows = pa.table({"n": [0, 3, 0], "show": [False, True, True]})
    plan = lf.Template("a{% if show %}{{ inverse(n) }}{% endif %}").compile(
        rows, functions=lf.Functions(inverse)
    )
    made = plan.assemble(rows)
    assert made["asset"].to_pylist() == ["a", "a4", None]
    assert made["code"].to_pylist() == [None, None, "function_failed"]
    assert (made["line"][2].as_py(), made["column"][2].as_py()) == (1, 18)


def test_one_bad_argument_does_not_fail_the_others_of_a_vectorised_function():
    @lf.function({"number": pa.int64()}, returns=pa.int64())
    def picky(number: pa.Array) -> pa.Array:
        return pc.divide_checked(pa.scalar(12), number)

    rows = pa.table({"n": [0, 3, 4]})
    made = lf.Template("{{ picky(n) }}").compile(rows, functions=lf.Functions(picky)).assemble(rows)
    assert made["asset"].to_pylist() == [None, "4", "3"]


def test_an_argument_of_another_type_is_a_row_error_and_a_chain_without_end_stops():
    rows = pa.table({"n": ["1", "x"], "turns": [list(range(200))] * 2})
    made = lf.Template("{{ priced(n, 'x') }}").compile(rows, functions=FUNCTIONS).assemble(rows)
    assert made["code"].to_pylist() == ["function_failed"] * 2
    chain = "{% for t in turns %}{% if successor(loop.index) > 0 and successor(successor(t)) > 1 %}{% endif %}{% endfor %}"
    assert (
        lf.Template(chain).compile(rows, functions=FUNCTIONS).assemble(rows)["code"].to_pylist()
        == ["work_limit"] * 2
    )


def test_bad_declarations_and_calls_are_refused_by_name():
    with pytest.raises(UsageError) as refused:
        lf.function({"amount": pa.int64()}, returns=pa.string())(lambda amount, unit: amount)
    assert refused.value.code == "function"
    with pytest.raises(UsageError) as refused:
        lf.function(returns=pa.struct({"a": pa.int64()}), scalar=True)(bold.call)
    assert refused.value.code == "function"
    with pytest.raises(UsageError) as refused:
        lf.Functions(successor, successor)
    assert refused.value.code == "duplicate_name"
    with pytest.raises(CompileError) as unknown:
        lf.Template("{{ successor() }}").compile(ROWS, functions=FUNCTIONS)
    assert (unknown.value.code, unknown.value.column) == ("arguments", 4)
    with pytest.raises(CompileError) as failed:
        lf.Template("{{ successor('a') }}").compile(ROWS, functions=FUNCTIONS)
    assert failed.value.code == "function_failed"
    with pytest.raises(CompileError) as shared:
        lf.Template("{{ n }}").compile(pa.table({"words": ["a"]}), functions=FUNCTIONS)
    assert shared.value.code == "duplicate_name"


def test_a_column_or_a_name_that_the_template_assigns_hides_no_function_silently():
    with pytest.raises(CompileError):
        lf.Template("{% set successor = n %}{{ successor(1) }}").compile(ROWS, functions=FUNCTIONS)


# What CLDR's charts show for these locales; Babel is the source, not the measure.
GERMAN = [
    ("money(1234.5)", "1.234,50\u00a0€"),
    ("money(3, 'USD')", "3,00\u00a0$"),
    ("money(none)", "None"),
    ("number(1234567.891)", "1.234.567,891"),
    ("number(2, digits=2)", "2,00"),
    ("percent(0.256)", "26\u00a0%"),
    ("percent(0.256, 1)", "25,6\u00a0%"),
    ("date(day)", "05.03.2026"),
    ("date(day, 'long')", "5. März 2026"),
    ("date(day, 'EEEE')", "Donnerstag"),
    ("time(now)", "13:05"),
    ("plural(1, 'Artikel', one='Stück')", "Stück"),
    ("plural(3, 'Artikel', one='Stück')", "Artikel"),
    (
        "url('https://example.com/a?x=1', utm_source='news letter', id=7)",
        "https://example.com/a?x=1&utm_source=news%20letter&id=7",
    ),
    (
        "url('https://example.com/?utm_source=a#top', utm_source='b', z=none)",
        "https://example.com/?utm_source=b#top",
    ),
]


@pytest.mark.parametrize(("call", "expected"), GERMAN)
def test_the_functions_of_a_locale_write_as_it_does(call, expected):
    functions = lf.Functions.standard(locale="de_DE", currency="EUR", zone="Europe/Berlin")
    constants = {"now": datetime(2026, 3, 5, 12, 5, tzinfo=UTC), "day": date(2026, 3, 5)}
    plan = lf.Template("{{ " + call + " }}").compile(
        pa.table({"row": [1]}), functions=functions, constants=constants
    )
    assert plan.assemble_one({"row": 1}) == expected


def test_a_locale_formats_a_whole_column():
    frame = pl.DataFrame({"amount": [1.5, None, 2_000_000.0], "at": [date(2026, 1, 31)] * 3})
    functions = lf.Functions.standard(locale="en_US", currency="USD") | lf.Functions(bold)
    plan = lf.Template("{{ bold(money(amount or 0)) }} {{ date(at, 'short') }}", autoescape=True).compile(
        frame, functions=functions
    )
    assert plan.assemble(frame)["asset"].to_pylist() == [
        "<b>$1.50</b> 1/31/26",
        "<b>$0.00</b> 1/31/26",
        "<b>$2,000,000.00</b> 1/31/26",
    ]


def test_an_unknown_locale_or_zone_is_named():
    for options in ({"locale": "xx_YY"}, {"locale": "de_DE", "zone": "Mars/Base"}, {"locale": "?"}):
        with pytest.raises(UsageError) as refused:
            lf.Functions.standard(**options)
        assert refused.value.code == "locale"


def test_without_babel_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(UsageError) as refused:
        lf.Functions.standard(locale="de_DE")
    assert refused.value.code == "missing_extra"
    assert "labfactory[i18n]" in (refused.value.hint or "")


def test_markup_and_decimals_come_back_as_what_they_are():
    assert isinstance(bold.one("x"), Markup)
    functions = lf.Functions.standard(locale="en_US", currency="USD")
    assert functions["money"].one(Decimal("1.005")) == "$1.00"


EXPRESSIONS = [
    "successor(n)",
    "successor(successor(n) * 2) + successor(n)",
    "priced(n, 'EUR') == '3 EUR'",
    "n is not none and successor(n) > 3",
    "successor(n) if name else -1",
    "successor(sizes[0]) if sizes else 0",
    "words(name or 'a b')|length + successor(41)",
    "bold(name or 'you')|upper",
    "successor(40 + 1)",
]


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_an_expression_calls_functions_as_jinja2_does(source):
    oracle = jinja2.Environment().compile_expression(source)
    context = {name: function.one for name, function in FUNCTIONS.items()}
    plan = lf.Expression(source).compile(ROWS, functions=FUNCTIONS)
    values, codes = plan.evaluate_batch(ROWS.to_batches()[0])
    for row, value, code in zip(to_python(ROWS), values.to_pylist(), codes.to_pylist(), strict=True):
        try:
            expected = (oracle(**row, **context), None)
        except (AttributeError, TypeError):  # what a function raises of None is its own
            expected = (None, "function_failed")
        assert (value, code) == expected


@given(st.lists(st.integers(-5, 5), max_size=40), st.integers(1, 9))
def test_an_expression_gives_the_same_whatever_the_batches(numbers, size):
    plan = lf.Expression("successor(n) + (successor(n * 2) if n > 0 else 0)").compile(
        pa.schema({"n": pa.int64()}), functions=FUNCTIONS
    )
    whole = pa.table({"n": pa.array(numbers, pa.int64())})
    pieces = pa.Table.from_batches(whole.to_batches(max_chunksize=size), whole.schema)
    expected = [n + 1 + (n * 2 + 1 if n > 0 else 0) for n in numbers]
    assert plan.evaluate(pieces).to_pylist() == expected == plan.evaluate(whole).to_pylist()


def test_an_expressions_function_is_called_once_for_each_arguments():
    asked: list[int] = []

    @lf.function(returns=pa.int64(), scalar=True)
    def seen(number):
        asked.append(number)
        return number

    table = pa.table({"n": [1, 2, 1, 3] * 100})
    pieces = pa.Table.from_batches(table.to_batches(max_chunksize=7))
    plan = lf.Expression("seen(n) + seen(n + 10)").compile(table, functions=lf.Functions(seen))
    assert plan.columns == ("n",)
    plan.evaluate(pieces)
    assert sorted(asked) == [1, 2, 3, 11, 12, 13]


def test_an_expression_whose_calls_never_end_is_a_row_error():
    @lf.function(returns=pa.bool_(), scalar=True)
    def truth(number):
        return True

    source = " and ".join(f"truth(n + {step})" for step in range(150))
    plan = lf.Expression(source).compile(pa.schema({"n": pa.int64()}), functions=lf.Functions(truth))
    with pytest.raises(lf.AssemblyError) as failed:
        plan.evaluate(pa.table({"n": [1]}))
    assert failed.value.code == "work_limit"


def test_wrong_calls_of_an_expression_are_refused_by_name():
    for source, functions, code in (
        ("successor(n, 2)", FUNCTIONS, "arguments"),
        ("nothing(n)", FUNCTIONS, "refused"),
        ("successor(n)", None, "refused"),
        ("successor('x')", FUNCTIONS, "function_failed"),
        ("words(n)", FUNCTIONS, "expression_type"),
    ):
        with pytest.raises(CompileError) as refused:
            lf.Expression(source).compile(pa.schema({"n": pa.int64()}), functions=functions)
        assert refused.value.code == code, source
    with pytest.raises(CompileError) as twice:
        lf.Expression("n").compile(pa.schema({"n": pa.int64(), "bold": pa.bool_()}), functions=FUNCTIONS)
    assert twice.value.code == "duplicate_name"
