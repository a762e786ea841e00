"""Filters that go through sequences, as loops: their arguments, and what each makes of a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labfactory.compiler.applied import AppliedFilter, AppliedTest, FilterCall, is_sequence
from labfactory.compiler.eager_filters import (
    lower_extreme,
    lower_groupby,
    lower_join,
    lower_list,
    lower_sort,
    lower_sum,
)
from labfactory.compiler.filters import FILTER_ALIASES, MAPPING_FILTERS, SEQUENCE_FILTERS
from labfactory.compiler.generators import Source
from labfactory.compiler.lazy_filters import (
    lower_cut,
    lower_items,
    lower_map,
    lower_reverse,
    lower_select,
    lower_unique,
)
from labfactory.compiler.paths import constant_of, path_of
from labfactory.compiler.types import NONE, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jinja2 import nodes

    from labfactory.compiler.expressions import Expressions


@dataclass(frozen=True, slots=True)
class SequenceFilter:
    """A filter of sequences whose arguments are evaluated.

    Args:
        call: The filter as it is called.
        given: Arguments by name; empty for those that hand them on.
        registers: What it keeps: its arguments, in the order of `names`.
        names: Names of the arguments that are kept.
        statics: What is known of them.
        applied: The filter or test that it applies to each item.
    """

    call: FilterCall
    given: dict[str, nodes.Expr]
    registers: tuple[int, ...]
    names: tuple[str, ...] = ()
    statics: tuple[Static, ...] = ()
    applied: AppliedFilter | AppliedTest | SequenceFilter | None = None

    @classmethod
    def prepare(cls, lowering: Expressions, call: FilterCall) -> SequenceFilter:
        """Evaluates the arguments."""
        if call.name in MAPPING_FILTERS:
            return _prepare_mapping(lowering, call)
        parameters = SEQUENCE_FILTERS[call.name]
        given = call.bind(lowering, parameters)
        evaluated: dict[str, tuple[int, Static]] = {}
        for name, argument in given.items():
            if name != "attribute":
                register = lowering.code.take()
                evaluated[name] = (register, lowering.into(argument, register))
        for name, default in parameters:
            if name not in given and name != "attribute":
                register = lowering.code.take()
                evaluated[name] = (register, lowering.constant(default, register, call.node))
        return cls(
            call,
            given,
            tuple(register for register, _ in evaluated.values()),
            tuple(evaluated),
            tuple(static for _, static in evaluated.values()),
        )

    def apply(self, lowering: Expressions, registers: Sequence[int], source: Source) -> Source:
        """What it makes of a source; `registers` hold the arguments now."""
        return _APPLY[self.call.name](lowering, self, registers, source)

    def run(
        self, lowering: Expressions, registers: Sequence[int], item: tuple[int, Static], target: int
    ) -> Static:
        """What it makes of an item that is itself a sequence."""
        found = self.apply(lowering, registers, Source(self.call.node, (item[0],), item[1]))
        if found.is_generator:
            lowering.refuse("a generator of generators", self.call.node, hint="write a loop.")
        lowering.code.emit("move", target, found.registers[0], span=lowering.span(self.call.node))
        return found.static

    def argument(self, registers: Sequence[int], name: str) -> tuple[int, Static]:
        """The register of an argument, and what is known of it."""
        at = self.names.index(name)
        return registers[at], self.statics[at]

    def path(self, lowering: Expressions) -> list[str | int] | None:
        """The attribute that it is asked to look at."""
        return path_of(lowering, self.given.get("attribute"))

    def default(self, registers: Sequence[int]) -> tuple[int, Static] | None:
        """What stands for an attribute that an item does not have, if anything does."""
        if "default" not in self.names:
            return None
        found = self.argument(registers, "default")
        return None if found[1].kinds == {NONE} else found


def _prepare_mapping(lowering: Expressions, call: FilterCall) -> SequenceFilter:
    args, kwargs = [*call.args], {str(k.key): k.value for k in call.kwargs}
    given: dict[str, nodes.Expr] = {}
    if call.name == "map" and not args:
        return _prepare_attribute(lowering, call, kwargs)
    if call.name.endswith("attr"):
        if not args:
            lowering.tree.fail(
                f"expected the name of an attribute for {call.name}", call.node, code="arguments"
            )
        given["attribute"] = args.pop(0)
    if not args:
        if call.kwargs:
            lowering.tree.fail(f"expected a test for {call.name}", call.node, code="arguments")
        return SequenceFilter(call, given, ())
    name = constant_of(lowering, args.pop(0), "the name of a filter or test that is not constant")
    if not isinstance(name, str):
        lowering.refuse("the name of a filter or test that is not text", call.node)
    applied: AppliedFilter | AppliedTest | SequenceFilter
    if call.name == "map":
        inner = FilterCall(call.node, FILTER_ALIASES.get(name, name), args, call.kwargs)
        if is_sequence(inner):
            applied = SequenceFilter.prepare(lowering, inner)
        else:
            applied = AppliedFilter.prepare(lowering, inner)
    else:
        if call.kwargs:
            args += [keyword.value for keyword in call.kwargs]
        applied = AppliedTest.prepare(lowering, call.node, name, args)
    return SequenceFilter(call, given, tuple(applied.registers), applied=applied)


def _prepare_attribute(
    lowering: Expressions, call: FilterCall, kwargs: dict[str, nodes.Expr]
) -> SequenceFilter:
    if "attribute" not in kwargs or not kwargs.keys() <= {"attribute", "default"}:
        message = "expected the name of a filter, or attribute and default, for map"
        lowering.tree.fail(message, call.node, code="arguments")
    default = kwargs.get("default")
    if default is None:
        return SequenceFilter(call, kwargs, ())
    register = lowering.code.take()
    static = lowering.into(default, register)
    return SequenceFilter(call, kwargs, (register,), ("default",), (static,))


_APPLY: dict[str, Callable[[Expressions, SequenceFilter, Sequence[int], Source], Source]] = {
    "batch": lower_cut,
    "groupby": lower_groupby,
    "items": lower_items,
    "join": lower_join,
    "list": lower_list,
    "map": lower_map,
    "max": lower_extreme,
    "min": lower_extreme,
    "reject": lower_select,
    "rejectattr": lower_select,
    "reverse": lower_reverse,
    "select": lower_select,
    "selectattr": lower_select,
    "slice": lower_cut,
    "sort": lower_sort,
    "sum": lower_sum,
    "unique": lower_unique,
}
