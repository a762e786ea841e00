"""Creatives: parts in order, and components inlined where a slot calls for them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from labfactory.base.errors import AssemblyError, CompileError, SourceError
from labfactory.compiler import Environment, Plan, compile_creative

BATCH = pa.record_batch(
    {
        "name": pa.array(["Ann", "<Bob>", None, "Zoë", "E"]),
        "n": pa.array([1, 2, 0, 4, 5]),
        "slot:hero": pa.array([0, 1, 2, None, 7], pa.int32()),
        "slot:offer": pa.array([1, 0, 0, 1, 0], pa.int32()),
    }
)
SCHEMA = pa.schema({"name": pa.string(), "n": pa.int64()})
SLOTS: dict[str, Any] = {
    "hero": [
        ("mens", {"html": "<h1>Men {{ name }}</h1>{{ x is defined }}", "text": "MEN {{ name }}"}),
        ("womens", {"html": "{% set x = 2 %}<h1>W {{ slot('offer') }}{{ x }}</h1>", "text": "W"}),
        ("none", {"html": "{{ 10 // n }}", "text": ""}),
    ],
    "offer": [
        ("ten", {"html": "{{ '<10>' }}", "text": "10"}),
        ("loop", {"html": "{% for i in [1, 2] %}{{ loop.index }}{{ name }}{% endfor %}", "text": "L"}),
    ],
}
PARTS = {
    "subject": "Hi {{ name }}",
    "html": "{% set x = 1 %}<p>{{ slot('hero') }}</p>{{ x }}{{ slot('offer') }}",
    "text": "{{ name }}: {{ slot('hero') }}",
}
ENVIRONMENTS = {
    "subject": Environment(undefined="default"),
    "html": Environment(autoescape=True, undefined="default"),
    "text": Environment(undefined="default"),
}


def creative(**changes: Any) -> Plan:
    given = {"slots": SLOTS, "schema": SCHEMA, "environments": ENVIRONMENTS, "name": "welcome/warm"} | changes
    return compile_creative(given.pop("parts", PARTS), **given)


def test_every_part_is_what_jinja2_renders() -> None:
    plan = creative()
    previews = plan.preview(BATCH)
    assert len(previews) == len(BATCH) * 3
    assert [preview for preview in previews if not preview.agrees] == []
    assert {preview.row for preview in previews if preview.code} == {2, 3, 4}
    assert {preview.part for preview in previews} == {"subject", "html", "text"}


def test_a_plan_names_its_parts_slots_and_columns() -> None:
    plan = creative()
    assert plan.parts == ("subject", "html", "text")
    assert plan.slots == {"hero": ("mens", "womens", "none"), "offer": ("ten", "loop")}
    assert sorted(plan.columns) == ["n", "name", "slot:hero", "slot:offer"]
    assert plan.schema.field("slot:hero").type == pa.int32()


def test_a_row_error_points_into_the_component() -> None:
    row = {"name": "x", "n": 0, "slot:hero": 2, "slot:offer": 0}
    with pytest.raises(AssemblyError) as caught:
        creative().assemble_one(row)
    assert caught.value.code == "zero_division"
    assert "  --> hero/none.html:1:4\n   1 | {{ 10 // n }}\n     |    ^^^^^^^" in str(caught.value)


@pytest.mark.parametrize("decided", [None, -1, 3])
def test_a_row_without_a_component_is_an_error(decided: int | None) -> None:
    with pytest.raises(AssemblyError) as caught:
        creative().assemble_one({"name": "x", "n": 1, "slot:hero": decided, "slot:offer": 0})
    assert caught.value.code == "no_component"
    assert caught.value.template == "welcome/warm.html"


def test_assemble_one_gives_the_parts_by_name() -> None:
    made = creative().assemble_one({"name": "<A>", "n": 1, "slot:hero": 0, "slot:offer": 0, "other": 1})
    expected = "<p><h1>Men &lt;A&gt;</h1>False</p>1&lt;10&gt;"
    assert made == {"subject": "Hi <A>", "html": expected, "text": "<A>: MEN <A>"}


def test_assemble_one_wants_the_columns_that_the_plan_reads() -> None:
    with pytest.raises(SourceError) as caught:
        creative().assemble_one({"nme": "x", "n": 1, "slot:hero": 0, "slot:offer": 0})
    assert caught.value.code == "missing_column"
    with pytest.raises(SourceError) as caught:
        creative().assemble_one({"name": "x", "n": "many", "slot:hero": 0, "slot:offer": 0})
    assert caught.value.code == "column_type"


@pytest.mark.parametrize(
    ("slots", "code", "text"),
    [
        ({"hero": [("a", {"html": "{{ slot('hero') }}"})]}, "slot_recursion", "hero → hero"),
        (
            {"hero": [("a", {"html": "{{ slot('b') }}"})], "b": [("c", {"html": "{{ slot('hero') }}"})]},
            "slot_recursion",
            "hero → b → hero",
        ),
        ({"hro": [("a", {"html": ""})]}, "unknown_slot", "did you mean 'hro'? The slots are hro."),
        ({"hero": []}, "unknown_slot", "slot 'hero' has no components"),
        ({"hero": [("a", {"text": "x"})]}, "component_part", "component 'a' of slot 'hero'"),
        ({"hero": [("a", {"html": "x\n{{ nme }}"})]}, "unknown_column", "hero/a.html:2:4"),
        ({"hero": [("a", {"html": "x\n{% if %}"})]}, "syntax", "hero/a.html:2:7"),
    ],
)
def test_slots_that_cannot_be_linked_are_compile_errors(slots: Any, code: str, text: str) -> None:
    strict = {"html": Environment(autoescape=True)}
    with pytest.raises(CompileError) as caught:
        creative(parts={"html": "{{ slot('hero') }}"}, slots=slots, environments=strict)
    assert caught.value.code == code
    assert text in str(caught.value)


def test_parts_share_one_undefined_mode() -> None:
    from labfactory.base.errors import UsageError

    with pytest.raises(UsageError, match="one undefined mode") as caught:
        creative(environments=ENVIRONMENTS | {"text": Environment()})
    assert caught.value.code == "environment"


def test_ten_nested_slots_stay_linear() -> None:
    def size(depth: int) -> int:
        slots = {
            f"s{at}": [
                (
                    "c",
                    {
                        "html": f"a{{{{ n + {at} }}}}"
                        + (f"{{{{ slot('s{at + 1}') }}}}" if at < depth - 1 else "")
                    },
                )
            ]
            for at in range(depth)
        }
        plan = creative(parts={"html": "{{ slot('s0') }}"}, slots=slots)
        return plan.explain().count("\n")

    assert size(10) - size(9) == size(5) - size(4)


def test_ten_unions_in_a_row_stay_linear() -> None:
    def size(count: int) -> int:
        unions = "".join(f"{{% set u{at} = n if name else 'x' %}}{{{{ u{at} }}}}" for at in range(count))
        return creative(parts={"html": unions}).explain().count("\n")

    assert size(10) - size(9) == size(3) - size(2)
