"""One page that a person can look at: finished assets, the experiment's intervals, the verdict, the run.

The page is a single file without scripts. Its Content-Security-Policy loads nothing from anywhere, and the
assets stand in sandboxed frames, so that opening it is as safe as reading it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from labfactory.base.errors import UsageError
from labfactory.reports.plot import interval_plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labfactory.reports.plot import Interval

# What a mail program still opens without a murmur, and a person's patience.
_MOST_BYTES = 1 << 20
_TONES = {"pass": "better", "passed": "better", "fail": "worse", "refused": "worse"}
_MARKS = {"pass": "✓", "fail": "✕"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A finished asset to look at.

    Args:
        title: Whom it is for, or what it shows.
        parts: The asset's parts; `subject`, `preheader` and `html` have their places, others fold below.
        note: A line about it, such as which component was chosen and why.
    """

    title: str
    parts: Mapping[str, str]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A line of a verdict.

    Args:
        name: The gate.
        status: pass, fail or inconclusive.
        figure: What the evidence shows, as text.
        bound: What the policy asks, as text.
        reason: What the figure is, or why there is none.
    """

    name: str
    status: str
    figure: str = ""
    bound: str = ""
    reason: str = ""

    @property
    def tone(self) -> str:
        """How the page colours the status."""
        return _TONES.get(self.status, "open")

    @property
    def mark(self) -> str:
        """A sign beside the status, so that colour does not carry it alone."""
        return _MARKS.get(self.status, "?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ration:
    """What was used of one side of a limit.

    Args:
        name: The limit.
        side: maximum, minimum or budget.
        used: Of customers, or of the budget's unit.
        bound: The most, or the least.
        price: What one more place is worth; of a minimum, what one fewer is.
    """

    name: str
    side: str
    used: float
    bound: float
    price: float

    @property
    def is_kept(self) -> bool:
        """Whether no more than the most, or no less than the least, was used."""
        return self.used >= self.bound if self.side == "minimum" else self.used <= self.bound

    @property
    def percent(self) -> str:
        """How much of the bound was used, for a bar that ends at 100."""
        return f"{100 * min(self.used / self.bound, 1.0) if self.bound else 100:.1f}"

    @property
    def said(self) -> str:
        """What was used, of how much."""
        relation = "of at least" if self.side == "minimum" else "of at most"
        return f"{self.used:,.10g} {relation} {self.bound:,.10g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """How good an allocation under limits is, and what it used of them.

    Args:
        value: What it is worth.
        bound: No allocation within the limits is worth more.
        gap: The share of the bound that is at most missing.
        customers: Customers that were settled.
        repaired: Decisions that a limit changed.
        without: Customers and slots that got nothing.
        rations: The limits.
    """

    value: float
    bound: float
    gap: float
    customers: int
    repaired: int
    without: int
    rations: Sequence[Ration]

    @property
    def tone(self) -> str:
        """How the page colours it."""
        return "better" if all(ration.is_kept for ration in self.rations) else "worse"

    @property
    def claim(self) -> str:
        """What it proves, in a few words."""
        return f"at most {100 * max(self.gap, 0.0):.4f} % below the best"

    @property
    def figures(self) -> tuple[tuple[str, str], ...]:
        """Its numbers, by name."""
        return (
            ("value", f"{self.value:,.6g}"),
            ("no allocation is worth more than", f"{self.bound:,.6g}"),
            ("customers settled", f"{self.customers:,}"),
            ("decisions that a limit changed", f"{self.repaired:,}"),
            ("without a component", f"{self.without:,}"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A small table of figures.

    Args:
        title: What it counts.
        columns: The heads; the first column names the row, the others hold figures.
        rows: Text, one per column.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a report shows; whatever is empty has no section.

    Args:
        title: The headline.
        eyebrow: A few words above it.
        lead: A sentence below it.
        figures: Name and value of the few numbers that matter, in order.
        letters: Finished assets, side by side.
        intervals: The experiment's differences, those of one metric together.
        hypothesis: The sentence that the experiment tested.
        control: The arm that the others are compared with.
        alpha: The intervals miss the truth with this probability.
        verdict: passed, refused or inconclusive; empty for none.
        policy: A sentence about the policy that judged.
        gates: The verdict's lines.
        certificate: Under limits, how good the run's allocation is; None without.
        tables: What the run did.
        facts: Name and value of what identifies all this: digests, seed, engine.
        pictures: A `data:` URI by the address that assets link to; shown in place of the address.

    Example:
        >>> page = Page(title="Hello", letters=[Letter(title="Ann", parts={"html": "<p>Hi</p>"})])
        >>> b"<iframe sandbox" in page.to_html()
        True
    """

    title: str
    eyebrow: str = ""
    lead: str = ""
    figures: Sequence[tuple[str, str]] = ()
    letters: Sequence[Letter] = ()
    intervals: Sequence[Interval] = ()
    hypothesis: str = ""
    control: str = ""
    alpha: float = 0.05
    verdict: str = ""
    policy: str = ""
    gates: Sequence[Gate] = ()
    certificate: Certificate | None = None
    tables: Sequence[Table] = ()
    facts: Sequence[tuple[str, str]] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)

    def to_html(self) -> bytes:
        """The whole page as UTF-8.

        Returns:
            At most 1 MiB.

        Raises:
            UsageError: `report_size`, when the letters make it larger.
        """
        source = (files(__package__) / "page.html.j2").read_text(encoding="utf-8")
        environment = Environment(
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        text = environment.from_string(source).render(
            title=self.title,
            eyebrow=self.eyebrow,
            lead=self.lead,
            figures=self.figures,
            letters=[self._letter(letter) for letter in self.letters],
            has_pictures=bool(self.pictures),
            # The plot escapes its own texts.
            plot=Markup(interval_plot(self.intervals)),  # noqa: S704
            hypothesis=self.hypothesis,
            control=self.control,
            confidence=f"{100 * (1 - self.alpha):g} %",
            verdict=self.verdict,
            verdict_tone=_TONES.get(self.verdict, "open"),
            policy=self.policy,
            gates=self.gates,
            certificate=self.certificate,
            tables=self.tables,
            facts=self.facts,
        )
        page = text.encode()
        if len(page) > _MOST_BYTES:
            message = f"expected a page of at most {_MOST_BYTES} bytes, found {len(page)}"
            raise UsageError(message, code="report_size", hint="show fewer letters.")
        return page

    def _letter(self, letter: Letter) -> dict[str, object]:
        shown = {"subject", "preheader", "html"}
        return {
            "title": letter.title,
            "note": letter.note,
            "subject": letter.parts.get("subject", ""),
            "preheader": letter.parts.get("preheader", ""),
            "html": self._with_pictures(letter.parts.get("html", "")),
            "texts": [(name, text) for name, text in letter.parts.items() if name not in shown],
        }

    def _with_pictures(self, html: str) -> str:
        def shown(found: re.Match[str]) -> str:
            return f'{found[1]}"{self.pictures.get(found[2], found[2])}"'

        return re.sub(r'(\bsrc=)"([^"]*)"', shown, html)
