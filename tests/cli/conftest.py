"""A sealed package of the sample concept, made with keys that the command line made."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from labfactory.cli.app import app
from labfactory.cli.experiment_file import ExperimentFile
from labfactory.content import Library
from labfactory.governance import GraduationPolicy
from labfactory.handoff import Package, Signer
from labfactory.samples import customers, folder, responses

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
POLICY = b"""
policy = {id = "email", version = 1}
approvals = {roles = ["bridge_manager"], exclude_author = false}
gate = [{type = "srm"}]
"""


def render(rows: pa.Table) -> dict[str, Any]:
    """The golden assets of the warm mail, every customer with the same hero."""
    library = Library.load(folder() / "library")
    decided = rows.append_column("slot:hero", pa.array(np.zeros(rows.num_rows, np.int32)))
    plan = library.creative("welcome/warm").compile(rows.schema, components=library.components)
    assets = plan.assemble(decided).select(["status", "parts"]).to_pylist()
    return {"assets": [asset | {"creative": "welcome/warm"} for asset in assets]}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sealed package, `ana.key`, and a trust file that believes it."""
    runner = CliRunner()
    place = tmp_path_factory.mktemp("handoff")
    key = str(place / "ana.key")
    made = runner.invoke(
        app, ["handoff", "keygen", "ana@example.com", "--role", "bridge_manager", "--out", key]
    )
    assert made.exit_code == 0
    trust = {"version": 1, "expires": "2027-01-01T00:00:00Z", "people": [json.loads(made.stdout)]}
    (place / "trust.json").write_text(json.dumps(trust))
    file = ExperimentFile.load(folder() / "experiment.toml")
    experiment = file.experiment()
    sample = pa.table({"customer_id": pa.array(range(3000))})
    answered = responses(experiment.assign(sample, key="customer_id", seed=1), seed=1)
    draft = Package.build(
        "welcome-tone",
        version=1,
        library=Library.load(folder() / "library"),
        creatives=["welcome/warm"],
        evaluation=experiment.evaluate(answered, control=file.control),
        graduation=GraduationPolicy.from_toml(POLICY),
        playbook=folder() / "playbook.md",
        golden=customers(20, seed=5).batch(0),
        render=render,
        now=NOW,
    )
    verdict = draft.judge(now=NOW)
    approval = verdict.approve(role="bridge_manager", signer=Signer.load(key))
    draft.seal(verdict, [approval]).save(place / "welcome.lfpkg")
    return place
