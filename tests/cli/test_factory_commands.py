"""`labfactory demo`, `labfactory factory` and `labfactory report run` on the same small concept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest
from selectolax.lexbor import LexborHTMLParser
from typer.testing import CliRunner

from labfactory.cli.app import app
from labfactory.samples import customers
from labfactory.samples.walk import KEY

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()
ROWS = 1500


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What `labfactory demo` says of a small run."""
    out = tmp_path_factory.mktemp("demo") / "out"
    result = runner.invoke(app, ["demo", "--customers", str(ROWS), "--out", str(out), "--json"])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def out(demo: dict[str, object]) -> Path:
    """The demo's folder."""
    from pathlib import Path

    return Path(str(demo["out"]))


def test_the_demo_makes_an_asset_or_a_row_of_quarantine_for_every_customer(demo, out) -> None:
    assets = pl.read_parquet(out / "run" / "assets" / "*.parquet")
    aside = sum(len(pl.read_parquet(path)) for path in (out / "run" / "quarantine").iterdir())
    assert (demo["rows"], demo["assets"]) == (ROWS, len(assets))
    assert len(assets) + aside == ROWS
    keys = pl.DataFrame(customers(ROWS, seed=7))[KEY]
    assert set(assets["key"]) <= set(keys)
    assert assets["html"].str.len_bytes().min() >= 2048
    assert (out / "index.html").stat().st_size < 1 << 20


def test_the_demo_refuses_a_folder_in_use(out) -> None:
    result = runner.invoke(app, ["demo", "--customers", "10", "--out", str(out), "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["code"] == "out_in_use"


def test_the_demo_prints_the_columns_that_data_must_have() -> None:
    result = runner.invoke(app, ["demo", "--schema", "--json"])
    assert result.exit_code == 0
    assert list(json.loads(result.stdout)) == customers(1, seed=0).schema.names


def test_a_package_goes_into_a_new_factory_and_a_job_makes_its_assets(out, tmp_path) -> None:
    factory = ["--factory", str(tmp_path / "factory")]
    made = runner.invoke(app, ["factory", "create", "--trust", str(out / "keys" / "trust.json"), *factory])
    assert made.exit_code == 0, made.stderr
    now = ["--now", "2026-07-02T00:00:00Z"]
    taken = runner.invoke(
        app, ["factory", "ingest", str(out / "welcome-tone-1.lfpkg"), *factory, *now, "--json"]
    )
    assert taken.exit_code == 0, taken.stderr
    listed = runner.invoke(app, ["factory", "packages", *factory, "--json"])
    assert [row["id"] for row in json.loads(listed.stdout)] == ["welcome-tone@1"]
    pl.DataFrame(customers(40, seed=11)).write_parquet(tmp_path / "customers.parquet")
    job = tmp_path / "job.toml"
    job.write_text(
        'package = "welcome-tone@1"\nkey = "customer_id"\nseed = 3\nnow = 2026-07-02T00:00:00Z\n'
        '[source]\npath = "customers.parquet"\n[sink]\npath = "out"\n'
    )
    result = runner.invoke(app, ["factory", "run", str(job), *factory, "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["rows"] == 40
    page = tmp_path / "run.html"
    package = ["--package", str(out / "welcome-tone-1.lfpkg")]
    assert (
        runner.invoke(app, ["report", "run", str(tmp_path / "out"), *package, "--out", str(page)]).exit_code
        == 0
    )
    assert b"<iframe sandbox" in page.read_bytes()


def test_the_page_of_a_run_under_limits_shows_its_certificate(out, tmp_path) -> None:
    factory = ["--factory", str(out / "factory")]
    pl.DataFrame(customers(60, seed=11)).write_parquet(tmp_path / "customers.parquet")
    job = tmp_path / "job.toml"
    job.write_text(
        'package = "welcome-tone@1"\nkey = "customer_id"\nseed = 3\nnow = 2026-07-02T00:00:00Z\n'
        '[source]\npath = "customers.parquet"\n[sink]\npath = "out"\n'
        '[selection.limits.thanks]\ncomponent = "loyal-thanks"\nmaximum = 2\n'
    )
    made = runner.invoke(app, ["factory", "run", str(job), *factory, "--json"])
    assert made.exit_code == 0, made.stderr
    allocation = json.loads((tmp_path / "out" / "run.json").read_text())["allocation"]
    page = tmp_path / "run.html"
    package = ["--package", str(out / "welcome-tone-1.lfpkg")]
    shown = runner.invoke(app, ["report", "run", str(tmp_path / "out"), *package, "--out", str(page)])
    assert shown.exit_code == 0, shown.stderr
    tree = LexborHTMLParser(page.read_text(encoding="utf-8"))
    section = tree.css_first('section[aria-labelledby="limits"]')
    assert f"at most {100 * allocation['gap']:.4f} % below the best" in section.css_first("h2").text()
    assert [cell.text() for cell in section.css("tbody tr")[0].css("th, td")][:3] == [
        "thanks",
        "maximum",
        "✓ kept",
    ]
    assert "2 of at most 2" in section.text()
    assert f"{allocation['repaired']:,}" in [figure.text() for figure in section.css("dd")]
    assert "Decisions for hero" in tree.css_first('section[aria-labelledby="run"]').text()


def test_a_report_of_an_unfinished_run_is_refused(out, tmp_path) -> None:
    package = ["--package", str(out / "welcome-tone-1.lfpkg")]
    result = runner.invoke(
        app, ["report", "run", str(tmp_path), *package, "--out", str(tmp_path / "run.html")]
    )
    assert result.exit_code == 2
    assert "expected a finished run" in result.stderr
