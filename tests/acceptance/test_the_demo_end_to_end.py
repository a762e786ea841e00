"""`labfactory demo` end to end: its totals are on disk, its page opens, it takes customers of one's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from acceptance_command import labfactory
from acceptance_runs import output, population, rows
from customer_files import as_csv, as_parquet

from labfactory.handoff import Package, Trust
from labfactory.samples import BadRows
from labfactory.samples.walk import NOW

if TYPE_CHECKING:
    from pathlib import Path

PAGE_BYTES = 1 << 20
# Customers of one's own are those of the experiment, too: fewer would not be enough for the verdict.
OWN_CUSTOMERS = 24_000
OWN_BAD = BadRows(null_key=1e-3, duplicate_key=1e-3, null_price=1e-3)


def summary_of(demo: Path) -> dict[str, Any]:
    return json.loads((demo.parent / "summary.json").read_text(encoding="utf-8"))


def test_the_totals_are_the_rows_on_disk(demo: Path) -> None:
    summary, run = summary_of(demo), demo / "run"
    assets, decisions, aside = (
        pl.read_parquet(run / kind / "*.parquet") for kind in ("assets", "decisions", "quarantine")
    )
    assert summary["rows"] == 3_000
    assert (
        summary["assets"] + sum(summary["skipped"].values()) + sum(summary["quarantined"].values()) == 3_000
    )
    assert assets.height == summary["assets"]
    assert aside.height == sum(summary["quarantined"].values()) > 0
    assert dict(aside.group_by("code").len().iter_rows()) == summary["quarantined"]
    assert assets["key"].n_unique() == assets.height
    assert decisions.height == 3_000 - aside.filter(stage="key").height
    assert set(assets["key"]) <= set(decisions["key"])
    assert decisions.filter((pl.col("propensity") <= 0) | (pl.col("propensity") > 1)).is_empty()
    parts = [pl.col(part) for part in ("subject", "preheader", "html", "text")]
    assert (
        assets.select(pl.sum_horizontal(part.str.len_bytes().sum() for part in parts)).item()
        == summary["size_bytes"]
    )
    assert assets["html"].str.len_bytes().min() >= 2_048

    manifest = json.loads((run / "run.json").read_bytes())
    assert manifest["totals"]["assets"] == summary["assets"]
    named = {
        file["name"]: file["size_bytes"] for shard in manifest["shards"] for file in shard["files"].values()
    }
    found = {path.relative_to(run).as_posix(): path.stat().st_size for path in run.glob("*/*.parquet")}
    assert found == named
    assert not (run / ".work").exists()


def test_the_page_can_be_opened(demo: Path) -> None:
    page = (demo / "index.html").read_text(encoding="utf-8")
    assert summary_of(demo)["page"] == str(demo / "index.html")
    assert len(page.encode()) < PAGE_BYTES
    assert page.startswith("<!DOCTYPE html>")
    assert "</html>" in page
    assert "welcome-tone" in page


def test_the_package_verifies_by_the_trust_file_beside_it(demo: Path) -> None:
    package = Package.open(demo / "welcome-tone-1.lfpkg")
    package.verify(Trust.load(demo / "keys" / "trust.json"), NOW)
    assert {path.stat().st_mode & 0o077 for path in (demo / "keys").glob("*.key")} == {0}


@pytest.fixture(scope="module")
def by_file(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo over the same customers from a Parquet and a CSV file."""
    people, made = population(OWN_CUSTOMERS, OWN_BAD), {}
    for kind, write in (("parquet", as_parquet), ("csv", as_csv)):
        folder = tmp_path_factory.mktemp(kind)
        done = labfactory(
            "demo", "--data", str(write(people, folder)), "--out", str(folder / "out"), "--json"
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["rows"] == OWN_CUSTOMERS
        made[kind] = folder / "out" / "run"
    return made


def test_customers_of_a_csv_get_what_those_of_a_parquet_file_get(by_file: dict[str, Path]) -> None:
    made = output(by_file["parquet"])
    assert output(by_file["csv"]) == made
    assert sorted({name.split("/")[0] for name in made}) == ["assets", "decisions", "quarantine"]
    assert {row["code"] for row in rows(by_file["csv"], "quarantine")} == {
        "null_key",
        "duplicate_key",
        "type_error",
    }
