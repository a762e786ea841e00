"""Of the structs in a Parquet file only the fields that are asked for are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import labfactory as lf
from labfactory.base.sources import batches

if TYPE_CHECKING:
    from pathlib import Path

LINE = {"sku": "a", "count": 2}
ORDER = {
    "total": 5,
    "note": "n",
    "to": {"city": "Rome", "zip": "1"},
    "lines": [LINE, {"sku": "b", "count": 1}],
}
TABLE = pa.table(
    {
        "name": ["Ann", "Bo", "Cy"],
        "order": [ORDER, None, {**ORDER, "total": None, "to": None, "lines": None}],
        "a.b": [{"c": 1, "d": 2}, None, {"c": 3, "d": 4}],
    }
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pq.write_table(TABLE, tmp_path / "orders.parquet", row_group_size=2)
    return tmp_path / "orders.parquet"


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (["order.total"], ["total"]),
        (["order.to", "order.to.city", "order.lines", "order.lines[].sku"], ["to", "lines"]),
        (["order.absent"], ["total", "note", "to", "lines"]),
        (["orders.total", "order.total.more", "order"], ["total", "note", "to", "lines"]),
        ([], ["total", "note", "to", "lines"]),
    ],
)
def test_a_struct_has_the_fields_that_are_asked_for(path: Path, fields: list[str], kept: list[str]) -> None:
    read = pa.Table.from_batches(batches(path, columns=["order", "name"], fields=fields))
    assert read.column_names == ["order", "name"]
    assert [field.name for field in read.schema.field("order").type] == kept
    expected = [
        None if one is None else {name: one[name] for name in kept} for one in TABLE["order"].to_pylist()
    ]
    if "order.to.city" in fields:
        assert [field.name for field in read.schema.field("order").type.field("to").type] == ["city"]
        for one in expected:
            if one and one["to"]:
                one["to"] = {"city": "Rome"}
    assert read["order"].to_pylist() == expected


def test_a_name_with_a_dot_is_a_column_of_its_own(path: Path) -> None:
    read = pa.Table.from_batches(batches(path, columns=["a.b"], fields=["a.b.c"]))
    assert [None if one is None else one["c"] for one in read["a.b"].to_pylist()] == [1, None, 3]


@pytest.mark.parametrize(
    "source",
    [
        "{{ order.total if order else '-' }}",
        "{{ order.to.city if order and order.to }}",
        "{{ order is none }}",
        "{% if order %}{% for line in order.lines or [] %}{{ line.sku }}{{ order.to.zip }}{% endfor %}{% endif %}",
        "{{ order }}",
        "{{ name }}{{ order.note|default('x') if order else 1 }}",
    ],
)
def test_a_plan_makes_the_same_of_a_file_as_of_its_table(path: Path, source: str) -> None:
    plan = lf.Template(source).compile(TABLE)
    assert plan.assemble(path, verify=3).to_pylist() == plan.assemble(TABLE).to_pylist()
