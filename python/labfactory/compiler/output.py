"""Lowering of output: literal text, constants, values, and what calls write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes
from markupsafe import escape

from labfactory.compiler.code import Label
from labfactory.compiler.object_calls import write_call
from labfactory.compiler.review import printed_bytes
from labfactory.compiler.scope import Unassigned
from labfactory.compiler.types import NONE, Static

if TYPE_CHECKING:
    from labfactory.compiler.code import Instruction
    from labfactory.compiler.fold import Folded
    from labfactory.compiler.statements import Statements


def lower_output(statements: Statements, node: nodes.Output) -> None:
    """Writes literal text and values, one after the other."""
    if statements.is_silent:
        return
    code, values = statements.code, statements.values
    for child in node.nodes:
        if isinstance(child, nodes.TemplateData):
            code.write(child.data, values.span(child))
        elif (slot := _slot_name(statements, child)) is not None:
            assert isinstance(child, nodes.Call)
            statements.linker.inline(statements, child, slot)
        else:
            top = code.top
            _print(statements, child)
            code.top = top


def _print(statements: Statements, node: nodes.Expr) -> None:
    span = statements.values.span(node)
    folded = statements.values.folded(node)
    if folded is not None:
        statements.code.write(_constant_text(statements, folded), span)
    elif not write_call(statements.values, node):
        _print_value(statements, node, span)


def _constant_text(statements: Statements, folded: Folded) -> str:
    finalize = statements.values.tree.jinja.finalize or (lambda value: value)
    if not statements.values.autoescape:
        return str(finalize(folded.value))
    # Jinja2 escapes its own constants before it finalizes them, and None is text then.
    return str(finalize(escape(folded.value)) if folded.is_literal else escape(finalize(folded.value)))


def _print_value(statements: Statements, node: nodes.Expr, span: int) -> None:
    suffix = "_escaped" if statements.values.autoescape else ""
    column = statements.values.root_column(node)
    if statements.values.tree.jinja.finalize is not None:
        _print_finalized(statements, node, suffix, span)
        return
    if column is not None:
        static = statements.values.table.static(column)
        emitted = statements.code.emit(f"emit_column{suffix}", column, span=span)
    else:
        with statements.values.borrowing():
            register, static = statements.values.operand(node)
        statements.values.printable(static, node)
        emitted = statements.code.emit(f"emit{suffix}", register, span=span)
    _review_print(statements, node, static, emitted)


def _print_finalized(statements: Statements, node: nodes.Expr, suffix: str, span: int) -> None:
    """Prints a value, and nothing for None."""
    with statements.values.borrowing():
        register, static = statements.values.operand(node)
    statements.values.printable(static, node)
    if static.kinds == {NONE}:
        return
    silent = Label()
    if static.may_be(NONE):
        with statements.code.scratch():
            is_none = statements.code.take()
            statements.code.emit("test", is_none, statements.values.test_number("none"), register, span=span)
            statements.code.emit("jump_if_true", is_none, silent, span=span)
    emitted = statements.code.emit(f"emit{suffix}", register, span=span)
    statements.code.place(silent)
    _review_print(statements, node, static.without(NONE), emitted)


def _review_print(statements: Statements, node: nodes.Expr, static: Static, emitted: Instruction) -> None:
    options = statements.values.options
    if options.review is None:
        return
    longest = options.longest.get(node.name) if isinstance(node, nodes.Name) else None
    emitted.most_bytes = printed_bytes(static, longest, escaped=statements.values.autoescape)
    if static.may_be(NONE) and not options.review.is_guarded(node):
        message = "prints None where the value is null"
        options.review.note(
            "prints_none", message, statements.values.tree, node, "write x|default('…', true)."
        )


def _slot_name(statements: Statements, node: nodes.Expr) -> str | None:
    if not (isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "slot"):
        return None
    if not isinstance(statements.values.scope.lookup("slot"), Unassigned):
        return None
    plain = not (node.kwargs or node.dyn_args or node.dyn_kwargs) and len(node.args) == 1
    if plain and isinstance(node.args[0], nodes.Const) and isinstance(node.args[0].value, str):
        return node.args[0].value
    message = "expected one constant name for slot, as slot('hero')"
    return statements.values.tree.fail(message, node, code="slot")
