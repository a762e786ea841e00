"""Whole numbers in expressions: whether Python's, which have no end, can leave the 64 bits of a column's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pyarrow as pa
from jinja2 import nodes
from jinja2.parser import Parser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

LARGEST = 2**31
"""The largest magnitude of a customer's values for which `stay_within` answers."""

_MOST = 2**63 - 1
_TEXT_FILTERS = frozenset({"capitalize", "float", "lower", "replace", "string", "title", "trim", "upper"})
_ONE_OF_THEM = (
    nodes.And,
    nodes.CondExpr,
    nodes.Keyword,
    nodes.Neg,
    nodes.Operand,
    nodes.Or,
    nodes.Pos,
)
_COUNTS = frozenset({"count", "length", "wordcount"})


def stay_within(
    source: str,
    columns: Mapping[str, pa.DataType],
    constants: Mapping[str, object],
    environment: Environment,
) -> bool:
    """Whether no step of an expression can leave 64 bits, while columns hold no more than `LARGEST`.

    Where one could, a column's row fails, and Jinja2 alone would go on.

    Args:
        source: The expression.
        columns: The types of the columns that it reads.
        constants: Values that other names stand for.
        environment: What parses it.

    Example:
        >>> import jinja2
        >>> kinds = {"x": pa.int64(), "y": pa.float64()}
        >>> [stay_within(one, kinds, {}, jinja2.Environment()) for one in ("x * x", "x * x * x", "y ** 9")]
        [True, False, True]
    """
    tree = Parser(environment, source, state="variable").parse_expression()
    return _Sizes(columns, constants).of(tree) != math.inf


class _Sizes:
    """The largest whole number that each part of an expression can be.

    None where a part is never a whole number, infinity where it may be any, or one of its own parts may.
    """

    def __init__(self, columns: Mapping[str, pa.DataType], constants: Mapping[str, object]) -> None:
        self._columns = columns
        self._constants = constants

    def of(self, node: nodes.Node) -> float | None:
        parts = [self.of(child) for child in node.iter_child_nodes()]
        if math.inf in parts:
            return math.inf
        found = self._of(node, parts)
        return math.inf if found is not None and found > _MOST else found

    def _of(self, node: nodes.Node, parts: list[float | None]) -> float | None:
        if isinstance(node, nodes.Const):
            return _size(node.value)
        if isinstance(node, nodes.Name):
            return self._of_name(node.name)
        if isinstance(node, nodes.Compare | nodes.Not | nodes.Test):
            return 1
        if isinstance(node, _ONE_OF_THEM):
            return _greatest(parts)
        if isinstance(node, nodes.Div | nodes.Concat | nodes.List | nodes.Tuple):
            return None
        if isinstance(node, nodes.BinExpr):
            return _of_operator(node, parts[0], parts[1])
        if isinstance(node, nodes.Filter):
            return _of_filter(node.name, parts)
        # What a function, a field or an entry gives is taken as it is, but not reckoned with.
        return _MOST if isinstance(node, nodes.Call | nodes.Getattr | nodes.Getitem) else math.inf

    def _of_name(self, name: str) -> float | None:
        if name not in self._columns:
            return _size(self._constants[name]) if name in self._constants else math.inf
        kind = self._columns[name]
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_boolean(kind):
            return 1
        return LARGEST if pa.types.is_integer(kind) else None


def _size(value: object) -> float | None:
    return abs(value) if isinstance(value, int) else None


def _greatest(parts: list[float | None]) -> float | None:
    return max((part for part in parts if part is not None), default=None)


def _of_operator(node: nodes.BinExpr, left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return None
    if isinstance(node, nodes.Add | nodes.Sub):
        return left + right
    if isinstance(node, nodes.Mul):
        return left * right
    if isinstance(node, nodes.FloorDiv | nodes.Mod):
        return max(left, right)
    exponent = node.right.value if isinstance(node.right, nodes.Const) else math.inf
    if not isinstance(node, nodes.Pow) or not 0 <= exponent <= 63:
        return math.inf
    power: float = left**exponent
    return power


def _of_filter(name: str, parts: list[float | None]) -> float | None:
    if name in _TEXT_FILTERS:
        return None
    if name in _COUNTS:
        return LARGEST
    if name in ("abs", "default", "d", "round"):
        return _greatest(parts)
    # Of a whole number it is that number; text and floats may hold any.
    return parts[0] if name == "int" and parts[0] is not None else math.inf
