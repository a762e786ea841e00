"""Objects: what a name may stand for while a template compiles, beside values that rows have.

Macros, modules, blocks and namespaces have no value in a register; what is done with them becomes code where
it is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from jinja2 import nodes

    from labfactory.compiler.code import Instruction
    from labfactory.compiler.inheritance import Rendering
    from labfactory.compiler.scope import Context, Scope
    from labfactory.compiler.statements import Statements
    from labfactory.compiler.types import Static


class Object:
    """Anything that a name stands for while a template compiles."""

    __slots__ = ()
    spoken: ClassVar[str] = "an object"


@dataclass(frozen=True, eq=False, slots=True)
class Several(Object):
    """One of several objects, by the way that a row takes."""

    spoken: ClassVar[str] = "a name that is another object by the branch taken"


@dataclass(frozen=True, eq=False, slots=True)
class Macro(Object):
    """A macro, or what a call block hands over as `caller`.

    Args:
        name: Its name; None for a caller.
        node: Where it is written.
        statements: What lowers its template.
        scope: The scope that it is defined in.
        autoescape: Whether its text is escaped there.
    """

    spoken: ClassVar[str] = "a macro"
    name: str | None
    node: nodes.Macro | nodes.CallBlock
    statements: Statements
    scope: Scope
    autoescape: bool


@dataclass(frozen=True, eq=False, slots=True)
class Module(Object):
    """An imported template: the names that its top level exports."""

    spoken: ClassVar[str] = "an imported template"
    name: str
    context: Context


@dataclass(frozen=True, eq=False, slots=True)
class Block(Object):
    """A block of a template and its parents, as `super` or `self.name`.

    Args:
        name: Its name.
        rendering: The template that renders it, with all its blocks.
        level: 0 for the block that the last child wrote, one more for each parent's.
    """

    spoken: ClassVar[str] = "a block"
    name: str
    rendering: Rendering
    level: int


@dataclass(frozen=True, eq=False, slots=True)
class Self(Object):
    """The name `self`: the blocks of a template."""

    spoken: ClassVar[str] = "self"
    rendering: Rendering


@dataclass(eq=False, slots=True)
class Attribute:
    """One attribute of a namespace: where it is, and what is known of all values that it is ever given."""

    register: int
    static: Static


@dataclass(eq=False, slots=True)
class Namespace(Object):
    """A namespace: attributes that inner scopes may assign.

    Args:
        serial: Number of the namespace in its plan.
        first: The instruction where it came to be; attributes that come later are undefined from there on.
        home: The module that it belongs to, where every row of Jinja2's would share that.
    """

    spoken: ClassVar[str] = "a namespace"
    serial: int
    first: Instruction
    home: Context | None
    attributes: dict[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class Cycler(Object):
    """A cycler: a tuple and a position in it."""

    spoken: ClassVar[str] = "a cycler"
    items: int
    position: int
    count: int
    item: Static
    home: Context | None


@dataclass(frozen=True, eq=False, slots=True)
class Joiner(Object):
    """A joiner: a text that comes from its second call on."""

    spoken: ClassVar[str] = "a joiner"
    separator: int
    was_called: int
    static: Static
    home: Context | None


@dataclass(frozen=True, eq=False, slots=True)
class Recursion:
    """What a call of `loop` runs: the body of its recursive loop once more."""

    node: nodes.For
    statements: Statements
    scope: Scope
    autoescape: bool
