"""The environment: how templates are read, with Jinja2's own option names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import jinja2

from labfactory.base.errors import CompileError, UsageError, nearest

if TYPE_CHECKING:
    from labfactory.compiler.template import Template

Undefined = Literal["error", "default", "strict", "chainable"]

UNDEFINED_CLASSES: dict[str, type[jinja2.Undefined]] = {
    "error": jinja2.StrictUndefined,
    "default": jinja2.Undefined,
    "strict": jinja2.StrictUndefined,
    "chainable": jinja2.ChainableUndefined,
}

_Jinja = TypeVar("_Jinja", bound=jinja2.Environment)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """How templates are read: Jinja2's options by Jinja2's names, and its defaults save `undefined`.

    Args:
        autoescape: Whether printed values are escaped for HTML.
        trim_blocks: Whether the first line break behind a block is removed.
        lstrip_blocks: Whether white space before a block is removed from the start of its line.
        keep_trailing_newline: Whether the line break that ends a source is kept.
        extensions: Names of Jinja2 extensions; this version knows none.
        loader: Where `get_template` finds sources: a mapping from name to source, or a folder.
        undefined: What an unknown name is. "error": compiling fails, unless the column is declared optional.
            "default", "strict" and "chainable": what Jinja2's class of that name makes of it.

    Example:
        >>> Environment(autoescape=True).to_dict()["undefined"]
        'error'
    """

    autoescape: bool = False
    trim_blocks: bool = False
    lstrip_blocks: bool = False
    keep_trailing_newline: bool = False
    extensions: tuple[str, ...] = ()
    loader: Mapping[str, str] | Path | str | None = None
    undefined: Undefined = "error"

    def __post_init__(self) -> None:
        """Refuses options that no later step could honour."""
        for name in ("autoescape", "trim_blocks", "lstrip_blocks", "keep_trailing_newline"):
            if not isinstance(getattr(self, name), bool):
                message = f"expected {name} to be true or false, found {getattr(self, name)!r}"
                raise UsageError(message, code="environment")
        if self.undefined not in UNDEFINED_CLASSES:
            message = f"unknown undefined mode {self.undefined!r}"
            raise UsageError(
                message, code="environment", hint=nearest(str(self.undefined), UNDEFINED_CLASSES)
            )
        object.__setattr__(self, "extensions", tuple(self.extensions))
        if self.extensions:
            message = f"expected no extensions in this version, found {', '.join(map(repr, self.extensions))}"
            raise CompileError(message, code="refused")

    def from_string(self, source: str, name: str = "<template>") -> Template:
        """A template of this environment from its source."""
        from labfactory.compiler.template import Template

        return Template._in(self, source, name)

    def get_template(self, name: str) -> Template:
        """A template of this environment from its loader.

        Raises:
            UsageError: `template_not_found` when the loader has no such template or there is no loader.
        """
        return self.from_string(self._load(name), name)

    def _load(self, name: str) -> str:
        if isinstance(self.loader, Mapping):
            if name in self.loader:
                return self.loader[name]
            raise _not_found(name, list(self.loader))
        if self.loader is None:
            raise _not_found(name, [])
        folder = Path(self.loader).resolve()
        path = (folder / name).resolve()
        known = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        if not path.is_relative_to(folder) or not path.is_file():
            raise _not_found(name, known)
        return path.read_bytes().decode()

    def to_dict(self) -> dict[str, object]:
        """The options that change what a template renders, as plain values for files and digests."""
        return {
            "autoescape": self.autoescape,
            "extensions": list(self.extensions),
            "keep_trailing_newline": self.keep_trailing_newline,
            "lstrip_blocks": self.lstrip_blocks,
            "trim_blocks": self.trim_blocks,
            "undefined": self.undefined,
        }

    def jinja2(self, kind: type[_Jinja] = jinja2.Environment) -> _Jinja:  # type: ignore[assignment]
        """Jinja2's environment with the same options: the oracle that every plan is held to."""
        return kind(
            autoescape=self.autoescape,
            trim_blocks=self.trim_blocks,
            lstrip_blocks=self.lstrip_blocks,
            keep_trailing_newline=self.keep_trailing_newline,
            undefined=UNDEFINED_CLASSES[self.undefined],
        )


def _not_found(name: str, known: list[str]) -> UsageError:
    return UsageError(f"no template {name!r}", code="template_not_found", hint=nearest(name, known))
