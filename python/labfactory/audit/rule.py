"""One demand on the finished assets of a part, as a file says it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from labfactory.base.errors import ContentError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# What a rule about all parts together names as its part.
EVERY_PART = "*"
# RFC 3986, section 3.1.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


@dataclass(frozen=True)
class Rule:
    """One demand on one part of every asset.

    Args:
        kind: What is demanded; docs/audit.md lists the kinds with the options that each takes.
        part: The part of the asset; ``asset`` for a lone template, ``*`` for all parts together.
        text: What must, or must not, be in the part, or in a link of it.
        ignore_case: Whether ASCII letters match in either case.
        limit_bytes: The most or the fewest bytes of UTF-8.
        limit_segments: The most messages that an SMS may take.
        schemes: The schemes that links may have.
        allow_relative: Whether links may have no scheme.

    Raises:
        ContentError: ``audit_rule``, when the kind is unknown, lacks an option or is given another's.

    Example:
        >>> Rule("max_bytes", "html", limit_bytes=102_400).reason
        'html is longer than 102,400 bytes'
    """

    kind: str
    part: str
    text: str = field(default="", kw_only=True)
    ignore_case: bool = field(default=False, kw_only=True)
    limit_bytes: int = field(default=0, kw_only=True)
    limit_segments: int = field(default=0, kw_only=True)
    schemes: tuple[str, ...] = field(default=(), kw_only=True)
    allow_relative: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            message = f"unknown kind of audit rule {self.kind!r}"
            raise ContentError(message, code="audit_rule", hint=nearest(self.kind, KINDS))
        kind = KINDS[self.kind]
        if kind.is_of_all_parts != (self.part == EVERY_PART):
            expected = repr(EVERY_PART) if kind.is_of_all_parts else "the name of a part"
            message = f"expected {expected} as the part of the audit rule {self.kind!r}, found {self.part!r}"
            raise ContentError(message, code="audit_rule")
        for option in _OPTIONS:
            is_given = getattr(self, option.name) != option.default
            if option.name in kind.needs and not is_given:
                message = (
                    f"expected {option.name!r} in the audit rule {self.kind!r} of {self.part!r}, found none"
                )
                raise ContentError(message, code="audit_rule")
            if is_given and option.name not in (*kind.needs, *kind.takes):
                message = f"the audit rule {self.kind!r} of {self.part!r} takes no {option.name!r}"
                takes = ", ".join((*kind.needs, *kind.takes)) or "no options"
                raise ContentError(message, code="audit_rule", hint=f"It takes {takes}.")
        for name in ("limit_bytes", "limit_segments"):
            if getattr(self, name) < 0:
                message = f"{name} == {getattr(self, name)}, must be > 0"
                raise ContentError(message, code="audit_rule")
        for scheme in self.schemes:
            if not _SCHEME.fullmatch(scheme):
                message = f"expected a scheme of letters, found {scheme!r}"
                raise ContentError(message, code="audit_rule", hint="Write 'https', without a colon.")

    @property
    def code(self) -> str:
        """The code that a refused row carries into quarantine."""
        return f"audit_{self.kind}"

    @property
    def reason(self) -> str:
        """What is wrong with a row that breaks the rule."""
        about = "the parts together" if self.part == EVERY_PART else self.part
        return f"{about} {KINDS[self.kind].reason(self)}"

    def to_dict(self) -> dict[str, Any]:
        """The rule as a table of a TOML file; options that have their default are left out."""
        options = {option.name: getattr(self, option.name) for option in _OPTIONS}
        given = {
            option.name: options[option.name] for option in _OPTIONS if options[option.name] != option.default
        }
        return {
            "part": self.part,
            "kind": self.kind,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in given.items()},
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Self:
        """The rule that a table of a TOML file describes.

        Raises:
            ContentError: ``audit_rule``, for an unknown key, a missing one or a value of another type.
        """
        types = {"part": str, "kind": str, **{option.name: type(option.default) for option in _OPTIONS}}
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in types:
                message = f"unknown key {key!r} in an audit rule"
                raise ContentError(message, code="audit_rule", hint=nearest(key, types))
            values[key] = _typed(key, value, types[key])
        for key in ("part", "kind"):
            if key not in values:
                message = (
                    f"expected {key!r} in an audit rule, found {', '.join(map(repr, values)) or 'nothing'}"
                )
                raise ContentError(message, code="audit_rule")
        return cls(**values)


@dataclass(frozen=True)
class _Kind:
    """How a kind of rule is written, and what it says of a row that breaks it."""

    reason: Callable[[Rule], str]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    is_of_all_parts: bool = False


KINDS = {
    "required_text": _Kind(lambda rule: f"lacks {rule.text!r}", needs=("text",), takes=("ignore_case",)),
    "forbidden_text": _Kind(lambda rule: f"holds {rule.text!r}", needs=("text",), takes=("ignore_case",)),
    "max_bytes": _Kind(lambda rule: f"is longer than {rule.limit_bytes:,} bytes", needs=("limit_bytes",)),
    "min_bytes": _Kind(
        lambda rule: "is empty" if rule.limit_bytes == 1 else f"is shorter than {rule.limit_bytes:,} bytes",
        needs=("limit_bytes",),
    ),
    "max_json_bytes": _Kind(
        lambda rule: f"is longer than {rule.limit_bytes:,} bytes of JSON", needs=("limit_bytes",)
    ),
    "max_segments": _Kind(
        lambda rule: f"needs more than {rule.limit_segments:,} SMS segments", needs=("limit_segments",)
    ),
    "no_controls": _Kind(lambda _: "has a control character"),
    "single_line": _Kind(lambda _: "has a line break"),
    "no_delimiters": _Kind(lambda _: "has a template delimiter left"),
    "link_schemes": _Kind(
        lambda rule: f"has a link that is not {' or '.join(rule.schemes)}",
        needs=("schemes",),
        takes=("allow_relative",),
    ),
    "no_empty_links": _Kind(lambda _: "has an empty link"),
    "required_link": _Kind(
        lambda rule: f"lacks a link with {rule.text!r}", needs=("text",), takes=("ignore_case",)
    ),
    "max_payload_bytes": _Kind(
        lambda rule: f"take more than {rule.limit_bytes:,} bytes of JSON",
        needs=("limit_bytes",),
        is_of_all_parts=True,
    ),
}

_OPTIONS = tuple(option for option in fields(Rule) if option.name not in {"kind", "part"})


def _typed(key: str, value: object, kind: type) -> object:
    if kind is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    # A bool is an int to Python, but not to TOML.
    if type(value) is kind and kind is not tuple:
        return value
    expected = "a list of text" if kind is tuple else kind.__name__
    message = f"expected {expected} for {key!r} in an audit rule, found {value!r}"
    raise ContentError(message, code="audit_rule")
