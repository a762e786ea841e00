"""A small concept, whole and signed: what a Factory takes in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from labfactory.base.canonical import canonical_json
from labfactory.content import Component, Creative, Library, channel
from labfactory.factory import Factory
from labfactory.handoff import Package, Signer, Trust
from labfactory.selection import Exploration, SelectionPolicy, SlotPolicy

if TYPE_CHECKING:
    from pathlib import Path

BUILT = datetime(2026, 5, 1, 11, tzinfo=UTC)
NOW = BUILT + timedelta(hours=1)
ROLES = ("experimentation_lead", "bridge_manager")

GRADUATION = b"""
[policy]
id = "email"
version = 1
expires_days = 90
[[gate]]
type = "playbook"
required = ["Rollback"]
[approvals]
roles = ["experimentation_lead", "bridge_manager"]
exclude_author = false
"""

HTML = """<h1>Hi {{ first_name | default('friend', true) }}</h1>{{ slot('hero') }}
<p>{{ points }} points, {{ '%.2f' % balance }} EUR</p>"""

LIBRARY = Library(
    (
        Creative(
            name="welcome/warm",
            channel=channel("email"),
            parts={
                "subject": "{{ first_name }}, welcome",
                "preheader": "{{ points }} points",
                "html": HTML,
                "text": "Hi {{ first_name }}: {{ slot('hero') }}",
            },
            slots={"hero": ("sea", "sun")},
        ),
        Creative(name="welcome/short", channel=channel("sms"), parts={"text": "Hi {{ first_name }}"}),
    ),
    (
        Component(slot="hero", name="sea", parts={"html": "<b>Sea</b> {{ first_name }}", "text": "Sea"}),
        Component(
            slot="hero", name="sun", parts={"html": "<i>Sun</i>", "text": "Sun"}, eligible="points >= 10"
        ),
    ),
)
SELECTION = SelectionPolicy.build(
    "hero-1", hero=SlotPolicy.build(exploration=Exploration(mode="epsilon", epsilon=0.5))
)


@dataclass(frozen=True)
class Shown:
    """An evaluation, as far as a package looks at it."""

    def to_json(self) -> bytes:
        return canonical_json(
            {"experiment": "welcome", "control": "welcome/plain", "alpha": 0.05, "srm": {"p": 0.6}}
            | {"units": {"welcome/plain": 9, "welcome/warm": 9}, "looks": 1, "rows": []}
        )


def people(rows: int, *, seed: int = 3) -> pl.DataFrame:
    """Customers; one name in fifty is missing, one balance in a hundred."""
    rng = np.random.default_rng(seed)
    names = rng.choice(["Ann", "Zoë & Bo", "<Ada>", "Łukasz", "李雷"], rows)
    frame = pl.DataFrame(
        {
            "customer_id": np.arange(rows),
            "first_name": names,
            "points": rng.integers(0, 30, rows),
            "balance": rng.normal(10, 5, rows),
            "phone": rng.integers(10**6, 10**7, rows),
        }
    )
    missing = pl.Series(rng.random(rows) < 0.02)
    unpriced = pl.Series(rng.random(rows) < 0.01)
    return frame.with_columns(
        pl.when(~missing).then("first_name").alias("first_name"),
        pl.when(~unpriced).then("balance").alias("balance"),
    )


def concept(*, version: int = 1, **changed: Any) -> tuple[Package, Trust]:
    """A sealed package, and the trust by which it is believed."""
    creatives = changed.pop("creatives", ["welcome/warm"])
    arguments: dict[str, Any] = {
        "version": version,
        "library": LIBRARY,
        "creatives": creatives,
        "selection": SELECTION,
        "evaluation": Shown(),
        "graduation": changed.pop("graduation"),
        "playbook": b"# Welcome\n## Rollback\nStop the run and restore the version before.\n",
        "golden": people(20),
        "author": "olga",
        "now": BUILT,
    } | changed
    draft = Package.build("welcome-tone", **arguments)
    verdict = draft.judge(now=NOW)
    signers = {role: Signer.generate(role) for role in ROLES}
    package = draft.seal(verdict, [verdict.approve(role=r, signer=s) for r, s in signers.items()])
    enrolled = tuple(signer.enrol([role]) for role, signer in signers.items())
    return package, Trust(version=1, expires=NOW + timedelta(days=365), people=enrolled)


def ready(folder: Path, **changed: Any) -> tuple[Factory, Package]:
    """A Factory that has taken the concept in."""
    graduation = folder / "graduation.toml"
    graduation.write_bytes(GRADUATION)
    package, trust = concept(graduation=graduation, **changed)
    factory = Factory.create(folder / "factory", trust=trust)
    factory.ingest(package, now=NOW)
    return factory, package
