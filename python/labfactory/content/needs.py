"""Needs: what a creative's author expects of the customers' columns, checked before templates are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from labfactory.base.errors import ContentError, nearest
from labfactory.base.sources import schema_of
from labfactory.compiler.types import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

Need = Literal[
    "boolean",
    "date",
    "decimal",
    "duration",
    "integer",
    "list",
    "map",
    "number",
    "record",
    "text",
    "time",
    "timestamp",
]
NEEDS: tuple[str, ...] = get_args(Need)

# Kinds of columns that are a need by another name.
_ALSO = {
    "number": frozenset({"integer", "floating", "decimal"}),
    "timestamp": frozenset({"timestamp", "zoned"}),
}


def unknown_needs(needs: Mapping[str, str], template: str) -> Iterator[ContentError]:
    """What is no kind of column.

    Yields:
        `declaration`, for each need of a kind that there is not.
    """
    for column, kind in needs.items():
        if kind not in NEEDS:
            message = f"'needs.{column}': expected a kind of column, found {kind!r}"
            yield ContentError(message, code="declaration", template=template, hint=nearest(str(kind), NEEDS))


def check_needs(needs: Mapping[str, str], data: object, *, optional: Iterable[str], template: str) -> None:
    """Refuse a schema that does not have what a creative needs.

    Args:
        needs: Kinds by column.
        data: A schema, or a frame, table, batch, reader or file that has one.
        optional: Columns that may be missing; if they are there, their kind must be right.
        template: The declaration's path, for errors.

    Raises:
        ContentError: `needs`, with every column that is missing or of another kind.
    """
    if not needs:
        return
    schema = schema_of(data)
    if wrong := list(_wrong(needs, schema, set(optional))):
        missing = next((column for column in needs if column not in schema.names), "")
        message = f"expected columns as the creative needs them, found {'; '.join(wrong)}"
        raise ContentError(
            message,
            code="needs",
            template=template,
            hint=nearest(missing, schema.names) if missing else None,
        )


def _wrong(needs: Mapping[str, str], schema: pa.Schema, optional: set[str]) -> Iterator[str]:
    known = columns_of(schema)
    for column, kind in needs.items():
        if column not in known:
            if column not in optional:
                yield f"no {column!r} ({kind})"
        # A column of nulls alone may be of any kind.
        elif known[column].kind not in _ALSO.get(kind, {kind}) | {"null"}:
            yield f"{column!r} of {schema.field(column).type} ({kind} needed)"
