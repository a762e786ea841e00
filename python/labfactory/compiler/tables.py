"""Tables: catalogues that are joined to the customers before a template runs, as one struct a row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from labfactory.base.errors import CompileError, UsageError, nearest
from labfactory.base.sources import batches

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Table:
    """A catalogue that templates look into by a column of the customers.

    Args:
        data: The catalogue: a frame, table, batch, reader or file; it is read once.
        key: Its key column; no key twice, none null.
        on: The customers' column that holds the key; of the key's name otherwise.
        missing: What becomes of a row whose key is null or not in the catalogue: "null" makes the name None,
            "skip" gives the customer no asset.

    Raises:
        UsageError: `table_key` when the key column is absent, null or has a key twice; `option` for
            another word.

    Example:
        >>> import pyarrow as pa
        >>> from labfactory.compiler.template import Template
        >>> products = Table(pa.table({"sku": [7, 8], "title": ["Hat", "Scarf"]}), key="sku")
        >>> plan = Template("{{ product.title }}").compile(
        ...     pa.schema({"sku": pa.int32()}), tables={"product": products}
        ... )
        >>> plan.assemble_one({"sku": 8})
        'Scarf'
    """

    def __init__(
        self, data: Any, key: str, *, on: str | None = None, missing: Literal["null", "skip"] = "null"
    ) -> None:
        if missing not in ("null", "skip"):
            message = f"expected missing of 'null' or 'skip', found {missing!r}"
            raise UsageError(message, code="option")
        read = pa.Table.from_batches(list(batches(data)))
        self.data = pa.table([_takeable(column) for column in read.columns], names=read.column_names)
        self.key = key
        self.on = on or key
        self.missing = missing
        self._check_key()

    def _check_key(self) -> None:
        if self.key not in self.data.column_names:
            message = f"expected a key column {self.key!r} in the table, found none"
            raise UsageError(message, code="table_key", hint=nearest(self.key, self.data.column_names))
        keys = self.data.column(self.key)
        if keys.null_count:
            message = f"expected a key in every row of the table, found null in {self.key!r}"
            raise UsageError(message, code="table_key")
        counts = pc.value_counts(_plain(keys))
        twice = pc.index(pc.greater(counts.field("counts"), 1), value=True).as_py()
        if twice >= 0:
            message = f"expected each key of the table once, found {counts[twice]['values'].as_py()!r} again"
            raise UsageError(message, code="table_key")

    @property
    def type(self) -> pa.StructType:
        """What a row of it is to a template."""
        return pa.struct(list(self.data.schema))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its columns and rows in their order, whatever file or frame they came from."""
        sink = pa.BufferOutputStream()
        # A slice has offsets, and null slots hold what their maker left; a copy by row does not.
        rows = self.data.take(pa.array(np.arange(self.data.num_rows))).combine_chunks()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
        return sha256(sink.getvalue()).hexdigest()

    def to_dict(self) -> dict[str, str]:
        """How it is joined and its digest, as JSON values."""
        return {"key": self.key, "missing": self.missing, "on": self.on, "sha256": self.digest}

    def check_keys(self, name: str, schema: pa.Schema) -> None:
        """Refuse customers whose keys are no keys of this table.

        Args:
            name: What templates call the table.
            schema: The customers' columns.

        Raises:
            CompileError: `unknown_column` without the column that holds the key; `table_key` for one of
                another kind of value.
        """
        if self.on not in schema.names:
            message = f"the table {name!r} is joined on a column {self.on!r} that the schema does not have"
            raise CompileError(message, code="unknown_column", hint=nearest(self.on, schema.names))
        found, own = _key_type(schema.field(self.on).type), self.key_type
        if not (pa.types.is_null(found) or found == own or (_is_integer(found) and _is_integer(own))):
            what = f"the key {self.key!r} of the table {name!r}"
            message = f"expected {self.on!r} of {own}, as {what} is, found {found}"
            raise CompileError(message, code="table_key", hint="cast the one or the other before.")

    @property
    def key_type(self) -> pa.DataType:
        """The type of its keys."""
        return _key_type(self.data.schema.field(self.key).type)

    @property
    def keys(self) -> pa.Array:
        """Its keys, in a layout that Arrow can look up."""
        return _plain(self.data.column(self.key))

    def as_keys(self, found: Any) -> pa.Array:
        """Customers' keys in the type of its own; null where that type does not hold them."""
        return _as_keys(_plain(found), self.key_type)

    def only(self, fields: Collection[str]) -> Joined:
        """The table ready to be joined, with the fields that a plan reads."""
        names = [name for name in self.data.column_names if name in fields]
        return Joined(self, self.keys, [self.data.column(name) for name in names], names)


@dataclass(frozen=True, slots=True)
class Joined:
    """A table's keys and the columns that a plan reads."""

    table: Table
    keys: pa.Array
    columns: list[pa.ChunkedArray]
    names: list[str]

    def rows(self, batch: pa.RecordBatch) -> pa.StructArray:
        """The table's row for each row of a batch; null where the key is not in it."""
        found = self.table.as_keys(batch.column(self.table.on))
        at = pc.index_in(found, value_set=self.keys, skip_nulls=True)
        fields = [_combined(column.take(at)) for column in self.columns]
        present = pc.is_null(at)
        if not fields:
            fields, names = [pa.nulls(len(batch))], ["_"]
        else:
            names = self.names
        return pa.StructArray.from_arrays(fields, names, mask=present)


def join_tables(batch: pa.RecordBatch, tables: Mapping[str, Joined]) -> pa.RecordBatch:
    """A batch with a struct column for each table."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns.update({name: table.rows(batch) for name, table in tables.items()})
    return pa.record_batch(list(columns.values()), names=list(columns))


def make_tables(
    schema: pa.Schema, tables: Mapping[str, Table | tuple[Any, str]] | None
) -> tuple[pa.Schema, dict[str, Table]]:
    """The schema that templates see, and the tables by name.

    Raises:
        CompileError: `duplicate_name` when a table has the name of a column; `unknown_column` when the column
            that holds a table's key is not in the schema, `table_key` when it holds no such keys.
    """
    made: dict[str, Table] = {}
    for name, given in (tables or {}).items():
        table = as_table(name, given)
        if name in schema.names:
            message = f"expected tables beside the columns, found {name!r} as both"
            raise CompileError(message, code="duplicate_name")
        table.check_keys(name, schema)
        made[name] = table
        schema = schema.append(pa.field(name, table.type))
    return schema, made


def as_table(name: str, given: Any) -> Table:
    """A table, or a frame and its key column, as a table.

    Raises:
        UsageError: `option` for anything else; `table_key`.
    """
    if isinstance(given, tuple) and len(given) == len(("data", "key")):
        return Table(*given)
    if not isinstance(given, Table):
        message = f"expected a table and its key column for {name!r}, found {type(given).__name__}"
        raise UsageError(message, code="option")
    return given


def _takeable(column: pa.ChunkedArray) -> pa.Array:
    """The same column in a layout that Arrow can take rows of: its views cannot be."""
    if "view" not in str(column.type):
        return _combined(column)
    frame = pl.DataFrame({"column": pl.from_arrow(column)})
    return _combined(frame.to_arrow(compat_level=pl.CompatLevel.oldest()).column(0))


def _plain(values: Any) -> pa.Array:
    """Keys in one array that Arrow can look up: without dictionary or views."""
    array = _combined(values)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string_view(array.type) or pa.types.is_large_string(array.type):
        array = array.cast(pa.string())
    return array


def _key_type(kind: pa.DataType) -> pa.DataType:
    """The type of keys as `_plain` leaves them."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.string() if pa.types.is_string_view(kind) or pa.types.is_large_string(kind) else kind


def _is_integer(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind))


def _as_keys(found: pa.Array, kind: pa.DataType) -> pa.Array:
    """Customers' keys in the type of the table's; null where that type does not hold them."""
    if found.type == kind or not _is_integer(found.type):
        return found.cast(kind)
    ranges = [np.iinfo(one.to_pandas_dtype()) for one in (found.type, kind)]
    least, most = max(one.min for one in ranges), min(one.max for one in ranges)
    # Both bounds are values of either type.
    fits = pc.and_(
        pc.greater_equal(found, pa.scalar(int(least), found.type)),
        pc.less_equal(found, pa.scalar(int(most), found.type)),
    )
    return pc.if_else(fits, found, pa.scalar(None, found.type)).cast(kind)


def _combined(values: Any) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
