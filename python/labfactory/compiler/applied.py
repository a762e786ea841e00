"""Filters and tests applied to values in registers: alone, or to each item of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import jinja2.filters
import jinja2.tests

from labfactory._core import plan as core
from labfactory.compiler.filters import (
    COMPARISONS,
    FILTER_ALIASES,
    FILTERS,
    MAPPING_FILTERS,
    SEQUENCE_FILTERS,
    TESTS,
    is_required,
)
from labfactory.compiler.hints import meant
from labfactory.compiler.operators import compare_pair
from labfactory.compiler.types import DICTS, NONE, Static

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import nodes

    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.filters import Signature

_NEVER = {
    "attr": "write value.name or value['name'].",
    "filter": "the filters are known when a template is written.",
    "pprint": "print it as it is, or as |tojson(2).",
    "random": "decide by a column what a customer gets.",
    "test": "the tests are known when a template is written.",
    "urlize": "write the link, as <a href=…>.",
}

# Tests that are no call of the core of their own.
_OTHER_TESTS = ("callable", "divisibleby", "sameas")
# Filters that go through the names of a struct.
_OF_KEYS = ("first", "join", "last")
# The parameter of wordwrap whose default is the environment's line break.
_WRAPPED_BY = "wrapstring"


@dataclass(frozen=True, slots=True)
class FilterCall:
    """A filter as it is called: on a value of its own, or on each item of a sequence.

    Args:
        node: What it is called in, for errors.
        name: Its name, aliases resolved.
        args: Arguments by position.
        kwargs: Arguments by name.
    """

    node: nodes.Expr
    name: str
    args: Sequence[nodes.Expr]
    kwargs: Sequence[nodes.Pair | nodes.Keyword]

    def bind(self, lowering: Expressions, parameters: Sequence[tuple[str, object]]) -> dict[str, nodes.Expr]:
        """The arguments by the names of parameters."""
        names = [parameter for parameter, _ in parameters]
        given: dict[str, nodes.Expr] = dict(zip(names, self.args, strict=False))
        wrong = len(self.args) > len(names)
        for keyword in self.kwargs:
            key = str(keyword.key)
            wrong = wrong or key not in names or key in given
            given[key] = keyword.value
        if wrong or any(is_required(p) and p[0] not in given for p in parameters):
            expected = f"({', '.join(names)})" if names else "no arguments"
            message = f"expected {expected} for the filter {self.name}"
            lowering.tree.fail(message, self.node, code="arguments")
        return given


def is_sequence(call: FilterCall) -> bool:
    """Whether a filter goes through what it is called on, and is lowered to loops."""
    if call.name == "join":
        # Without an attribute it is a call like others.
        return len(call.args) > 1 or any(keyword.key == "attribute" for keyword in call.kwargs)
    return call.name in SEQUENCE_FILTERS or call.name in MAPPING_FILTERS


def signature_of(lowering: Expressions, call: FilterCall) -> Signature:
    """The signature of a filter that is one call of the core."""
    signature = FILTERS.get(call.name)
    if signature is None:
        ours = [*FILTERS, *SEQUENCE_FILTERS, *MAPPING_FILTERS, *FILTER_ALIASES, "format"]
        _no_call(lowering, call.node, "filter", call.name, jinja2.filters.FILTERS, ours)
    return signature


def evaluate_arguments(
    lowering: Expressions,
    call: FilterCall,
    signature: Signature,
    given: Mapping[str, nodes.Expr],
    first: int,
) -> list[Static]:
    """Leaves arguments behind the value's register, in the order in which they are written."""
    values: dict[str, Static] = {}
    places = {name: first + 1 + at for at, (name, _) in enumerate(signature.parameters)}
    for name, argument in given.items():
        values[name] = lowering.into(argument, places[name])
    for name, default in signature.parameters:
        if name not in given:
            known = lowering.tree.jinja.newline_sequence if name == _WRAPPED_BY else default
            values[name] = lowering.constant(known, places[name], call.node)
    _check_wrapping(lowering, call, values)
    return [values[name] for name in places]


def _check_wrapping(lowering: Expressions, call: FilterCall, values: Mapping[str, Static]) -> None:
    """Refuses None that stands for the environment's line break; where that is Python's it is known."""
    is_plain = lowering.tree.jinja.newline_sequence == "\n"
    if not is_plain and _WRAPPED_BY in values and values[_WRAPPED_BY].may_be(NONE):
        hint = "leave it out, or write the line break that it stands for."
        lowering.refuse("a wrapstring that may be none beside a newline_sequence", call.node, hint=hint)


def apply_filter(
    lowering: Expressions,
    call: FilterCall,
    signature: Signature,
    values: Sequence[Static],
    first: int,
    given: Mapping[str, nodes.Expr],
    target: int,
) -> Static:
    """Calls a filter whose value and arguments lie in consecutive registers."""
    values = _checked(lowering, call, signature, values)
    count = len(values)
    if signature.takes_autoescape:
        lowering.constant(lowering.autoescape, first + count, call.node)
        count += 1
    number = core.FILTERS[call.name]
    lowering.code.emit("filter", target, number, first, count, span=lowering.span(call.node))
    return signature.result(values, given.keys())


def _checked(
    lowering: Expressions, call: FilterCall, signature: Signature, values: Sequence[Static]
) -> Sequence[Static]:
    for static in values[: signature.as_text]:
        lowering.printable(static, call.node)
    if signature.is_whole or (call.name in _OF_KEYS and values[0].may_be(*DICTS)):
        values = [lowering.whole(values[0], call.node), *values[1:]]
    if call.name == "join":
        lowering.printable(values[1], call.node)
        lowering.printable(values[0].iterated(), call.node)
    return values


@dataclass(slots=True)
class AppliedFilter:
    """A filter by name that is called on each item: `map('truncate', 20)`.

    Args:
        call: The filter and its arguments.
        registers: What it keeps from item to item: the item's place, and the arguments behind it.
    """

    call: FilterCall
    registers: Sequence[int]
    signature: Signature
    given: Mapping[str, nodes.Expr]
    statics: Sequence[Static]

    @classmethod
    def prepare(cls, lowering: Expressions, call: FilterCall) -> AppliedFilter:
        """Evaluates the arguments, once."""
        if call.name == "format":
            lowering.refuse("the filter format within map", call.node, hint="write a loop.")
        signature = signature_of(lowering, call)
        given = call.bind(lowering, signature.parameters)
        first = lowering.code.take(2 + len(signature.parameters))
        lowering.constant(None, first, call.node)
        statics = evaluate_arguments(lowering, call, signature, given, first)
        lowering.constant(None, first + 1 + len(statics), call.node)
        return cls(call, range(first, first + 2 + len(statics)), signature, given, statics)

    def run(
        self, lowering: Expressions, registers: Sequence[int], item: tuple[int, Static], target: int
    ) -> Static:
        """Calls it on an item."""
        lowering.code.emit("move", registers[0], item[0], span=lowering.span(self.call.node))
        values = [item[1], *self.statics]
        return apply_filter(lowering, self.call, self.signature, values, registers[0], self.given, target)


@dataclass(slots=True)
class AppliedTest:
    """A test by name that is asked of each item: `select('divisibleby', 3)`."""

    node: nodes.Expr
    name: str
    registers: Sequence[int]
    statics: Sequence[Static]

    @classmethod
    def prepare(
        cls, lowering: Expressions, node: nodes.Expr, name: str, args: Sequence[nodes.Expr]
    ) -> AppliedTest:
        """Evaluates the arguments, once."""
        check_test(lowering, node, name, len(args))
        first = lowering.code.take(len(args))
        statics = [lowering.into(argument, first + at) for at, argument in enumerate(args)]
        return cls(node, name, range(first, first + len(args)), statics)

    def run(
        self, lowering: Expressions, registers: Sequence[int], item: tuple[int, Static], target: int
    ) -> Static:
        """Asks it of an item."""
        others = list(zip(registers, self.statics, strict=True))
        return apply_test(lowering, self.node, self.name, item, others, target)


def check_test(lowering: Expressions, node: nodes.Expr, name: str, count: int) -> None:
    """Refuses tests that are not covered, and calls of others with more or fewer arguments than they take."""
    known = name in COMPARISONS or name in TESTS or name in _OTHER_TESTS
    if not known:
        ours = [*TESTS, *COMPARISONS, *_OTHER_TESTS]
        _no_call(lowering, node, "test", name, jinja2.tests.TESTS, ours)
    wanted = 0 if name in TESTS or name == "callable" else 1
    if count != wanted:
        expected = "one argument" if wanted else "no arguments"
        lowering.tree.fail(f"expected {expected} for the test {name}", node, code="arguments")


def apply_test(
    lowering: Expressions,
    node: nodes.Expr,
    name: str,
    value: tuple[int, Static],
    others: Sequence[tuple[int, Static]],
    target: int,
) -> Static:
    """Leaves in a register what a test finds of a value in one."""
    span = lowering.span(node)
    if name in COMPARISONS:
        compare_pair(lowering, node, COMPARISONS[name], value, others[0], target)
    elif name == "divisibleby":
        if value[1].may_be("text"):
            # The remainder of a text is a format.
            lowering.printable(others[0][1], node)
        first = lowering.code.take(2)
        lowering.code.emit("move", first, value[0], span=span)
        lowering.code.emit("move", first + 1, others[0][0], span=span)
        lowering.code.emit("filter", target, core.FILTERS["divisible"], first, 2, span=span)
    elif name == "callable":
        # No value can be called; of undefined ones Python takes it for so.
        lowering.code.emit("test", target, core.TESTS["undefined"], value[0], span=span)
    else:
        if name in ("lower", "upper"):
            lowering.printable(value[1], node)
        lowering.code.emit("test", target, core.TESTS[name], value[0], span=span)
    return Static.of("boolean")


def _no_call(
    lowering: Expressions,
    node: nodes.Expr,
    what: str,
    name: str,
    jinja: Mapping[str, object],
    ours: Sequence[str],
) -> NoReturn:
    if name in jinja:
        lowering.refuse(f"the {what} {name}", node, hint=_NEVER.get(name))
    message = f"unknown {what} {name!r}"
    hint = meant(name, ours, f"{what.capitalize()}s are")
    code = "unknown_filter" if what == "filter" else "unknown_test"
    lowering.tree.fail(message, node, code=code, hint=hint)
