"""Plans run over anything Arrow, in any batches, on any number of threads, and say what they are."""

from __future__ import annotations

import contextlib
import math
import mmap
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest

from labfactory.base.errors import CompileError, SourceError, UsageError
from labfactory.compiler import Environment, Template
from labfactory.testing import to_python

if TYPE_CHECKING:
    import pathlib

ROWS = 1000
FRAME = pl.DataFrame(
    {
        "name": [None if at % 7 == 0 else f"<{at}> ü" for at in range(ROWS)],
        "points": list(range(ROWS)),
        "basket": [[{"sku": f"s{n}", "price": n / 3} for n in range(at % 4)] for at in range(ROWS)],
    }
)
SOURCE = (
    "Hi {{ name|default('you', true) }}:{% for b in basket %} {{ loop.index }} {{ b.sku }}"
    " {{ '%.2f' % b.price }}{% else %} nothing{% endfor %}"
    "{% if points > 990 %} {{ 1 // (points - 995) }}{% endif %}"
)


def test_batches_and_threads_change_nothing() -> None:
    plan = Template(SOURCE, autoescape=True).compile(FRAME)
    whole = plan.assemble(FRAME, threads=1).combine_chunks()
    for threads in (1, 2):
        for batch_bytes in (1000, 1 << 20):
            again = plan.assemble(FRAME, threads=threads, batch_bytes=batch_bytes)
            assert again.to_pylist() == whole.to_pylist()
    table = FRAME.to_arrow()
    sliced = pa.concat_tables([table.slice(0, 333), table.slice(333, 1), table.slice(334)])
    assert plan.assemble(sliced).to_pylist() == whole.to_pylist()
    assert [row for batch in plan.stream(FRAME) for row in batch.to_pylist()] == whole.to_pylist()


def test_a_failed_row_has_its_code_and_position() -> None:
    rows = Template(SOURCE, name="t.txt").compile(FRAME).assemble(FRAME).to_pylist()
    (failed,) = [row for row in rows if row["status"] != "ok"]
    assert rows.index(failed) == 995
    assert failed == {
        "status": "error",
        "reason": None,
        "code": "zero_division",
        "template": "t.txt",
        "line": 1,
        "column": SOURCE.index("1 // (points") + 1,
        "asset": None,
    }


def test_preview_sets_jinja2_beside_the_plan() -> None:
    plan = Template(SOURCE, autoescape=True).compile(FRAME)
    previews = plan.preview(FRAME.slice(980))
    assert all(preview.agrees for preview in previews)
    assert [preview.code for preview in previews if preview.code] == ["zero_division"]
    assert previews[15].exception == "ZeroDivisionError: integer division or modulo by zero"
    rows = plan.preview([{"name": "x", "points": 1, "basket": []}])
    assert rows[0].text == rows[0].jinja2 == "Hi x: nothing"


def test_a_lone_template_gives_text() -> None:
    plan = Template("Hi {{ name }}, {{ points }} points").compile(FRAME)
    assert plan.assemble_one({"name": "Ann", "points": 3}) == "Hi Ann, 3 points"
    assert plan.columns == ("name", "points")
    assert repr(plan) == "Plan(<template>; reads name, points)"


def test_a_template_without_columns_runs() -> None:
    plan = Template("Hello {{ year }}").compile(FRAME, constants={"year": 2026})
    assert plan.columns == ()
    assert plan.assemble_one({}) == "Hello 2026"
    assert plan.assemble(FRAME.head(3)).column("asset").to_pylist() == ["Hello 2026"] * 3


def test_a_table_without_rows_gives_a_table_without_rows() -> None:
    plan = Template(SOURCE).compile(FRAME)
    made = plan.assemble(FRAME.head(0))
    assert made.num_rows == 0
    assert made.schema.names == ["status", "reason", "code", "template", "line", "column", "asset"]


def test_a_plan_outlives_its_template_and_is_stable_text() -> None:
    text = Template("{{ name|upper }} and {{ points }}").compile(FRAME).explain()
    assert text == Template("{{ name|upper }} and {{ points }}").compile(FRAME.schema).explain()
    assert "filter" in text
    assert '" and "' in text


def test_neighbouring_literals_become_one() -> None:
    text = Template("a{{ 'b' }}{# c #}{{ 1 + 1 }}{{ year }}d").compile(FRAME, constants={"year": 3}).explain()
    assert text.count("emit_literal") == 1
    assert '"ab23d"' in text


def test_registers_are_used_again() -> None:
    source = "{{ points + 1 }}" * 50
    assert "code (3 registers)" in Template(source).compile(FRAME).explain()


def test_environment_reads_mappings_and_folders(tmp_path: pathlib.Path) -> None:
    mapped = Environment(loader={"a.txt": "A {{ points }}"})
    assert mapped.get_template("a.txt").compile(FRAME).assemble_one({"points": 1}) == "A 1"
    (tmp_path / "b.txt").write_text("B {{ points }}\n", encoding="utf-8")
    folder = Environment(loader=tmp_path, keep_trailing_newline=True)
    assert folder.get_template("b.txt").compile(FRAME).assemble_one({"points": 1}) == "B 1\n"
    for environment, name in ((mapped, "c"), (folder, "../x"), (Environment(), "x")):
        with pytest.raises(UsageError) as caught:
            environment.get_template(name)
        assert caught.value.code == "template_not_found"


def test_environment_refuses_options_it_does_not_know() -> None:
    with pytest.raises(UsageError, match="unknown undefined mode 'strct'") as caught:
        Environment(undefined="strct")  # type: ignore[arg-type]
    assert caught.value.code == "environment"
    with pytest.raises(UsageError, match="expected autoescape to be true or false"):
        Environment(autoescape="html")  # type: ignore[arg-type]
    with pytest.raises(CompileError, match=r"the extension 'jinja2.ext.debug' is not covered"):
        Environment(extensions=("jinja2.ext.debug",))
    assert Environment(trim_blocks=True).to_dict()["trim_blocks"] is True


def test_compile_refuses_what_it_cannot_honour() -> None:
    template = Template("{{ points }}")
    with pytest.raises(UsageError, match="expected a table and its key column"):
        template.compile(FRAME, tables={"products": object()})
    with pytest.raises(CompileError, match="found 'points' as both") as caught:
        template.compile(FRAME, constants={"points": 1})
    assert caught.value.code == "duplicate_name"
    twice = pa.schema([pa.field("a", pa.int8()), pa.field("a", pa.int8())])
    with pytest.raises(CompileError, match="found 'a' twice"):
        template.compile(twice)
    with pytest.raises(UsageError, match="names of optional columns"):
        template.compile(FRAME, optional="points")


def test_a_float_is_no_integer_of_a_row() -> None:
    plan = Template("{{ n }}").compile(pa.schema({"n": pa.int64()}))
    with pytest.raises(SourceError, match=r"expected int64 for the column 'n', found 1\.5") as caught:
        plan.assemble_one({"n": 1.5})
    assert caught.value.code == "column_type"


def test_nan_in_a_list_is_a_row_error_where_python_asks_for_identity() -> None:
    batch = pa.record_batch({"f": [math.nan, 2.5], "fs": [[math.nan, 1.0], [2.5]]})
    for source in (
        "{{ f in [f] }}",
        "{{ f not in fs }}",
        "{{ fs == fs }}",
        "{{ [f] <= [f] }}",
        "{{ (f,) == (f,) }}",
    ):
        made = Template(source).compile(batch).assemble(batch)
        assert made["code"].to_pylist() == ["unsupported", None]
        assert made["asset"].to_pylist()[1] in ("True", "False")
    made = Template("{{ f == f }}{{ f in [1.0, 2.5] }}").compile(batch).assemble(batch)
    assert made["asset"].to_pylist() == ["FalseFalse", "TrueTrue"]


def test_dictionaries_of_views_are_read_by_the_oracle() -> None:
    values = pa.DictionaryArray.from_arrays(pa.array([1, None, 0]), pa.array(["a", "b"], pa.string_view()))
    assert to_python(pa.record_batch({"x": values})) == [{"x": "b"}, {"x": None}, {"x": "a"}]


def test_a_text_of_more_than_four_gibibytes_is_a_row_error() -> None:
    size = (4 << 30) + 3
    # Never touched, so it takes no memory.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    with contextlib.closing(mmap.mmap(-1, size, flags=flags)) as memory:
        for kind in (pa.large_string(), pa.large_binary()):
            offsets = pa.array([0, size, size], pa.int64()).buffers()[1]
            text = pa.Array.from_buffers(kind, 2, [None, offsets, pa.py_buffer(memory)])
            batch = pa.record_batch([text], names=["t"])
            made = Template("{{ t }}!").compile(batch).assemble_batch(batch)[0]
            assert made["code"].to_pylist() == ["asset_too_large", None]
            assert made["asset"].to_pylist() == [None, "!"]
            del text, batch


def test_looking_through_lists_counts_as_work() -> None:
    batch = pa.record_batch({"xs": [list(range(20_000)), [1, 2]]})
    for source in (
        "{% for x in xs %}{{ x in xs }}{% endfor %}",
        "{% for x in xs %}{{ xs == xs }}{% endfor %}",
    ):
        made = Template(source).compile(batch).assemble(batch)
        assert made["code"].to_pylist() == ["work_limit", None]
        assert made["asset"].to_pylist() == [None, "TrueTrue"]


def test_looking_through_text_counts_as_work() -> None:
    batch = pa.record_batch({"t": ["x" * 4_000_000, "xy"], "xs": [list(range(1000)), [1, 2]]})
    for value in (
        "'y' in t",
        "t|length",
        "t == t ~ ''",
        "t|trim('z')|string is none",
        "t|replace('z', '') is none",
    ):
        source = f"{{% for x in xs %}}{{% if {value} %}}{{% endif %}}{{% endfor %}}"
        made = Template(source).compile(batch).assemble(batch)
        assert made["status"].to_pylist() == ["error", "ok"]


def test_a_text_is_found_in_time_that_grows_with_its_length() -> None:
    batch = pa.record_batch({"t": ["a" * 2_000_000], "part": ["a" * 1_000_000 + "b"]})
    plan = Template("{{ part in t }}{{ t|replace(part, '')|length }}").compile(batch)
    assert plan.assemble(batch)["asset"].to_pylist() == ["False2000000"]


def test_an_empty_batch_of_any_column_gives_an_empty_table() -> None:
    for kind in (pa.date32(), pa.timestamp("us"), pa.string_view()):
        schema = pa.schema({"x": pa.dictionary(pa.int8(), kind)})
        plan = Template("{{ x }}").compile(schema)
        assert plan.assemble(schema.empty_table()).num_rows == 0
        assert plan.assemble_one({"x": None}) == "None"


def test_a_plan_lists_the_columns_and_struct_fields_that_it_reads() -> None:
    line = pa.struct({"sku": pa.string(), "count": pa.int64()})
    order = pa.struct({"total": pa.int64(), "note": pa.string(), "lines": pa.list_(line)})
    schema = pa.schema(
        {"order": order, "name": pa.string(), "more": order, "rates": pa.map_(pa.string(), line)}
    )
    source = (
        "{{ name }} {{ order.total }}{% for one in order.lines %}{{ one.sku }}{% endfor %}"
        "{{ rates['x'].count if 'x' in rates }}"
    )
    plan = Template(source).compile(schema)
    assert plan.columns == ("name", "order", "rates")
    assert plan.fields == ("order.total", "order.lines", "order.lines[].sku", "rates{value}.count")
    assert [path for path in plan.fields if f"  {path}: " not in plan.explain()] == []
    whole = Template("{{ more }}").compile(schema)
    assert whole.fields == ("more.total", "more.note", "more.lines", "more.lines[].sku", "more.lines[].count")
    joined = Template("{{ name }}{{ t.title }}").compile(
        schema, tables={"t": (pa.table({"name": ["a"], "title": ["x"]}), "name")}
    )
    assert (joined.columns, joined.fields) == (("name",), ())
