"""Arbitration: what a choice is worth, from the model's score and three terms of each component."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import jinja2
from jinja2 import nodes

from labfactory.base.errors import SelectionError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TERMS = ("context", "value", "lever")
_NAMES = ("propensity", *TERMS)
_BINARY = {nodes.Add: "add", nodes.Sub: "sub", nodes.Mul: "mul", nodes.Div: "div"}

Step = tuple[str, float]


@dataclass(frozen=True, kw_only=True)
class Arbitration:
    """A score of every component: P x C x V x L, unless the formula says otherwise.

    Args:
        formula: Arithmetic (+ - * / and parentheses) over numbers and the names `propensity` (the model's
            score), `context`, `value` and `lever`. Computed in float32, one rounding a step.
        terms: For each component its terms, a number or a numeric expression over the customer's columns;
            what is left out is 1. A customer for whom a term is null gets nothing (`missing_feature`).

    Raises:
        SelectionError: `formula` when it is not such arithmetic, or a term has another name.

    Example:
        >>> Arbitration(formula="propensity * value - 2").steps()
        [('score', 0.0), ('term', 1.0), ('mul', 0.0), ('number', 2.0), ('sub', 0.0)]
    """

    formula: str = "propensity * context * value * lever"
    terms: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)

    def without(self, term: str) -> Arbitration:
        """The same formula with a term that is 1 for every component."""
        kept = {
            component: {name: value for name, value in given.items() if name != term}
            for component, given in self.terms.items()
        }
        return replace(self, terms={component: given for component, given in kept.items() if given})

    def __post_init__(self) -> None:
        terms = {component: dict(given) for component, given in self.terms.items()}
        object.__setattr__(self, "terms", terms)
        for component, given in terms.items():
            for name in given:
                if name not in TERMS:
                    message = f"expected the terms context, value and lever of {component!r}, found {name!r}"
                    raise SelectionError(message, code="formula", hint=nearest(name, TERMS))
        self.steps()

    def steps(self) -> list[Step]:
        """The formula in postfix notation.

        Raises:
            SelectionError: `formula`.
        """
        try:
            parsed = jinja2.Environment(autoescape=True).parse("{{ " + self.formula + " }}")
        except jinja2.TemplateSyntaxError as error:
            message = f"expected a formula, found {self.formula!r}: {error.message}"
            raise SelectionError(message, code="formula") from None
        match parsed.body:
            case [nodes.Output(nodes=[nodes.Expr() as expression])]:
                return list(self._steps(expression))
        message = f"expected one formula, found {self.formula!r}"
        raise SelectionError(message, code="formula")

    def _steps(self, node: nodes.Expr) -> Iterator[Step]:
        if isinstance(node, nodes.BinExpr) and type(node) in _BINARY:
            yield from self._steps(node.left)
            yield from self._steps(node.right)
            yield _BINARY[type(node)], 0.0
        elif isinstance(node, nodes.Neg):
            yield from self._steps(node.node)
            yield "neg", 0.0
        elif isinstance(node, nodes.Const) and isinstance(node.value, (int, float)):
            yield "number", float(node.value)
        elif isinstance(node, nodes.Name) and node.name == "propensity":
            yield "score", 0.0
        elif isinstance(node, nodes.Name) and node.name in TERMS:
            yield "term", float(TERMS.index(node.name))
        else:
            found = node.name if isinstance(node, nodes.Name) else type(node).__name__.lower()
            message = f"expected numbers, + - * / and {', '.join(_NAMES)} in a formula, found {found!r}"
            hint = nearest(found, _NAMES) if isinstance(node, nodes.Name) else None
            raise SelectionError(message, code="formula", hint=hint)
