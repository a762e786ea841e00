"""Expressions: one Jinja2 expression compiled to a column: eligibility, features, audit rules."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from jinja2 import nodes

from labfactory._core import plan as core
from labfactory.base.errors import AssemblyError, CompileError
from labfactory.base.sources import batches
from labfactory.compiler.code import Code
from labfactory.compiler.columns import ColumnTable
from labfactory.compiler.environment import Environment
from labfactory.compiler.functions import resolve_calls
from labfactory.compiler.given import Given
from labfactory.compiler.link import make_options, read_columns, read_schema
from labfactory.compiler.lower import lower_expression, program
from labfactory.compiler.syntax import parse_expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from labfactory.compiler.functions import Calls, Functions

_ARROW_TYPES = {"boolean": pa.bool_(), "integer": pa.int64(), "floating": pa.float64(), "text": pa.utf8()}


class Expression:
    """A Jinja2 expression over the columns of a batch.

    Args:
        source: The expression, without braces.
        name: Its name, as errors print it.

    Raises:
        CompileError: `syntax` where Jinja2 would refuse the source.

    Example:
        >>> import pyarrow as pa
        >>> batch = pa.record_batch({"country": ["DE", "FR"], "age": [20, 30]})
        >>> Expression("country in ['DE', 'AT'] and age >= 18").compile(batch).evaluate(batch).to_pylist()
        [True, False]
    """

    def __init__(self, source: str, *, name: str = "<expression>") -> None:
        self.source = source
        self.name = name
        parse_expression(source, name, Environment())

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    @cached_property
    def calls(self) -> frozenset[str]:
        """The names that it calls, whether a function stands behind them or not."""
        tree = parse_expression(self.source, self.name, Environment()).body
        calls = (one for one in (tree, *tree.find_all(nodes.Call)) if isinstance(one, nodes.Call))
        return frozenset(call.node.name for call in calls if isinstance(call.node, nodes.Name))

    def compile(
        self,
        schema: Any,
        *,
        optional: Iterable[str] = (),
        functions: Functions | None = None,
        constants: Mapping[str, object] | None = None,
    ) -> ExpressionPlan:
        """Compiles the expression against a schema.

        Args:
            schema: A schema, or a frame, table or reader that has one; no row is read.
            optional: Columns that may be absent; they are undefined then.
            functions: Functions that the expression may call, as for `Template.compile`.
            constants: Values that names stand for.

        Returns:
            The plan of the expression.

        Raises:
            CompileError: It cannot run natively on this schema; `expression_type` when its values have no one
                type.
        """
        known = read_schema(schema)
        given = Given(optional=optional, functions=functions, constants=constants)
        options = make_options(known, given, "error")
        code, table = Code(), ColumnTable(options.columns)
        tree = parse_expression(self.source, self.name, Environment())
        try:
            kind = lower_expression(tree, code, table, options)
        except RecursionError:
            message = "nested too deeply, expected at most a few hundred levels"
            raise CompileError(message, code="too_deep", template=self.name) from None
        made = program(code, table, parts=(), undefined="error")
        return ExpressionPlan(made, kind, read_columns(known, table), self, code.functions)


class ExpressionPlan:
    """An expression compiled against a schema; immutable, shared by any number of threads."""

    def __init__(
        self,
        program: core.Program,
        kind: str,
        schema: pa.Schema,
        expression: Expression,
        functions: Calls = (),
    ) -> None:
        self._program = program
        self._functions = tuple(functions)
        self._kind = kind
        self._schema = schema
        self._expression = expression

    def __repr__(self) -> str:
        return f"ExpressionPlan({self._expression.source!r}, type={self._kind!r})"

    @property
    def type(self) -> str:
        """The type of its values: "boolean", "integer", "floating" or "text"."""
        return self._kind

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(self._schema.names)

    def explain(self) -> str:
        """A listing of the plan that is stable between runs."""
        return self._program.explain()

    def evaluate_batch(
        self, batch: pa.RecordBatch, *, memo: core.Memo | None = None
    ) -> tuple[pa.Array, pa.Array]:
        """Evaluates every row of a batch.

        Args:
            batch: A batch that has the columns of the plan.
            memo: What functions gave for earlier batches; for one thread at a time.

        Returns:
            The values, null where they are None or the row failed; and the code of each row's error, null
            where the row is fine.
        """
        resolve = partial(resolve_calls, self._functions)
        values, codes = self._program.evaluate(batch, self._kind, memo=memo, resolve=resolve)
        return pa.array(values), pa.array(codes)

    def evaluate(self, data: Any) -> pa.Array | pa.ChunkedArray:
        """Evaluates every row of some data.

        Args:
            data: A frame, table, batch, reader or file.

        Returns:
            The values, null where they are None; an array for a batch, a chunked array for all else.

        Raises:
            AssemblyError: A row failed; the error has its code and the row's number.
        """
        if isinstance(data, pa.RecordBatch):
            return self._checked(data, 0, None)
        chunks = []
        row, memo = 0, core.Memo()
        # Without columns a batch has no rows to count, so a plan that reads none is given all.
        for batch in batches(data, columns=self.columns or None):
            chunks.append(self._checked(batch, row, memo))
            row += len(batch)
        return pa.chunked_array(chunks, type=_ARROW_TYPES[self._kind])

    def _checked(self, batch: pa.RecordBatch, before: int, memo: core.Memo | None) -> pa.Array:
        values, codes = self.evaluate_batch(batch, memo=memo)
        if codes.null_count < len(codes):
            failed = next(at for at, code in enumerate(codes) if code.is_valid)
            message = f"row {before + failed} has no value: {codes[failed].as_py()}"
            raise AssemblyError(
                message,
                code=str(codes[failed].as_py()),
                template=self._expression.name,
                line=1,
                column=1,
                width=len(self._expression.source),
                source=self._expression.source,
            )
        return values
