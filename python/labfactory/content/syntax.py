"""What Jinja2's own lexer and parser show of a template before any customer is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment as JinjaEnvironment
from jinja2 import nodes

if TYPE_CHECKING:
    from labfactory.compiler import Environment


@dataclass(frozen=True, slots=True)
class SlotCall:
    """Where a template calls a slot by a constant name, as `{{ slot('hero') }}` does."""

    slot: str
    line: int


def slot_calls(source: str, environment: Environment) -> list[SlotCall]:
    """The slots that a template calls, in order.

    Args:
        source: The template; its syntax is right.
        environment: The options under which it is read.

    Returns:
        One entry per call; calls with computed names are left to the compiler, which refuses them.
    """
    calls = _jinja(environment).parse(source).find_all(nodes.Call)
    return [
        SlotCall(argument.value, int(call.lineno))
        for call in calls
        if isinstance(call.node, nodes.Name) and call.node.name == "slot" and len(call.args) == 1
        for argument in call.args
        if isinstance(argument, nodes.Const) and isinstance(argument.value, str)
    ]


def line_break(source: str, environment: Environment) -> int | None:
    """The line, from 1, of the first literal line break that a template would print; null for none."""
    for token in _jinja(environment).lexer.tokenize(source):
        if token.type == "data" and "\n" in token.value:
            before = token.value.index("\n")
            return int(token.lineno) + token.value[:before].count("\n")
    return None


def _jinja(environment: Environment) -> JinjaEnvironment:
    # Nothing is rendered here, so escaping does not matter.
    return JinjaEnvironment(  # noqa: S701
        trim_blocks=environment.trim_blocks,
        lstrip_blocks=environment.lstrip_blocks,
        keep_trailing_newline=environment.keep_trailing_newline,
        extensions=environment.extensions,
    )
