"""Lists that grow: `{% do items.append(item) %}`, where the template itself made the list.

To Jinja2 a list is one object, whatever names it has; a plan's values are copied. So a list may grow as long
as one variable alone holds it: what is done with it there and then, as printing it or going through it, does
no harm, but once something else holds it, too, it may not grow any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.generators import loop_over
from labfactory.compiler.scope import Variable
from labfactory.compiler.types import Static, joined

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.scope import Context

METHODS = ("append", "extend")
_ALONE = "build a new one, as items + [item]."


@dataclass(eq=False, slots=True)
class Growing:
    """A list that a template made.

    Args:
        serial: Its number among what changes while a plan is made.
        depth: How many loops ran where it was made.
        home: The module that it belongs to, where every row of Jinja2's would share that.
        is_shared: Whether something beside its variable holds it.
        grown: How many loops ran at most where it grew.
    """

    serial: int
    depth: int
    home: Context | None
    is_shared: bool = False
    grown: int = -1


def owned(values: Expressions, node: nodes.Node, static: Static) -> Static:
    """What is known of a value that a variable is given: whether it is a list that may grow."""
    if not isinstance(node, nodes.List) or static.kinds != {"list"}:
        return static
    values.code.namespaces += 1
    context = values.scope.context
    home = context if context.is_shared else None
    return replace(static, growing=Growing(values.code.namespaces, values.code.depth, home))


def share(values: Expressions, static: Static, node: nodes.Node) -> None:
    """Notes that a value is held by something beside its variable."""
    growing = static.growing
    if growing is None:
        return
    growing.is_shared = True
    if values.code.depth > growing.depth and growing.grown > growing.depth:
        # It may grow again in the loop's next step.
        values.refuse("a list that grows while something else holds it", node, hint=_ALONE)


def share_names(values: Expressions, node: nodes.Node) -> None:
    """Notes that what an expression reads is read later."""
    for static in _read(values, node):
        share(values, static, node)


def iterated(values: Expressions, node: nodes.Node) -> list[Growing]:
    """The lists that an expression reads and that a loop goes through, while they may not grow."""
    return [static.growing for static in _read(values, node) if static.growing is not None]


def _read(values: Expressions, node: nodes.Node) -> list[Static]:
    names = [node] if isinstance(node, nodes.Name) else list(node.find_all(nodes.Name))
    found = [values.scope.meant(name.name) for name in names if name.ctx == "load"]
    return [variable.static for variable in found if isinstance(variable, Variable)]


def lower_growth(values: Expressions, node: nodes.Call, target: int) -> Static | None:
    """Lets a list grow in place and leaves None in a register; None for what is no such list."""
    assert isinstance(node.node, nodes.Getattr)
    name, owner = node.node.attr, node.node.node
    variable = values.scope.lookup(owner.name) if isinstance(owner, nodes.Name) else None
    if not isinstance(variable, Variable) or variable.static.growing is None:
        return None
    growing = variable.static.growing
    is_elsewhere = growing.home is not None and not growing.home.is_open
    if growing.is_shared or is_elsewhere or any(growing is one for one in values.code.iterated):
        values.refuse("a list that grows while something else holds it", node, hint=_ALONE)
    if len(node.args) != 1 or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        values.tree.fail(f"expected one value for {name}", node, code="arguments")
    variable.read()
    if name == "append":
        register = values.code.take()
        _append(values, node, variable, register, values.into(node.args[0], register))
    else:
        register, static = values.iterable(node.args[0])
        values.item(static, node.args[0])
        loop_over(values, node, register, static, lambda at, item: _append(values, node, variable, at, item))
    return values.constant(None, target, node)


def _append(values: Expressions, node: nodes.Call, variable: Variable, register: int, item: Static) -> None:
    growing, static = variable.static.growing, variable.static
    assert growing is not None
    if growing.is_shared:
        values.refuse("a list that grows while something else holds it", node, hint=_ALONE)
    growing.grown = max(growing.grown, values.code.depth)
    values.code.emit("append", variable.register, register, span=values.span(node))
    known = replace(static, item=joined(filter(None, [static.item, item])))
    if known != static:
        variable.static = known
        values.code.changes.append(growing.serial)


__all__ = ["METHODS", "Growing", "iterated", "lower_growth", "owned", "share", "share_names"]
