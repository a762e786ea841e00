"""Every compile error prints where and why: the whole printed form is golden, one file per family.

An error file holds pairs of a template and the printed error, all parted by lines of `---`; ␍ ␊ ␉ stand for
the characters they picture. With LABFACTORY_WRITE_GOLDEN set the printed errors are written anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from labfactory.base.errors import CompileError
from labfactory.compiler import Environment, Expression, Template

ERRORS = Path(__file__).parent / "errors"
SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "n": pa.int64(),
        "f": pa.float64(),
        "when": pa.date32(),
        "xs": pa.list_(pa.string()),
        "rec": pa.struct({"a": pa.string(), "items": pa.int64(), "inner": pa.struct({"z": pa.int8()})}),
        "recs": pa.list_(pa.struct({"sku": pa.string(), "price": pa.float64()})),
        "money": pa.decimal256(40, 2),
        "monies": pa.list_(pa.decimal256(40, 2)),
        "odd name": pa.string(),
    }
)


def pairs(path: Path) -> list[tuple[str, str]]:
    pieces = path.read_bytes().decode().removesuffix("\n").split("\n---\n")
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def printed(source: str) -> tuple[str, str]:
    source = source.replace("␍", "\r").replace("␊", "\n").replace("␉", "\t")
    with pytest.raises(CompileError) as caught:
        Environment(autoescape=True).from_string(source, "folder/t.html").compile(SCHEMA)
    return caught.value.code, str(caught.value)


@pytest.mark.parametrize("path", sorted(ERRORS.glob("*.txt")), ids=lambda path: path.stem)
def test_compile_error_prints_where_and_why(path: Path) -> None:
    if os.environ.get("LABFACTORY_WRITE_GOLDEN"):
        sources = path.read_bytes().decode().removesuffix("\n").split("\n---\n")
        sources = sources[::2] if any(piece.startswith("[") for piece in sources) else sources
        golden = [piece for source in sources for piece in (source, "[{}] {}".format(*printed(source)))]
        path.write_bytes(("\n---\n".join(golden) + "\n").encode())
    for source, expected in pairs(path):
        assert expected == "[{}] {}".format(*printed(source))


def test_the_printed_example_of_an_unknown_column() -> None:
    schema = pa.schema({"customer_id": pa.int64(), "first_name": pa.string(), "orders": pa.int64()})
    source = "<html>\n<body>\n<p>Hi {{ first_nme }},</p>\n"
    with pytest.raises(CompileError) as caught:
        Template(source, name="welcome/warm.html").compile(schema)
    assert str(caught.value) == (
        "unknown column 'first_nme'\n"
        "  --> welcome/warm.html:3:10\n"
        "   3 | <p>Hi {{ first_nme }},</p>\n"
        "     |          ^^^^^^^^^\n"
        "  hint: did you mean 'first_name'? The schema has customer_id, first_name, orders."
    )


def test_a_line_separator_of_unicode_does_not_count_as_a_line() -> None:
    with pytest.raises(CompileError) as caught:
        Template("a\u2028b\n{{ nme }}", name="t").compile(pa.schema({"name": pa.string()}))
    assert "   2 | {{ nme }}\n     |    ^^^" in str(caught.value)


def test_hundreds_of_columns_hint_at_the_five_nearest() -> None:
    schema = pa.schema({f"column_{at}": pa.int64() for at in range(300)})
    with pytest.raises(CompileError) as caught:
        Template("{{ colum_17 }}").compile(schema)
    hint = caught.value.hint or ""
    assert hint.startswith("did you mean 'column_17'? The schema has column_17, ")
    assert hint.endswith(" and 295 more.")
    assert hint.count(",") == 4


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("xs", "expression_type"),
        ("name if n else f", "expression_type"),
        ("none", "expression_type"),
        ("nme", "unknown_column"),
        ("n +", "syntax"),
        ("n }}", "syntax"),
        ("", "syntax"),
        ("when", "expression_type"),
        ("money > 3", "column_type"),
    ],
)
def test_expression_errors_carry_their_code_and_a_position(source: str, code: str) -> None:
    with pytest.raises(CompileError) as caught:
        Expression(source, name="eligible").compile(SCHEMA)
    assert caught.value.code == code
    assert caught.value.template == "eligible"
    assert caught.value.line == 1


@pytest.mark.parametrize(
    "nesting", ["(" * 5000, "[" * 5000, "{% if n %}" * 5000, "n" + "|e" * 5000, "not " * 5000]
)
def test_absurd_nesting_is_an_error_and_not_a_crash(nesting: str) -> None:
    source = nesting if nesting.startswith("{%") else "{{ " + nesting + " }}"
    with pytest.raises(CompileError) as caught:
        Template(source).compile(SCHEMA)
    assert caught.value.code in ("too_deep", "syntax")


@pytest.mark.parametrize(
    "source",
    ["{{ '%900000000d' % 5 }}", "{{ '%d %s' % 900000000 }}"],
)
def test_formats_that_would_fill_memory_are_refused(source: str) -> None:
    with pytest.raises(CompileError) as caught:
        Template(source).compile(SCHEMA)
    assert caught.value.code in ("refused", "format")


@pytest.mark.parametrize(
    "source",
    [
        *("{{ 'x' * 900000000 }}", "{{ ([1] * 900000000)|length }}", "{{ 5.5|round(900000000, 'ceil') }}"),
        *("{{ 9 ** (9 ** 9) }}", "{{ 9.5 ** (9 ** 9) }}", "{{ ('x' * 9) ~ 9 ** 900000 }}"),
    ],
)
def test_constants_that_would_fill_memory_fail_their_rows_instead(source: str) -> None:
    batch = pa.record_batch({"n": [1]})
    (result,) = Template(source).compile(batch).assemble(batch).to_pylist()
    assert result["status"] == "error"
    assert result["code"] in ("asset_too_large", "unsupported", "int_overflow", "float_overflow")
