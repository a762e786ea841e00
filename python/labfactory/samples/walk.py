"""The walk from an experiment to finished assets, on the sample concept: what `labfactory demo` shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from labfactory.audit import AuditRules
from labfactory.base.sources import batches
from labfactory.content import Library
from labfactory.factory import Factory, ParquetSink
from labfactory.handoff import Package, Signer, Trust
from labfactory.lab import Experiment, Hypothesis, Mean, Proportion
from labfactory.samples import folder as concept_folder
from labfactory.samples.responses import responses
from labfactory.selection import SelectionPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labfactory.factory import Progress, Run
    from labfactory.governance import Verdict
    from labfactory.handoff import Draft
    from labfactory.lab import Evaluation

CONTROL = "welcome/plain"
WINNER = "welcome/warm"
VARIANTS = (CONTROL, WINNER, "welcome/bold")
KEY = "customer_id"
# The moment of the walk: nothing reads a clock, so the same seed makes the same files on any day.
NOW = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
SAMPLE_ROWS = 60_000
GOLDEN_ROWS = 32

_AUTHOR = "ruth.adler"
_ROLES = {"experimentation_lead": "tomasz", "bridge_manager": "amara"}
_TRUSTED_FOR = timedelta(days=365)


def sample_of(source: Any, rows: int = SAMPLE_ROWS) -> pa.Table:
    """The first customers of a source that an experiment can assign: each has a key of its own.

    Args:
        source: Anything Arrow.
        rows: How many to look at.

    Returns:
        At most `rows` customers, without null and repeated keys.
    """
    taken: list[pa.RecordBatch] = []
    left = rows
    for batch in batches(source):
        taken.append(batch.slice(0, left))
        left -= len(taken[-1])
        if left <= 0:
            break
    frame = pl.DataFrame(pa.Table.from_batches(taken))
    return frame.filter(pl.col(KEY).is_not_null() & pl.col(KEY).is_first_distinct()).to_arrow()


def experiment() -> Experiment:
    """The sample experiment: three tones of the welcome mail, orders as goal, opting out as guardrail."""
    return Experiment(
        "welcome-tone",
        hypothesis=Hypothesis("A warm welcome brings more orders than a plain one.", minimum_effect=0.02),
        variants=VARIANTS,
        metrics={
            "orders": Mean("orders"),
            "spend": Mean("spend", role="secondary"),
            "opened": Proportion("opened", role="secondary"),
            "opted_out": Proportion("opted_out", role="guardrail", direction="decrease", margin=0.003),
        },
    )


def evaluate(sample: pa.Table, *, seed: int) -> Evaluation:
    """Assign the sample, let simulated customers respond, and compare the variants."""
    assigned = experiment().assign(sample.select([KEY]), key=KEY, seed=seed)
    return experiment().evaluate(responses(assigned, seed=seed), control=CONTROL)


@dataclass(frozen=True)
class Signers:
    """The people of the walk: who signs in which role, and the trust file that names them."""

    by_role: Mapping[str, Signer]
    trust: Trust


def enrol(folder: Path, *, now: datetime = NOW) -> Signers:
    """Make keys for the policy's roles and a trust file that lists them.

    Args:
        folder: Where keys (readable by their owner alone) and `trust.json` go.
        now: When, aware.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_role = {role: Signer.generate(person) for role, person in _ROLES.items()}
    expires = now + _TRUSTED_FOR
    people = tuple(signer.enrol([role], expires=expires) for role, signer in by_role.items())
    trust = Trust(version=1, expires=expires, people=people)
    for signer in by_role.values():
        signer.save(folder / f"{signer.person}.key")
    trust.save(folder / "trust.json")
    return Signers(by_role, trust)


def draft(evaluation: Evaluation, sample: pa.Table, *, now: datetime = NOW) -> Draft:
    """Build the package's draft: content, evidence, policies, playbook, golden assets under one root."""
    concept = concept_folder()
    library = Library.load(concept / "library")
    selection = SelectionPolicy.load(concept / "selection.toml")
    return Package.build(
        "welcome-tone",
        version=1,
        library=library,
        creatives=[WINNER],
        selection=selection,
        evaluation=evaluation,
        graduation=concept / "graduation.toml",
        playbook=concept / "playbook.md",
        golden=sample.slice(0, GOLDEN_ROWS),
        author=_AUTHOR,
        now=now,
    )


def seal(draft: Draft, verdict: Verdict, signers: Signers) -> Package:
    """Seal a passed draft with an approval in each role."""
    return draft.seal(
        verdict, [verdict.approve(role=role, signer=signer) for role, signer in signers.by_role.items()]
    )


def make(
    factory: Factory,
    package: Package,
    source: Any,
    out: Path,
    *,
    seed: int,
    now: datetime,
    threads: int,
    progress: Progress,
) -> Run:
    """Make an asset for every customer of a source."""
    return factory.run(
        package.id,
        source,
        key=KEY,
        seed=seed,
        now=now,
        sink=ParquetSink(out),
        threads=threads,
        audit=AuditRules.standard("email"),
        progress=progress,
    )
