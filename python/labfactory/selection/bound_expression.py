"""Expressions of a policy, compiled against the customers' columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labfactory._core import base
from labfactory.compiler import Functions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labfactory.compiler import Expression, ExpressionPlan
    from labfactory.selection.model import Feature


@dataclass(frozen=True)
class Given:
    """What names in expressions stand for beside columns.

    Args:
        constants: Values.
        functions: What expressions may call.
    """

    constants: Mapping[str, object] = field(default_factory=dict)
    functions: Functions = field(default_factory=Functions)

    @classmethod
    def of(cls, constants: Mapping[str, object] | None, functions: Functions | None) -> Given:
        """Either may be left out."""
        return cls(dict(constants or {}), functions or Functions())

    def compile(self, expression: Expression, schema: pa.Schema) -> ExpressionPlan:
        """The plan of an expression over columns and these.

        Raises:
            CompileError: As `Expression.compile`.
        """
        return expression.compile(schema, constants=self.constants, functions=self.functions)

    @property
    def names(self) -> dict[str, object]:
        """What Jinja2 itself finds under the names."""
        return {**self.constants, **{name: one.one for name, one in self.functions.items()}}


@dataclass(frozen=True)
class BoundExpression:
    """An expression over the customers' columns; a bare column is taken as it lies."""

    plan: ExpressionPlan
    column: str | None = None
    source: str = ""
    fields: tuple[pa.Field, ...] = ()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return self.plan.columns

    def evaluate(self, batch: pa.RecordBatch) -> pa.Array:
        """The values, null where they are null or the row failed."""
        return self.plan.evaluate_batch(batch)[0] if self.column is None else batch.column(self.column)


@dataclass
class ExpressionTable:
    """The expressions of a policy, each compiled and evaluated once."""

    schema: pa.Schema
    given: Given
    expressions: list[BoundExpression] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, expression: Expression, is_readable: Callable[[pa.DataType], bool]) -> tuple[int, str]:
        """The number of an expression in the table, and the type of its values."""
        source = expression.source
        if source not in self.numbers:
            plan = self.given.compile(expression, self.schema)
            is_bare = plan.columns == (source,) and is_readable(self.schema.field(source).type)
            fields = tuple(self.schema.field(name) for name in plan.columns)
            self.numbers[source] = len(self.expressions)
            self.expressions.append(BoundExpression(plan, source if is_bare else None, source, fields))
        number = self.numbers[source]
        return number, self.expressions[number].plan.type


def is_number(kind: pa.DataType) -> bool:
    """Whether the core reads such a column as it lies."""
    # The compiler makes row errors of uint64 above the signed maximum, so those go through it.
    is_integer = pa.types.is_integer(kind) and not pa.types.is_uint64(kind)
    return is_integer or pa.types.is_boolean(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind)


@dataclass(frozen=True)
class BoundFeature:
    """A feature bound to columns: the numbers that it becomes."""

    feature: Feature
    expression: BoundExpression

    def evaluate(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """An array for each of the feature's columns; null where the value is missing."""
        values = self.expression.evaluate(batch)
        if self.feature.encoding == "number":
            return [values]
        if pa.types.is_null(values.type):
            return [pa.nulls(len(values), pa.bool_())] * len(self.feature.columns)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if self.feature.encoding == "hashed":
            known = _python_text(values) if pa.types.is_boolean(values.type) else values
            hashes = np.asarray(pa.array(base.hash_keys(known)).fill_null(0))
            codes = pa.array((hashes % np.uint64(self.feature.buckets)).astype(np.int32))
            codes = pc.if_else(values.is_valid(), codes, pa.scalar(None, pa.int32()))
        else:
            texts = values.cast(pa.utf8()) if not pa.types.is_boolean(values.type) else _python_text(values)
            codes = pc.index_in(texts, value_set=pa.array(self.feature.categories, pa.utf8()))
        return [pc.equal(codes, number) for number in range(len(self.feature.columns))]


def _python_text(values: pa.Array) -> pa.Array:
    return pc.if_else(values, "True", "False")
