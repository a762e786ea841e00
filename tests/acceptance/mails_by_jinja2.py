"""The sample mails as plain Jinja2 renders them: what every native asset is held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from labfactory.testing import to_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from labfactory.content import Creative, Library

# What a template may raise over a customer's values.
FAILURES = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)
_CHOICE = "acceptance: chosen component"


class PlainMail:
    """A creative's templates and those of its components, compiled by Jinja2 alone.

    Args:
        library: Has the components.
        creative: What is rendered.
    """

    def __init__(self, library: Library, creative: Creative) -> None:
        self._parts = {}
        for part, options in creative.environments().items():
            chosen = options.to_dict()
            environment = jinja2.Environment(
                autoescape=bool(chosen["autoescape"]),
                trim_blocks=bool(chosen["trim_blocks"]),
                lstrip_blocks=bool(chosen["lstrip_blocks"]),
                keep_trailing_newline=bool(chosen["keep_trailing_newline"]),
                undefined=jinja2.StrictUndefined,
            )
            components = {
                (slot, component.name): environment.from_string(component.parts[part])
                for slot, filling in creative.choices(library.components).items()
                for component in filling
                if part in component.parts
            }
            environment.globals["slot"] = _slot(components)
            self._parts[part] = environment.from_string(creative.parts[part])

    def render(self, row: dict[str, Any], chosen: dict[str, str | None]) -> dict[str, str] | None:
        """Every part of one customer's mail, None where Jinja2 raises.

        Args:
            row: The customer's values as `to_python` gives them.
            chosen: Slot → name of the component that was decided for the customer.
        """
        context = {**row, _CHOICE: (chosen, row)}
        try:
            return {part: template.render(context) for part, template in self._parts.items()}
        except FAILURES:
            return None

    def render_all(
        self, customers: pa.RecordBatch | pa.Table, heroes: Sequence[str | None]
    ) -> list[dict[str, str] | None]:
        """The mails of all customers, by the component decided for each one's slot `hero`."""
        rows = to_python(customers)
        return [self.render(row, {"hero": hero}) for row, hero in zip(rows, heroes, strict=True)]


def _slot(components: dict[tuple[str, str], jinja2.Template]) -> Any:
    @jinja2.pass_context
    def slot(context: jinja2.runtime.Context, name: str) -> str:
        chosen, row = context[_CHOICE]
        # A component sees the customer, never what the mail around it has set.
        text = components[name, chosen[name]].render(row)
        return Markup(text) if context.eval_ctx.autoescape else text

    return slot
