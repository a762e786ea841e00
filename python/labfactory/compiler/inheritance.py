"""Inheritance: a template, the parents that it extends, and their blocks become one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.objects import Block, Self
from labfactory.compiler.scope import UNASSIGNED, Context, Scope, Variable, block_scope, template_scope
from labfactory.compiler.types import NOWHERE

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.lower import Linker
    from labfactory.compiler.statements import Statements
    from labfactory.compiler.syntax import SyntaxTree


@dataclass(frozen=True, slots=True)
class Written:
    """A block where it is written."""

    tree: SyntaxTree
    node: nodes.Block


@dataclass(slots=True)
class Rendering:
    """A template that is rendered: its context and, by name, its blocks with those of its parents behind.

    Args:
        linker: What finds templates.
        context: What names mean that its templates do not assign.
        blocks: The last child's block first.
        templates: Names of the templates, from the child on.
        parent: The template that the one being lowered extends.
    """

    linker: Linker
    context: Context
    blocks: dict[str, list[Written]] = field(default_factory=dict)
    templates: list[str] = field(default_factory=list)
    parent: SyntaxTree | None = None

    def root(self, tree: SyntaxTree, *, keeps: bool = False) -> None:
        """Lowers a template, then the one that it extends."""
        if not self.templates:
            self.add(tree)
        body = tree.body
        assert isinstance(body, nodes.Template)
        scope = template_scope(body, self.context, has_self="self" in tree.source)
        statements = self._statements(tree, scope)
        statements.keeps = keeps
        self._bind(scope, "self", Variable(NOWHERE, UNASSIGNED, object=Self(self)))
        with statements.within(scope):
            statements.enter(scope, body)
            statements.body(body.body)
        if self.parent is not None:
            parent, self.parent = self.parent, None
            self.root(parent, keeps=keeps)

    def add(self, tree: SyntaxTree) -> None:
        """Adds a template's blocks behind those of its children."""
        self.templates.append(tree.name)
        seen: set[str] = set()
        for block in tree.body.find_all(nodes.Block) if "block" in tree.source else ():
            if block.name in seen:
                tree.fail(f"block {block.name!r} defined twice", block, code="syntax")
            seen.add(block.name)
            self.blocks.setdefault(block.name, []).append(Written(tree, block))

    def write_block(self, values: Expressions, node: nodes.Node, name: str, level: int) -> None:
        """Writes a block where a template calls for it."""
        written = self.blocks[name][level]
        linker = self.linker
        linker.check_size(values, node, f"the block {name!r}")
        if written.node in linker.active:
            values.refuse(f"the block {name!r} within itself", node)
        linker.active.append(written.node)
        scope = block_scope(written.node, self.context)
        statements = self._statements(written.tree, scope)
        self._bind(scope, "self", Variable(NOWHERE, UNASSIGNED, object=Self(self)))
        with linker.code.scratch(), statements.within(scope):
            self._bind(scope, "super", self._super(statements, name, level, written.node))
            statements.enter(scope, written.node)
            statements.body(written.node.body)
        linker.active.pop()

    def _super(self, statements: Statements, name: str, level: int, node: nodes.Block) -> Variable:
        if level + 1 < len(self.blocks[name]):
            return Variable(NOWHERE, UNASSIGNED, object=Block(name, self, level + 1))
        register = statements.code.take()
        static = statements.values.undefined("super", register, statements.values.span(node))
        statements.code.last().is_needed = False
        return Variable(register, static, copying=statements.code.last())

    def _bind(self, scope: Scope, name: str, variable: Variable) -> None:
        if name in scope.symbols.refs and name in scope.symbols.stores:
            scope.bind(name, variable)

    def _statements(self, tree: SyntaxTree, scope: Scope) -> Statements:
        from labfactory.compiler.statements import Statements

        return Statements(self.linker.expressions(tree, scope), self.linker, self)

    def derived(self, scope: Scope) -> Rendering:
        """The same blocks where they see the names of a scope."""
        return replace(self, context=Context(self.context.options, outer=scope))


def lower_extends(statements: Statements, node: nodes.Extends) -> None:
    """Lowers `extends`: the parent is rendered behind the child's top level, which writes nothing more."""
    values, rendering = statements.values, statements.rendering
    if values.scope.parent is not None or not values.scope.is_top:
        values.tree.fail("cannot use extend from a non top-level scope", node, code="syntax")
    assert isinstance(values.tree.body, nodes.Template)
    if not any(node is other for other in values.tree.body.body):
        values.refuse("extends under a condition", node)
    if rendering.parent is not None:
        values.refuse("extending twice", node)
    parent = statements.linker.named(values, node.template, node, "extends")
    if parent.name in rendering.templates:
        way = " → ".join([*rendering.templates, parent.name])
        values.tree.fail(f"expected templates that end, found one within itself: {way}", node, code="cycle")
    rendering.add(parent)
    rendering.parent = parent
    statements.is_silent = True


def lower_block(statements: Statements, node: nodes.Block) -> None:
    """Lowers a block where it stands: the last child's is written."""
    values, rendering = statements.values, statements.rendering
    if values.scope.is_top and statements.is_silent:
        return
    if node.required and len(rendering.blocks[node.name]) <= 1:
        values.tree.fail(f"required block {node.name!r} not found", node, code="required_block")
    if values.autoescape != values.tree.autoescape:
        values.refuse("a block inside an autoescape block of another setting", node)
    if node.scoped:
        rendering = rendering.derived(values.scope)
    rendering.write_block(values, node, node.name, 0)
