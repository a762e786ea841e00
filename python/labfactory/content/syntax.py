"""What Jinja2's own lexer and parser show of a template before any customer is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment as JinjaEnvironment
from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labfactory.compiler import Environment


@dataclass(frozen=True, slots=True)
class SlotCall:
    """Where a template calls a slot by a constant name, as `{{ slot('hero') }}` does."""

    slot: str
    line: int


def slot_calls(source: str, environment: Environment) -> list[SlotCall]:
    """The slots that a template calls, in order, and those of the templates that it extends or includes.

    Args:
        source: The template; its syntax is right.
        environment: The options under which it is read.

    Returns:
        One entry per call; calls with computed names are left to the compiler, which refuses them.
    """
    return list(_slot_calls(source, environment, set()))


def _slot_calls(source: str, environment: Environment, seen: set[str]) -> Iterator[SlotCall]:
    parsed: nodes.Template = _jinja(environment).parse(source)
    for call in parsed.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "slot" and len(call.args) == 1:
            for name in _texts(call.args[0]):
                yield SlotCall(name, int(call.lineno))
    for other in parsed.find_all(nodes.Stmt):
        if not isinstance(other, (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
            continue
        for name in _texts(other.template):
            shared = environment.source(name)
            if shared is not None and name not in seen:
                seen.add(name)
                # A call of a shared template is told where that template is asked for.
                yield from (
                    SlotCall(call.slot, int(other.lineno))
                    for call in _shared_calls(shared, environment, seen)
                )


def _shared_calls(source: str, environment: Environment, seen: set[str]) -> list[SlotCall]:
    try:
        return list(_slot_calls(source, environment, seen))
    except TemplateSyntaxError:
        # The library tells it of the shared template itself, once.
        return []


def names_read(source: str, environment: Environment) -> set[str]:
    """The names that a template, or one that it extends, includes or imports, looks for outside itself.

    Args:
        source: The template.
        environment: The options under which it is read.

    Returns:
        Names of columns, constants, functions and tables; none of a template that Jinja2 refuses.
    """
    jinja = _jinja(environment)
    names: set[str] = set()
    seen: set[str] = set()
    waiting = [source]
    while waiting:
        try:
            parsed = jinja.parse(waiting.pop())
            names |= find_undeclared_variables(parsed)
        except TemplateSyntaxError:
            # Whoever compiles it is told.
            continue
        for other in parsed.find_all(nodes.Stmt):
            if not isinstance(other, (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
                continue
            asked = {name for name in _texts(other.template) if environment.source(name) is not None}
            waiting += [str(environment.source(name)) for name in sorted(asked - seen)]
            seen |= asked
    return names


def missing_templates(source: str, environment: Environment) -> list[tuple[str, int]]:
    """The templates that a template cannot do without and that nobody shares, with their lines.

    Args:
        source: The template; its syntax is right.
        environment: The options under which it is read.

    Returns:
        Names that are written out; computed ones and lists are left to the compiler.
    """
    missing = []
    for other in _jinja(environment).parse(source).find_all(nodes.Stmt):
        is_optional = isinstance(other, nodes.Include) and other.ignore_missing
        if is_optional or not isinstance(
            other, (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
        ):
            continue
        name = other.template.value if isinstance(other.template, nodes.Const) else None
        if isinstance(name, str) and environment.source(name) is None:
            missing.append((name, int(other.lineno)))
    return missing


def _texts(node: nodes.Node) -> Iterator[str]:
    """The constant texts of a name, or of a list of names."""
    for entry in node.items if isinstance(node, (nodes.List, nodes.Tuple)) else [node]:
        if isinstance(entry, nodes.Const):
            values = entry.value if isinstance(entry.value, (list, tuple)) else [entry.value]
            yield from (value for value in values if isinstance(value, str))


def line_break(source: str, environment: Environment) -> int | None:
    """The line, from 1, of the first literal line break that a template would print; null for none."""
    for token in _jinja(environment).lexer.tokenize(source):
        if token.type == "data" and "\n" in token.value:
            before = token.value.index("\n")
            return int(token.lineno) + token.value[:before].count("\n")
    return None


def _jinja(environment: Environment) -> JinjaEnvironment:
    return environment.jinja2()
