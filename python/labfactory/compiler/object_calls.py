"""Calls of objects: macros, blocks, recursive loops, and the steps of cyclers and joiners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.macros import evaluate_arguments, write_macro
from labfactory.compiler.makers import maker_of, object_given
from labfactory.compiler.objects import Block, Cycler, Joiner, Macro, Module, Object, Self
from labfactory.compiler.referents import attribute_name, object_of, refuse_object
from labfactory.compiler.scope import LoopName, Unassigned, Variable
from labfactory.compiler.steppers import changed, cycle, no_arguments, step_cycler, step_joiner
from labfactory.compiler.types import NONE, UNDEFINED, UNSET, Static

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions

_TEXTS = (Macro, Block)
_NOTHING = frozenset({UNDEFINED, UNSET})


def write_call(values: Expressions, node: nodes.Node) -> bool:
    """Writes what a call that stands alone gives: a macro's text, a block's; False for all others."""
    if not isinstance(node, nodes.Call):
        return False
    match object_of(values, node.node):
        case Macro() as macro:
            write_macro(values, node, macro)
        case Block() as block:
            no_arguments(values, node, "a block")
            block.rendering.write_block(values, node, block.name, block.level)
        case LoopName(recursion=recursion) as loop if recursion is not None:
            _recurse(values, node, loop)
        case _:
            return False
    return True


def _recurse(values: Expressions, node: nodes.Call, loop: LoopName) -> None:
    from labfactory.compiler.loops import lower_recursion

    if len(node.args) != 1 or node.kwargs or node.dyn_args or node.dyn_kwargs:
        values.tree.fail("expected one value to loop over", node, code="arguments")
    lower_recursion(values, node, loop)


def lower_object_call(values: Expressions, node: nodes.Call, target: int) -> Static | None:
    """Leaves what a call of an object gives in a register; None for a call of anything else."""
    found = object_of(values, node.node)
    if isinstance(found, _TEXTS) or (isinstance(found, LoopName) and found.recursion is not None):
        # A call of `loop` is escaped as its template is, a macro as it is where it is called.
        with values.code.capturing(target, markup=values.autoescape, span=values.span(node)):
            write_call(values, node)
        return Static.of("text")
    if found is None and _is_undefined(values, node.node):
        return _fail(values, node, "undefined", target)
    if found is None and _is_none(values, node.node):
        return _fail(values, node, "type_error", target)
    if isinstance(found, Joiner):
        return step_joiner(values, node, found, target)
    if isinstance(found, Object):
        refuse_object(values, found, node)
    return _call_method(values, node, target)


def _call_method(values: Expressions, node: nodes.Call, target: int) -> Static | None:
    name = attribute_name(node.node)
    owner = _owner(values, node.node)
    if isinstance(owner, Cycler) and name in ("next", "reset"):
        return step_cycler(values, node, owner, name, target)
    if isinstance(owner, LoopName) and name in ("cycle", "changed"):
        return (cycle if name == "cycle" else changed)(values, node, owner, target)
    if isinstance(owner, Self | Module | Block) and name is not None:
        # What they do not have is undefined, and a call of that an error.
        return _fail(values, node, "undefined", target)
    if isinstance(owner, Object):
        values.refuse(f"a call of {name!r} of {owner.spoken}", node)
    return None


def _owner(values: Expressions, node: nodes.Node) -> Object | LoopName | None:
    """What a method is called of; a cycler may be made there and then."""
    if not isinstance(node, (nodes.Getattr, nodes.Getitem)):
        return None
    found = object_of(values, node.node)
    is_made = found is None and maker_of(values, node.node) == "cycler"
    return object_given(values, node.node) if is_made else found


def _fail(values: Expressions, node: nodes.Call, outcome: str, target: int) -> Static:
    """What Jinja2 would raise once it has the arguments."""
    evaluate_arguments(values, node)
    span = values.span(node)
    values.code.emit("fail", values.outcome(outcome), span=span)
    return values.undefined("call", target, span)


def _is_none(values: Expressions, node: nodes.Node) -> bool:
    """Whether a name surely holds None, as the `caller=none` of a macro that is called without a block."""
    found = values.scope.lookup(node.name) if isinstance(node, nodes.Name) else None
    return isinstance(found, Variable) and found.object is None and found.static.kinds == {NONE}


def _is_undefined(values: Expressions, node: nodes.Node) -> bool:
    """Whether a name surely holds nothing here, as `caller` outside a call block."""
    if not isinstance(node, nodes.Name):
        return False
    found = values.scope.lookup(node.name)
    if isinstance(found, Unassigned):
        return values.is_absent(node.name)
    return isinstance(found, Variable) and found.object is None and found.static.kinds <= _NOTHING
