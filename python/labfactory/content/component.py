"""A component: a content block that fills a slot of a creative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labfactory.base.errors import CompileError, ContentError
from labfactory.compiler import EXTENSIONS, Environment, Expression
from labfactory.content.segment import check_segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labfactory.base.errors import LabfactoryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A reusable content block: one template source per part, with tags, locale and eligibility.

    Args:
        slot: The slot that it may fill.
        name: Its name, unique in its slot.
        parts: The template source of each part that it brings (`html`, `text`, …).
        tags: Words to find it by.
        locale: The locale that it is written in, such as `de_DE`; null where it fits every one.
        eligible: A Jinja2 expression over the customer's columns: who may get it; null for everybody.

    Raises:
        ContentError: `name`, when slot, name or a part could not stand in a path; `missing_part`, when it
            has none.

    Example:
        >>> Component(slot="hero", name="spring", parts={"text": "Spring is here."}).path
        'components/hero/spring'
    """

    slot: str
    name: str
    parts: Mapping[str, str]
    tags: tuple[str, ...] = ()
    locale: str | None = None
    eligible: str | None = None

    def __post_init__(self) -> None:
        check_segment("slot", self.slot)
        check_segment("component", self.name)
        for part in self.parts:
            check_segment("part", part)
        if not self.parts:
            message = f"expected a template for one part or more, found none for component {self.name!r}"
            raise ContentError(message, code="missing_part", template=self.path)
        object.__setattr__(self, "parts", {part: self.parts[part] for part in sorted(self.parts)})
        object.__setattr__(self, "tags", tuple(self.tags))

    @property
    def path(self) -> str:
        """Its folder in a library."""
        return f"components/{self.slot}/{self.name}"

    @property
    def declaration(self) -> str:
        """The path of its `component.toml` in a library."""
        return f"{self.path}/component.toml"

    def problems(self) -> Iterator[LabfactoryError]:
        """What can be seen of its texts before customers are known: syntax that Jinja2 refuses."""
        for part, source in self.parts.items():
            try:
                # The creative around it says which extensions there are; here all are.
                Environment(extensions=EXTENSIONS).from_string(source, name=f"{self.path}/{part}.j2")
            except CompileError as error:
                yield error
        if self.eligible is not None:
            try:
                Expression(self.eligible)
            except CompileError as error:
                error.template = self.declaration
                yield error

    def __repr__(self) -> str:
        return f"Component({self.slot}/{self.name}: {', '.join(self.parts)})"
