"""What an audit found: by row for a batch, one by one for a sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from labfactory.audit.rule import Rule


@dataclass(frozen=True)
class Finding:
    """One thing wrong with one text.

    Args:
        code: The stable name of the rule or check; docs/errors.md has an entry for each.
        message: What was found against what was expected.
        excerpt: The piece of the text it is about, at most 80 characters; empty when it is about the whole.

    Example:
        >>> print(Finding("lint_alt", "an img has no alt", '<img src="a.png">'))
        lint_alt: an img has no alt: <img src="a.png">
    """

    code: str
    message: str
    excerpt: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.code, self.message, self.excerpt) if part)


@dataclass(frozen=True)
class Findings:
    """What the rules found in one batch.

    Args:
        rules: The rules, in their order.
        rule: int32 by row: the first rule that the row breaks, null where it breaks none or was not audited.
        broken: By rule, the number of rows that break it; a row may break several.
        audited: The number of rows that were audited: those whose status is ok.
    """

    rules: tuple[Rule, ...]
    rule: pa.Array
    broken: tuple[int, ...]
    audited: int

    @property
    def refused(self) -> int:
        """The number of rows that break at least one rule."""
        return len(self.rule) - int(self.rule.null_count)

    @cached_property
    def codes(self) -> pa.Array:
        """The code of the first rule that a row breaks, a dictionary of text; null where it breaks none."""
        return self._named([rule.code for rule in self.rules])

    @cached_property
    def reasons(self) -> pa.Array:
        """What that rule says, a dictionary of text; null where a row breaks none."""
        return self._named([rule.reason for rule in self.rules])

    def to_dicts(self) -> list[dict[str, object]]:
        """One row for each rule: part, code, reason, and how many rows break it."""
        return [
            {"part": rule.part, "code": rule.code, "reason": rule.reason, "broken": broken}
            for rule, broken in zip(self.rules, self.broken, strict=True)
        ]

    def __repr__(self) -> str:
        head = f"{self.refused} of {self.audited} assets refused"
        lines = [f"{row['broken']:>9}  {row['reason']}" for row in self.to_dicts() if row["broken"]]
        return "\n".join([head, *lines])

    def _named(self, names: list[str]) -> pa.Array:
        entries = list(dict.fromkeys(names))
        entry_of_rule = pa.array([entries.index(name) for name in names], pa.int32())
        return pa.DictionaryArray.from_arrays(entry_of_rule.take(self.rule), pa.array(entries, pa.string()))
