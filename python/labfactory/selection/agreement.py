"""Agreement: how often an apprentice would have given what the policy that serves gave."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass
from math import sqrt
from operator import add
from statistics import NormalDist

import polars as pl

from labfactory.base.errors import SelectionError, SourceError

_Z = NormalDist().inv_cdf(0.975)
_GROUPS = ("slot", "policy_version", "apprentice_policy_version")
_READ = (*_GROUPS, "is_match")


@dataclass(frozen=True, slots=True)
class SlotAgreement:
    """How often two policies gave the same in one slot.

    Args:
        slot: The slot.
        serving: Version of the policy that served.
        apprentice: Version of the policy beside it.
        customers: Customers that both decided on.
        neither: Those of them to whom both gave nothing: they speak neither for nor against a match.
        matched: Those of them to whom both gave the same component.
    """

    slot: str
    serving: str
    apprentice: str
    customers: int
    neither: int
    matched: int

    @property
    def share(self) -> float | None:
        """The matched among customers to whom at least one policy gave a component; None without such."""
        chosen = self.customers - self.neither
        return self.matched / chosen if chosen else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of the share, 95 %, for customers who are different ones; None without a share.

        References:
            Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
            Journal of the American Statistical Association 22, 209–212.
        """
        if self.share is None:
            return None
        spread = _Z**2 / (self.customers - self.neither)
        center = (self.share + spread / 2) / (1 + spread)
        half = sqrt(spread * (self.share * (1 - self.share) + spread / 4)) / (1 + spread)
        return max(0.0, center - half), min(1.0, center + half)


@dataclass(frozen=True, repr=False)
class Agreement:
    """How often an apprentice would have given what the policy that serves gave.

    Counts alone, so agreements of batches add up to that of the whole by `merge`.

    Args:
        slots: For each slot and pair of versions what was counted, sorted by them.

    Example:
        >>> monday = Agreement((SlotAgreement("hero", "1", "2", customers=1000, neither=40, matched=768),))
        >>> tuesday = Agreement((SlotAgreement("hero", "1", "2", customers=500, neither=20, matched=398),))
        >>> monday.merge(tuesday)
        slot  serving  apprentice  customers  neither  matched   share   95 % interval
        hero  1        2               1,500       60    1,166  81.0 %  78.9 to 82.9 %
    """

    slots: tuple[SlotAgreement, ...]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Agreement:
        """Counts rows of `shadow`.

        Args:
            rows: What `shadow` returned, for one batch or several.

        Returns:
            The agreement; without rows it has no slots.

        Raises:
            SelectionError: `decision_input` when it is no DataFrame of Polars.
            SourceError: `missing_column`.
        """
        if not isinstance(rows, pl.DataFrame):
            message = f"expected rows of shadow, a polars.DataFrame, found {type(rows).__name__}"
            raise SelectionError(message, code="decision_input", hint="pl.from_arrow(rows) before")
        for name in _READ:
            if name not in rows.columns:
                message = f"missing column {name!r}"
                raise SourceError(message, code="missing_column", hint="it counts what shadow returns")
        match = pl.col("is_match")
        counted = rows.group_by(*_GROUPS).agg(pl.len(), match.is_null().sum().alias("neither"), match.sum())
        return cls(tuple(SlotAgreement(*row) for row in sorted(counted.iter_rows())))

    def merge(self, *others: Agreement) -> Agreement:
        """The agreement over the rows of all these parts, whatever their order.

        Args:
            *others: Of other batches; a customer counts as often as it was decided on.

        Returns:
            The sums; what other versions decided stays apart.
        """
        sums: defaultdict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        for one in (each for part in (self, *others) for each in part.slots):
            counts = sums[one.slot, one.serving, one.apprentice]
            counts[:] = map(add, counts, (one.customers, one.neither, one.matched))
        return Agreement(tuple(SlotAgreement(*key, *sums[key]) for key in sorted(sums)))

    def to_frame(self) -> pl.DataFrame:
        """A row for each slot and pair of versions; shares are null where nobody got anything."""
        rows = [(*astuple(one), one.share, *(one.interval or (None, None))) for one in self.slots]
        texts = dict.fromkeys(("slot", "serving", "apprentice"), pl.String)
        counts = dict.fromkeys(("customers", "neither", "matched"), pl.Int64)
        shares = dict.fromkeys(("share", "lower", "upper"), pl.Float64)
        return pl.DataFrame(rows, schema={**texts, **counts, **shares}, orient="row")

    def __repr__(self) -> str:
        cells = [(*self.to_frame().columns[:7], "95 % interval"), *map(_shown, self.slots)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if place < 3 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in cells
        )


def _shown(one: SlotAgreement) -> tuple[str, ...]:
    counts = (f"{one.customers:,}", f"{one.neither:,}", f"{one.matched:,}")
    share = "–" if one.share is None else f"{100 * one.share:.1f} %"
    interval = (
        "–" if one.interval is None else "{:.1f} to {:.1f} %".format(*(100 * end for end in one.interval))
    )
    return (one.slot, one.serving, one.apprentice, *counts, share, interval)
