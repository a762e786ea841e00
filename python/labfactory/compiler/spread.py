"""Spreading: arguments by * and **, of what is known item by item when a template is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory._core import plan as core
from labfactory.compiler.code import Label
from labfactory.compiler.types import NONE, TUPLE, UNDEFINED, Static

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labfactory.compiler.expressions import Expressions

_PLAIN = "write its items, or a list or dict whose length or names are known when the template is compiled."


def spread(
    values: Expressions, node: nodes.Call | nodes.Filter | nodes.Test
) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
    """The arguments of a call by position and by name, those by * and ** among them.

    Raises:
        CompileError: Rows decide how many there are, or what they are called.
    """
    args, keywords = [*node.args], [nodes.Keyword(k.key, k.value, lineno=k.lineno) for k in node.kwargs]
    if node.dyn_args is not None:
        args += _items(values, node.dyn_args)
    if node.dyn_kwargs is not None:
        keywords += entries(values, node.dyn_kwargs)
    names = [keyword.key for keyword in keywords]
    if len(set(names)) < len(names):
        values.tree.fail("expected each name once among the arguments", node, code="arguments")
    return args, keywords


def listed(values: Expressions, node: nodes.Call | nodes.Filter) -> nodes.Expr:
    """The arguments by position of a call with *, as one list: for what takes any number of them."""
    assert node.dyn_args is not None
    register, static = values.iterable(node.dyn_args)
    held = values.hold(f"*@{register}", register, static, node)
    items = nodes.Filter(held, "list", [], [], None, None, lineno=node.lineno)
    return nodes.Add(nodes.List(node.args, lineno=node.lineno), items, lineno=node.lineno)


def _items(values: Expressions, node: nodes.Expr) -> list[nodes.Expr]:
    if isinstance(node, (nodes.Tuple, nodes.List)):
        return list(node.items)
    try:
        folded = values.fold(node).value
    except nodes.Impossible:
        folded = None
    if isinstance(folded, (list, tuple)):
        return [nodes.Const(item, lineno=node.lineno) for item in folded]
    register, static = values.operand(node)
    if static.kinds != {TUPLE} or static.parts is None:
        values.refuse("* of a value whose length rows decide", node, hint=_PLAIN)
    found: list[nodes.Expr] = []
    for at, part in enumerate(static.parts):
        index, item = values.code.take(2), values.code.take()
        values.constant(at, index, node)
        values.code.emit("subscript", item, register, index, span=values.span(node))
        found.append(values.hold(f"*{item}", item, part, node))
    return found


def entries(values: Expressions, node: nodes.Expr) -> list[nodes.Keyword]:
    """What a dict, or a struct, hands over by name."""
    if isinstance(node, nodes.Dict):
        pairs = [(pair.key, pair.value) for pair in node.items]
        if all(isinstance(key, nodes.Const) and isinstance(key.value, str) for key, _ in pairs):
            return _keywords(node, ((key.as_const(), value) for key, value in pairs))
    try:
        folded = values.fold(node).value
    except nodes.Impossible:
        folded = None
    if isinstance(folded, dict) and all(isinstance(key, str) for key in folded):
        constants = {key: nodes.Const(value, lineno=node.lineno) for key, value in folded.items()}
        return _keywords(node, constants.items())
    register, static = values.operand(node)
    if static.kinds == {"dict"} and static.entries is not None:
        return _keywords(node, _of_dict(values, node, register, static))
    if len(static.sources) == 1 and static.kinds <= {"record", NONE, UNDEFINED}:
        return _keywords(node, _of_struct(values, node, register, static))
    return values.refuse("** of a value whose names rows decide", node, hint=_PLAIN)


def _keywords(node: nodes.Expr, pairs: Iterable[tuple[str, nodes.Expr]]) -> list[nodes.Keyword]:
    return [nodes.Keyword(name, value, lineno=node.lineno) for name, value in pairs]


def _of_dict(
    values: Expressions, node: nodes.Expr, register: int, static: Static
) -> list[tuple[str, nodes.Expr]]:
    found: list[tuple[str, nodes.Expr]] = []
    for name, entry in static.entries or ():
        key, item = values.code.take(), values.code.take()
        values.constant(name, key, node)
        values.code.emit("subscript", item, register, key, span=values.span(node))
        found.append((name, values.hold(f"*{item}", item, entry, node)))
    return found


def _of_struct(
    values: Expressions, node: nodes.Expr, register: int, static: Static
) -> list[tuple[str, nodes.Expr]]:
    """The fields of a struct; None is no mapping."""
    code, span = values.code, values.span(node)
    (source,) = static.sources
    present, test = Label(), code.take()
    for name, outcome in (("undefined", "undefined"), ("none", "type_error")):
        code.emit("test", test, core.TESTS[name], register, span=span)
        code.emit("jump_if_false", test, present, span=span)
        code.emit("fail", core.OUTCOMES[outcome], span=span)
        code.place(present)
        present = Label()
    found: list[tuple[str, nodes.Expr]] = []
    for name, _ in values.table.type(source).fields:
        entry, item = values.table.field(source, name), code.take()
        assert entry is not None
        code.emit("field", item, register, entry, span=span)
        found.append((name, values.hold(f"*{item}", item, values.table.static(entry), node)))
    return found


__all__ = ["entries", "listed", "spread"]
