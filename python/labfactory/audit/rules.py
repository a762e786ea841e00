"""The rules that finished assets must fulfil, as a file lists them and as the core judges them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from labfactory._core import audit as core
from labfactory.audit.findings import Findings
from labfactory.audit.rule import EVERY_PART, Rule
from labfactory.audit.standard import STANDARD, demands
from labfactory.base.errors import ContentError, nearest

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from labfactory.content import Creative


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
        if channel not in STANDARD:
            message = f"unknown channel {channel!r}, no standard audit rules"
            raise ContentError(message, code="unknown_channel", hint=nearest(channel, STANDARD))
        wanted = None if parts is None else {EVERY_PART, *parts}
        return cls(tuple(rule for rule in STANDARD[channel] if wanted is None or rule.part in wanted))

    @classmethod
    def demanded(cls, creative: Creative) -> Self:
        """What a creative's channel demands of every asset: a Factory never asks for less.

        Args:
            creative: The creative; rules are about the parts that it has.

        Example:
            >>> from labfactory.content import Creative, channel
            >>> hello = Creative(name="hello/short", channel=channel("sms"), parts={"text": "Hi {{ name }}"})
            >>> customers = pa.record_batch({"name": ["Ann", "Ann " * 400]})
            >>> assets = hello.compile(customers.schema).assemble(customers)
            >>> AuditRules.demanded(hello).audit_batch(assets)
            1 of 2 assets refused
                    1  text needs more than 10 SMS segments
        """
        return cls(tuple(demands(creative.channel, creative.parts)))

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
        """Judge every row of an assembled batch or table by every rule.

        Args:
            batch: A record batch or table with the struct ``parts`` or the column ``asset``, of text; rows
                whose ``status`` is not ok are passed over, a null part is empty text.
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
                (
                    rule.kind,
                    rule.part,
                    rule.text,
                    rule.ignore_case,
                    rule.limit_bytes or rule.limit_segments,
                    rule.schemes,
                    rule.allow_relative,
                )
                for rule in self.rules
            ]
        )
        batches = [batch] if not isinstance(batch, pa.Table) else batch.to_batches() or [_empty(batch)]
        found = [auditor.audit(one, threads) for one in batches]
        rule = pa.concat_arrays([pa.array(first) for first, _, _ in found])
        broken = [sum(counts) for counts in zip(*(counts for _, counts, _ in found), strict=True)]
        return Findings(self.rules, rule, tuple(broken), sum(audited for _, _, audited in found))

    def __repr__(self) -> str:
        parts = ", ".join(dict.fromkeys(rule.part for rule in self.rules)) or "nothing"
        return f"AuditRules: {len(self.rules)} rules over {parts}"


def _empty(table: pa.Table) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=table.schema)
