"""Children: the nodes within one, in Jinja2's order; the common kinds are told apart.

Jinja2 looks through all attributes of a node for those that are nodes, which takes several times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    ChildrenOf = Callable[[Any], Iterable[nodes.Node]]


def _none(_: nodes.Node) -> Iterable[nodes.Node]:
    return ()


def _operands(node: nodes.BinExpr) -> Iterable[nodes.Node]:
    return (node.left, node.right)


def _of_call(node: nodes.Call | nodes.Filter) -> Iterable[nodes.Node]:
    if not (node.args or node.kwargs or node.dyn_args or node.dyn_kwargs):
        return (node.node,) if node.node is not None else ()
    given = (node.node, *node.args, *node.kwargs, node.dyn_args, node.dyn_kwargs)
    return [child for child in given if child is not None]


_CHILDREN: dict[type[nodes.Node], ChildrenOf] = {
    nodes.Const: _none,
    nodes.TemplateData: _none,
    nodes.Name: _none,
    nodes.Output: lambda node: node.nodes,
    nodes.Getattr: lambda node: (node.node,),
    **dict.fromkeys(nodes.BinExpr.__subclasses__(), _operands),
    nodes.Compare: lambda node: (node.expr, *node.ops),
    nodes.Operand: lambda node: (node.expr,),
    nodes.Keyword: lambda node: (node.value,),
    nodes.Call: _of_call,
    nodes.Filter: _of_call,
}


def children(node: nodes.Node) -> Iterable[nodes.Node]:
    """The nodes within one, in Jinja2's order."""
    return _CHILDREN.get(type(node), nodes.Node.iter_child_nodes)(node)
