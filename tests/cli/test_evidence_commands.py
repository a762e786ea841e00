"""`lab evaluate`, then `governance judge`: from responses to a verdict and its exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from labfactory.cli.app import app
from labfactory.cli.experiment_file import ExperimentFile
from labfactory.samples import customers, folder, responses

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()
EXPERIMENT = str(folder() / "experiment.toml")
NOW = "2026-07-01T12:00:00Z"


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Responses of 60,000 sample customers."""
    experiment = ExperimentFile.load(EXPERIMENT).experiment()
    sample = pa.table(customers(60_000, seed=1))
    sample = sample.filter(pa.compute.is_valid(sample["customer_id"]))
    path = tmp_path_factory.mktemp("lab") / "responses.parquet"
    pq.write_table(responses(experiment.assign(sample, key="customer_id", seed=7), seed=7), path)
    return path


@pytest.fixture(scope="module")
def evidence(answered: Path) -> Path:
    """The evaluation as JSON."""
    out = answered.with_name("evaluation.json")
    result = runner.invoke(app, ["lab", "evaluate", EXPERIMENT, str(answered), "--out", str(out)])
    assert result.exit_code == 0
    return out


def test_evaluate_prints_a_table_and_writes_the_evidence(answered: Path, evidence: Path) -> None:
    result = runner.invoke(app, ["lab", "evaluate", EXPERIMENT, str(answered)])
    assert result.exit_code == 0
    for word in ("orders", "opted_out", "welcome/warm", "welcome/bold"):
        assert word in result.stdout
    printed = runner.invoke(app, ["lab", "evaluate", EXPERIMENT, str(answered), "--json"])
    assert json.loads(printed.stdout) == json.loads(evidence.read_bytes())


def test_evaluate_finds_the_true_effects(evidence: Path) -> None:
    rows = {(row["metric"], row["variant"]): row for row in json.loads(evidence.read_bytes())["rows"]}
    assert rows["orders", "welcome/warm"]["lower"] > 0
    assert rows["opted_out", "welcome/warm"]["noninferior"] is True
    assert rows["opted_out", "welcome/bold"]["noninferior"] is False


def judge(evidence: Path, *options: str) -> tuple[int, str]:
    result = runner.invoke(
        app, ["governance", "judge", str(folder() / "graduation.toml"), str(evidence), "--now", NOW, *options]
    )
    return result.exit_code, result.stdout


def test_a_verdict_that_does_not_pass_ends_with_one(evidence: Path) -> None:
    code, text = judge(evidence, "--variant", "welcome/bold")
    assert code == 1
    assert "guardrail opted_out welcome/bold" in text


def test_missing_evidence_never_passes(evidence: Path) -> None:
    code, text = judge(evidence, "--variant", "welcome/warm", "--json")
    verdict = json.loads(text)
    assert (code, verdict["status"]) == (1, "inconclusive")
    assert {row["name"].split()[0] for row in verdict["gates"] if row["status"] == "inconclusive"} == {
        "assets",
        "compliance",
        "playbook",
    }


def test_a_verdict_that_passes_ends_with_zero(evidence: Path, tmp_path: Path) -> None:
    full = json.loads(evidence.read_bytes()) | {"golden": {"count": 50, "errors": 0, "findings": []}}
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(full))
    playbook = str(folder() / "playbook.md")
    code, text = judge(path, "--variant", "welcome/warm", "--playbook", playbook)
    assert code == 0, text
    assert "passed" in text


def test_faults_of_the_file_are_told_at_once(tmp_path: Path, answered: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text('name = "x"\nvariants = ["a", "b"]\ncontrl = "a"\n[metrics.orders]\nkind = "median"\n')
    result = runner.invoke(app, ["lab", "evaluate", str(path), str(answered)])
    assert result.exit_code == 2
    for key in ("control", "hypothesis", "metrics.orders.kind"):
        assert key in result.stderr


def test_responses_without_the_column_are_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "responses.csv"
    path.write_text("variant,orders\nwelcome/plain,1\n")
    result = runner.invoke(app, ["lab", "evaluate", EXPERIMENT, str(path)])
    assert result.exit_code == 3
    assert "opened" in result.stderr


PLAN = """
name = "everything"
control = "a"
variants = ["a", "b"]
exposed_at = "seen"
started = 2026-03-01T00:00:00Z
variance_factor = 1.5
segments = ["channel"]
hypothesis = {text = "It helps.", minimum_effect = 0.0}
[metrics]
spend = {kind = "mean", upper_percentile = 0.99}
orders = {kind = "count", role = "secondary"}
late = {kind = "proportion", column = "bought", role = "secondary", within_days = 2, at = "bought_at"}
price = {kind = "ratio", numerator = "spend", denominator = "orders", role = "secondary", denominator_upper = 6}
median = {kind = "quantile", column = "spend", q = 0.5, role = "secondary"}
[estimator]
kind = "cuped"
covariates = ["history"]
"""


def everything(tmp_path: Path, plan: str) -> Any:
    random = np.random.default_rng(3)
    rows = 2_000
    seen = [
        datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=int(hour))
        for hour in random.integers(0, 480, rows)
    ]
    table = pa.table(
        {
            "variant": random.choice(["a", "b"], rows),
            "spend": random.gamma(2.0, 3.0, rows),
            "orders": random.poisson(2.0, rows) + 1,
            "bought": random.random(rows) < 0.4,
            "history": random.normal(0.0, 1.0, rows),
            "channel": random.choice(["email", "sms"], rows),
            "seen": seen,
            "bought_at": [
                time + timedelta(hours=int(hour))
                for time, hour in zip(seen, random.integers(0, 96, rows), strict=True)
            ],
        }
    )
    pq.write_table(table, tmp_path / "responses.parquet")
    (tmp_path / "experiment.toml").write_text(plan)
    paths = [str(tmp_path / name) for name in ("experiment.toml", "responses.parquet")]
    return runner.invoke(app, ["lab", "evaluate", *paths, "--json"])


def test_every_option_of_an_evaluation_may_stand_in_the_file(tmp_path: Path) -> None:
    record = json.loads(everything(tmp_path, PLAN).stdout)
    assert record["method"] == "cuped(history)"
    assert {row["kind"] for row in record["rows"]} == {"mean", "count", "proportion", "ratio", "quantile"}
    assert record["started"] == "2026-03-01T00:00:00+00:00"
    assert record["runtime_days"] > 19
    assert {text.split()[0] for text in record["adjustments"]} == {"spend", "bought", "orders", "variance"}
    assert len(record["segments"]) == 10


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "cuped"', 'kind = "bayes"', "expected settings of bayes, found covariates"),
        ('covariates = ["history"]', "", "expected columns of covariates"),
        (
            'kind = "cuped"\ncovariates = ["history"]',
            'kind = "post_stratified"',
            "expected stratum for post_stratified",
        ),
        ('kind = "count",', 'kind = "count", q = 0.5,', "expected settings of count, found q"),
        ('numerator = "spend",', "", "expected numerator for ratio"),
    ],
)
def test_an_option_that_does_not_fit_its_kind_is_told(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in PLAN
    result = everything(tmp_path, PLAN.replace(old, new))
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


RULES = """
name = "rules"
control = "a"
variants = ["a", "b"]
hypothesis = {text = "It helps.", minimum_effect = 0.0}
[metrics.spend]
kind = "mean"
[metrics.bought]
kind = "proportion"
role = "guardrail"
stop_rule = {kind = "beta_binomial", horizon = 100}
[estimator]
kind = "welch"
"""


@pytest.mark.parametrize(
    ("more", "method"),
    [
        ("", "welch, bought: beta_binomial(horizon=100)"),
        (
            '[stop_rule]\nkind = "always_valid"\n',
            "welch, bought: beta_binomial(horizon=100); spend: always_valid(horizon=5000)",
        ),
    ],
)
def test_a_metric_may_have_its_own_stop_rule_and_the_plan_holds_it(
    tmp_path: Path, more: str, method: str
) -> None:
    record = json.loads(everything(tmp_path, RULES + more).stdout)
    assert record["method"] == method
    plan, out = tmp_path / "plan.json", tmp_path / "evaluation.json"
    file = str(tmp_path / "experiment.toml")
    runner.invoke(app, ["lab", "preregister", file, str(plan), "--units", "2000"])
    words = [file, str(tmp_path / "responses.parquet"), "--preregistration", str(plan), "--out", str(out)]
    result = runner.invoke(app, ["lab", "evaluate", *words])
    assert result.exit_code == 0
    written = json.loads(out.read_bytes())
    assert written["departures"] == []
    assert (
        written["planned"]
        == json.loads(
            runner.invoke(app, ["lab", "preregister", file, str(plan), "--units", "2000", "--json"]).stdout
        )["digest"]
    )


def test_a_planned_estimator_is_the_one_that_the_file_names(tmp_path: Path) -> None:
    everything(tmp_path, PLAN.replace('kind = "cuped"', 'kind = "regression"\nerrors = "hc2"'))
    plan, file = tmp_path / "plan.json", str(tmp_path / "experiment.toml")
    runner.invoke(app, ["lab", "preregister", file, str(plan), "--units", "2000"])
    assert json.loads(plan.read_bytes())["method"] == "regression(history, hc2)"
