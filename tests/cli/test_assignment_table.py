"""`[assignment]` of experiment.toml: layers, namespaces and hashes, as in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from typer.testing import CliRunner

from labfactory import Experiment, GrowthBook, Holdout, Hypothesis, Layer, Mean
from labfactory.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

PLAN = """
name = "tone"
control = "a"
variants = ["a", "b"]
hypothesis = {text = "It helps.", minimum_effect = 0.0}
[metrics.spend]
kind = "mean"
"""
EXPERIMENT = Experiment(
    "tone", hypothesis=Hypothesis("It helps.", 0.0), variants=["a", "b"], metrics={"spend": Mean("spend")}
)
CUSTOMERS = pl.DataFrame({"id": range(3000), "country": ["DE", "AT", "CH"] * 1000})
LAYER = """
[assignment]
seed = 7
strata = ["country"]
[assignment.layer]
name = "checkout"
shares = { hero = [0.5, 1.0], tone = [0.0, 0.4] }
seed = 2
holdout = { name = "q3", share = 0.1 }
"""
NAMESPACE = """
[assignment]
hash = "growthbook_v1"
salt = "welcome"
coverage = 0.5
namespace = { name = "pricing", start = 0.2, end = 0.9 }
"""


def assigned(place: Path, plan: str, *words: str) -> pl.DataFrame | str:
    file, out = place / "experiment.toml", place / "assigned.parquet"
    file.write_text(PLAN + plan)
    CUSTOMERS.write_parquet(place / "customers.parquet")
    paths = [str(file), str(place / "customers.parquet"), str(out)]
    result = CliRunner().invoke(app, ["lab", "assign", *paths, "--key", "id", *words])
    return pl.read_parquet(out) if result.exit_code == 0 else " ".join(result.stderr.split())


def test_a_layer_with_its_holdout_and_strata(tmp_path: Path) -> None:
    layer = Layer("checkout", {"hero": (0.5, 1.0), "tone": (0.0, 0.4)}, seed=2, holdout=Holdout("q3", 0.1))
    expected = EXPERIMENT.assign(CUSTOMERS, key="id", seed=7, layer=layer, strata=["country"])
    found = assigned(tmp_path, LAYER)
    assert isinstance(found, pl.DataFrame)
    assert found.equals(pl.DataFrame(expected))
    assert set(found["status"]) == {"assigned", "layer", "holdout"}


def test_a_namespace_with_its_salt_and_coverage(tmp_path: Path) -> None:
    hashing = GrowthBook("welcome", version=1, namespace=("pricing", 0.2, 0.9))
    expected = EXPERIMENT.assign(CUSTOMERS, key="id", hash=hashing, coverage=0.5)
    found = assigned(tmp_path, NAMESPACE)
    assert isinstance(found, pl.DataFrame)
    assert found.equals(pl.DataFrame(expected))


def test_words_of_the_command_go_before_the_file(tmp_path: Path) -> None:
    expected = EXPERIMENT.assign(CUSTOMERS, key="id", seed=9, coverage=0.2)
    found = assigned(tmp_path, "[assignment]\nseed = 7\ncoverage = 0.5\n", "--seed", "9", "--coverage", "0.2")
    assert isinstance(found, pl.DataFrame)
    assert found.equals(pl.DataFrame(expected))


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (NAMESPACE.replace("growthbook_v1", "optimizely"), "expected growthbook_v1 or growthbook_v2"),
        (LAYER.replace("tone = [0.0, 0.4]", "tone = [0.4, 0.6]"), "share no customer"),
        (LAYER.replace("tone = ", "voice = "), "expected an experiment of the layer 'checkout'"),
        (LAYER.replace("share = 0.1", "share = 1.1"), "expected a share from 0 to 1"),
    ],
)
def test_an_assignment_that_cannot_be_is_told(tmp_path: Path, plan: str, words: str) -> None:
    assert words in str(assigned(tmp_path, plan))
