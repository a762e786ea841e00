"""`labfactory content` looks at a library before anybody else does."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from labfactory.cli.app import app
from labfactory.samples import customers

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with one SMS."""
    folder = tmp_path / "library"
    (folder / "hello" / "short").mkdir(parents=True)
    (folder / "hello" / "short" / "creative.toml").write_text('channel = "sms"\n')
    (folder / "hello" / "short" / "text.j2").write_text("Hi {{ first_name }}, {{ points }} points")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two customers."""
    path = tmp_path / "customers.parquet"
    pq.write_table(pa.table({"first_name": ["Ann", "Zoë"], "points": [3, 5]}), path)
    return path


def test_check_lists_the_creatives(library: Path) -> None:
    result = runner.invoke(app, ["content", "check", str(library)])
    assert result.exit_code == 0
    assert "no problems" in result.stdout
    assert "hello/short" in result.stdout


def test_check_against_data_says_which_columns_are_read(library: Path, data: Path) -> None:
    result = runner.invoke(app, ["content", "check", str(library), "--data", str(data), "--json"])
    assert result.exit_code == 0
    (creative,) = json.loads(result.stdout)["creatives"]
    assert creative["columns"] == ["first_name", "points"]


def test_check_tells_every_problem_at_once(library: Path) -> None:
    (library / "hello" / "short" / "creative.toml").write_text('chanel = "sms"\n')
    (library / "hello" / "lost.j2").write_text("lost")
    result = runner.invoke(app, ["content", "check", str(library), "--json"])
    assert result.exit_code == 2
    error = json.loads(result.stderr)["error"]
    assert error["code"] == "library"
    assert sorted(problem["code"] for problem in error["problems"]) == [
        "declaration",
        "declaration",
        "unknown_file",
    ]


def test_an_unknown_column_is_shown_in_the_one_form(library: Path, data: Path) -> None:
    (library / "hello" / "short" / "text.j2").write_text("Hi {{ first_nme }}")
    result = runner.invoke(app, ["content", "check", str(library), "--data", str(data)])
    assert result.exit_code == 2
    assert result.stdout == ""
    for line in (
        "unknown column 'first_nme'",
        "hello/short.text:1:7",
        "^^^^^^^^^",
        "did you mean 'first_name'?",
    ):
        assert line in result.stderr


def test_preview_assembles_and_compares_with_jinja2(library: Path, data: Path) -> None:
    result = runner.invoke(
        app, ["content", "preview", str(library), "hello/short", "--data", str(data), "--rows", "2"]
    )
    assert result.exit_code == 0
    assert "Hi Ann, 3 points" in result.stdout
    assert "Hi Zoë, 5 points" in result.stdout
    assert result.stdout.count("Jinja2 renders the same") == 2


def test_preview_takes_the_first_eligible_component_or_the_one_that_is_asked_for() -> None:
    command = ["content", "preview", "sample", "welcome/warm", "--rows", "40", "--json"]
    chosen = json.loads(runner.invoke(app, command).stdout)
    assert {one["components"]["hero"] for one in chosen} > {"bestsellers", "loyal-thanks"}
    fixed = json.loads(runner.invoke(app, [*command, "--component", "hero=app-first"]).stdout)
    assert {one["components"]["hero"] for one in fixed} == {"app-first"}
    assert all(one["agrees"] and one["error"] is None for one in chosen + fixed)


def test_preview_writes_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = runner.invoke(app, ["content", "preview", "sample", "welcome/bold", "--page", str(page)])
    assert result.exit_code == 0
    assert page.read_bytes().count(b"<iframe") == 1


def test_preview_shows_why_there_is_no_asset(library: Path, tmp_path: Path) -> None:
    (library / "hello" / "short" / "text.j2").write_text("{{ 1 // points }}")
    path = tmp_path / "zero.csv"
    path.write_text("points\n0\n")
    result = runner.invoke(app, ["content", "preview", str(library), "hello/short", "--data", str(path)])
    assert result.exit_code == 0
    assert "no asset: zero_division" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["preview", "sample", "welcome/wram"], 2, "did you mean 'welcome/warm'"),
        (["preview", "sample", "welcome/warm", "--component", "hero"], 2, "SLOT=NAME"),
        (["preview", "sample", "welcome/warm", "--component", "hero=sprong"], 2, "unknown component"),
        (["preview", "sample", "welcome/warm", "--component", "heero=app-first"], 2, "unknown slot"),
        (["preview", "sample", "welcome/warm", "--rows", "0"], 2, "rows"),
        (["preview", "sample", "welcome/warm", "--data", "nowhere.csv"], 3, "there is no file"),
        (["preview", "sample", "welcome/warm", "--page", "/nowhere/page.html"], 3, "cannot use"),
        (["check", "nowhere"], 2, "expected the folder of a library"),
    ],
)
def test_wrong_use_is_told_apart_from_failure(arguments: list[str], code: int, words: str) -> None:
    result = runner.invoke(app, ["content", *arguments])
    assert result.exit_code == code
    assert words in result.stderr


def test_explain_prints_the_plan(library: Path, data: Path) -> None:
    command = ["content", "explain", str(library), "hello/short", "--data", str(data)]
    text = runner.invoke(app, command).stdout
    explained = json.loads(runner.invoke(app, [*command, "--json"]).stdout)
    assert text.strip() == explained["plan"].strip()
    assert explained["columns"] == ["first_name", "points"]


def test_made_up_customers_serve_where_no_file_is_given() -> None:
    result = runner.invoke(app, ["content", "preview", "sample", "welcome/plain", "--skip", "3", "--json"])
    (shown,) = json.loads(result.stdout)
    name = customers(1000, seed=0).batch(0)["first_name"][3].as_py()
    assert name in shown["parts"]["subject"]


def test_functions_and_tables_of_a_host_are_given_to_every_command(library: Path, data: Path) -> None:
    folder = library.parent
    (library / "hello" / "short" / "text.j2").write_text("{{ vip(points) }} {{ item.title }} {{ now.year }}")
    module = (
        "import labfactory as lf, pyarrow as pa\n"
        "functions = lf.Functions(lf.function(returns=pa.bool_(), scalar=True, name='vip')(lambda p: p > 4))\n"
    )
    (folder / "vip.py").write_text(module)
    (folder / "items.csv").write_text("points,title\n3,Hat\n5,Cap\n")
    digest = hashlib.sha256(module.encode()).hexdigest()
    (folder / "host.toml").write_text(
        f'[functions.vip]\nmodule = "vip.py"\nsha256 = "{digest}"\n'
        '[tables.item]\npath = "items.csv"\nkey = "points"\n'
    )
    given = [
        "--data",
        str(data),
        "--now",
        "2031-05-01T00:00:00Z",
        "--host",
        str(folder / "host.toml"),
        "--json",
    ]
    checked = runner.invoke(app, ["content", "check", str(library), *given])
    assert checked.exit_code == 0, checked.stderr
    assert json.loads(checked.stdout)["creatives"][0]["columns"] == ["points"]
    shown = runner.invoke(app, ["content", "preview", str(library), "hello/short", "--rows", "2", *given])
    texts = [(row["parts"]["text"], row["agrees"]) for row in json.loads(shown.stdout)]
    assert texts == [("False Hat 2031", True), ("True Cap 2031", True)]
    explained = runner.invoke(app, ["content", "explain", str(library), "hello/short", *given])
    assert "vip" in json.loads(explained.stdout)["plan"]
    refused = runner.invoke(app, ["content", "check", str(library), "--data", str(data), "--json"])
    assert refused.exit_code == 2
    (folder / "vip.py").write_text(module + "# changed\n")
    changed = runner.invoke(app, ["content", "check", str(library), *given])
    assert (changed.exit_code, json.loads(changed.stderr)["error"]["code"]) == (2, "host_changed")
