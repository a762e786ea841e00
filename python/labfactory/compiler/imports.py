"""Includes and imports: other templates, found by constant names, become part of the plan."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from jinja2 import nodes

from labfactory.compiler.assignments import define
from labfactory.compiler.growing import share
from labfactory.compiler.inheritance import Rendering
from labfactory.compiler.objects import Module
from labfactory.compiler.scope import Binding, Context, Variable
from labfactory.compiler.types import Static

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labfactory.compiler.expressions import Expressions
    from labfactory.compiler.statements import Statements
    from labfactory.compiler.syntax import SyntaxTree


def lower_include(statements: Statements, node: nodes.Include) -> None:
    """Lowers an include: the template's text, with the names that are visible here or with none."""
    values, linker = statements.values, statements.linker
    if isinstance(node.template, nodes.CondExpr) and node.template.expr2 is not None:
        statements.body([_by_condition(node, node.template, node.template.expr2)])
        return
    found = linker.first(values, node.template, node, "include")
    if found is None:
        if not node.ignore_missing:
            linker.missing(values, node.template, node)
        return
    context = Context(values.options, outer=values.scope) if node.with_context else _apart(values)
    with _inside(statements, node, found):
        Rendering(linker, context).root(found)


def _by_condition(node: nodes.Include, template: nodes.CondExpr, other: nodes.Expr) -> nodes.If:
    """`{% include a if c else b %}` as an include under a condition."""
    first, second = (
        nodes.Include(name, node.with_context, node.ignore_missing, lineno=node.lineno)
        for name in (template.expr1, other)
    )
    return nodes.If(template.test, [first], [], [second], lineno=node.lineno)


def lower_import(statements: Statements, node: nodes.Import) -> None:
    """Lowers `import … as …`."""
    module = _module(statements, node)
    define(statements, node.target, module)


def lower_from_import(statements: Statements, node: nodes.FromImport) -> None:
    """Lowers `from … import …`."""
    module = _module(statements, node)
    values = statements.values
    span = values.span(node)
    for entry in node.names:
        name, alias = entry if isinstance(entry, tuple) else (entry, entry)
        variable = module.context.exported.get(name) if name in module.context.public else None
        if variable is None:
            target = values.scope.variable(alias)
            static = values.undefined(name, target.register, span)
            define(statements, alias, None, static)
        elif variable.object is not None:
            define(statements, alias, variable.object)
        else:
            static = variable.read()
            share(values, static, node)
            target = values.scope.variable(alias)
            statements.code.emit("move", target.register, variable.register, span=span)
            define(statements, alias, None, static)


def _module(statements: Statements, node: nodes.Import | nodes.FromImport) -> Module:
    """Runs the top level of a template for what it defines; its text is dropped."""
    values, code = statements.values, statements.code
    found = statements.linker.named(values, node.template, node, "import")
    context = _apart(values)
    if node.with_context:
        names = _snapshot(statements, node)
        context = Context(values.options, snapshot=names)
    else:
        context.is_shared = True
    with _inside(statements, node, found), code.scratch(), code.dropping(code.take(), values.span(node)):
        Rendering(statements.linker, context).root(found, keeps=True)
    context.is_open = False
    return Module(found.name, context)


def _apart(values: Expressions) -> Context:
    """A context that sees neither columns nor constants, as Jinja2's without context."""
    return Context(replace(values.options, columns={}, constants={}, optional=frozenset()))


def _snapshot(statements: Statements, node: nodes.Node) -> dict[str, Binding]:
    """What names mean here, whatever is assigned to them later."""
    values, code = statements.values, statements.code
    span = values.span(node)
    found: dict[str, Binding] = {}
    for name in sorted(values.scope.visible_names()):
        binding = values.scope.visible(name)
        if not isinstance(binding, Variable) or binding.object is not None:
            found[name] = _copied(binding)
            continue
        register = code.keep()
        copying = code.emit("move", register, binding.register, span=span)
        copying.is_needed = False
        found[name] = Variable(register, binding.static, binding.clearing, copying=copying)
    return found


def _copied(binding: Binding) -> Binding:
    if isinstance(binding, Variable):
        return Variable(binding.register, Static.of("object"), object=binding.object)
    return binding


@contextmanager
def _inside(statements: Statements, node: nodes.Node, found: SyntaxTree) -> Iterator[None]:
    """Lowers another template inside this one; refuses one within itself."""
    linker, values = statements.linker, statements.values
    linker.check_size(values, node, f"the template {found.name!r}")
    names = [tree.name for tree in linker.inside]
    if any(found is tree for tree in linker.inside) or found.name == values.tree.name:
        way = " → ".join([*names, found.name])
        values.tree.fail(f"expected templates that end, found one within itself: {way}", node, code="cycle")
    linker.inside.append(found)
    with statements.code.scratch():
        yield
    linker.inside.pop()
