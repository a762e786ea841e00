"""The files of a library: creatives and components read from them and written to them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from labfactory.base.errors import CompileError, ContentError, LabfactoryError
from labfactory.base.toml import TomlPositions
from labfactory.compiler import Environment
from labfactory.content.channel import channel
from labfactory.content.component import Component
from labfactory.content.creative import COMPONENTS_FOLDER, SHARED_FOLDER, Creative, structure_problems
from labfactory.content.declaration import (
    ComponentDeclaration,
    CreativeDeclaration,
    EnvironmentTable,
    read_declaration,
    write_declaration,
)
from labfactory.content.translation import TRANSLATIONS_FOLDER, Translation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A template above this is no template: the largest of 897 public ones has 43 KB.
_FILE_BYTES = 1 << 20
_TEMPLATE_SUFFIX = ".j2"

Declaration = TypeVar("Declaration", CreativeDeclaration, ComponentDeclaration)


def read_folder(folder: str | Path) -> tuple[dict[str, bytes], list[LabfactoryError]]:
    """The bytes of a library's files; hidden files and `.md` files are no content and stay unread.

    Args:
        folder: The library's folder.

    Returns:
        Bytes by relative POSIX path, and a problem (`file_size`) for each file too large for a template.

    Raises:
        ContentError: `missing_folder`, when there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        message = f"expected the folder of a library, found none at {str(folder)!r}"
        raise ContentError(message, code="missing_folder")
    files: dict[str, bytes] = {}
    problems: list[LabfactoryError] = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if not path.is_file() or path.suffix == ".md" or any(name.startswith(".") for name in relative.parts):
            continue
        if path.stat().st_size > _FILE_BYTES:
            message = f"expected a file of at most {_FILE_BYTES} bytes, found {path.stat().st_size}"
            problems.append(ContentError(message, code="file_size", template=relative.as_posix()))
        else:
            files[relative.as_posix()] = path.read_bytes()
    return files, problems


def read_components(files: Mapping[str, bytes]) -> tuple[list[Component], list[LabfactoryError]]:
    """The components among a library's files, and what is wrong with the others.

    Args:
        files: Bytes by relative POSIX path; what is no component is passed over.

    Returns:
        The components that could be read, and the problems of those that could not.
    """
    components: list[Component] = []
    problems: list[LabfactoryError] = []
    for folder, texts in _folders(files, problems, of_components=True).items():
        declaration, parts = _declared(ComponentDeclaration, folder, "component.toml", texts, problems)
        if declaration is None:
            continue
        _, slot, name = folder.split("/")
        try:
            components.append(
                Component(
                    slot=slot,
                    name=name,
                    parts=parts,
                    tags=tuple(declaration.tags),
                    locale=declaration.locale,
                    eligible=declaration.eligible,
                )
            )
        except ContentError as problem:
            problem.template = f"{folder}/component.toml"
            problems.append(problem)
    return components, problems


def read_creatives(files: Mapping[str, bytes]) -> tuple[list[Creative], list[LabfactoryError]]:
    """The creatives among a library's files, and what is wrong with the others.

    Args:
        files: Bytes by relative POSIX path; components are passed over.

    Returns:
        The creatives that could be read, and the problems of those that could not.
    """
    creatives: list[Creative] = []
    problems: list[LabfactoryError] = []
    shared = _shared(files, problems)
    for folder, texts in _folders(files, problems, of_components=False).items():
        source = texts.get("creative.toml")
        declaration, parts = _declared(CreativeDeclaration, folder, "creative.toml", texts, problems)
        if declaration is None or source is None:
            problems += _broken_templates(folder, parts, _environment_alone(source, shared))
            continue
        environment = None
        try:
            environment = _environment(declaration.environment, shared)
            its_channel = channel(declaration.channel)
        except LabfactoryError as problem:
            problem.template, problem.source = f"{folder}/creative.toml", source
            key = "channel" if problem.code == "unknown_channel" else "environment"
            at = TomlPositions(source).of([key])
            problem.line = None if at is None else at.line
            problems += [problem, *_broken_templates(folder, parts, environment)]
            continue
        if wrong := list(structure_problems(folder, its_channel, parts, declaration.slots)):
            problems += [*wrong, *_broken_templates(folder, parts, environment)]
            continue
        creatives.append(
            Creative(
                name=folder,
                channel=its_channel,
                parts=parts,
                slots=declaration.slots,
                environment=environment,
                tags=tuple(declaration.tags),
                locale=declaration.locale,
                locale_column=declaration.locale_column,
                optional=tuple(declaration.optional),
                needs=declaration.needs,
            )
        )
    return creatives, problems


def read_translations(files: Mapping[str, bytes]) -> list[Translation]:
    """The catalogues among a library's files."""
    prefix = f"{TRANSLATIONS_FOLDER}/"
    return [
        Translation(path.removeprefix(prefix), content)
        for path, content in sorted(files.items())
        if path.startswith(prefix)
    ]


def write_component(component: Component) -> dict[str, bytes]:
    """The files of a component: canonical TOML, and its template sources as they are."""
    values = {"tags": component.tags, "locale": component.locale, "eligible": component.eligible}
    return {component.declaration: write_declaration(values), **_templates(component.path, component.parts)}


def write_creative(creative: Creative) -> dict[str, bytes]:
    """The files of a creative: canonical TOML, and its template sources as they are."""
    usual = Environment()
    options = {
        name: dict(value) if isinstance(value, Mapping) else value
        for name in EnvironmentTable.model_fields
        if (value := getattr(creative.environment, name)) != getattr(usual, name)
    }
    values = {
        "channel": creative.channel.name,
        "tags": creative.tags,
        "locale": creative.locale,
        "locale_column": creative.locale_column,
        "optional": creative.optional,
        "environment": options,
        "needs": dict(creative.needs),
        "slots": dict(creative.slots),
    }
    return {creative.declaration: write_declaration(values), **_templates(creative.name, creative.parts)}


def write_shared(creatives: Iterable[Creative]) -> dict[str, bytes]:
    """The files of the templates that creatives share."""
    loaders = (creative.environment.loader for creative in creatives)
    return {
        f"{SHARED_FOLDER}/{name}": source.encode()
        for loader in loaders
        if isinstance(loader, Mapping)
        for name, source in loader.items()
    }


def _templates(folder: str, parts: Mapping[str, str]) -> dict[str, bytes]:
    return {f"{folder}/{part}{_TEMPLATE_SUFFIX}": source.encode() for part, source in parts.items()}


def _folders(
    files: Mapping[str, bytes], problems: list[LabfactoryError], *, of_components: bool
) -> dict[str, dict[str, str]]:
    """The texts of each creative's or component's folder by file name; a file elsewhere is a problem."""
    folders: dict[str, dict[str, str]] = {}
    for path, content in sorted(files.items()):
        *above, name = path.split("/")
        if above[:1] in ([SHARED_FOLDER], [TRANSLATIONS_FOLDER]):
            continue
        if (above[:1] == [COMPONENTS_FOLDER]) != of_components:
            continue
        expected = "components/<slot>/<component>" if of_components else "<concept>/<variant>"
        if len(above) != expected.count("/") + 1:
            message = f"expected every file in a folder {expected}, found one in {'/'.join(above) or '.'!r}"
            problems.append(ContentError(message, code="unknown_file", template=path))
            continue
        folders.setdefault("/".join(above), {})[name] = _text(path, content, problems)
    return folders


def _shared(files: Mapping[str, bytes], problems: list[LabfactoryError]) -> dict[str, str]:
    """The templates that all others may extend, include and import, by their path in the shared folder."""
    return {
        path.removeprefix(f"{SHARED_FOLDER}/"): _text(path, content, problems)
        for path, content in sorted(files.items())
        if path.startswith(f"{SHARED_FOLDER}/")
    }


def _environment(table: EnvironmentTable, shared: Mapping[str, str]) -> Environment:
    options = {**table.model_dump(), "extensions": tuple(table.extensions), "loader": shared or None}
    return Environment(**options)


def _environment_alone(source: str | None, shared: Mapping[str, str]) -> Environment | None:
    """The options of a declaration that something else is wrong with; None where they cannot be known."""
    try:
        table = EnvironmentTable.model_validate(tomllib.loads(source or "environment").get("environment", {}))
        return _environment(table, shared)
    except (ValueError, RecursionError, LabfactoryError):
        return None


def _broken_templates(
    folder: str, parts: Mapping[str, str], environment: Environment | None
) -> Iterator[CompileError]:
    """What Jinja2 refuses in the templates of a creative that cannot be made; nothing without its options."""
    if environment is None:
        return
    for part, source in sorted(parts.items()):
        try:
            environment.from_string(source, name=f"{folder}/{part}{_TEMPLATE_SUFFIX}")
        except CompileError as error:
            yield error


def _text(path: str, content: bytes, problems: list[LabfactoryError]) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, found the byte 0x{content[error.start]:02x} at offset {error.start}"
        problems.append(ContentError(message, code="encoding", template=path))
        # The file still counts as present, so that one wrong byte is one problem.
        return content.decode(errors="replace")


def _declared(
    kind: type[Declaration], folder: str, name: str, texts: Mapping[str, str], problems: list[LabfactoryError]
) -> tuple[Declaration | None, dict[str, str]]:
    parts: dict[str, str] = {
        file.removesuffix(_TEMPLATE_SUFFIX): text
        for file, text in texts.items()
        if file.endswith(_TEMPLATE_SUFFIX)
    }
    for file in sorted(set(texts) - {name, *(f"{part}{_TEMPLATE_SUFFIX}" for part in parts)}):
        message = f"expected {name} and one <part>{_TEMPLATE_SUFFIX} per part, found {file!r}"
        problems.append(ContentError(message, code="unknown_file", template=f"{folder}/{file}"))
    if name not in texts:
        message = f"expected {name} beside the templates, found none"
        problems.append(ContentError(message, code="missing_file", template=f"{folder}/{name}"))
        return None, parts
    declaration = read_declaration(kind, texts[name], path=f"{folder}/{name}")
    if isinstance(declaration, list):
        problems += declaration
        return None, parts
    return declaration, parts
