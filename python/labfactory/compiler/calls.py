"""Lowering of calls: filters, tests, functions and methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import jinja2.filters
import jinja2.tests
from jinja2 import nodes

from labfactory._core import plan as core
from labfactory.compiler.filters import COMPARISONS, FILTER_ALIASES, FILTERS, TESTS, Signature
from labfactory.compiler.formats import lower_format
from labfactory.compiler.function_calls import lower_function
from labfactory.compiler.hints import meant
from labfactory.compiler.scope import Unassigned
from labfactory.compiler.types import NONE, Static

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labfactory.compiler.expressions import Expressions


def lower_filter(lowering: Expressions, node: nodes.Filter, target: int) -> Static:
    """Leaves what a filter makes in a register."""
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        lowering.refuse("a call with * or **", node)
    assert node.node is not None
    if node.name == "format":
        return _format_filter(lowering, node, target)
    name = FILTER_ALIASES.get(node.name, node.name)
    signature = FILTERS.get(name)
    if signature is None:
        _no_call(lowering, node, "filter", jinja2.filters.FILTERS, [*FILTERS, *FILTER_ALIASES, "format"])
    given = _bind(lowering, node, name, signature)
    count = 1 + len(signature.parameters)
    first = lowering.code.take(count + 1)
    values = _filter_values(lowering, node, signature, given, first)
    _check_values(lowering, node, name, signature, values)
    if signature.takes_autoescape:
        lowering.constant(lowering.autoescape, first + count, node)
        count += 1
    lowering.code.emit("filter", target, core.FILTERS[name], first, count, span=lowering.span(node))
    return signature.result(values, given.keys())


def _bind(
    lowering: Expressions, node: nodes.Filter, name: str, signature: Signature
) -> dict[str, nodes.Expr]:
    if name == "join" and (len(node.args) > 1 or any(k.key == "attribute" for k in node.kwargs)):
        lowering.refuse("join by attribute", node)
    names = [parameter for parameter, _ in signature.parameters]
    given: dict[str, nodes.Expr] = dict(zip(names, node.args, strict=False))
    wrong = len(node.args) > len(names)
    for keyword in node.kwargs:
        key = str(keyword.key)
        wrong = wrong or key not in names or key in given
        given[key] = keyword.value
    required = [n for i, n in enumerate(names) if signature.is_required(i)]
    if wrong or any(n not in given for n in required):
        expected = f"({', '.join(names)})" if names else "no arguments"
        lowering.tree.fail(f"expected {expected} for the filter {name}", node, code="arguments")
    return given


def _filter_values(
    lowering: Expressions,
    node: nodes.Filter,
    signature: Signature,
    given: Mapping[str, nodes.Expr],
    first: int,
) -> list[Static]:
    assert node.node is not None
    values = {"": lowering.into(node.node, first)}
    places = {name: first + 1 + at for at, (name, _) in enumerate(signature.parameters)}
    for name, argument in given.items():
        values[name] = lowering.into(argument, places[name])
    for name, default in signature.parameters:
        if name not in given:
            values[name] = lowering.constant(default, places[name], node)
    return [values[name] for name in ("", *places)]


def _check_values(
    lowering: Expressions, node: nodes.Filter, name: str, signature: Signature, values: Sequence[Static]
) -> None:
    for static in values[: signature.as_text]:
        lowering.printable(static, node, f"{name} of")
    if name == "join":
        if values[0].may_be("record"):
            lowering.refuse("join over the names of a struct", node)
        lowering.printable(values[1], node, "join with")
        if values[0].item is not None:
            lowering.printable(values[0].item, node, "joining")
    if name == "truncate" and values[4].may_be(NONE):
        # None stands for the policy's leeway there.
        lowering.refuse("a leeway that may be none", node)
    if name == "round" and values[1].may_be(NONE):
        # round(2.5, None) is the integer 2.
        lowering.refuse("a precision that may be none", node, hint="give it a default, as (x or 0).")


def _format_filter(lowering: Expressions, node: nodes.Filter, target: int) -> Static:
    assert node.node is not None
    if node.kwargs:
        lowering.refuse("format by name", node)
    try:
        text = lowering.fold(node.node).value
    except nodes.Impossible:
        lowering.refuse("a format that is not constant", node)
    return lower_format(lowering, node, text if isinstance(text, str) else str(text), node.args, target)


def lower_test(lowering: Expressions, node: nodes.Test, target: int) -> Static:
    """Leaves what a test finds in a register."""
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        lowering.refuse("a call with * or **", node)
    if node.name in COMPARISONS and len(node.args) == 1 and not node.kwargs:
        left = lowering.operand(node.node)
        lowering.compare_pair(node, COMPARISONS[node.name], left, lowering.operand(node.args[0]), target)
        return Static.of("boolean")
    if node.name not in TESTS:
        _no_call(lowering, node, "test", jinja2.tests.TESTS, [*TESTS, *COMPARISONS])
    if node.args or node.kwargs:
        message = f"expected no arguments for the test {node.name}"
        lowering.tree.fail(message, node, code="arguments")
    register, static = lowering.operand(node.node)
    if node.name in ("even", "odd") and static.may_be("text"):
        lowering.refuse(f"{node.name} of text", node)
    lowering.code.emit("test", target, core.TESTS[node.name], register, span=lowering.span(node))
    return Static.of("boolean")


def _no_call(
    lowering: Expressions,
    node: nodes.Filter | nodes.Test,
    what: str,
    jinja: Mapping[str, object],
    ours: Sequence[str],
) -> NoReturn:
    if node.name in jinja:
        lowering.refuse(f"the {what} {node.name}", node)
    message = f"unknown {what} {node.name!r}"
    hint = meant(node.name, ours, f"{what.capitalize()}s are")
    code = "unknown_filter" if what == "filter" else "unknown_test"
    lowering.tree.fail(message, node, code=code, hint=hint)


def lower_call(lowering: Expressions, node: nodes.Call, target: int) -> Static:
    """Leaves what a function gives in a register."""
    if isinstance(node.node, nodes.Name):
        function = lowering.options.functions.get(node.node.name)
        if function is not None and isinstance(lowering.scope.lookup(node.node.name), Unassigned):
            return lower_function(lowering, node, function, target)
        if node.node.name == "slot":
            hint = "a slot stands alone, as {{ slot('hero') }}."
            lowering.refuse("slot inside an expression", node, hint=hint)
        lowering.refuse(f"a call of {node.node.name}", node)
    if isinstance(node.node, nodes.Getattr):
        lowering.refuse(f"a call of the method {node.node.attr}", node)
    return lowering.refuse("a call", node)
