"""Macros: each call becomes the macro's body, with what is known of its arguments there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory._core import plan as core
from labfactory.compiler.growing import share
from labfactory.compiler.makers import object_given
from labfactory.compiler.scope import UNASSIGNED, Binding, LoopName, Scope, Variable
from labfactory.compiler.spread import spread
from labfactory.compiler.types import GENERATOR, NOWHERE, TUPLE, VIEW, Static, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.objects import Macro

# A macro may call itself: a schema ends that, as a tree of a given depth does, or this bound for each row.
MOST_LEVELS = 24

# What is gone through and is no value.
_READ = (GENERATOR, VIEW)


@dataclass(slots=True)
class Arguments:
    """What a call hands over: values in registers, or objects."""

    positional: list[Binding] = field(default_factory=list)
    named: dict[str, Binding] = field(default_factory=dict)


def evaluate_arguments(values: Expressions, node: nodes.Call, caller: Macro | None = None) -> Arguments:
    """Evaluates the arguments of a call, in Python's order."""
    args, keywords = spread(values, node)
    found = Arguments([_argument(values, argument) for argument in args])
    for keyword in keywords:
        found.named[keyword.key] = _argument(values, keyword.value)
    if caller is not None:
        found.named["caller"] = Variable(NOWHERE, UNASSIGNED, object=caller)
    return found


def _argument(values: Expressions, node: nodes.Expr) -> Binding:
    if isinstance(node, nodes.Name):
        found = values.scope.lookup(node.name)
        if isinstance(found, LoopName):
            return found
    its_object = object_given(values, node)
    if its_object is not None:
        return Variable(NOWHERE, UNASSIGNED, object=its_object)
    register = values.code.take()
    with values.borrowing(borrows=False):
        # A macro may be handed a generator, and read it once.
        return Variable(register, values.into(node, register, lazily=True))


def write_macro(values: Expressions, node: nodes.Call, macro: Macro, caller: Macro | None = None) -> None:
    """Writes what a call of a macro gives, where the call stands.

    Raises:
        CompileError: `plan_too_large` where macros within macros make too much of a plan.
    """
    linker = macro.statements.linker
    linker.check_size(values, node, f"the macro {macro.name!r}" if macro.name else "a call block")
    if sum(1 for active in linker.active if active is macro.node) >= MOST_LEVELS:
        values.code.emit("fail", core.OUTCOMES["work_limit"], span=values.span(node))
        return
    arguments = evaluate_arguments(values, node, caller)
    scope, special = macro.scope.of_macro(macro.node)
    if not _fits(macro.node, special, arguments):
        values.code.emit("fail", core.OUTCOMES["type_error"], span=values.span(node))
        return
    linker.active.append(macro.node)
    with macro.statements.apart(scope, autoescape=macro.autoescape):
        _bind(macro, scope, special, arguments)
        macro.statements.body(macro.node.body)
    linker.active.pop()


def _fits(node: nodes.Macro | nodes.CallBlock, special: frozenset[str], given: Arguments) -> bool:
    """Whether Jinja2 would take the arguments: it raises TypeError for too many and for unknown ones."""
    names = [argument.name for argument in node.args]
    taken = set(names[len(given.positional) :])
    if "caller" in special:
        taken.add("caller")
    too_many = len(given.positional) > len(names) and "varargs" not in special
    unknown = not given.named.keys() <= taken and "kwargs" not in special
    return not (too_many or unknown)


def _bind(macro: Macro, scope: Scope, special: frozenset[str], given: Arguments) -> None:
    values = macro.statements.values
    names = [argument.name for argument in macro.node.args]
    later: list[tuple[int, str]] = []
    for at, name in enumerate(names):
        if at < len(given.positional):
            scope.bind(name, given.positional[at])
        elif name in given.named:
            scope.bind(name, given.named.pop(name))
        else:
            later.append((at, name))
            scope.bind(name, macro.statements.unset(name, macro.node))
    macro.statements.enter(scope, macro.node)
    for at, name in later:
        variable = scope.variable(name)
        default = at - len(names) + len(macro.node.defaults)
        if default >= 0:
            _default(values, variable, macro.node.defaults[default])
        else:
            span = values.span(macro.node)
            variable.static = values.undefined(name, variable.register, span)
            variable.clearing = None
    _bind_special(values, scope, special, given, names, macro.node)


def _default(values: Expressions, variable: Variable, node: nodes.Expr) -> None:
    variable.object = object_given(values, node)
    if variable.object is None:
        # The default may look at the parameter itself, which is undefined still.
        register, static = values.operand(node)
        share(values, static, node)
        values.code.emit("move", variable.register, register, span=values.span(node))
        variable.static = static


def _bind_special(
    values: Expressions,
    scope: Scope,
    special: frozenset[str],
    given: Arguments,
    names: Sequence[str],
    node: nodes.Macro | nodes.CallBlock,
) -> None:
    if "caller" in special:
        caller = given.named.pop("caller", None)
        if caller is None:
            register = values.code.take()
            caller = Variable(register, values.undefined("caller", register, values.span(node)))
        scope.bind("caller", caller)
    if "varargs" in special:
        scope.bind("varargs", _tuple(values, given.positional[len(names) :], node))
    if "kwargs" in special:
        scope.bind("kwargs", _mapping(values, given, node))


def attribute_of(macro: Macro, name: str) -> object:
    """What a template may ask a macro for."""
    if name == "name":
        return macro.name
    if name == "arguments":
        return tuple(argument.name for argument in macro.node.args)
    _, special = macro.scope.of_macro(macro.node)
    return name.removeprefix("catch_") in special


def _mapping(values: Expressions, given: Arguments, node: nodes.Macro | nodes.CallBlock) -> Variable:
    """What else was given by name, as the dict `kwargs`."""
    pairs = []
    for name, entry in given.named.items():
        if not isinstance(entry, Variable) or entry.object is not None:
            values.refuse("kwargs that hold more than values", node)
        held = values.hold(f"{name}@{entry.register}", entry.register, entry.static, node)
        pairs.append(nodes.Pair(nodes.Const(name, lineno=node.lineno), held, lineno=node.lineno))
    register = values.code.take()
    return Variable(register, values.into(nodes.Dict(pairs, lineno=node.lineno), register))


def _tuple(values: Expressions, entries: Sequence[Binding], node: nodes.Node) -> Variable:
    span = values.span(node)
    first = values.code.take(len(entries) + 1)
    parts = []
    for offset, entry in enumerate(entries):
        if not isinstance(entry, Variable) or entry.object is not None or entry.static.may_be(*_READ):
            values.refuse("varargs that hold more than values", node)
        values.code.emit("move", first + offset, entry.register, span=span)
        parts.append(entry.static)
    target = first + len(entries)
    values.code.emit("tuple", target, first, len(entries), span=span)
    return Variable(target, Static(frozenset({TUPLE}), item=joined(parts), parts=tuple(parts)))
