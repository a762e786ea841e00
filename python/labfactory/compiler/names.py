"""Lowering of names: variables, columns and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2.defaults import DEFAULT_NAMESPACE

from labfactory.compiler.growing import share
from labfactory.compiler.hints import meant
from labfactory.compiler.referents import refuse_object
from labfactory.compiler.scope import LoopName, Variable

if TYPE_CHECKING:
    from jinja2 import nodes

    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.types import Static


def lower_name(values: Expressions, node: nodes.Name, target: int) -> Static:
    """Leaves what a name stands for in a register."""
    found = values.scope.lookup(node.name)
    if isinstance(found, Variable):
        static = loaded(values, node, found)
        if not values.borrows:
            share(values, static, node)
        values.code.emit("move", target, found.register, span=values.span(node))
        return static
    if isinstance(found, LoopName):
        values.refuse("loop as a value", node, hint="use its attributes, as loop.index.")
    return _outside(values, node, target)


def _outside(values: Expressions, node: nodes.Name, target: int) -> Static:
    name = node.name
    if name == "self":
        values.refuse("the name self", node)
    if name in values.options.constants:
        return values.load_constant(name, target, node)
    if name in values.options.columns:
        return values.column(name, target, node)
    if name in DEFAULT_NAMESPACE:
        values.refuse(f"the global {name}", node)
    if values.options.undefined == "error" and name not in values.options.optional:
        _unknown_column(values, node)
    return values.undefined(name, target, values.span(node))


def _unknown_column(values: Expressions, node: nodes.Name) -> None:
    known = [*values.options.columns, *values.options.constants]
    hint = meant(node.name, known, "The schema has")
    message = f"unknown column {node.name!r}"
    if values.options.review is None:
        values.tree.fail(message, node, code="unknown_column", hint=hint)
    values.options.review.note("unknown_column", message, values.tree, node, hint)


def loaded(values: Expressions, node: nodes.Name, variable: Variable) -> Static:
    """What is known of a variable that is read here; objects are refused."""
    if variable.object is not None:
        refuse_object(values, variable.object, node)
    optional = node.name in values.options.optional
    if variable.static.is_unset and values.options.undefined == "error" and not optional:
        _unknown_column(values, node)
    return variable.read()
