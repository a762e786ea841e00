"""Referents: the objects that expressions stand for, such as macros, and what conditions say of those."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from jinja2 import nodes

from labfactory.compiler.objects import Block, Module, Object, Self
from labfactory.compiler.scope import LoopName, Variable

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions


def object_of(values: Expressions, node: nodes.Node) -> Object | LoopName | None:
    """The object that a name or an attribute stands for, if it stands for one."""
    if isinstance(node, nodes.Name):
        found = values.scope.lookup(node.name)
        if isinstance(found, Variable):
            return found.object
        return found if isinstance(found, LoopName) else None
    name = attribute_name(node)
    if name is None:
        return None
    assert isinstance(node, (nodes.Getattr, nodes.Getitem))
    match object_of(values, node.node):
        case Module() as module:
            variable = exported(module, name)
            return None if variable is None else variable.object
        case Self(rendering=rendering):
            return Block(name, rendering, 0) if name in rendering.blocks else None
        case Block(rendering=rendering) as block if name == "super":
            above = Block(block.name, rendering, block.level + 1)
            return above if above.level < len(rendering.blocks[block.name]) else None
    return None


def attribute_name(node: nodes.Node) -> str | None:
    """The name of the attribute that an expression looks up, where it is written out."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return node.arg.value if isinstance(node.arg.value, str) else None
    return None


def exported(module: Module, name: str) -> Variable | None:
    """The variable of a name that an imported template gives away."""
    return module.context.exported[name] if name in module.context.public else None


def truth_of(values: Expressions, node: nodes.Node) -> bool | None:
    """Whether a condition holds by what it says of objects alone; None where rows decide."""
    match node:
        case nodes.Not():
            inner = truth_of(values, node.node)
            return None if inner is None else not inner
        case nodes.And() | nodes.Or():
            return _truth_of_choice(values, node)
        case nodes.Test(name="defined" | "undefined", args=[], kwargs=[]):
            return node.name == "defined" if object_of(values, node.node) is not None else None
        case nodes.Test(name="none", args=[], kwargs=[]):
            return False if object_of(values, node.node) is not None else None
        case nodes.Name() | nodes.Getattr() | nodes.Getitem():
            return True if object_of(values, node) is not None else None
    return None


def _truth_of_choice(values: Expressions, node: nodes.And | nodes.Or) -> bool | None:
    left = truth_of(values, node.left)
    if left is None:
        return None
    return left if left is isinstance(node, nodes.Or) else truth_of(values, node.right)


def refuse_object(values: Expressions, found: Object | LoopName, node: nodes.Node) -> NoReturn:
    """Refuses an object where a value is needed."""
    spoken = found.spoken if isinstance(found, Object) else "loop"
    values.refuse(f"{spoken} as a value", node)
