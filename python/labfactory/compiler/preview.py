"""Assets beside Jinja2's rendering of the same templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from markupsafe import Markup

from labfactory.base.errors import AssemblyError
from labfactory.compiler.skip import Skip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import jinja2

    from labfactory.compiler.catalogues import Locales
    from labfactory.compiler.environment import Environment
    from labfactory.compiler.functions import Function

# What an asset is called by plans of one lone template.
LONE_PART = "asset"


@dataclass(frozen=True, slots=True)
class Preview:
    """One asset beside Jinja2's rendering of the same template.

    Args:
        row: Number of the row, from 0.
        part: Name of the part; "asset" for a lone template.
        text: What the plan made; None when the row failed.
        code: Code of the row's error, "skipped" for a row that is, None when there is neither.
        jinja2: What Jinja2 rendered; None when it raised.
        exception: What Jinja2 raised, as `Kind: message`; None when it did not.
    """

    row: int
    part: str
    text: str | None
    code: str | None
    jinja2: str | None
    exception: str | None

    @property
    def agrees(self) -> bool:
        """Whether both rendered the same text, both skipped the row, or both failed."""
        same = self.text == self.jinja2 and (self.code is None) == (self.exception is None)
        skips = self.exception is not None and self.exception.startswith(f"{Skip.__name__}: ")
        return same and (self.code == "skipped") is skips

    @property
    def overflows(self) -> bool:
        """Whether the row left 64 bits, where Python goes on: the one documented difference."""
        return self.code == "int_overflow" and self.exception is None


@dataclass(frozen=True, slots=True)
class Oracle:
    """Jinja2 with the sources of a plan.

    Args:
        parts: Names of the parts of an asset; empty for a lone template.
        constants: Names that every row has.
        environments: How the templates of each part are read; of None that of a lone template.
        templates: Name and source of the template of each part.
        components: Of each slot, in the order of its decision column.
        functions: Those that templates call.
        locales: Translations by the rows' locale.
    """

    parts: tuple[str, ...]
    constants: dict[str, object]
    environments: Mapping[Any, Environment]
    templates: Mapping[Any, tuple[str, str]]
    components: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]]
    functions: Sequence[Function]
    locales: Locales | None

    def previews(self, at: int, row: dict[str, Any], result: Mapping[str, Any]) -> Iterator[Preview]:
        """A preview for each part of a row, of what the plan made of it.

        Args:
            at: Number of the row.
            row: What Jinja2 sees of it.
            result: Its row of the plan's output.

        Yields:
            The previews, in the order of the parts.
        """
        context = self.constants | row
        parts: list[Any] = list(self.parts) or [None]
        failed = None if result["status"] == "ok" else result["code"] or result["status"]
        rendered = [self.rendered(part, context) for part in parts]
        # The first part that fails decides the whole asset.
        exception = next((raised for _, raised in rendered if raised), None)
        for part, (text, _) in zip(parts, rendered, strict=True):
            native = None
            if failed is None:
                native = result[LONE_PART] if part is None else result["parts"][part]
            oracle = None if exception else text
            yield Preview(at, part or LONE_PART, native, failed, oracle, exception)

    def rendered(self, part: Any, context: dict[str, Any]) -> tuple[str | None, str | None]:
        """The text of a part, or what Jinja2 raised as `Kind: message`."""
        environment = self.environments[part]
        jinja: Any = environment.jinja2()
        jinja.globals.update({function.name: function.one for function in self.functions})
        jinja.globals["slot"] = lambda slot: self._render_slot(jinja, part, slot, context)
        if environment.has_messages and self.locales is not None:
            catalogue = self.locales.of(context)
            if catalogue is None:
                return None, f"{Skip.__name__}: no translations"
            install: Any = jinja.install_gettext_translations
            install(catalogue.translations, newstyle=environment.newstyle_gettext)
        try:
            return _render(jinja, self.templates[part][1], context), None
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AssertionError) as error:
            return None, f"{type(error).__name__}: {error}"

    def _render_slot(
        self, jinja: jinja2.Environment, part: Any, slot: str, context: dict[str, Any]
    ) -> Markup:
        decided = context[f"slot:{slot}"]
        if decided is None or not 0 <= decided < len(self.components[slot]):
            message = f"no component was decided for the slot {slot!r}"
            raise LookupError(message)
        _, sources = self.components[slot][decided]
        return Markup(_render(jinja, sources[part], context))  # noqa: S704 - the component's own template escaped it


def differs(preview: Preview) -> AssemblyError:
    """The error of an asset that Jinja2 renders differently."""
    ours = repr(preview.text) if preview.code is None else preview.code
    oracle = repr(preview.jinja2) if preview.exception is None else preview.exception
    message = f"row {preview.row}, {preview.part}: expected {oracle} as Jinja2 renders it, found {ours}"
    return AssemblyError(message, code="verify_failed")


def _render(jinja: jinja2.Environment, source: str, context: dict[str, Any]) -> str:
    return jinja.from_string(source).render(context)
