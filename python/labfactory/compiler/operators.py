"""Lowering of operators, comparisons, choices and literals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.code import Label
from labfactory.compiler.formats import lower_modulo_format
from labfactory.compiler.results import holds_dict, result_of
from labfactory.compiler.types import NONE, UNDEFINED, Static, joined

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.review import Reviewer

BINARY = {
    nodes.Add: "add",
    nodes.Sub: "subtract",
    nodes.Mul: "multiply",
    nodes.Div: "divide",
    nodes.FloorDiv: "floor_divide",
    nodes.Mod: "modulo",
    nodes.Pow: "power",
}
UNARY = {nodes.Neg: "negate", nodes.Pos: "positive"}
_COMPARE = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "lteq": "less_equal",
    "gt": "greater",
    "gteq": "greater_equal",
    "in": "contains",
    "notin": "not_contains",
}


def lower_binary(values: Expressions, node: nodes.BinExpr, target: int) -> Static:
    """Leaves what an operator makes of two values in a register."""
    if isinstance(node, nodes.Mod):
        formatted = lower_modulo_format(values, node, target)
        if formatted is not None:
            return formatted
    if isinstance(node, nodes.Pow):
        base = values.folded(node.left)
        if base is not None and base.binds_late:
            # Jinja2 writes -2 ** n into its code, which is -(2 ** n) to Python.
            positive = nodes.Const(-base.value, lineno=node.left.lineno)
            power = nodes.Pow(positive, node.right, lineno=node.lineno)
            return lower_unary(values, nodes.Neg(power, lineno=node.lineno), target)
    left, one = values.operand(node.left)
    right, other = values.operand(node.right)
    static = _binary_static(values, node, one, other)
    if values.options.review is not None and static.may_be("integer"):
        _review_product(values, node, values.options.review)
    values.code.emit(BINARY[type(node)], target, left, right, span=values.span(node))
    return static


def _review_product(values: Expressions, node: nodes.BinExpr, review: Reviewer) -> None:
    small = any(isinstance(side, nodes.Const) for side in (node.left, node.right))
    if isinstance(node, nodes.Pow) or (isinstance(node, nodes.Mul) and not small):
        message = "a product of integers past 64 bits is a row error"
        review.note("int_overflow", message, values.tree, node, "make one a float, as n|float.")


def _binary_static(values: Expressions, node: nodes.BinExpr, left: Static, right: Static) -> Static:
    if isinstance(node, nodes.Pow) and left.join(right).may_be("decimal"):
        values.refuse("** of decimals", node)
    if isinstance(node, nodes.Mod) and left.may_be("text"):
        values.printable(right, node.right)
    return result_of(node, left, right)


def lower_unary(values: Expressions, node: nodes.UnaryExpr, target: int) -> Static:
    """Leaves a number with its sign in a register."""
    register, static = values.operand(node.node)
    values.code.emit(UNARY[type(node)], target, register, span=values.span(node))
    kinds = {"integer"} if static.may_be("boolean", "integer") else set()
    return Static(frozenset(kinds | ({"floating", "decimal", "duration"} & static.kinds)))


def lower_not(values: Expressions, node: nodes.Not, target: int) -> Static:
    """Leaves whether a value is false in a register."""
    register, _ = values.operand(node.node)
    values.code.emit("not", target, register, span=values.span(node))
    return Static.of("boolean")


def lower_choice(values: Expressions, node: nodes.BinExpr, target: int) -> Static:
    """Leaves the operand that `and` or `or` chooses in a register."""
    done = Label()
    left = values.into(node.left, target)
    jump = "jump_if_false" if isinstance(node, nodes.And) else "jump_if_true"
    values.code.emit(jump, target, done, span=values.span(node.left))
    right = values.into(node.right, target)
    values.code.place(done)
    if isinstance(node, nodes.Or):
        # What is false is passed over.
        left = left.without(NONE, UNDEFINED)
    return left.join(right)


def lower_inline_if(values: Expressions, node: nodes.CondExpr, target: int) -> Static:
    """Leaves the value that a condition chooses in a register."""
    otherwise, done = Label(), Label()
    with values.code.scratch():
        test, _ = values.operand(node.test)
        values.code.emit("jump_if_false", test, otherwise, span=values.span(node.test))
    first = values.into(node.expr1, target)
    if values.options.review is not None:
        with values.options.review.where(node.test):
            first = first.without(NONE) if values.options.review.is_guarded(node.expr1) else first
    values.code.emit("jump", done, span=values.span(node))
    values.code.place(otherwise)
    if node.expr2 is None:
        second = values.undefined("the missing else of an inline if", target, values.span(node), silent=True)
    else:
        second = values.into(node.expr2, target)
    values.code.place(done)
    return first.join(second)


def lower_concat(values: Expressions, node: nodes.Concat, target: int) -> Static:
    """Leaves what `~` joins in a register."""
    first = values.code.take(len(node.nodes))
    for offset, part in enumerate(node.nodes):
        values.printable(values.into(part, first + offset), part)
    count, markup = len(node.nodes), int(values.autoescape)
    values.code.emit("concat", target, first, count, markup, span=values.span(node))
    return Static.of("text")


def lower_comparison(values: Expressions, node: nodes.Compare, target: int) -> Static:
    """Leaves in a register whether a chain of comparisons holds."""
    done = Label()
    left, one = values.operand(node.expr)
    for position, operand in enumerate(node.ops):
        if position:
            values.code.emit("jump_if_false", target, done, span=values.span(node))
        # What is looked into may be a view, a range or a generator.
        is_search = operand.op in ("in", "notin")
        right, other = (values.iterable if is_search else values.operand)(operand.expr)
        compare_pair(values, node, _COMPARE[operand.op], (left, one), (right, other), target)
        left, one = right, other
    values.code.place(done)
    return Static.of("boolean")


def compare_pair(
    values: Expressions,
    node: nodes.Node,
    opcode: str,
    left: tuple[int, Static],
    right: tuple[int, Static],
    target: int,
) -> None:
    """Leaves in a register how two values compare."""
    one, other = left[1], right[1]
    if opcode in ("contains", "not_contains"):
        values.as_dict(other, node)
        other = other.iterated()
    if holds_dict(one) and holds_dict(other):
        values.whole(one, node)
        values.whole(other, node)
    values.code.emit(opcode, target, left[0], right[0], span=values.span(node))


def lower_sequence(values: Expressions, node: nodes.List | nodes.Tuple, target: int) -> Static:
    """Leaves a list or tuple in a register."""
    kind = "tuple" if isinstance(node, nodes.Tuple) else "list"
    first = values.code.take(len(node.items))
    items = [values.into(entry, first + offset) for offset, entry in enumerate(node.items)]
    values.code.emit(kind, target, first, len(node.items), span=values.span(node))
    parts = tuple(items) if kind == "tuple" else None
    return Static(frozenset({kind}), item=joined(items), parts=parts)


def lower_dict(values: Expressions, node: nodes.Dict, target: int) -> Static:
    """Leaves a dict in a register."""
    first = values.code.take(2 * len(node.items))
    keys, entries = [], []
    for at, pair in enumerate(node.items):
        keys.append(values.into(pair.key, first + 2 * at))
        entries.append(values.into(pair.value, first + 2 * at + 1))
    values.code.emit("dict", target, first, 2 * len(node.items), span=values.span(node))
    names = [pair.key.value for pair in node.items if isinstance(pair.key, nodes.Const)]
    known = len(set(names)) == len(entries) and all(isinstance(name, str) for name in names)
    shape = tuple(zip(names, entries, strict=True)) if known else None
    return Static(frozenset({"dict"}), item=joined(keys), value=joined(entries), entries=shape)
