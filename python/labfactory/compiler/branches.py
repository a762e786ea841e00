"""Lowering of if: a branch for each test, and what is known of variables behind them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.code import Label
from labfactory.compiler.referents import truth_of
from labfactory.compiler.types import NONE, UNDEFINED, UNSET

if TYPE_CHECKING:
    from labfactory.compiler.statements import Statements

_NOTHING = frozenset({NONE, UNDEFINED, UNSET})


def lower_if(statements: Statements, node: nodes.If) -> None:
    """Lowers if, elif and else."""
    done = Label()
    scope = statements.values.scope
    known = []
    last = node.elif_[-1] if node.elif_ else node
    for branch in (node, *node.elif_):
        _review_test(statements, branch.test)
        truth = truth_of(statements.values, branch.test)
        if truth is False:
            continue
        if truth is True:
            statements.body(branch.body)
            known.append(scope.snapshot())
            break
        otherwise = Label()
        may_hold = _test(statements, branch.test, otherwise)
        before = scope.snapshot()
        if may_hold:
            with _where(statements, branch.test):
                statements.body(branch.body)
            known.append(scope.snapshot())
            scope.restore(before)
            if node.else_ or branch is not last:
                statements.code.emit("jump", done, span=statements.values.span(branch.test))
        statements.code.place(otherwise)
    else:
        statements.body(node.else_)
        known.append(scope.snapshot())
    scope.merge(known)
    statements.code.place(done)


def _test(statements: Statements, test: nodes.Node, otherwise: Label) -> bool:
    """Jumps where a condition does not hold; whether it may hold at all."""
    with statements.code.scratch(), statements.values.borrowing():
        register, static = statements.values.operand(test)
        statements.code.emit("jump_if_false", register, otherwise, span=statements.values.span(test))
    return not static.kinds <= _NOTHING


def _where(statements: Statements, test: nodes.Node) -> AbstractContextManager[None]:
    review = statements.values.options.review
    return nullcontext() if review is None else review.where(test)


def _review_test(statements: Statements, node: nodes.Node) -> None:
    review = statements.values.options.review
    if review is None:
        return
    with suppress(nodes.Impossible):
        holds = bool(statements.values.fold(node).value)
        review.note("dead_branch", f"the test is always {str(holds).lower()}", statements.values.tree, node)
