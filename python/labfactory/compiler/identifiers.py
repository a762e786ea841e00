"""Identifiers: which names a frame loads and stores, by Jinja2's own tracking."""

from __future__ import annotations

from typing import Any

from jinja2 import nodes
from jinja2.idtracking import FrameSymbolVisitor, RootVisitor, Symbols

from labfactory.compiler.children import children

_NO_NAMES = frozenset({nodes.Const, nodes.TemplateData})
# Kinds of nodes that Jinja2's visitor has a method for.
_TOLD = frozenset(name.removeprefix("visit_") for name in dir(FrameSymbolVisitor))


class _Tracking(FrameSymbolVisitor):
    """Jinja2's visitor, which walks at once through nodes that it has no method for."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> None:
        kind = type(node)
        if isinstance(node, nodes.Name):
            # Most names were seen before.
            if node.ctx != "load" or args or kwargs or node.name not in self.symbols.refs:
                self.visit_Name(node, *args, **kwargs)
        elif kind not in _NO_NAMES:
            if kind.__name__ in _TOLD:
                super().visit(node, *args, **kwargs)
            else:
                for child in children(node):
                    if type(child) not in _NO_NAMES:
                        self.visit(child, *args, **kwargs)


class _Frame(RootVisitor):
    def __init__(self, symbols: Symbols) -> None:
        self.sym_visitor = _Tracking(symbols)


def analyze(symbols: Symbols, node: nodes.Node, **branch: str) -> None:
    """Notes the names of a node that opens a scope; `for_branch` says which part of a loop."""
    _Frame(symbols).visit(node, **branch)


def analyze_expression(symbols: Symbols, node: nodes.Expr) -> None:
    """Notes the names of a lone expression."""
    _Tracking(symbols).visit(node)
