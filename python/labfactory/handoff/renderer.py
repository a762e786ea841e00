"""Golden assets: what a few customers get, made where a package is built and again where it is taken in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labfactory.audit import AuditRules, lint_html, lint_svg
from labfactory.base.errors import ContentError
from labfactory.content import Host
from labfactory.handoff.tooling import Tooling
from labfactory.selection import History, Planned, decisions_of, slot_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from labfactory.audit import Findings
    from labfactory.content import Creative, Library
    from labfactory.selection import SelectionPolicy, Selector

__all__ = ["Renderer", "golden_renderer"]

Renderer = Callable[[pa.Table], Mapping[str, object]]
Chosen = list[dict[str, str | None]]


def golden_renderer(
    library: Library,
    creatives: Sequence[str],
    selection: SelectionPolicy | None,
    *,
    now: datetime,
    audit: AuditRules | None = None,
    host: Host | None = None,
) -> Renderer:
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
        host: Gives functions and tables; None for none.

    Returns:
        A function of golden rows: `assets`, one dict for each creative and row, and `findings`: what breaks a
        rule, and as warnings what the closer look at HTML finds.
    """

    def render(rows: pa.Table) -> Mapping[str, object]:
        assets: list[dict[str, Any]] = []
        findings: list[dict[str, Any]] = []
        for name in creatives:
            tooling = Tooling(library, library.creative(name), selection, host or Host())
            rules = _standard_rules(tooling.creative) if audit is None else audit
            for batch, chosen in _assembled(tooling, rows, now):
                made = _assets(name, len(assets) % max(1, rows.num_rows), batch, chosen)
                assets += made
                findings += _refused(made, rules.audit_batch(batch))
                findings += [finding for asset in made for finding in _linted(asset)]
        return {"assets": assets, "findings": findings}

    return render


def _assembled(tooling: Tooling, rows: pa.Table, now: datetime) -> Iterator[tuple[pa.RecordBatch, Chosen]]:
    """Assembled batches, each with the components that were chosen for its rows."""
    plan = tooling.plan(rows.schema, now=now)
    selector = tooling.selectors(rows.schema, now=now, history=History.empty(), planned=Planned.empty()).each
    if not rows.num_rows:
        return
    batch = rows.combine_chunks().to_batches()[0]
    chosen: Chosen = [{} for _ in range(batch.num_rows)]
    if selector is not None:
        batch, chosen = _decided(selector, batch)
    start = 0
    for made in plan.assemble_batch(batch):
        yield made, chosen[start : start + made.num_rows]
        start += made.num_rows


def _decided(selector: Selector, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Chosen]:
    """The batch with its decision columns, and the component of each row and slot."""
    keys = pa.array(range(batch.num_rows), pa.int64()).cast(pa.string())
    decided = selector.decide(batch, keys=keys, seed=0)
    columns = slot_columns(decided)
    for name, column in zip(columns.schema.names, columns.columns, strict=True):
        batch = batch.append_column(name, column)
    chosen: Chosen = [{} for _ in range(batch.num_rows)]
    log = decisions_of(decided, keys=keys, version=selector.version)
    for decision in log.select(["key", "slot", "component"]).to_pylist():
        chosen[int(decision["key"])][decision["slot"]] = decision["component"]
    return batch, chosen


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
