"""Golden assets: what a few customers get, made where a package is built and again where it is taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labfactory.audit import AuditRules, lint_html, lint_svg
from labfactory.base.errors import ContentError
from labfactory.factory.line import Customers
from labfactory.factory.shard import BLOCK_ROWS
from labfactory.factory.tooling import Tooling
from labfactory.selection import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from labfactory.audit import Findings
    from labfactory.content import Creative, Library
    from labfactory.factory.line import Line
    from labfactory.selection import SelectionPolicy

_BATCH_BYTES = 64 << 20


def golden_renderer(
    library: Library,
    creatives: Sequence[str],
    selection: SelectionPolicy | None,
    *,
    now: datetime,
    audit: AuditRules | None = None,
) -> Callable[[pa.Table], Mapping[str, object]]:
    """The renderer that `Package.build` and ingest share.

    Every creative is made for every row, with the row's number as key, seed 0, and the moment of the package
    as `now`: so it depends on the package alone.

    Args:
        library: Holds the creatives.
        creatives: Their names.
        selection: Fills their slots; None when they have none.
        now: When the package is built.
        audit: What the assets must fulfil, an error for each that breaks a rule; None for the standard rules
            of the creative's channel.

    Returns:
        A function of golden rows: `assets`, one dict for each creative and row, and `findings`: what breaks a
        rule, and as warnings what the closer look at HTML finds.
    """

    def render(rows: pa.Table) -> Mapping[str, object]:
        assets: list[dict[str, Any]] = []
        findings: list[dict[str, Any]] = []
        for name in creatives:
            tooling = Tooling(library, library.creative(name), selection)
            line = tooling.line(
                rows.schema,
                key=pa.field("key", pa.string()),
                columns={},
                seed=0,
                now=now,
                auditor=None,
                batch_rows=BLOCK_ROWS,
                batch_bytes=_BATCH_BYTES,
                metadata={},
                history=History.empty(),
            )
            rules = _standard_rules(tooling.creative) if audit is None else audit
            for batch, chosen in _assembled(line, rows):
                made = _assets(name, len(assets) % max(1, rows.num_rows), batch, chosen)
                assets += made
                findings += _refused(made, rules.audit_batch(batch))
                findings += [finding for asset in made for finding in _linted(asset)]
        return {"assets": assets, "findings": findings}

    return render


Chosen = list[dict[str, str | None]]


def _assembled(line: Line, rows: pa.Table) -> Iterator[tuple[pa.RecordBatch, Chosen]]:
    """Assembled batches, each with the components that were chosen for its rows."""
    if not rows.num_rows:
        return
    batch = rows.combine_chunks().to_batches()[0]
    numbers = pa.array(range(batch.num_rows), pa.int64())
    keys = numbers.cast(pa.string())
    nothing = line.schemas.quarantine.empty_table()
    customers = Customers(batch, keys, numbers, batch.num_rows, nothing)
    decisions = line.decide(customers)
    chosen: Chosen = [{} for _ in range(batch.num_rows)]
    for decision in decisions.log.select(["key", "slot", "component"]).to_pylist():
        chosen[int(decision["key"])][decision["slot"]] = decision["component"]
    start = 0
    for part in line.assemble(customers, decisions):
        yield part.batch, chosen[start : start + part.batch.num_rows]
        start += part.batch.num_rows


def _assets(creative: str, first: int, batch: pa.RecordBatch, chosen: Chosen) -> list[dict[str, Any]]:
    return [
        {
            "code": row["code"],
            "creative": creative,
            "parts": row["parts"] if row["status"] == "ok" else None,
            "row": first + number,
            "slots": slots,
            "status": row["status"],
        }
        for number, (row, slots) in enumerate(zip(batch.to_pylist(), chosen, strict=True))
    ]


def _standard_rules(creative: Creative) -> AuditRules:
    try:
        return AuditRules.standard(creative.channel.name, parts=list(creative.parts))
    except ContentError:
        # A channel that the host registered has no standard rules.
        return AuditRules.demanded(creative)


def _refused(assets: list[dict[str, Any]], found: Findings) -> list[dict[str, Any]]:
    told = zip(assets, found.codes.to_pylist(), found.reasons.to_pylist(), strict=True)
    return [_finding(asset, code, reason, "error") for asset, code, reason in told if code is not None]


def _linted(asset: dict[str, Any]) -> list[dict[str, Any]]:
    parts = asset["parts"] or {}
    warned = [] if parts.get("html") is None else lint_html(parts["html"])
    wrong = [] if parts.get("svg") is None else lint_svg(parts["svg"])
    return [
        *(_finding(asset, found.code, str(found), "warning") for found in warned),
        *(_finding(asset, found.code, str(found), "error") for found in wrong),
    ]


def _finding(asset: dict[str, Any], code: str, message: str, severity: str) -> dict[str, Any]:
    place = {"creative": asset["creative"], "row": asset["row"]}
    return {**place, "code": code, "message": message, "severity": severity}
