"""A Factory takes in what its host can make, makes it with its own functions and tables, and says with which."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factory_concept import GRADUATION, NOW, concept, people
from typer.testing import CliRunner

import labfactory as lf
from labfactory.base.errors import CompileError, HandoffError, LabfactoryError, RunError, UsageError
from labfactory.cli.app import app
from labfactory.content import Creative, Library, channel
from labfactory.factory import Factory, MemorySink, ParquetSink
from labfactory.selection import ChoiceRule, SelectionPolicy, SlotPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from labfactory.handoff import Package

TEXT = "{{ tier(points) }} {{ money(balance or 0) }} {{ item.title if item else 'no item' }}"
LIBRARY = Library(
    (Creative(name="offer/short", channel=channel("sms"), parts={"text": TEXT}, locale="de_DE"),)
)
MODULE = """
import labfactory as lf, pyarrow as pa, pyarrow.compute as pc

@lf.function({"points": pa.int64()}, returns=pa.string())
def tier(points):
    return pc.if_else(pc.greater(points, LIMIT), "gold", "silver")

functions = lf.Functions(tier)
"""
HOST = """
[functions.shop]
module = "shop.py"
sha256 = "{digest}"
[locales.de_DE]
currency = "EUR"
[tables.item]
path = "items.csv"
key = "number"
on = "points"
[tables.unread]
path = "items.csv"
key = "number"
on = "no_such_column"
"""
ITEMS = pa.table({"number": [1, 2, 3], "title": ["Hat", "Cap", "Tie"], "cost": [9.5, 1.0, 2.0]})


def put_host(folder: Path, *, limit: int = 15, items: pa.Table = ITEMS, text: str = HOST) -> Path:
    """A host's file with what it names beside it."""
    module = MODULE.replace("LIMIT", str(limit))
    (folder / "shop.py").write_text(module)
    pl.DataFrame(items).write_csv(folder / "items.csv")
    digest = hashlib.sha256(module.encode()).hexdigest()
    (folder / "host.toml").write_text(text.replace("{digest}", digest))
    (folder / "host.toml").chmod(0o600)
    return folder / "host.toml"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Package, lf.Trust]:
    """A package that needs a function, a standard one and a table."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "graduation.toml").write_bytes(GRADUATION)
    return concept(
        graduation=folder / "graduation.toml",
        library=LIBRARY,
        creatives=["offer/short"],
        selection=None,
        host=lf.Host.load(put_host(folder)),
    )


def opened(folder: Path, trust: lf.Trust, **host: Any) -> Factory:
    factory = Factory.create(folder / "factory", trust=trust)
    put_host(factory.folder, **host)
    return Factory(factory.folder)


def run_of(factory: Factory, sink: Any, **changed: Any) -> lf.Run:
    settings: dict[str, Any] = {"key": "customer_id", "seed": 7, "now": NOW, "sink": sink} | changed
    return factory.run("welcome-tone@1", people(500), **settings)


def expected(row: dict[str, Any], titles: dict[int, str], limit: int = 15) -> str:
    balance = f"{row['balance'] or 0:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
    tier = "gold" if row["points"] > limit else "silver"
    return f"{tier} {balance}\xa0€ {titles.get(row['points'], 'no item')}"


def test_a_package_names_what_it_needs_and_carries_neither_code_nor_other_entries(
    built: tuple[Package, lf.Trust],
) -> None:
    package, _ = built
    needs = [(need.name, need.locale) for need in package.header.functions]
    assert needs == [("money", "de_DE"), ("tier", None)]
    (table,) = package.header.tables
    assert (table.name, table.key, table.on, table.missing) == ("item", "number", "points", "null")
    assert not any(path.endswith(".py") for path in package.content.files)
    assert not any(b"def tier" in data for data in package.content.files.values())
    golden = package.golden_tables()["item"].data
    assert golden.column_names == ["number", "title"], "what no template reads does not travel"
    held = set(package.golden_rows()["points"].to_pylist())  # type: ignore[index]
    assert set(golden["number"].to_pylist()) == held & {1, 2, 3}
    assert (
        lf.Package.open(package.to_bytes()).golden_tables()["item"].digest
        == package.golden_tables()["item"].digest
    )


def test_a_run_uses_the_factorys_own_functions_and_tables_and_records_them(
    built: tuple[Package, lf.Trust], tmp_path: Path
) -> None:
    package, trust = built
    newer = ITEMS.set_column(1, "title", [["Hut", "Cap", "Tie"]])
    factory = opened(tmp_path, trust, items=newer)
    factory.ingest(package, now=NOW)
    sink = MemorySink()
    run = run_of(factory, sink)
    made = dict(zip(*(sink.table("assets")[name].to_pylist() for name in ("key", "text")), strict=True))
    titles = {1: "Hut", 2: "Cap", 3: "Tie"}
    assert made == {row["customer_id"]: expected(row, titles) for row in people(500).iter_rows(named=True)}
    digest = hashlib.sha256((factory.folder / "shop.py").read_bytes()).hexdigest()
    assert run.manifest["functions"] == {
        "money": {"locale": "de_DE", "currency": "EUR", "zone": "UTC"},
        "tier": {"module": "shop.py", "sha256": digest},
    }
    assert run.manifest["tables"] == {
        "item": {
            "key": "number",
            "on": "points",
            "missing": "null",
            "sha256": lf.Table(newer, "number").digest,
        }
    }
    assert f"shop.py, sha256:{digest[:16]}" in repr(run)
    assert "table item" in repr(run)


def test_a_policys_expressions_call_what_the_host_gives(tmp_path: Path) -> None:
    (tmp_path / "graduation.toml").write_bytes(GRADUATION)
    rules = [ChoiceRule(component="sun", when="tier(points) == 'gold'"), ChoiceRule(component="sea")]
    package, trust = concept(
        graduation=tmp_path / "graduation.toml",
        creatives=["welcome/warm"],
        selection=SelectionPolicy.build("hero-f", hero=SlotPolicy.build(rules=rules)),
        host=lf.Host.load(put_host(tmp_path)),
    )
    # Neither of the creative's templates calls it.
    assert [need.name for need in package.header.functions] == ["tier"]
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    with pytest.raises(HandoffError) as caught:
        opened(lacking, trust, text="").ingest(package, now=NOW)
    assert caught.value.code == "host_lacks"
    factory = opened(tmp_path, trust)
    factory.ingest(package, now=NOW)
    sink = MemorySink()
    run = run_of(factory, sink)
    assert set(run.manifest["functions"]) == {"tier"}
    log = pl.from_arrow(sink.table("decisions"))
    assert isinstance(log, pl.DataFrame)
    points = dict(people(500).select("customer_id", "points").iter_rows())
    for key, component in log.select("key", pl.col("component").cast(pl.String)).iter_rows():
        assert component == ("sun" if points[key] > 15 else "sea")
    few = MemorySink()
    limited = run_of(factory, few, limits={"sun": lf.Limit(component="sun", maximum=50)})
    assert few.table("decisions")["component"].to_pylist().count("sun") == 50
    assert limited.manifest["allocation"]["used"] == {"sun.maximum": 50}
    assert limited.summary.rows == 500
    people(50).write_parquet(tmp_path / "customers.parquet")
    (tmp_path / "job.toml").write_text(JOB.partition("[tables.item]")[0])
    assert factory.run_job(tmp_path / "job.toml").summary.rows == 50


def test_a_run_with_a_table_of_its_own_is_another_run(
    built: tuple[Package, lf.Trust], tmp_path: Path
) -> None:
    package, trust = built
    factory = opened(tmp_path, trust)
    factory.ingest(package, now=NOW)
    first = run_of(factory, ParquetSink(tmp_path / "out"))
    assert run_of(factory, ParquetSink(tmp_path / "out")).manifest == first.manifest
    newer = lf.Table(ITEMS.slice(0, 2), "number", on="points")
    with pytest.raises(RunError, match="it differs in run, tables") as caught:
        run_of(factory, ParquetSink(tmp_path / "out"), tables={"item": newer})
    assert caught.value.code == "sink_in_use"
    other = run_of(factory, MemorySink(), tables={"item": newer})
    assert other.manifest["tables"]["item"]["sha256"] == newer.digest
    assert other.run_id != first.run_id


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("", ["the function 'money' of de_DE", "the function 'tier'", "the table 'item'"]),
        (HOST.replace("de_DE", "de_AT"), ["the function 'money' of de_DE"]),
        (HOST.replace("[tables.item]", "[tables.items]"), ["the table 'item' by 'number' on 'points'"]),
        (HOST.replace('on = "points"', 'on = "points"\nmissing = "skip"'), ["missing 'null'"]),
    ],
)
def test_a_package_is_refused_by_what_the_factory_has_not(
    built: tuple[Package, lf.Trust], tmp_path: Path, text: str, absent: list[str]
) -> None:
    package, trust = built
    factory = opened(tmp_path, trust, text=text)
    with pytest.raises(HandoffError) as caught:
        factory.ingest(package, now=NOW)
    assert caught.value.code == "host_lacks"
    found = caught.value.message.partition("found one without ")[2].split("; ")
    assert len(found) == len(absent)
    assert all(words in told for words, told in zip(absent, found, strict=True))
    assert factory.registry.packages() == []


def test_a_function_that_gives_something_else_is_not_what_was_tested(
    built: tuple[Package, lf.Trust], tmp_path: Path
) -> None:
    package, trust = built
    with pytest.raises(HandoffError) as caught:
        opened(tmp_path, trust, limit=5).ingest(package, now=NOW)
    assert caught.value.code == "golden_differs"


def test_a_table_without_a_field_that_templates_read_is_refused(
    built: tuple[Package, lf.Trust], tmp_path: Path
) -> None:
    package, trust = built
    with pytest.raises(CompileError, match="title"):
        opened(tmp_path, trust, items=ITEMS.drop_columns(["title"])).ingest(package, now=NOW)


def test_a_host_that_changes_later_stops_runs_and_not_the_look_at_packages(
    built: tuple[Package, lf.Trust], tmp_path: Path
) -> None:
    package, trust = built
    factory = opened(tmp_path, trust)
    factory.ingest(package, now=NOW)
    with (factory.folder / "shop.py").open("a") as module:
        module.write("\n# one more line\n")
    again = Factory(factory.folder)
    assert [one.id for one in again.registry.packages()] == ["welcome-tone@1"]
    with pytest.raises(UsageError, match=r"shop\.py of sha256:") as caught:
        run_of(again, MemorySink())
    assert caught.value.code == "host_changed"


def test_a_host_that_others_may_write_is_refused(built: tuple[Package, lf.Trust], tmp_path: Path) -> None:
    factory = opened(tmp_path, built[1])
    (factory.folder / "host.toml").chmod(0o666)
    with pytest.raises(RunError) as caught:
        Factory(factory.folder)
    assert caught.value.code == "factory_unlocked"


JOB = """
package = "welcome-tone@1"
key = "customer_id"
seed = 7
now = 2026-05-01T12:00:00Z
[source]
path = "customers.parquet"
[sink]
path = "out"
[tables.item]
path = "newer.parquet"
key = "number"
on = "points"
"""


@pytest.fixture
def job(built: tuple[Package, lf.Trust], tmp_path: Path) -> tuple[Factory, Path]:
    """A Factory, and the file of a job with a table of its own."""
    package, trust = built
    factory = opened(tmp_path, trust)
    factory.ingest(package, now=NOW)
    people(50).write_parquet(tmp_path / "customers.parquet")
    pq.write_table(ITEMS.set_column(1, "title", [["A", "B", "C"]]), tmp_path / "newer.parquet")
    (tmp_path / "job.toml").write_text(JOB)
    return factory, tmp_path / "job.toml"


def test_a_job_may_bring_tables(job: tuple[Factory, Path]) -> None:
    factory, path = job
    run = factory.run_job(path)
    newer = lf.Table(path.parent / "newer.parquet", "number")
    assert run.manifest["tables"]["item"]["sha256"] == newer.digest
    assert json.loads((path.parent / "out" / "run.json").read_bytes())["tables"] == run.manifest["tables"]
    made = pl.read_parquet(path.parent / "out" / "assets" / "*.parquet")
    titles = {1: "A", 2: "B", 3: "C"}
    wanted = {row["customer_id"]: expected(row, titles) for row in people(50).iter_rows(named=True)}
    assert dict(zip(made["key"], made["text"], strict=True)) == wanted


@pytest.mark.parametrize(
    ("wrong", "codes"),
    [
        (("newer.parquet", "absent.parquet"), ["source_unreadable"]),
        (('key = "number"', 'key = "no"'), ["table_key"]),
        (('on = "points"', 'on = "customer_id"'), ["host_lacks"]),
        (('"newer.parquet"\nkey = "number"', '"twice.csv"\nkey = "number"'), ["table_key"]),
        (('"newer.parquet"\nkey = "number"', '"texts.csv"\nkey = "number"'), ["table_key"]),
        (
            ('[tables.item]\npath = "newer', '[audit]\npath = "absent.toml"\n[tables.item]\npath = "absent'),
            ["source_unreadable", "audit_rule"],
        ),
    ],
)
def test_a_job_whose_table_will_not_do_is_refused_before_the_first_row(
    job: tuple[Factory, Path], wrong: tuple[str, str], codes: list[str]
) -> None:
    factory, path = job
    (path.parent / "twice.csv").write_text("number,title\n1,a\n1,b\n")
    (path.parent / "texts.csv").write_text("number,title\none,a\ntwo,b\n")
    path.write_text(JOB.replace(*wrong))
    with pytest.raises(LabfactoryError) as caught:
        factory.run_job(path)
    problems = getattr(caught.value, "problems", [caught.value])
    assert sorted(problem.code for problem in problems) == sorted(codes)
    assert not (path.parent / "out").exists()


def test_golden_rows_that_find_nothing_in_a_table_are_made_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "graduation.toml").write_bytes(GRADUATION)
    host = lf.Host.load(put_host(tmp_path, items=ITEMS.set_column(0, "number", [[-1, -2, -3]])))
    package, trust = concept(
        graduation=tmp_path / "graduation.toml",
        library=LIBRARY,
        creatives=["offer/short"],
        selection=None,
        host=host,
    )
    assert package.golden_tables()["item"].data.num_rows == 0
    assert opened(tmp_path, trust).ingest(package, now=NOW).id == package.id


def test_a_table_that_is_named_and_never_read_is_needed_and_travels_without_fields(tmp_path: Path) -> None:
    (tmp_path / "graduation.toml").write_bytes(GRADUATION)
    shared = lf.Environment(loader={"first.j2": "Hi", "second.j2": "{{ item.title }}"})
    parts = {"text": "{% include ['first.j2', 'second.j2'] %}"}
    (creative,) = LIBRARY.creatives
    package, trust = concept(
        graduation=tmp_path / "graduation.toml",
        library=Library((replace(creative, parts=parts, environment=shared),)),
        creatives=["offer/short"],
        selection=None,
        host=lf.Host.load(put_host(tmp_path)),
    )
    assert package.golden_tables()["item"].data.column_names == ["number"]
    assert opened(tmp_path, trust).ingest(package, now=NOW).id == package.id


def test_golden_tables_that_were_tampered_with_are_refused(built: tuple[Package, lf.Trust]) -> None:
    from labfactory.handoff.golden_tables import read_tables

    package, _ = built
    lines = package.content.files["golden/tables.jsonl"]
    needs = package.header.tables
    assert set(read_tables(lines, needs)) == {"item"}
    for data, wanted in (
        (b"", needs),
        (lines, ()),
        (lines.replace(b'"title"', b'"number"'), needs),
        (b"[]\n", needs),
    ):
        with pytest.raises(HandoffError) as caught:
            read_tables(data, wanted)
        assert caught.value.code == "golden_malformed"


def test_the_command_line_shows_needs_and_what_meets_them(
    built: tuple[Package, lf.Trust], tmp_path: Path
) -> None:
    package, trust = built
    package.save(tmp_path / "offer.lfpkg")
    factory = opened(tmp_path, trust)
    runner, place = CliRunner(), ["--factory", str(factory.folder)]
    text = runner.invoke(app, ["handoff", "inspect", str(tmp_path / "offer.lfpkg")])
    assert "needs of its host: the function 'money' of de_DE" in text.stdout
    shown = json.loads(
        runner.invoke(app, ["handoff", "inspect", str(tmp_path / "offer.lfpkg"), "--json"]).stdout
    )
    assert [need["name"] for need in shown["functions"] + shown["tables"]] == ["money", "tier", "item"]
    given = json.loads(runner.invoke(app, ["factory", "host", *place, "--json"]).stdout)
    assert given["functions"]["tier"]["sha256"] == factory.host.origins["tier"]["sha256"]
    assert given["tables"]["item"] == factory.host.tables["item"].to_dict()
    listed = runner.invoke(app, ["factory", "host", *place])
    assert listed.exit_code == 0
    assert "de_DE" in listed.stdout
    (factory.folder / "host.toml").write_text("")
    taken = [
        "factory",
        "ingest",
        str(tmp_path / "offer.lfpkg"),
        "--now",
        "2026-05-01T12:00:00Z",
        *place,
        "--json",
    ]
    refused = runner.invoke(app, taken)
    assert (refused.exit_code, json.loads(refused.stderr)["error"]["code"]) == (1, "host_lacks")


def test_a_host_that_changed_is_told_with_all_else_that_is_wrong_with_a_job(
    job: tuple[Factory, Path],
) -> None:
    factory, path = job
    with (factory.folder / "shop.py").open("a") as module:
        module.write("\n# one more line\n")
    path.write_text(JOB.replace("customers.parquet", "absent.parquet"))
    with pytest.raises(LabfactoryError) as caught:
        Factory(factory.folder).run_job(path)
    problems = getattr(caught.value, "problems", [])
    assert [problem.code for problem in problems] == ["host_changed", "source_unreadable"]


def test_a_function_is_asked_once_for_each_arguments_of_a_shard(
    built: tuple[Package, lf.Trust], tmp_path: Path
) -> None:
    package, trust = built
    factory = opened(tmp_path, trust)
    factory.ingest(package, now=NOW)
    asked: list[int] = []
    tier = factory.host.functions["tier"]
    inner = tier.call

    def counted(points: pa.Array) -> pa.Array:
        asked.extend(points.to_pylist())
        return inner(points)

    object.__setattr__(tier, "call", counted)
    run_of(factory, MemorySink(), batch_rows=20, shard_rows=250, threads=2)
    halves = [set(people(500)["points"][start : start + 250]) for start in (0, 250)]
    assert sorted(asked) == sorted([*halves[0], *halves[1]])
