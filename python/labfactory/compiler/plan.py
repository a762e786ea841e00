"""Plans: templates compiled against a schema, ready to run over any data that has it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from labfactory._core import plan as core
from labfactory.base.errors import AssemblyError, SourceError, UsageError
from labfactory.base.sources import batches
from labfactory.compiler.hints import meant
from labfactory.compiler.preview import LONE_PART, Oracle, Preview, differs
from labfactory.compiler.rows import to_python
from labfactory.compiler.tables import join_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from labfactory.compiler.catalogues import Locales
    from labfactory.compiler.environment import Environment
    from labfactory.compiler.functions import Function
    from labfactory.compiler.tables import Joined

# The default budget of text in one chunk: its offsets fit 32 bits and it stays in recycled memory.
BATCH_BYTES = 64 << 20
# A stream's batches: text of one thread that stays in its cache, and no fewer rows than a call is worth.
_CACHED_BYTES = 4 << 20
_LEAST_ROWS = 512
_FIRST_ROWS = 2048
_MOST_ROWS = 65536
# Of data that lies in memory larger batches take none, and threads wait for each other less often.
_MOST_HELD_ROWS = 1 << 20
# Sizes of chunks whose columns beside the text are kept.
_MOST_KEPT = 64
# What became of a row: the columns beside its text.
_OF_A_ROW = ("status", "reason", "code", "template", "line", "column")


class Plan:
    """A template or a creative compiled against a schema; immutable, shared by any number of threads."""

    def __init__(
        self,
        *,
        program: core.Program,
        schema: pa.Schema,
        parts: tuple[str, ...],
        slots: Mapping[str, tuple[str, ...]],
        optional: frozenset[str],
        constants: Mapping[str, object],
        environments: Mapping[Any, Environment],
        templates: Mapping[Any, tuple[str, str]],
        components: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]],
        sources: Mapping[str, str],
        names: Sequence[str],
        spans: Sequence[tuple[int, int, int, int]],
        functions: Sequence[tuple[Function, tuple[str, ...]]] = (),
        locales: Locales | None = None,
        tables: Mapping[str, Joined] | None = None,
        paths: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._program = program
        self._schema = schema
        self._parts = parts
        self._slots = dict(slots)
        self._optional = optional
        self._sources = dict(sources)
        self._names = tuple(names)
        self._spans = tuple(spans)
        self._functions = list(functions)
        self._tables = dict(tables or {})
        self._paths = dict(paths or {})
        self._oracle = Oracle(
            parts=parts,
            constants=dict(constants),
            environments=dict(environments),
            templates=dict(templates),
            components={slot: list(entries) for slot, entries in components.items()},
            functions=[function for function, _ in functions],
            locales=locales,
        )
        # What a table is joined to is an array.
        self._rows_alone = None if tables else core.RowAssembler(program, schema)
        self._silent: dict[int, pa.RecordBatch] = {}

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self._oracle.templates.values())
        return f"Plan({names}; reads {', '.join(self.columns) or 'no column'})"

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of an asset; empty for a lone template."""
        return self._parts

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, decision columns included."""
        return tuple(self._schema.names)

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths of the struct fields that it reads of its columns, such as `order.lines[].sku`."""
        read = (self._paths.get(column, ()) for column in self.columns)
        return tuple(path for paths in read for path in paths)

    @property
    def schema(self) -> pa.Schema:
        """The fields of the columns that it reads."""
        return self._schema

    @property
    def slots(self) -> dict[str, tuple[str, ...]]:
        """The slots that its templates call, each with its components in the order of its decision column."""
        return dict(self._slots)

    @property
    def tables(self) -> dict[str, tuple[str, ...]]:
        """The tables that it joins, each with the fields that it reads."""
        return {name: tuple(joined.names) for name, joined in self._tables.items()}

    def explain(self) -> str:
        """A listing of the plan that is stable between runs."""
        return self._program.explain()

    def assemble_batch(
        self,
        batch: pa.RecordBatch,
        *,
        threads: int = 1,
        batch_bytes: int = BATCH_BYTES,
        memo: core.Memo | None = None,
    ) -> list[pa.RecordBatch]:
        """Assembles every row of a batch.

        Args:
            batch: A batch that has the columns of the plan.
            threads: Threads that share the rows.
            batch_bytes: Text that one returned batch may hold, in bytes.
            memo: What functions gave for earlier batches; for one thread at a time.

        Returns:
            Batches in the order of the rows: status, reason, code, template, line, column, and `asset` (a
            lone template) or a struct `parts`.
        """
        if self._tables:
            batch = join_tables(batch, self._tables)
        chunks = self._program.assemble(
            batch, threads=threads, batch_bytes=batch_bytes, memo=memo, resolve=self._resolve
        )
        return [pa.record_batch(chunk) for chunk in chunks]

    def _resolve(self, index: int, calls: list[tuple[Any, ...]]) -> list[Any]:
        function, keywords = self._functions[index]
        return function.results(calls, keywords)

    def stream(
        self, data: Any, *, threads: int = 2, batch_bytes: int = BATCH_BYTES, verify: int = 0
    ) -> Iterator[pa.RecordBatch]:
        """Assembles some data batch by batch, in recycled memory.

        Args:
            data: A frame, table, batch, reader or file that has the columns of the plan.
            threads: Threads that share the rows of a batch.
            batch_bytes: Text that one batch may hold, in bytes.
            verify: Rows of each piece of the data, evenly spaced, that Jinja2 renders too.

        Yields:
            Batches as `assemble_batch` returns them.

        Raises:
            AssemblyError: `verify_failed` before a batch is given whose sample Jinja2 renders differently.
        """
        if self._functions or self._tables:
            # What stays inside the processor's cache is written again before it goes to memory.
            for made in self._pieces(data, _CACHED_BYTES * threads, threads, batch_bytes, verify):
                yield from made
            return
        first = 0
        for batch in self._batches(data, _MOST_HELD_ROWS if _is_held(data) else _MOST_ROWS):
            at = 0
            for chunk in self._chunks(batch, threads, batch_bytes):
                self._verify(batch.slice(at, len(chunk)), [chunk], first + at, verify)
                at += len(chunk)
                yield chunk
            first += len(batch)

    def _chunks(self, batch: pa.RecordBatch, threads: int, batch_bytes: int) -> Iterator[pa.RecordBatch]:
        """The chunks of a batch."""
        source = self._program.stream(batch, threads=threads, batch_bytes=batch_bytes)
        texts = pa.RecordBatchReader.from_stream(source)
        field = texts.schema.field(0)
        # Of most chunks the columns beside the text are alike, and pyarrow takes its time for each array.
        for text in texts:
            notes = source.notes()
            chunk = self._silent_notes(len(text)) if notes is None else pa.record_batch(notes)
            yield chunk.append_column(field, text.column(0))

    def _silent_notes(self, rows: int) -> pa.RecordBatch:
        """What stands beside the texts of rows that are all done."""
        known = self._silent.get(rows)
        if known is None:
            if len(self._silent) >= _MOST_KEPT:
                self._silent.clear()
            known = self._silent[rows] = pa.record_batch(self._program.silent_notes(rows))
        return known

    def _pieces(
        self, data: Any, piece_bytes: int | None, threads: int, batch_bytes: int, verify: int
    ) -> Iterator[list[pa.RecordBatch]]:
        """The chunks of each piece; the text of the piece before says how many rows make so many bytes."""
        memo = core.Memo()
        # A batch whose rows wait for functions is assembled again, and a sample is taken of each.
        is_whole = piece_bytes is None and _is_held(data) and not (self._functions or self._tables or verify)
        most = _MOST_HELD_ROWS if is_whole else _MOST_ROWS
        first, rows = 0, most if piece_bytes is None else _FIRST_ROWS
        for batch in self._batches(data, most):
            at = 0
            while at < max(1, len(batch)):
                piece = batch.slice(at, rows)
                made = self.assemble_batch(piece, threads=threads, batch_bytes=batch_bytes, memo=memo)
                self._verify(piece, made, first, verify)
                at, first = at + max(1, len(piece)), first + len(piece)
                if piece_bytes is not None and len(piece):
                    row_bytes = sum(chunk.nbytes for chunk in made) // len(piece) + 1
                    rows = min(max(piece_bytes // row_bytes, _LEAST_ROWS), _MOST_ROWS)
                yield made

    def _verify(self, batch: pa.RecordBatch, made: list[pa.RecordBatch], first: int, count: int) -> None:
        if count < 0:
            message = f"expected verify of at least 0, found {count}"
            raise UsageError(message, code="option")
        if count == 0 or not len(batch):
            return
        step = max(1, len(batch) // count)
        chosen = list(range(0, len(batch), step))[:count]
        results = pa.Table.from_batches(made)
        for at in chosen:
            result = results.slice(at, 1).to_pylist()[0]
            (row,) = self._rows(batch.slice(at, 1))
            for preview in self._oracle.previews(first + at, row, result):
                if not (preview.agrees or preview.overflows):
                    raise differs(preview)

    def _batches(self, data: Any, most_rows: int = _MOST_ROWS) -> Iterator[pa.RecordBatch]:
        # Without columns a batch has no rows to count, so a plan that reads none is given all.
        return batches(data, columns=self.columns or None, fields=self.fields, max_rows=most_rows)

    def assemble(
        self, data: Any, *, threads: int = 2, batch_bytes: int = BATCH_BYTES, verify: int = 0
    ) -> pa.Table:
        """Assembles some data into one table.

        Args:
            data: A frame, table, batch, reader or file that has the columns of the plan.
            threads: Threads that share the rows of a batch.
            batch_bytes: Text that one chunk may hold, in bytes.
            verify: Rows of each batch of the data, evenly spaced, that Jinja2 renders too.

        Returns:
            A table of status, reason, code, template, line, column, and `asset` or a struct `parts`, a row
            for each row of the data.

        Raises:
            AssemblyError: `verify_failed` when Jinja2 renders a row of the sample differently; rows that
                overflow 64 bits are left out of the comparison.
        """
        pieces = self._pieces(data, None, threads, batch_bytes, verify)
        made = [chunk for chunks in pieces for chunk in chunks]
        schema = made[0].schema if made else self._output_schema()
        return pa.Table.from_batches(made, schema=schema)

    def _output_schema(self) -> pa.Schema:
        nulls = [pa.nulls(1, field.type) for field in self._schema] or [pa.nulls(1)]
        names = self._schema.names or ["row"]
        (made,) = self.assemble_batch(pa.record_batch(nulls, names=names))
        return made.schema

    def assemble_one(self, row: Mapping[str, object]) -> str | dict[str, str]:
        """Assembles one asset.

        Args:
            row: The values of the plan's columns; others are ignored.

        Returns:
            The asset; for a creative its parts by name.

        Raises:
            SourceError: `missing_column` or `column_type` when the row does not have what the plan reads.
            AssemblyError: The row failed; the error has its code and position.
        """
        made = None
        if self._rows_alone is not None:
            values = row if type(row) is dict else self._read(row)
            made = self._rows_alone.assemble(values, self._resolve if self._functions else None)
        if made is None:
            return self._assemble_batch_of_one(row)
        if isinstance(made, tuple):
            raise self._row_error(dict(zip(_OF_A_ROW, made, strict=True)))
        return made

    def _read(self, row: Mapping[str, object]) -> dict[str, object]:
        return {name: row[name] for name in self._schema.names if name in row}

    def _assemble_batch_of_one(self, row: Mapping[str, object]) -> str | dict[str, str]:
        """The same by way of arrays, for tables and for values that pyarrow must convert."""
        (batch,) = self.assemble_batch(self._batch([row]))
        result = batch.to_pylist()[0]
        if result["status"] != "ok":
            raise self._row_error(result)
        made: str | dict[str, str] = result["parts"] if self._parts else result[LONE_PART]
        return made

    def _row_error(self, result: Mapping[str, Any]) -> AssemblyError:
        code = result["code"] or result["status"]
        template, line, column = result["template"], result["line"], result["column"]
        return AssemblyError(
            str(result["reason"] or f"the asset could not be made: {code}"),
            code=code,
            template=template,
            line=line,
            column=column,
            width=self._widths.get((template, line, column), 1),
            source=self._sources.get(template),
        )

    @cached_property
    def _widths(self) -> dict[tuple[str, int, int], int]:
        """The width of the widest construct that starts at each place; asked for by errors of rows alone."""
        widths: dict[tuple[str, int, int], int] = {}
        for template, line, column, width in self._spans:
            place = (self._names[template], line, column)
            widths[place] = max(width, widths.get(place, 1))
        return widths

    def _batch(self, rows: Sequence[Mapping[str, object]]) -> pa.RecordBatch:
        arrays = [_array([_value(row, field.name) for row in rows], field) for field in self._schema]
        if not arrays:
            # A batch without columns has no length of its own.
            return pa.record_batch([pa.nulls(len(rows))], names=["row"])
        return pa.record_batch(arrays, names=self._schema.names)

    def preview(self, data: Any) -> list[Preview]:
        """Assembles some rows and renders them with Jinja2 beside it.

        Args:
            data: A list of rows, or a frame, table, batch, reader or file.

        Returns:
            A preview for each row and part.
        """
        rows = isinstance(data, list)
        source: Iterable[pa.RecordBatch] = [self._batch(data)] if rows else self._batches(data)
        found: list[Preview] = []
        for batch in source:
            made = [row for chunk in self.assemble_batch(batch) for row in chunk.to_pylist()]
            first = len(found) // max(1, len(self._parts))
            for at, (row, result) in enumerate(zip(self._rows(batch), made, strict=True)):
                found += self._oracle.previews(first + at, row, result)
        return found

    def _rows(self, batch: pa.RecordBatch) -> list[dict[str, Any]]:
        """What Jinja2 sees of a batch."""
        return to_python(join_tables(batch, self._tables) if self._tables else batch)


def _is_held(data: object) -> bool:
    """Whether it lies in memory as a whole."""
    return isinstance(data, (pa.Table, pl.DataFrame))


def _value(row: Mapping[str, object], name: str) -> object:
    if name not in row:
        hint = meant(name, row, "The row has")
        message = f"expected a column {name!r}, found none"
        raise SourceError(message, code="missing_column", hint=hint)
    return row[name]


def _array(values: list[object], field: pa.Field) -> pa.Array:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    try:
        array = pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise _wrong_type(values[0], field) from error
    # Arrow cuts the fraction off a float that is to be an integer.
    cut = next((v for v in values if isinstance(v, float) and pa.types.is_integer(kind)), None)
    if cut is not None:
        raise _wrong_type(cut, field)
    return array


def _wrong_type(value: object, field: pa.Field) -> SourceError:
    message = f"expected {field.type} for the column {field.name!r}, found {value!r}"
    return SourceError(message, code="column_type")
