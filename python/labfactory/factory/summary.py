"""What a run made, counted, and how long each step took."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from labfactory.factory.line import Assets, Customers

Item = TypeVar("Item")
# Reasons that a shard counts one by one; templates may make one for each customer.
_MOST_REASONS = 1_000
OTHER_REASONS = "other reasons"


@dataclass
class Tally:
    """Running counts of rows, and the seconds spent in each step; the seconds never reach a file."""

    rows: int = 0
    assets: int = 0
    size_bytes: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, dict[str, int]] = field(default_factory=dict)
    decisions: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of a block to a step."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

    def each(self, step: str, items: Iterable[Item]) -> Iterator[Item]:
        """Hand items on; the time that making them takes is added to a step."""
        iterator = iter(items)
        while True:
            with self.timed(step):
                item = next(iterator, None)
            if item is None:
                return
            yield item

    def count(self, customers: Customers, assets: list[Assets]) -> None:
        """Count what became of a batch of customers."""
        self.rows += customers.read
        self._quarantine(customers.quarantine)
        for batch in assets:
            self.assets += batch.made.num_rows
            self.size_bytes += batch.size_bytes
            self._quarantine(batch.quarantine)
            for reason, rows in _counted(batch.skipped):
                is_new = (reason or "") not in self.skipped
                self.skip(OTHER_REASONS if is_new and len(self.skipped) >= _MOST_REASONS else reason, rows)

    def _quarantine(self, aside: pa.Table) -> None:
        if aside.num_rows:
            for row in aside.group_by(["stage", "code"]).aggregate([([], "count_all")]).to_pylist():
                self.quarantine(row["stage"], row["code"], row["count_all"])

    def decide(self, reasons: Mapping[str, Mapping[str, int]]) -> None:
        """Count decisions: slot → reason → rows."""
        for slot, counts in reasons.items():
            found = self.decisions.setdefault(slot, {})
            for reason, rows in counts.items():
                found[reason] = found.get(reason, 0) + rows

    def skip(self, reason: str | None, rows: int) -> None:
        """Count skipped rows."""
        name = reason or ""
        self.skipped[name] = self.skipped.get(name, 0) + rows

    def quarantine(self, stage: str, code: str, rows: int) -> None:
        """Count quarantined rows."""
        codes = self.quarantined.setdefault(stage, {})
        codes[code] = codes.get(code, 0) + rows

    def add(self, counts: Mapping[str, Any]) -> None:
        """Add a shard's counts, as `counts` gives them."""
        self.rows += counts["rows"]
        self.assets += counts["assets"]
        self.size_bytes += counts["size_bytes"]
        for reason, rows in counts["skipped"].items():
            self.skip(reason, rows)
        for stage, codes in counts["quarantined"].items():
            for code, rows in codes.items():
                self.quarantine(stage, code, rows)
        self.decide(counts.get("decisions", {}))

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Add another tally's times."""
        for step, elapsed in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + elapsed

    @property
    def counts(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return {
            "assets": self.assets,
            "decisions": {slot: dict(reasons) for slot, reasons in self.decisions.items()},
            "quarantined": {stage: dict(codes) for stage, codes in self.quarantined.items()},
            "rows": self.rows,
            "size_bytes": self.size_bytes,
            "skipped": dict(self.skipped),
        }

    @property
    def skipped_rows(self) -> int:
        """Rows that a template skipped."""
        return sum(self.skipped.values())

    def quarantined_rows(self, *stages: str) -> int:
        """Rows set aside in the given stages, in all stages when none are given."""
        chosen = stages or tuple(self.quarantined)
        return sum(sum(self.quarantined.get(stage, {}).values()) for stage in chosen)

    @property
    def codes(self) -> dict[str, int]:
        """Quarantined rows by code, whatever the stage."""
        codes: dict[str, int] = {}
        for stage in self.quarantined.values():
            for code, rows in stage.items():
                codes[code] = codes.get(code, 0) + rows
        return codes

    @property
    def balances(self) -> bool:
        """Whether assets, skipped and quarantined rows add up to the rows that came in."""
        return self.assets + self.skipped_rows + self.quarantined_rows() == self.rows


@dataclass(frozen=True)
class Summary:
    """What a run made and how fast.

    Args:
        rows: Customers in the source.
        assets: Assets made, earlier attempts included.
        skipped: Customers that the templates skipped: reason → rows.
        quarantined: Customers set aside: code → rows.
        size_bytes: Bytes of the assets' text, before compression.
        shards: Shards of the run.
        resumed_shards: Shards that an earlier attempt had committed.
        made: Assets made in this attempt.
        elapsed_s: Wall time of this attempt.
        seconds: Step → seconds of this attempt, those of parallel workers divided by their number.
        decisions: Of each slot how many decisions have each reason.
        allocation: Under limits what `Allocation.to_dict` tells: prices, what was used, the certified gap.
    """

    rows: int
    assets: int
    skipped: Mapping[str, int]
    quarantined: Mapping[str, int]
    size_bytes: int
    shards: int
    resumed_shards: int
    made: int
    elapsed_s: float
    seconds: Mapping[str, float]
    decisions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    allocation: Mapping[str, Any] | None = None

    @property
    def assets_per_s(self) -> float:
        """Assets of this attempt by its wall time."""
        return self.made / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            "allocation": None if self.allocation is None else dict(self.allocation),
            "assets": self.assets,
            "assets_per_s": self.assets_per_s,
            "decisions": {slot: dict(reasons) for slot, reasons in self.decisions.items()},
            "elapsed_s": self.elapsed_s,
            "made": self.made,
            "quarantined": dict(self.quarantined),
            "resumed_shards": self.resumed_shards,
            "rows": self.rows,
            "seconds": dict(self.seconds),
            "shards": self.shards,
            "size_bytes": self.size_bytes,
            "skipped": dict(self.skipped),
        }

    def lines(self) -> list[tuple[str, str]]:
        """The figures as names and formatted values."""
        return [
            ("customers", f"{self.rows:,}"),
            ("assets", f"{self.assets:,}"),
            ("bytes", f"{self.size_bytes:,}"),
            ("skipped", f"{sum(self.skipped.values()):,}"),
            *((f"  {reason}", f"{rows:,}") for reason, rows in sorted(self.skipped.items())),
            ("quarantined", f"{sum(self.quarantined.values()):,}"),
            *((f"  {code}", f"{rows:,}") for code, rows in sorted(self.quarantined.items())),
            *self._decided(),
            *([] if self.allocation is None else allocated(self.allocation)),
            (
                "shards",
                f"{self.shards:,}" + (f" ({self.resumed_shards:,} resumed)" if self.resumed_shards else ""),
            ),
            ("seconds", f"{self.elapsed_s:.2f}"),
            *((f"  {step}", f"{elapsed:.2f}") for step, elapsed in self.seconds.items()),
            ("assets/s", f"{self.assets_per_s:,.0f}"),
        ]

    def _decided(self) -> list[tuple[str, str]]:
        lines = []
        for slot, reasons in self.decisions.items():
            lines.append((f"decided {slot}", f"{sum(reasons.values()):,}"))
            ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
            lines += [(f"  {reason}", f"{rows:,}") for reason, rows in ordered]
        return lines


def allocated(allocation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """An allocation, as `Allocation.to_dict` tells it, as names and formatted values."""
    gap, value = 100 * allocation["gap"], allocation["value"]
    lines = [("limits", f"value {value:,.6g}, at most {gap:.4f} % below the best")]
    for name, bound in allocation["bounds"].items():
        used, price = allocation["used"][name], allocation["prices"][name]
        lines.append((f"  {name}", f"{used:,.10g} of {bound:,.10g}, price {price:.6g}"))
    return [*lines, ("  changed", f"{allocation['repaired']:,} decisions")]


def _counted(values: pa.Array) -> list[tuple[str | None, int]]:
    if not len(values):
        return []
    plain = values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values
    return [(row["values"], row["counts"]) for row in pc.value_counts(plain).to_pylist()]
