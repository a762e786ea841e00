"""Arrow arrays in and out."""

from typing import Any

class Array:
    """An array made by the core; any Arrow library takes it without a copy."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...
    def __arrow_c_schema__(self) -> object: ...
    def __len__(self) -> int: ...

class Stream:
    """Arrays made by the core one after another; any Arrow library reads them, once."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

def to_pylist(array: object) -> list[Any]: ...
