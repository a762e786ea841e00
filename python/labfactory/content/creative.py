"""A creative: the templates of one message for one channel, with its slots."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from labfactory.base.errors import CompileError, ContentError, nearest
from labfactory.compiler import Environment, Expression, Remark, compile_creative, review_creative
from labfactory.content.needs import check_needs, unknown_needs
from labfactory.content.segment import is_segment
from labfactory.content.syntax import line_break, missing_templates, names_read, slot_calls
from labfactory.content.translation import TRANSLATIONS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Unpack

    from labfactory.base.errors import LabfactoryError
    from labfactory.compiler import CreativeOptions, Plan, Review
    from labfactory.content.channel import Channel
    from labfactory.content.component import Component
    from labfactory.content.needs import Need
    from labfactory.content.syntax import SlotCall

# A creative is named <concept>/<variant>, and the folder of components is no concept.
COMPONENTS_FOLDER = "components"
# Nor is that of the templates which all others may extend, include and import.
SHARED_FOLDER = "shared"
_NO_CONCEPTS = (COMPONENTS_FOLDER, SHARED_FOLDER, TRANSLATIONS_FOLDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creative:
    """The templates of one message for one channel.

    Args:
        name: `<concept>/<variant>`, such as `welcome/warm`.
        channel: The channel, for example `channel("email")`.
        parts: The template source of each part; kept in the channel's order.
        slots: For each slot the names of the components that may fill it, in the order that decisions count.
        environment: Jinja2's options; the channel sets `autoescape` for each part, whatever stands here.
        tags: Words to find it by.
        locale: The locale that it is written in; null where it fits every one.
        locale_column: The customers' column that says in which locale each gets its messages; null where all
            get them as they are written.
        optional: Columns that customers need not have.
        needs: What its author expects of columns: for each its kind, one of `NEEDS`.

    Raises:
        ContentError: The first of `structure_problems`.

    Example:
        >>> from labfactory.content import channel
        >>> sms = Creative(name="hello/short", channel=channel("sms"), parts={"text": "Hi {{ first_name }}"})
        >>> sms
        Creative(hello/short: sms text)
    """

    name: str
    channel: Channel
    parts: Mapping[str, str]
    slots: Mapping[str, Sequence[str]] = field(default_factory=dict)
    environment: Environment = field(default_factory=Environment)
    tags: tuple[str, ...] = ()
    locale: str | None = None
    locale_column: str | None = None
    optional: tuple[str, ...] = ()
    needs: Mapping[str, Need] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for problem in structure_problems(self.name, self.channel, self.parts, self.slots):
            raise problem
        for problem in unknown_needs(self.needs, self.declaration):
            raise problem
        ordered = {part.name: self.parts[part.name] for part in self.channel.parts if part.name in self.parts}
        object.__setattr__(self, "parts", ordered)
        object.__setattr__(self, "slots", {slot: tuple(self.slots[slot]) for slot in sorted(self.slots)})
        object.__setattr__(self, "environment", replace(self.environment, autoescape=False))
        object.__setattr__(self, "tags", tuple(self.tags))
        object.__setattr__(self, "optional", tuple(self.optional))
        object.__setattr__(self, "needs", {column: self.needs[column] for column in sorted(self.needs)})

    @property
    def declaration(self) -> str:
        """The path of its `creative.toml` in a library."""
        return f"{self.name}/creative.toml"

    def environments(self) -> dict[str, Environment]:
        """Jinja2's options for each part: the creative's own, with the channel's autoescape."""
        return {
            part: replace(self.environment, autoescape=self.channel.part(part).autoescape)
            for part in self.parts
        }

    def choices(self, components: Iterable[Component]) -> dict[str, tuple[Component, ...]]:
        """The components that may fill each slot, in the order that decisions count.

        Args:
            components: All that are at hand, such as `library.components`.

        Returns:
            For each slot of the creative its components.

        Raises:
            ContentError: `unknown_component`, when one that a slot names is not at hand.
        """
        at_hand = {(component.slot, component.name): component for component in components}
        chosen: dict[str, tuple[Component, ...]] = {}
        for slot, names in self.slots.items():
            for name in names:
                if (slot, name) not in at_hand:
                    raise self._unknown_component(slot, name, at_hand)
            chosen[slot] = tuple(at_hand[slot, name] for name in names)
        return chosen

    def names_read(self, components: Iterable[Component] = ()) -> set[str]:
        """The names that its templates, and those of its slots' components, look for outside themselves.

        Args:
            components: All that are at hand.

        Returns:
            Names of columns, constants, functions and tables; none of a template that Jinja2 refuses.

        Raises:
            ContentError: `unknown_component`.
        """
        filling = [component for chosen in self.choices(components).values() for component in chosen]
        return {
            name
            for part, environment in self.environments().items()
            for source in (self.parts[part], *(one.parts[part] for one in filling if part in one.parts))
            for name in names_read(source, environment)
        }

    def calls(self, components: Iterable[Component] = ()) -> set[str]:
        """The names that the eligibility of its slots' components calls.

        Args:
            components: All that are at hand.

        Raises:
            ContentError: `unknown_component`.
        """
        filling = (one for chosen in self.choices(components).values() for one in chosen)
        return {name for one in filling if one.eligible for name in Expression(one.eligible).calls}

    def problems(self, components: Iterable[Component]) -> Iterator[LabfactoryError]:
        """Everything about the templates that can be seen before customers are known.

        Args:
            components: All that are at hand.

        Yields:
            Syntax that Jinja2 refuses, line breaks in a single-line part (`line_break`), templates that are
            asked for and not shared (`template_not_found`), slots that are called and not declared
            (`unknown_slot`) or the other way round (`unused_slot`), components that are not at hand
            (`unknown_component`) or lack a part that calls their slot (`missing_part`).
        """
        at_hand = {(component.slot, component.name): component for component in components}
        for slot, names in self.slots.items():
            for name in names:
                if (slot, name) not in at_hand:
                    yield self._unknown_component(slot, name, at_hand)
        called: set[str] = set()
        for part, environment in self.environments().items():
            template = f"{self.name}/{part}.j2"
            try:
                environment.from_string(self.parts[part], name=template)
            except CompileError as error:
                yield error
                continue
            yield from self._line_breaks(part, environment, template)
            yield from missing_problems(self.parts[part], environment, template)
            for call in slot_calls(self.parts[part], environment):
                called.add(call.slot)
                yield from self._problems_of_call(part, call, template, at_hand)
        for slot in self.slots:
            if slot not in called:
                message = f"expected a template that calls slot({slot!r}), found none in {self.name!r}"
                yield ContentError(message, code="unused_slot", template=self.declaration)

    def compile(
        self, schema: object, *, components: Iterable[Component] = (), **given: Unpack[CreativeOptions]
    ) -> Plan:
        """Compile every part, with every component that its slots may hold, into one plan.

        Args:
            schema: A frame or an Arrow schema that says which columns customers have.
            components: All that are at hand, such as `library.components`.
            given: `functions`, `constants` such as `now`, `tables`, `translations` and `locale`, as for
                `Template.compile`.

        Returns:
            The plan, whose asset is the struct of the creative's parts.

        Raises:
            CompileError: A template or expression cannot become a plan.
            ContentError: `needs`, with every column that is missing or of another kind than declared;
                `unknown_component`, or a line break in a single-line part.
        """
        check_needs(self.needs, schema, optional=self.optional, template=self.declaration)
        return compile_creative(
            self.parts,
            environments=self.environments(),
            slots=self._filling(components),
            schema=schema,
            name=self.name,
            optional=self.optional,
            **given,
        )

    def check(
        self, data: object, *, components: Iterable[Component] = (), **given: Unpack[CreativeOptions]
    ) -> Review:
        """Look for what its author may not have meant, without compiling.

        Args:
            data: A schema, or a frame, table, batch, reader or file whose first rows are looked at.
            components: As for `compile`.
            given: As for `compile`.

        Returns:
            The remarks; a part that may become longer than its channel allows is one (`too_large`).

        Raises:
            CompileError: A template uses what is not covered.
            ContentError: As for `compile`.
        """
        check_needs(self.needs, data, optional=self.optional, template=self.declaration)
        found = review_creative(
            self.parts,
            data,
            environments=self.environments(),
            slots=self._filling(components),
            name=self.name,
            optional=self.optional,
            **given,
        )
        return replace(found, remarks=(*found.remarks, *self._too_large(found.most_bytes)))

    def _filling(self, components: Iterable[Component]) -> dict[str, list[tuple[str, Mapping[str, str]]]]:
        chosen = self.choices(components)
        for problem in self.problems(component for filling in chosen.values() for component in filling):
            raise problem
        return {
            slot: [(component.name, component.parts) for component in filling]
            for slot, filling in chosen.items()
        }

    def _too_large(self, most_bytes: Mapping[str, int | None]) -> Iterator[Remark]:
        for name, size in most_bytes.items():
            part = self.channel.part(name)
            for worst, limit, unit in () if size is None else part.worst_sizes(size):
                if worst > limit:
                    message = f"{name} may have {worst:,} {unit}, {self.channel.name} allows {limit:,}"
                    yield Remark("too_large", message, f"{self.name}.{name}", 1, 1)
        sizes = {name: size for name, size in most_bytes.items() if size is not None}
        most = self.channel.max_payload_bytes
        if most is not None and len(sizes) == len(most_bytes):
            worst = self.channel.worst_payload(sizes)
            if worst > most:
                message = (
                    f"all parts may have {worst:,} bytes of JSON together, "
                    f"{self.channel.name} allows {most:,}"
                )
                yield Remark("too_large", message, self.declaration, 1, 1)

    def __repr__(self) -> str:
        return f"Creative({self.name}: {self.channel.name} {', '.join(self.parts)})"

    def _line_breaks(self, part: str, environment: Environment, template: str) -> Iterator[ContentError]:
        source = self.parts[part]
        if self.channel.part(part).single_line and (line := line_break(source, environment)) is not None:
            message = f"expected one line in part {part!r}, found a line break"
            hint = "join the lines, or end a tag with '-%}' to drop the white space after it."
            yield ContentError(
                message, code="line_break", template=template, line=line, source=source, hint=hint
            )

    def _problems_of_call(
        self, part: str, call: SlotCall, template: str, at_hand: Mapping[tuple[str, str], Component]
    ) -> Iterator[ContentError]:
        error = partial(ContentError, template=template, line=call.line, source=self.parts[part])
        if call.slot not in self.slots:
            message = f"unknown slot {call.slot!r}"
            yield error(message, code="unknown_slot", hint=nearest(call.slot, self.slots))
        for name in self.slots.get(call.slot, ()):
            component = at_hand.get((call.slot, name))
            if component is not None and part not in component.parts:
                message = f"expected part {part!r} of {name!r}, which slot {call.slot!r} may hold, found none"
                yield error(message, code="missing_part")

    def _unknown_component(self, slot: str, name: str, at_hand: Iterable[tuple[str, str]]) -> ContentError:
        return ContentError(
            f"unknown component {name!r} of slot {slot!r}",
            code="unknown_component",
            template=self.declaration,
            hint=nearest(name, (known for its_slot, known in at_hand if its_slot == slot)),
        )


def missing_problems(source: str, environment: Environment, template: str) -> Iterator[ContentError]:
    """The templates that one asks for and that are not shared (`template_not_found`)."""
    for name, line in missing_templates(source, environment):
        message = f"expected a shared template {name!r}, found none"
        hint = nearest(name, environment.templates())
        yield ContentError(
            message, code="template_not_found", template=template, line=line, source=source, hint=hint
        )


def structure_problems(
    name: str, channel: Channel, parts: Iterable[str], slots: Mapping[str, Sequence[str]]
) -> Iterator[ContentError]:
    """Everything that keeps these values from being a creative.

    Args:
        name: The creative's name.
        channel: Its channel.
        parts: The names of the parts that it has.
        slots: For each slot the names of its components.

    Yields:
        `name`, `unknown_part`, `missing_part` and `empty_slot`, `duplicate_component`, each with its file.
    """
    declaration = f"{name}/creative.toml"
    concept, _, variant = name.partition("/")
    if not (is_segment(concept) and is_segment(variant)) or concept in _NO_CONCEPTS:
        message = (
            f"expected a creative name <concept>/<variant> of a-z, 0-9, '.', '_' and '-', found {name!r}"
        )
        yield ContentError(message, code="name", template=declaration)
    known = [part.name for part in channel.parts]
    for part in parts:
        if part not in known:
            message = f"unknown part {part!r} of channel {channel.name!r}"
            template = f"{name}/{part}.j2"
            yield ContentError(message, code="unknown_part", template=template, hint=nearest(part, known))
    for required in channel.parts:
        if required.required and required.name not in set(parts):
            message = f"expected part {required.name!r} of channel {channel.name!r}, found none"
            hint = f"write {required.name}.j2 beside creative.toml."
            yield ContentError(message, code="missing_part", template=declaration, hint=hint)
    for slot, names in slots.items():
        if not is_segment(slot):
            message = f"expected a slot name of a-z, 0-9, '.', '_' and '-', found {slot!r}"
            yield ContentError(message, code="name", template=declaration)
        if not names:
            message = f"expected one component or more for slot {slot!r}, found none"
            yield ContentError(message, code="empty_slot", template=declaration)
        if len(set(names)) != len(names):
            message = f"expected each component of slot {slot!r} once, found {list(names)}"
            yield ContentError(message, code="duplicate_component", template=declaration)
