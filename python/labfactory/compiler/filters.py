"""Filters and tests: their parameters as Jinja2 declares them, and what is known of their results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jinja2.defaults import DEFAULT_POLICIES

from labfactory.compiler.types import CONTAINERS, NONE, TUPLE, UNDEFINED, Static

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

# What stands for the default of a parameter that has none.
REQUIRED = object()


@dataclass(frozen=True, slots=True)
class Signature:
    """A filter as templates call it.

    Args:
        parameters: Names and defaults of what follows the value, in Jinja2's order.
        result: What is known of the result, from what is known of the value and the arguments, and the names
            of the arguments given.
        takes_autoescape: Whether the core takes one more argument: whether autoescape is on.
        as_text: How many of value and arguments are read as text, from the first on.
        is_whole: Whether the value is read with all that is in it.
    """

    parameters: tuple[tuple[str, object], ...]
    result: Callable[[Sequence[Static], Collection[str]], Static]
    takes_autoescape: bool = False
    as_text: int = 0
    is_whole: bool = False


def is_required(parameter: tuple[str, object]) -> bool:
    """Whether a parameter has no default."""
    return parameter[1] is REQUIRED


def _text(_: Sequence[Static], __: Collection[str]) -> Static:
    return Static.of("text")


def _integer(_: Sequence[Static], __: Collection[str]) -> Static:
    return Static.of("integer")


def _default(values: Sequence[Static], _: Collection[str]) -> Static:
    return values[0].without(UNDEFINED).join(values[1])


def _rounded(values: Sequence[Static], given: Collection[str]) -> Static:
    # "ceil" and "floor" divide by a power of ten, so they give floats of integers too.
    floating = {"floating"} if values[0].may_be("floating") or "method" in given else set()
    # round(2.5, None) is the integer 2.
    integer = {"integer"} if values[0].may_be("integer", "boolean") or values[1].may_be(NONE) else set()
    return Static(frozenset(floating | integer | ({"decimal"} & values[0].kinds)))


def _truncated(values: Sequence[Static], _: Collection[str]) -> Static:
    # What is short enough comes back as it is.
    return replace(values[0], kinds=values[0].kinds & _OF_A_LENGTH).join(Static.of("text"))


def _number(values: Sequence[Static], _: Collection[str]) -> Static:
    kinds = values[0].kinds & {"floating", "decimal", "duration"}
    return Static(kinds | ({"integer"} if values[0].may_be("boolean", "integer") else set()))


def _converted(kind: str) -> Callable[[Sequence[Static], Collection[str]], Static]:
    def result(values: Sequence[Static], _: Collection[str]) -> Static:
        return Static.of(kind).join(values[1])

    return result


def _end(values: Sequence[Static], _: Collection[str]) -> Static:
    return values[0].iterated().join(Static.of(UNDEFINED))


def _sorted_pairs(values: Sequence[Static], _: Collection[str]) -> Static:
    return list_of(pair_of(values[0]))


def list_of(item: Static) -> Static:
    """A list of such items."""
    return Static(frozenset({"list"}), item=item)


def pair_of(dict_: Static) -> Static:
    """An entry of a dict."""
    value = dict_.value or Static.of(NONE)
    return Static(frozenset({TUPLE}), parts=(dict_.iterated(), value))


_OF_A_LENGTH = frozenset({"text", UNDEFINED, *CONTAINERS})
_CASE = ("case_sensitive", False)
_ATTRIBUTE = ("attribute", None)
FILTERS: dict[str, Signature] = {
    "abs": Signature((), _number),
    "capitalize": Signature((), _text, as_text=1),
    "center": Signature((("width", 80),), _text, as_text=1),
    "default": Signature((("default_value", ""), ("boolean", False)), _default),
    "dictsort": Signature((_CASE, ("by", "key"), ("reverse", False)), _sorted_pairs, is_whole=True),
    "escape": Signature((), _text, as_text=1),
    "filesizeformat": Signature((("binary", False),), _text),
    "first": Signature((), _end),
    "float": Signature((("default", 0.0),), _converted("floating")),
    "forceescape": Signature((), _text, as_text=1),
    "indent": Signature((("width", 4), ("first", False), ("blank", False)), _text),
    "int": Signature((("default", 0), ("base", 10)), _converted("integer")),
    "join": Signature((("d", ""),), _text, takes_autoescape=True),
    "last": Signature((), _end),
    "length": Signature((), _integer),
    "lower": Signature((), _text, as_text=1),
    "replace": Signature(
        (("old", REQUIRED), ("new", REQUIRED), ("count", None)), _text, takes_autoescape=True, as_text=3
    ),
    "round": Signature((("precision", 0), ("method", "common")), _rounded),
    "safe": Signature((), _text, as_text=1),
    "string": Signature((), _text, as_text=1),
    "striptags": Signature((), _text, as_text=1),
    "title": Signature((), _text, as_text=1),
    "tojson": Signature((("indent", None),), _text, is_whole=True),
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
    "urlencode": Signature((), _text, is_whole=True),
    "wordcount": Signature((), _integer, as_text=1),
    "wordwrap": Signature(
        (("width", 79), ("break_long_words", True), ("wrapstring", None), ("break_on_hyphens", True)), _text
    ),
    "xmlattr": Signature((("autospace", True),), _text, takes_autoescape=True, is_whole=True),
}
# Filters that are lowered to loops: their parameters, in Jinja2's order.
SEQUENCE_FILTERS: dict[str, tuple[tuple[str, object], ...]] = {
    "batch": (("linecount", REQUIRED), ("fill_with", None)),
    "groupby": (("attribute", REQUIRED), ("default", None), _CASE),
    "items": (),
    "join": (("d", ""), _ATTRIBUTE),
    "list": (),
    "max": (_CASE, _ATTRIBUTE),
    "min": (_CASE, _ATTRIBUTE),
    "reverse": (),
    "slice": (("slices", REQUIRED), ("fill_with", None)),
    "sort": (("reverse", False), _CASE, _ATTRIBUTE),
    "sum": (_ATTRIBUTE, ("start", 0)),
    "unique": (_CASE, _ATTRIBUTE),
}
# Filters that take what follows them as they like: names of filters and tests, attributes and arguments.
MAPPING_FILTERS = ("map", "reject", "rejectattr", "select", "selectattr")
FILTER_ALIASES = {"count": "length", "d": "default", "e": "escape"}

TESTS = (
    "boolean",
    "defined",
    "escaped",
    "even",
    "false",
    "float",
    "integer",
    "iterable",
    "lower",
    "mapping",
    "none",
    "number",
    "odd",
    "sequence",
    "string",
    "true",
    "undefined",
    "upper",
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
