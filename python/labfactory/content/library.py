"""A library: the creatives of one or more concepts and the components that fill their slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from gettext import NullTranslations
from typing import TYPE_CHECKING

from labfactory.base.errors import CompileError, ContentError, nearest
from labfactory.content.creative import SHARED_FOLDER, missing_problems
from labfactory.content.files import (
    read_components,
    read_creatives,
    read_folder,
    read_translations,
    write_component,
    write_creative,
    write_shared,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from labfactory.base.errors import LabfactoryError
    from labfactory.compiler import CreativeOptions, Environment
    from labfactory.content.component import Component
    from labfactory.content.creative import Creative
    from labfactory.content.translation import Translation


class LibraryError(ContentError):
    """Everything that is wrong with a library, at once.

    Args:
        problems: Each with its own code, file, and position where there is one.
        place: The folder, or another name for where the files came from.
    """

    def __init__(self, problems: Iterable[LabfactoryError], *, place: str) -> None:
        found = tuple(problems)
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        listed = "\n".join(f"{type(problem).__name__}: {problem}" for problem in found)
        super().__init__(
            f"expected a library without problems, found {count} in {place}:\n{listed}", code="library"
        )
        self.problems = found


@dataclass(frozen=True, slots=True)
class Variant:
    """An arm of an experiment: a creative with its fixed component choices.

    Args:
        name: The arm's name, by default the creative's.
        creative: What its customers get.
        components: For each slot the one component; a slot that is left out is chosen per customer.
    """

    name: str
    creative: Creative
    components: Mapping[str, Component] = field(default_factory=dict)

    def __repr__(self) -> str:
        fixed = "".join(f", {slot}={component.name}" for slot, component in self.components.items())
        return f"Variant({self.name}: {self.creative.channel.name}{fixed})"


@dataclass(frozen=True, slots=True)
class Library:
    """The creatives of one or more concepts and the components that fill their slots.

    Args:
        creatives: In any order; kept by name.
        components: In any order; kept by slot and name.
        translations: Catalogues of gettext for creatives with a locale column, in any order; kept by name.

    Raises:
        LibraryError: Code `library`, with all problems at once.

    Example:
        >>> from labfactory.content import Creative, channel
        >>> hello = Creative(name="hello/short", channel=channel("sms"), parts={"text": "Hi {{ name }}"})
        >>> library = Library((hello,))
        >>> Library.from_files(library.files()) == library
        True
    """

    creatives: tuple[Creative, ...] = ()
    components: tuple[Component, ...] = ()
    translations: tuple[Translation, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "creatives", tuple(sorted(self.creatives, key=lambda one: one.name)))
        ordered = sorted(self.components, key=lambda one: (one.slot, one.name))
        object.__setattr__(self, "components", tuple(ordered))
        object.__setattr__(self, "translations", tuple(sorted(self.translations, key=lambda one: one.name)))
        if problems := list(_problems(self.creatives, self.components, self.translations)):
            raise LibraryError(problems, place="the library")

    @classmethod
    def load(cls, folder: str | Path) -> Library:
        """Read a library from its folder; hidden files and `.md` files are no content and stay unread.

        Args:
            folder: Holds `<concept>/<variant>/creative.toml` and
                `components/<slot>/<component>/component.toml`, each beside one `<part>.j2` per part, in
                `shared/` the templates that all of them may extend, include and import, and in
                `translations/` a catalogue of gettext per locale.

        Returns:
            The library.

        Raises:
            ContentError: `missing_folder`, when there is no such folder.
            LibraryError: Code `library`, with all problems at once.
        """
        files, problems = read_folder(folder)
        return _read(files, place=repr(str(folder)), problems=problems)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Library:
        """Make a library from the bytes of its files.

        Args:
            files: Bytes by relative POSIX path, as `files` gives them.

        Returns:
            The library.

        Raises:
            LibraryError: Code `library`, with all problems at once.
        """
        return _read(files, place="the files of a package", problems=[])

    def files(self) -> dict[str, bytes]:
        """The library as files: canonical TOML and the template sources as they are.

        Returns:
            Bytes by relative POSIX path, sorted; `from_files` makes an equal library of them.
        """
        files = write_shared(self.creatives)
        for creative in self.creatives:
            files |= write_creative(creative)
        for component in self.components:
            files |= write_component(component)
        files |= {translation.path: translation.content for translation in self.translations}
        return dict(sorted(files.items()))

    def creative(self, name: str) -> Creative:
        """The creative of this name.

        Raises:
            ContentError: `unknown_creative`, when the library has none.
        """
        for creative in self.creatives:
            if creative.name == name:
                return creative
        names = (creative.name for creative in self.creatives)
        message = f"unknown creative {name!r}"
        raise ContentError(message, code="unknown_creative", hint=nearest(name, names))

    def spoken(self, creative: Creative) -> CreativeOptions:
        """What `Creative.compile` takes so that customers get the creative's messages in their locale.

        Args:
            creative: One of the library.

        Returns:
            For a creative with a locale column the catalogues by locale, and that column; customers of its
            own locale get messages as they are written. Nothing for any other.
        """
        if creative.locale_column is None:
            return {}
        own = {} if creative.locale is None else {creative.locale: NullTranslations()}
        catalogues = own | {one.locale: one.catalogue for one in self.translations}
        return {"translations": catalogues, "locale": creative.locale_column}

    def components_of(self, slot: str) -> tuple[Component, ...]:
        """The components that are written for a slot, by name.

        Raises:
            ContentError: `unknown_slot`, when the library has no component for it.
        """
        found = tuple(component for component in self.components if component.slot == slot)
        if not found:
            slots = (component.slot for component in self.components)
            message = f"unknown slot {slot!r}"
            raise ContentError(message, code="unknown_slot", hint=nearest(slot, slots))
        return found

    def component(self, slot: str, name: str) -> Component:
        """The component of this name for a slot.

        Raises:
            ContentError: `unknown_slot` or `unknown_component`.
        """
        candidates = self.components_of(slot)
        for component in candidates:
            if component.name == name:
                return component
        message = f"unknown component {name!r} of slot {slot!r}"
        hint = nearest(name, (component.name for component in candidates))
        raise ContentError(message, code="unknown_component", hint=hint)

    def variants(self, *names: str, components: Mapping[str, str] | None = None) -> tuple[Variant, ...]:
        """The arms of an experiment: one for each creative, all with the same fixed components.

        Args:
            names: Names of creatives.
            components: For a slot the name of the component that every arm shows in it; a slot that is left
                out is chosen per customer.

        Returns:
            One variant per name, in the order given.

        Raises:
            ContentError: `unknown_creative`, `unknown_slot` or `unknown_component`.
        """
        fixed = {slot: self.component(slot, name) for slot, name in (components or {}).items()}
        variants = []
        for name in names:
            creative = self.creative(name)
            for slot, component in fixed.items():
                if component.name not in creative.slots.get(slot, ()):
                    message = (
                        f"expected creative {name!r} to hold component {component.name!r} in slot {slot!r}"
                    )
                    hint = nearest(component.name, creative.slots.get(slot, ()))
                    raise ContentError(
                        message, code="unknown_component", template=creative.declaration, hint=hint
                    )
            variants.append(Variant(name, creative, dict(fixed)))
        return tuple(variants)

    def subset(self, creative_names: Iterable[str]) -> Library:
        """The library of these creatives alone, with the components that their slots name.

        Raises:
            ContentError: `unknown_creative`.
        """
        creatives = tuple(self.creative(name) for name in creative_names)
        used = {
            (slot, name) for creative in creatives for slot, names in creative.slots.items() for name in names
        }
        is_spoken = any(creative.locale_column is not None for creative in creatives)
        return Library(
            creatives,
            tuple(one for one in self.components if (one.slot, one.name) in used),
            self.translations if is_spoken else (),
        )

    def __repr__(self) -> str:
        names = ", ".join(creative.name for creative in self.creatives)
        return f"Library({names}; {len(self.components)} components)"


def _read(files: Mapping[str, bytes], *, place: str, problems: list[LabfactoryError]) -> Library:
    components, broken = read_components(files)
    creatives, wrong = read_creatives(files)
    translations = read_translations(files)
    found = problems + broken + wrong
    for problem in _problems(creatives, components, translations):
        # A component that could not be read has been named already.
        if not (broken and problem.code == "unknown_component"):
            found.append(problem)
    if found:
        raise LibraryError(found, place=place)
    return Library(tuple(creatives), tuple(components), tuple(translations))


def _problems(
    creatives: Sequence[Creative], components: Sequence[Component], translations: Sequence[Translation]
) -> Iterator[LabfactoryError]:
    wrong = [problem for translation in translations for problem in translation.problems()]
    yield from wrong
    spoken = [] if wrong else [f"the translations for {one.locale}" for one in translations]
    names = Counter([*(one.name for one in creatives), *(one.path for one in components), *spoken])
    for name, times in names.items():
        if times > 1:
            yield ContentError(f"expected {name!r} once, found it {times} times", code="duplicate_name")
    for component in components:
        yield from component.problems()
    yield from _shared_problems(creatives)
    for creative in creatives:
        yield from creative.problems(components)


def _shared_problems(creatives: Iterable[Creative]) -> Iterator[LabfactoryError]:
    """What is wrong with the templates that creatives share, each told once and read under each options."""
    told: set[str] = set()
    read: set[tuple[str, str]] = set()
    for creative in creatives:
        loader, options = creative.environment.loader, str(creative.environment.to_dict())
        for name, source in loader.items() if isinstance(loader, Mapping) else ():
            if name in told or (name, options) in read:
                continue
            read.add((name, options))
            if problems := list(_problems_of_shared(name, source, creative.environment)):
                told.add(name)
                yield from problems


def _problems_of_shared(name: str, source: str, environment: Environment) -> Iterator[LabfactoryError]:
    template = f"{SHARED_FOLDER}/{name}"
    try:
        environment.from_string(source, name=template)
    except CompileError as error:
        yield error
        return
    yield from missing_problems(source, environment, template)
