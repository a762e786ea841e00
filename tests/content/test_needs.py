"""What a creative needs of columns is checked before its templates are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from labfactory.base.errors import ContentError
from labfactory.compiler import Environment
from labfactory.content import Creative, Library, LibraryError, channel

FILES = {
    "hello/short/creative.toml": b"""channel = "sms"
optional = ["balance"]

[environment]
variable_start_string = "[["
variable_end_string = "]]"
line_comment_prefix = "##"

[needs]
balance = "number"
first_name = "text"
points = "integer"
seen = "timestamp"
""",
    "hello/short/text.j2": b"## for all\nHi [[ first_name ]]: {{ [[ points ]] }}",
}
SCHEMA = pa.schema(
    {"first_name": pa.string(), "points": pa.int32(), "seen": pa.timestamp("us", "UTC"), "more": pa.binary()}
)


def creative() -> Creative:
    return Library.from_files(FILES).creative("hello/short")


def test_a_schema_that_has_what_is_needed_compiles() -> None:
    customers = pa.record_batch({"first_name": ["Ann"], "points": [3], "seen": pa.nulls(1)})
    assets = creative().compile(customers.schema).assemble(customers)
    assert assets["parts"].to_pylist() == [{"text": "\nHi Ann: {{ 3 }}"}]


def test_all_that_is_missing_or_of_another_kind_is_told_in_one_error() -> None:
    schema = pa.schema({"frist_name": pa.string(), "points": pa.float64(), "balance": pa.string()})
    for use in (creative().compile, creative().check):
        with pytest.raises(ContentError) as caught:
            use(schema)
        assert caught.value.code == "needs"
        assert caught.value.template == "hello/short/creative.toml"
        assert caught.value.message == (
            "expected columns as the creative needs them, found 'balance' of string (number needed); "
            "no 'first_name' (text); 'points' of double (integer needed); no 'seen' (timestamp)"
        )
        assert "frist_name" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("kind", "fits", "does_not"),
    [
        ("text", pa.dictionary(pa.int8(), pa.string()), pa.int64()),
        ("number", pa.decimal128(9, 2), pa.bool_()),
        ("number", pa.float32(), pa.string()),
        ("integer", pa.uint8(), pa.float64()),
        ("decimal", pa.decimal128(9, 2), pa.float64()),
        ("boolean", pa.bool_(), pa.int8()),
        ("date", pa.date32(), pa.timestamp("s")),
        ("timestamp", pa.timestamp("s"), pa.date32()),
        ("time", pa.time64("us"), pa.duration("us")),
        ("duration", pa.duration("us"), pa.time64("us")),
        ("list", pa.large_list(pa.string()), pa.string()),
        ("map", pa.map_(pa.string(), pa.int8()), pa.struct({"a": pa.int8()})),
        ("record", pa.struct({"a": pa.int8()}), pa.map_(pa.string(), pa.int8())),
    ],
)
def test_each_kind_takes_its_columns_and_no_others(
    kind: str, fits: pa.DataType, does_not: pa.DataType
) -> None:
    needs = {"it": kind}
    one = Creative(name="a/b", channel=channel("sms"), parts={"text": "Hi"}, needs=needs)  # type: ignore[arg-type]
    for accepted in (fits, pa.null()):
        one.compile(pa.schema({"it": accepted}))
    with pytest.raises(ContentError, match="needed"):
        one.compile(pa.schema({"it": does_not}))


def test_an_unknown_kind_and_a_wrong_delimiter_are_told_together_with_their_lines() -> None:
    other = {path.replace("short", "other"): data for path, data in FILES.items()}
    files = {**FILES, **other}
    files["hello/short/creative.toml"] = b'channel = "sms"\n\n[needs]\nfirst_name = "txt"\n'
    files["hello/other/creative.toml"] = b'channel = "sms"\n\n[environment]\nblock_start_string = ""\n'
    with pytest.raises(LibraryError) as caught:
        Library.from_files(files)
    found = sorted((problem.code, problem.template, problem.line) for problem in caught.value.problems)
    assert found == [
        ("declaration", "hello/short/creative.toml", 4),
        ("environment", "hello/other/creative.toml", 3),
    ]
    with pytest.raises(ContentError) as refused:
        Creative(name="a/b", channel=channel("sms"), parts={"text": "Hi"}, needs={"it": "txt"})  # type: ignore[dict-item]
    assert refused.value.code == "declaration"
    assert refused.value.hint is not None


def test_needs_and_delimiters_come_back_from_files() -> None:
    library = Library.from_files(FILES)
    assert Library.from_files(library.files()) == library
    environment = library.creative("hello/short").environment
    expected = Environment(variable_start_string="[[", variable_end_string="]]", line_comment_prefix="##")
    assert environment.to_dict() == expected.to_dict()
    assert dict(library.creative("hello/short").needs)["seen"] == "timestamp"
