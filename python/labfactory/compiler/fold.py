"""Folding: constants are computed by Jinja2 itself when a template is compiled, within bounds.

Jinja2 folds without bounds: `{{ 'x' * 900000000 }}` fills memory and `{{ 9 ** (9 ** 9) }}` hangs while it
compiles. So operands are looked at first, and what could be large is left to the plan or refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import nodes
from jinja2.compiler import has_safe_repr
from jinja2.exceptions import UndefinedError
from jinja2.runtime import markup_join, str_join

if TYPE_CHECKING:
    from collections.abc import Callable, Container

# A folded text or list is not longer than this; a template's own literals are not bounded.
_MOST_ITEMS = 100_000
# Integers past this are no content.
_MOST_BITS = 4096
# The widest number that a folded printf format may hold.
_WIDE_FORMAT = re.compile(r"\*|\d{4,}")
# No double has a digit further out.
_MOST_PRECISION = 400
# Jinja2 folds all filters but those that ask the context; what these give must be what it folds to, as it
# forgets in `~` that a folded part is Markup.
_FILTERS = frozenset(
    {
        *("abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape"),
        *("filesizeformat", "first", "float", "forceescape", "format", "groupby", "indent", "int", "items"),
        *("join", "last", "length", "list", "lower", "max", "min", "replace", "reverse", "round", "safe"),
        *("slice", "sort", "string", "striptags", "sum", "title", "tojson", "trim", "truncate", "unique"),
        *("upper", "urlencode", "wordcount", "wordwrap", "xmlattr"),
    }
)
# Filters whose arguments say how much there will be.
_WIDENING = frozenset({"batch", "center", "indent", "slice", "tojson", "wordwrap"})
_TESTS = frozenset(
    {
        *("defined", "undefined", "none", "boolean", "integer", "float", "number", "string", "sequence"),
        *("callable", "even", "false", "iterable", "mapping", "odd", "sameas", "true"),
    }
)
_PARTS = frozenset(
    {"year", "month", "day", "hour", "minute", "second", "microsecond", "days", "seconds", "microseconds"}
)
_MOMENTS = (date, time, timedelta)
_VALUES = (*_MOMENTS, Decimal)
_OPERATORS = (nodes.BinExpr, nodes.UnaryExpr)


# The part that each kind of expression needs first: where that is none that is known, the whole is none.
_FIRST: dict[type[nodes.Node], str] = {
    **dict.fromkeys(nodes.BinExpr.__subclasses__(), "left"),
    **dict.fromkeys(nodes.UnaryExpr.__subclasses__(), "node"),
    **dict.fromkeys((nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test), "node"),
    nodes.Compare: "expr",
    nodes.CondExpr: "test",
}


def is_loose(node: nodes.Node, constants: Container[str], *, has_messages: bool) -> bool:
    """Whether an expression surely is no constant, as it needs a name that is none, or what a call gives."""
    first: nodes.Node | None = node
    while first is not None and (part := _FIRST.get(type(first))) is not None:
        first = getattr(first, part)
    if isinstance(first, nodes.Name):
        return first.name not in constants
    if has_messages:
        # Which calls ask for a message, and for a constant one, folding finds out.
        return False
    if isinstance(first, nodes.Call):
        return True
    others = node.nodes if isinstance(node, nodes.Concat) else ()
    if isinstance(node, nodes.Mod):
        others = [node.right]
    return any(is_loose(other, constants, has_messages=False) for other in others)


class Folded(NamedTuple):
    """A constant.

    Args:
        value: Its value.
        is_literal: Whether it is made of the template's own literals alone, as Jinja2 folds them; a constant
            given to compile is a variable to Jinja2.
    """

    value: Any
    is_literal: bool = True

    @property
    def binds_late(self) -> bool:
        """Whether Python raises it to a power before it takes its sign, as it stands in Jinja2's code."""
        return self.is_literal and isinstance(self.value, (int, float)) and str(self.value).startswith("-")


@dataclass(frozen=True, slots=True)
class Folder:
    """Folds expressions.

    Args:
        context: Jinja2's evaluation context: whether autoescape is on.
        named: The constant that a name stands for; raises `nodes.Impossible` for all other names.
        message: The text of a message in the catalogue; raises `nodes.Impossible` for all other calls.
    """

    context: nodes.EvalContext
    named: Callable[[nodes.Name], Any]
    message: Callable[[nodes.Node], Any]

    def fold(self, node: nodes.Node) -> Folded:
        """The constant that an expression is.

        Raises:
            jinja2.nodes.Impossible: It is none, or may be too large to compute here.
        """
        try:
            folded = self._fold(node)
        except UndefinedError:
            # The truth of what a constant does not have: the plan tells it where it stands.
            raise nodes.Impossible from None
        if not (has_safe_repr(folded.value) or isinstance(folded.value, _VALUES)):
            raise nodes.Impossible
        return folded

    def _fold(self, node: nodes.Node) -> Folded:
        match node:
            case nodes.Const():
                return Folded(node.value)
            case nodes.Name(ctx="load"):
                return Folded(self.named(node), is_literal=False)
            case nodes.Call() | nodes.MarkSafeIfAutoescape():
                return Folded(self.message(node), is_literal=False)
            case nodes.And() | nodes.Or():
                return self._fold_choice(node, until=isinstance(node, nodes.Or))
            case nodes.CondExpr():
                return self._fold_inline_if(node)
            case nodes.Concat():
                return self._fold_concat(node)
            case nodes.Getattr():
                return self._fold_moment(node)
            case nodes.Pow():
                return self._fold_power(node)
            case _:
                return self._fold_call(node)

    def _fold_choice(self, node: nodes.And | nodes.Or, *, until: bool) -> Folded:
        left = self._fold(node.left)
        if bool(left.value) is until:
            return left
        other = self._fold(node.right)
        return Folded(other.value, left.is_literal and other.is_literal)

    def _fold_inline_if(self, node: nodes.CondExpr) -> Folded:
        test = self._fold(node.test)
        chosen = node.expr1 if test.value else node.expr2
        if chosen is None:
            raise nodes.Impossible
        other = self._fold(chosen)
        return Folded(other.value, test.is_literal and other.is_literal)

    def _fold_concat(self, node: nodes.Concat) -> Folded:
        parts = [self.fold(part) for part in node.nodes]
        values = [part.value for part in parts]
        _bound(sum(_size(value) for value in values))
        if all(part.is_literal for part in parts):
            # Jinja2's own folding forgets that a part is Markup; its bytes are the reference.
            return Folded("".join(map(str, values)))
        return Folded((markup_join if self.context.autoescape else str_join)(values), is_literal=False)

    def _fold_moment(self, node: nodes.Getattr) -> Folded:
        """A part of a constant date, time or timedelta, such as `now.year`."""
        moment = self._fold(node.node).value
        if not isinstance(moment, _MOMENTS) or node.attr not in _PARTS or not hasattr(moment, node.attr):
            raise nodes.Impossible
        return Folded(getattr(moment, node.attr), is_literal=False)

    def _fold_power(self, node: nodes.Pow) -> Folded:
        """A power; `-2 ** n` is `-(2 ** n)` where Jinja2 does not fold it."""
        left, right = self._fold(node.left), self._fold(node.right)
        if not left.binds_late or right.is_literal:
            return self._fold_call(node)
        power = nodes.Pow(nodes.Const(-left.value), nodes.Const(right.value))
        return Folded(self._fold_call(nodes.Neg(power)).value, is_literal=False)

    def _fold_call(self, node: nodes.Node) -> Folded:
        if not _is_covered(node):
            raise nodes.Impossible
        literal = True
        changes: dict[str, Any] = {}
        for name, value in node.iter_fields():
            if isinstance(value, nodes.Node):
                changes[name], child = self._constant(value)
                literal = literal and child
            elif isinstance(value, list):
                pairs = [self._constant(entry) for entry in value]
                changes[name] = [entry for entry, _ in pairs]
                literal = literal and all(child for _, child in pairs)
            else:
                changes[name] = value
        rebuilt = type(node)(*changes.values(), lineno=node.lineno)
        _check(rebuilt)
        try:
            value = rebuilt.as_const(self.context)  # type: ignore[attr-defined]
        except nodes.Impossible:
            raise
        except Exception as error:
            raise nodes.Impossible from error
        _bound(_size(value))
        return Folded(value, literal)

    def _constant(self, node: nodes.Node) -> tuple[nodes.Node, bool]:
        if isinstance(node, nodes.Operand):
            inner, literal = self._constant(node.expr)
            return nodes.Operand(node.op, inner), literal
        if isinstance(node, nodes.Keyword):
            inner, literal = self._constant(node.value)
            return nodes.Keyword(node.key, inner), literal
        if isinstance(node, nodes.Pair):
            key, one = self._constant(node.key)
            value, other = self._constant(node.value)
            return nodes.Pair(key, value), one and other
        if isinstance(node, nodes.Slice):
            given = (node.start, node.stop, node.step)
            bounds = [(None, True) if bound is None else self._constant(bound) for bound in given]
            return nodes.Slice(*(bound for bound, _ in bounds)), all(literal for _, literal in bounds)
        folded = self._fold(node)
        return nodes.Const(folded.value), folded.is_literal


def _is_covered(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Filter):
        return node.node is not None and node.name in _FILTERS and not (node.dyn_args or node.dyn_kwargs)
    if isinstance(node, nodes.Test):
        return node.name in _TESTS and not (node.dyn_args or node.dyn_kwargs)
    return isinstance(node, (*_OPERATORS, nodes.Compare, nodes.List, nodes.Tuple, nodes.Dict, nodes.Getitem))


def _check(node: nodes.Node) -> None:
    """Refuses to compute what could be large; all children are constants."""
    if isinstance(node, nodes.Mul):
        _bound_product(node.left.value, node.right.value)  # type: ignore[attr-defined]
    elif isinstance(node, nodes.Pow):
        _bound_power(node.left.value, node.right.value)  # type: ignore[attr-defined]
    elif isinstance(node, nodes.Mod):
        _bound_format(node.left.value)  # type: ignore[attr-defined]
    elif isinstance(node, nodes.Filter):
        _check_filter(node)


def _check_filter(node: nodes.Filter) -> None:
    values = [node.node, *node.args, *(keyword.value for keyword in node.kwargs)]
    constants = [value.value for value in values if isinstance(value, nodes.Const)]
    if node.name == "format":
        _bound_format(constants[0])
    elif node.name in ("replace", "join"):
        sizes = [_size(value) + 1 for value in constants]
        _bound(sizes[0] * max(sizes[1:], default=1))
    elif node.name in _WIDENING:
        widths = [abs(value) for value in constants[1:] if isinstance(value, int)]
        texts = [_size(value) for value in constants[1:] if not isinstance(value, int)]
        _bound((_size(constants[0]) + 1) * max(widths + texts, default=1))
    elif node.name == "round" and any(isinstance(v, int) and abs(v) > _MOST_PRECISION for v in constants[1:]):
        raise nodes.Impossible


def _bound_product(left: object, right: object) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > _MOST_BITS:
            raise nodes.Impossible
    elif isinstance(left, int):
        _bound(abs(left) * _size(right))
    elif isinstance(right, int):
        _bound(abs(right) * _size(left))


def _bound_power(base: object, exponent: object) -> None:
    if not isinstance(base, (int, float)) or not isinstance(exponent, (int, float)):
        raise nodes.Impossible
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > _MOST_BITS:
        raise nodes.Impossible


def _bound_format(text: object) -> None:
    if isinstance(text, str) and _WIDE_FORMAT.search(text):
        raise nodes.Impossible


def _bound(size: int) -> None:
    if size > _MOST_ITEMS:
        raise nodes.Impossible


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, (list, tuple)):
        return sum(_size(entry) for entry in value) + 1
    if isinstance(value, dict):
        return sum(_size(key) + _size(entry) for key, entry in value.items()) + 1
    return 1
