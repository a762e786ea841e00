"""Frozen records read back from the JSON that they wrote."""

from __future__ import annotations

from typing import Any, TypeVar

from labfactory.base.canonical import parse_json
from labfactory.base.errors import HandoffError, StatisticsError

Record = TypeVar("Record")


def read_record(kind: type[Record], data: bytes, *, expected: str, code: str) -> Record:
    """Read what `to_json` of a record wrote.

    Args:
        kind: The record's type.
        data: JSON bytes.
        expected: What the record is, for the error: `an evaluation`.
        code: Code of the error.

    Returns:
        A record equal to the one that was written.

    Raises:
        StatisticsError: With that code, naming the first field that is not as expected.
    """
    # Only reading needs pydantic, and it takes a while to import.
    from pydantic import TypeAdapter, ValidationError

    try:
        parse_json(data)
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        found: Record = adapter.validate_json(data, strict=True)
    except HandoffError as error:
        raise StatisticsError(error.message, code=code) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = f"expected {expected}, found at {place}: {first['msg'].lower()}"
        raise StatisticsError(message, code=code) from error
    return found
