"""The file of a host: which modules' functions, which locales' and which tables it gives."""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from labfactory.base.canonical import sha256_hex
from labfactory.base.errors import UsageError, nearest
from labfactory.base.files import unreadable
from labfactory.base.settings import Settings, read_bounded, settings_from
from labfactory.compiler import Functions, Table

_ARROW_FILES = (".arrow", ".feather")
_ATTRIBUTE = "functions"

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class HostFunctions(Settings):
    """Functions that a module gives.

    Attributes:
        module: A file that ends in `.py`, or a module that Python can import; behind a colon the attribute
            that is an `lf.Functions`, `functions` where none is named.
        sha256: The digest of the module's file: another file is not run.
        version: What the module's `__version__` must be; None for no such demand.
        folder: Where files are relative to.
    """

    module: Annotated[str, Field(min_length=1)]
    sha256: Digest
    version: str | None = None
    folder: str = Field(default=".", exclude=True)

    @property
    def place(self) -> str:
        """The module without the attribute."""
        return self.module.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The attribute that holds the functions."""
        return self.module.partition(":")[2] or _ATTRIBUTE


class HostLocale(Settings):
    """How the standard functions of a locale write.

    Attributes:
        currency: What `money` writes unless it is told another: an ISO 4217 code.
        zone: The zone in which `time` and `datetime` tell moments.
    """

    currency: str | None = None
    zone: str = "UTC"


class HostTable(Settings):
    """A catalogue.

    Attributes:
        path: A Parquet, CSV or Arrow file.
        key: Its key column.
        on: The customers' column that holds the key; of the key's name where none is given.
        missing: What becomes of customers whose key is not in it, as `lf.Table` takes it.
    """

    path: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    on: str | None = None
    missing: Literal["null", "skip"] = "null"


class HostFile(Settings):
    """What a host's file says.

    Attributes:
        functions: Modules, under names of the operator's own.
        locales: Locales as creatives name theirs, such as `de_DE`.
        tables: Catalogues by the names that templates know them by.
    """

    functions: dict[str, HostFunctions] = Field(default_factory=dict)
    locales: dict[str, HostLocale] = Field(default_factory=dict)
    tables: dict[Name, HostTable] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str) -> HostFile:
        """Read a host's file; relative paths are resolved against its folder.

        Raises:
            UsageError: `file_unreadable`; `settings` lists every fault with its place.
        """
        file = settings_from(cls, read_bounded(path), name=str(path))
        folder = Path(path).parent
        placed = {
            name: one.model_copy(update={"folder": str(folder)}) for name, one in file.functions.items()
        }
        return file.model_copy(update={"functions": placed, "tables": in_folder(folder, file.tables)})


def in_folder(folder: Path, tables: dict[str, HostTable]) -> dict[str, HostTable]:
    """Tables with their paths resolved against the folder of the file that names them."""
    return {name: one.model_copy(update={"path": str(folder / one.path)}) for name, one in tables.items()}


def read_table(table: HostTable) -> Table:
    """Read a catalogue.

    Raises:
        SourceError: `source_unreadable`.
        UsageError: `table_key`.
    """
    path = Path(table.path)
    data = _arrow_table(path) if path.suffix.lower() in _ARROW_FILES else path
    return Table(data, table.key, on=table.on, missing=table.missing)


def _arrow_table(path: Path) -> pa.Table:
    try:
        with pa.OSFile(str(path)) as file:
            return pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowException) as problem:
        raise unreadable(path, problem) from problem


def read_functions(declared: HostFunctions) -> tuple[Functions, dict[str, str]]:
    """Run a module, if it is the one whose digest is declared, and take its functions.

    The file is read once: what runs is what has the digest. What the module imports in its turn is the
    installation's, for which its keeper answers.

    Returns:
        The functions, and their origin: `module`, `sha256` and, where declared, `version`.

    Raises:
        UsageError: `host_module` when there is no such module, it fails, or its attribute is no
            `lf.Functions`; `host_changed` for another digest or version.
    """
    path = _path_of(declared)
    try:
        source = path.read_bytes()
    except OSError as error:
        message = f"expected a module at {path}, found: {error.strerror}"
        raise UsageError(message, code="host_module") from None
    digest = sha256_hex(source)
    if digest != declared.sha256:
        message = f"expected {declared.place} of sha256:{declared.sha256}, found sha256:{digest}"
        hint = "look at what has changed, then write its digest into the host's file."
        raise UsageError(message, code="host_changed", hint=hint)
    module = _run(source, path, digest, declared)
    found = getattr(module, declared.attribute, None)
    if not isinstance(found, Functions):
        message = (
            f"expected {declared.attribute!r} of {declared.place} to be lf.Functions, "
            f"found {'none' if found is None else type(found).__name__}"
        )
        ours = [name for name, value in vars(module).items() if isinstance(value, Functions)]
        raise UsageError(message, code="host_module", hint=nearest(declared.attribute, ours))
    version = getattr(module, "__version__", None)
    if declared.version is not None and version != declared.version:
        message = f"expected {declared.place} of version {declared.version}, found {version}"
        raise UsageError(message, code="host_changed")
    return found, declared.model_dump(exclude_none=True)


def _path_of(declared: HostFunctions) -> Path:
    """The module's file; no module is imported to find it."""
    if declared.place.endswith(".py"):
        return Path(declared.folder) / declared.place
    folders: list[str] | None = None
    name = ""
    for step in declared.place.split("."):
        name = f"{name}.{step}" if name else step
        spec = importlib.machinery.PathFinder.find_spec(name, folders)
        if spec is None:
            message = f"expected a module {declared.place!r} that Python can import, found none"
            raise UsageError(message, code="host_module", hint="a file's name ends in .py.")
        folders = list(spec.submodule_search_locations or ())
        origin = spec.origin
    if origin is None or not origin.endswith(".py"):
        message = (
            f"expected the module {declared.place!r} to be a file of Python, found {origin or 'a folder'}"
        )
        raise UsageError(message, code="host_module")
    return Path(origin)


def _run(source: bytes, path: Path, digest: str, declared: HostFunctions) -> ModuleType:
    name = f"labfactory_host_{digest[:16]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    if not declared.place.endswith(".py"):
        module.__package__ = declared.place.rpartition(".")[0]
    # Dataclasses and the like look their module up by name.
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102 - the operator's own code, of the digest that they approved
    except Exception as error:
        del sys.modules[name]
        message = f"expected {declared.place} to run, found {type(error).__name__}: {error}"
        raise UsageError(message, code="host_module") from error
    return module
