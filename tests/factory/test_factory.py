"""A Factory takes in what is signed and whole, and makes assets of that alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jinja2
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factory_concept import BUILT, GRADUATION, HTML, LIBRARY, NOW, SELECTION, concept, people, ready

from labfactory.audit import AuditRules, Rule
from labfactory.base.errors import (
    CompileError,
    GovernanceError,
    HandoffError,
    LabfactoryError,
    RunError,
    SourceError,
    UsageError,
)
from labfactory.base.identity import engine_identity
from labfactory.compiler import Environment
from labfactory.content import Creative, Library, Translation, channel
from labfactory.factory import Factory, Job, MemorySink, ParquetSink, Run
from labfactory.handoff import Trust, golden_renderer

if TYPE_CHECKING:
    from pathlib import Path


def made(factory: Factory, source: Any, **changed: Any) -> tuple[Run, MemorySink]:
    sink = MemorySink()
    settings: dict[str, Any] = {"key": "customer_id", "seed": 7, "now": NOW, "sink": sink} | changed
    return factory.run("welcome-tone@1", source, **settings), sink


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Factory:
    return ready(tmp_path_factory.mktemp("factory"))[0]


def test_assets_are_what_jinja2_makes_of_the_decisions(factory: Factory) -> None:
    frame = people(2_000)
    run, sink = made(factory, frame, batch_rows=300)
    log = pl.from_arrow(sink.table("decisions"))
    heroes = dict(zip(log["key"], log["component"].cast(pl.String), strict=True))
    assert set(heroes.values()) == {"sea", "sun"}
    environment = jinja2.Environment(autoescape=True)
    whole = environment.from_string(HTML.replace("{{ slot('hero') }}", "{{ hero | safe }}"))
    sources = {name: LIBRARY.component("hero", name).parts["html"] for name in ("sea", "sun")}
    components = {name: environment.from_string(source) for name, source in sources.items()}
    expected = {}
    for row in frame.filter(pl.col("balance").is_not_null()).iter_rows(named=True):
        context = {**row, "now": NOW}
        hero = components[heroes[row["customer_id"]]].render(context)
        expected[row["customer_id"]] = whole.render(context, hero=hero)
    assets = sink.table("assets")
    assert dict(zip(assets["key"].to_pylist(), assets["html"].to_pylist(), strict=True)) == expected
    unpriced = frame["balance"].null_count()
    assert (run.summary.assets, sum(run.summary.quarantined.values())) == (2_000 - unpriced, unpriced)


def test_the_decision_log_has_propensities_and_respects_eligibility(factory: Factory) -> None:
    frame = people(2_000)
    _, sink = made(factory, frame)
    log = pl.from_arrow(sink.table("decisions")).join(frame, left_on="key", right_on="customer_id")
    few = log.filter(pl.col("points") < 10)
    assert set(few["component"]) == {"sea"}
    assert set(few["propensity"]) == {1.0}
    assert log["propensity"].is_between(0, 1, closed="right").all()
    assert set(log["policy_version"]) == {"hero-1"}


def test_threads_batches_and_sources_change_no_value(factory: Factory, tmp_path: Path) -> None:
    frame = people(3_000)
    frame.write_parquet(tmp_path / "c.parquet", row_group_size=500)
    runs: list[tuple[Any, dict[str, Any]]] = [
        (frame, {"threads": 1}),
        (frame.lazy(), {"threads": 2, "batch_rows": 64}),
        (tmp_path / "c.parquet", {"shard_rows": 1_000}),
        (frame.to_arrow(), {"shard_rows": 999, "batch_rows": 100_000}),
    ]
    results = [made(factory, source, **settings)[1] for source, settings in runs]
    for kind in ("assets", "decisions", "quarantine"):
        tables = [pl.from_arrow(result.table(kind)) for result in results]
        assert all(table.equals(tables[0]) for table in tables), kind


def test_a_run_is_written_resumed_and_entered_once_in_the_ledger(factory: Factory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    entries = len(factory.ledger.entries("run"))
    first, _ = made(factory, people(1_000), sink=ParquetSink(out), shard_rows=400)
    second, _ = made(factory, people(1_000), sink=ParquetSink(out), shard_rows=400)
    assert second.manifest == first.manifest
    assert (second.summary.made, second.summary.resumed_shards) == (0, 3)
    assert pq.read_table(out / "assets").num_rows == first.summary.assets
    (entry,) = factory.ledger.entries("run")[entries:]
    assert entry.body["run"] == first.run_id
    manifest = json.loads((out / "run.json").read_bytes())
    assert manifest["root"] == factory.registry.find("welcome-tone@1").root
    said = [manifest[name] for name in ("seed", "now", "creative", "key")]
    assert said == [7, "2026-05-01T12:00:00Z", "welcome/warm", "customer_id"]
    assert manifest["engine"] == engine_identity().to_dict()


def test_assets_that_break_a_rule_are_quarantined(factory: Factory) -> None:
    rules = AuditRules((Rule("forbidden_text", "html", text="Łukasz"),))
    run, sink = made(factory, people(1_000), audit=rules)
    frame = people(1_000).filter(pl.col("balance").is_not_null())
    aside = pl.from_arrow(sink.table("quarantine")).filter(stage="audit")
    assert aside["key"].to_list() == frame.filter(first_name="Łukasz")["customer_id"].to_list()
    assert set(aside["code"]) == {"audit_forbidden_text"}
    assert not any("Łukasz" in html for html in sink.table("assets")["html"].to_pylist())
    assert run.summary.quarantined["audit_forbidden_text"] == aside.height


def test_the_channels_rules_hold_whatever_a_run_asks(factory: Factory) -> None:
    frame = people(3).with_columns(first_name=pl.Series(["Ann\nBcc: x@y.z", "{{ Bo }}", "Cy"]))
    for audit in (None, AuditRules(())):
        settings = {"audit": audit, "max_quarantined_share": 1.0}
        run, sink = made(factory, frame.with_columns(balance=1.0), **settings)
        assert sink.table("assets")["key"].to_pylist() == [2]
        assert run.summary.quarantined == {"audit_no_delimiters": 1, "audit_single_line": 1}


def test_other_rules_are_another_run(factory: Factory, tmp_path: Path) -> None:
    made(factory, people(10), sink=ParquetSink(tmp_path / "out"))
    rules = AuditRules((Rule("forbidden_text", "html", text="x"),))
    with pytest.raises(RunError, match="it differs in audit, run") as caught:
        made(factory, people(10), sink=ParquetSink(tmp_path / "out"), audit=rules)
    assert caught.value.code == "sink_in_use"


def test_golden_assets_are_judged_and_linted() -> None:
    render = golden_renderer(LIBRARY, ["welcome/warm", "welcome/short"], SELECTION, now=BUILT)
    made_here = render(people(3).with_columns(balance=pl.Series([1.0, 2.0, None])).to_arrow())
    states = [(asset["creative"], asset["row"], asset["status"]) for asset in made_here["assets"]]
    assert states == [
        ("welcome/warm", 0, "ok"),
        ("welcome/warm", 1, "ok"),
        ("welcome/warm", 2, "error"),
        ("welcome/short", 0, "ok"),
        ("welcome/short", 1, "ok"),
        ("welcome/short", 2, "ok"),
    ]
    assert {asset["slots"].get("hero") for asset in made_here["assets"]} <= {"sea", "sun", None}
    errors = {finding["code"] for finding in made_here["findings"] if finding["severity"] == "error"}
    warnings = {finding["code"] for finding in made_here["findings"] if finding["severity"] == "warning"}
    assert "audit_required_link" in errors, "the standard rules of e-mail ask for a link to unsubscribe"
    assert "lint_lang" in warnings


def test_golden_assets_can_be_held_to_rules_of_ones_own() -> None:
    render = golden_renderer(LIBRARY, ["welcome/warm"], SELECTION, now=BUILT, audit=AuditRules(()))
    findings = render(people(5).with_columns(balance=1.0).to_arrow())["findings"]
    assert {finding["severity"] for finding in findings} == {"warning"}


def test_other_seeds_decide_otherwise(factory: Factory) -> None:
    one, other = (made(factory, people(500), seed=seed)[1].table("decisions")["component"] for seed in (1, 2))
    assert one.to_pylist() != other.to_pylist()


def test_columns_of_other_names_are_mapped(factory: Factory) -> None:
    frame = people(300)
    _, expected = made(factory, frame)
    renamed = frame.rename({"first_name": "fname", "customer_id": "first_name", "phone": "points_old"})
    _, sink = made(factory, renamed, key="first_name", columns={"first_name": "fname"})
    assert sink.table("assets").equals(expected.table("assets"))


def test_only_columns_that_are_read_are_spooled(factory: Factory) -> None:
    run, _ = made(factory, people(100).with_columns(extra=pl.lit("x" * 1000)))
    plain, _ = made(factory, people(100))
    assert run.manifest["source"] == plain.manifest["source"]


def test_a_missing_column_is_named_before_the_first_row(factory: Factory, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="first_name"):
        made(factory, people(10).drop("first_name"), sink=ParquetSink(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_csv_without_the_key_is_refused(factory: Factory, tmp_path: Path) -> None:
    people(10).drop("customer_id").write_csv(tmp_path / "c.csv")
    with pytest.raises(SourceError, match="no column 'customer_id'"):
        made(factory, tmp_path / "c.csv")


def test_a_truncated_file_is_refused(factory: Factory, tmp_path: Path) -> None:
    people(1_000).write_parquet(tmp_path / "c.parquet")
    data = (tmp_path / "c.parquet").read_bytes()
    (tmp_path / "c.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError) as caught:
        made(factory, tmp_path / "c.parquet", sink=ParquetSink(tmp_path / "out"))
    assert caught.value.code == "source_unreadable"
    assert not (tmp_path / "out").exists()


def test_a_used_up_reader_is_refused(factory: Factory, tmp_path: Path) -> None:
    reader = people(100).to_arrow().to_reader()
    reader.read_all()
    with pytest.raises(SourceError, match="read before"):
        made(factory, reader, sink=ParquetSink(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changed", [{"seed": -1}, {"seed": 2**60}, {"threads": 0}, {"shard_rows": 0}, {"batch_rows": 0}]
)
def test_settings_out_of_range_are_refused(factory: Factory, changed: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"expected \w+ from \d+ to \d+, found") as caught:
        made(factory, people(10), **changed)
    assert caught.value.code == "run_settings"


def test_an_unknown_creative_is_refused(factory: Factory) -> None:
    with pytest.raises(UsageError, match="welcome/wram") as caught:
        made(factory, people(10), creative="welcome/wram")
    assert caught.value.code == "creative_unknown"


def test_one_of_several_creatives_must_be_named(tmp_path: Path) -> None:
    several, _ = ready(tmp_path, creatives=["welcome/warm", "welcome/short"])
    with pytest.raises(UsageError, match="to be named") as caught:
        made(several, people(10))
    assert caught.value.code == "creative_unknown"
    _, sink = made(several, people(10), creative="welcome/short")
    assert sink.table("assets").column_names == ["key", "creative", "text"]
    assert sink.table("decisions").num_rows == 0
    _, sink = made(several, people(10), creative="welcome/warm")
    assert sink.table("decisions").num_rows == 10


def test_slots_without_a_policy_are_refused(tmp_path: Path) -> None:
    (tmp_path / "graduation.toml").write_bytes(GRADUATION)
    with pytest.raises(UsageError, match="slots hero") as caught:
        concept(
            graduation=tmp_path / "graduation.toml",
            selection=None,
        )
    assert caught.value.code == "selection_missing"


def test_a_package_is_taken_in_once_and_newer_versions_after_it(tmp_path: Path) -> None:
    factory, package = ready(tmp_path)
    assert factory.ingest(package, now=NOW).id == "welcome-tone@1"
    assert len(factory.registry.packages()) == 1


@pytest.mark.parametrize("at", [100, 2_000, -300, -1_000])
def test_a_tampered_package_is_refused_and_leaves_no_trace(tmp_path: Path, at: int) -> None:
    factory, package = ready(tmp_path)
    data = bytearray(package.to_bytes())
    data[at] ^= 1
    head = factory.ledger.head()
    with pytest.raises((HandoffError, GovernanceError)):
        factory.ingest(bytes(data), now=NOW)
    assert factory.ledger.head() == head


def test_a_package_of_strangers_is_refused(tmp_path: Path) -> None:
    factory, _ = ready(tmp_path)
    stranger, _ = concept(graduation=tmp_path / "graduation.toml", version=2)
    with pytest.raises(HandoffError) as caught:
        factory.ingest(stranger, now=NOW)
    assert caught.value.code == "signature_refused"


def test_golden_assets_that_come_out_otherwise_stop_the_ingest(tmp_path: Path) -> None:
    (tmp_path / "graduation.toml").write_bytes(GRADUATION)

    def forged(rows: pa.Table) -> dict[str, object]:
        assets = golden_renderer(LIBRARY, ["welcome/warm"], SELECTION, now=BUILT)(rows)["assets"]
        assets[3]["parts"]["text"] += "!"
        return {"assets": assets}

    package, trust = concept(graduation=tmp_path / "graduation.toml", render=forged)
    factory = Factory.create(tmp_path / "factory", trust=trust)
    with pytest.raises(HandoffError, match="golden asset 4") as caught:
        factory.ingest(package, now=NOW)
    assert caught.value.code == "golden_differs"
    assert factory.registry.packages() == []


def test_a_package_without_golden_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graduation.toml").write_bytes(GRADUATION)
    package, trust = concept(graduation=tmp_path / "graduation.toml", golden=None)
    factory = Factory.create(tmp_path / "factory", trust=trust)
    with pytest.raises(HandoffError, match="expected golden rows") as caught:
        factory.ingest(package, now=NOW)
    assert caught.value.code == "golden_missing"


def test_a_stored_package_that_was_altered_is_not_run(tmp_path: Path) -> None:
    factory, _ = ready(tmp_path)
    (stored,) = (factory.folder / "packages").glob("*.lfpkg")
    stored.chmod(0o600)
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    with pytest.raises(HandoffError) as caught:
        made(factory, people(10))
    assert caught.value.code == "digest_differs"


def test_a_factory_that_others_may_write_is_not_opened(tmp_path: Path) -> None:
    factory, _ = ready(tmp_path)
    factory.folder.chmod(0o777)
    with pytest.raises(RunError, match="others may") as caught:
        Factory(factory.folder)
    assert caught.value.code == "factory_unlocked"


def test_a_folder_without_a_factory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a Factory") as caught:
        Factory(tmp_path)
    assert caught.value.code == "factory_missing"


def test_a_factory_is_not_made_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    trust = Trust(version=1, expires=NOW, people=())
    with pytest.raises(UsageError, match="absent or empty") as caught:
        Factory.create(tmp_path, trust=trust)
    assert caught.value.code == "factory_exists"


def job_in(folder: Path, **changed: str) -> Path:
    lines = {
        "package": '"welcome-tone@1"',
        "key": '"customer_id"',
        "seed": "7",
        "now": "2026-05-01T12:00:00Z",
        "source": '{ path = "customers.parquet" }',
        "sink": '{ path = "out" }',
    } | changed
    (folder / "job.toml").write_text("\n".join(f"{name} = {value}" for name, value in lines.items()))
    return folder / "job.toml"


def test_a_job_makes_the_run_that_it_describes(factory: Factory, tmp_path: Path) -> None:
    people(500).write_parquet(tmp_path / "customers.parquet")
    run = factory.run_job(job_in(tmp_path))
    _, expected = made(factory, people(500))
    assert run.paths["assets"] == tmp_path / "out" / "assets"
    assert (
        pq.read_table(tmp_path / "out" / "assets")["html"].to_pylist()
        == expected.table("assets")["html"].to_pylist()
    )


def test_everything_wrong_with_a_job_is_told_at_once(factory: Factory, tmp_path: Path) -> None:
    people(10).drop("points").write_parquet(tmp_path / "customers.parquet")
    (tmp_path / "out").touch()
    source = '{ path = "customers.parquet", columns = { balance = "blance" } }'
    job = job_in(tmp_path, key='"custmer_id"', source=source)
    with pytest.raises(UsageError) as caught:
        factory.run_job(job)
    assert caught.value.code == "job_refused"
    codes = {problem.code for problem in factory.problems(Job.load(job))}
    assert codes == {"missing_column", "sink_refused"}
    assert "found 3 problems" in caught.value.message
    assert "did you mean 'customer_id'" in caught.value.message


def test_a_job_whose_customers_do_not_fit_the_templates_is_refused(factory: Factory, tmp_path: Path) -> None:
    people(10).drop("points").write_parquet(tmp_path / "customers.parquet")
    (problem,) = factory.problems(Job.load(job_in(tmp_path)))
    assert isinstance(problem, CompileError)
    assert "points" in str(problem)
    with pytest.raises(CompileError, match="unknown column 'points'"):
        factory.run_job(job_in(tmp_path))


def test_errors_survive_a_trip_between_processes(factory: Factory) -> None:
    import pickle

    with pytest.raises(LabfactoryError) as caught:
        made(factory, people(10), creative="no/such")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_a_packages_translations_speak_to_each_customer_in_the_factory_too(tmp_path: Path) -> None:
    creative = Creative(
        name="hello/short",
        channel=channel("sms"),
        parts={"text": "{% trans %}Hello{% endtrans %} {{ points }}"},
        environment=Environment(extensions=("jinja2.ext.i18n",)),
        locale="en",
        locale_column="language",
    )
    header = 'msgid ""\nmsgstr "Language: pl\\nContent-Type: text/plain; charset=utf-8\\n"\n\n'
    polish = f'{header}msgid "Hello"\nmsgstr "Cześć"\n'
    library = Library((creative,), (), (Translation("pl.po", polish.encode()),))
    spoken = people(40).with_columns(language=pl.Series(["pl", "en", "fr", None] * 10))
    factory, package = ready(
        tmp_path, library=library, creatives=["hello/short"], selection=None, golden=spoken.head(8)
    )
    assert "library/translations/pl.po" in package.content.files
    run, sink = made(factory, spoken)
    words = {"pl": "Cześć", "en": "Hello"}
    rows = spoken.filter(pl.col("language").is_in(["pl", "en"])).iter_rows(named=True)
    expected = {row["customer_id"]: f"{words[row['language']]} {row['points']}" for row in rows}
    assets = sink.table("assets")
    assert dict(zip(assets["key"].to_pylist(), assets["text"].to_pylist(), strict=True)) == expected
    assert run.summary.skipped == {"language: no translations": 20}
