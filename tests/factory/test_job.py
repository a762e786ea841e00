"""A job's file is read strictly, and every fault in it is told at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from labfactory.base.errors import UsageError
from labfactory.factory import Job

WHOLE = """
package = "welcome-tone@1"
key = "customer_id"
seed = 7
now = 2026-05-01T12:00:00Z
creative = "welcome/warm"
threads = 1

[source]
path = "customers.parquet"
columns = { first_name = "fname" }

[sink]
path = "out"

[audit]
path = "rules.toml"

[limits]
quarantined_share = 0.1
shard_rows = 1000
"""


def load(folder: Path, text: str) -> Job:
    (folder / "job.toml").write_text(text)
    return Job.load(folder / "job.toml")


def test_a_whole_job_is_read_with_its_paths_beside_it(tmp_path: Path) -> None:
    job = load(tmp_path, WHOLE)
    assert (job.package, job.key, job.seed, job.threads) == ("welcome-tone@1", "customer_id", 7, 1)
    assert job.now == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert Path(job.source.path) == tmp_path / "customers.parquet"
    assert Path(job.sink.path) == tmp_path / "out"
    assert job.audit is not None
    assert Path(job.audit.path) == tmp_path / "rules.toml"
    assert job.source.columns == {"first_name": "fname"}
    assert (job.limits.quarantined_share, job.limits.shard_rows, job.limits.batch_rows) == (0.1, 1000, 4096)


def test_all_faults_of_a_job_are_told_at_once(tmp_path: Path) -> None:
    text = WHOLE.replace("seed = 7", "seed = -1").replace("2026-05-01T12:00:00Z", '"tomorrow"')
    text = text.replace("quarantined_share = 0.1", "quarantined_share = 3.0")
    text = text.replace('path = "out"', "pth = 1")
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    assert caught.value.code == "settings"
    for place in ("seed", "now", "sink.path", "sink.pth", "limits.quarantined_share"):
        assert f"{place}:" in caught.value.message


def test_a_moment_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="time zone"):
        load(tmp_path, WHOLE.replace("12:00:00Z", "12:00:00"))


def test_functions_of_the_host_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="functions: ") as caught:
        load(tmp_path, 'functions = ["money"]\n' + WHOLE)
    assert caught.value.code == "settings"


def test_a_job_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected TOML"):
        load(tmp_path, "package = ")
