"""Review: what a template would do to customers that its author may not have meant."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import nodes

from labfactory.base.sources import batches, schema_of
from labfactory.compiler.positions import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labfactory.compiler.syntax import SyntaxTree
    from labfactory.compiler.types import Static

Kind = Literal[
    "unknown_column",
    "unknown_field",
    "prints_none",
    "dead_branch",
    "int_overflow",
    "unused_component",
    "too_large",
]
# Those that keep a template from compiling, or customers from their asset.
_ERRORS = frozenset({"unknown_column", "unknown_field"})


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a review found.

    Args:
        kind: What it is, in one word.
        message: What it is, in a sentence.
        template: The template's name; None where it is about no template.
        line: Line, from 1.
        column: Column, from 1.
        width: Characters that it is about.
        hint: What helps.
        source: The template.
    """

    kind: Kind
    message: str
    template: str | None = None
    line: int | None = None
    column: int | None = None
    width: int = 1
    hint: str | None = None
    source: str | None = field(default=None, repr=False, compare=False)

    @property
    def is_error(self) -> bool:
        """Whether the template does not compile as long as it stands."""
        return self.kind in _ERRORS

    def __str__(self) -> str:
        place = f"{self.template}:{self.line}:{self.column}: " if self.template else ""
        return f"{place}{self.kind}: {self.message}"


@dataclass(slots=True)
class Reviewer:
    """Collects remarks while a template is lowered.

    Args:
        remarks: What was found, in the order of the source; each once.
    """

    remarks: list[Remark] = field(default_factory=list)
    _guarded: list[frozenset[str]] = field(default_factory=list)

    @contextmanager
    def where(self, test: nodes.Node) -> Iterator[None]:
        """Within, a test holds: what it asks for is not None."""
        self._guarded.append(frozenset(_not_none(test)))
        try:
            yield
        finally:
            self._guarded.pop()

    def is_guarded(self, node: nodes.Node) -> bool:
        """Whether a test around a value, or its default, says that it is not None."""
        if isinstance(node, nodes.Filter) and node.name in ("default", "d"):
            options = [
                *node.args[1:],
                *(keyword.value for keyword in node.kwargs if keyword.key == "boolean"),
            ]
            return any(isinstance(option, nodes.Const) and bool(option.value) for option in options)
        path = _path(node)
        return path is not None and any(path in guarded for guarded in self._guarded)

    def note(
        self, kind: Kind, message: str, tree: SyntaxTree, at: nodes.Node | Span, hint: str | None = None
    ) -> None:
        """Adds a remark about a place."""
        line, column, width = at if isinstance(at, Span) else tree.positions.of(at)
        remark = Remark(kind, message, tree.name, line, column, width, hint, tree.source)
        if remark not in self.remarks:
            self.remarks.append(remark)


def _path(node: nodes.Node | None) -> str | None:
    """The dotted name of a column or a field of one."""
    match node:
        case nodes.Name():
            return str(node.name)
        case nodes.Getattr():
            base = _path(node.node)
            return None if base is None else f"{base}.{node.attr}"
        case _:
            return None


def _not_none(test: nodes.Node) -> Iterator[str]:
    """What is not None where a test holds: `x`, `x is not none`, `x > 1`, and all of these under `and`."""
    match test:
        case nodes.And():
            yield from _not_none(test.left)
            yield from _not_none(test.right)
        case nodes.Not(node=nodes.Test(name="none") as inner):
            yield from filter(None, [_path(inner.node)])
        case nodes.Compare(ops=[nodes.Operand(op="ne", expr=nodes.Const(value=None))]):
            yield from filter(None, [_path(test.expr)])
        case nodes.Compare(ops=[nodes.Operand(op="gt" | "gteq" | "lt" | "lteq")]):
            yield from filter(None, [_path(test.expr)])
        case _:
            yield from filter(None, [_path(test)])


@dataclass(frozen=True, slots=True)
class Review:
    """What a review of a template or creative found.

    Args:
        remarks: The remarks, in the order of the source.
        most_bytes: The longest text of each part in bytes, "asset" for a lone template; None where it has no
            bound.
    """

    remarks: tuple[Remark, ...]
    most_bytes: Mapping[str, int | None]

    @property
    def errors(self) -> tuple[Remark, ...]:
        """The remarks that keep it from compiling."""
        return tuple(remark for remark in self.remarks if remark.is_error)

    def __str__(self) -> str:
        sizes = [
            f"{part}: {'no bound' if size is None else f'at most {size:,} bytes'}"
            for part, size in self.most_bytes.items()
        ]
        return "\n".join([*map(str, self.remarks), *sizes])


# The longest texts of values that have one: None, False, -9223372036854775808, -2.2250738585072014e-308, …
_PRINTED = {
    "none": 4,
    "boolean": 5,
    "integer": 20,
    "floating": 24,
    "decimal": 47,
    "date": 10,
    "timestamp": 26,
    "zoned": 35,
    "time": 15,
    "duration": 32,
    "undefined": 0,
}
# `'` and `"` become five bytes.
_ESCAPED = 5


def printed_bytes(static: Static, longest: int | None, *, escaped: bool) -> float:
    """The longest text that a value prints, in bytes; infinite where that is not known.

    Args:
        static: What is known of the value.
        longest: The longest text of the column that it is, where it is one and that is known.
        escaped: Whether it is escaped.
    """
    text = inf if longest is None else longest * (_ESCAPED if escaped else 1)
    return max((text if kind == "text" else _PRINTED.get(kind, inf) for kind in static.kinds), default=0)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of the columns that a review reads.

    Args:
        schema: Their types; a column of data that has no null is not nullable.
        longest: The longest text of each text column of data, in bytes.
    """

    schema: pa.Schema
    longest: dict[str, int]


def observe(data: Any, *, max_rows: int = 65536) -> Observed:
    """What a schema says, or what the first rows of some data show beside it.

    Args:
        data: A schema, or a frame, table, batch, reader or file.
        max_rows: Rows that are looked at.
    """
    if isinstance(data, pa.Schema) or not _has_rows(data):
        return Observed(schema_of(data), {})
    batch = next(iter(batches(data, max_rows=max_rows)))
    fields = [_shown(known, batch.column(at)) for at, known in enumerate(batch.schema)]
    longest: dict[str, int] = {}
    for known, column in zip(batch.schema, batch.columns, strict=True):
        values = column.dictionary if pa.types.is_dictionary(column.type) else column
        if _is_text(values.type):
            lengths = pc.binary_length(values.cast(pa.large_binary()))
            longest[known.name] = pc.max(lengths).as_py() or 0
    return Observed(pa.schema(fields), longest)


def _has_rows(data: Any) -> bool:
    return (
        isinstance(data, (str, pa.Table, pa.RecordBatch))
        or hasattr(data, "__arrow_c_stream__")
        or hasattr(data, "__fspath__")
    )


def _shown(known: pa.Field, column: pa.Array) -> pa.Field:
    if pa.types.is_struct(known.type):
        inner = [_shown(known.type.field(at), child) for at, child in enumerate(column.flatten())]
        known = known.with_type(pa.struct(inner))
    return known.with_nullable(bool(column.null_count))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
