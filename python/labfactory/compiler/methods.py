"""Lowering of methods of Python's values: `name.upper()`, `prices.get('uk')`, `'{:.2f}'.format(price)`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from jinja2 import nodes

from labfactory._core import plan as core
from labfactory.compiler import growing
from labfactory.compiler.filters import REQUIRED, is_required, list_of, pair_of
from labfactory.compiler.hints import meant
from labfactory.compiler.spread import spread
from labfactory.compiler.types import DATES, DICTS, NONE, TUPLE, UNDEFINED, VIEW, Static, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labfactory.compiler.expressions import Expressions

_TEXT, _INTEGER, _TRUTH = Static.of("text"), Static.of("integer"), Static.of("boolean")
_PARTS = Static(frozenset({TUPLE}), parts=(_TEXT, _TEXT, _TEXT))
_LISTS = frozenset({"list", TUPLE})
_STAMPS = frozenset({"timestamp", "zoned"})
_DAYS = _STAMPS | {"date"}
# What strftime prints alike on every machine, in the C locale.
_DIRECTIVE = re.compile(r"%(?:[-_0^]?[aAbBdehHIjklmMpSuUVwWy]|[cDfFGnrRtTxXYzZ%])|[^%]")


@dataclass(frozen=True, slots=True)
class MethodShape:
    """A method as Python declares it.

    Args:
        kinds: Kinds of values that have it.
        result: What it gives; None where that depends on the value.
        parameters: Names and defaults of its arguments; the core gets all of them.
        by_name: How many of them, from the last, may be given by name.
    """

    kinds: frozenset[str]
    result: Static | None
    parameters: tuple[tuple[str, object], ...] = ()
    by_name: int = 0


def _of_text(result: Static, *parameters: tuple[str, object], by_name: int = 0) -> MethodShape:
    return MethodShape(frozenset({"text"}), result, parameters, by_name)


_RANGE = (("start", None), ("end", None))
_SPLIT = (("sep", None), ("maxsplit", -1))
_CHARS = ("chars", None)
_FILL = ("fillchar", " ")
METHODS: dict[str, MethodShape] = {
    **{name: _of_text(_TEXT) for name in ("capitalize", "casefold", "lower", "swapcase", "title", "upper")},
    **{
        name: _of_text(_TRUTH)
        for name in (
            *("isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace"),
            *("istitle", "isupper"),
        )
    },
    **{name: _of_text(_TEXT, ("width", REQUIRED), _FILL) for name in ("center", "ljust", "rjust")},
    "zfill": _of_text(_TEXT, ("width", REQUIRED)),
    **{name: _of_text(_TEXT, _CHARS) for name in ("lstrip", "rstrip", "strip")},
    **{name: _of_text(list_of(_TEXT), *_SPLIT, by_name=2) for name in ("rsplit", "split")},
    "splitlines": _of_text(list_of(_TEXT), ("keepends", False), by_name=1),
    **{name: _of_text(_PARTS, ("sep", REQUIRED)) for name in ("partition", "rpartition")},
    **{name: _of_text(_TRUTH, ("prefix", REQUIRED), *_RANGE) for name in ("endswith", "startswith")},
    **{name: _of_text(_INTEGER, ("sub", REQUIRED), *_RANGE) for name in ("find", "rfind", "rindex")},
    "count": MethodShape(frozenset({"text", *_LISTS}), _INTEGER, (("value", REQUIRED), *_RANGE)),
    "index": MethodShape(frozenset({"text", *_LISTS}), _INTEGER, (("value", REQUIRED), *_RANGE)),
    "join": _of_text(_TEXT, ("iterable", REQUIRED)),
    "removeprefix": _of_text(_TEXT, ("prefix", REQUIRED)),
    "removesuffix": _of_text(_TEXT, ("suffix", REQUIRED)),
    "replace": _of_text(_TEXT, ("old", REQUIRED), ("new", REQUIRED), ("count", -1)),
    "striptags": _of_text(_TEXT),
    "unescape": _of_text(_TEXT),
    "format": _of_text(_TEXT),
    "get": MethodShape(DICTS, None, (("key", REQUIRED), ("default", None))),
    "items": MethodShape(DICTS, None),
    "keys": MethodShape(DICTS, None),
    "values": MethodShape(DICTS, None),
    "date": MethodShape(_STAMPS, Static.of("date")),
    "time": MethodShape(_STAMPS, Static.of("time")),
    "weekday": MethodShape(_DAYS, _INTEGER),
    "isoweekday": MethodShape(_DAYS, _INTEGER),
    "isoformat": MethodShape(_DAYS | {"time"}, _TEXT, (("sep", "T"), ("timespec", "auto")), by_name=2),
    "strftime": MethodShape(_DAYS | {"time"}, _TEXT, (("format", REQUIRED),), by_name=1),
    # Of a naive datetime it depends on the machine.
    "timestamp": MethodShape(frozenset({"zoned"}), Static.of("floating")),
    "total_seconds": MethodShape(frozenset({"duration"}), Static.of("floating")),
    "is_integer": MethodShape(frozenset({"floating"}), _TRUTH),
}
_DAY = ("year", "month", "day")
_CLOCK = ("hour", "minute", "second", "microsecond")
# The parts that replace() of dates and times takes.
_REPLACED: dict[str, tuple[str, ...]] = {
    "date": _DAY,
    "time": _CLOCK,
    **dict.fromkeys(_STAMPS, _DAY + _CLOCK),
}
_CHANGING = {
    "list": ("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"),
    "dict": ("clear", "pop", "popitem", "setdefault", "update"),
}


def lower_method(lowering: Expressions, node: nodes.Call, target: int) -> Static:
    """Leaves what a method gives in a register."""
    assert isinstance(node.node, nodes.Getattr)
    name = node.node.attr
    if name in growing.METHODS:
        with lowering.borrowing(borrows=False):
            grown = growing.lower_growth(lowering, node, target)
        if grown is not None:
            return grown
    shape = METHODS.get(name)
    if shape is None:
        _refuse(lowering, node, name)
    if name == "format":
        return _format(lowering, node, target)
    if name == "replace":
        register, value = lowering.operand(node.node.node)
        if value.may_be(*DATES):
            return _replace_parts(lowering, node, register, value, target)
    first = lowering.code.take(1 + len(shape.parameters))
    if name == "replace":
        lowering.code.emit("move", first, register, span=lowering.span(node))
    else:
        value = lowering.borrow(node.node.node, first)
    _check_value(lowering, node, name, shape, value)
    given = _bind(lowering, node, name, shape)
    found = _fields(lowering, given, value) if name == "get" else None
    statics = [value]
    for offset, (parameter, default) in enumerate(shape.parameters):
        at = first + 1 + offset
        if parameter in given:
            statics.append(_argument(lowering, name, given[parameter], at))
        else:
            statics.append(lowering.constant(default, at, node))
    if name == "strftime":
        _check_directives(lowering, given["format"])
    if name == "isoformat" and given and not value.kinds <= {*_STAMPS, NONE, UNDEFINED}:
        lowering.refuse("arguments of isoformat of a date or time", node)
    if value.may_be(*DICTS) and found is None:
        value = lowering.whole(value, node)
    count = 1 + len(shape.parameters)
    lowering.code.emit("method", target, core.METHODS[name], first, count, span=lowering.span(node))
    if found is not None:
        return found.join(statics[2])
    return shape.result or _of_dict(name, value, statics)


def _replace_parts(
    lowering: Expressions, node: nodes.Call, register: int, value: Static, target: int
) -> Static:
    """Leaves a date or time with other parts in a register."""
    kinds = value.without(NONE, UNDEFINED).kinds
    parts = _REPLACED.get(next(iter(kinds)), ()) if len(kinds) == 1 else ()
    if not parts:
        _refuse(lowering, node, "replace", value)
    shape = MethodShape(kinds, None, tuple((part, None) for part in parts), by_name=len(parts))
    given = _bind(lowering, node, "replace", shape)
    first = lowering.code.take(1 + len(_DAY + _CLOCK))
    lowering.code.emit("move", first, register, span=lowering.span(node))
    for offset, part in enumerate(_DAY + _CLOCK, start=1):
        if part not in given:
            lowering.constant(None, first + offset, node)
        elif lowering.into(given[part], first + offset).may_be(NONE):
            lowering.refuse("a part that may be none", given[part], hint="give it a default, as (x or 1).")
    count, number = 1 + len(_DAY + _CLOCK), core.METHODS["replace_parts"]
    lowering.code.emit("method", target, number, first, count, span=lowering.span(node))
    return Static(kinds)


def _argument(lowering: Expressions, name: str, node: nodes.Expr, target: int) -> Static:
    if name != "join":
        return lowering.into(node, target)
    register, static = lowering.iterable(node)
    lowering.code.emit("move", target, register, span=lowering.span(node))
    return static


def _of_dict(name: str, value: Static, statics: Sequence[Static]) -> Static:
    pair = pair_of(value)
    assert pair.parts is not None
    key, entry = pair.parts
    if name == "get":
        return entry.join(statics[2])
    item = {"items": pair, "keys": key, "values": entry}[name]
    return Static(frozenset({VIEW}), item=item)


def _bind(lowering: Expressions, node: nodes.Call, name: str, shape: MethodShape) -> dict[str, nodes.Expr]:
    names = [parameter for parameter, _ in shape.parameters]
    args, keywords = spread(lowering, node)
    given: dict[str, nodes.Expr] = dict(zip(names, args, strict=False))
    wrong = len(args) > len(names)
    for keyword in keywords:
        key = str(keyword.key)
        wrong = wrong or key not in names[len(names) - shape.by_name :] or key in given
        given[key] = keyword.value
    if wrong or any(is_required(p) and p[0] not in given for p in shape.parameters):
        expected = f"({', '.join(names)})" if names else "no arguments"
        lowering.tree.fail(f"expected {expected} for the method {name}", node, code="arguments")
    return given


def _check_value(
    lowering: Expressions, node: nodes.Call, name: str, shape: MethodShape, value: Static
) -> None:
    """Refuses a call that no value here can take; None and undefined values are row errors, as in Jinja2."""
    others = value.without(NONE, UNDEFINED).kinds - shape.kinds
    if others or not value.kinds & shape.kinds:
        _refuse(lowering, node, name, value)


def _refuse(lowering: Expressions, node: nodes.Call, name: str, value: Static | None = None) -> NoReturn:
    hint = None
    if any(name in names for names in _CHANGING.values()):
        hint = "templates do not change lists and dicts: build a new one, as items + [item]."
    elif name not in METHODS:
        hint = meant(name, METHODS, "Methods are")
    elif value is not None and value.may_be("floating", "integer"):
        hint = "make it text first, as (value|string)."
    elif value is not None and name == "timestamp" and value.may_be("timestamp"):
        hint = "without a zone it depends on the machine: cast the column to a timestamp with zone."
    lowering.refuse(f"a call of the method {name}", node, hint=hint)


def _check_directives(lowering: Expressions, node: nodes.Expr) -> None:
    """Refuses what a format shows differently from machine to machine."""
    try:
        text = str(lowering.fold(node).value)
    except nodes.Impossible:
        return
    rest = _DIRECTIVE.sub("", text)
    if rest:
        lowering.refuse(f"the directive {rest[:2]!r} of strftime", node)


def _fields(lowering: Expressions, given: dict[str, nodes.Expr], value: Static) -> Static | None:
    """What a constant key finds in structs, of which no other field need be read; None for other dicts."""
    try:
        key = lowering.fold(given["key"]).value
    except nodes.Impossible:
        return None
    if not isinstance(key, str) or value.kinds - {"record", NONE, UNDEFINED}:
        return None
    found = [lowering.table.field(source, key) for source in sorted(value.sources)]
    if any(field is None for field in found):
        return None
    return joined(lowering.table.static(field) for field in found if field is not None)


def _format(lowering: Expressions, node: nodes.Call, target: int) -> Static:
    assert isinstance(node.node, nodes.Getattr)
    args, keywords = spread(lowering, node)
    first = lowering.code.take(2 + len(args) + len(keywords))
    value = lowering.into(node.node.node, first)
    _check_value(lowering, node, "format", METHODS["format"], value)
    lowering.constant(tuple(str(keyword.key) for keyword in keywords), first + 1, node)
    arguments = [*args, *(keyword.value for keyword in keywords)]
    for offset, argument in enumerate(arguments):
        lowering.printable(lowering.into(argument, first + 2 + offset), argument)
    count = 2 + len(arguments)
    lowering.code.emit("method", target, core.METHODS["format"], first, count, span=lowering.span(node))
    return _TEXT
