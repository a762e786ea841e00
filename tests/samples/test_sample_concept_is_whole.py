"""The sample concept loads whole, runs natively as Jinja2 renders it, and links to pictures that exist."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from labfactory.cli.experiment_file import ExperimentFile
from labfactory.compiler import Expression
from labfactory.content import Library
from labfactory.governance import GraduationPolicy, sections
from labfactory.samples import TRUE_EFFECTS, BadRows, customers, folder, pictures

LIBRARY = Library.load(folder() / "library")
NAMES = [creative.name for creative in LIBRARY.creatives]


def test_the_sample_library_has_three_mails_and_a_slot() -> None:
    assert NAMES == ["welcome/bold", "welcome/plain", "welcome/warm"]
    for creative in LIBRARY.creatives:
        assert set(creative.slots["hero"]) == {component.name for component in LIBRARY.components_of("hero")}
        assert list(creative.parts) == ["subject", "preheader", "html", "text"]


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_mail_is_what_jinja2_renders(name: str) -> None:
    batch = customers(84, seed=3, bad=BadRows(null_key=0, duplicate_key=0, null_price=0.05)).batch(0)
    plan = LIBRARY.creative(name).compile(batch.schema, components=LIBRARY.components)
    heroes = len(plan.slots["hero"])
    decided = batch.append_column("slot:hero", pa.array(np.arange(batch.num_rows, dtype=np.int32) % heroes))
    shown = plan.preview(decided)
    assert [one for one in shown if not one.agrees] == []
    unpriced = {
        row
        for row, items in enumerate(batch["recommended"].to_pylist())
        if any(x["price"] is None for x in items)
    }
    assert unpriced
    assert {one.row for one in shown if one.code} == unpriced
    assert min(len(one.text.encode()) for one in shown if one.part == "html" and one.text) >= 2048


def test_somebody_of_every_kind_can_get_each_hero() -> None:
    batch = customers(3000, seed=1).batch(0)
    for component in LIBRARY.components_of("hero"):
        if component.eligible is None:
            assert component.name == "bestsellers"
            continue
        eligible, codes = Expression(component.eligible).compile(batch.schema).evaluate_batch(batch)
        assert codes.null_count == batch.num_rows
        assert 0.02 < pc.mean(eligible).as_py() < 0.6


def test_every_hero_has_its_picture() -> None:
    for component in LIBRARY.components_of("hero"):
        (address,) = re.findall(r'src="([^"]+)"', component.parts["html"])
        assert address in pictures()


def test_the_experiment_compares_the_mails_of_the_library() -> None:
    file = ExperimentFile.load(folder() / "experiment.toml")
    assert set(file.variants) == set(NAMES) == set(TRUE_EFFECTS)
    assert file.experiment().metrics["opted_out"].margin == 0.003


def test_the_playbook_has_what_the_policy_asks_for() -> None:
    policy = GraduationPolicy.load(folder() / "graduation.toml")
    written = sections((folder() / "playbook.md").read_text(encoding="utf-8"))
    (gate,) = [gate for gate in policy.gate if gate.type == "playbook"]
    assert set(gate.required) <= set(written)
