"""Lowering of messages: `{% trans %}` and gettext's functions, by the catalogue of a locale."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from markupsafe import Markup

from labfactory.compiler.catalogues import Catalogue, Forms, rule_nodes
from labfactory.compiler.code import Label
from labfactory.compiler.formats import lower_format
from labfactory.compiler.scope import Unassigned
from labfactory.compiler.types import Static

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions

# Which arguments come before the variables: context, singular, plural and number.
_FUNCTIONS = {
    "_": ("singular",),
    "gettext": ("singular",),
    "ngettext": ("singular", "plural", "number"),
    "pgettext": ("context", "singular"),
    "npgettext": ("context", "singular", "plural", "number"),
}
_NAMED = re.compile(r"%%|%\(([^()]*)\)")


@dataclass(slots=True)
class Message:
    """A call for a message.

    Args:
        forms: Its texts in this locale.
        number: The number that chooses among them; None for a message of one form.
        variables: What it is formatted with; None where it stands as it is.
        is_markup: Whether it needs no escaping.
        is_new_style: Whether the function formats, and knows number and context as variables.
        names: Variables that the function itself adds.
    """

    forms: Forms
    number: nodes.Expr | None = None
    variables: list[tuple[str, nodes.Expr]] | None = None
    is_markup: bool = False
    is_new_style: bool = False
    names: dict[str, nodes.Expr] = field(default_factory=dict)


def constant_message(values: Expressions, node: nodes.Node) -> str:
    """The text of a message of one form that is not formatted.

    Raises:
        jinja2.nodes.Impossible: The node is no such message.
    """
    found = find_message(values, node)
    if found is None or found.number is not None:
        raise nodes.Impossible
    text = found.forms.texts[0]
    if found.variables is not None:
        positional, names = _positional(text)
        if names or found.variables:
            raise nodes.Impossible
        text = _plain(values, node, positional)
    return Markup(text) if found.is_markup else text  # noqa: S704 - the catalogue's author is the template's


def find_message(values: Expressions, node: nodes.Node) -> Message | None:
    """The message that an expression asks for, if it asks for one."""
    catalogue = values.options.catalogue
    if catalogue is None:
        return None
    if isinstance(node, nodes.MarkSafeIfAutoescape):
        found = find_message(values, node.expr)
        if found is not None:
            found.is_markup = values.autoescape
        return found
    if isinstance(node, nodes.Mod) and isinstance(node.right, nodes.Dict):
        found = find_message(values, node.left)
        if found is not None and found.variables is None:
            found.variables = [(_key(values, pair), pair.value) for pair in node.right.items]
            return found
        return None
    if isinstance(node, nodes.Call):
        return _called(values, node, catalogue)
    return None


def _key(values: Expressions, pair: nodes.Pair) -> str:
    if isinstance(pair.key, nodes.Const) and isinstance(pair.key.value, str):
        return pair.key.value
    return values.refuse("a message with a computed name", pair.key)


def _called(values: Expressions, node: nodes.Call, catalogue: Catalogue) -> Message | None:
    name = node.node.name if isinstance(node.node, nodes.Name) else ""
    if name not in _FUNCTIONS or values.is_known(name):
        return None
    if not isinstance(values.scope.lookup(name), Unassigned):
        return None
    expected = _FUNCTIONS[name]
    if node.dyn_args or node.dyn_kwargs or len(node.args) != len(expected):
        values.tree.fail(f"expected ({', '.join(expected)}) for {name}", node, code="arguments")
    given = dict(zip(expected, node.args, strict=True))
    number = given.pop("number", None)
    texts = {what: _constant(values, argument, name) for what, argument in given.items()}
    forms = _forms(values, node, catalogue, texts)
    found = Message(forms, number)
    if bool(getattr(values.tree.jinja, "newstyle_gettext", False)):
        found.is_markup, found.is_new_style = values.autoescape, True
        found.variables = [(keyword.key, keyword.value) for keyword in node.kwargs]
        if "context" in texts:
            found.names["context"] = nodes.Const(texts["context"], lineno=node.lineno)
    elif node.kwargs:
        hint = "newstyle_gettext=True takes variables so; without it write % {'name': value}."
        values.tree.fail(f"expected no variables for {name}", node, code="arguments", hint=hint)
    return found


def _constant(values: Expressions, node: nodes.Expr, name: str) -> str:
    try:
        found = values.fold(node).value
    except nodes.Impossible:
        values.refuse(f"a message of {name} that is not constant", node)
    return str(found)


def _forms(values: Expressions, node: nodes.Node, catalogue: Catalogue, texts: dict[str, str]) -> Forms:
    context = texts.get("context")
    if "plural" not in texts:
        return Forms((catalogue.text(texts["singular"], context),))
    found = catalogue.forms(texts["singular"], texts["plural"], context)
    if found is None:
        kind = type(catalogue.translations).__name__
        values.refuse(f"plural forms of {kind}, which is no gettext.NullTranslations", node)
    return found


def lower_message(values: Expressions, node: nodes.Expr, target: int) -> Static | None:
    """Leaves the text of a message in a register; None where an expression asks for none."""
    found = find_message(values, node)
    if found is None:
        return None
    code = values.code
    names = dict(found.names)
    number = None
    if found.number is not None:
        number = _hold(values, found.number, "number")
        if found.is_new_style:
            names["num"] = number
    for name, value in found.variables or ():
        names[name] = _hold(values, value, name)
    if number is None:
        _lower_form(values, node, found, found.forms.texts[0], names, target)
    else:
        done = Label()
        index = _index(values, node, found.forms, number)
        for at, text in enumerate(found.forms.texts):
            other = Label()
            if at < len(found.forms.texts) - 1:
                _jump_unless(values, node, index, at, other)
            with code.scratch():
                _lower_form(values, node, found, text, names, target)
            code.emit("jump", done, span=values.span(node))
            code.place(other)
        code.place(done)
    return Static.of("text")


def _hold(values: Expressions, node: nodes.Expr, name: str) -> nodes.Expr:
    register = values.code.take()
    return values.hold(f"{name}@{register}", register, values.into(node, register), node)


def _index(values: Expressions, node: nodes.Expr, forms: Forms, number: nodes.Expr) -> int:
    """The register of the number of the form."""
    register = values.code.take()
    if forms.rule is None:
        rule: nodes.Expr = nodes.Not(nodes.Compare(number, [nodes.Operand("eq", nodes.Const(1))]))
        rule.set_lineno(node.lineno)
    else:
        # gettext takes numbers alone.
        held, _ = values.operand(number)
        values.code.emit("positive", register, held, span=values.span(node))
        rule = rule_nodes(forms.rule, number, node.lineno)
    values.into(rule, register)
    return register


def _jump_unless(values: Expressions, node: nodes.Expr, index: int, at: int, other: Label) -> None:
    code, span = values.code, values.span(node)
    with code.scratch():
        first = code.take(2)
        values.constant(at, first, node)
        code.emit("equal", first + 1, index, first, span=span)
        code.emit("jump_if_false", first + 1, other, span=span)


def _lower_form(
    values: Expressions, node: nodes.Expr, found: Message, text: str, names: dict[str, Any], target: int
) -> None:
    wanted: list[str] = []
    if found.variables is not None:
        positional, wanted = _positional(text)
        missing = next((name for name in wanted if name not in names), None)
        if missing is not None:
            values.tree.fail(f"expected a value for {missing!r} in {text!r}", node, code="format")
        text = positional
        if not wanted:
            text = _plain(values, node, text)
    marked: str = Markup(text) if found.is_markup else text  # noqa: S704 - the catalogue's author is the template's
    if wanted:
        lower_format(values, node, marked, [names[name] for name in wanted], target)
    else:
        values.constant(marked, target, node)


def _positional(text: str) -> tuple[str, list[str]]:
    """A format by name as one by position, and the names in that order."""
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%%"
        names.append(match.group(1))
        return "%"

    return _NAMED.sub(place, text), names


def _plain(values: Expressions, node: nodes.Node, text: str) -> str:
    try:
        return text % {}
    except (TypeError, ValueError, KeyError) as error:
        return values.tree.fail(f"expected a format in {text!r}: {error}", node, code="format")
