"""`lab power`, `lab design`, `lab preregister`, and evaluations held to a plan."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from labfactory import Baseline, Design, GroupSequential, Mean, Preregistration
from labfactory.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()
EXPERIMENT = """
name = "tone"
control = "plain"
variants = ["plain", "warm"]
alpha = 0.05

[hypothesis]
text = "Warm openings lift orders."
minimum_effect = 0.1

[metrics.orders]
kind = "mean"

[metrics.opted_out]
kind = "proportion"
role = "guardrail"
direction = "decrease"
margin = 0.01

[stop_rule]
kind = "group_sequential"
looks = 2
spending = "pocock"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(3)
    (tmp_path / "experiment.toml").write_text(EXPERIMENT, encoding="utf-8")
    units = 4000
    before = random.gamma(2.0, 1.0, units)
    frame = pl.DataFrame(
        {
            "orders": before + random.normal(1.0, 1.0, units),
            "opted_out": random.random(units) < 0.04,
            "before": before,
            "day": np.datetime64("2026-05-01") + (np.arange(units) // 100),
            "variant": np.array(["plain", "warm"])[random.integers(0, 2, units)],
        }
    )
    frame.write_parquet(tmp_path / "all.parquet")
    frame.head(2000).write_parquet(tmp_path / "half.parquet")
    return tmp_path


def run(*words: object):
    return runner.invoke(app, ["lab", *map(str, words)])


def test_power_answers_what_is_left_open() -> None:
    design = Design(Baseline.of_proportion(0.05))
    asked = ["power", "--rate", 0.05]
    assert run(*asked, "--lift", 0.1).stdout.strip() == repr(design.sample_size(lift=0.1))
    found = json.loads(run(*asked, "--units", 20_000, "--json").stdout)
    assert found["difference"] == design.minimum_effect(20_000).difference
    found = json.loads(run(*asked, "--units", 20_000, "--lift", 0.1, "--json").stdout)
    assert found["power"] == design.achieved(20_000, lift=0.1).power


def test_power_knows_amounts_variants_and_stop_rules() -> None:
    asked = ["power", "--mean", 10, "--variance", 25, "--lift", 0.05, "--variants", 3, "--json"]
    found = json.loads(run(*asked, "--rule", "group_sequential", "--looks", 4).stdout)
    third = (1 / 3,) * 3
    design = Design(Baseline.of_mean(10.0, variance=25.0), shares=third, rule=GroupSequential(looks=4))
    assert found["units"] == design.sample_size(lift=0.05).units
    assert "always_valid(horizon=5000), 7 looks" in run(*asked, "--rule", "always_valid", "--looks", 7).stdout


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--rate", 0.1, "--mean", 3],
        ["--mean", 3],
        ["--rate", 0.1, "--rule", "never"],
        ["--rate", 0.1, "--variants", 0],
        ["--rate", 0.1, "--variants", 1],
    ],
)
def test_power_of_nothing_is_refused(words: list[object]) -> None:
    assert run("power", *words, "--lift", 0.1).exit_code == 2


def test_design_sizes_every_metric_by_history(folder: Path) -> None:
    asked = ["design", folder / "experiment.toml", folder / "all.parquet", "--day", "day"]
    sizings = json.loads(run(*asked, "--json").stdout)
    baseline = Baseline.from_history(folder / "all.parquet", Mean("orders"), day="day")
    rule = GroupSequential(looks=2, spending="pocock")
    assert (
        sizings["orders"]["units"] == Design(baseline, rule=rule, correction=None).sample_size(lift=0.1).units
    )
    assert sizings["orders"]["days"] == -(-sizings["orders"]["units"] // 100)
    assert (sizings["opted_out"]["margin"], sizings["opted_out"]["alpha"]) == (0.01, 0.025)
    saved = json.loads(run(*asked, "--covariate", "before", "--json").stdout)
    assert saved["orders"]["units"] < 0.5 * sizings["orders"]["units"]
    printed = run(*asked).stdout
    assert "orders" in printed
    assert "no harm" in printed


def test_text_is_no_covariate_to_design_by(folder: Path) -> None:
    told = run("design", folder / "experiment.toml", folder / "all.parquet", "--covariate", "variant")
    assert told.exit_code == 3
    assert "expected booleans or numbers in column 'variant'" in told.output


def test_a_plan_is_written_and_what_departs_from_it_is_told(folder: Path) -> None:
    plan, first = folder / "plan.json", folder / "first.json"
    result = run("preregister", folder / "experiment.toml", plan, "--units", 4000)
    planned = Preregistration.from_json(plan.read_bytes())
    assert result.stdout.split("\n")[0] == planned.digest
    assert (planned.looks, planned.units) == (2, 4000)
    asked = ["evaluate", folder / "experiment.toml"]
    look = run(*asked, folder / "half.parquet", "--preregistration", plan, "--out", first)
    assert look.exit_code == 0
    assert "departs from the plan: stopped_early" in look.stderr
    second = run(*asked, folder / "all.parquet", "--preregistration", plan, "--earlier", first, "--json")
    assert second.exit_code == 0
    assert second.stderr == ""
    assert json.loads(second.stdout)["looks"] == 2
    assert json.loads(second.stdout)["method"] == f"welch, {GroupSequential(looks=2, spending='pocock').name}"


def test_a_setting_of_another_rule_is_refused(folder: Path) -> None:
    path = folder / "experiment.toml"
    path.write_text(EXPERIMENT + "horizon = 5000.0\n", encoding="utf-8")
    result = run("evaluate", path, folder / "all.parquet")
    assert result.exit_code == 2
    assert "expected settings of group_sequential, found horizon" in result.stderr
