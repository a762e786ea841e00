"""The rules that finished assets must fulfil, as a file says them and as the core judges them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from labfactory._core import audit as core
from labfactory.audit.findings import Findings
from labfactory.base.errors import ContentError, nearest

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence


# RFC 3986, section 3.1.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


@dataclass(frozen=True)
class Rule:
    """One demand on one part of every asset.

    Args:
        kind: What is demanded; docs/audit.md lists the kinds with the options that each takes.
        part: The part of the asset; ``asset`` for a lone template.
        text: What must, or must not, be in the part, or in a link of it.
        ignore_case: Whether ASCII letters match in either case.
        limit_bytes: The most or the fewest bytes of UTF-8.
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
    schemes: tuple[str, ...] = field(default=(), kw_only=True)
    allow_relative: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            message = f"unknown kind of audit rule {self.kind!r}"
            raise ContentError(message, code="audit_rule", hint=nearest(self.kind, _KINDS))
        kind = _KINDS[self.kind]
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
        if self.limit_bytes < 0:
            message = f"limit_bytes == {self.limit_bytes}, must be > 0"
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
        return f"{self.part} {_KINDS[self.kind].reason(self)}"

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
class AuditRules:
    """All demands on the assets of one creative, in the order in which they are told.

    Args:
        rules: The rules; of the ones that a row breaks, the first is the one it carries into quarantine.

    Example:
        >>> AuditRules.standard("sms")
        AuditRules: 3 rules over text
    """

    rules: tuple[Rule, ...]

    @classmethod
    def standard(cls, channel: str, *, parts: Sequence[str] | None = None) -> Self:
        """Sensible rules for a channel.

        Args:
            channel: email, sms, push, web or svg.
            parts: The parts that the creative has; all of the channel when None.

        Raises:
            ContentError: ``unknown_channel``.

        References:
            Gmail clips a message above 102 KB of HTML, and with it the link to opt out, which 15 U.S.C.
            7704(a)(3) and Directive 2002/58/EC, article 13, ask for.
        """
        if channel not in _STANDARD:
            message = f"unknown channel {channel!r}, no standard audit rules"
            raise ContentError(message, code="unknown_channel", hint=nearest(channel, _STANDARD))
        return cls(tuple(rule for rule in _STANDARD[channel] if parts is None or rule.part in parts))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The rules of a TOML file: tables ``[[rules]]``.

        Raises:
            ContentError: ``audit_rule``, with the file's name.
        """
        try:
            return cls.from_dict(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except ContentError as error:
            error.template = str(path)
            raise
        except (OSError, ValueError) as problem:
            message = f"cannot read the audit rules: {problem}"
            raise ContentError(message, code="audit_rule", template=str(path)) from problem

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> Self:
        """The rules of ``{"rules": [...]}``.

        Raises:
            ContentError: ``audit_rule``.
        """
        unknown = [key for key in tables if key != "rules"]
        if unknown:
            message = f"unknown key {unknown[0]!r} beside the audit rules"
            raise ContentError(message, code="audit_rule", hint=nearest(unknown[0], ["rules"]))
        listed = tables.get("rules", [])
        if not isinstance(listed, list) or not all(isinstance(table, dict) for table in listed):
            message = "expected audit rules as tables [[rules]]"
            raise ContentError(message, code="audit_rule")
        return cls(tuple(Rule.from_dict(table) for table in listed))

    def to_dict(self) -> dict[str, Any]:
        """The rules as ``{"rules": [...]}``, which ``from_dict`` reads back equal."""
        return {"rules": [rule.to_dict() for rule in self.rules]}

    def audit_batch(self, batch: object, *, threads: int = 1) -> Findings:
        """Judge every row of an assembled batch by every rule.

        Args:
            batch: A record batch with the struct ``parts`` or the column ``asset``, of text; rows whose
                ``status`` is not ok are passed over, a null part is empty text.
            threads: Threads that share the rows; the findings are the same for any number.

        Returns:
            What was found, by row and by rule.

        Raises:
            ContentError: ``audit_part``, when a rule is about a part that the assets do not have.
            SourceError: ``column_type``, when a part is not text.

        Example:
            >>> assets = pa.record_batch({"asset": ["Hi Ann", "Hi {{ name }}"]})
            >>> AuditRules((Rule("no_delimiters", "asset"),)).audit_batch(assets)
            1 of 2 assets refused
                    1  asset has a template delimiter left
        """
        auditor = core.Auditor(
            [
                (r.kind, r.part, r.text, r.ignore_case, r.limit_bytes, r.schemes, r.allow_relative)
                for r in self.rules
            ]
        )
        rule, broken, audited = auditor.audit(batch, threads)
        return Findings(self.rules, pa.array(rule), tuple(broken), audited)

    def __repr__(self) -> str:
        parts = ", ".join(dict.fromkeys(rule.part for rule in self.rules)) or "nothing"
        return f"AuditRules: {len(self.rules)} rules over {parts}"


@dataclass(frozen=True)
class _Kind:
    """How a kind of rule is written, and what it says of a row that breaks it."""

    reason: Callable[[Rule], str]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


_KINDS = {
    "required_text": _Kind(lambda rule: f"lacks {rule.text!r}", needs=("text",), takes=("ignore_case",)),
    "forbidden_text": _Kind(lambda rule: f"holds {rule.text!r}", needs=("text",), takes=("ignore_case",)),
    "max_bytes": _Kind(lambda rule: f"is longer than {rule.limit_bytes:,} bytes", needs=("limit_bytes",)),
    "min_bytes": _Kind(
        lambda rule: "is empty" if rule.limit_bytes == 1 else f"is shorter than {rule.limit_bytes:,} bytes",
        needs=("limit_bytes",),
    ),
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


# 100 KiB, below the 102 KB at which Gmail clips: headers and tracking are added on the way.
_CLIPPED_BYTES = 102_400
# Ten joined segments of 153 characters in the GSM 7-bit alphabet (3GPP TS 23.040, section 9.2.3.24.1).
_SMS_BYTES = 1530
_CLICKABLE = ("https", "mailto", "tel")


def _filled(part: str) -> tuple[Rule, ...]:
    return (Rule("min_bytes", part, limit_bytes=1), Rule("no_delimiters", part))


def _header(part: str) -> tuple[Rule, ...]:
    return (*_filled(part), Rule("single_line", part))


_STANDARD: dict[str, tuple[Rule, ...]] = {
    "email": (
        *_header("subject"),
        Rule("no_delimiters", "preheader"),
        Rule("single_line", "preheader"),
        *_filled("html"),
        Rule("max_bytes", "html", limit_bytes=_CLIPPED_BYTES),
        Rule("link_schemes", "html", schemes=_CLICKABLE),
        Rule("no_empty_links", "html"),
        Rule("required_link", "html", text="unsubscribe", ignore_case=True),
        *_filled("text"),
        Rule("required_text", "text", text="unsubscribe", ignore_case=True),
    ),
    "sms": (*_filled("text"), Rule("max_bytes", "text", limit_bytes=_SMS_BYTES)),
    "push": (*_header("title"), *_filled("body")),
    "web": (
        *_filled("html"),
        Rule("link_schemes", "html", schemes=_CLICKABLE, allow_relative=True),
        Rule("no_empty_links", "html"),
    ),
    "svg": (*_filled("svg"), Rule("link_schemes", "svg", schemes=("https", "data"), allow_relative=True)),
}
