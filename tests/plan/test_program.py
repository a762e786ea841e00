"""Programs are verified before they run, and both machines agree on what they give."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labfactory import LabfactoryError
from labfactory._core import plan


def program(rows, *, columns=(), **options):
    """A program from rows of (opcode name, operands...)."""
    code = [[plan.OPCODES[name], *operands, *[0] * (5 - len(operands))] for name, *operands in rows]
    settings = {
        "constants": [],
        "literals": [],
        "formats": [],
        "registers": 4,
        "loops": 1,
        "tables": [],
        "functions": [],
        "parts": [],
        "spans": [(0, 1, 1, 1)],
        "templates": ["t"],
        "undefined": "strict",
        "work_limit": 1000,
        "asset_limit_bytes": 1 << 20,
    }
    return plan.Program(columns=list(columns), code=np.array(code, dtype=np.int32), **{**settings, **options})


def assembled(chunks) -> pa.Table:
    return pa.Table.from_batches([pa.record_batch(chunk) for chunk in chunks])


NUMBER = ("x", -1, "root", "integer")


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([], {}),
        ([("emit_literal", 0), ("end",)], {}),
        ([("constant", 9, 0), ("end",)], {"constants": [1]}),
        ([("constant", 0, 1), ("end",)], {"constants": [1]}),
        ([("constant", 0, 0)], {"constants": [1]}),
        ([("jump", 7), ("end",)], {}),
        ([("move", 0, 1), ("end",)], {}),
        ([("emit", 0), ("end",)], {}),
        ([("column", 0, 0), ("end",)], {}),
        ([("loop_attribute", 0, 0, 0), ("end",)], {}),
        ([("loop_next", 0, 0, 0), ("end",)], {}),
        ([("list", 0, 3, 4), ("end",)], {}),
        ([("captured", 0, 0), ("end",)], {}),
        ([("capture",), ("end",)], {}),
        ([("capture",), ("part", 0), ("captured", 0, 0), ("end",)], {"parts": ["html"]}),
        ([("capture",), ("capture",), ("captured", 0, 1), ("end",)], {}),
        (
            [
                ("constant", 0, 0),
                ("jump_if_true", 0, 3),
                ("capture",),
                ("emit", 0),
                ("captured", 1, 0),
                ("end",),
            ],
            {"constants": [1]},
        ),
        ([("fail", 0), ("end",)], {}),
        ([("fail", 99), ("end",)], {}),
        ([("constant", 0, 0), ("unpack", 1, 0, -1), ("end",)], {"constants": [1]}),
        ([("constant", 0, 0), ("filter", 1, 0, 0, 1), ("end",)], {"constants": [1]}),
        ([("constant", 0, 0), ("format", 1, 0, 0, 2), ("end",)], {"constants": [1], "formats": ["%d"]}),
        ([("slot", 0, 0), ("end",)], {"columns": [("s", -1, "root", "text")], "tables": [[1]]}),
        ([("slot", 0, 0), ("end",)], {"columns": [("s", -1, "root", "integer")], "tables": [[5]]}),
        ([("skip", 0), ("end",)], {"constants": [1]}),
        ([("call", 0, 0, 0, 0), ("end",)], {}),
        ([("part", 0), ("end",)], {}),
        ([("end",)], {"work_limit": 0}),
        ([("end",)], {"asset_limit_bytes": 1 << 40}),
        ([("end",)], {"spans": []}),
        ([("end",)], {"spans": [(3, 1, 1, 1)]}),
        ([("end",)], {"undefined": "other"}),
        ([("end",)], {"columns": [("x", 0, "field", "text")]}),
        ([("end",)], {"columns": [("x", -1, "root", "text"), ("y", 0, "field", "text")]}),
        ([("end",)], {"registers": 1 << 20}),
    ],
)
def test_a_program_that_reaches_outside_itself_is_refused(rows, options):
    with pytest.raises(LabfactoryError) as raised:
        program(rows, **options) if rows else plan.Program(
            columns=[], constants=[], literals=[], formats=[], registers=0, loops=0, tables=[], functions=[], parts=[],
            code=np.zeros((0, 6), np.int32), spans=[], templates=[], undefined="strict", work_limit=1,
            asset_limit_bytes=1,
        )  # fmt: skip
    assert raised.value.code == "plan_invalid"


def test_a_register_set_on_one_path_only_may_not_be_read():
    rows = [("constant", 0, 0), ("jump_if_false", 0, 3), ("move", 1, 0), ("emit", 1), ("end",)]
    with pytest.raises(LabfactoryError, match="not set on every path"):
        program(rows, constants=[True])


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=3000), st.integers(-5, 5))
def test_block_and_row_machine_agree(values, bound):
    rows = [
        ("column", 0, 0),
        ("constant", 1, 0),
        ("test", 2, plan.TESTS["none"], 0),
        ("jump_if_true", 2, 7),
        ("add", 3, 0, 1),
        ("greater", 2, 3, 1),
        ("jump", 8),
        ("not", 2, 2),
        ("result", 2),
    ]
    expression = program(rows, columns=[NUMBER], constants=[bound])
    batch = pa.record_batch({"x": pa.array(values, pa.int64())})
    by_block = [pa.array(a) for a in expression.evaluate(batch, "boolean", machine="block")]
    by_row = [pa.array(a) for a in expression.evaluate(batch, "boolean", machine="row")]
    assert by_block == by_row
    expected = [
        (False, None)
        if value is None
        else ((value + bound > bound), None)
        if -(2**63) <= value + bound < 2**63
        else (None, "int_overflow")
        for value in values
    ]
    assert list(zip(by_block[0].to_pylist(), by_block[1].to_pylist(), strict=True)) == expected


def test_the_sum_of_two_large_integers_is_a_row_error_not_a_wrong_number():
    doubled = program([("column", 0, 0), ("add", 1, 0, 0), ("emit", 1), ("end",)], columns=[NUMBER])
    table = assembled(doubled.assemble(pa.record_batch({"x": pa.array([1, 2**62, 3])})))
    assert table["asset"].to_pylist() == ["2", None, "6"]
    assert table["status"].to_pylist() == ["ok", "error", "ok"]
    assert table["code"].to_pylist() == [None, "int_overflow", None]
    assert table["line"].to_pylist() == [None, 1, None]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=400), st.integers(1, 3), st.integers(1, 4000))
def test_any_split_into_chunks_and_threads_gives_the_same_text(values, threads, batch_bytes):
    echo = program(
        [("part", 0), ("emit_column", 0), ("part", 1), ("emit_column_escaped", 0), ("end",)],
        columns=[("x", -1, "root", "text")],
        parts=["plain", "escaped"],
    )
    batch = pa.record_batch({"x": pa.array(values)})
    chunks = [pa.record_batch(c) for c in echo.assemble(batch, threads=threads, batch_bytes=batch_bytes)]
    parts = [row for chunk in chunks for row in chunk["parts"].to_pylist()]
    assert [row["plain"] for row in parts] == values
    for chunk in chunks:
        chunk.validate(full=True)
        total = sum(len("".join(row.values()).encode()) for row in chunk["parts"].to_pylist())
        assert total <= batch_bytes or len(chunk) == 1


def test_a_loop_beyond_the_work_limit_stops_its_row_only():
    rows = [
        ("column", 0, 0),
        ("loop_begin", 0, 0, 1, 4),
        ("emit", 1),
        ("loop_next", 0, 1, 2),
        ("end",),
    ]
    columns = [("xs", -1, "root", "list"), ("", 0, "item", "integer")]
    printed = program(rows, columns=columns, work_limit=10)
    table = assembled(printed.assemble(pa.record_batch({"xs": [[1, 2], list(range(50)), [], [7]]})))
    assert table["asset"].to_pylist() == ["12", None, "", "7"]
    assert table["code"].to_pylist() == [None, "work_limit", None, None]


def test_an_asset_over_its_limit_is_a_row_error():
    echo = program([("emit_column", 0), ("end",)], columns=[("x", -1, "root", "text")], asset_limit_bytes=100)
    table = assembled(echo.assemble(pa.record_batch({"x": ["a" * 100, "b" * 101, "c" * 100_000, "d"]})))
    assert table["code"].to_pylist() == [None, "asset_too_large", "asset_too_large", None]
    assert table["asset"].to_pylist() == ["a" * 100, None, None, "d"]


def test_a_skipped_row_keeps_its_reason_and_no_text():
    rows = [
        ("emit_column", 0),
        ("column", 0, 0),
        ("constant", 1, 0),
        ("greater", 2, 0, 1),
        ("jump_if_false", 2, 6),
        ("skip", 1),
        ("end",),
    ]
    table = assembled(
        program(rows, columns=[NUMBER], constants=[2, "too many"]).assemble(pa.record_batch({"x": [1, 3]}))
    )
    assert table.select(["status", "reason", "asset"]).to_pylist() == [
        {"status": "ok", "reason": None, "asset": "1"},
        {"status": "skipped", "reason": "too many", "asset": None},
    ]


def test_a_slot_without_a_component_is_a_row_error():
    rows = [("slot", 0, 0), ("emit_literal", 0), ("jump", 4), ("emit_literal", 1), ("end",)]
    choose = program(rows, columns=[("s", -1, "root", "integer")], literals=["A", "B"], tables=[[1, 3]])
    table = assembled(choose.assemble(pa.record_batch({"s": pa.array([0, 1, 2, None, -1])})))
    assert table["asset"].to_pylist() == ["A", "B", None, None, None]
    assert table["code"].to_pylist() == [None, None, "no_component", "no_component", "no_component"]


@pytest.mark.parametrize(
    ("column", "code"), [(pa.array(["a"]), "column_type"), (pa.array([1.5]), "column_type")]
)
def test_a_batch_of_another_type_than_the_plan_was_made_for_is_refused(column, code):
    echo = program([("emit_column", 0), ("end",)], columns=[NUMBER])
    with pytest.raises(LabfactoryError) as raised:
        echo.assemble(pa.record_batch({"x": column}))
    assert raised.value.code == code


def test_a_missing_column_is_named():
    echo = program([("emit_column", 0), ("end",)], columns=[NUMBER])
    with pytest.raises(LabfactoryError, match="'x'") as raised:
        echo.assemble(pa.record_batch({"y": [1]}))
    assert raised.value.code == "missing_column"


@pytest.mark.parametrize(("threads", "batch_bytes"), [(1025, 1000), (0, 1000), (1, 0), (1, 2**31)])
def test_options_out_of_range_are_refused(threads, batch_bytes):
    echo = program([("emit_column", 0), ("end",)], columns=[NUMBER])
    with pytest.raises(LabfactoryError) as raised:
        echo.assemble(pa.record_batch({"x": [1]}), threads=threads, batch_bytes=batch_bytes)
    assert raised.value.code == "option"


def test_bytes_that_are_not_utf8_are_a_row_error():
    echo = program([("emit_column", 0), ("end",)], columns=[("x", -1, "root", "text")])
    table = assembled(echo.assemble(pa.record_batch({"x": pa.array([b"ok", b"\xff", "ü".encode()])})))
    assert table["asset"].to_pylist() == ["ok", None, "ü"]
    assert table["code"].to_pylist() == [None, "encoding", None]


def test_the_explanation_names_columns_constants_and_places():
    text = program(
        [("column", 0, 0), ("constant", 1, 0), ("add", 2, 0, 1), ("emit", 2), ("end",)],
        columns=[NUMBER],
        constants=[7],
    ).explain()
    assert text.splitlines()[:4] == [
        "columns",
        "  x: integer",
        "code (4 registers)",
        "  0 column r0 <- x  ; t:1:1",
    ]


def test_what_is_captured_is_a_value_and_no_output():
    (chunk,) = program(
        [
            ("emit_literal", 0),
            ("capture",),
            ("emit_literal", 1),
            ("capture",),
            ("emit_column", 0),
            ("captured", 1, 1),
            ("emit_literal", 1),
            ("captured", 0, 0),
            ("emit", 1),
            ("emit_escaped", 0),
            ("end",),
        ],
        columns=[NUMBER],
        literals=["a", "<"],
    ).assemble(pa.record_batch({"x": [1, 22]}))
    assert pa.record_batch(chunk).column("asset").to_pylist() == ["a1&lt;&lt;", "a22&lt;&lt;"]


def test_a_program_fails_where_it_says():
    (chunk,) = program([("fail", plan.OUTCOMES["type_error"])]).assemble(pa.record_batch({"x": [1]}))
    assert pa.record_batch(chunk).column("code").to_pylist() == ["type_error"]


def test_appending_to_a_constant_list_leaves_the_constant_as_it_is():
    rows = [
        *(("constant", 0, 0), ("constant", 1, 1), ("append", 0, 1), ("append", 0, 1), ("emit", 0)),
        *(("constant", 0, 0), ("append", 0, 1), ("emit", 0), ("constant", 2, 0), ("emit", 2), ("end",)),
    ]
    for length in (0, 1, 3, 5, 8):
        made = program(rows, constants=[[7] * length, 9]).assemble(pa.record_batch({"x": [1, 2]}))
        text = f"{[7] * length + [9, 9]}{[7] * length + [9]}{[7] * length}"
        assert assembled(made)["asset"].to_pylist() == [text, text]
