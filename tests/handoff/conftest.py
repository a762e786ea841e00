"""A small concept with everything that a package carries, and three people who may approve it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from labfactory.base.canonical import canonical_json
from labfactory.handoff import Draft, Package, Signer, Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BUILT = NOW - timedelta(hours=1)
ROLES = ("experimentation_lead", "bridge_manager", "scale_architect")

POLICY = """
[policy]
id = "email"
version = 1
expires_days = 90
[[gate]]
type = "lift"
metric = "orders"
min_lower = 0.01
[[gate]]
type = "assets"
min_count = 3
[[gate]]
type = "compliance"
[[gate]]
type = "playbook"
required = ["Rollback"]
[approvals]
roles = ["experimentation_lead", "bridge_manager", "scale_architect"]
"""


@dataclass(frozen=True)
class Files:
    """Anything that travels as files."""

    content: Mapping[str, bytes]

    def files(self) -> Mapping[str, bytes]:
        return self.content

    def subset(self, creative_names: Iterable[str]) -> Files:
        kept = (*creative_names, "components")
        return Files({path: data for path, data in self.content.items() if path.startswith(kept)})


@dataclass(frozen=True)
class Shown:
    """An evaluation, as far as a package looks at it."""

    value: Mapping[str, Any]

    def to_json(self) -> bytes:
        return canonical_json(self.value)


LIBRARY = Files(
    {
        "components/hero/sale/component.toml": b'tags = ["sale"]\n',
        "components/hero/sale/html.j2": b"<h1>{{ first_name }}</h1>",
        "welcome/plain/html.j2": b"plain",
        "welcome/warm/creative.toml": b'channel = "email"\n',
        "welcome/warm/html.j2": b"<p>Hi {{ first_name }}</p>",
    }
)
SELECTION = Files({"selection.toml": b"version = 1\n", "model.safetensors": b"\x02\0\0\0\0\0\0\0{}"})
CUSTOMERS = pa.table(
    {
        "customer_id": pa.array([1, 2, 2**60], pa.int64()),
        "first_name": pa.array(["Ann", "Zoë", None], pa.string_view()),
        "segment": pa.array(["a", "b", "a"]).dictionary_encode(),
    }
)


def shown(lower: float = 0.02) -> Shown:
    row = {
        "metric": "orders",
        "role": "goal",
        "kind": "mean",
        "direction": "increase",
        "variant": "welcome/warm",
    }
    row |= {"lower": lower, "upper": lower + 0.1, "relative_lower": lower, "relative_upper": lower + 0.1}
    return Shown(
        {
            "experiment": "welcome-tone",
            "control": "welcome/plain",
            "alpha": 0.05,
            "srm": {"p": 0.6},
            "units": {"welcome/plain": 5000, "welcome/warm": 5000},
            "looks": 1,
            "rows": [row],
        }
    )


def render(rows: pa.Table) -> dict[str, object]:
    """Golden assets, as a renderer returns them."""
    assets = [
        {"creative": "welcome/warm", "status": "ok", "parts": {"html": f"<p>Hi {name}</p>"}}
        for name in rows["first_name"].to_pylist()
    ]
    return {"assets": assets, "findings": []}


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Draft]:
    """Builds a draft; keyword arguments replace what it is built of."""

    def build_draft(**changed: Any) -> Draft:
        arguments: dict[str, Any] = {
            "version": 1,
            "library": LIBRARY,
            "creatives": ["welcome/warm"],
            "selection": SELECTION,
            "evaluation": shown(),
            "graduation": tmp_path / "graduation.toml",
            "playbook": b"# Welcome\n## Rollback\nStop the run, restore version 0.\n",
            "golden": CUSTOMERS,
            "render": render,
            "author": "olga",
            "now": BUILT,
        } | changed
        policy = arguments.pop("policy", POLICY)
        (tmp_path / "graduation.toml").write_text(policy, encoding="utf-8")
        return Package.build(arguments.pop("name", "welcome-tone"), **arguments)

    return build_draft


@pytest.fixture
def signers() -> dict[str, Signer]:
    """One person for each role, by role."""
    people = {"experimentation_lead": "ana", "bridge_manager": "bo", "scale_architect": "cy"}
    return {role: Signer.generate(person) for role, person in people.items()}


@pytest.fixture
def trust(signers: dict[str, Signer]) -> Trust:
    people = tuple(signer.enrol([role]) for role, signer in signers.items())
    return Trust(version=1, expires=NOW + timedelta(days=365), people=people)


@pytest.fixture
def sealed(build: Callable[..., Draft], signers: dict[str, Signer]) -> Package:
    draft = build()
    verdict = draft.judge(now=NOW)
    return draft.seal(
        verdict, [verdict.approve(role=role, signer=signer) for role, signer in signers.items()]
    )
