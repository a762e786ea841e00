"""The environment: how templates are read, with Jinja2's own option names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import jinja2

from labfactory.base.errors import CompileError, UsageError, nearest
from labfactory.compiler.skip import SkipTag

if TYPE_CHECKING:
    from labfactory.compiler.template import Template

Undefined = Literal["error", "default", "strict", "chainable"]

UNDEFINED_CLASSES: dict[str, type[jinja2.Undefined]] = {
    "error": jinja2.StrictUndefined,
    "default": jinja2.Undefined,
    "strict": jinja2.StrictUndefined,
    "chainable": jinja2.ChainableUndefined,
}
EXTENSIONS = ("jinja2.ext.do", "jinja2.ext.i18n", "jinja2.ext.loopcontrols")
# The names of Jinja2's classes mean the same.
_CLASSES = {
    "jinja2.ext.ExprStmtExtension": "jinja2.ext.do",
    "jinja2.ext.InternationalizationExtension": "jinja2.ext.i18n",
    "jinja2.ext.LoopControlExtension": "jinja2.ext.loopcontrols",
}
_FLAGS = ("autoescape", "trim_blocks", "lstrip_blocks", "keep_trailing_newline")
_TRIMMED = "ext.i18n.trimmed"
_DELIMITERS = {
    "block_start_string": "{%",
    "block_end_string": "%}",
    "variable_start_string": "{{",
    "variable_end_string": "}}",
    "comment_start_string": "{#",
    "comment_end_string": "#}",
}
_PREFIXES = ("line_statement_prefix", "line_comment_prefix")

_Jinja = TypeVar("_Jinja", bound=jinja2.Environment)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """How templates are read: Jinja2's options by Jinja2's names, and its defaults save `undefined`.

    The tag `{% skip 'reason' %}` is always there.

    Args:
        block_start_string: What opens a tag.
        block_end_string: What closes a tag.
        variable_start_string: What opens an expression that is printed.
        variable_end_string: What closes it.
        comment_start_string: What opens a comment.
        comment_end_string: What closes it.
        line_statement_prefix: What makes a line a tag; None for no such lines.
        line_comment_prefix: What makes the rest of a line a comment; None for no such comments.
        trim_blocks: Whether the first line break behind a block is removed.
        lstrip_blocks: Whether white space before a block is removed from the start of its line.
        newline_sequence: What line breaks of a source become.
        keep_trailing_newline: Whether the line break that ends a source is kept.
        extensions: Names of Jinja2's extensions: `jinja2.ext.do`, `jinja2.ext.i18n` and
            `jinja2.ext.loopcontrols`.
        undefined: What an unknown name is. "error": compiling fails, unless the column is declared optional.
            "default", "strict" and "chainable": what Jinja2's class of that name makes of it.
        finalize: "none_to_empty" prints nothing for None, as Jinja2's idiom
            `finalize=lambda value: "" if value is None else value` does; other functions are not covered.
        autoescape: Whether printed values are escaped for HTML.
        newstyle_gettext: Whether gettext's functions format their message themselves, as Jinja2's attribute
            of that name says.
        policies: Jinja2's policies; `ext.i18n.trimmed` alone.
        loader: Where `get_template`, `extends`, `include` and `import` find sources: a mapping from name to
            source, or a folder.

    Example:
        >>> Environment(autoescape=True).to_dict()["undefined"]
        'error'
    """

    block_start_string: str = "{%"
    block_end_string: str = "%}"
    variable_start_string: str = "{{"
    variable_end_string: str = "}}"
    comment_start_string: str = "{#"
    comment_end_string: str = "#}"
    line_statement_prefix: str | None = None
    line_comment_prefix: str | None = None
    trim_blocks: bool = False
    lstrip_blocks: bool = False
    newline_sequence: Literal["\n", "\r\n", "\r"] = "\n"
    keep_trailing_newline: bool = False
    extensions: tuple[str, ...] = ()
    undefined: Undefined = "error"
    finalize: Literal["none_to_empty"] | None = None
    autoescape: bool = False
    newstyle_gettext: bool = False
    policies: Mapping[str, object] = field(default_factory=dict)
    loader: Mapping[str, str] | Path | str | None = None

    def __post_init__(self) -> None:
        """Refuses options that no later step could honour."""
        for name in (*_FLAGS, "newstyle_gettext"):
            if not isinstance(getattr(self, name), bool):
                message = f"expected {name} to be true or false, found {getattr(self, name)!r}"
                raise UsageError(message, code="environment")
        if self.undefined not in UNDEFINED_CLASSES:
            message = f"unknown undefined mode {self.undefined!r}"
            raise UsageError(
                message, code="environment", hint=nearest(str(self.undefined), UNDEFINED_CLASSES)
            )
        object.__setattr__(self, "extensions", _extensions(self.extensions))
        self._check_delimiters()
        if self.finalize not in (None, "none_to_empty"):
            message = "a finalize function is not covered"
            hint = "finalize='none_to_empty' prints nothing for None."
            raise CompileError(message, code="refused", hint=hint)
        for name in self.policies:
            if name != _TRIMMED:
                message = f"the policy {name!r} is not covered"
                raise CompileError(message, code="refused", hint=f"{_TRIMMED} is.")

    def _check_delimiters(self) -> None:
        for name in (*_DELIMITERS, *_PREFIXES):
            given = getattr(self, name)
            wanted = isinstance(given, str) and given != ""
            if not wanted and not (given is None and name in _PREFIXES):
                message = f"expected {name} to be a text of one character or more, found {given!r}"
                raise UsageError(message, code="environment")
        starts = [getattr(self, name) for name in _DELIMITERS if "start" in name]
        if len(set(starts)) < len(starts):
            message = f"expected different starts of tags, expressions and comments, found {starts}"
            raise UsageError(message, code="environment")
        if self.newline_sequence not in ("\n", "\r\n", "\r"):
            message = f"expected newline_sequence to be a line break, found {self.newline_sequence!r}"
            raise UsageError(message, code="environment")

    @property
    def has_messages(self) -> bool:
        """Whether templates may ask for translated messages."""
        return "jinja2.ext.i18n" in self.extensions

    def from_string(self, source: str, name: str = "<template>") -> Template:
        """A template of this environment from its source."""
        from labfactory.compiler.template import Template

        return Template._in(self, source, name)

    def get_template(self, name: str) -> Template:
        """A template of this environment from its loader.

        Raises:
            UsageError: `template_not_found` when the loader has no such template or there is no loader.
        """
        source = self.source(name)
        if source is None:
            hint = nearest(name, self.templates())
            message = f"no template {name!r}"
            raise UsageError(message, code="template_not_found", hint=hint)
        return self.from_string(source, name)

    def source(self, name: str) -> str | None:
        """The source that the loader has for a name; None when it has none."""
        if self.loader is None or isinstance(self.loader, Mapping):
            return None if self.loader is None else self.loader.get(name)
        folder = Path(self.loader).resolve()
        path = (folder / name).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return None
        return path.read_bytes().decode()

    def templates(self) -> list[str]:
        """The names that the loader knows."""
        if self.loader is None or isinstance(self.loader, Mapping):
            return list(self.loader or ())
        folder = Path(self.loader).resolve()
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def to_dict(self) -> dict[str, object]:
        """The options that change what a template renders, as plain values for files and digests."""
        return {
            "autoescape": self.autoescape,
            "extensions": list(self.extensions),
            "keep_trailing_newline": self.keep_trailing_newline,
            "lstrip_blocks": self.lstrip_blocks,
            "trim_blocks": self.trim_blocks,
            "undefined": self.undefined,
            **self._unusual(),
        }

    def _unusual(self) -> dict[str, object]:
        """Options that few use: they are told where they differ from Jinja2's."""
        usual: dict[str, object] = {**_DELIMITERS, **dict.fromkeys(_PREFIXES), "newline_sequence": "\n"}
        usual |= {"newstyle_gettext": False, "policies": {}, "finalize": None}
        given = {name: getattr(self, name) for name in sorted(usual)}
        return {name: value for name, value in given.items() if value != usual[name]}

    def jinja2(self, kind: type[_Jinja] = jinja2.Environment) -> _Jinja:  # type: ignore[assignment]
        """Jinja2's environment with the same options: the oracle that every plan is held to."""
        given = {
            name: getattr(self, name) for name in (*_FLAGS, *_DELIMITERS, *_PREFIXES, "newline_sequence")
        }
        made = kind(
            **given,
            undefined=UNDEFINED_CLASSES[self.undefined],
            finalize=None if self.finalize is None else none_to_empty,
            extensions=[*self.extensions, SkipTag],
        )
        made.loader = jinja2.FunctionLoader(self.source)
        made.policies.update(self.policies)
        if self.has_messages:
            made.install_null_translations(newstyle=self.newstyle_gettext)  # type: ignore[attr-defined]
        return made


def none_to_empty(value: object) -> object:
    """What prints None as nothing."""
    return "" if value is None else value


def _extensions(given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, (tuple, list)):
        message = f"expected the names of extensions, found {given!r}"
        raise UsageError(message, code="environment")
    known = [_CLASSES.get(str(name), str(name)) for name in given]
    for name in known:
        if name not in EXTENSIONS:
            message = f"the extension {name!r} is not covered"
            raise CompileError(message, code="refused", hint=nearest(str(name), EXTENSIONS))
    return tuple(known)
