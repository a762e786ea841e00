"""Bad input ends in one form of error and its exit code, and leaves nothing half-written."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from acceptance_command import labfactory, labfactory_here, started
from acceptance_runs import SEED, files, job, made, output, population
from customer_files import as_csv, as_parquet

from labfactory.base.errors import SourceError
from labfactory.factory import Factory
from labfactory.handoff import Package
from labfactory.samples import folder as sample_folder
from labfactory.samples.walk import NOW

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

MOMENT = NOW.isoformat()
# The largest file that the process may write, in bytes; without the signal, writing fails as on a full disk.
FULL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
"""
HIDDEN = re.compile(r"(^|/)\.")


def check_error(done: subprocess.CompletedProcess[str], *, exit_code: int, kind: str, says: str) -> None:
    """Hold an ended command to the one form of errors, on stderr, after any lines of progress."""
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("labfactory.")]
    assert len(heads) == 1, done.stderr
    head, *rest = lines[heads[0] :]
    assert head.startswith(f"labfactory.{kind}: ")
    assert says in "\n".join([head, *rest])
    assert all(line.startswith("  ") for line in rest), done.stderr


def whole_files(folder: Path) -> set[str]:
    """What a reader sees in a folder: files that are not hidden; every Parquet file among them is whole."""
    for path in folder.rglob("*.parquet"):
        if not HIDDEN.search(path.relative_to(folder).as_posix()):
            pq.read_table(path)
    return {name for name in files(folder) if not HIDDEN.search(name)}


@pytest.fixture(scope="module")
def people() -> pa.Table:
    return population(300)


@pytest.fixture(scope="module")
def customer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("customers") / "customers.parquet"
    pq.write_table(population(), path, row_group_size=300)
    return path


def run_job(demo: Path, path: Path, *words: str, factory: Path | None = None, **how: Any) -> Any:
    return labfactory(
        "factory", "run", str(path), "--factory", str(factory or demo / "factory"), *words, **how
    )


# Customers that cannot be read as what they should be


def without_points(people: pa.Table) -> pa.Table:
    return people.drop_columns(["points"])


def with_text_points(people: pa.Table) -> pa.Table:
    at = people.column_names.index("points")
    words = pa.array(["many"] * people.num_rows)
    return people.set_column(at, "points", words)


def cut_short(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def emptied(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def gone(path: Path) -> Path:
    path.unlink()
    return path


def same(path: Path) -> Path:
    return path


BAD_FILES = {
    "a CSV without a column": (labfactory, without_points, as_csv, same, "no column 'points'"),
    "a CSV of wrong types": (labfactory, with_text_points, as_csv, same, "in column 'points', found 'many'"),
    "a truncated Parquet file": (labfactory, same, as_parquet, cut_short, "may be cut short"),
    "an empty CSV": (labfactory_here, same, as_csv, emptied, "Empty CSV file"),
    "a Parquet file without a column": (
        labfactory_here,
        without_points,
        as_parquet,
        same,
        "no column 'points'",
    ),
    "a Parquet file of wrong types": (
        labfactory_here,
        with_text_points,
        as_parquet,
        same,
        "in column 'points'",
    ),
    "no file": (labfactory_here, same, as_parquet, gone, "there is no file 'customers.parquet'"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_the_demo_refuses(name: str, people: pa.Table, tmp_path: Path) -> None:
    run, spoil, write, damage, says = BAD_FILES[name]
    path = damage(write(spoil(people), tmp_path))
    words = ("demo", "--data", str(path), "--out", str(tmp_path / "out"))
    check_error(run(*words), exit_code=3, kind="SourceError", says=says)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("spoil", "code"), [(without_points, "missing_column"), (with_text_points, "column_type")]
)
def test_the_demo_tells_machines_the_code(
    people: pa.Table, tmp_path: Path, spoil: Callable[[pa.Table], pa.Table], code: str
) -> None:
    path = as_csv(spoil(people), tmp_path)
    done = labfactory_here("demo", "--data", str(path), "--out", str(tmp_path / "out"), "--json")
    assert (done.returncode, done.stdout) == (3, "")
    error = json.loads(done.stderr)["error"]
    assert (error["kind"], error["code"]) == ("SourceError", code)


BAD_SOURCES = {
    "a missing column": (labfactory, without_points, same, 2, "CompileError", "unknown column 'points'"),
    "a truncated file": (labfactory, same, cut_short, 3, "SourceError", "may be cut short"),
    "wrong types": (labfactory_here, with_text_points, same, 2, "CompileError", "selection.toml"),
    "no file": (labfactory_here, same, gone, 3, "SourceError", "there is no file"),
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_a_job_is_refused_for(demo: Path, people: pa.Table, tmp_path: Path, name: str) -> None:
    run, spoil, damage, exit_code, kind, says = BAD_SOURCES[name]
    path = damage(as_parquet(spoil(people), tmp_path))
    before = files(demo / "factory")
    done = run("factory", "run", str(job(tmp_path, path)), "--factory", str(demo / "factory"))
    check_error(done, exit_code=exit_code, kind=kind, says=says)
    assert not (tmp_path / "out").exists()
    assert files(demo / "factory") == before


def test_a_file_that_breaks_off_midway_leaves_no_output(demo: Path, tmp_path: Path) -> None:
    """Its footer is whole, so that the fault shows only when the rows are read."""
    path = tmp_path / "customers.parquet"
    pq.write_table(population(), path, row_group_size=300)
    data = bytearray(path.read_bytes())
    middle = pq.ParquetFile(path).metadata.row_group(4)
    # The page header of a column that the run reads only when it makes the shard.
    start = middle.column(18).data_page_offset
    data[start : start + 64] = bytes(64)
    path.write_bytes(data)
    done = run_job(demo, job(tmp_path, path, shape={"shard_rows": 300, "batch_rows": 100}))
    check_error(done, exit_code=3, kind="SourceError", says="customers.parquet")
    assert not (tmp_path / "out" / "run.json").exists()
    assert not (tmp_path / "out" / ".work").exists()
    assert len(list((tmp_path / "out" / "assets").iterdir())) == len(
        list((tmp_path / "out" / "commits").iterdir())
    )
    whole_files(tmp_path / "out")


def test_a_reader_that_was_read_before_is_refused(demo: Path, people: pa.Table, tmp_path: Path) -> None:
    reader = people.to_reader()
    made(demo, tmp_path / "first", reader)
    with pytest.raises(SourceError) as caught:
        made(demo, tmp_path / "second", reader)
    assert caught.value.code == "source_consumed"
    assert not (tmp_path / "second").exists()


def test_a_stream_that_others_used_up_is_refused(demo: Path, people: pa.Table, tmp_path: Path) -> None:
    reader = people.to_reader()
    reader.read_all()
    with pytest.raises(SourceError) as caught:
        made(demo, tmp_path / "out", reader)
    assert caught.value.code == "source_empty"
    assert "read before" in str(caught.value)
    assert not (tmp_path / "out").exists()


# Content and packages that are not what they should be


def test_a_template_with_an_unknown_column_is_shown(demo: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    shutil.copytree(sample_folder() / "library", library)
    subject = library / "welcome" / "warm" / "subject.j2"
    subject.write_text("Hi {{ first_nme }}", encoding="utf-8")
    done = labfactory("content", "preview", str(library), "welcome/warm")
    check_error(done, exit_code=2, kind="CompileError", says="unknown column 'first_nme'")
    assert done.stderr == (
        "labfactory.CompileError: unknown column 'first_nme'\n"
        "  --> welcome/warm.subject:1:7\n"
        "   1 | Hi {{ first_nme }}\n"
        "     |       ^^^^^^^^^\n"
        "  hint: did you mean 'first_name'? " + done.stderr.split("did you mean 'first_name'? ")[1]
    )
    done = labfactory_here("content", "check", str(library), "--data", "sample", "--json")
    assert done.returncode == 2
    assert [one["code"] for one in json.loads(done.stderr)["error"]["problems"]] == ["unknown_column"]


def tampered(package: Path, folder: Path) -> Path:
    data = bytearray(package.read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "tampered.lfpkg").write_bytes(data)
    return folder / "tampered.lfpkg"


def test_a_tampered_package_is_refused_everywhere(demo: Path, tmp_path: Path) -> None:
    package = tampered(demo / "welcome-tone-1.lfpkg", tmp_path)
    trust = ("--trust", str(demo / "keys" / "trust.json"))
    done = labfactory("handoff", "verify", str(package), *trust, "--now", MOMENT)
    check_error(done, exit_code=1, kind="HandoffError", says="does not match")

    Factory.create(tmp_path / "factory", trust=demo / "keys" / "trust.json")
    before = files(tmp_path / "factory")
    words = ("factory", "ingest", str(package), "--factory", str(tmp_path / "factory"), "--now", MOMENT)
    check_error(labfactory(*words), exit_code=1, kind="HandoffError", says="does not match")
    assert files(tmp_path / "factory") == before


def test_a_package_that_was_tampered_with_in_the_factory_makes_nothing(
    demo: Path, customer_file: Path, tmp_path: Path
) -> None:
    factory = tmp_path / "factory"
    shutil.copytree(demo / "factory", factory)
    (package,) = (factory / "packages").iterdir()
    package.chmod(0o600)
    tampered(package, tmp_path).replace(package)
    done = run_job(demo, job(tmp_path, customer_file), factory=factory)
    check_error(done, exit_code=1, kind="HandoffError", says="expected the container sha256:")
    assert not (tmp_path / "out").exists()


def test_a_refused_verdict_ends_with_1_and_hands_nothing_over(people: pa.Table, tmp_path: Path) -> None:
    """Three hundred customers are too few for an experiment that shows anything."""
    done = labfactory("demo", "--data", str(as_parquet(people, tmp_path)), "--out", str(tmp_path / "out"))
    assert done.returncode == 1, done.stderr
    assert re.search(r"^  sample welcome/warm +fail ", done.stdout, re.MULTILINE)
    assert done.stderr.startswith("The verdict is refused")
    assert whole_files(tmp_path / "out") == {"verdict.json"}
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_bytes())
    assert "refused" in json.dumps(verdict)


# Places that cannot be written


def test_an_output_folder_in_use_is_left_alone(demo: Path, customer_file: Path, tmp_path: Path) -> None:
    made(demo, tmp_path / "out", customer_file)
    before = files(tmp_path / "out")
    path = job(tmp_path, customer_file)
    path.write_text(path.read_text().replace(f"seed = {SEED}", "seed = 8"), encoding="utf-8")
    done = run_job(demo, path)
    says = "holds the output of another run: it differs in run, seed"
    check_error(done, exit_code=3, kind="RunError", says=says)
    assert files(tmp_path / "out") == before
    made(demo, tmp_path / "out", customer_file)
    assert files(tmp_path / "out") == before, "the run that is there may be asked for again"


def test_the_demo_writes_into_no_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    done = labfactory_here("demo", "--customers", "100", "--out", str(tmp_path))
    check_error(done, exit_code=2, kind="UsageError", says="in use")
    assert whole_files(tmp_path) == {"notes.txt"}


@pytest.fixture(scope="module")
def uninterrupted(demo: Path, customer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted") / "out"
    made(demo, folder, customer_file)
    return folder


@pytest.mark.parametrize("largest", [5_000, 60_000])
def test_a_full_disk_ends_a_run_in_order_and_room_lets_it_go_on(
    demo: Path, customer_file: Path, uninterrupted: Path, tmp_path: Path, largest: int
) -> None:
    path = job(tmp_path, customer_file)
    done = run_job(demo, path, before=FULL_DISK.format(largest))
    says = "disk I/O error" if largest == 5_000 else "no room to write below"
    check_error(done, exit_code=3, kind="RunError", says=says)
    left = output(tmp_path / "out")
    assert left.items() <= output(uninterrupted).items()
    assert not list(tmp_path.rglob("*.tmp"))
    assert not (tmp_path / "out" / "run.json").exists()
    made(demo, tmp_path / "out", customer_file)
    assert files(tmp_path / "out") == files(uninterrupted)


@pytest.mark.parametrize("largest", [100, 300_000])
def test_a_full_disk_ends_the_demo_without_half_a_file(tmp_path: Path, largest: int) -> None:
    out = tmp_path / "out"
    done = labfactory("demo", "--customers", "3000", "--out", str(out), before=FULL_DISK.format(largest))
    check_error(
        done, exit_code=3, kind="RunError", says="file too large" if largest > 200_000 else "File too large"
    )
    names = whole_files(out)
    assert not list(out.rglob("*.tmp"))
    assert "index.html" not in names
    assert "run/run.json" not in names
    for key in out.glob("keys/*"):
        json.loads(key.read_bytes())
    for package in out.rglob("*.lfpkg"):
        Package.open(package)


# Interrupts


def test_an_interrupted_run_ends_with_4_and_the_same_command_goes_on(demo: Path, tmp_path: Path) -> None:
    people = population(12_000)
    source = as_parquet(people, tmp_path)
    shape = {"shard_rows": 1_000, "batch_rows": 100}
    words = ("factory", "run", str(job(tmp_path, source, shape=shape, extra="threads = 1")))
    words = (*words, "--factory", str(demo / "factory"))
    pq.write_table(people, source, row_group_size=1_000)
    with started(*words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("make the assets: ") and _rows(line) >= 3_000:
                process.send_signal(signal.SIGINT)
                break
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 4, rest
    assert rest.splitlines()[-1] == "interrupted"
    assert not (tmp_path / "out" / "run.json").exists()
    assert not (tmp_path / "out" / ".work").exists()
    left = output(tmp_path / "out")
    assert left

    done = labfactory(*words, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert 0 < summary["resumed_shards"] < summary["shards"] == 12
    made(demo, tmp_path / "whole", source, **shape)
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert left.items() < output(tmp_path / "whole").items()


def _rows(line: str) -> int:
    return int(line.split(": ")[1].split(" of ")[0].replace(",", ""))


def test_an_interrupted_demo_ends_with_4_and_leaves_whole_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started("demo", "--customers", "100000", "--out", str(out)) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("make the assets: "):
                process.send_signal(signal.SIGINT)
                break
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 4, rest
    assert rest.splitlines()[-1] == "interrupted"
    names = whole_files(out)
    assert "index.html" not in names
    assert "run/run.json" not in names
    assert not (out / "run" / ".work").exists()
