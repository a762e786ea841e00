"""Makers: calls that give objects, `namespace`, `cycler` and `joiner`, and assignments to namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.code import Instruction
from labfactory.compiler.objects import Attribute, Namespace, Object
from labfactory.compiler.referents import object_of
from labfactory.compiler.scope import LoopName, Unassigned
from labfactory.compiler.spread import entries, spread
from labfactory.compiler.steppers import check_home, home_of, make_cycler, make_joiner
from labfactory.compiler.types import UNDEFINED, Static

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions


def object_given(values: Expressions, node: nodes.Node) -> Object | LoopName | None:
    """The object that an expression gives, made where it makes one."""
    found = object_of(values, node)
    if found is not None:
        return found
    maker = maker_of(values, node)
    if maker is None:
        return None
    assert isinstance(node, nodes.Call)
    return _MAKERS[maker](values, node)


def maker_of(values: Expressions, node: nodes.Node) -> str | None:
    """The name of the global that a call makes an object by, if it makes one."""
    if not (isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name)):
        return None
    name = node.node.name
    is_global = name in _MAKERS and isinstance(values.scope.lookup(name), Unassigned)
    return name if is_global and not values.is_known(name) else None


def _make_namespace(values: Expressions, node: nodes.Call) -> Namespace:
    code, span = values.code, values.span(node)
    pairs = _pairs(values, node)
    given: dict[str, Attribute] = {}
    for name, value in pairs:
        register = given[name].register if name in given else code.keep()
        with values.borrowing(borrows=False):
            given[name] = Attribute(register, values.into(value, register))
    # The place where attributes that come later are made undefined.
    first = code.emit("end", span=span)
    first.is_needed = False
    code.namespaces += 1
    return Namespace(code.namespaces, first, home_of(values), given)


def _pairs(values: Expressions, node: nodes.Call) -> list[tuple[str, nodes.Expr]]:
    args, keywords = spread(values, node)
    if len(args) > 1:
        values.tree.fail("expected one dict at most for a namespace", node, code="arguments")
    given = [found for argument in args for found in entries(values, argument)]
    return [(keyword.key, keyword.value) for keyword in given + keywords]


_MAKERS = {"namespace": _make_namespace, "cycler": make_cycler, "joiner": make_joiner}


def assign_attribute(values: Expressions, node: nodes.NSRef, register: int, static: Static) -> None:
    """Gives an attribute of a namespace a value."""
    code = values.code
    owner = object_of(values, nodes.Name(node.name, "load", lineno=node.lineno))
    if not isinstance(owner, Namespace):
        values.refuse(f"assigning an attribute of {node.name!r} where it is no namespace", node)
    check_home(values, owner, node)
    span = values.span(node)
    attribute = owner.attributes.get(node.attr)
    if attribute is None:
        attribute = owner.attributes[node.attr] = Attribute(code.keep(), Static.of(UNDEFINED))
        clearing = Instruction("undefined", (attribute.register, code.constant(node.attr), 0), span)
        code.insert(owner.first, clearing)
    joined = attribute.static.join(static)
    if joined != attribute.static:
        attribute.static = joined
        code.changes.append(owner.serial)
    code.emit("move", attribute.register, register, span=span)
