"""What templates do with objects: calls of macros and blocks, attributes, steps of cyclers and joiners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from jinja2 import nodes

from labfactory.compiler.attributes import loop_attribute
from labfactory.compiler.code import Instruction
from labfactory.compiler.growing import share
from labfactory.compiler.macros import attribute_of, evaluate_arguments, write_macro
from labfactory.compiler.objects import (
    Attribute,
    Block,
    Cycler,
    Joiner,
    Macro,
    Module,
    Namespace,
    Object,
    Self,
)
from labfactory.compiler.scope import LoopName, Unassigned, Variable
from labfactory.compiler.spread import entries, spread
from labfactory.compiler.steppers import (
    changed,
    check_home,
    cycle,
    home_of,
    make_cycler,
    make_joiner,
    no_arguments,
    step_cycler,
    step_joiner,
)
from labfactory.compiler.types import UNDEFINED, UNSET, Static

if TYPE_CHECKING:
    from labfactory.compiler.expressions import Expressions

_MAKERS = ("namespace", "cycler", "joiner")
_TEXTS = (Macro, Block)
_NOTHING = frozenset({UNDEFINED, UNSET})


@dataclass(frozen=True, slots=True)
class ObjectCalls:
    """Lowers those expressions of a template that have to do with objects."""

    values: Expressions

    # -- what an expression stands for

    def of(self, node: nodes.Node) -> Object | LoopName | None:
        """The object that a name or an attribute stands for, if it stands for one."""
        if isinstance(node, nodes.Name):
            found = self.values.scope.lookup(node.name)
            if isinstance(found, Variable):
                return found.object
            return found if isinstance(found, LoopName) else None
        name = _attribute_of(node)
        if name is None:
            return None
        assert isinstance(node, (nodes.Getattr, nodes.Getitem))
        match self.of(node.node):
            case Module() as module:
                variable = _exported(module, name)
                return None if variable is None else variable.object
            case Self(rendering=rendering):
                return Block(name, rendering, 0) if name in rendering.blocks else None
            case Block(rendering=rendering) as block if name == "super":
                above = Block(block.name, rendering, block.level + 1)
                return above if above.level < len(rendering.blocks[block.name]) else None
        return None

    def value(self, node: nodes.Node) -> Object | LoopName | None:
        """The object that an expression gives, made where it makes one."""
        found = self.of(node)
        if found is not None:
            return found
        maker = self._maker(node)
        if maker is None:
            return None
        assert isinstance(node, nodes.Call)
        if maker == "namespace":
            return self._namespace(node)
        return (make_cycler if maker == "cycler" else make_joiner)(self.values, node)

    def _maker(self, node: nodes.Node) -> str | None:
        if not (isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name)):
            return None
        name = node.node.name
        is_global = name in _MAKERS and isinstance(self.values.scope.lookup(name), Unassigned)
        return name if is_global and not self.values.is_known(name) else None

    def truth(self, node: nodes.Node) -> bool | None:
        """Whether a condition holds by what it says of objects alone; None where rows decide."""
        match node:
            case nodes.Not():
                inner = self.truth(node.node)
                return None if inner is None else not inner
            case nodes.And() | nodes.Or():
                return self._truth_of_choice(node)
            case nodes.Test(name="defined" | "undefined", args=[], kwargs=[]):
                return node.name == "defined" if self.of(node.node) is not None else None
            case nodes.Test(name="none", args=[], kwargs=[]):
                return False if self.of(node.node) is not None else None
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                return True if self.of(node) is not None else None
        return None

    def _truth_of_choice(self, node: nodes.And | nodes.Or) -> bool | None:
        left = self.truth(node.left)
        if left is None:
            return None
        return left if left is isinstance(node, nodes.Or) else self.truth(node.right)

    # -- values

    def lower(self, node: nodes.Node, target: int) -> Static | None:
        """Leaves what an expression makes of objects in a register; None where it has to do with none."""
        match node:
            case nodes.Call():
                return self._call(node, target)
            case nodes.Getattr() | nodes.Getitem():
                return self._attribute(node, target)
            case nodes.CondExpr():
                return self._inline_if(node, target)
            case nodes.And() | nodes.Or():
                return self._choice(node, target)
            case nodes.Filter(name="length" | "count", node=nodes.Name() as name, args=[], kwargs=[]):
                return self._length(self.of(name), target, self.values.span(node))
            case nodes.Not() | nodes.Test():
                known = self.truth(node)
                return None if known is None else self.values.constant(known, target, node)
        return None

    def _length(self, loop: Object | LoopName | None, target: int, span: int) -> Static | None:
        if not isinstance(loop, LoopName):
            return None
        loop_attribute(self.values, loop, "length", target, span)
        return Static.of("integer")

    def _inline_if(self, node: nodes.CondExpr, target: int) -> Static | None:
        known = self.truth(node.test)
        if known is None:
            return None
        chosen = node.expr1 if known else node.expr2
        if chosen is not None:
            return self.values.into(chosen, target)
        span = self.values.span(node)
        return self.values.undefined("the missing else of an inline if", target, span, silent=True)

    def _choice(self, node: nodes.And | nodes.Or, target: int) -> Static | None:
        left = self.truth(node.left)
        if left is None:
            return None
        if left is not isinstance(node, nodes.Or):
            return self.values.into(node.right, target)
        return self.values.constant(left, target, node) if self.of(node.left) is None else None

    def refuse(self, found: Object | LoopName, node: nodes.Node) -> NoReturn:
        """Refuses an object where a value is needed."""
        spoken = found.spoken if isinstance(found, Object) else "loop"
        self.values.refuse(f"{spoken} as a value", node)

    # -- calls

    def write(self, node: nodes.Node) -> bool:
        """Writes what a call that stands alone gives: a macro's text, a block's; False for all others."""
        if not isinstance(node, nodes.Call):
            return False
        match self.of(node.node):
            case Macro() as macro:
                write_macro(self.values, node, macro)
            case Block() as block:
                no_arguments(self.values, node, "a block")
                block.rendering.write_block(self.values, node, block.name, block.level)
            case LoopName(recursion=recursion) as loop if recursion is not None:
                self._recurse(node, loop)
            case _:
                return False
        return True

    def _recurse(self, node: nodes.Call, loop: LoopName) -> None:
        from labfactory.compiler.loops import lower_recursion

        if len(node.args) != 1 or node.kwargs or node.dyn_args or node.dyn_kwargs:
            self.values.tree.fail("expected one value to loop over", node, code="arguments")
        lower_recursion(self.values, node, loop)

    def _call(self, node: nodes.Call, target: int) -> Static | None:
        found = self.of(node.node)
        if isinstance(found, _TEXTS) or (isinstance(found, LoopName) and found.recursion is not None):
            values = self.values
            # A call of `loop` is escaped as its template is, a macro as it is where it is called.
            with values.code.capturing(target, markup=values.autoescape, span=values.span(node)):
                self.write(node)
            return Static.of("text")
        if found is None and self._is_undefined(node.node):
            return self._fail(node, "undefined", target)
        if isinstance(found, Joiner):
            return step_joiner(self.values, node, found, target)
        if isinstance(found, Object):
            self.refuse(found, node)
        name = _attribute_of(node.node)
        owner = self._owner(node.node)
        if isinstance(owner, Cycler) and name in ("next", "reset"):
            return step_cycler(self.values, node, owner, name, target)
        if isinstance(owner, LoopName) and name in ("cycle", "changed"):
            return (
                cycle(self.values, node, owner, target)
                if name == "cycle"
                else changed(self.values, node, owner, target)
            )
        if isinstance(owner, Self | Module | Block) and name is not None:
            # What they do not have is undefined, and a call of that an error.
            return self._fail(node, "undefined", target)
        if isinstance(owner, Object):
            self.values.refuse(f"a call of {name!r} of {owner.spoken}", node)
        return None

    def _owner(self, node: nodes.Node) -> Object | LoopName | None:
        """What a method is called of; a cycler may be made there and then."""
        if not isinstance(node, (nodes.Getattr, nodes.Getitem)):
            return None
        found = self.of(node.node)
        return self.value(node.node) if found is None and self._maker(node.node) == "cycler" else found

    def _fail(self, node: nodes.Call, outcome: str, target: int) -> Static:
        """What Jinja2 would raise once it has the arguments."""
        evaluate_arguments(self.values, node)
        span = self.values.span(node)
        self.values.code.emit("fail", self.values.outcome(outcome), span=span)
        return self.values.undefined("call", target, span)

    def _is_undefined(self, node: nodes.Node) -> bool:
        """Whether a name surely holds nothing here, as `caller` outside a call block."""
        if not isinstance(node, nodes.Name):
            return False
        found = self.values.scope.lookup(node.name)
        if isinstance(found, Unassigned):
            return self.values.is_absent(node.name)
        return isinstance(found, Variable) and found.object is None and found.static.kinds <= _NOTHING

    # -- attributes

    def _attribute(self, node: nodes.Getattr | nodes.Getitem, target: int) -> Static | None:
        name = _attribute_of(node)
        owner = self.of(node.node)
        if name is None or not isinstance(owner, Object):
            return None
        found = self.of(node)
        if isinstance(found, Object):
            self.refuse(found, node)
        span = self.values.span(node)
        match owner:
            case Namespace() if name in owner.attributes:
                attribute = owner.attributes[name]
                self.values.code.emit("move", target, attribute.register, span=span)
                return attribute.static
            case Module() if (variable := _exported(owner, name)) is not None:
                self.values.code.emit("move", target, variable.register, span=span)
                share(self.values, variable.static, node)
                return variable.read()
            case Cycler() if name == "current":
                self.values.code.emit("subscript", target, owner.items, owner.position, span=span)
                return owner.item
            case Macro() if name in ("name", "arguments", "catch_kwargs", "catch_varargs", "caller"):
                return self.values.constant(attribute_of(owner, name), target, node)
            case Module() if name == "__name__":
                return self.values.constant(owner.name, target, node)
            case Namespace() | Module() | Self() | Block():
                return self.values.undefined(name, target, span)
        return self.values.refuse(f"the attribute {name!r} of {owner.spoken}", node)

    # -- namespaces

    def _namespace(self, node: nodes.Call) -> Namespace:
        code, span = self.values.code, self.values.span(node)
        pairs = self._pairs(node)
        given: dict[str, Attribute] = {}
        for name, value in pairs:
            register = given[name].register if name in given else code.keep()
            with self.values.borrowing(borrows=False):
                given[name] = Attribute(register, self.values.into(value, register))
        # The place where attributes that come later are made undefined.
        first = code.emit("end", span=span)
        first.is_needed = False
        code.namespaces += 1
        return Namespace(code.namespaces, first, home_of(self.values), given)

    def _pairs(self, node: nodes.Call) -> list[tuple[str, nodes.Expr]]:
        args, keywords = spread(self.values, node)
        if len(args) > 1:
            self.values.tree.fail("expected one dict at most for a namespace", node, code="arguments")
        given = [found for argument in args for found in entries(self.values, argument)]
        return [(keyword.key, keyword.value) for keyword in given + keywords]

    def assign(self, node: nodes.NSRef, register: int, static: Static) -> None:
        """Gives an attribute of a namespace a value."""
        values, code = self.values, self.values.code
        owner = self.of(nodes.Name(node.name, "load", lineno=node.lineno))
        if not isinstance(owner, Namespace):
            values.refuse(f"assigning an attribute of {node.name!r} where it is no namespace", node)
        check_home(self.values, owner, node)
        span = values.span(node)
        attribute = owner.attributes.get(node.attr)
        if attribute is None:
            attribute = owner.attributes[node.attr] = Attribute(code.keep(), Static.of(UNDEFINED))
            clearing = Instruction("undefined", (attribute.register, code.constant(node.attr), 0), span)
            code.insert(owner.first, clearing)
        joined = attribute.static.join(static)
        if joined != attribute.static:
            attribute.static = joined
            code.changes.append(owner.serial)
        code.emit("move", attribute.register, register, span=span)


def _attribute_of(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return node.arg.value if isinstance(node.arg.value, str) else None
    return None


def _exported(module: Module, name: str) -> Variable | None:
    return module.context.exported[name] if name in module.context.public else None


__all__ = ["ObjectCalls"]
