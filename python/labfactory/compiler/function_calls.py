"""Lowering of calls of functions that compile was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.types import NONE, Static, Type

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.functions import Function


def lower_function(lowering: Expressions, node: nodes.Call, function: Function, target: int) -> Static:
    """Leaves what a function gives in a register; with constant arguments it is called here, once."""
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        lowering.refuse("a call with * or **", node)
    keywords = tuple(str(keyword.key) for keyword in node.kwargs)
    arguments = [*node.args, *(keyword.value for keyword in node.kwargs)]
    _check_arguments(lowering, node, function, len(node.args), keywords)
    try:
        constants = tuple(lowering.fold(argument).value for argument in arguments)
    except nodes.Impossible:
        return _call(lowering, node, function, arguments, keywords, target)
    (result,) = function.results([constants], keywords)
    if isinstance(result, Exception):
        message = f"{function.name} failed: {type(result).__name__}: {result}"
        lowering.tree.fail(message, node, code="function_failed")
    return lowering.constant(result, target, node)


def _call(
    lowering: Expressions,
    node: nodes.Call,
    function: Function,
    arguments: list[nodes.Expr],
    keywords: tuple[str, ...],
    target: int,
) -> Static:
    first = lowering.code.take(len(arguments))
    for offset, argument in enumerate(arguments):
        lowering.whole(lowering.into(argument, first + offset), argument)
    index = lowering.code.function(function, keywords)
    lowering.code.emit("call", target, index, first, len(arguments), span=lowering.span(node))
    return _static(function.result)


def _check_arguments(
    lowering: Expressions, node: nodes.Call, function: Function, positional: int, keywords: tuple[str, ...]
) -> None:
    try:
        function.signature.bind(*range(positional), **dict.fromkeys(keywords))
    except TypeError as error:
        message = f"expected {function.name}{function.signature}: {error}"
        lowering.tree.fail(message, node, code="arguments")


def _static(found: Type) -> Static:
    kinds = frozenset({found.kind, NONE})
    item, value = (None if inner is None else _static(inner) for inner in (found.item, found.value))
    return Static(kinds, item=item, value=value)
