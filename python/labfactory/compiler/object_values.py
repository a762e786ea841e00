"""Values of objects: what expressions make of macros, namespaces, modules and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.attributes import loop_attribute
from labfactory.compiler.growing import share
from labfactory.compiler.macros import attribute_of
from labfactory.compiler.object_calls import lower_object_call
from labfactory.compiler.objects import Block, Cycler, Macro, Module, Namespace, Object, Self
from labfactory.compiler.referents import attribute_name, exported, object_of, refuse_object, truth_of
from labfactory.compiler.scope import LoopName
from labfactory.compiler.types import Static

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions


def lower_of_objects(values: Expressions, node: nodes.Node, target: int) -> Static | None:
    """Leaves what an expression makes of objects in a register; None where it has to do with none."""
    match node:
        case nodes.Call():
            return lower_object_call(values, node, target)
        case nodes.Getattr() | nodes.Getitem():
            return _attribute(values, node, target)
        case nodes.CondExpr():
            return _inline_if(values, node, target)
        case nodes.And() | nodes.Or():
            return _choice(values, node, target)
        case nodes.Filter(name="length" | "count", node=nodes.Name() as name, args=[], kwargs=[]):
            return _length(values, object_of(values, name), target, values.span(node))
        case nodes.Not() | nodes.Test():
            known = truth_of(values, node)
            return None if known is None else values.constant(known, target, node)
    return None


def _length(values: Expressions, loop: Object | LoopName | None, target: int, span: int) -> Static | None:
    if not isinstance(loop, LoopName):
        return None
    loop_attribute(values, loop, "length", target, span)
    return Static.of("integer")


def _inline_if(values: Expressions, node: nodes.CondExpr, target: int) -> Static | None:
    known = truth_of(values, node.test)
    if known is None:
        return None
    chosen = node.expr1 if known else node.expr2
    if chosen is not None:
        return values.into(chosen, target)
    span = values.span(node)
    return values.undefined("the missing else of an inline if", target, span, silent=True)


def _choice(values: Expressions, node: nodes.And | nodes.Or, target: int) -> Static | None:
    left = truth_of(values, node.left)
    if left is None:
        return None
    if left is not isinstance(node, nodes.Or):
        return values.into(node.right, target)
    return values.constant(left, target, node) if object_of(values, node.left) is None else None


def _attribute(values: Expressions, node: nodes.Getattr | nodes.Getitem, target: int) -> Static | None:
    name = attribute_name(node)
    owner = object_of(values, node.node)
    if name is None or not isinstance(owner, Object):
        return None
    found = object_of(values, node)
    if isinstance(found, Object):
        refuse_object(values, found, node)
    span = values.span(node)
    match owner:
        case Namespace() if name in owner.attributes:
            attribute = owner.attributes[name]
            values.code.emit("move", target, attribute.register, span=span)
            return attribute.static
        case Module() if (variable := exported(owner, name)) is not None:
            values.code.emit("move", target, variable.register, span=span)
            share(values, variable.static, node)
            return variable.read()
        case Cycler() if name == "current":
            values.code.emit("subscript", target, owner.items, owner.position, span=span)
            return owner.item
        case Macro() if name in ("name", "arguments", "catch_kwargs", "catch_varargs", "caller"):
            return values.constant(attribute_of(owner, name), target, node)
        case Module() if name == "__name__":
            return values.constant(owner.name, target, node)
        case Namespace() | Module() | Self() | Block():
            return values.undefined(name, target, span)
    return values.refuse(f"the attribute {name!r} of {owner.spoken}", node)
