"""Lowering of calls: filters, tests and functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory._core import plan as core
from labfactory.compiler.applied import (
    FilterCall,
    apply_filter,
    apply_test,
    check_test,
    evaluate_arguments,
    is_sequence,
    signature_of,
)
from labfactory.compiler.filters import FILTER_ALIASES
from labfactory.compiler.formats import is_named, lower_format, lower_named_format, takes_width
from labfactory.compiler.function_calls import lower_function
from labfactory.compiler.growing import share_names
from labfactory.compiler.methods import lower_method
from labfactory.compiler.scope import Unassigned
from labfactory.compiler.sequences import source_of
from labfactory.compiler.spread import entries, listed, spread
from labfactory.compiler.types import GENERATOR, VIEW, Static

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions

# Values that there is one of, and the tests that tell them.
_SINGLE = ((None, "none"), (True, "true"), (False, "false"))
# Filters that read a generator and are no loops themselves.
_READING = ("first", "join", "last", "length", "urlencode")


def lower_filter(lowering: Expressions, node: nodes.Filter, target: int, *, lazily: bool = False) -> Static:
    """Leaves what a filter makes in a register.

    Args:
        lowering: Where it is lowered.
        node: The filter.
        target: The register.
        lazily: Whether a generator may be left there, as one that runs where it is read.
    """
    assert node.node is not None
    if node.name == "format":
        return _format_filter(lowering, node, target)
    call = FilterCall(node, FILTER_ALIASES.get(node.name, node.name), *spread(lowering, node))
    if is_sequence(call):
        source = source_of(lowering, node)
        if lazily and source.is_generator:
            share_names(lowering, node)
        if not source.is_generator:
            lowering.code.emit("move", target, source.registers[0], span=lowering.span(node))
            return source.static
        if not lazily:
            hint = f"a generator is read once: make a list of it, as {node.name}(…)|list."
            lowering.refuse(f"the generator that {node.name} gives, as a value,", node, hint=hint)
        return source.packed(lowering, target)
    signature = signature_of(lowering, call)
    given = call.bind(lowering, signature.parameters)
    first = lowering.code.take(2 + len(signature.parameters))
    value = _value(lowering, call, node.node, first)
    others = evaluate_arguments(lowering, call, signature, given, first)
    return apply_filter(lowering, call, signature, [value, *others], first, given, target)


def _value(lowering: Expressions, call: FilterCall, node: nodes.Expr, target: int) -> Static:
    """Leaves what a filter is called on in a register; a generator is read where the filter reads it."""
    if call.name not in _READING or not isinstance(node, (nodes.Name, nodes.Filter, nodes.Call)):
        # What it finds missing is given another value, and the others stay as they are.
        return lowering.into(node, target) if call.name == "default" else lowering.borrow(node, target)
    source = source_of(lowering, node)
    if not source.is_generator:
        register, static = source.registers[0], source.static
    elif call.name in ("last", "length"):
        lowering.refuse(f"{call.name} of a generator", node, hint=f"make a list of it: |list|{call.name}.")
    elif call.name == "first":
        return source.first(lowering, target)
    else:
        register, static = source.gathered(lowering)
    lowering.code.emit("move", target, register, span=lowering.span(node))
    return static


def _format_filter(lowering: Expressions, node: nodes.Filter, target: int) -> Static:
    assert node.node is not None
    if (node.kwargs or node.dyn_kwargs is not None) and (node.args or node.dyn_args is not None):
        message = "expected values by position or by name for the filter format, found both"
        lowering.tree.fail(message, node, code="arguments")
    try:
        text = lowering.fold(node.node).value
    except nodes.Impossible:
        return _late_format_filter(lowering, node, target)
    text = text if isinstance(text, str) else str(text)
    is_spread = node.dyn_args is not None or node.dyn_kwargs is not None
    if is_spread or takes_width(text) or bool(node.kwargs) is not is_named(text):
        return _late_format_filter(lowering, node, target)
    if node.kwargs:
        values = {str(keyword.key): keyword.value for keyword in node.kwargs}
        return lower_named_format(lowering, node, text, values, target)
    return lower_format(lowering, node, text, node.args, target)


def _late_format_filter(lowering: Expressions, node: nodes.Filter, target: int) -> Static:
    """The filter format over a text that is read as it runs."""
    assert node.node is not None
    first, line = lowering.code.take(2), node.lineno
    lowering.printable(lowering.into(node.node, first), node.node)
    arguments: nodes.Expr = nodes.Tuple(node.args, "load", lineno=line)
    if node.kwargs:
        _, keywords = spread(lowering, node)
        pairs = [nodes.Pair(nodes.Const(k.key, lineno=line), k.value, lineno=line) for k in keywords]
        arguments = nodes.Dict(pairs, lineno=line)
    elif node.dyn_kwargs is not None:
        arguments = node.dyn_kwargs
    elif node.dyn_args is not None:
        arguments = listed(lowering, node)
    lowering.printable(lowering.into(arguments, first + 1), node)
    lowering.code.emit("filter", target, core.FILTERS["format"], first, 2, span=lowering.span(node))
    return Static.of("text")


def lower_test(lowering: Expressions, node: nodes.Test, target: int) -> Static:
    """Leaves what a test finds in a register."""
    args, keywords = spread(lowering, node)
    if keywords:
        # divisibleby(num=3) is the one that has a name worth writing.
        if node.name != "divisibleby" or args or [k.key for k in keywords] != ["num"]:
            lowering.tree.fail(f"expected no names for arguments of {node.name}", node, code="arguments")
        args = [keywords[0].value]
    check_test(lowering, node, node.name, len(args))
    if node.name == "sameas":
        return _test_identity(lowering, node, args[0], target)
    value = lowering.operand(node.node, lazily=not args)
    if value[1].may_be(GENERATOR, VIEW):
        return _test_unread(lowering, node, value[1], target)
    others = [lowering.operand(argument) for argument in args]
    return apply_test(lowering, node, node.name, value, others, target)


def _test_identity(lowering: Expressions, node: nodes.Test, other: nodes.Expr, target: int) -> Static:
    """Whether a value is None, True or False itself: of all others rows do not tell one from its equal."""
    try:
        constant = lowering.fold(other).value
    except nodes.Impossible:
        constant = ...
    name = next((name for known, name in _SINGLE if constant is known), None)
    if name is None:
        lowering.refuse("the test sameas", node, hint="of None, true and false alone; compare others by ==.")
    value = lowering.operand(node.node)
    return apply_test(lowering, node, name, value, [], target)


def _test_unread(lowering: Expressions, node: nodes.Test, value: Static, target: int) -> Static:
    """A test of what is gone through, which does not go through it."""
    is_range = isinstance(node.node, nodes.Call) and isinstance(node.node.node, nodes.Name)
    if value.kinds - {GENERATOR, VIEW} or (node.name == "sequence" and not is_range):
        lowering.refuse(f"{node.name} of a generator or view", node, hint="make a list of it, by |list.")
    holds = node.name in ("defined", "iterable") or (node.name == "sequence" and is_range)
    return lowering.constant(holds, target, node)


def lower_call(lowering: Expressions, node: nodes.Call, target: int) -> Static:
    """Leaves what a function gives in a register."""
    if isinstance(node.node, nodes.Name):
        function = lowering.options.functions.get(node.node.name)
        if function is not None and isinstance(lowering.scope.lookup(node.node.name), Unassigned):
            return lower_function(lowering, node, function, target)
        if node.node.name == "slot":
            hint = "a slot stands alone, as {{ slot('hero') }}."
            lowering.refuse("slot inside an expression", node, hint=hint)
        if node.node.name in _GLOBALS and not lowering.is_known(node.node.name):
            return _GLOBALS[node.node.name](lowering, node, target)
        lowering.refuse(f"a call of {node.node.name}", node)
    if isinstance(node.node, nodes.Getattr):
        return lower_method(lowering, node, target)
    return lowering.refuse("a call", node)


def _range(lowering: Expressions, node: nodes.Call, target: int) -> Static:
    args, keywords = spread(lowering, node)
    count = len(args)
    if keywords or not 1 <= count <= 3:
        lowering.tree.fail("expected (start, stop, step) for range", node, code="arguments")
    first = lowering.code.take(3)
    # range(stop) starts at 0.
    places = [first + 1] if count == 1 else range(first, first + count)
    for argument, place in zip(args, places, strict=True):
        lowering.into(argument, place)
    if count == 1:
        lowering.constant(0, first, node)
    if count < 3:
        lowering.constant(1, first + 2, node)
    lowering.code.emit("filter", target, core.FILTERS["range"], first, 3, span=lowering.span(node))
    return Static(frozenset({VIEW}), item=Static.of("integer"))


def _dict(lowering: Expressions, node: nodes.Call, target: int) -> Static:
    args, keywords = spread(lowering, node)
    if len(args) > 1:
        lowering.tree.fail("expected one dict at most for dict", node, code="arguments")
    given = {k.key: k.value for argument in args for k in entries(lowering, argument)}
    given |= {keyword.key: keyword.value for keyword in keywords}
    pairs = [
        nodes.Pair(nodes.Const(name, lineno=node.lineno), value, lineno=node.lineno)
        for name, value in given.items()
    ]
    return lowering.into(nodes.Dict(pairs, lineno=node.lineno), target)


_GLOBALS = {"dict": _dict, "range": _range}
