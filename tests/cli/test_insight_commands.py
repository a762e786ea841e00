"""`lab assign` and `lab insights`: from customers to what the Lab has learned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from labfactory.cli.app import app
from labfactory.cli.experiment_file import ExperimentFile
from labfactory.samples import folder, responses

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()
EXPERIMENT = str(folder() / "experiment.toml")


def run(*words: str, code: int = 0) -> Result:
    result = runner.invoke(app, ["lab", *words])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one entry."""
    place = tmp_path_factory.mktemp("insights")
    pl.DataFrame({"customer_id": range(4_000)}).write_parquet(place / "customers.parquet")
    experiment = ExperimentFile.load(EXPERIMENT)
    assigned = experiment.experiment().assign(place / "customers.parquet", key="customer_id", seed=7)
    answered = responses(assigned, seed=7)
    evaluation = experiment.experiment().evaluate(answered, control=experiment.control)
    (place / "evaluation.json").write_bytes(evaluation.to_json())
    words = [
        "insights",
        "add",
        str(place / "store"),
        str(place / "evaluation.json"),
        "--finished",
        "2026-05-04T12:00:00Z",
    ]
    made = run(
        *words,
        "--started",
        "2026-05-01T12:00:00Z",
        "--tag",
        "mail",
        "--feature",
        "welcome/warm:tone=warm",
        "--feature",
        "welcome/warm:words=12",
    )
    assert "welcome-tone" in made.stdout
    return place


def test_assign_writes_what_the_experiment_assigns(place: Path) -> None:
    out = place / "assigned.parquet"
    result = run(
        "assign",
        EXPERIMENT,
        str(place / "customers.parquet"),
        str(out),
        "--key",
        "customer_id",
        "--seed",
        "7",
        "--json",
    )
    expected = (
        ExperimentFile.load(EXPERIMENT)
        .experiment()
        .assign(place / "customers.parquet", key="customer_id", seed=7)
    )
    assert pl.read_parquet(out).equals(pl.DataFrame(expected))
    assert sum(json.loads(result.stdout)["variants"].values()) == 4_000
    part = place / "part.parquet"
    words = ["assign", EXPERIMENT, str(place / "customers.parquet"), str(part), "--key", "customer_id"]
    run(*words, "--hash", "growthbook_v2", "--coverage", "0.25", "--sticky", str(out))
    assert pl.read_parquet(part)["variant"].equals(pl.read_parquet(out)["variant"])


def test_assign_without_a_seed_says_what_is_missing(place: Path) -> None:
    words = [
        "assign",
        EXPERIMENT,
        str(place / "customers.parquet"),
        str(place / "no.parquet"),
        "--key",
        "customer_id",
    ]
    assert "expected a seed" in run(*words, code=2).output


def test_entries_are_listed_and_asked_for(place: Path) -> None:
    store = str(place / "store")
    assert "welcome-tone" in run("insights", "list", store).stdout
    assert [row["tags"] for row in json.loads(run("insights", "list", store, "--json").stdout)] == [["mail"]]
    shown = run(
        "insights",
        "query",
        store,
        "--metric",
        "orders",
        "--feature",
        "tone=warm",
        "--feature",
        "words=12",
        "--pool",
        "lift",
    )
    assert "welcome/warm" in shown.stdout
    assert "1 experiments" in shown.stdout
    found = json.loads(run("insights", "query", store, "--tag", "mail", "--json").stdout)
    assert {row["variant"] for row in found["effects"]} == {"welcome/warm", "welcome/bold"}
    assert found["pooled"] is None
    assert (
        json.loads(run("insights", "query", store, "--feature", "words=13", "--json").stdout)["effects"] == []
    )


def test_the_figures_of_the_lab_are_printed(place: Path) -> None:
    figures = json.loads(run("insights", "kpis", str(place / "store"), "--json").stdout)
    assert (figures["experiments"], figures["median_days_to_learn"]) == (1, 3.0)
    assert "experiments a week" in run("insights", "kpis", str(place / "store")).stdout


def test_wrong_questions_are_refused(place: Path) -> None:
    store = str(place / "store")
    assert "NAME=VALUE" in run("insights", "query", store, "--feature", "tone", code=2).output
    assert "pooling needs one metric" in run("insights", "query", store, "--pool", "lift", code=2).output
    assert "found no index" in run("insights", "list", str(place), code=3).output
    again = ["insights", "add", store, str(place / "evaluation.json"), "--finished", "2026-06-01T00:00:00Z"]
    assert "found another" in run(*again, code=2).output
    run(*again, "--replace", "--json")
    run(
        "insights",
        "add",
        store,
        str(place / "evaluation.json"),
        "--finished",
        "2026-05-04T12:00:00Z",
        "--started",
        "2026-05-01T12:00:00Z",
        "--tag",
        "mail",
        "--feature",
        "welcome/warm:tone=warm",
        "--feature",
        "welcome/warm:words=12",
        "--replace",
    )


def test_values_of_features_may_hold_colons(place: Path) -> None:
    words = [
        "insights",
        "add",
        str(place / "links"),
        str(place / "evaluation.json"),
        "--finished",
        "2026-05-04T12:00:00Z",
    ]
    run(*words, "--feature", "welcome/warm:link=https://shop.example/a=b")
    found = run(
        "insights", "query", str(place / "links"), "--feature", "link=https://shop.example/a=b", "--json"
    )
    assert {row["variant"] for row in json.loads(found.stdout)["effects"]} == {"welcome/warm"}
