"""What a producer breaks on purpose is refused by name."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from labfactory.base.errors import SourceError
from labfactory.compiler import Template

if TYPE_CHECKING:
    from collections.abc import Callable

# Positions of fields in the structs of Arrow's C data interface, in words.
SCHEMA_NAME, SCHEMA_CHILDREN = 1, 5
ARRAY_OFFSET, ARRAY_CHILDREN = 2, 6

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def words(address: int) -> Any:
    return ctypes.cast(address, ctypes.POINTER(ctypes.c_int64))


def first_child(capsule: Any, name: bytes, children: int) -> Any:
    return words(words(words(_pointer(capsule, name))[children])[0])


class Broken:
    """A batch whose C structs are changed before they are handed over."""

    def __init__(self, batch: pa.RecordBatch, change: Callable[[Any, Any], None]) -> None:
        self.batch, self.change = batch, change

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        schema, array = self.batch.__arrow_c_array__()
        self.change(
            first_child(schema, b"arrow_schema", SCHEMA_CHILDREN),
            first_child(array, b"arrow_array", ARRAY_CHILDREN),
        )
        return schema, array


@pytest.mark.parametrize("column", [["a"], [1], [[1]]])
def test_an_offset_past_all_memory_is_refused(column: list[Any]) -> None:
    batch = pa.record_batch({"x": column})

    def change(_: Any, array: Any) -> None:
        array[ARRAY_OFFSET] = 2**62

    plan = Template("{{ x is none }}").compile(batch)
    with pytest.raises(SourceError) as caught:
        plan.assemble_batch(Broken(batch, change))  # type: ignore[arg-type]
    assert caught.value.code == "arrow_malformed"


def test_a_name_that_is_not_utf_8_is_quoted_in_the_error() -> None:
    batch = pa.record_batch({"x": ["a"]})
    name = ctypes.create_string_buffer(b"\xff\xfe")

    def change(schema: Any, _: Any) -> None:
        schema[SCHEMA_NAME] = ctypes.addressof(name)

    with pytest.raises(SourceError) as caught:
        Template("{{ x }}").compile(batch).assemble_batch(Broken(batch, change))  # type: ignore[arg-type]
    assert caught.value.code == "missing_column"
    assert caught.value.hint == "The batch has \\xff\\xfe."


def test_what_stands_under_a_null_struct_is_not_read() -> None:
    # Arrow's own builder leaves index 0 of an empty dictionary there.
    kind = pa.struct([("a", pa.dictionary(pa.int8(), pa.string()))])
    batch = pa.record_batch({"s": pa.array([None, None], kind)})
    assert Template("{{ s.a|d('-') }}").compile(batch).assemble(batch)["asset"].to_pylist() == ["-", "-"]
