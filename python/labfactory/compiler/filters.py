"""Filters and tests: their parameters as Jinja2 declares them, and what is known of their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2.defaults import DEFAULT_POLICIES

from labfactory.compiler.types import UNDEFINED, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_REQUIRED = object()


@dataclass(frozen=True, slots=True)
class Signature:
    """A filter as templates call it.

    Args:
        parameters: Names and defaults of what follows the value, in Jinja2's order.
        result: What is known of the result, from what is known of the value and the arguments, and the names
            of the arguments given.
        takes_autoescape: Whether the core takes one more argument: whether autoescape is on.
        as_text: How many of value and arguments are read as text, from the first on.
    """

    parameters: tuple[tuple[str, object], ...]
    result: Callable[[Sequence[Static], Collection[str]], Static]
    takes_autoescape: bool = False
    as_text: int = 0

    def is_required(self, position: int) -> bool:
        """Whether a parameter has no default."""
        return self.parameters[position][1] is _REQUIRED


def _text(_: Sequence[Static], __: Collection[str]) -> Static:
    return Static.of("text")


def _integer(_: Sequence[Static], __: Collection[str]) -> Static:
    return Static.of("integer")


def _default(values: Sequence[Static], _: Collection[str]) -> Static:
    return values[0].without(UNDEFINED).join(values[1])


def _rounded(values: Sequence[Static], given: Collection[str]) -> Static:
    # "ceil" and "floor" divide by a power of ten, so they give floats of integers too.
    floating = {"floating"} if values[0].may_be("floating") or "method" in given else set()
    return Static(frozenset(floating | ({"integer"} if values[0].may_be("integer", "boolean") else set())))


def _truncated(values: Sequence[Static], _: Collection[str]) -> Static:
    return Static.of("text", UNDEFINED) if values[0].may_be(UNDEFINED) else Static.of("text")


FILTERS: dict[str, Signature] = {
    "capitalize": Signature((), _text, as_text=1),
    "default": Signature((("default_value", ""), ("boolean", False)), _default),
    "escape": Signature((), _text, as_text=1),
    "join": Signature((("d", ""),), _text, takes_autoescape=True),
    "length": Signature((), _integer),
    "lower": Signature((), _text, as_text=1),
    "replace": Signature(
        (("old", _REQUIRED), ("new", _REQUIRED), ("count", None)), _text, takes_autoescape=True, as_text=3
    ),
    "round": Signature((("precision", 0), ("method", "common")), _rounded),
    "safe": Signature((), _text, as_text=1),
    "string": Signature((), _text, as_text=1),
    "title": Signature((), _text, as_text=1),
    "trim": Signature((("chars", None),), _text, as_text=1),
    "truncate": Signature(
        (
            ("length", 255),
            ("killwords", False),
            ("end", "..."),
            ("leeway", DEFAULT_POLICIES["truncate.leeway"]),
        ),
        _truncated,
        as_text=1,
    ),
    "upper": Signature((), _text, as_text=1),
}
FILTER_ALIASES = {"count": "length", "d": "default", "e": "escape"}

TESTS = (
    "boolean",
    "defined",
    "even",
    "false",
    "float",
    "integer",
    "none",
    "number",
    "odd",
    "sequence",
    "string",
    "true",
    "undefined",
)
# Tests that are comparisons by another name, and the instruction that they become.
COMPARISONS = {
    **dict.fromkeys(("==", "eq", "equalto"), "equal"),
    **dict.fromkeys(("!=", "ne"), "not_equal"),
    **dict.fromkeys(("<", "lt", "lessthan"), "less"),
    **dict.fromkeys(("<=", "le"), "less_equal"),
    **dict.fromkeys((">", "gt", "greaterthan"), "greater"),
    **dict.fromkeys((">=", "ge"), "greater_equal"),
    "in": "contains",
}
